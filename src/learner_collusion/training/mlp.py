"""What a sweep of ensembles of MLPs is made of; both engines and the stages share these. NumPy alone."""

from dataclasses import dataclass

import numpy as np

HISTORY_COLUMNS = ("train_err", "train_err_bar", "validation_err", "validation_err_bar", "validation_div")


@dataclass(frozen=True)
class Network:
    """An ensemble of `learners` MLPs with ReLU: `features` inputs, `layers` hidden layers of `hidden` units, one output."""

    features: int
    learners: int
    hidden: int
    layers: int

    def shapes(self) -> list[tuple[int, int]]:
        """(inputs, outputs) of each linear layer; the parameters of a learner are these weights and biases in turn."""
        widths = [self.features] + [self.hidden] * self.layers + [1]
        return list(zip(widths[:-1], widths[1:], strict=True))

    @property
    def parameters(self) -> int:
        """Number of parameters of one learner."""
        return sum((inputs + 1) * outputs for inputs, outputs in self.shapes())


@dataclass(frozen=True)
class Split:
    """Standardised float32 arrays: x (rows, features) and y (rows,) to train on, and those to stop on."""

    x: np.ndarray
    y: np.ndarray
    validation_x: np.ndarray
    validation_y: np.ndarray


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

    `initial` (learners, parameters) as from `initial_parameters`; `orders` (epochs, rows) as from `epoch_orders`, of at
    least `max_epochs`.
    """

    network: Network
    split: Split
    settings: Settings
    betas: list[float]
    initial: np.ndarray
    orders: np.ndarray


@dataclass
class Trained:
    """One trained ensemble. Epochs count from 1; `diverged` is the epoch of the first loss that was not finite, or 0."""

    beta: float
    best: np.ndarray  # (learners, parameters), of the epoch with the lowest validation ERR
    last: np.ndarray  # (learners, parameters), after the last step
    history: np.ndarray  # (epochs run, len(HISTORY_COLUMNS))
    best_epoch: int
    diverged: int


def initial_parameters(network: Network, generator: np.random.Generator) -> np.ndarray:
    """(learners, parameters) float32, as PyTorch's nn.Linear draws them: uniform within 1/sqrt(inputs)."""
    parts = []
    for inputs, outputs in network.shapes():
        bound = 1 / np.sqrt(inputs)
        parts.append(generator.uniform(-bound, bound, (network.learners, (inputs + 1) * outputs)))
    return np.concatenate(parts, axis=1).astype(np.float32)


def epoch_orders(rows: int, epochs: int, generator: np.random.Generator) -> np.ndarray:
    """(epochs, rows) int32: the random order in which each epoch takes the rows, the same for every beta."""
    orders = np.tile(np.arange(rows, dtype=np.int32), (epochs, 1))
    return generator.permuted(orders, axis=1, out=orders)
