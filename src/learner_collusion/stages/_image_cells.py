"""What the stages share that train one cell of images: options, hardware, and what its history holds and says of itself."""

import argparse
from dataclasses import asdict, dataclass

from ..plan.settings import add_settings_arguments, minutes, positive
from ..training.protocol import Cell, Hardware


@dataclass(frozen=True)
class Dataset:
    """Number of classes of a data set, and mean and standard deviation of its channels, of 255."""

    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


def add_cell_arguments(parser: argparse.ArgumentParser, family: str):
    """The options that both have; returns the group of those about hardware, for more."""
    parser.add_argument("--learners", required=True, type=int)
    parser.add_argument("--averaging", choices=("probability", "score"), default="probability")
    parser.add_argument("--beta", required=True, type=float, help="0: independent training, 1: joint training")
    parser.add_argument("--run", required=True, type=int, help="number of the repetition, from 0")
    add_settings_arguments(parser)
    parser.add_argument("--history", metavar="FILE", help="what is written (default: where the workflow expects it)")
    parser.add_argument("--checkpoint", metavar="FILE", help="default: beside the history")
    hardware = parser.add_argument_group(
        "hardware", f"Default: {family}.hardware of the configuration, or one thread of the CPU."
    )
    hardware.add_argument("--checkpoint-minutes", type=minutes, help="minutes between checkpoints")
    hardware.add_argument("--device", choices=("cpu", "cuda"))
    hardware.add_argument("--compile", action=argparse.BooleanOptionalAction, help="use torch.compile")
    hardware.add_argument("--threads", type=positive, help="of the CPU, for each process that trains")
    return hardware


def chosen_hardware(options: argparse.Namespace, precision: str, configured: dict) -> Hardware:
    """What the options say, else the configuration, else the defaults. A precision is a setting: another one is another
    experiment."""
    names = ("device", "compile", "threads", "checkpoint_minutes")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return Hardware(**{name: configured[name] for name in names if name in configured} | given, precision=precision)


def metadata_of(cell: Cell, settings) -> dict:
    """What a history says of its cell; `settings`: those of the stage."""
    from ..records import parquet

    plain = asdict(settings)
    return {
        "cell": asdict(cell),
        "precision": plain.pop("precision"),
        "settings": plain,
        "provenance": parquet.provenance("torch", "torchvision"),
    }


def leave_out(history: str, metadata: dict, missing: str, made) -> None:
    """Write the empty history of a cell whose data set is `missing`, for that reason."""
    from ..records import parquet
    from ..records.images import CELL_HISTORY

    parquet.write(
        history, {name: [] for name in CELL_HISTORY.names}, CELL_HISTORY, metadata | {"missing": missing}, made
    )
    print(f"{metadata['cell']['dataset']} is not available: this cell is left out.", flush=True)


def write_history(history: str, trained, metadata: dict, made, top: int = 0) -> None:
    """Write a `training.loop.History`. `top`: that of the protocol."""
    from ..records import parquet
    from ..records.images import CELL_HISTORY

    found = {name: getattr(trained, name) for name in ("best_evaluation", "diverged", "convolution")}
    parquet.write(history, _columns(trained, top), CELL_HISTORY, metadata | found, made)


def _columns(trained, top: int) -> dict[str, list]:
    """A row per number."""
    import numpy as np

    from ..records.images import CELL_HISTORY
    from ..training.evaluation import METRICS, SPLITS

    rows = []
    for evaluation, by_split in enumerate(trained.values, 1):
        for split, values in zip(SPLITS, by_split, strict=True):
            if np.isnan(values).all():  # no such split
                continue
            for metric, value in zip(METRICS, values, strict=False):
                rows.append((evaluation, split, metric, -1, float(value)))
            for learner, value in enumerate(values[len(METRICS) : len(values) - bool(top)]):
                rows.append((evaluation, split, "accuracy", learner, float(value)))
            if top:
                rows.append((evaluation, split, f"top{top}", -1, float(values[-1])))
    if trained.best_evaluation:
        rows.append((trained.best_evaluation, "validation", "best", -1, 1.0))
    if trained.diverged:
        rows.append((trained.diverged, "train", "diverged", -1, 1.0))
    return dict(zip(CELL_HISTORY.names, map(list, zip(*rows, strict=True)), strict=True))
