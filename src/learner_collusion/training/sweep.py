"""One function that trains the betas of a sweep, whichever engine does it."""

import numpy as np

from .. import native
from ..errors import UserError
from . import native_engine
from .mlp import Network, Settings, Split, Sweep, Trained

ENGINES = ("auto", "native", "torch")


def choose_engine(engine: str = "auto", device: str = "cpu") -> str:
    """`native` on the CPU where the package was installed with a compiler, else `torch`; UserError for what is not there."""
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
    """UserError where `device` is a GPU that is not there."""
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
    orders: np.ndarray,
    weights: np.ndarray | None = None,
    engine: str = "auto",
    device: str = "cpu",
    threads: int = 1,
) -> list[Trained]:
    """`train_sweeps` for one sweep: one trained ensemble for each beta."""
    sweep = Sweep(network, split, settings, betas, initial, orders)
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

    On the native engine each beta's numbers are the same, bit for bit, whatever is trained beside it and on however many
    threads. The PyTorch engine agrees within float32 tolerance; it trains sweeps of the same shape as one program.

    Errors: UserError for beta outside [0, 1], an engine or device that is not there, or arrays that do not fit.
    """
    learners = sweeps[0].network.learners
    weights = np.full(learners, 1 / learners) if weights is None else np.asarray(weights)
    for sweep in sweeps:
        _check(sweep, weights)
    weights = weights.astype(np.float32)
    if choose_engine(engine, device) == "native":
        return [native_engine.train(sweep, weights, threads=threads) for sweep in sweeps]
    check_device(device)
    from . import torch_engine

    alike: dict[tuple, list[int]] = {}
    for position, sweep in enumerate(sweeps):
        alike.setdefault(_shape(sweep), []).append(position)
    trained: list[list[Trained]] = [[] for _ in sweeps]
    for positions in alike.values():
        group = torch_engine.train([sweeps[position] for position in positions], weights, device)
        for position, found in zip(positions, group, strict=True):
            trained[position] = found
    return trained


def _shape(sweep: Sweep) -> tuple:
    """What sweeps have to share to be trained as one program."""
    settings, split = sweep.settings, sweep.split
    epochs = (settings.batch_size, settings.max_epochs, settings.patience)
    return (sweep.network, *epochs, split.x.shape, split.validation_x.shape)


def _check(sweep: Sweep, weights: np.ndarray) -> None:
    network, split, settings, orders = sweep.network, sweep.split, sweep.settings, sweep.orders
    for beta in sweep.betas:
        if not 0 <= beta <= 1:
            raise UserError(
                f"beta is {beta}, but must lie in [0, 1]: beyond 1 the objective has no lower bound (Theorem 5.1)."
            )
    rows, features = split.x.shape
    if sweep.initial.shape != (network.learners, network.parameters):
        raise UserError(
            f"initial must be {(network.learners, network.parameters)} for this network, however: {sweep.initial.shape}."
        )
    if features != network.features or split.validation_x.shape[1] != features or weights.shape != (network.learners,):
        raise UserError("The network does not fit: check features against x and learners against weights.")
    if len(split.y) != rows or len(split.validation_y) != len(split.validation_x) or not len(split.validation_y):
        raise UserError("Each of x and validation_x needs as many rows as its targets, and validation_x at least one.")
    if orders.shape[0] < settings.max_epochs or orders.shape[1] != rows or orders.min() < 0 or orders.max() >= rows:
        raise UserError(
            f"orders must be ({settings.max_epochs}, {rows}) and hold row numbers, however: {orders.shape}."
        )
    if min(network.learners, network.hidden, network.layers, settings.batch_size, settings.patience) < 1:
        raise UserError("learners, hidden, layers, batch_size and patience must be at least 1.")


def predict(network: Network, parameters: np.ndarray, x: np.ndarray, engine: str = "auto", device: str = "cpu"):
    """Predictions (rows, learners) float32 of an ensemble with `parameters` (learners, parameters)."""
    if choose_engine(engine, device) == "native":
        return native_engine.predict(network, parameters, x)
    from . import torch_engine

    return torch_engine.predict(network, parameters, x, device)
