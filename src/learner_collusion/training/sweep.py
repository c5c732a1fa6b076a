"""A sweep over beta: what its MLP ensembles are trained from, and what training them gives."""

from dataclasses import dataclass

import numpy as np

from .. import native
from ..data.splits import Split
from ..models.mlp import Network
from ..native import engine as native_engine

HISTORY_COLUMNS = ("train_err", "train_err_bar", "validation_err", "validation_err_bar", "validation_div")


@dataclass(frozen=True)
class Settings:
    """Adam's learning rate and weight decay (L2 in the gradient), the batch size, and when to stop (epochs)."""

    learning_rate: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int


@dataclass(frozen=True)
class Sweep:
    """What the betas of one run are trained from: the same initial weights, on the same batches.

    `initial` (learners, parameters) as from `models.mlp.initial_parameters`; `permutations` (epochs, rows) as from
    `batch_permutations`, of at least `max_epochs`.
    """

    network: Network
    split: Split
    settings: Settings
    betas: list[float]
    initial: np.ndarray
    permutations: np.ndarray


@dataclass
class Trained:
    """One trained ensemble. Epochs count from 1; `diverged` is the epoch of the first loss that was not finite, or 0."""

    beta: float
    best: np.ndarray  # (learners, parameters), of the epoch with the lowest validation ERR
    last: np.ndarray  # (learners, parameters), after the last step
    history: np.ndarray  # (epochs run, len(HISTORY_COLUMNS))
    best_epoch: int
    diverged: int


def batch_permutations(rows: int, epochs: int, generator: np.random.Generator) -> np.ndarray:
    """(epochs, rows) int32: the random order in which each epoch takes the rows, the same for every beta."""
    if native.compiled() is not None:
        return native_engine.permutations(rows, epochs, generator)
    permutations = np.tile(np.arange(rows, dtype=np.int32), (epochs, 1))
    return generator.permuted(permutations, axis=1, out=permutations)
