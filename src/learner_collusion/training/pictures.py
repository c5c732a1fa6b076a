"""The batches of pictures that lie in files: decoded and cropped by worker processes, normalised on the device.

A batch is known before any worker sees it: the order of an epoch and all random numbers of its pictures derive from the cell, the
epoch and the place in it. So neither workers, nor processes that share the batches, nor an interruption change a pixel.
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..data.picture_bytes import Reader, decode
from ..errors import UserError
from ..records import pictures
from ..seeds import generator
from . import crops
from .batches import Batch, Data, count_batches
from .picture_protocol import PictureProtocol
from .processes import prepare_processes
from .protocol import Cell

_EVALUATION_BATCH = 256
_AHEAD = 2  # batches that each worker has ready


class Statistics(Protocol):
    """What training takes of a data set: the number of classes, mean and std of the channels, of 255."""

    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Part(NamedTuple):
    """The pictures of a split: where their bytes are (path, archive, offset, size), labels, widths and heights (n,)."""

    places: pa.Table
    labels: Tensor
    widths: np.ndarray
    heights: np.ndarray


class Work(NamedTuple):
    """What a worker makes of some pictures: crops, or for None the central ones."""

    places: list[tuple]
    labels: Tensor
    crops: crops.Crops | None


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

    Each of `world` processes takes its part of every batch, in order: parts differ by one picture at most, and in a last batch that is
    smaller than `world` some are empty. "validation" is the index's val; there is no test split.
    Errors: UserError where the set is not available or has other classes, and later where a picture cannot be read any more.
    """
    if max(dataset.std) <= 1:
        raise UserError(
            f"The std of {cell.dataset} is {dataset.std}, but mean and std are of 255: multiply them by 255."
        )
    metadata, table = pictures.read(index)
    if len(metadata["wnids"]) != dataset.classes:
        raise UserError(
            f"{index} has {len(metadata['wnids'])} classes, not the {dataset.classes} of {cell.dataset}: prepare it anew."
        )
    wanted = {"train": protocol.subset.train, "val": protocol.subset.test}
    parts = {name: _part(table, name, count, seed, cell.dataset) for name, count in wanted.items()}
    train, validation = parts["train"], parts["val"]
    batches = count_batches(len(train.labels), protocol.batch_size)
    identity = cell.identity(seed)
    make = Make(metadata["root"], protocol.size, protocol.evaluation_size or round(protocol.size / 0.875))
    prepare_processes(2 if workers else 1, [__name__])
    move = _mover(device, dataset)

    def works(epoch: int, first: int) -> Iterator[Work]:
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
                yield _work(train, rows, drawn)

    def central() -> Iterator[Work]:
        for start in range(0, len(validation.labels), _EVALUATION_BATCH * world):
            rows = np.arange(start, min(start + _EVALUATION_BATCH * world, len(validation.labels)))
            mine = np.array_split(rows, world)[rank]
            if len(mine):
                yield _work(validation, mine, None)

    stream, position = iter(()), None

    def training(epoch: int, first: int) -> Iterator[Batch]:
        nonlocal stream, position
        if position != (epoch, first):
            stream = move(made(make, works(epoch, first), workers))
        for number in range(first, batches):
            images, targets = next(stream)
            position = (epoch, number + 1) if number + 1 < batches else (epoch + 1, 0)
            yield Batch(images, targets, None)

    def evaluation(name: str) -> Iterator[tuple[Tensor, Tensor]]:
        return move(made(make, central(), workers)) if name == "validation" else iter(())

    return Data(dataset.classes, batches, training, evaluation)


def _part(table: pa.Table, split: str, count: int | None, seed: int, dataset: str) -> Part:
    """The pictures of a split, or `count` random ones: the same for every cell."""
    rows = np.flatnonzero(table["split"].to_numpy() == split)
    if count is not None and count < len(rows):
        chosen = generator(seed, dataset, split, "subset").permutation(len(rows))[:count]
        rows = rows[np.sort(chosen)]
    mine = table.take(pa.array(rows))
    widths, heights = (mine[name].to_numpy().astype(np.int64) for name in ("width", "height"))
    labels = torch.from_numpy(mine["label"].to_numpy().astype(np.int64))
    return Part(mine.select(["path", "archive", "offset", "size"]).combine_chunks(), labels, widths, heights)


def _work(part: Part, rows: np.ndarray, drawn: crops.Crops | None) -> Work:
    places = part.places.take(pa.array(rows)).to_pydict().values()
    return Work(list(zip(*places, strict=True)), part.labels[rows], drawn)


class Make:
    """Makes batches: what a worker process holds."""

    def __init__(self, root: str, size: int, shorter: int):
        self.reader, self.size, self.shorter = Reader(root), size, shorter

    def __getitem__(self, work: Work) -> tuple[Tensor, Tensor] | str:
        """Pixels (n, size, size, 3) uint8 and labels; a sentence where a picture cannot be read."""
        pixels = torch.empty(len(work.places), self.size, self.size, 3, dtype=torch.uint8)
        for number, place in enumerate(work.places):
            try:
                picture = decode(self.reader.read(*place))
                if work.crops is None:
                    made = crops.central(picture, self.shorter, self.size)
                else:
                    made = crops.cropped(picture, work.crops.boxes[number], work.crops.flips[number], self.size)
            except Exception as error:  # a process cannot hand on every kind
                return f"{place[0]} cannot be read any more ({error}): delete the index, so that the pictures are checked anew."
            pixels[number] = made.permute(1, 2, 0)
        return pixels, work.labels


def made(make: Make, works: Iterable[Work], workers: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Pixels and labels of each batch, in order. UserError where a picture cannot be read."""
    several = {"prefetch_factor": _AHEAD, "multiprocessing_context": "forkserver"} if workers else {}
    loader = DataLoader(make, batch_size=None, sampler=works, collate_fn=_as_it_is, num_workers=workers, **several)
    for found in loader:
        if isinstance(found, str):
            raise UserError(found)
        yield found


def _as_it_is(found):
    return found


def _mover(device: torch.device, dataset: Statistics) -> Callable[[Iterator], Iterator]:
    """Brings batches to the device, on a GPU one ahead of what it computes, and normalises them there."""
    mean, std = (torch.tensor(values, dtype=torch.float32, device=device) for values in (dataset.mean, dataset.std))

    def normalise(pixels: Tensor) -> Tensor:
        return pixels.float().sub_(mean).div_(std).permute(0, 3, 1, 2)

    def move(batches: Iterator[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        if device.type != "cuda":
            yield from ((normalise(pixels.to(device)), labels.to(device)) for pixels, labels in batches)
            return
        copies = torch.cuda.Stream(device)
        before = None
        for batch in batches:
            with torch.cuda.stream(copies):
                there = [part.pin_memory().to(device, non_blocking=True) for part in batch]
                arrived = copies.record_event()
            if before is not None:
                yield received(*before)
            before = there, arrived
        if before is not None:
            yield received(*before)

    def received(there: list[Tensor], arrived: torch.cuda.Event) -> tuple[Tensor, Tensor]:
        now = torch.cuda.current_stream(device)
        now.wait_event(arrived)
        for part in there:
            part.record_stream(now)
        return normalise(there[0]), there[1]

    return move
