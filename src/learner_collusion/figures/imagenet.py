"""Figure 6: the image experiments on the left, ImageNet on the right, each where it was run."""

from functools import partial

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..claims.verdict import standard_error_band
from ..errors import UserError
from ..models.registry import title as model_title
from ..records import parquet
from ..records.imagenet import IMAGENET, curve
from . import images
from .images import Beside, learner_names
from .style import BLUE, VERMILION, absent, lines, panels, save, set_title, with_runs

_COLOURS = {0.0: BLUE, 1.0: VERMILION}


def practical(settings, records, output, beside=None) -> None:
    """Figure 6: test accuracy against beta (`records`), and on the right ImageNet's validation accuracy of the ensemble and of
    each learner against the training iteration, beta 0 and 1 (`beside`). Either may be None: it was not run."""
    right = partial(_throughout, settings, beside) if beside else _not_run
    if records and (not beside or _available(settings, records)):
        images.against_beta(settings, records, output, right)
        return
    figure, [[panel]] = panels(1, width=4.4, height=2.8)
    shown = right(panel)
    alone = "The paper's left panels, CIFAR, are not part of these results."
    lacks = images.reasons(settings, shown.missing)
    rows = shown.rows if len(shown.rows) else pd.DataFrame(columns=images.COLUMNS)
    save(settings, figure, output, rows[images.columns(rows)], f"{shown.foot.capitalize()} {alone}".strip(), lacks)


def _available(settings, records) -> bool:
    """Whether any data set of the left panels was available."""
    return bool(
        set(settings.experiment["datasets"]) - set(parquet.read_metadata(records, published=True).get("missing", {}))
    )


def _not_run(panel: Axes) -> Beside:
    set_title(panel, f"ImageNet, {model_title('resnet18')}")
    absent(panel, "ImageNet: not run")
    return Beside(pd.DataFrame(), "", {})


def _throughout(settings, path, panel: Axes) -> Beside:
    """The right panel: thick the ensemble, thin each learner, a colour for each beta."""
    cell = settings.beside
    dataset, every = cell["dataset"], cell["evaluate_every"]
    set_title(panel, f"{settings.titles.get(dataset, dataset)}, {model_title(cell['model'])}")
    missing = parquet.read_metadata(path, published=True).get("missing", {})
    if dataset in missing:
        images.leave_out(settings, panel, dataset)
        return Beside(pd.DataFrame(), "", {dataset: missing[dataset]})
    table = parquet.read(path, IMAGENET, published=True)
    rows = pd.concat([_rows(table, cell, beta) for beta in _COLOURS], ignore_index=True)
    for beta, colour in _COLOURS.items():
        mine = rows[rows["beta"] == beta]
        lines(panel, mine.assign(line=rf"$\beta$ = {beta:g}"), "x", "line", [colour], band=False)
        for name in learner_names(mine):
            panel.plot(mine["x"], mine[name], color=colour, linewidth=0.6, alpha=0.6)
    panel.legend()
    panel.set(xlabel="Training iteration" if every else "Epoch", ylabel="Validation accuracy (%)")
    panel.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if every:
        panel.xaxis.set_major_formatter(lambda value, _: f"{value / 1000:g}k" if value else "0")
    runs = cell["runs"]
    of = "one run" if runs == 1 else f"mean over {runs} runs"
    return Beside(rows, f"{of}; thick: ensemble of {cell['learners']}, thin: each learner.", {})


def _rows(table: pd.DataFrame, cell: dict, beta: float) -> pd.DataFrame:
    """A row per evaluation, as the CSV has them. Where a run stopped early, the line ends for all of them."""
    where = {"dataset": cell["dataset"], "model": cell["model"]}
    runs = 100 * curve(table, "accuracy", beta, **where).dropna(axis=1)
    if runs.empty:
        raise UserError(
            f"The ImageNet records hold no run of {cell['model']} on {cell['dataset']} at beta {beta:g}: run the workflow to the end."
        )
    band = standard_error_band(runs).rename_axis("x").reset_index().rename(columns={"width": "two_standard_errors"})
    if every := cell["evaluate_every"]:  # the last evaluation is at the end of training
        band["x"] = (every * band["x"]).clip(upper=cell["steps"])
    known = {
        "protocol": "imagenet",
        "averaging": "probability",
        "drop_rate": 0.0,
        "beta": beta,
        "learners": cell["learners"],
    }
    rows = with_runs(band.assign(**known, **where, quantity="validation accuracy", runs=len(runs)), runs)
    for learner in range(cell["learners"]):
        alone = curve(table, "accuracy", beta, learner, **where).reindex(columns=runs.columns)
        rows[f"learner_{learner}"] = 100 * alone.mean().to_numpy()
    return rows
