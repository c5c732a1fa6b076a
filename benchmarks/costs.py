"""What the paper costs, part by part: jobs, GPU hours and disk, as a table for docs/costs.md.

    python benchmarks/costs.py

Jobs are the plan's. GPU hours follow from a measured step on an H100 (`gpu/h100.json`: five ResNet-18 on 128 images of CIFAR, bf16) by
floating-point operations, which are counted on the models themselves: three forward passes for an image that is trained on,
one for an image that is evaluated. What a checkpoint takes is counted, too; records are small.
"""

import functools
import json
import re
from pathlib import Path

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


def imagenet_cell(config: dict, model: str) -> tuple[float, float]:
    """(GPU hours at most, as early stopping may end it before; gigabytes of a checkpoint)."""
    keys, data = imagenet.protocol(config, model), config["imagenet"]["datasets"]["imagenet"]
    learners = config["imagenet"]["models"][model]["learners"]
    operations, parameters = forward(model, keys["size"], data["classes"], keys["width"], ())
    evaluations = data["train"] / (keys["batch_size"] * keys["evaluate_every"])
    passes = keys["epochs"] * (3 * data["train"] + evaluations * data["val"])
    held = learners * parameters * 4 * _HELD[keys["optimiser"]]
    return passes * learners * operations / rate() / 3600, held / 1e9


def rows(config: dict) -> list[dict[str, str]]:
    """The lines of the table."""
    tables = len(config["tabular"]["datasets"])
    found = [_row("theory: Table 2, Figures 1 and 7-9", 0, 0, 0), _row("tabular: Figures 2-4", 3 * tables, 0, 0)]
    known: set[str] = set()
    for name in config["images"]["enabled"]:
        paths = [path for path in cells.cells(config, [name]) if path not in known]
        known |= set(paths)
        costs = [image_cell(config, path) for path in paths]
        found.append(
            _row(
                f"images: {_SHOWS[name]}", len(paths), sum(hours for hours, _ in costs), max(held for _, held in costs)
            )
        )
    each = len(config["imagenet"]["betas"]) * config["imagenet"]["runs"]
    for model in config["imagenet"]["enabled"]:
        hours, held = imagenet_cell(config, model)
        learners = config["imagenet"]["models"][model]["learners"]
        found.append(_row(f"ImageNet: {learners} {MODELS[model].title}", each, each * hours, held))
    return found


def _row(part: str, jobs: int, hours: float, held: float) -> dict[str, str]:
    return {
        "part": part,
        "jobs": str(jobs or "-"),
        "GPU hours": "-" if not hours else "< 0.1" if hours < 0.05 else f"{hours:.{int(hours < 10)}f}",
        "a checkpoint, GB": f"{held:.2f}" if held >= 0.005 else "-",
    }


def written(text: str, lines: list[dict[str, str]]) -> str:
    """The page's text with these lines between its marks."""
    return re.sub(f"{START}\n.*?{END}", f"{START}\n\n{table(lines)}\n{END}", text, flags=re.S)


if __name__ == "__main__":
    page = ROOT / "docs/costs.md"
    write_text(page, written(page.read_text(encoding="utf-8"), rows(configuration.load(configuration.PAPER))))
