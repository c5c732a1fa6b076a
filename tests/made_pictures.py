"""Pictures that are drawn when they are asked for, in the form that the training loop takes, and how the tests train on them."""

import dataclasses

import numpy as np
import torch

from learner_collusion.models.ensemble import Ensemble
from learner_collusion.training import loop
from learner_collusion.training.batches import Batch, Data
from learner_collusion.training.distributed import ALONE, Team
from learner_collusion.training.picture_protocol import PictureProtocol
from learner_collusion.training.protocol import Cell, Hardware, count_batches

CPU = torch.device("cpu")
CLASSES = 7
HARDWARE = Hardware(checkpoint_minutes=60)
CELL = Cell("imagenet", "drawn", "imagenet_resnet18", 2, "probability", drop_rate=0.0, beta=0.5, run=0)
PROTOCOL = PictureProtocol(
    optimiser="sgd", learning_rate=0.01, momentum=0.9, weight_decay=1e-4, epochs=2, milestones=(), decay=0.1, patience=None,
    batch_size=8, width=0.125, size=32, scale=(0.5, 1.0), flip=True,
)  # fmt: skip


def drawn(protocol: PictureProtocol, rows: int = 29, rank: int = 0, world: int = 1) -> Data:
    """So many noisy pictures whose brightness is their class; 11 to validate. Divided as `training.pictures` does."""
    batches = count_batches(rows, protocol.batch_size)

    def make(seed: int, numbers) -> tuple:
        labels = torch.from_numpy(numbers % CLASSES)
        random = torch.Generator().manual_seed(seed)
        noise = torch.randn(int(numbers.max(initial=0)) + 1, 3, protocol.size, protocol.size, generator=random)
        images = noise[numbers] + labels[:, None, None, None] / 2
        return images.contiguous(memory_format=torch.channels_last), labels

    def training(epoch: int, first: int):
        order = np.random.default_rng(epoch).permutation(rows)
        for number in range(first, batches):
            chosen = order[number * protocol.batch_size :][: protocol.batch_size]
            yield Batch(*make(epoch, np.array_split(chosen, world)[rank]), None)

    def evaluation(split: str):
        whole = [np.arange(start, min(start + 4, 11)) for start in (0, 4, 8)] if split == "validation" else []
        return (make(0, np.array_split(some, world)[rank]) for some in whole)

    return Data(CLASSES, batches, training, evaluation)


def train(protocol=PROTOCOL, cell=CELL, checkpoint=None, hardware=HARDWARE, rows=29, team: Team = ALONE):
    data = drawn(protocol, rows, team.rank, team.world)
    return loop.train(data, cell, protocol, 0, hardware, CPU, checkpoint, team=team)


def replaced(one, **changes):
    return dataclasses.replace(one, **changes)


def stepped(net: Ensemble, team: Team, rows: int, accumulate: int = 1) -> list[torch.Tensor]:
    """The state of an ensemble after two steps in float64, each on so many pictures, and what the last one measured."""
    from learner_collusion import AugmentedLoss

    random = torch.Generator().manual_seed(1)
    x = torch.randn(rows, 3, 32, 32, generator=random, dtype=torch.float64)
    y = torch.randint(0, CLASSES, (rows,), generator=random)
    mine = np.array_split(np.arange(rows), team.world)[team.rank]
    net = team.prepare(net.double().train())
    optimiser = torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)
    augmented = AugmentedLoss(0.7, "cross_entropy", "probability", reduction="none")
    forward = team.share(net)
    for _ in range(2):
        sums = loop.step(forward, optimiser, augmented, HARDWARE, Batch(x[mine], y[mine], None), accumulate, 5, team)
    return [*net.state_dict().values(), team.totals(sums, 0)[0]]
