"""Training of one image ensemble: the loop, early stopping, history and checkpoints (Section 6.2 and 6.3, Appendix B).

Images stay on the device as uint8; augmentation, loss and counts happen there too, and nothing waits for the device
inside a step. All random numbers of an epoch derive from the cell and the epoch, beta left out, so that betas are paired
and a run that was killed goes on with the same ones.
"""

import contextlib
import fcntl
import math
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ..decomposition import Decomposition, decompose, ensemble_and_learner_error, ensemble_error
from ..ensembles import ensemble
from ..errors import UserError
from ..files import replacing
from ..native import convolution
from ..seeds import generator
from . import augment

SPLITS = ("train", "validation", "test")
SUMS = ("err", "err_bar", "div", "accuracy")  # then the accuracy of each learner
_EVALUATION_BATCH = 500


@dataclass
class Images:
    """uint8 images (n, 32, 32, 3) with int64 labels (n,), and what normalises them: mean and std (3,) of 255."""

    train_x: np.ndarray
    train_y: np.ndarray
    test_x: np.ndarray
    test_y: np.ndarray
    classes: int
    mean: list[float]
    std: list[float]


@dataclass
class History:
    """`values` (epochs, splits, 4 + learners) as SPLITS and SUMS name them, NaN where a split is empty; `best_epoch` of
    the lowest validation ERR (the last one without a validation part); `diverged`: the epoch of a loss that was not
    finite, or 0; `convolution`: "native" where the native library did some of the layers, else "torch"."""

    values: np.ndarray
    best_epoch: int
    diverged: int
    convolution: str = "torch"


def train(data: Images, cell: dict, settings: dict, hardware: dict, checkpoint: Path | None = None) -> History:
    """Train one cell: `cell` names protocol, dataset, model, learners, averaging, dropped, beta and run; `settings` holds
    the seed and the protocol's settings, `hardware` device, precision, compile, threads and checkpoint_minutes.

    With `checkpoint` the state is kept there now and then; called again after a kill, training goes on from it and ends
    with the same numbers, bit for bit on the same machine. Errors: UserError for a device or checkpoint that is not usable.
    """
    protocol, device = settings["protocol"], prepare_device(hardware)
    # beta and the dropped share are what is compared: all else is the same for all of their values
    identity = tuple(cell[name] for name in ("protocol", "dataset", "model", "learners", "averaging", "run"))
    identity = (settings["seed"], *identity)
    torch.manual_seed(_number(*identity, "initial weights"))
    options = {key: protocol[key] for key in ("form", "dropout") if key in protocol}
    model = ensemble(cell["model"], cell["learners"], data.classes, protocol["width"], **options)
    model = model.to(device, memory_format=torch.channels_last)
    optimiser = _optimiser(model, protocol)
    parts = _split(data, protocol, settings["seed"], cell, device)
    state = _State(cell["learners"], protocol["epochs"], device)
    with _precision(hardware, device):
        native = convolution.usable(torch.zeros(1, device=device)) and not hardware["compile"]
    if checkpoint is not None and checkpoint.exists():
        _restore(checkpoint, model, optimiser, state, (cell, settings["seed"], protocol), device)
    forward = torch.compile(model) if hardware["compile"] else model
    mean, std = (torch.tensor(values, dtype=torch.float32, device=device) for values in (data.mean, data.std))
    saved = time.monotonic()
    while not state.stopped(protocol):
        epoch = state.epoch + 1
        _set_rate(optimiser, protocol, epoch)
        plan = _plan(len(parts["train"][1]), protocol, cell, (*identity, epoch), device)
        state.rows = sum(map(len, plan.batches))
        if state.batch == 0:
            torch.manual_seed(_number(*identity, epoch, "dropout"))
        model.train()
        for batch in range(state.batch, len(plan.batches)):
            rows = plan.batches[batch]
            images = augment.augment(parts["train"][0][rows], plan.parameters[rows], plan.padding)
            images = augment.normalise(images, mean, std)
            targets = parts["train"][1][rows]
            with _precision(hardware, device):
                scores = forward(images)
            scores = scores.float()
            loss, measured = _objective(scores, targets, cell, protocol, plan.kept[batch])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            state.totals += _sums(scores.detach(), targets, measured, cell["averaging"])
            state.batch = batch + 1
            if checkpoint is not None and time.monotonic() - saved >= 60 * hardware["checkpoint_minutes"]:
                _save(checkpoint, model, optimiser, state, (cell, settings["seed"], protocol), device)
                saved = time.monotonic()
        evaluated = {name: _evaluate(forward, parts[name], mean, std, cell, hardware) for name in SPLITS[1:]}
        state.finish_epoch(evaluated)
        print(state.line(protocol["epochs"]), flush=True)
    history = state.history()
    history.convolution = "native" if native and model.pooled else "torch"
    return history


