"""The training loop of all image families: early stopping, history and checkpoints (Sections 6.2 and 6.3, Appendix B).

All random numbers of an epoch derive from the cell and the epoch, beta left out, so that betas are paired and an interrupted
run continues with the same ones. With learners dropped for a batch, or none, nothing inside a step waits for the device.
"""

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from ..models.ensemble import Ensemble, ensemble
from ..models.registry import options_of
from ..native import convolution
from ..objective import AugmentedLoss
from ..seeds import torch_seed
from . import checkpoint as checkpoints
from . import interrupt
from .batches import Batch, Data
from .device import autocast
from .distributed import ALONE, Team
from .evaluation import METRICS, SPLITS, evaluate, measure
from .graphs import compiled, replayed
from .optimiser import make_optimiser, rate
from .picture_protocol import PictureProtocol
from .protocol import Cell, Hardware, Protocol


@dataclass(frozen=True)
class History:
    """`values` (evaluations, splits, 4 + learners) as SPLITS and METRICS name them, one more where the protocol has `top`; NaN where
    a split is empty or not asked for. Evaluations count from 1: `best_evaluation` has the lowest validation ERR (the last one
    without a validation part); `diverged` is the one at which a loss was not finite, or 0. `convolution`: "native" where the
    native library ran some layers, else "torch"."""

    values: np.ndarray
    best_evaluation: int
    diverged: int
    convolution: str = "torch"


