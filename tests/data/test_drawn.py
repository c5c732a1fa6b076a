"""Pictures that are drawn: readable, of all classes, the same bytes twice."""

import io
import tarfile
from collections import Counter

import pytest
from PIL import Image

from learner_collusion.data.drawn import Drawn, draw


@pytest.fixture
def drawn(tmp_path):
    said = draw("shapes", Drawn(0, 5, 12, 7), tmp_path / "p.tar")
    assert said == "12 + 7 pictures, drawn"
    return tmp_path / "p.tar"


def test_the_layout_of_imagenet(drawn):
    with tarfile.open(drawn) as tar:
        names = tar.getnames()
        pictures = [Image.open(io.BytesIO(tar.extractfile(name).read())).convert("RGB") for name in names]
    classes = Counter(tuple(name.split("/")[:2]) for name in names)
    assert classes["train", "n00000000"] == 3 and classes["val", "n00000004"] == 1 and len(classes) == 10
    assert all(72 <= side < 112 for picture in pictures for side in picture.size)
    assert len({picture.size for picture in pictures}) > 10  # many sizes, as photographs have


def test_the_same_bytes_twice_and_others_with_another_seed(drawn, tmp_path):
    for seed in (0, 1):
        draw("shapes", Drawn(seed, 5, 12, 7), tmp_path / f"{seed}.tar")
    assert (tmp_path / "0.tar").read_bytes() == drawn.read_bytes() != (tmp_path / "1.tar").read_bytes()
