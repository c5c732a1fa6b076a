"""Figures 5, 6 (left) and 10 to 18: mean over the runs with two standard errors, or the two runs themselves, against beta,
epoch, or share of dropped learners.

Each figure collects its lines in one tidy frame, with a row per point; the panels and the CSV show its rows.
"""

import math
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..claims.verdict import standard_error_band
from ..errors import UserError
from ..models.registry import title as model_title
from ..records import parquet
from ..records.images import CELL, IMAGES, at_best, curve, select
from .style import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    VERMILION,
    absent,
    legend,
    lines,
    panels,
    run_names,
    save,
    set_title,
    set_ylabel,
    spread,
    with_runs,
)  # fmt: skip

_CELL = [name for name in CELL if name != "run"]
COLUMNS = [*_CELL, "quantity", "x", "mean", "two_standard_errors", "runs"]
_LABELS = {"accuracy": "Test accuracy (%)", "err": "Test loss (ERR)"}
# What the values of each split are; the training curve is part of the training itself.
_MEASURED = {
    "train": "Train: running mean in training mode.",
    "test": "Test: evaluation mode.",
}
_GUESS = "Dotted: a uniform guess."


class Beside(NamedTuple):
    """What a panel of other records shows beside a figure's own: its rows, as those of the CSV, what its lines are, and the data
    sets that were not available, each with the reason."""

    rows: pd.DataFrame
    foot: str
    missing: dict[str, str]


def gap(settings, records, output) -> None:
    """Figure 5: test minus train ERR against the epoch, beta 0 and 1."""
    _against_epoch(settings, records, output, {("test - train", "err"): "Test - train ERR"})


def losses(settings, records, output) -> None:
    """Figure 10: train (top) and test ERR (bottom) against the epoch, beta 0 and 1."""
    _against_epoch(settings, records, output, {("train", "err"): "Train ERR", ("test", "err"): "Test ERR"})


def decomposition(settings, records, output) -> None:
    """Figures 11 and 12: ERR-bar (top) and DIV (bottom) against the epoch, beta 0 and 1. Option `split`: train or test."""
    split = settings.options["split"]
    name = split.capitalize()
    labels = {(split, "err_bar"): rf"{name} $\overline{{\mathrm{{ERR}}}}$", (split, "div"): f"{name} DIV"}
    _against_epoch(settings, records, output, labels)


def against_beta(settings, records, output, right: Callable[[Axes], Beside] | None = None) -> None:
    """Figures 6 (left), 13, 14 and 17: a test metric against beta, a column per data set, a row per model.

    Option `metric`: accuracy or err; `learners` adds the accuracy of each learner as a thin line. `right` draws one more
    panel, at the end of the first row.
    """
    experiment, metric = settings.experiment, settings.options["metric"]
    each = settings.options.get("learners", False)
    table, missing = _read(records, experiment)
    if _nothing(settings, output, missing):
        return
    cells = [_cell(experiment, dataset=d, model=m) for m in experiment["models"] for d in experiment["datasets"]]
    plotted = _join(_best_rows(table, metric, "beta", cell, each) for cell in cells if cell["dataset"] not in missing)
    figure, axes = panels(len(experiment["datasets"]) + (right is not None), len(experiment["models"]), 2.7, 2.1)
    guesses, guessed = _guesses(records, experiment), False
    for cell, panel in zip(cells, axes[:, : len(experiment["datasets"])].flat, strict=True):
        set_title(panel, f"{_title(settings, cell['dataset'])}, {model_title(cell['model'])}")
        if cell["dataset"] in missing:
            leave_out(settings, panel, cell["dataset"])
            continue
        _draw(panel, plotted, BLUE, dataset=cell["dataset"], model=cell["model"])
        _beta_axis(panel)
        set_ylabel(panel, _LABELS[metric])
        guessed |= metric == "err" and _mark_guess(panel, guesses.get(cell["dataset"]))
    if each:
        legend(figure, next(panel for panel in axes.flat if panel.lines))
    [learners] = experiment["learners"]
    more = f"{learners} learners, {experiment['averaging']} averaging. {_GUESS * guessed}".strip()
    if right is None:
        _save(settings, figure, output, plotted, missing, more)
        return
    for panel in axes[1:, -1]:
        panel.set_axis_off()
    _save(settings, figure, output, plotted, missing, more, right(axes[0, -1]))


