"""Random resized crops: their boxes, drawn as torchvision draws them, and their pixels."""

import hashlib
import math
from typing import NamedTuple

import numpy as np
import torch
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
    """uint8 (3, h, w) to (3, height, width), channels last in memory: bilinear with antialiasing, as Pillow has it, within one grey
    level."""
    one = pixels[None].contiguous(memory_format=torch.channels_last)  # without gaps it is twice as fast
    return F.interpolate(one, size=(height, width), mode="bilinear", antialias=True)[0]


def cropped(pixels: Tensor, flip: bool, size: int) -> Tensor:
    """The pixels of a box, uint8 (3, h, w), as (3, size, size), mirrored or not."""
    crop = resized(pixels, size, size)
    return crop.flip(2) if flip else crop


def central(pixels: Tensor, sides: np.ndarray, shorter: int, size: int) -> Tensor:
    """The central crop (3, size, size) of a picture of `sides` (height, width) whose shorter one has become `shorter` pixels:
    torchvision's `Resize` and `CenterCrop`."""
    (height, width), (top, left) = _centre(sides[None], shorter, size)[:, 0].tolist()
    return resized(pixels, height, width)[:, top : top + size, left : left + size]


def _centre(sides: np.ndarray, shorter: int, size: int) -> np.ndarray:
    """Of pictures (n, 2: height, width) the sides after `Resize`, and top and left of `CenterCrop`, (2, n, 2)."""
    now = shorter * sides // sides.min(1, keepdims=True)
    return np.stack([now, np.rint((now - size) / 2).astype(np.int64)])


class Windows(NamedTuple):
    """Which pixels of each picture crops show, by axis (vertical, horizontal): `first` and `count` (n, 2) int64 of the box that
    they are read from; the crop's pixel i lies around `start + i * step` (n, 2) of that box; `flips` (n,)."""

    first: np.ndarray
    count: np.ndarray
    start: np.ndarray
    step: np.ndarray
    flips: np.ndarray

    @staticmethod
    def of_crops(drawn: Crops, size: int) -> "Windows":
        """Those of random crops."""
        count = drawn.boxes[:, [3, 2]]
        step = count / size
        return Windows(drawn.boxes[:, [1, 0]], count, step / 2, step, drawn.flips)

    @staticmethod
    def of_centres(heights: np.ndarray, widths: np.ndarray, shorter: int, size: int) -> "Windows":
        """Those of `central`."""
        count = np.stack([heights, widths], 1)
        now, first = _centre(count, shorter, size)
        step = count / now
        return Windows(np.zeros_like(count), count, (first + 0.5) * step, step, np.zeros(len(count), bool))


def cut(stored: Tensor, starts: np.ndarray, widths: np.ndarray, windows: Windows, size: int) -> Tensor:
    """All crops of a batch at once, on the device where the pixels are: (n, 3, size, size) float32 grey levels.

    `stored`: the bytes of all pictures, of which those of the batch begin at `starts` (n,) and have `widths` pixels a line.
    Antialiasing is a product with the triangles that Pillow weighs pixels by, in float32 and rounded after each axis as there:
    the result is that of `cropped` and `central` within one grey level.
    """
    device = stored.device
    sides = [-(-int(most) // 32) * 32 for most in windows.count.max(0, initial=1)]  # few shapes: memory is used again

    def there(array: np.ndarray) -> Tensor:
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor

    whole = there(np.concatenate([windows.first, windows.count, starts[:, None], widths[:, None]], 1))
    parts = there(np.stack([windows.start, windows.step], 1).astype(np.float32))
    flips = there(windows.flips)
    (top, left, _, _, begin, line), count = whole.unbind(1), whole[:, 2:4]
    rows, columns = (
        torch.arange(side, device=device).minimum(count[:, axis, None] - 1) for axis, side in enumerate(sides)
    )
    lines = begin[:, None] + 3 * ((top[:, None] + rows) * line[:, None] + left[:, None])
    places = lines[:, None, :, None] + 3 * columns[:, None, None] + torch.arange(3, device=device)[:, None, None]
    pixels = stored[places].float()  # (n, 3, rows, columns); beyond the box its edge, which weighs nothing

    def weights(axis: int) -> Tensor:
        start, step = (parts[:, which, axis, None] for which in (0, 1))
        middle = start + step * torch.arange(size, device=device)
        if axis == 1:
            middle = torch.where(flips[:, None], middle.flip(1), middle)
        pixel = torch.arange(sides[axis], device=device)
        found = 1 - (pixel + 0.5 - middle[..., None]).abs() / step.clamp(min=1)[..., None]
        found = found.clamp(min=0).masked_fill(pixel >= count[:, axis, None, None], 0)
        return found / found.sum(2, keepdim=True)

    across = pixels.flatten(1, 2) @ weights(1).mT
    down = weights(0)[:, None] @ across.round_().unflatten(1, (3, sides[0]))
    return down.round_()
