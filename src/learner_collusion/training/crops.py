"""Random resized crops: their boxes, drawn as torchvision draws them, and their pixels."""

import hashlib
import math
from typing import NamedTuple

import numpy as np
from torch import Tensor
from torch.nn import functional as F

_RATIO = (3 / 4, 4 / 3)  # of width and height
_TRIES = 10
_NUMBERS = 24  # random ones for each picture: two for each try, two for the place, one for the flip, one spare
_WORDS = 4  # numbers for each step of Philox's counter


class Crops(NamedTuple):
    """`boxes` (n, 4) int64: left, top, width, height in the pixels of the picture; `flips` (n,) bool."""

    boxes: np.ndarray
    flips: np.ndarray


def numbers(identity: tuple, first: int, count: int) -> np.ndarray:
    """The random numbers (count, 24) of the places from `first` on, float64 in [0, 1); those of a place depend on it and on
    `identity` alone."""
    key = int.from_bytes(hashlib.sha256(repr(identity).encode()).digest()[:16], "little")
    philox = np.random.Philox(key=key).advance(first * _NUMBERS // _WORDS)
    return np.random.Generator(philox).random((count, _NUMBERS))


def draw(widths: np.ndarray, heights: np.ndarray, random: np.ndarray, scale: tuple[float, float], flip: bool) -> Crops:
    """The crops of pictures of so many pixels (n,), from the numbers of their places.

    As torchvision's `RandomResizedCrop`: up to ten tries of a share of the area (uniform within `scale`) and of a ratio of the
    sides (uniform logarithm within 3/4 and 4/3), then the largest central box whose ratio is within these.
    """
    area = (widths * heights)[:, None] * (scale[0] + random[:, :_TRIES] * (scale[1] - scale[0]))
    low, high = (math.log(value) for value in _RATIO)
    ratio = np.exp(low + random[:, _TRIES : 2 * _TRIES] * (high - low))
    w, h = (np.rint(np.sqrt(product)).astype(np.int64) for product in (area * ratio, area / ratio))
    fits = (w > 0) & (h > 0) & (w <= widths[:, None]) & (h <= heights[:, None])
    found, chosen = fits.any(1), (np.arange(len(w)), fits.argmax(1))
    central_w = np.where(widths > heights * _RATIO[1], np.rint(heights * _RATIO[1]), widths).astype(np.int64)
    central_h = np.where(widths < heights * _RATIO[0], np.rint(widths / _RATIO[0]), heights).astype(np.int64)
    w, h = np.where(found, w[chosen], central_w), np.where(found, h[chosen], central_h)
    left, top = widths - w, heights - h
    left, top = (
        np.where(found, random[:, 2 * _TRIES + axis] * (spare + 1), spare // 2).astype(np.int64)
        for axis, spare in enumerate((left, top))
    )
    return Crops(np.stack([left, top, w, h], 1), flip & (random[:, 2 * _TRIES + 2] < 0.5))


def resized(pixels: Tensor, height: int, width: int) -> Tensor:
    """uint8 (3, h, w) to (3, height, width): bilinear with antialiasing, as Pillow has it, within one grey level."""
    return F.interpolate(pixels[None], size=(height, width), mode="bilinear", antialias=True)[0]


def cropped(pixels: Tensor, box: np.ndarray, flip: bool, size: int) -> Tensor:
    """A box of a picture, uint8 (3, h, w), as (3, size, size), mirrored or not."""
    left, top, width, height = box.tolist()
    crop = resized(pixels[:, top : top + height, left : left + width], size, size)
    return crop.flip(2) if flip else crop


def central(pixels: Tensor, shorter: int, size: int) -> Tensor:
    """The central crop (3, size, size) of a picture whose shorter side has become `shorter` pixels: torchvision's `Resize` and
    `CenterCrop`."""
    height, width = pixels.shape[1:]
    if height <= width:
        height, width = shorter, max(size, int(shorter * width / height))
    else:
        height, width = max(size, int(shorter * height / width)), shorter
    top, left = round((height - size) / 2), round((width - size) / 2)
    return resized(pixels, height, width)[:, top : top + size, left : left + size]
