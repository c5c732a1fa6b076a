"""Train one cell of Table 1, and write its history; interrupted, the same command resumes it, on other processes, too.

With `--processes` it starts several on this machine that share each batch, one for each GPU; under torchrun, or srun with
several tasks, it is one of theirs.

Example: learner-collusion train_imagenet --config config.yaml workflow/presets/imagenette.yaml --dataset imagenette \\
    --model imagenet_resnet18 --learners 5 --beta 1 --run 0
"""

import argparse
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from ..models.registry import builder_code
from ..plan import cells, makers
from ..plan.provenance import fingerprint
from ..plan.settings import configured, convert, from_options, positive, results
from ..records.identity import Input, begin
from ..records.identity import Job as IdentityJob
from ..training import interrupt
from ..training.picture_protocol import PictureProtocol
from ..training.protocol import Cell, Hardware
from ._image_cells import Dataset, add_cell_arguments, chosen_hardware, leave_out, metadata_of, write_history


@dataclass(frozen=True)
class Settings:
    """What training takes from the configuration."""

    seed: int
    protocol: PictureProtocol
    precision: Literal["fp32", "tf32", "bf16"]
    dataset: Dataset


@dataclass(frozen=True)
class Job:
    """A cell, what it is trained with, and the files that it reads and writes. `workers`: processes that decode pictures."""

    cell: Cell
    settings: Settings
    hardware: Hardware
    index: str
    history: str
    checkpoint: str
    workers: int = 0
    described: IdentityJob | None = None  # what the history says of itself


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("--dataset", required=True, help="a name under `imagenet.datasets` in the configuration")
    parser.add_argument("--model", required=True, help="a name under `imagenet.models` in the configuration")
    parser.add_argument("--index", metavar="FILE", help="default: results/datasets/DATASET.pictures.parquet")
    hardware = add_cell_arguments(parser, "imagenet")
    hardware.add_argument("--workers", type=int, help="processes that decode pictures, for each that trains; or 0")
    hardware.add_argument("--processes", type=positive, help="that train this cell together on this machine")


def run(options: argparse.Namespace) -> None:
    """Train the cell that the options describe."""
    cell = Cell(
        "imagenet", options.dataset, options.model, options.learners, options.averaging, 0.0, options.beta, options.run
    )
    taken = from_options(options, "train_imagenet", part=f"{cell.dataset}-{cell.model}")
    settings = convert(taken, Settings)
    config = configured(options)
    declared = config["imagenet"]["hardware"] if config else {}
    history = options.history or cells.imagenet_path(**asdict(cell))
    job = Job(
        cell,
        settings,
        chosen_hardware(options, settings.precision, declared),
        options.index or results(f"datasets/{cell.dataset}.pictures.parquet"),
        history,
        options.checkpoint or f"{history}.checkpoint",
        declared.get("workers", 0) if options.workers is None else options.workers,
        makers.job(options, "train_imagenet", cells.name_of(cells.imagenet_path(**asdict(cell))), taken),
    )
    from ..training import distributed

    processes = options.processes or (declared.get("gpus_per_job", 1) if job.hardware.device == "cuda" else 1)
    here = distributed.place(os.environ)
    if here is None and processes > 1:
        distributed.spawn(train, job, processes)
    else:
        train(here, job)


def train(here, job: Job) -> None:
    """Train one cell and write its history; resumes from the checkpoint where that exists. `here`: this process among several
    (`training.distributed.Place`), of which the first one writes; or None.

    Where the data set was not available, the history is empty and its metadata say why. Errors: as `training.loop.train`.
    """
    from ..records import parquet

    interrupt.listen()
    cell, settings, hardware = job.cell, job.settings, job.hardware
    first = here is None or here.rank == 0
    made = begin(job.described, Input(job.index, "prepare", cell.dataset))
    description = parquet.read_metadata(job.index)
    if description["dataset"] != cell.dataset:
        raise UserError(f"{job.index} lists {description['dataset']}, not {cell.dataset}: give that data set's index.")
    if here is not None and hardware.compile:
        raise UserError("torch.compile is for a single process: leave out --compile, or train in one.")
    metadata = metadata_of(cell, settings)
    if "missing" in description:
        if first:
            leave_out(job.history, metadata, description["missing"], made)
        return
    from ..training import loop
    from ..training.device import described, prepare_device
    from ..training.distributed import joined
    from ..training.pictures import on_workers

    device = prepare_device(hardware, own=here is not None)
    code = fingerprint("stages.train_imagenet", *builder_code(cell.model))
    origin = repr((description.get("content_sha256"), metadata["settings"]["dataset"], code))
    path = Path(job.checkpoint)
    with joined(here, device) as team:
        parts = (cell, settings.protocol, settings.dataset, settings.seed, device, job.workers, team.rank, team.world)
        data = on_workers(job.index, *parts)
        trained = loop.train(data, cell, settings.protocol, settings.seed, hardware, device, path, origin, team)
    if first:
        metadata["hardware"] = described(hardware, device) | {"processes": team.world}
        write_history(job.history, trained, metadata, made, settings.protocol.top)
        path.unlink(missing_ok=True)
