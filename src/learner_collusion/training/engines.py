"""Training of the MLP ensembles: one function that trains the betas of a sweep, on either of two engines."""

from dataclasses import astuple

import numpy as np

from .. import native
from ..data.splits import Split
from ..errors import UserError
from ..models.mlp import Network
from ..native import engine as native_engine
from .sweep import Settings, Sweep, Trained

ENGINES = ("auto", "native", "torch")


def choose_engine(engine: str = "auto", device: str = "cpu") -> str:
    """`native` on the CPU where the package was installed with a compiler, else `torch`; UserError where that is impossible."""
    if engine not in ENGINES:
        raise UserError(f"engine is {engine!r}: choose one of {', '.join(ENGINES)}.")
    if engine == "native" and device != "cpu":
        raise UserError("The native engine runs on the CPU: set device to cpu, or engine to torch.")
    if engine == "torch" or device != "cpu":
        return "torch"
    if native.compiled() is None:
        if engine == "native":
            raise UserError(
                "The native engine was not built: install a C++ compiler and reinstall, or set engine: torch."
            )
        return "torch"
    return "native"


def check_device(device: str) -> None:
    """UserError where `device` is a GPU that PyTorch does not see."""
    if device != "cpu":
        import torch

        if not torch.cuda.is_available():
            raise UserError(f"device is {device!r}, but PyTorch sees no GPU here: set device to cpu.")


def train_sweep(
    network: Network,
    split: Split,
    settings: Settings,
    betas: list[float],
    initial: np.ndarray,
    permutations: np.ndarray,
    weights: np.ndarray | None = None,
    engine: str = "auto",
    device: str = "cpu",
    threads: int = 1,
) -> list[Trained]:
    """`train_sweeps` for one sweep: one trained ensemble for each beta."""
    sweep = Sweep(network, split, settings, betas, initial, permutations)
    return train_sweeps([sweep], weights, engine, device, threads)[0]


def train_sweeps(
    sweeps: list[Sweep],
    weights: np.ndarray | None = None,
    engine: str = "auto",
    device: str = "cpu",
    threads: int = 1,
) -> list[list[Trained]]:
    """Train one ensemble for each beta of each sweep (Eq. 2, squared error, Adam), all of the same number of learners.

    `weights` (learners,) are the ensemble's w_j, uniform by default. Training stops after `patience` epochs without a
    lower validation ERR, at the first loss that is not finite, or after `max_epochs`.

    On the native engine the numbers of each beta are the same, bit for bit, whatever is trained beside it and on any
    number of threads. The PyTorch engine agrees within float32 tolerance; it trains sweeps of the same shape as one program.

    Errors: UserError for beta outside [0, 1], an engine or device that is not available, or arrays that do not fit.
    """
    learners = sweeps[0].network.learners
    weights = np.full(learners, 1 / learners) if weights is None else np.asarray(weights)
    for sweep in sweeps:
        _check(sweep, weights)
    weights = weights.astype(np.float32)
    if choose_engine(engine, device) == "native":
        return [_train_native(sweep, weights, threads) for sweep in sweeps]
    check_device(device)
    from . import torch_engine

    alike: dict[tuple, list[int]] = {}
    for position, sweep in enumerate(sweeps):
        alike.setdefault(_shape(sweep), []).append(position)
    trained: list[list[Trained]] = [[] for _ in sweeps]
    for positions in alike.values():
        group = torch_engine.train([sweeps[position] for position in positions], weights, device)
        for position, results in zip(positions, group, strict=True):
            trained[position] = results
    return trained


def _train_native(sweep: Sweep, weights: np.ndarray, threads: int) -> list[Trained]:
    split, settings = sweep.split, sweep.settings
    results = native_engine.train(
        astuple(sweep.network),
        (split.x, split.y, split.validation_x, split.validation_y),
        sweep.betas,
        settings.learning_rate,
        settings.weight_decay,
        settings.batch_size,
        settings.max_epochs,
        settings.patience,
        sweep.initial,
        sweep.permutations,
        weights,
        threads,
    )
    return [Trained(beta, *result) for beta, result in zip(sweep.betas, results, strict=True)]


def _shape(sweep: Sweep) -> tuple:
    """What sweeps must share to be trained as one program."""
    settings, split = sweep.settings, sweep.split
    epochs = (settings.batch_size, settings.max_epochs, settings.patience)
    return (sweep.network, *epochs, split.x.shape, split.validation_x.shape)


def _check(sweep: Sweep, weights: np.ndarray) -> None:
    network, split, settings, permutations = sweep.network, sweep.split, sweep.settings, sweep.permutations
    for beta in sweep.betas:
        if not 0 <= beta <= 1:
            raise UserError(
                f"beta is {beta}, but must lie in [0, 1]: beyond 1 the objective has no lower bound (Theorem 5.1)."
            )
    rows, features = split.x.shape
    expected = (network.learners, network.parameters)
    if sweep.initial.shape != expected:
        raise UserError(f"initial must have shape {expected} for this network, but has shape {sweep.initial.shape}.")
    if features != network.features or split.validation_x.shape[1] != features or weights.shape != (network.learners,):
        raise UserError("The network does not fit: check features against x and learners against weights.")
    if len(split.y) != rows or len(split.validation_y) != len(split.validation_x) or not len(split.validation_y):
        raise UserError("Each of x and validation_x needs as many rows as its targets, and validation_x at least one.")
    fits = permutations.shape[0] >= settings.max_epochs and permutations.shape[1] == rows
    if not fits or permutations.min() < 0 or permutations.max() >= rows:
        raise UserError(
            f"permutations must be ({settings.max_epochs}, {rows}) and hold row numbers, but has shape "
            f"{permutations.shape}."
        )
    if min(network.learners, network.hidden_units, network.layers, settings.batch_size, settings.patience) < 1:
        raise UserError("learners, hidden_units, layers, batch_size and patience must be at least 1.")


def predict(network: Network, parameters: np.ndarray, x: np.ndarray, engine: str = "auto", device: str = "cpu"):
    """Predictions (rows, learners) float32 of an ensemble with `parameters` (learners, parameters)."""
    if choose_engine(engine, device) == "native":
        return native_engine.predict(astuple(network), parameters, x)
    from . import torch_engine

    return torch_engine.predict(network, parameters, x, device)
