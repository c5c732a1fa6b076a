"""Ensembles of a class of the user's on tables: trained with PyTorch as the engines train MLPs (Eq. 2, squared error, Adam).

The class is called with the number of features and its options, and maps (batch, features) to (batch,) or (batch, 1). All
learners are one program (torch.vmap) where that gives what they give one by one, else a loop.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state

from ..data.splits import Run, Split
from ..decomposition import decompose
from ..errors import UserError
from ..models.registry import builder
from ..objective import AugmentedLoss
from ..seeds import generator, torch_seed
from .engines import check_device
from .sweep import HISTORY_COLUMNS, Settings, Trained, batch_permutations

COMMON = ("learning_rate", "batch_size", "weight_decay", "learners")
_OF_MLPS = ("hidden_units", "layers")  # of config.yaml's grid: for a class that takes them


@dataclass(frozen=True)
class Learners:
    """An ensemble of `learners` objects of the class at `path`, each built as `class(features, **options)`."""

    path: str
    features: int
    learners: int
    options: dict[str, Any]


@dataclass(frozen=True)
class LearnerSweep:
    """What the betas of one run are trained from: the same initial weights, on the same batches, with the same noise."""

    network: Learners
    split: Split
    settings: Settings
    betas: list[float]
    identity: tuple
    permutations: np.ndarray


@dataclass(frozen=True)
class State:
    """Parameters and buffers of all learners, stacked along the first axis, and the ensemble whose they are."""

    ensemble: "Ensemble"
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]


def choose_engine(engine: str, device: str) -> str:
    """`torch`; UserError where the configuration asks for the native engine or for a device that is not there."""
    if engine == "native":
        raise UserError("The native engine trains MLPs alone: set tabular.engine to auto or torch for tabular.learner.")
    check_device(device)
    return "torch"


def tuned_names(path: str, grid: dict, options: dict) -> list[str]:
    """The names of the grid that are tuned: those of the training, then options of the class.

    Errors: UserError for names that the class does not take, or that are options with one value as well.
    """
    taken = _arguments(path)
    for name in (*grid, *options):
        if name not in (*COMMON, *_OF_MLPS) and taken is not None and name not in taken:
            where = "learner_options" if name in options else "tuning.grid"
            raise UserError(
                f"tabular.{where} names {name!r}, which {path} does not take: choose from {', '.join(sorted(taken)) or 'nothing'}."
            )
    if both := [name for name in grid if name in options and name not in _OF_MLPS]:
        raise UserError(f"{both[0]!r} is in tabular.learner_options and in tabular.tuning.grid: leave one of them out.")
    given = [n for n in _OF_MLPS if n in grid and n not in options and taken is not None and n in taken]
    return [*COMMON, *given, *(name for name in grid if name not in (*COMMON, *_OF_MLPS))]


def sweep_of(
    data: Run,
    betas: list[float],
    point: dict,
    max_epochs: int,
    patience: int,
    identity: tuple,
    path: str,
    options: dict,
) -> LearnerSweep:
    """What to train with the hyper-parameters `point`; `identity` names the initial weights, batches and noise."""
    own = {name: value for name, value in point.items() if name not in (*COMMON, *_REST)}
    network = Learners(path, data.split.x.shape[1], point["learners"], options | own)
    settings = Settings(point["learning_rate"], point["weight_decay"], point["batch_size"], max_epochs, patience)
    permutations = batch_permutations(len(data.split.y), max_epochs, generator(*identity, "batches"))
    return LearnerSweep(network, data.split, settings, betas, identity, permutations)


# Columns of a tuned point that are no hyper-parameters.
_REST = ("run", "trial", "err", "err_bar", "epochs", "best_epoch", "diverged", "repeated")


def train_sweeps(sweeps: list[LearnerSweep], device: str = "cpu") -> list[list[Trained]]:
    """One trained ensemble for each beta of each sweep; `best` and `last` of `Trained` are a `State` here.

    Training stops as the engines stop: after `patience` epochs without a lower validation ERR, at the first loss that is not
    finite, or after `max_epochs`. On the CPU it uses one thread: the masks of dropout depend on how many there are, and with
    them the numbers. Errors: UserError for a class that cannot be built or called, or puts out other shapes.
    """
    with _one_thread():
        return [_train(sweep, device) for sweep in sweeps]


def predict(network: Learners, state: State, x: np.ndarray, device: str = "cpu") -> np.ndarray:
    """Predictions (rows, learners) float32."""
    with torch.no_grad(), _one_thread():
        rows = torch.as_tensor(x, dtype=torch.float32, device=device)
        parts = [state.ensemble.forward(state.parameters, state.buffers, part, False) for part in rows.split(4096)]
        return torch.cat(parts).cpu().numpy()


class Ensemble:
    """Learners as one function of stacked parameters and buffers. Seeded by `seed`; the global random state stays as it is."""

    def __init__(self, network: Learners, seed: int, x: Tensor):
        self.path = network.path
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.modules = [_built(network, x.cpu()) for _ in range(network.learners)]
        self.modules = [module.to(x.device) for module in self.modules]
        self.parameters, self.buffers = stack_module_state(self.modules)
        self.at_once = self._works_at_once(x)

    def start(self) -> State:
        """The initial weights, anew: training changes them in place."""
        return State(self, _copied(self.parameters), _copied(self.buffers))

    def forward(self, parameters: dict, buffers: dict, x: Tensor, training: bool) -> Tensor:
        """Predictions (batch, learners)."""
        for module in self.modules[: 1 if self.at_once else None]:
            module.train(training)
        try:
            if self.at_once:
                found = torch.vmap(self._one, (0, 0, None), out_dims=1, randomness="different")(parameters, buffers, x)
            else:
                found = torch.stack([self._of(j, parameters, buffers, x) for j in range(len(self.modules))], 1)
        except Exception as error:  # whatever the user's code raises
            raise UserError(
                f"The learner {self.path!r} failed on a batch {tuple(x.shape)}: {_sentence(error)}."
            ) from error
        return found.reshape(len(x), len(self.modules)).float()

    def _one(self, parameters: dict, buffers: dict, x: Tensor) -> Tensor:
        return functional_call(self.modules[0], (parameters, buffers), (x,)).reshape(len(x))

    def _of(self, j: int, parameters: dict, buffers: dict, x: Tensor) -> Tensor:
        mine = ({n: p[j] for n, p in parameters.items()}, {n: b[j] for n, b in buffers.items()})
        return functional_call(self.modules[j], mine, (x,)).reshape(len(x))

    @torch.no_grad()
    def _works_at_once(self, x: Tensor) -> bool:
        """Whether vmap gives what the learners give one by one: not with branches on values, or attributes that differ."""
        self.at_once = False
        apart = self.forward(self.parameters, self.buffers, x, False)
        self.at_once = True
        try:
            with torch.random.fork_rng(devices=[]):
                self.forward(_copied(self.parameters), _copied(self.buffers), x, True)
            return torch.allclose(self.forward(self.parameters, self.buffers, x, False), apart, rtol=1e-3, atol=1e-5)
        except UserError:
            return False


def _train(sweep: LearnerSweep, device: str) -> list[Trained]:
    split = sweep.split
    x, y, validation_x, validation_y = (
        torch.as_tensor(part, dtype=torch.float32, device=device)
        for part in (split.x, split.y, split.validation_x, split.validation_y)
    )
    ensemble = Ensemble(sweep.network, torch_seed(*sweep.identity, "initial weights"), x[:8])
    return [_train_beta(sweep, beta, ensemble, x, y, validation_x, validation_y) for beta in sweep.betas]


def _train_beta(
    sweep: LearnerSweep,
    beta: float,
    ensemble: Ensemble,
    x: Tensor,
    y: Tensor,
    validation_x: Tensor,
    validation_y: Tensor,
) -> Trained:
    settings, state = sweep.settings, ensemble.start()
    loss = AugmentedLoss(beta, check="never")
    trained = [p for p in state.parameters.values() if p.requires_grad]
    adam = torch.optim.Adam(trained, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    done = Trained(beta, ensemble.start(), state, np.empty((0, len(HISTORY_COLUMNS))), 0, 0)
    lowest, rows = float("inf"), []
    with torch.random.fork_rng(devices=[x.device] if x.is_cuda else []):
        torch.manual_seed(torch_seed(*sweep.identity, "noise"))  # dropout, say: the same for every beta
        for epoch in range(1, settings.max_epochs + 1):
            totals = torch.zeros(2, dtype=torch.float64, device=x.device)
            order = torch.as_tensor(sweep.permutations[epoch - 1], dtype=torch.int64, device=x.device)
            for batch in order.split(settings.batch_size):
                predictions = ensemble.forward(state.parameters, state.buffers, x[batch], True)
                adam.zero_grad()
                loss(predictions, y[batch]).backward()
                adam.step()
                parts = decompose(predictions.detach(), y[batch], check=False)
                totals += torch.stack([parts.err, parts.err_bar]).double() * len(batch)
            with torch.no_grad():
                outputs = ensemble.forward(state.parameters, state.buffers, validation_x, False)
                validation = torch.stack(decompose(outputs, validation_y, check=False)).double()
            record = torch.cat([totals / len(x), validation]).cpu().numpy()
            rows.append(record)
            if not np.isfinite(record[[1, 3]]).all():
                done.diverged = epoch
            elif record[2] < lowest:
                lowest, done.best_epoch = record[2], epoch
                done.best = State(ensemble, _copied(state.parameters), _copied(state.buffers))
            if done.diverged or epoch - done.best_epoch >= settings.patience:
                break
    done.history = np.array(rows)
    return done


def _built(network: Learners, x: Tensor) -> nn.Module:
    """One learner, tried on a few rows. UserError where it cannot be built or called, or puts out other shapes."""
    made = _class(network.path)
    with_options = ", ".join([str(network.features), *(f"{name}={value!r}" for name, value in network.options.items())])
    called = f"{network.path}({with_options})"
    try:
        module = made(network.features, **network.options)
    except Exception as error:
        raise UserError(
            f"{called} failed ({_sentence(error)}): correct the class, tabular.learner_options or tabular.tuning.grid."
        ) from error
    if not isinstance(module, nn.Module):
        raise UserError(f"{called} is a {type(module).__name__} and no torch.nn.Module: correct the class.")
    try:
        found = module.eval()(x)
    except Exception as error:
        raise UserError(f"{called} failed on a batch {tuple(x.shape)}: {_sentence(error)}.") from error
    rows = len(x)
    if not isinstance(found, Tensor) or found.shape not in ((rows,), (rows, 1)) or not found.is_floating_point():
        got = f"{tuple(found.shape)} {found.dtype}" if isinstance(found, Tensor) else type(found).__name__
        raise UserError(
            f"{called} puts out {got} for {rows} rows: a learner for tables gives one number per row, ({rows},) or ({rows}, 1)."
        )
    if not any(parameter.requires_grad for parameter in module.parameters()):
        raise UserError(f"{called} has no parameters to train: correct the class.")
    if not found.requires_grad:
        raise UserError(f"{called} puts out what its parameters do not decide, or detaches it: correct the class.")
    return module


def _class(path: str) -> Callable:
    try:
        return builder(path)
    except UserError as error:
        raise UserError(str(error).replace("The model", "The learner", 1)) from None


def _arguments(path: str) -> set[str] | None:
    """The names of the options that a class takes; None for any."""
    found = _class(path)
    try:
        taken = list(inspect.signature(found).parameters.values())
    except (ValueError, TypeError):  # without a signature
        return None
    if any(argument.kind is argument.VAR_KEYWORD for argument in taken):
        return None
    return {argument.name for argument in taken[1:]}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """The last bits of a sum must not depend on how many cores there are, and runs have processes of their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone().requires_grad_(tensor.requires_grad) for name, tensor in tensors.items()}


def _sentence(error: Exception) -> str:
    first = (str(error).strip().splitlines() or [""])[0].rstrip(".:")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