def train(
    data: Data,
    cell: Cell,
    protocol: Protocol | PictureProtocol,
    seed: int,
    hardware: Hardware,
    device: torch.device,
    checkpoint: Path | None = None,
    origin: str = "",
    team: Team = ALONE,
) -> History:
    """Train one cell on `data`, whose tensors are on `device` (see `device.prepare_device`).

    With `checkpoint` the state is saved there every `hardware.checkpoint_minutes`; after an interruption, the same call resumes
    from it and ends with the same numbers, bit for bit on the same machine. `origin` names whatever else the numbers depend on
    (data, code): a checkpoint of another origin, or a damaged one, is not used. Several processes that train a cell together pass their `team`,
    and each its part of the data; another number of them can resume. Errors: UserError for a model that does not fit.
    """
    identity = cell.identity(seed)
    torch.manual_seed(torch_seed(*identity, "initial weights"))
    model = build(cell, protocol, data.classes).to(device, memory_format=torch.channels_last)
    model = team.prepare(model)
    optimiser = make_optimiser(model, protocol)
    progress = Progress(cell.learners, device, protocol.top)
    parts = {"model": model, "optimiser": optimiser, "progress": progress}
    belongs = {"cell": asdict(cell), "protocol": asdict(protocol), "seed": seed, "origin": origin}
    belongs["precision"] = hardware.precision
    if checkpoint is not None and checkpoint.exists():
        if wrong := checkpoints.restore(checkpoint, parts, belongs, device):
            print(f"{checkpoint} {wrong}: training starts anew.", flush=True)
        elif team.rank:
            progress.forget()  # what was summed up is with the first process
    _, together = team.totals(torch.empty(0), progress.steps)
    if together != team.world * progress.steps:
        raise UserError(
            f"The processes of this cell do not go on from one place: let all of them see the same {checkpoint}, on a file system that "
            "they share, or delete it."
        )
    with autocast(hardware, device):
        native = model.pooled and not hardware.compile and convolution.usable(torch.zeros(1, device=device))
    forward = compiled(model, protocol.batch_size // protocol.accumulate) if hardware.compile else model
    augmented = AugmentedLoss(cell.beta, "cross_entropy", cell.averaging, reduction="none")
    ways = {"accumulate": protocol.accumulate, "top": protocol.top, "team": team}
    advance = partial(step, team.share(forward), optimiser, augmented, hardware, **ways)
    if device.type == "cuda" and team.world == 1:
        advance = replayed(advance, optimiser, protocol.batch_size)
    judge = partial(evaluate, averaging=cell.averaging, hardware=hardware, top=protocol.top, team=team)
    every = protocol.evaluate_every or data.batches
    saved = time.monotonic()
    model.train()
    while not progress.stopped(protocol):
        epoch = progress.epoch + 1
        set_rate(optimiser, protocol, epoch, progress.errors())
        if progress.batch == 0:
            torch.manual_seed(torch_seed(*identity, epoch, "dropout"))
        for batch in data.training(epoch, progress.batch):
            if team.world > 1:  # so that no process needs the other's state to resume
                torch.manual_seed(torch_seed(*identity, epoch, progress.batch, team.rank, "dropout"))
            progress.add(advance(batch), len(batch.targets), data.batches)
            if progress.steps % every == 0 or progress.epoch == protocol.epochs:
                progress.share(team)
                progress.record(*(judge(model, forward, data.evaluation(split)) for split in SPLITS[1:]))
                set_rate(optimiser, protocol, epoch, progress.errors())
                if not team.rank:
                    print(progress.line(protocol), flush=True)
            late = checkpoint is not None and time.monotonic() - saved >= 60 * hardware.checkpoint_minutes
            if team.agree(late or interrupt.asked()):
                progress.share(team)
                if team.rank:
                    progress.forget()
                elif checkpoint is not None:
                    checkpoints.save(checkpoint, parts, belongs, device)
                saved = time.monotonic()
                if team.agree(interrupt.asked()):
                    interrupt.leave(saved=checkpoint is not None, say=not team.rank)
            if progress.stopped(protocol):
                break
    values = torch.stack(progress.values).numpy()
    return History(values, progress.best_evaluation, progress.diverged, "native" if native else "torch")


def build(cell: Cell, protocol: Protocol, classes: int) -> Ensemble:
    """The untrained ensemble of a cell, with the keys of the protocol that its model takes; a class of the user's: its own options."""
    return ensemble(cell.model, cell.learners, classes, protocol.width, **options_of(cell.model, vars(protocol)))


def step(
    forward: Callable,
    optimiser: torch.optim.Optimizer,
    augmented: AugmentedLoss,
    hardware: Hardware,
    batch: Batch,
    accumulate: int = 1,
    top: int = 0,
    team: Team = ALONE,
) -> Tensor:
    """One step of the optimiser; what the batch measured of all learners before it, as `measure` sums it.

    With `accumulate` the batch passes in so many parts, whose gradients add up to that of the whole. A `team` does the step
    together, each process with its part of the batch; what is returned is measured on this part.
    """
    _, whole = team.totals(torch.empty(0), len(batch.targets))
    parts = divided(batch, accumulate, whole // team.world)
    optimiser.zero_grad(set_to_none=True)
    sums = []
    for number, part in enumerate(parts, 1):
        apart = forward.no_sync() if team.world > 1 and number < len(parts) else nullcontext()
        with apart:
            with autocast(hardware, part.targets.device):
                scores = forward(part.images)
            scores = scores.float()
            loss = objective(augmented, scores, part.targets, part.staying) if len(scores) else scores.sum()
            share = len(part.targets) * team.world / whole  # gradients are added up, and averaged over the team
            (loss if share == 1 else loss * share).backward()
        sums.append(measure(scores.detach(), part.targets, augmented.averaging, top))
    optimiser.step()
    return sum(sums[1:], sums[0])


def divided(batch: Batch, parts: int, rows: int) -> list[Batch]:
    """A batch in so many parts, one after the other, as equal as can be; in fewer where parts of `rows` examples would have less
    than two, which batch normalisation needs. The learners that stay do so in each part."""
    parts = max(1, min(parts, rows // 2))
    pairs = zip(batch.images.tensor_split(parts), batch.targets.tensor_split(parts), strict=True)
    return [Batch(images, targets, batch.staying) for images, targets in pairs]


def objective(augmented: AugmentedLoss, scores: Tensor, targets: Tensor, staying: Tensor | None) -> Tensor:
    """The mean of the augmented objective over a batch, of the learners that stay; see `Batch`. An example that lost all of
    its learners does not count."""
    if staying is None:
        return augmented(scores, targets).mean()
    if staying.ndim == 1:
        return augmented(scores.index_select(1, staying), targets).mean()
    counts = staying.any(1)
    weights = torch.where(counts[:, None], staying, 1.0)
    losses = augmented(scores, targets, weights / weights.sum(1, keepdim=True))
    return (losses * counts).sum() / counts.sum().clamp(min=1)


def set_rate(
    optimiser: torch.optim.Optimizer, protocol: Protocol | PictureProtocol, epoch: int, errors: Sequence[float] = ()
) -> None:
    """The learning rate of an epoch, after evaluations with these validation ERRs."""
    for group in optimiser.param_groups:
        group["lr"] = rate(protocol, epoch, errors)


class Progress:
    """How far training is, and what was measured so far."""

    def __init__(self, learners: int, device: torch.device, top: int = 0):
        self.steps = self.epoch = self.batch = 0  # steps in all; finished epochs; finished batches of the present epoch
        self.rows = 0  # examples that `totals` sums over: those since the last evaluation
        self.totals = torch.zeros(len(METRICS) + learners + bool(top), dtype=torch.float64, device=device)
        self.values: list[Tensor] = []  # for each evaluation (splits, totals) float64
        self.best_evaluation, self.diverged, self.lowest = 0, 0, math.inf

    def add(self, sums: Tensor, rows: int, batches: int) -> None:
        """Count one step of an epoch of so many `batches`."""
        self.totals += sums
        self.rows += rows
        self.steps += 1
        self.batch += 1
        if self.batch == batches:
            self.epoch, self.batch = self.epoch + 1, 0

    def share(self, team: Team) -> None:
        """Make the sums of each process those of all."""
        self.totals, self.rows = team.totals(self.totals, self.rows)

    def forget(self) -> None:
        """Start to sum anew."""
        self.totals.zero_()
        self.rows = 0

    def errors(self) -> list[float]:
        """The validation ERR of each evaluation, NaN without a validation part."""
        return torch.stack(self.values)[:, 1, 0].tolist() if self.values else []

    def record(self, validation: np.ndarray | None, test: np.ndarray | None, again: np.ndarray | None = None) -> None:
        """Add one evaluation, with what `evaluate` gave for these parts (`again`: the training images), and start to sum anew."""
        train = self.totals.cpu().numpy() / self.rows
        parts = [train, validation, test, again]
        self.values.append(torch.from_numpy(np.stack([np.full_like(train, np.nan) if p is None else p for p in parts])))
        self.forget()
        evaluation = len(self.values)
        watched = -float(evaluation) if validation is None else float(validation[0])
        # the test set decides nothing
        if not np.isfinite([watched, *(part[1] for part in (train, validation) if part is not None)]).all():
            self.diverged = evaluation
        elif watched < self.lowest:
            self.lowest, self.best_evaluation = watched, evaluation

    def stopped(self, protocol: Protocol | PictureProtocol) -> bool:
        """Whether training ends here: diverged, out of patience, too low a learning rate, or all epochs done."""
        waited = len(self.values) - self.best_evaluation
        impatient = protocol.patience is not None and waited >= protocol.patience
        if self.diverged or self.epoch >= protocol.epochs or impatient:
            return True
        return protocol.minimum_rate > 0 and rate(protocol, self.epoch + 1, self.errors()) < protocol.minimum_rate

    def line(self, protocol: Protocol | PictureProtocol) -> str:
        """Where training stands, for the log."""
        train, validation, test, _ = (values[: len(METRICS)].tolist() for values in self.values[-1])
        where = f"epoch {self.epoch + bool(self.batch)} of {protocol.epochs}" + f", batch {self.batch}" * bool(
            self.batch
        )
        tested = not math.isnan(test[0])
        name, shown = ("test", test) if tested else ("validation", validation)
        return (
            f"{where}: ERR train {train[0]:.4f}, validation {validation[0]:.4f}{f', test {test[0]:.4f}' * tested}; "
            f"{name} accuracy {100 * shown[3]:.2f} %; best evaluation {self.best_evaluation} of {len(self.values)}"
        )

    def state_dict(self) -> dict:
        """Everything, as tensors and plain values."""
        return vars(self) | {"totals": self.totals.cpu(), "values": list(self.values)}

    def load_state_dict(self, state: dict) -> None:
        """The reverse of `state_dict`, whatever device its tensors are on."""
        totals, values = state["totals"].to(self.totals.device), [value.cpu() for value in state["values"]]
        vars(self).update(state | {"totals": totals, "values": values})
