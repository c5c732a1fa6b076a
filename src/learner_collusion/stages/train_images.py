"""Train one cell of the image experiments, and write its history; interrupted, the same command resumes it. On SIGTERM it ends
after the next step, with its checkpoint written and status 143.

Example: learner-collusion train_images --config config.yaml --dataset cifar10 --protocol sgd --model resnet18 \\
    --learners 5 --beta 1 --run 0
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from ..models.registry import builder_code
from ..plan import cells, makers
from ..plan.provenance import fingerprint
from ..plan.settings import add_settings_arguments, configured, convert, from_options, minutes, positive, results
from ..records.identity import Input, begin
from ..records.identity import Job as IdentityJob
from ..training import interrupt
from ..training.protocol import Cell, Hardware, Protocol


@dataclass(frozen=True)
class Dataset:
    """Number of classes of a data set, and mean and standard deviation of its channels, of 255."""

    classes: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True)
class Settings:
    """What training takes from the configuration."""

    seed: int
    protocol: Protocol
    precision: Literal["fp32", "tf32", "bf16"]
    dataset: Dataset


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--dataset", required=True, help="a name under `images.datasets` in the configuration")
    parser.add_argument("--protocol", required=True, help="a name under `images.protocols` in the configuration")
    parser.add_argument("--model", required=True, help="a name, such as resnet18, or the dotted path of a class")
    parser.add_argument("--learners", required=True, type=int)
    parser.add_argument("--averaging", choices=("probability", "score"), default="probability")
    parser.add_argument(
        "--drop-rate", type=float, default=0.0, help="share of learners left out of each training batch"
    )
    parser.add_argument("--beta", required=True, type=float, help="0: independent training, 1: joint training")
    parser.add_argument("--run", required=True, type=int, help="number of the repetition, from 0")
    add_settings_arguments(parser)
    parser.add_argument("--images", metavar="FILE", help="default: results/datasets/DATASET.npz")
    parser.add_argument("--history", metavar="FILE", help="what is written (default: where the workflow expects it)")
    parser.add_argument("--checkpoint", metavar="FILE", help="default: beside the history")
    hardware = parser.add_argument_group(
        "hardware", "Default: images.hardware of the configuration, or one thread of the CPU."
    )
    hardware.add_argument("--checkpoint-minutes", type=minutes, help="minutes between checkpoints")
    hardware.add_argument("--device", choices=("cpu", "cuda"))
    hardware.add_argument("--compile", action=argparse.BooleanOptionalAction, help="use torch.compile")
    hardware.add_argument("--threads", type=positive, help="of the CPU")


def run(options: argparse.Namespace) -> None:
    """Train the cell that the options describe."""
    interrupt.listen()
    cell = Cell(
        options.protocol,
        options.dataset,
        options.model,
        options.learners,
        options.averaging,
        options.drop_rate,
        options.beta,
        options.run,
    )
    part = f"{cell.protocol}-{cell.dataset}"
    taken = from_options(options, "train_images", part=part)
    settings = convert(taken, Settings)
    config = configured(options)
    hardware = chosen_hardware(options, settings.precision, config["images"]["hardware"] if config else {})
    history = options.history or cells.history_path(**asdict(cell))
    checkpoint = options.checkpoint or f"{history}.checkpoint"
    job = makers.job(options, "train_images", cells.name_of(cells.history_path(**asdict(cell))), taken)
    images = options.images or results(f"datasets/{cell.dataset}.npz")
    train(cell, settings, hardware, images, history, checkpoint, job)


def chosen_hardware(options: argparse.Namespace, precision: str, configured: dict) -> Hardware:
    """What the options say, else the configuration, else the defaults. A precision is a setting: another one is another
    experiment."""
    names = ("device", "compile", "threads", "checkpoint_minutes")
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return Hardware(**{name: configured[name] for name in names if name in configured} | given, precision=precision)


def train(
    cell: Cell,
    settings: Settings,
    hardware: Hardware,
    images: str,
    history: str,
    checkpoint: str | None = None,
    job: IdentityJob | None = None,
) -> None:
    """Train one cell on the images of an .npz and write its history, which says whose it is where there is a `job`; resumes from
    `checkpoint` where that exists.

    Where the data set was not available, the history is empty and its metadata say why. Errors: as `training.loop.train`.
    """
    from ..data import image_arrays
    from ..records import parquet
    from ..records.images import CELL_HISTORY

    made = begin(job, Input(images, "prepare", cell.dataset))
    description, arrays = image_arrays.read(images)
    if description["dataset"] != cell.dataset:
        raise UserError(f"{images} holds {description['dataset']}, not {cell.dataset}: give the file of that data set.")
    plain = asdict(settings)
    metadata = {
        "cell": asdict(cell),
        "precision": plain.pop("precision"),
        "settings": plain,
        "provenance": parquet.provenance("torch", "torchvision"),
    }
    if "missing" in description:
        columns = {name: [] for name in CELL_HISTORY.names}
        parquet.write(history, columns, CELL_HISTORY, metadata | {"missing": description["missing"]}, made)
        print(f"{cell.dataset} is not available: this cell is left out.", flush=True)
        return
    from ..training import loop
    from ..training.batches import Images, on_device
    from ..training.device import described, prepare_device

    device = prepare_device(hardware)
    chosen = Images(**choose(arrays, cell, settings), **plain["dataset"])
    data = on_device(chosen, cell, settings.protocol, settings.seed, device)
    path = Path(checkpoint) if checkpoint else None
    origin = repr(
        (
            description.get("content_sha256"),
            plain["dataset"],
            fingerprint("stages.train_images", *builder_code(cell.model)),
        )
    )
    trained = loop.train(data, cell, settings.protocol, settings.seed, hardware, device, path, origin)
    metadata |= {name: getattr(trained, name) for name in ("best_evaluation", "diverged", "convolution")}
    metadata["hardware"] = described(hardware, device)
    parquet.write(history, history_columns(trained), CELL_HISTORY, metadata, made)
    if path is not None:
        path.unlink(missing_ok=True)


def choose(arrays: dict, cell: Cell, settings: Settings) -> dict:
    """The random training and test images that the protocol's `subset` asks for, the same for every cell."""
    from ..data.image_arrays import subset
    from ..seeds import generator

    chosen = {}
    for name, array in arrays.items():
        part = name.split("_")[0]  # of train_x, train_y, test_x, test_y
        random = generator(settings.seed, cell.dataset, part, "subset")
        chosen[name] = subset(array, getattr(settings.protocol.subset, part), random)
    return chosen


def history_columns(history, top: int = 0) -> dict[str, list]:
    """A `training.loop.History` as the columns of CELL_HISTORY: one row per number. `top`: that of the protocol."""
    import numpy as np

    from ..records.images import CELL_HISTORY
    from ..training.evaluation import METRICS, SPLITS

    rows = []
    for evaluation, by_split in enumerate(history.values, 1):
        for split, values in zip(SPLITS, by_split, strict=True):
            if np.isnan(values).all():  # no such split
                continue
            for metric, value in zip(METRICS, values, strict=False):
                rows.append((evaluation, split, metric, -1, float(value)))
            for learner, value in enumerate(values[len(METRICS) : len(values) - bool(top)]):
                rows.append((evaluation, split, "accuracy", learner, float(value)))
            if top:
                rows.append((evaluation, split, f"top{top}", -1, float(values[-1])))
    if history.best_evaluation:
        rows.append((history.best_evaluation, "validation", "best", -1, 1.0))
    if history.diverged:
        rows.append((history.diverged, "train", "diverged", -1, 1.0))
    return dict(zip(CELL_HISTORY.names, map(list, zip(*rows, strict=True)), strict=True))
