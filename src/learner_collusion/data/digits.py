"""scikit-learn's handwritten digits, as 32 x 32 images: for tests and demonstrations without a network."""

import numpy as np


def fetch(dataset: str, settings, mirror: str | None) -> tuple[str, dict[str, bytes]]:
    """No files: scikit-learn ships them."""
    return "scikit-learn", {}


def read(dataset: str, settings, files: dict[str, bytes]) -> tuple[tuple, tuple]:
    """8 x 8 grey, each pixel as 4 x 4 pixels of three equal channels; every fifth is a test image."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    x = np.repeat(grey.repeat(4, 1).repeat(4, 2)[..., None], 3, 3)
    y, test = digits.target.astype(np.int64), np.arange(len(grey)) % 5 == 0
    return (x[~test], y[~test]), (x[test], y[test])
