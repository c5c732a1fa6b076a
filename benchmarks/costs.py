"""What the paper costs, part by part: jobs, GPU hours and disk, as tables for docs/costs.md and README.md.

    python benchmarks/costs.py

Jobs are the plan's. What a GPU computes follows from a measured step on an H100 (`gpu/h100.json`: five ResNet-18 on 128 images of CIFAR,
bf16) by floating-point operations, which are counted on the models themselves: three forward passes for an image that is
trained on, one for an image that is evaluated. A GPU waits for ImageNet's pictures where reading them takes longer: by the measured time
of one core for a picture (`results.json`), spread over the worker processes. What a checkpoint takes is counted, too; records are small.
"""

import functools
import json
import re
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from learner_collusion.files import write_text
from learner_collusion.models.registry import MODELS, builder
from learner_collusion.plan import cells, configuration
from learner_collusion.plan.families import imagenet, images
from learner_collusion.publishing.markdown import table

ROOT = Path(__file__).parent.parent
START, END = "<!-- costs -->", "<!-- end of costs -->"
_HELD = {
    "sgd": 2,
    "adam": 3,
}  # numbers that a checkpoint has for each parameter: the weight, and what the optimiser keeps
_SHOWS = {
    "practical": "Figures 6 left, 17", "curves": "Figures 5, 10-12", "larger": "Figure 13", "score": "Figure 14",
    "cnn": "Figure 15", "vgg": "Figure 16", "dropout": "Figure 18",
}  # fmt: skip
_PARTS = {
    "theory": "theory: Table 2, Figures 1 and 7-9",
    "tabular": "tables: Figures 2-4",
    "images": "images: Figures 5, 6 left and 10-18",
    "ImageNet": "ImageNet: Table 1, Figure 6 right",
}
_DISK = {
    "theory": "-",
    "tabular": "30 MB",  # raw tables, prepared ones and results
    "images": "1.3 GB",  # archives of CIFAR-10, CIFAR-100 and SVHN, and prepared ones
    "ImageNet": "155 GB, read where it lies",  # the official tars of train and val
}


class Row(NamedTuple):
    """What belongs to one figure, or one line of Table 1: jobs, hours of GPUs and those in which they compute, and gigabytes of a
    checkpoint."""

    part: str
    shows: str
    jobs: int = 0
    hours: float = 0
    computing: float = 0
    held: float = 0


@functools.cache
def forward(model: str, size: int, classes: int, width: float, options: tuple) -> tuple[float, int]:
    """(floating-point operations of a forward pass of one learner on one image, its parameters)."""
    with torch.device("meta"):
        module = builder(model)(classes, width, **dict(options)).eval()
        image = torch.zeros(1, 3, size, size)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(image)
    return counter.get_total_flops(), sum(parameter.numel() for parameter in module.parameters())


def rate() -> float:
    """Floating-point operations a second of the measured step."""
    measured = json.loads((ROOT / "benchmarks/gpu/h100.json").read_text(encoding="utf-8"))["parts"]
    step = measured["learners on streams of their own"]["ways"]["ours, graph, bf16, learners on streams"]
    return 1e12 * measured["steps"]["TFLOP"] / (step["milliseconds"] / 1000)


def image_cell(config: dict, path: str) -> tuple[float, float]:
    """(GPU hours, gigabytes of a checkpoint) of the cell with this history."""
    name, dataset, model, sizes = path.split("/")[2:6]
    learners = int(sizes[1:].split("-")[0])
    keys, data = images.protocol(config, name), config["images"]["datasets"][dataset]
    options = tuple((key, keys[key]) for key in MODELS[model].options)
    operations, parameters = forward(model, 32, data["classes"], keys["width"], options)
    trained = round((1 - keys["validation"]) * data["train"])
    seen = data["train"] - trained + data["test"] + keys["evaluate_train"] * trained
    passes = keys["epochs"] * (3 * trained + seen)
    held = learners * parameters * 4 * _HELD[keys["optimiser"]]
    return passes * learners * operations / rate() / 3600, held / 1e9