class _State:
    """How far training is, and what was measured so far."""

    def __init__(self, learners: int, epochs: int, device: torch.device):
        self.rows = self.epoch = self.batch = self.best_epoch = self.diverged = 0
        self.lowest = math.inf
        self.totals = torch.zeros(len(SUMS) + learners, dtype=torch.float64, device=device)
        self.values = np.full((epochs, len(SPLITS), len(SUMS) + learners), np.nan)

    def finish_epoch(self, evaluated: dict[str, np.ndarray | None]) -> None:
        values = self.values[self.epoch]
        values[0] = self.totals.cpu().numpy() / self.rows
        for place, name in enumerate(SPLITS[1:], 1):
            if evaluated[name] is not None:
                values[place] = evaluated[name]
        self.totals.zero_()
        self.epoch, self.batch = self.epoch + 1, 0
        watched = values[1, 0] if evaluated["validation"] is not None else -self.epoch
        if not np.isfinite([values[0, 1], values[2, 1], watched]).all():
            self.diverged = self.epoch
        elif watched < self.lowest:
            self.lowest, self.best_epoch = float(watched), self.epoch

    def stopped(self, protocol: dict) -> bool:
        patience = protocol["patience"]
        waited = self.epoch - self.best_epoch
        return bool(self.diverged or self.epoch >= protocol["epochs"] or (patience and waited >= patience))

    def line(self, epochs: int) -> str:
        """Where training stands, for the log."""
        (err, *_), (watched, *_), (test, _, _, accuracy) = self.values[self.epoch - 1, :, : len(SUMS)]
        return (
            f"epoch {self.epoch} of {epochs}: ERR train {err:.4f}, validation {watched:.4f}, test {test:.4f}; "
            f"test accuracy {100 * accuracy:.2f} %; best epoch {self.best_epoch}"
        )

    def history(self) -> History:
        return History(self.values[: self.epoch], self.best_epoch, self.diverged)

    def plain(self) -> dict:
        return vars(self) | {"totals": self.totals.cpu(), "values": torch.from_numpy(self.values)}

    def take(self, plain: dict) -> None:
        device = self.totals.device
        vars(self).update(plain | {"totals": plain["totals"].to(device), "values": plain["values"].cpu().numpy()})


@dataclass
class _Plan:
    """The random numbers of one epoch."""

    batches: tuple[Tensor, ...]  # row numbers
    parameters: Tensor  # of the augmentation, one row a training image
    padding: int
    kept: list[Tensor | None]  # for each batch the learners that stay, or a mask (batch, learners), or None


