"""SVHN: the two official .mat files of the cropped digits."""

import io

import numpy as np

from ..errors import UserError
from . import sources

_PARTS = ("train", "test")


def fetch(dataset: str, settings, mirror: str | None) -> tuple[str, dict[str, bytes]]:
    """Both files from their origin or the mirror; `settings.md5` may replace the official checksum of a part."""
    from torchvision.datasets import SVHN

    files, where = {}, ""
    for part in _PARTS:
        url, name, md5 = SVHN.split_list[part]
        md5 = settings.md5.get(part, md5)
        where, files[name] = sources.original(url, name, md5, mirror, settings.retries, settings.timeout)
    return where, files


def read(dataset: str, settings, files: dict[str, bytes]) -> tuple[tuple, tuple]:
    """Training and test images with their labels; class 10 is the digit 0."""
    from scipy.io import loadmat

    arrays = []
    for part in _PARTS:
        name = f"{part}_32x32.mat"
        try:
            matrices = loadmat(io.BytesIO(files[name]))
            x, y = matrices["X"].transpose(3, 0, 1, 2), matrices["y"].astype(np.int64).reshape(-1)
        except Exception as error:  # scipy raises a dozen kinds
            raise UserError(f"{name} is damaged ({error}): fetch the original, or another copy.") from None
        arrays.append((np.ascontiguousarray(x), np.where(y == 10, 0, y)))
    return tuple(arrays)