def imagenet_cell(config: dict, model: str) -> tuple[float, float, float]:
    """(hours of computing, core hours of reading pictures, gigabytes of a checkpoint): hours at most, as early stopping may end it
    before."""
    keys, data = imagenet.protocol(config, model), config["imagenet"]["datasets"]["imagenet"]
    learners = config["imagenet"]["models"][model]["learners"]
    operations, parameters = forward(model, keys["size"], data["classes"], keys["width"], ())
    trained = keys["epochs"] * data["train"]
    evaluated = trained / (keys["batch_size"] * keys["evaluate_every"]) * data["val"]
    computing = (3 * trained + evaluated) * learners * operations / rate() / 3600
    held = learners * parameters * 4 * _HELD[keys["optimiser"]]
    return computing, (trained + evaluated) * picture_seconds() / 3600, held / 1e9


def picture_seconds() -> float:
    """Of one core, to decode a picture of ImageNet's usual size and crop it."""
    measured = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))["pictures"]
    return measured["core_milliseconds"]["exact"] / 1000


def rows(config: dict) -> list[Row]:
    """The lines of the table of docs/costs.md."""
    tables = len(config["tabular"]["datasets"])
    found = [Row("theory", "Table 2, Figures 1 and 7-9"), Row("tabular", "Figures 2-4", 3 * tables)]
    known: set[str] = set()
    for name in config["images"]["enabled"]:
        paths = [path for path in cells.cells(config, [name]) if path not in known]
        known |= set(paths)
        costs = [image_cell(config, path) for path in paths]
        hours = sum(hours for hours, _ in costs)
        found.append(Row("images", _SHOWS[name], len(paths), hours, hours, max(held for _, held in costs)))
    jobs = len(config["imagenet"]["betas"]) * config["imagenet"]["runs"]
    workers = config["imagenet"]["hardware"]["workers"]
    for model in config["imagenet"]["enabled"]:
        computing, reading, held = imagenet_cell(config, model)
        shows = f"{config['imagenet']['models'][model]['learners']} {MODELS[model].title}"
        hours = jobs * max(computing, reading / workers)
        found.append(Row("ImageNet", shows, jobs, hours, jobs * computing, held))
    return found


def by_line(found: list[Row]) -> list[dict[str, str]]:
    """The table of docs/costs.md."""
    return [
        {
            "part": f"{row.part}: {row.shows}",
            "jobs": str(row.jobs or "-"),
            "GPU hours": _hours(row.hours),
            "of which computing": _hours(row.computing),
            "a checkpoint, GB": f"{row.held:.2f}" if row.held >= 0.005 else "-",
        }
        for row in found
    ]


def by_part(found: list[Row]) -> list[dict[str, str]]:
    """The table of the README."""
    parts = dict.fromkeys(row.part for row in found)
    mine = {part: [row for row in found if row.part == part] for part in parts}
    return [
        {
            "part": _PARTS[part],
            "jobs": str(sum(row.jobs for row in rows) or "-"),
            "GPU hours": _hours(sum(row.hours for row in rows)),
            "a running job's checkpoint": f"up to {max(row.held for row in rows):.1f} GB" if rows[0].held else "-",
            "data on the disk": _DISK[part],
        }
        for part, rows in mine.items()
    ]


def _hours(hours: float) -> str:
    return "-" if not hours else "< 0.1" if hours < 0.05 else f"{hours:.{int(hours < 10)}f}"


def reading(config: dict) -> str:
    """What reading pictures takes of a core, in a sentence."""
    hours = sorted(imagenet_cell(config, model)[1] for model in config["imagenet"]["enabled"])
    return (
        f"To decode and crop a picture takes {1000 * picture_seconds():.1f} ms of a core, so reading takes {hours[0]:.0f} to "
        f"{hours[-1]:.0f} core hours for a cell of ImageNet. "
        "Small batches take most, because a cell is evaluated every 2,000 batches.\n"
    )


def written(text: str, made: str) -> str:
    """A page's text with what was made between its marks."""
    return re.sub(f"{START}\n.*?{END}", f"{START}\n\n{made}\n{END}", text, flags=re.S)


def pages(config: dict) -> dict[str, str]:
    """What stands between the marks of each page."""
    counted = rows(config)
    return {"docs/costs.md": f"{table(by_line(counted))}\n{reading(config)}", "README.md": table(by_part(counted))}


if __name__ == "__main__":
    for name, made in pages(configuration.load(configuration.PAPER)).items():
        write_text(ROOT / name, written((ROOT / name).read_text(encoding="utf-8"), made))