def _plan(rows: int, protocol: dict, cell: dict, identity: tuple, device: torch.device) -> _Plan:
    random = torch.Generator().manual_seed(_number(*identity, "batches"))
    order = torch.randperm(rows, generator=random) if protocol["shuffle"] else torch.arange(rows)
    order = order.to(device)
    parameters = augment.draw(rows, protocol["augmentation"], random).to(device)
    batches = order.split(protocol["batch_size"])
    if len(batches) > 1 and len(batches[-1]) == 1:  # batch normalisation needs two
        batches = batches[:-1]
    kept: list[Tensor | None] = [None] * len(batches)
    learners = cell["learners"]
    if cell["dropped"] and protocol["dropout_per"] == "batch":
        stay = learners - int(learners * cell["dropped"] + 1e-9)
        chosen = torch.rand(len(batches), learners, generator=random).argsort(1)[:, :stay].sort(1).values.to(device)
        kept = list(chosen)
    elif cell["dropped"]:
        masks = (torch.rand(rows, learners, generator=random) >= cell["dropped"]).float().to(device)
        kept = list(masks.split(protocol["batch_size"]))
    return _Plan(batches, parameters, protocol["augmentation"]["crop_padding"], kept)


def _objective(
    scores: Tensor, targets: Tensor, cell: dict, protocol: dict, kept: Tensor | None
) -> tuple[Tensor, Decomposition]:
    """The augmented objective (Eq. 2) of the learners that stay; and ERR, ERR-bar and DIV of all, per example."""
    beta, averaging = cell["beta"], cell["averaging"]
    with torch.no_grad():
        measured = decompose(scores, targets, "cross_entropy", averaging, reduction="none")
    if kept is None or protocol["dropout_per"] == "batch":
        staying = scores if kept is None else scores.index_select(1, kept)
        err, err_bar = ensemble_and_learner_error(staying, targets, "cross_entropy", averaging, None)
        return ((1 - beta) * err_bar + beta * err).mean(), measured
    # each example has an ensemble of its own; one that lost every learner does not count
    count = kept.sum(1)
    weights = torch.where(count[:, None] > 0, kept, 1.0)
    weights = weights / weights.sum(1, keepdim=True)
    err = ensemble_error(scores, targets, "cross_entropy", averaging, weights)
    each = nn.functional.cross_entropy(
        scores.transpose(1, 2), targets[:, None].expand(-1, scores.shape[1]), reduction="none"
    )
    whole = (1 - beta) * (each * weights).sum(1) + beta * err
    return (whole * (count > 0)).sum() / (count > 0).sum().clamp(min=1), measured


def _sums(scores: Tensor, targets: Tensor, measured: Decomposition, averaging: str) -> Tensor:
    """Sums over the batch in the order of SUMS, then the learners' hits, (4 + learners,) float64."""
    averaged = scores.mean(1) if averaging == "score" else scores.softmax(2).mean(1)
    hit = (averaged.argmax(1) == targets).double().sum(0, keepdim=True)
    hits = (scores.argmax(2) == targets[:, None]).double().sum(0)
    return torch.cat([torch.stack([part.double().sum() for part in measured]), hit, hits])


@torch.no_grad()
def _evaluate(forward, part: tuple[Tensor, Tensor], mean: Tensor, std: Tensor, cell: dict, hardware: dict):
    pixels, labels = part
    if not len(labels):
        return None
    (forward._orig_mod if hasattr(forward, "_orig_mod") else forward).eval()
    totals = torch.zeros(len(SUMS) + cell["learners"], dtype=torch.float64, device=labels.device)
    for rows, targets in zip(pixels.split(_EVALUATION_BATCH), labels.split(_EVALUATION_BATCH), strict=True):
        with _precision(hardware, labels.device):
            scores = forward(augment.normalise(augment.unpack(rows[:, :-1]), mean, std)).float()
        measured = decompose(scores, targets, "cross_entropy", cell["averaging"], reduction="none")
        totals += _sums(scores, targets, measured, cell["averaging"])
    return (totals / len(labels)).cpu().numpy()


