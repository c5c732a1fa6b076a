"""A few random images, and no network."""

import numpy as np
import pytest
from image_files import SIZES
from torchvision.datasets import CIFAR10, CIFAR100, SVHN


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """The origins do not answer."""
    for cls in (CIFAR10, CIFAR100):
        monkeypatch.setattr(cls, "url", "http://127.0.0.1:9/archive.tar.gz")
    away = {part: ["http://127.0.0.1:9/x.mat", *entry[1:]] for part, entry in SVHN.split_list.items()}
    monkeypatch.setattr(SVHN, "split_list", away)


@pytest.fixture
def arrays(random):
    classes = 10
    return {
        part: (random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), random.integers(0, classes, n))
        for part, n in SIZES.items()
    }
