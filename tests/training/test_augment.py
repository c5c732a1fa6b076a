"""Augmentation of whole batches equals torchvision's transforms, image by image, in every pixel."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torchvision.transforms import functional as tv

from learner_collusion.training import augment
from learner_collusion.training.protocol import Augmentation

PAPER = Augmentation(crop_padding=4, flip=True, rotation=15)
MEAN, STD = torch.tensor([125.3, 123.0, 113.9]), torch.tensor([63.0, 62.1, 66.7])


def reference(image: np.ndarray, parameters: list[float], padding: int, kind: str) -> np.ndarray:
    """Pad and crop, flip, rotate, as the official code's transforms do with these parameters."""
    top, left, flip, angle = parameters
    picture = Image.fromarray(image) if kind == "pillow" else torch.from_numpy(image).permute(2, 0, 1)
    picture = tv.crop(tv.pad(picture, [padding] * 4), int(top), int(left), 32, 32)
    picture = tv.hflip(picture) if flip else picture
    picture = tv.rotate(picture, angle)
    return np.asarray(picture) if kind == "pillow" else picture.permute(1, 2, 0).numpy()


def ours(images: np.ndarray, parameters: torch.Tensor, padding: int) -> np.ndarray:
    return augment.augment(augment.pack(torch.from_numpy(images)), parameters, padding)[..., :3].numpy()


@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.sampled_from([0, 1, 15, 90, 180]))
def test_equal_to_torchvision_in_every_pixel(seed, padding, rotation):
    random, number = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    images = random.integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    parameters = augment.draw(4, Augmentation(padding, True, rotation), number)
    found = ours(images, parameters, padding)
    for image, row, mine in zip(images, parameters.tolist(), found, strict=True):
        np.testing.assert_array_equal(mine, reference(image, row, padding, "tensor"))


def test_equal_to_torchvision_on_a_thousand_images():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (1000, 32, 32, 3), dtype=np.uint8)
    parameters = augment.draw(1000, PAPER, torch.Generator().manual_seed(0))
    expected = [reference(i, p, 4, "tensor") for i, p in zip(images, parameters.tolist(), strict=True)]
    np.testing.assert_array_equal(ours(images, parameters, 4), np.stack(expected))


def test_pillow_differs_where_a_source_lies_between_two_pixels_only():
    """torchvision's transforms of Pillow images (fixed-point arithmetic) and of tensors differ in a few pixels among
    themselves; so do ours and Pillow's, and no more."""
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (300, 32, 32, 3), dtype=np.uint8)
    parameters = augment.draw(300, PAPER, torch.Generator().manual_seed(0))
    pillow = np.stack([reference(i, p, 4, "pillow") for i, p in zip(images, parameters.tolist(), strict=True)])
    assert (pillow != ours(images, parameters, 4)).any(3).mean() < 0.02


def test_nothing_to_do_changes_nothing():
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    parameters = augment.draw(5, Augmentation(0, False, 0), torch.Generator().manual_seed(0))
    np.testing.assert_array_equal(ours(images, parameters, 0), images)


def test_parameters_cover_their_ranges():
    drawn = augment.draw(20_000, PAPER, torch.Generator().manual_seed(0))
    assert set(drawn[:, 0].tolist()) == set(drawn[:, 1].tolist()) == set(range(9))
    assert drawn[:, 2].mean() == pytest.approx(0.5, abs=0.02)
    assert -15 <= drawn[:, 3].min() < -14.9 and 14.9 < drawn[:, 3].max() <= 15


def test_normalise():
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    unpacked = augment.unpack(augment.pack(torch.from_numpy(images))[:, :-1])
    expected = (torch.from_numpy(images).float() - MEAN) / STD
    torch.testing.assert_close(augment.normalise(unpacked, MEAN, STD), expected.permute(0, 3, 1, 2))


def test_no_images_are_no_error():
    assert augment.pack(torch.zeros(0, 32, 32, 3, dtype=torch.uint8)).shape == (0, 1025)