def _split(data: Images, protocol: dict, seed: int, cell: dict, device: torch.device):
    """Packed images and labels of each part; the validation part is drawn from the training images at random."""
    order = generator(seed, cell["dataset"], cell["run"], "split").permutation(len(data.train_y))
    count = round(protocol["validation"] * len(order))
    arrays = {
        "train": (data.train_x[order[count:]], data.train_y[order[count:]]),
        "validation": (data.train_x[order[:count]], data.train_y[order[:count]]),
        "test": (data.test_x, data.test_y),
    }
    if protocol["validation_from"] == "test":  # the official code's way for SVHN: the second half of the test images
        half = len(data.test_y) // 2
        arrays = {
            "train": (data.train_x, data.train_y),
            "validation": (data.test_x[half:], data.test_y[half:]),
            "test": (data.test_x[:half], data.test_y[:half]),
        }

    def put(x: np.ndarray, y: np.ndarray) -> tuple[Tensor, Tensor]:
        return augment.pack(torch.from_numpy(x).to(device)), torch.from_numpy(y.astype(np.int64)).to(device)

    return {name: put(*pair) for name, pair in arrays.items()}


def _optimiser(model: nn.Module, protocol: dict) -> torch.optim.Optimizer:
    rate, decay = protocol["learning_rate"], protocol["weight_decay"]
    if protocol["optimiser"] == "sgd":
        momentum = protocol["momentum"]
        return torch.optim.SGD(model.parameters(), rate, momentum=momentum, weight_decay=decay, fused=True)
    return torch.optim.Adam(model.parameters(), rate, weight_decay=decay, fused=True)


def _set_rate(optimiser: torch.optim.Optimizer, protocol: dict, epoch: int) -> None:
    """The step schedule of Appendix B: times `decay` after each of the milestones."""
    passed = sum(epoch > milestone for milestone in protocol["milestones"])
    for group in optimiser.param_groups:
        group["lr"] = protocol["learning_rate"] * protocol["decay"] ** passed


def prepare_device(hardware: dict) -> torch.device:
    """Set threads and precision, and take a device; of several GPUs one that no other cell of this machine holds."""
    torch.set_num_threads(hardware["threads"])
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = hardware["precision"] == "tf32"
    if hardware["device"] == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("images.hardware.device is 'cuda', but PyTorch sees no GPU here: set it to cpu.")
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    return torch.device("cuda", hold_one(names))


_held: list = []  # open lock files; closed, and so released, when the process ends


def hold_one(names: list[str], folder: Path | None = None) -> int:
    """The position of the first name that no other process holds, held until this process ends; 0 if all are held."""
    folder = folder or Path(tempfile.gettempdir())
    for position, name in enumerate(names):
        file = open(folder / f"learner-collusion-gpu-{name}.lock", "w")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _held.append(file)
        return position
    return 0


def _precision(hardware: dict, device: torch.device):
    if hardware["precision"] == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()


def _number(*identity) -> int:
    return int(generator(*identity).integers(2**62))


def _save(path: Path, model, optimiser, state: _State, belongs: tuple, device: torch.device) -> None:
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    whole = {
        "belongs": belongs,
        "model": model.state_dict(),
        "optimiser": optimiser.state_dict(),
        "state": state.plain(),
        "random": random,
    }
    with replacing(path) as beside:
        torch.save(whole, beside)


def _restore(path: Path, model, optimiser, state: _State, belongs: tuple, device: torch.device) -> None:
    try:
        whole = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:
        raise UserError(f"{path} is damaged ({type(error).__name__}): delete it to train this cell anew.") from None
    if whole["belongs"] != belongs:
        print(f"{path} is of other settings; training anew.", flush=True)
        return
    model.load_state_dict(whole["model"])
    optimiser.load_state_dict(whole["optimiser"])
    state.take(whole["state"])
    torch.set_rng_state(whole["random"]["cpu"].cpu())
    if "cuda" in whole["random"]:
        torch.cuda.set_rng_state(whole["random"]["cuda"].cpu(), device)
