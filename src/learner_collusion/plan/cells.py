"""The cells of the image experiments and of ImageNet: one training each, and the path of its history."""

import itertools
import re

from .families import imagenet as of_imagenet

_PATH = "results/images/{protocol}/{dataset}/{model}/m{learners}-{averaging}/drop{drop_rate}/beta{beta}/run{run}/history.parquet"
_IMAGENET = "results/imagenet/{dataset}/{model}/m{learners}/beta{beta}/run{run}/history.parquet"


def history_path(**cell) -> str:
    """The history of a cell, named by protocol, dataset, model, learners, averaging, drop_rate, beta and run."""
    numbers = {name: number(cell[name]) for name in ("drop_rate", "beta")}
    return _PATH.format(**cell | numbers)


def name_of(history: str) -> str | None:
    """A cell as its folder names it, such as cnn/digits/resnet18/m5-probability/drop0/beta1/run0; None for a file elsewhere."""
    found = re.search(r"(?:^|/)results/(?:images|imagenet)/(.+)/history\.parquet$", history)
    return found and found[1]


def number(value: float) -> str:
    """A share or beta as paths show it: 0, 0.2, 1."""
    return f"{float(value):.12g}"


def cells(config: dict, experiments: list[str]) -> list[str]:
    """The histories of all cells of some experiments, in their order; cells that they share come once."""
    found = {}
    for name in experiments:
        e = config["images"]["experiments"][name]
        axes = (e["datasets"], e["models"], e["learners"], e["drop_rates"], e["betas"], range(e["runs"]))
        for dataset, model, learners, drop_rate, beta, run in itertools.product(*axes):
            path = history_path(
                protocol=e["protocol"], dataset=dataset, model=model, learners=learners, averaging=e["averaging"],
                drop_rate=drop_rate, beta=beta, run=run,
            )  # fmt: skip
            found[path] = None
    return list(found)


def datasets(config: dict, experiments: list[str]) -> list[str]:
    """The image data sets that some experiments use, each once."""
    return list(dict.fromkeys(d for name in experiments for d in config["images"]["experiments"][name]["datasets"]))


def imagenet_path(**cell) -> str:
    """The history of an ImageNet cell, named by dataset, model, learners, beta and run."""
    return _IMAGENET.format(**cell | {"beta": number(cell["beta"])})


def imagenet(config: dict, models: list[str]) -> list[str]:
    """The histories of all ImageNet cells of some models; of those that are enabled where none is named."""
    return [imagenet_path(**cell) for cell in of_imagenet.cells(config, models)]