def both_metrics(settings, records, output) -> None:
    """Figures 15 and 16: test accuracy (top) and loss (bottom) against beta, a column per number of learners."""
    experiment = settings.experiment
    [dataset], [model] = experiment["datasets"], experiment["models"]
    table, missing = _read(records, experiment)
    if _nothing(settings, output, missing):
        return
    cells = [_cell(experiment, learners=learners) for learners in experiment["learners"]]
    plotted = _join(_best_rows(table, metric, "beta", cell) for cell in cells for metric in ("accuracy", "err"))
    figure, axes = panels(len(cells), 2, 2.9, 1.9)
    guesses, guessed = _guesses(records, experiment), False
    for column, cell in enumerate(cells):
        size = f"M\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{cell['learners']}"
        set_title(axes[0, column], f"{_title(settings, dataset)}, {model_title(model)}, {size}")
        for panel, metric, colour in zip(axes[:, column], ("accuracy", "err"), (BLUE, VERMILION), strict=True):
            _draw(panel, plotted, colour, learners=cell["learners"], quantity=metric)
            _beta_axis(panel)
            set_ylabel(panel, _LABELS[metric])
        guessed |= _mark_guess(axes[1, column], guesses.get(dataset))
        _share_x_labels(axes[:, column])
    _save(settings, figure, output, plotted, missing, _GUESS * guessed)


def dropout(settings, records, output) -> None:
    """Figure 18: test DIV, ERR-bar, ERR and accuracy against the share of learners dropped in training, beta = 1."""
    experiment = settings.experiment
    table, missing = _read(records, experiment)
    if _nothing(settings, output, missing):
        return
    cell = _cell(experiment, beta=1.0)
    del cell["drop_rate"]
    names = {
        "div": ("DIV", ORANGE), "err_bar": (r"$\overline{\mathrm{ERR}}$", GREEN), "err": ("ERR", VERMILION),
        "accuracy": ("accuracy (%)", BLUE),
    }  # fmt: skip
    plotted = _join(_best_rows(table, metric, "drop_rate", cell) for metric in names)
    figure, axes = panels(len(names), width=2.4, height=2.1)
    for panel, (metric, (label, colour)) in zip(axes[0], names.items(), strict=True):
        panel.set_title(f"Test {label}")
        _draw(panel, plotted, colour, quantity=metric)
        panel.set_xticks(plotted["x"].unique())
        panel.set_xlabel("Share of learners dropped")
    what = f"{_title(settings, cell['dataset'])}, {model_title(cell['model'])}, M = {cell['learners']}, \N{GREEK SMALL LETTER BETA} = 1"
    figure.suptitle(what, fontsize=10, parse_math=False)
    _save(settings, figure, output, plotted, missing)


