"""Random resized crops against torchvision's, pixel by pixel and in distribution."""

import drawn_pictures as make
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, RandomResizedCrop, Resize
from torchvision.transforms import functional as tv

from learner_collusion.data.picture_bytes import decode
from learner_collusion.training import crops

SCALE = (0.08, 1.0)


def pixels_of(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def differences(ours: torch.Tensor, theirs: Image.Image) -> np.ndarray:
    return np.abs(ours.permute(1, 2, 0).numpy().astype(float) - np.asarray(theirs).astype(float))


@pytest.fixture(scope="module")
def images():
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (97, 131, 3), dtype=np.uint8))
    return [make.draw(random, 0, (200, 150)), make.draw(random, 1, (70, 190)), noise, make.draw(random, 2, (1, 1))]


def crop(image: Image.Image, box, flip, size: int) -> torch.Tensor:
    """From its pixels without loss."""
    return crops.cropped(decode(make.encoded(image, "PNG"), tuple(box.tolist())), flip, size)


def sides_of(image) -> np.ndarray:
    return np.array(image.size[::-1])


def boxes(images, scale=SCALE, epoch=0):
    random = crops.numbers(("test", epoch), 0, len(images))
    return crops.draw(*(np.array([i.size[axis] for i in images]) for axis in (0, 1)), random, scale, True)


@pytest.mark.parametrize("size", [16, 64, 224])
def test_a_crop_is_torchvisions(images, size):
    for epoch in range(5):
        drawn = boxes(images, epoch=epoch)
        for image, box, flip in zip(images, drawn.boxes, drawn.flips, strict=True):
            left, top, width, height = box.tolist()
            theirs = tv.resized_crop(image, top, left, height, width, [size, size], InterpolationMode.BILINEAR)
            theirs = tv.hflip(theirs) if flip else theirs
            found = differences(crop(image, box, flip, size), theirs)
            assert found.max() <= 1 and found.mean() < 0.1


@pytest.mark.parametrize(("shorter", "size"), [(73, 64), (256, 224), (32, 32), (37, 32)])
def test_a_central_crop_is_torchvisions(images, shorter, size):
    for image in images:
        theirs = CenterCrop(size)(Resize(shorter)(image))
        found = differences(crops.central(pixels_of(image), sides_of(image), shorter, size), theirs)
        assert found.max() <= 1 and found.mean() < 0.1


def test_crops_of_a_batch_at_once_are_the_same(images):
    """On a GPU all of a batch are cut from the stored pixels: antialiased as Pillow does, two grey levels apart at most."""
    stored = torch.cat([pixels_of(image).permute(1, 2, 0).flatten() for image in images])
    widths, heights = (np.array([image.size[axis] for image in images]) for axis in (0, 1))
    starts = np.concatenate([[0], np.cumsum(3 * widths * heights)[:-1]])
    for size in (16, 100):
        drawn = boxes(images, epoch=size)
        cut = crops.cut(stored, starts, widths, crops.Windows.of_crops(drawn, size), size)
        centres = crops.cut(stored, starts, widths, crops.Windows.of_centres(heights, widths, size + 3, size), size)
        for i, image in enumerate(images):
            one = crop(image, drawn.boxes[i], drawn.flips[i], size)
            central = crops.central(pixels_of(image), sides_of(image), size + 3, size)
            for ours, theirs in ((cut[i], one), (centres[i], central)):
                apart = (ours - theirs.float()).abs()
                assert apart.max() <= 2 and apart.mean() < 0.2


@pytest.mark.parametrize("sides", [(500, 375), (375, 500), (128, 128), (300, 100)])
@pytest.mark.parametrize("scale", [SCALE, (0.3, 0.6)])
def test_boxes_have_torchvisions_distribution(sides, scale):
    count, (width, height) = 20000, sides
    torch.manual_seed(0)
    image = torch.empty(1, height, width)
    theirs = [RandomResizedCrop.get_params(image, scale, (3 / 4, 4 / 3)) for _ in range(count // 4)]
    theirs = np.array(theirs)[:, [1, 0, 3, 2]]
    random = crops.numbers(("distribution",), 0, count)
    drawn = crops.draw(np.full(count, width), np.full(count, height), random, scale, True)
    assert abs(drawn.flips.mean() - 0.5) < 0.02
    for column in range(4):
        for share in (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98):
            ours, other = (np.quantile(found[:, column], share) for found in (drawn.boxes, theirs))
            assert abs(ours - other) <= 0.03 * max(sides), (column, share)
    ours, other = (found[:, 2] * found[:, 3] / (width * height) for found in (drawn.boxes, theirs))
    assert abs(ours.mean() - other.mean()) < 0.01 and abs(ours.std() - other.std()) < 0.01
    assert (drawn.boxes[:, :2] >= 0).all() and (drawn.boxes[:, 2:] > 0).all()
    assert (drawn.boxes[:, :2] + drawn.boxes[:, 2:] <= sides).all()
    for start in (0, 1):  # each place is reached, up to the border
        assert (drawn.boxes[:, start] == 0).any()
        assert (drawn.boxes[:, start] + drawn.boxes[:, 2 + start] == sides[start]).any()


@pytest.mark.parametrize("sides", [(1000, 10), (10, 1000), (1, 1), (7, 90)])
def test_where_no_box_fits_it_is_torchvisions_central_one(sides):
    width, height = sides
    top, left, h, w = RandomResizedCrop.get_params(torch.empty(1, height, width), (0.99, 1.0), (3 / 4, 4 / 3))
    random = crops.numbers(("central",), 0, 50)
    drawn = crops.draw(np.full(50, width), np.full(50, height), random, (0.99, 1.0), True)
    assert {tuple(box) for box in drawn.boxes.tolist()} == {(left, top, w, h)}


def test_the_numbers_of_a_place_depend_on_it_alone():
    whole = crops.numbers(("a", 1), 0, 300)
    for first, count in ((0, 1), (17, 30), (299, 1)):
        np.testing.assert_array_equal(crops.numbers(("a", 1), first, count), whole[first : first + count])
    assert len(np.unique(whole)) == whole.size and whole.min() >= 0 and whole.max() < 1
    assert not (crops.numbers(("a", 2), 0, 300) == whole).any()


def test_without_flips():
    drawn = crops.draw(np.full(99, 50), np.full(99, 40), crops.numbers(("f",), 0, 99), SCALE, False)
    assert not drawn.flips.any()
