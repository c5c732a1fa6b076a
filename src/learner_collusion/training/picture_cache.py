"""Pictures kept decoded, in a file beside the index that is mapped into memory: for sets that fit, decoding each epoch anew costs
more than training a small network.

Pictures whose shorter side has more pixels than asked for are reduced to it first. Training then is what it would be on files of
that size: its crops are drawn in the pixels of the kept pictures.
"""

import fcntl
import multiprocessing
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor

from ..data.picture_bytes import Box, Reader, decode
from ..errors import UserError
from ..files import replacing, write_text
from ..records import pictures
from ..seals import checksum
from .crops import resized
from .processes import in_processes

_CHUNK = 64  # pictures of a task
PLACE = [
    "path",
    "archive",
    "offset",
    "size",
    "height",
    "width",
]  # of the index: where the bytes of a picture are, and its sides


class Kept(NamedTuple):
    """Where the pictures of an index are kept: picture i has the bytes from `starts[i]` on, (heights[i], widths[i], 3)."""

    path: Path
    starts: np.ndarray
    heights: np.ndarray
    widths: np.ndarray

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return int(self.starts[-1]) + 3 * int(self.heights[-1]) * int(self.widths[-1])


def reduced(heights: np.ndarray, widths: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Heights and widths after a reduction of the shorter side to `side` pixels, as torchvision's `Resize` rounds."""
    shorter = np.minimum(heights, widths)
    return tuple(np.where(shorter > side, side * length // shorter, length) for length in (heights, widths))


def keep(index: str | Path, side: int, processes: int) -> Kept:
    """The pictures of an index, decoded once by so many processes, or found as an earlier call left them: whole, by the checksum
    beside them; else they are decoded anew.

    Errors: UserError where the disk has too little room, or where a picture cannot be read.
    """
    metadata, table = pictures.read(index)
    heights, widths = (table[name].to_numpy().astype(np.int64) for name in ("height", "width"))
    heights, widths = reduced(heights, widths, side)
    ends = np.cumsum(3 * heights * widths)
    name = f"{Path(index).name.partition('.')[0]}.{side}px.{metadata['content_sha256'][:12]}.decoded"
    kept = Kept(Path(index).with_name(name), np.concatenate([[0], ends[:-1]]), heights, widths)
    with _locked(kept.path, fcntl.LOCK_SH):  # several read it at a time: of a large file that takes minutes
        whole = _whole(kept)
    if not whole:
        with _locked(kept.path, fcntl.LOCK_EX):
            if not _whole(kept, say=True):
                _write(kept, metadata["root"], table, processes)
                write_text(_sum_of(kept), checksum(kept.path) + "\n")
    return kept


def _sum_of(kept: Kept) -> Path:
    return kept.path.with_name(kept.path.name + ".sha256")


def _whole(kept: Kept, say: bool = False) -> bool:
    """Whether the file is there and as it was written; may say so where it is not."""
    if not (kept.path.exists() and kept.path.stat().st_size == kept.size and _sum_of(kept).exists()):
        return False
    if _sum_of(kept).read_bytes().strip() == checksum(kept.path).encode():
        return True
    if say:
        print(f"{kept.path} is damaged, its checksum does not fit: its pictures are decoded anew.", flush=True)
    return False


@contextmanager
def _locked(path: Path, kind: int) -> Iterator[None]:
    """Other cells wait until one has written the file."""
    with open(path.with_name(f".{path.name}.lock"), "w") as file:
        fcntl.flock(file, kind)
        yield


def _write(kept: Kept, root: str, table: pa.Table, processes: int) -> None:
    for left in kept.path.parent.glob(f".{kept.path.name}.*.part"):  # by one that was killed
        left.unlink()
    free = shutil.disk_usage(kept.path.parent).free
    if free < kept.size:
        raise UserError(
            f"{kept.path} would take {kept.size / 1e9:.1f} GB, and {free / 1e9:.1f} are free: set `cache` to fewer pixels or to "
            "null, or make room."
        )
    print(f"Decoding {len(table):,} pictures once, to {kept.path} ({kept.size / 1e6:,.0f} MB).", flush=True)
    chunks = [slice(start, start + _CHUNK) for start in range(0, len(table), _CHUNK)]
    tasks = [
        (
            list(zip(*(table[name][chunk.start : chunk.stop].to_pylist() for name in PLACE), strict=True)),
            *(part[chunk] for part in kept[1:]),
        )
        for chunk in chunks
    ]
    with replacing(kept.path) as beside:
        with open(beside, "wb") as file:
            os.truncate(file.fileno(), kept.size)
        for wrong in in_processes(partial(_decode, beside, root), tasks, processes):
            if wrong:
                raise UserError(wrong)


def _decode(path: Path, root: str, task: tuple) -> str:
    """Write some pictures to their places; a sentence where one cannot be read."""
    if multiprocessing.parent_process() is not None:  # one of several
        torch.set_num_threads(1)
    reader = Reader(root)
    with open(path, "r+b") as file:
        for place, start, height, width in zip(*task, strict=True):
            *where, before_height, before_width = place
            try:
                pixels = decode(reader.read(*where), sides=(before_height, before_width))
            except Exception as error:  # a process cannot hand on every kind
                return unreadable(place[0], error)
            if pixels.shape[1:] != (height, width):
                pixels = resized(pixels, int(height), int(width))
            file.seek(start)
            file.write(pixels.permute(1, 2, 0).contiguous().numpy())
    reader.close()
    return ""


def unreadable(path: str, error: Exception) -> str:
    """What to say of a picture that the index has."""
    return f"{path} cannot be read any more ({error}): delete the index, so that the pictures are checked anew."


class Decoded:
    """Kept pictures as tensors; each process maps the file on its own."""

    def __init__(self, path: Path):
        self.path, self.mapped = path, None

    def __getstate__(self):
        return self.__dict__ | {"mapped": None}

    def picture(self, start: int, height: int, width: int, box: Box | None, reduction: float = 1) -> Tensor:
        """The box of a picture, uint8 (3, height, width), channels last in memory; it has been reduced once and for all."""
        if self.mapped is None:
            self.mapped = torch.from_numpy(
                np.memmap(self.path, mode="c")
            )  # a copy of what is written to, which is nothing
        left, top, across, down = box or (0, 0, width, height)
        whole = self.mapped[start : start + 3 * height * width].view(height, width, 3)
        return whole[top : top + down, left : left + across].permute(2, 0, 1)