def _against_epoch(settings, records, output, labels: dict[tuple[str, str], str]) -> None:
    """A column per data set, a row per (split, metric) in `labels`, a line each for beta 0 and 1. The split is train, test, or
    "test - train"."""
    experiment = settings.experiment
    datasets, [model] = experiment["datasets"], experiment["models"]
    table, missing = _read(records, experiment)
    if _nothing(settings, output, missing):
        return
    plotted = _join(
        _curve_rows(table, split, metric, _cell(experiment, dataset=dataset, beta=beta))
        for dataset in datasets if dataset not in missing for split, metric in labels for beta in (0.0, 1.0)
    )  # fmt: skip
    figure, axes = panels(len(datasets), len(labels), 3.0, 2.1)
    guesses, guessed = _guesses(records, experiment), False
    for column, dataset in enumerate(datasets):
        set_title(axes[0, column], f"{_title(settings, dataset)}, {model_title(model)}")
        for panel, ((split, metric), label) in zip(axes[:, column], labels.items(), strict=True):
            if dataset in missing:
                leave_out(settings, panel, dataset)
                continue
            mine = plotted[(plotted["dataset"] == dataset) & (plotted["quantity"] == _quantity(split, metric))]
            named = mine.assign(line=mine["beta"].map(lambda beta: rf"$\beta$ = {beta:g}"))
            lines(panel, named, "x", "line", [BLUE, VERMILION])
            panel.set_xlabel(
                f"Evaluation (every {settings.evaluate_every} batches)" if settings.evaluate_every else "Epoch"
            )
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
            set_ylabel(panel, label)
            if (split, metric) == ("test", "err"):
                guessed |= _mark_guess(panel, guesses.get(dataset))
        _share_x_labels(axes[:, column])
    legend(figure, next(panel for panel in axes.flat if panel.lines))
    more = [text for split, text in _MEASURED.items() if any(split in shown for shown, _ in labels)]
    _save(settings, figure, output, plotted, missing, " ".join([*more, _GUESS * guessed]))


def _guesses(records, experiment: dict) -> dict[str, float]:
    """The test ERR of a uniform guess among the classes of each data set, ln K; none where the records do not say how many."""
    made = parquet.read_metadata(records, published=True).get("settings", {})
    found = {}
    for dataset in experiment["datasets"]:
        if cells := made.get(f"{experiment['protocol']}-{dataset}"):  # which have the data set in common
            found[dataset] = math.log(cells[0]["dataset"]["classes"])
    return found


def _mark_guess(panel: Axes, guess: float | None) -> bool:
    """A dotted line at the loss of a uniform guess, where that lies within what the panel shows anyway; whether it does."""
    limits = panel.get_ylim()
    if guess is None or not limits[0] < guess < limits[1]:
        return False
    panel.axhline(guess, color=GREY, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=1)
    panel.set_ylim(limits)
    return True


def _read(records, experiment: dict) -> tuple[pd.DataFrame, dict[str, str]]:
    """The image records, and the experiment's data sets that were not available, each with the reason."""
    missing = parquet.read_metadata(records, published=True).get("missing", {})
    return parquet.read(records, IMAGES, published=True), {
        name: missing[name] for name in experiment["datasets"] if name in missing
    }


def _title(settings, dataset: str) -> str:
    return settings.titles.get(dataset, dataset)


def _cell(experiment: dict, **others) -> dict:
    """The cell of an experiment, by default with its first data set, model and number of learners, at drop rate 0."""
    return {
        "protocol": experiment["protocol"],
        "dataset": experiment["datasets"][0],
        "model": experiment["models"][0],
        "learners": experiment["learners"][0],
        "averaging": experiment["averaging"],
        "drop_rate": 0.0,
    } | others


def _quantity(split: str, metric: str) -> str:
    return "test - train gap" if split == "test - train" else f"{split} {metric}"


def _curve_rows(table: pd.DataFrame, split: str, metric: str, cell: dict) -> pd.DataFrame:
    """Rows of `plotted`: a metric over training. Where a run stopped early, the line ends for all of them."""
    if split == "test - train":
        runs = curve(table, "test", metric, **cell) - curve(table, "train", metric, **cell)
    else:
        runs = curve(table, split, metric, **cell)
    return _rows(runs.dropna(axis=1), _quantity(split, metric), cell)


