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
from ..plan.settings import configured, convert, from_options, results
from ..records.identity import Input, begin
from ..records.identity import Job as IdentityJob
from ..training import interrupt
from ..training.protocol import Cell, Hardware, Protocol
from ._image_cells import Dataset, add_cell_arguments, chosen_hardware, leave_out, metadata_of, write_history


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
    parser.add_argument(
        "--drop-rate", type=float, default=0.0, help="share of learners left out of each training batch"
    )
    parser.add_argument("--images", metavar="FILE", help="default: results/datasets/DATASET.npz")
    add_cell_arguments(parser, "images")


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

    made = begin(job, Input(images, "prepare", cell.dataset))
    description, arrays = image_arrays.read(images)
    if description["dataset"] != cell.dataset:
        raise UserError(f"{images} holds {description['dataset']}, not {cell.dataset}: give the file of that data set.")
    metadata = metadata_of(cell, settings)
    if "missing" in description:
        leave_out(history, metadata, description["missing"], made)
        return
    from ..training import loop
    from ..training.batches import Images, on_device
    from ..training.device import described, prepare_device

    device = prepare_device(hardware)
    chosen = Images(**choose(arrays, cell, settings), **metadata["settings"]["dataset"])
    data = on_device(chosen, cell, settings.protocol, settings.seed, device)
    path = Path(checkpoint) if checkpoint else None
    origin = repr(
        (
            description.get("content_sha256"),
            metadata["settings"]["dataset"],
            fingerprint("stages.train_images", *builder_code(cell.model)),
        )
    )
    trained = loop.train(data, cell, settings.protocol, settings.seed, hardware, device, path, origin)
    metadata["hardware"] = described(hardware, device)
    write_history(history, trained, metadata, made)
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
