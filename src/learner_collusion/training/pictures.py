"""The batches of pictures that lie in files: decoded and cropped by worker processes, normalised on the device.

A batch is known before any worker sees it: the order of an epoch and all random numbers of its pictures derive from the cell, the
epoch and the place in it. So neither workers, nor processes that share the batches, nor an interruption change a pixel.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..data.picture_bytes import Box, Reader, decode
from ..errors import UserError
from ..records import pictures
from ..seeds import generator
from . import crops
from .batches import Batch, Data
from .picture_cache import PLACE, Decoded, Kept, keep, unreadable
from .picture_protocol import PictureProtocol
from .processes import end_with_parent, prepare_processes
from .protocol import Cell, count_batches

_EVALUATION_BATCH = {"cpu": 32, "cuda": 256}  # pictures, as in `batches`
_AHEAD = 2  # batches that each worker has ready
_OF_THE_GPU = 0.4  # the share of its free memory that kept pictures may take


class Statistics(Protocol):
    """What training takes of a data set: the number of classes, mean and std of the channels, of 255."""

    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Part(NamedTuple):
    """The pictures of a split: labels, heights and widths (n,), and where their bytes are: path, archive, offset and size, and height
    and width as they were when they were checked. Of kept pictures start, height and width, and the starts (n,) once more."""

    labels: Tensor
    heights: np.ndarray
    widths: np.ndarray
    places: pa.Table
    starts: np.ndarray | None = None


class Some(NamedTuple):
    """A batch, before it is made: rows of a part, and their random crops; None: the central ones."""

    part: Part
    rows: np.ndarray
    drawn: crops.Crops | None


def on_workers(
    index: str | Path,
    cell: Cell,
    protocol: PictureProtocol,
    dataset: Statistics,
    seed: int,
    device: torch.device,
    workers: int,
    rank: int = 0,
    world: int = 1,
) -> Data:
    """The pictures of an index (`records.pictures`), read by so many worker processes, or by this one for 0.

    Each of `world` processes takes its part of every batch, in order: parts differ by one picture at most, and of a last batch
    that is smaller than `world` some are empty. "validation" is the index's val; there is no test split. With `protocol.cache`
    the pictures are decoded once, and on a GPU with room for them cropped there, without workers.
    Errors: UserError where the set is not available or has other classes, and later where a picture cannot be read any more.
    """
    shorter = protocol.evaluation_size or round(protocol.size / 0.875)
    if shorter < protocol.size:
        raise UserError(f"evaluation_size is {shorter}, but must not be below size, {protocol.size}.")
    if max(dataset.std) <= 1:
        raise UserError(
            f"The std of {cell.dataset} is {dataset.std}, but mean and std are of 255: multiply them by 255."
        )
    metadata, table = pictures.read(index)
    if len(metadata["wnids"]) != dataset.classes:
        raise UserError(
            f"{index} has {len(metadata['wnids'])} classes, not the {dataset.classes} of {cell.dataset}: prepare it anew."
        )
    prepare_processes(2 if workers else 1, [__name__], through_sigterm=True)
    kept = None if protocol.cache is None else keep(index, protocol.cache, max(1, workers))
    wanted = {"train": protocol.subset.train, "val": protocol.subset.test}
    train, val = (_part(table, kept, split, count, seed, cell.dataset) for split, count in wanted.items())
    batches = count_batches(len(train.labels), protocol.batch_size)
    identity = cell.identity(seed)
    normalise = _normaliser(device, dataset, protocol.size)
    if kept is not None and _fits(kept, device):
        make = partial(_on_device, _upload(kept, device), protocol.size, shorter, normalise)
    else:
        source = Files(metadata["root"], protocol.scaled) if kept is None else Decoded(kept.path)
        make = partial(_by_workers, Worker(source, protocol.size, shorter), workers, device, normalise)

    def crops_from(epoch: int, first: int) -> Iterator[Some]:
        """All batches from one on, over the ends of epochs: workers do not wait there."""
        for now in range(epoch, max(epoch, protocol.epochs) + 1):
            order = generator(*identity, now, "order").permutation(len(train.labels))
            for number in range(first if now == epoch else 0, batches):
                start = number * protocol.batch_size
                rows = order[start : start + protocol.batch_size]
                random = crops.numbers((*identity, now, "crops"), start, len(rows))
                mine = np.array_split(np.arange(len(rows)), world)[rank]
                rows, random = rows[mine], random[mine]
                drawn = crops.draw(train.widths[rows], train.heights[rows], random, protocol.scale, protocol.flip)
                yield Some(train, rows, drawn)

    def centres() -> Iterator[Some]:
        size = _EVALUATION_BATCH[device.type] * world
        for start in range(0, len(val.labels), size):
            rows = np.arange(start, min(start + size, len(val.labels)))
            if len(mine := np.array_split(rows, world)[rank]):
                yield Some(val, mine, None)

    stream, position = iter(()), None

    def training(epoch: int, first: int) -> Iterator[Batch]:
        nonlocal stream, position
        if position != (epoch, first):
            stream = make(crops_from(epoch, first))
        for number in range(first, batches):
            position = None  # should this batch fail
            images, targets = next(stream)
            position = (epoch, number + 1) if number + 1 < batches else (epoch + 1, 0)
            yield Batch(images, targets, None)

    def evaluation(split: str) -> Iterator[tuple[Tensor, Tensor]]:
        return make(centres()) if split == "validation" else iter(())

    return Data(dataset.classes, batches, training, evaluation)


def _part(table: pa.Table, kept: Kept | None, split: str, count: int | None, seed: int, dataset: str) -> Part:
    """The pictures of a split, or `count` random ones: the same for every cell."""
    rows = np.flatnonzero(pc.equal(table["split"], split))
    if count is not None and count < len(rows):
        chosen = generator(seed, dataset, split, "subset").permutation(len(rows))[:count]
        rows = rows[np.sort(chosen)]
    mine = table.take(pa.array(rows))
    labels = torch.from_numpy(mine["label"].to_numpy().astype(np.int64))
    if kept is not None:
        starts, heights, widths = (of_all[rows] for of_all in kept[1:])
        return Part(labels, heights, widths, pa.table({"start": starts, "height": heights, "width": widths}), starts)
    heights, widths = (mine[name].to_numpy().astype(np.int64) for name in ("height", "width"))
    return Part(labels, heights, widths, mine.select(PLACE).combine_chunks())


def _normaliser(device: torch.device, dataset: Statistics, size: int) -> Callable[[Tensor], Tensor]:
    """Makes float32 (n, 3, size, size), channels last in memory, from grey levels (n, size, size, 3) of any type."""
    # whole rows at a time: loops over three values at a time take three times as long on a CPU
    mean, std = (
        torch.tensor(values, dtype=torch.float32).repeat(size).to(device) for values in (dataset.mean, dataset.std)
    )

    def normalise(pixels: Tensor) -> Tensor:
        rows = pixels.reshape(*pixels.shape[:2], 3 * size).float()
        return rows.sub_(mean).div_(std).view(pixels.shape).permute(0, 3, 1, 2)

    return normalise


@dataclass
class Files:
    """Pictures in files or tars below `root`."""

    root: str
    scaled: bool
    reader: Reader | None = None

    def picture(self, *place, box: Box | None, reduction: float) -> Tensor:
        """The box of a picture, uint8 (3, height, width), with `scaled` smaller by at most `reduction`."""
        self.reader = self.reader or Reader(self.root)
        *where, height, width = place
        return decode(self.reader.read(*where), box, reduction if self.scaled else 1, (height, width))


class Work(NamedTuple):
    """What a worker process gets of a batch: `places`, the arguments of `picture`; sides (n, 2) before any reduction; the crops."""

    places: list[tuple]
    sides: np.ndarray
    drawn: crops.Crops | None


class Worker:
    """Makes the pixels of batches, from `source.picture`: what a worker process holds."""

    def __init__(self, source: Files | Decoded, size: int, shorter: int):
        self.source, self.size, self.shorter = source, size, shorter

    def __getitem__(self, work: Work) -> Tensor | str:
        """uint8 (n, size, size, 3); or a sentence where a picture cannot be read."""
        made = torch.empty(len(work.places), self.size, self.size, 3, dtype=torch.uint8)
        for number, (place, sides) in enumerate(zip(work.places, work.sides, strict=True)):
            box = None if work.drawn is None else tuple(work.drawn.boxes[number].tolist())
            needed = min(sides) / self.shorter if box is None else min(box[2:]) / self.size
            try:
                picture = self.source.picture(*place, box=box, reduction=needed)
            except Exception as error:  # a process cannot hand on every kind
                return unreadable(place[0], error)
            if box is None:
                pixels = crops.central(picture, sides, self.shorter, self.size)
            else:
                pixels = crops.cropped(picture, work.drawn.flips[number], self.size)
            made[number] = pixels.permute(1, 2, 0)
        return made


def _by_workers(
    worker: Worker, workers: int, device: torch.device, normalise: Callable, batches: Iterable[Some]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels of batches, in order; on a GPU one ahead of what it computes."""
    labels: deque[Tensor] = deque()  # of the batches that workers have

    def works() -> Iterator[Work]:
        for part, rows, drawn in batches:
            labels.append(part.labels[rows])
            places = part.places.take(pa.array(rows)).to_pydict().values()
            yield Work(list(zip(*places, strict=True)), np.stack([part.heights[rows], part.widths[rows]], 1), drawn)

    started = {"multiprocessing_context": "forkserver", "worker_init_fn": end_with_parent}
    several = {"prefetch_factor": _AHEAD, **started} if workers else {}
    own = torch.Generator()  # else it draws from the one that dropout draws from, and an interruption shows
    options = {"batch_size": None, "sampler": works(), "collate_fn": _as_it_is, "generator": own, **several}
    loader = DataLoader(worker, num_workers=workers, **options)

    def made() -> Iterator[tuple[Tensor, Tensor]]:
        for pixels in loader:
            if isinstance(pixels, str):
                raise UserError(pixels)
            yield pixels, labels.popleft()

    for pixels, targets in made() if device.type == "cpu" else _ahead(made(), device):
        yield normalise(pixels), targets


