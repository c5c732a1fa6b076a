"""The batches that the loop trains on, and all random numbers of an epoch: order, augmentation, learners that stay.

Images of 32 x 32 pixels stay on the device as uint8, and augmentation happens there. Another family of images gives the loop
a `Data` of its own making.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..measures import count_dropped
from ..seeds import generator, torch_seed
from . import augment
from .protocol import Cell, Protocol, count_batches

# Images that are evaluated at once. On a CPU each layer's output should stay in the cache: five narrow ResNet-18 take twice as long
# with 500, most of it in the kernel, which gives fresh memory to each layer (`benchmarks/evaluation.py`).
_EVALUATION_BATCH = {"cpu": 50, "cuda": 500}


class Batch(NamedTuple):
    """`images` (batch, 3, height, width), `targets` (batch,) class indices. `staying`: the learners that are trained, as
    indices, or as a mask (batch, learners) where they differ between examples; None for all."""

    images: Tensor
    targets: Tensor
    staying: Tensor | None


@dataclass(frozen=True)
class Data:
    """What the loop trains on and evaluates, on the device of the model.

    `training(epoch, first)`: the batches of an epoch (from 1), from number `first` (from 0) on, `batches` in all; the same
    for each call. `evaluation(split)`: pairs of images and targets of "validation", "test" or "train_evaluated"; none where there is no such
    split.
    """

    classes: int
    batches: int
    training: Callable[[int, int], Iterable[Batch]]
    evaluation: Callable[[str], Iterable[tuple[Tensor, Tensor]]]


@dataclass(frozen=True)
class Images:
    """uint8 images (n, 32, 32, 3) with int64 labels (n,); mean and std (3,), of 255, normalise them."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def on_device(images: Images, cell: Cell, protocol: Protocol, seed: int, device: torch.device) -> Data:
    """All images on the device; augmented there, a batch at a time."""
    parts = {name: _pack(x, y, device) for name, (x, y) in split(images, cell, protocol, seed).items()}
    mean, std = (torch.tensor(values, dtype=torch.float32, device=device) for values in (images.mean, images.std))
    pixels, labels = parts["train"]

    def training(epoch: int, first: int) -> Iterator[Batch]:
        random = torch.Generator().manual_seed(torch_seed(*cell.identity(seed), epoch, "batches"))
        plan = plan_epoch(len(labels), cell, protocol, random, device)
        for rows, staying in list(zip(plan.batches, plan.staying, strict=True))[first:]:
            chosen = augment.augment(pixels[rows], plan.parameters[rows], protocol.augmentation.crop_padding)
            yield Batch(augment.normalise(chosen, mean, std), labels[rows], staying)

    def evaluation(name: str) -> Iterator[tuple[Tensor, Tensor]]:
        if name == "train_evaluated" and not protocol.evaluate_train:
            return
        part = parts[name.removesuffix("_evaluated")]
        for rows, targets in zip(*(tensor.split(_EVALUATION_BATCH[device.type]) for tensor in part), strict=True):
            if len(targets):
                yield augment.normalise(augment.unpack(rows[:, :-1]), mean, std), targets

    return Data(images.classes, count_batches(len(labels), protocol.batch_size), training, evaluation)


def _pack(x: np.ndarray, y: np.ndarray, device: torch.device) -> tuple[Tensor, Tensor]:
    return augment.pack(torch.from_numpy(x).to(device)), torch.from_numpy(y.astype(np.int64)).to(device)


def split(images: Images, cell: Cell, protocol: Protocol, seed: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels of "train", "validation" and "test"; the validation part is drawn at random from the training images,
    or is the second half of the test images, as in the official code for SVHN."""
    if protocol.validation_from == "test":
        half = len(images.test_y) // 2
        return {
            "train": (images.train_x, images.train_y),
            "validation": (images.test_x[half:], images.test_y[half:]),
            "test": (images.test_x[:half], images.test_y[:half]),
        }
    order = generator(seed, cell.dataset, cell.run, "split").permutation(len(images.train_y))
    count = round(protocol.validation * len(order))
    return {
        "train": (images.train_x[order[count:]], images.train_y[order[count:]]),
        "validation": (images.train_x[order[:count]], images.train_y[order[:count]]),
        "test": (images.test_x, images.test_y),
    }


class Plan(NamedTuple):
    """The random numbers of an epoch: the rows of each batch, `parameters` of the augmentation (rows, 4), and for each batch
    the learners that stay, as in `Batch`."""

    batches: list[Tensor]
    parameters: Tensor
    staying: list[Tensor | None]


def plan_epoch(rows: int, cell: Cell, protocol: Protocol, random: torch.Generator, device: torch.device) -> Plan:
    """Draw the plan of one epoch over so many rows; `random` is a generator of the CPU, so that all devices agree."""
    order = torch.randperm(rows, generator=random) if protocol.shuffle else torch.arange(rows)
    parameters = augment.draw(rows, protocol.augmentation, random).to(device)
    batches = order.to(device).split(protocol.batch_size)[: count_batches(rows, protocol.batch_size)]
    staying = draw_staying([len(batch) for batch in batches], rows, cell, protocol, random, device)
    return Plan(list(batches), parameters, staying)


def draw_staying(
    sizes: list[int], rows: int, cell: Cell, protocol: Protocol, random: torch.Generator, device: torch.device
) -> list[Tensor | None]:
    """The learners that stay in each batch of so many examples (`sizes`), of `rows` in all, as in `Batch`: for a batch all but
    int(learners * drop_rate) of them, for an example each with probability 1 - drop_rate."""
    if not cell.drop_rate:
        return [None] * len(sizes)
    if protocol.dropout_per == "batch":
        stay = cell.learners - count_dropped(cell.learners, cell.drop_rate)
        chosen = torch.rand(len(sizes), cell.learners, generator=random).argsort(1)[:, :stay].sort(1).values
        return list(chosen.to(device))
    masks = (torch.rand(rows, cell.learners, generator=random) >= cell.drop_rate).float().to(device)
    return list(masks[: sum(sizes)].split(sizes))
