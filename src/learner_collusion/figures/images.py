"""Figures 5, 6 (left) and 10 to 18: mean and two standard errors over the runs, against beta, epoch, or dropped share."""

import textwrap

import numpy as np
from matplotlib.axes import Axes

from ..errors import UserError
from ..image_records import MODELS, ImageRecords
from ..records import IMAGE_CELL
from ..statistics import standard_error_band
from .style import BLUE, GREEN, GREY, ORANGE, VERMILION, plt, save

_LABELS = {"accuracy": "Test accuracy (%)", "err": "Test loss (ERR)"}


class _Figure:
    """Panels, the rows of the CSV, and how many runs there are."""

    def __init__(self, path: str, settings: dict, rows: int, columns: int, size: tuple[float, float], **options):
        self.records, self.settings = ImageRecords(path), settings
        self.figure, self.axes = plt.subplots(rows, columns, figsize=size, squeeze=False, **options)
        self.rows: list[dict] = []
        self.runs: set[int] = set()

    def title(self, dataset: str) -> str:
        return self.settings["titles"].get(dataset, dataset)

    def absent(self, axes: Axes, dataset: str, text: str | None = None) -> bool:
        """Says on the panel what is missing; True if it is."""
        if text is None and dataset not in self.records.missing:
            return False
        text = text or f"{self.title(dataset)} could not be had: left out"
        axes.text(0.5, 0.5, textwrap.fill(text, 24), ha="center", va="center", color=GREY, transform=axes.transAxes)
        axes.set_xticks([])
        axes.set_yticks([])
        axes.grid(False)
        return True

    def line(
        self, axes: Axes, x: np.ndarray, values: np.ndarray, name: str, cell: dict, colour: str, **options
    ) -> None:
        if not len(values):
            raise UserError(f"The image records hold no whole run of {cell}: run the workflow to the end.")
        mean, width = standard_error_band(values)
        marker = "o" if len(x) < 15 else None
        axes.plot(x, mean, color=colour, marker=marker, markersize=3, **options)
        axes.fill_between(x, mean - width, mean + width, color=colour, alpha=0.18, linewidth=0)
        self.runs.add(len(values))
        for place, m, w in zip(x, mean, width, strict=True):
            row = {**{key: cell.get(key, "") for key in IMAGE_CELL[:-1]}, "quantity": name, "x": float(place)}
            self.rows.append(row | {"mean": float(m), "two_standard_errors": float(w), "runs": len(values)})

    def save(self, note: str, pdf: str, more: str = "") -> None:
        counts = " or ".join(map(str, sorted(self.runs)))
        foot = f"Line: mean over {counts} runs; band: two standard errors. {more}"
        if counts == "1":
            foot = f"Line: one run, so there is no band. {more}"
        if not counts:
            foot = ""
        missing = [f"{self.title(d)} is left out: {reason}." for d, reason in self.records.missing.items()]
        save(self.figure, pdf, self.rows, " ".join(filter(None, [note, *missing])), foot)


_AT_BEST = "Test set, at the epoch of the lowest validation ERR."


def _against_beta(figure: _Figure, axes: Axes, metric: str, cell: dict, colour: str) -> None:
    if figure.absent(axes, cell["dataset"]):
        return
    betas, values = figure.records.best(metric, "beta", **cell)
    scale = 100 if metric == "accuracy" else 1
    figure.line(axes, betas, scale * values, metric, cell, colour)
    axes.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    axes.set_xlabel(r"$\beta$")


def practical(path: str, settings: dict, note: str, pdf: str, metric: str = "accuracy", imagenet: bool = False) -> None:
    """Figures 6 (left), 13, 14 and 17: a test metric against beta, a column a data set, a row a model. `settings`:
    experiment (protocol, datasets, models, learners, averaging) and titles; `imagenet` adds Figure 6's right panel."""
    experiment, right = settings["experiment"], imagenet
    datasets, models = experiment["datasets"], experiment["models"]
    columns = len(datasets) + right
    figure = _Figure(path, settings, len(models), columns, (max(2.7 * columns, 4.2), 2.1 * len(models) + 0.3))
    for row, model in enumerate(models):
        for column, dataset in enumerate(datasets):
            axes = figure.axes[row, column]
            _against_beta(figure, axes, metric, _cell(experiment, dataset, model), BLUE)
            axes.set_title(f"{figure.title(dataset)}, {MODELS[model]}")
        figure.axes[row, 0].set_ylabel(_LABELS[metric])
        if right:
            axes = figure.axes[row, -1]
            axes.set_title(f"ImageNet, {MODELS['resnet18']}" if row == 0 else "")
            if row == 0:
                figure.absent(axes, "imagenet", "ImageNet: not run; its rules do not exist yet")
            else:
                axes.set_axis_off()
    more = f"{experiment['learners'][0]} learners, {experiment['averaging']} averaging. {_AT_BEST}"
    figure.save(note, pdf, more)


def _cell(experiment: dict, dataset: str, model: str, learners: int | None = None, **others) -> dict:
    return {
        "protocol": experiment["protocol"],
        "dataset": dataset,
        "model": model,
        "learners": learners or experiment["learners"][0],
        "averaging": experiment["averaging"],
        "dropped": 0.0,
    } | others


