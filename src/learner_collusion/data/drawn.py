"""Pictures that are drawn: a coloured shape on a noisy ground, in ImageNet's layout. A proof of the rules without a network."""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ..files import replacing
from ..seeds import generator

_SHAPES = ("ellipse", "rectangle", "triangle")
_COLOURS = ("crimson", "royalblue", "seagreen", "goldenrod")  # one more than shapes: twelve kinds
_SIDES = (72, 112)  # pixels: smaller and larger than what is cropped


@dataclass(frozen=True)
class Drawn:
    """How many pictures are drawn: of `classes` kinds in turn, `train` to train and `val` to validate."""

    seed: int
    classes: int
    train: int
    val: int


def draw(dataset: str, settings: Drawn, output: str | Path) -> str:
    """Write the pictures as JPEG to the tar `output`, as train/<class>/ and val/<class>/; a line that says how many."""
    with replacing(output) as beside, tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar:
        for split in ("train", "val"):
            random = generator(settings.seed, dataset, split, "drawn")
            for number in range(getattr(settings, split)):
                label = number % settings.classes
                data = _jpeg(_picture(label, random))
                entry = tarfile.TarInfo(f"{split}/n{label:08}/{split}_{number:08}.JPEG")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    return f"{settings.train} + {settings.val} pictures, drawn"


def _picture(label: int, random: np.random.Generator) -> Image.Image:
    """A shape of random size and place; class by class another shape, then another colour."""
    width, height = (int(side) for side in random.integers(*_SIDES, 2))
    ground = random.integers(90, 166, (height, width, 3), dtype=np.uint8)
    picture = Image.fromarray(ground)
    size = int(min(width, height) * random.uniform(0.45, 0.75))
    left, top = (int(random.integers(0, side - size + 1)) for side in (width, height))
    box = (left, top, left + size, top + size)
    shape, colour = _SHAPES[label % len(_SHAPES)], _COLOURS[label % len(_COLOURS)]
    pen = ImageDraw.Draw(picture)
    if shape == "triangle":
        pen.polygon([(left, top + size), (left + size, top + size), (left + size // 2, top)], fill=colour)
    else:
        getattr(pen, shape)(box, fill=colour)
    return picture


def _jpeg(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=90)
    return stream.getvalue()
