"""The bytes of a picture, from a file or by offset from a tar, and its pixels."""

import io
import math
import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

# What Pillow may take a picture for, whatever its name: others of its readers start programs (EPS) or are seldom looked after.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
MOST_PIXELS = Image.MAX_IMAGE_PIXELS or 1 << 26  # of a picture that is decoded: Pillow's limit, a quarter of a gigabyte
_OPEN = 32  # tars that stay open at a time: there may be one for each of a thousand classes


class Reader:
    """Reads pictures below the folder `root`. Tars stay open: each worker and each thread needs a reader of its own."""

    def __init__(self, root: str | Path):
        self.root = str(root)
        self.archives: dict[str, int] = {}

    def read(self, path: str, archive: str, offset: int, size: int) -> bytearray:
        """So many bytes of a picture, or of a part of it; fewer where its file ends. Errors: OSError."""
        data = bytearray(size)
        if not archive:
            with open(os.path.join(self.root, path), "rb", buffering=0) as file:
                return data[: _fill(data, file.fileno(), offset)]
        if archive not in self.archives:
            if len(self.archives) >= _OPEN:
                self.close()
            self.archives[archive] = os.open(os.path.join(self.root, archive), os.O_RDONLY)
        return data[: _fill(data, self.archives[archive], offset)]

    def close(self) -> None:
        """Close the tars."""
        for descriptor in self.archives.values():
            os.close(descriptor)
        self.archives.clear()


def _fill(data: bytearray, descriptor: int, offset: int) -> int:
    """Read until `data` is full or the file ends; how many bytes that were."""
    done, view = 0, memoryview(data)
    while done < len(data):
        count = os.preadv(descriptor, [view[done:]], offset + done)
        if not count:
            break
        done += count
    view.release()
    return done


def rgb(image: Image.Image) -> Image.Image:
    """As RGB, as torchvision's `ImageFolder` has it: without transparency, and as it lies, whatever its EXIF data say. Of 16
    bits the higher eight count, which Pillow would clip. Errors: OSError, or another that Pillow raises."""
    if image.mode == "RGB":
        image.load()
        return image
    if image.mode.startswith("I"):
        image = Image.fromarray((np.asarray(image).astype(np.int64).clip(0, 65535) >> 8).astype(np.uint8))
    elif image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")  # Pillow asks for that
    return image.convert("RGB")


Box = tuple[int, int, int, int]  # left, top, width, height


def decode(
    data: bytes | bytearray, box: Box | None = None, reduction: float = 1, sides: tuple[int, int] | None = None
) -> Tensor:
    """The pixels of a picture, or of a box of it, uint8 (3, height, width) with channels last in memory.

    From a `reduction` of 2 on libjpeg makes a JPEG smaller by 2, 4 or 8, at most by so much, while it decodes: fewer pixels, to
    which the edges of the box are rounded. Errors: as `rgb`; OSError where it has other `sides`
    (height, width) than known.
    """
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        whole = image.size
        if whole[0] * whole[1] > MOST_PIXELS:
            raise OSError(f"it has {whole[0]} x {whole[1]} pixels, more than {MOST_PIXELS:,}")
        if sides is not None and whole != sides[::-1]:
            raise OSError(f"it has {whole[0]} x {whole[1]} pixels, and had {sides[1]} x {sides[0]}")
        if reduction >= 2:
            factor = min(8, 1 << int(math.log2(reduction)))
            image.draft("RGB", tuple(side // factor for side in whole))
        decoded = rgb(image)
        if box is not None:
            left, top, width, height = box
            across, down = (now / before for now, before in zip(image.size, whole, strict=True))
            edges = left * across, top * down, (left + width) * across, (top + height) * down
            decoded = decoded.crop(tuple(map(round, edges)))
        return torch.from_numpy(np.array(decoded)).permute(2, 0, 1)