def _as_it_is(found):
    return found


def _ahead(batches: Iterator[tuple[Tensor, Tensor]], device: torch.device) -> Iterator[tuple[Tensor, ...]]:
    """Batches on a GPU: while it computes with one, the next is on its way."""
    copies = torch.cuda.Stream(device)
    ready: deque = deque()
    for batch in batches:
        with torch.cuda.stream(copies):
            ready.append(([part.pin_memory().to(device, non_blocking=True) for part in batch], copies.record_event()))
        if len(ready) > 1:
            yield _received(*ready.popleft(), device)
    while ready:
        yield _received(*ready.popleft(), device)


def _received(parts: list[Tensor], arrived: torch.cuda.Event, device: torch.device) -> tuple[Tensor, ...]:
    now = torch.cuda.current_stream(device)
    now.wait_event(arrived)
    for part in parts:
        part.record_stream(now)
    return tuple(parts)


def _fits(kept: Kept, device: torch.device) -> bool:
    return device.type == "cuda" and kept.size < _OF_THE_GPU * torch.cuda.mem_get_info(device)[0]


def _upload(kept: Kept, device: torch.device) -> Tensor:
    return torch.from_numpy(np.memmap(kept.path, mode="c")).to(device)


def _on_device(
    stored: Tensor, size: int, shorter: int, normalise: Callable, batches: Iterable[Some]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images and labels of batches that are cropped where the pixels are."""
    for part, rows, drawn in batches:
        heights, widths = part.heights[rows], part.widths[rows]
        if drawn is None:
            windows = crops.Windows.of_centres(heights, widths, shorter, size)
        else:
            windows = crops.Windows.of_crops(drawn, size)
        images = crops.cut(stored, part.starts[rows], widths, windows, size)
        yield normalise(images.permute(0, 2, 3, 1)), part.labels[rows].to(stored.device, non_blocking=True)
