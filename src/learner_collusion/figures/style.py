"""How all figures look and are saved: one seaborn theme, colours for the colour-blind, notes below the panels."""

import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..files import replacing

# The palette of Okabe and Ito, which the colour-blind can tell apart.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#666666",
)  # fmt: skip
PALETTE = [BLUE, ORANGE, VERMILION, GREEN, PURPLE, SKY]

sns.set_theme(
    context="paper",
    style="ticks",
    palette=PALETTE,
    font="DejaVu Sans",  # comes with Matplotlib: the same bytes on every machine
    rc={
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.labelsize": 9,
        "xtick.labelsize": 9,
        "ytick.labelsize": 9,
        "legend.fontsize": 9,
        "legend.title_fontsize": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.formatter.useoffset": False,
        "grid.color": "#E5E5E5",
        "grid.linewidth": 0.6,
        "xtick.major.width": 0.8,
        "ytick.major.width": 0.8,
        "xtick.major.size": 3.5,
        "ytick.major.size": 3.5,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "lines.markersize": 4.5,
        "pdf.fonttype": 42,
        "savefig.dpi": 160,
        "figure.constrained_layout.use": True,
    },
)

_MOST_COLUMNS = 5
_NARROWEST = 4.4  # inches; below it the notes would take more room than the panels
_FEW_POINTS = 15  # up to so many points of a line are marked


def panels(columns: int, rows: int = 1, width: float = 2.4, height: float = 1.8) -> tuple[Figure, np.ndarray]:
    """A figure and its axes (rows, columns), each of `width` by `height` inches. More than five columns continue below, in
    a second block of rows."""
    blocks = -(-columns // _MOST_COLUMNS)
    across = -(-columns // blocks)
    size = (max(width * across, _NARROWEST), height * rows * blocks + 0.3)
    figure, grid = plt.subplots(blocks * rows, across, figsize=size, squeeze=False)
    axes = grid.reshape(blocks, rows, across).swapaxes(0, 1).reshape(rows, blocks * across)
    for unused in axes[:, columns:].flat:
        unused.set_axis_off()
    return figure, axes[:, :columns]


def set_title(axes: Axes, text: str) -> None:
    """A title that wraps before it meets that of the next panel."""
    inches = axes.figure.get_figwidth() / axes.get_gridspec().ncols
    axes.set_title(textwrap.fill(text, max(int(10 * inches), 10)))


def set_ylabel(axes: Axes, text: str) -> None:
    """The label of a row of panels, at its first one."""
    axes.set_ylabel(text if axes.get_subplotspec().is_first_col() else "")


def lines(axes: Axes, plotted: pd.DataFrame, x: str, by: str, colours: Sequence[str] | None = None) -> None:
    """A line and its band for each level of the column `by`, from the columns `x`, `mean`, `low` and `high`.

    The band is drawn from the rows themselves, so that the figure shows what its CSV holds.
    """
    levels = list(plotted[by].unique())
    if colours is None:
        colours = PALETTE if len(levels) <= len(PALETTE) else sns.color_palette("viridis", len(levels))
    palette = dict(zip(levels, colours, strict=False))
    marks = plotted.groupby(by)[x].size().max() <= _FEW_POINTS
    sns.lineplot(
        plotted, x=x, y="mean", hue=by, style=by, palette=palette, ax=axes, estimator=None, errorbar=None,
        markers=dict.fromkeys(levels, "o") if marks else False, markeredgewidth=0,
    )  # fmt: skip
    for level, colour in palette.items():
        band = plotted[plotted[by] == level]
        axes.fill_between(band[x], band["low"], band["high"], color=colour, alpha=0.18, linewidth=0)
    axes.get_legend().remove()
    axes.set(xlabel="", ylabel="")


def legend(figure: Figure, axes: Axes, title: str | None = None) -> None:
    """One legend of the lines in `axes` for all panels, above them, where it covers no line."""
    handles, labels = axes.get_legend_handles_labels()
    shown = [re.sub(r"\\\w+|[${}_^]", "", label) for label in labels]  # without the commands of formulas
    columns = int(12 * figure.get_figwidth() / (max(map(len, shown)) + 6))  # 6 for the handle
    columns = max(1, min(len(labels), columns))
    rows = -(-len(labels) // columns) + (title is not None)
    figure.set_figheight(figure.get_figheight() + 0.1 + 0.17 * rows)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, title=title)


def absent(axes: Axes, text: str) -> None:
    """Say in an empty panel what is missing."""
    axes.text(0.5, 0.5, textwrap.fill(text, 24), ha="center", va="center", color=GREY, transform=axes.transAxes)
    axes.set(xticks=[], yticks=[])
    axes.grid(False)


def save(figure: Figure, output: str | Path, plotted: pd.DataFrame, note: str = "", foot: str = "") -> None:
    """Write the figure as PDF (`output`) and PNG, and the numbers `plotted` as CSV beside it.

    `foot` says what the lines and bands are; `note` marks reduced fidelity and is printed in red on the figure itself.
    """
    across = int(17 * figure.get_figwidth())
    notes = [(line, GREY) for line in textwrap.wrap(foot, across)]
    notes += [(line, VERMILION) for line in textwrap.wrap(note, across)]
    inch = 0.17
    height = figure.get_figheight()
    extra = inch * len(notes) + (0.06 if notes else 0)
    figure.set_figheight(height + extra)
    figure.get_layout_engine().set(rect=(0, extra / (height + extra), 1, height / (height + extra)))
    for i, (line, colour) in enumerate(notes):
        y = (extra - 0.03 - inch * i) / (height + extra)
        figure.text(0.01, y, line, ha="left", va="top", fontsize=7.5, color=colour)
    # The layout's solver differs in the last bits from time to time: rounded, the same numbers give the same bytes.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(value, 4) for value in axes.get_position().bounds])
    path = Path(output)
    with replacing(path.with_suffix(".csv")) as beside:
        plotted.to_csv(beside, index=False, float_format="%.9g", na_rep="nan", lineterminator="\n")
    for target in (path.with_suffix(".png"), path):
        with replacing(target) as beside:
            # no dates in the files: the same numbers give the same bytes
            metadata = {"CreationDate": None} if target.suffix == ".pdf" else {"Software": None}
            figure.savefig(beside, format=target.suffix[1:], metadata=metadata)
    plt.close(figure)