def _best_rows(table: pd.DataFrame, metric: str, by: str, cell: dict, learners: bool = False) -> pd.DataFrame:
    """Rows of `plotted`: a test metric against the column `by`, at each run's evaluation of lowest validation ERR. With
    `learners` a column `learner_<number>` for each, its mean over the runs."""
    scale = 100 if metric == "accuracy" else 1
    rows = _rows(scale * at_best(table, metric, by, **cell), metric, cell)
    for number in range(cell["learners"] if learners else 0):
        alone = table[(table["learner"] == number) | (table["metric"] == "best")].assign(learner=-1)
        rows[f"learner_{number}"] = scale * at_best(alone, metric, by, **cell).mean().to_numpy()
    return rows


def _rows(runs: pd.DataFrame, quantity: str, cell: dict) -> pd.DataFrame:
    """`runs` has a row per run and a column per x; returns a row per x, with the columns `COLUMNS`, low, high, `run_<id>`."""
    if runs.empty:
        named = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in cell.items())
        raise UserError(f"The image records hold no complete run of {named}: run the workflow to the end.")
    band = standard_error_band(runs).rename_axis("x").reset_index().rename(columns={"width": "two_standard_errors"})
    # what is on the horizontal axis is no part of the cell
    band = band.assign(**{name: cell.get(name, "") for name in _CELL}, quantity=quantity, runs=len(runs))
    return with_runs(band, runs)


def _join(rows: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(rows, ignore_index=True)


def _draw(panel: Axes, plotted: pd.DataFrame, colour: str, **where) -> None:
    """The line of the rows whose columns have these values."""
    mine = select(plotted, **where).assign(line="ensemble")
    lines(panel, mine, "x", "line", [colour])
    for name in learner_names(mine):
        label = "each learner" if name == "learner_0" else None
        panel.plot(mine["x"], mine[name], color=GREY, linewidth=0.6, linestyle=(0, (4, 2)), label=label)


def learner_names(plotted: pd.DataFrame) -> list[str]:
    """The columns `learner_<number>`."""
    return [name for name in plotted.columns if name.startswith("learner_")]


def _beta_axis(panel: Axes) -> None:
    panel.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    panel.set_xlabel(r"$\beta$")


def _share_x_labels(column: Iterable[Axes]) -> None:
    """Numbers and label of the horizontal axis at the lowest panel alone; all of a column have the same."""
    for panel in list(column)[:-1]:
        panel.set_xlabel("")
        panel.tick_params(labelbottom=False)


def leave_out(settings, panel: Axes, dataset: str) -> None:
    """Say in place of a panel that its data set is not available."""
    absent(panel, f"{_title(settings, dataset)}: not available, left out")


def _nothing(settings, output, missing: dict[str, str]) -> bool:
    """Whether none of the experiment's data sets was available: then the figure says so, and its CSV has no rows."""
    names = settings.experiment["datasets"]
    if set(names) - set(missing):
        return False
    figure, [[panel]] = panels(1, width=4.4, height=0.4)
    absent(panel, f"{', '.join(_title(settings, name) for name in names)}: not available, not drawn", 60)
    save(settings, figure, output, pd.DataFrame(columns=COLUMNS), lacks=reasons(settings, missing))
    return True


def _save(
    settings,
    figure,
    output,
    plotted: pd.DataFrame,
    missing: dict[str, str],
    more: str = "",
    beside: Beside | None = None,
) -> None:
    foot = f"{spread(plotted['runs'], 'two standard errors')} {more}".strip()
    if beside is not None:
        plotted = pd.concat([plotted, beside.rows], ignore_index=True) if len(beside.rows) else plotted
        foot, missing = f"{foot} Right: {beside.foot}" if beside.foot else foot, missing | beside.missing
    save(settings, figure, output, plotted[columns(plotted)], foot, reasons(settings, missing))


def columns(plotted: pd.DataFrame) -> list[str]:
    """The columns of a figure's CSV."""
    return [*COLUMNS, *run_names(plotted), *learner_names(plotted)]


def reasons(settings, missing: dict[str, str]) -> str:
    """What a figure lacks, and why."""
    return " ".join(f"{_title(settings, dataset)} is left out: {reason}." for dataset, reason in missing.items())