def both_metrics(path: str, settings: dict, note: str, pdf: str) -> None:
    """Figures 15 and 16: test accuracy (top) and loss (bottom) against beta, a column a number of learners."""
    experiment = settings["experiment"]
    [dataset], [model], sizes = experiment["datasets"], experiment["models"], experiment["learners"]
    figure = _Figure(path, settings, 2, len(sizes), (max(2.9 * len(sizes), 4.4), 4.0), sharex=True)
    for column, learners in enumerate(sizes):
        for row, (metric, colour) in enumerate((("accuracy", BLUE), ("err", VERMILION))):
            axes = figure.axes[row, column]
            _against_beta(figure, axes, metric, _cell(experiment, dataset, model, learners), colour)
            figure.axes[row, 0].set_ylabel(_LABELS[metric])
        figure.axes[0, column].set_xlabel("")
        figure.axes[0, column].set_title(f"{figure.title(dataset)}, {MODELS[model]}, M = {learners}")
    figure.save(note, pdf, _AT_BEST)


def _epochs(values: np.ndarray) -> np.ndarray:
    return np.arange(1, values.shape[1] + 1)


def gap(path: str, settings: dict, note: str, pdf: str) -> None:
    """Figure 5: test minus train ERR against the epoch, beta 0 and 1."""
    _epoch_panels(path, settings, note, pdf, [("Test - train ERR", "gap", None)])


def losses(path: str, settings: dict, note: str, pdf: str) -> None:
    """Figure 10: train (top) and test ERR (bottom) against the epoch, beta 0 and 1."""
    _epoch_panels(path, settings, note, pdf, [("Train ERR", "err", "train"), ("Test ERR", "err", "test")])


def parts(path: str, settings: dict, note: str, pdf: str, split: str = "train") -> None:
    """Figures 11 (train) and 12 (test): ERR-bar (top) and DIV (bottom) against the epoch, beta 0 and 1."""
    name = split.capitalize()
    rows = [(rf"{name} $\overline{{\mathrm{{ERR}}}}$", "err_bar", split), (f"{name} DIV", "div", split)]
    _epoch_panels(path, settings, note, pdf, rows)


def _epoch_panels(path: str, settings: dict, note: str, pdf: str, rows: list[tuple]) -> None:
    experiment = settings["experiment"]
    datasets, [model] = experiment["datasets"], experiment["models"]
    size = (max(3.0 * len(datasets), 4.2), 2.1 * len(rows) + 0.3)
    figure = _Figure(path, settings, len(rows), len(datasets), size, sharex="col")
    for column, dataset in enumerate(datasets):
        figure.axes[0, column].set_title(f"{figure.title(dataset)}, {MODELS[model]}")
        for row, (label, metric, split) in enumerate(rows):
            axes = figure.axes[row, column]
            figure.axes[row, 0].set_ylabel(label)
            if figure.absent(axes, dataset):
                continue
            for beta, colour, style in ((0.0, BLUE, "-"), (1.0, VERMILION, "--")):
                cell = _cell(experiment, dataset, model, beta=beta)
                if metric == "gap":
                    values = figure.records.curve("test", "err", **cell) - figure.records.curve("train", "err", **cell)
                else:
                    values = figure.records.curve(split, metric, **cell)
                name = f"{split or 'test - train'} {metric}"
                options = {"label": rf"$\beta$ = {beta:g}", "linestyle": style}
                figure.line(axes, _epochs(values), values, name, cell, colour, **options)
        figure.axes[-1, column].set_xlabel("Epoch")
    figure.axes[0, 0].legend()
    figure.save(note, pdf, "Train: running over the epoch's batches, in training mode.")


def dropout(path: str, settings: dict, note: str, pdf: str) -> None:
    """Figure 18: test DIV, ERR-bar, ERR and accuracy against the share of learners dropped in training, beta = 1."""
    experiment = settings["experiment"]
    [dataset], [model] = experiment["datasets"], experiment["models"]
    figure = _Figure(path, settings, 1, 4, (9.6, 2.4))
    cell = _cell(experiment, dataset, model, beta=1.0)
    del cell["dropped"]
    names = {
        "div": ("DIV", ORANGE), "err_bar": (r"$\overline{\mathrm{ERR}}$", GREEN), "err": ("ERR", VERMILION),
        "accuracy": ("Accuracy (%)", BLUE),
    }  # fmt: skip
    for axes, (metric, (label, colour)) in zip(figure.axes[0], names.items(), strict=True):
        axes.set_title(f"Test {label}")
        if figure.absent(axes, dataset):
            continue
        shares, values = figure.records.best(metric, "dropped", **cell)
        scale = 100 if metric == "accuracy" else 1
        figure.line(axes, shares, scale * values, metric, cell, colour)
        axes.set_xticks(shares)
        axes.set_xlabel("Share of learners dropped")
    figure.save(
        note, pdf, f"{figure.title(dataset)}, {MODELS[model]}, {experiment['learners'][0]} learners. {_AT_BEST}"
    )
