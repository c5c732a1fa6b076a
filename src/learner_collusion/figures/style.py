"""How all figures look and are saved: one seaborn theme, colours for the colour-blind, notes below the panels."""

import json
import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter

from ..files import replacing
from ..records.identity import MADE, Made, with_beside
from ..records.parquet import provenance

# seaborn takes SciPy where it finds it, for densities and clusters. None is drawn here, and importing SciPy's statistics takes
# longer than drawing a figure: seaborn is imported as if SciPy were not installed, unless SciPy is already loaded.
_HIDDEN = "scipy" not in sys.modules
if _HIDDEN:
    sys.modules["scipy"] = None
import seaborn as sns  # noqa: E402

if _HIDDEN:
    del sys.modules["scipy"]

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

_MOST_COLUMNS = 4
_NARROWEST = 4.4  # inches; below it the notes would take more room than the panels
_FEW_POINTS = 15  # up to so many points of a line are marked
_WIDE = 10  # values that span more than this factor are drawn on a logarithmic axis
_MARKERS = "os^Dvphd"
_DASHES = ("-", (0, (4, 1.5)), (0, (1, 1)), (0, (3, 1.25, 1.5, 1.25)))


def panels(columns: int, rows: int = 1, width: float = 2.4, height: float = 1.8) -> tuple[Figure, np.ndarray]:
    """A figure and its axes (rows, columns), each of `width` by `height` inches. More than four columns continue below, in
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
    """A title, shown as it is written, that wraps before it meets that of the next panel."""
    inches = axes.figure.get_figwidth() / axes.get_gridspec().ncols
    letters = 7 if text.isupper() else 10  # an inch holds
    axes.set_title(textwrap.fill(text, max(int(letters * inches), 10)), parse_math=False)


def set_ylabel(axes: Axes, text: str) -> None:
    """The label of a row of panels, at its first one."""
    axes.set_ylabel(text if axes.get_subplotspec().is_first_col() else "")


def with_runs(band: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """`band`, a row per column of `runs`, with the runs' own values as columns `run_<id>`, as `lines` takes them."""
    columns = runs.T.rename(columns=lambda run: f"run_{run}")
    return pd.concat([band, columns.reset_index(drop=True)], axis=1)


def run_names(plotted: pd.DataFrame) -> list[str]:
    """The columns `run_<id>`."""
    return [name for name in plotted.columns if name.startswith("run_")]


def lines(
    axes: Axes, plotted: pd.DataFrame, x: str, by: str, colours: Sequence[str] | None = None, band: bool = True
) -> None:
    """The mean of each level of the column `by`, from the columns `x`, `mean`, `low`, `high`, `runs` and `run_<id>`.

    From three runs on with a band from low to high; of two runs, or without `band`, each run is a thin line. (The band of
    two runs vanishes where they agree.) All are drawn from the rows themselves, so that the figure shows what its CSV holds.
    """
    levels = list(plotted[by].unique())
    if colours is None:
        colours = PALETTE if len(levels) <= len(PALETTE) else sns.color_palette("viridis", len(levels))
    marked = plotted.groupby(by)[x].size().max() <= _FEW_POINTS
    labels = {"xlabel": axes.get_xlabel(), "ylabel": axes.get_ylabel()}  # seaborn puts the names of the columns there
    for i, (level, colour) in enumerate(zip(levels, colours, strict=False)):
        mine = plotted[plotted[by] == level]
        shape = {"marker": _MARKERS[i % len(_MARKERS)]} if marked else {"linestyle": _DASHES[i % len(_DASHES)]}
        one = {"x": x, "ax": axes, "color": colour, "estimator": None, "legend": False}
        sns.lineplot(mine, y="mean", label=str(level), markeredgewidth=0, **shape, **one)
        count = mine["runs"].max()
        if count == 2 or (count > 2 and not band):
            runs = mine.melt(x, run_names(mine), "run", "value")
            alpha = 0.55 if len(levels) < 3 else 0.3
            sns.lineplot(runs, y="value", units="run", linewidth=0.7, alpha=alpha, **one)
        elif count > 2:
            axes.fill_between(mine[x], mine["low"], mine["high"], color=colour, alpha=0.18, linewidth=0)
    axes.set(**labels)


def spread(runs: pd.Series, band: str = "") -> str:
    """The sentence on what `lines` drew, by the numbers of runs; `band` says what the band is, "" where there is none."""
    counts = sorted(runs.unique())
    if not counts:
        return ""
    if counts[-1] == 1:
        return "Line: one run."
    named = " or ".join(map(str, counts))
    if not band or counts[-1] == 2:
        return f"Thick: mean over {named} runs; thin: the runs."
    fewer = " (of two runs: thin, the runs)" if 2 in counts else ""
    return f"Line: mean over {named} runs; band: {band}{fewer}."


def log_axis(axes: Axes, plotted: pd.DataFrame) -> int:
    """A logarithmic vertical axis where means and runs span more than tenfold.

    Returns how many of the drawn values it cannot show: those of 0 or less, or below a hundredth of the lowest mean.
    """
    drawn = ["mean", *run_names(plotted)] if plotted["runs"].max() > 1 else ["mean"]
    values, means = plotted[drawn].to_numpy(float), plotted["mean"].to_numpy(float)
    positive = values[values > 0]
    if not positive.size or positive.max() <= _WIDE * positive.min():
        return 0
    bottom = max(positive.min(), means[means > 0].min(initial=positive.max()) / 100)
    axes.set_yscale("log", nonpositive="mask")
    decades = np.log10(positive.max() / bottom)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 3) if decades < 1.7 else (1,)))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}".replace("e-0", "e-"))  # 0.01, not a power of ten
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylim(bottom=0.8 * bottom)
    return int((values < bottom).sum())


def legend(figure: Figure, axes: Axes, title: str | None = None) -> None:
    """One legend of the lines in `axes` for all panels, above them, where it covers no line."""
    handles, labels = axes.get_legend_handles_labels()
    shown = [re.sub(r"\\\w+|[${}_^]", "", label) for label in labels]  # without the commands of formulas
    columns = int(12 * figure.get_figwidth() / (max(map(len, shown)) + 6))  # 6 for the handle
    columns = max(1, min(len(labels), columns))
    rows = -(-len(labels) // columns) + (title is not None)
    figure.set_figheight(figure.get_figheight() + 0.1 + 0.17 * rows)
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, title=title)


def absent(axes: Axes, text: str, width: int = 24) -> None:
    """Say in place of a panel what is missing, in lines of `width` characters."""
    axes.text(
        0.5, 0.5, textwrap.fill(text, width), ha="center", va="center", color=GREY, transform=axes.transAxes,
        parse_math=False,
    )  # fmt: skip
    axes.set_axis_off()


def save(settings, figure: Figure, output: str | Path, plotted: pd.DataFrame, foot: str = "", lacks: str = "") -> None:
    """Write the figure as PDF (`output`) and PNG, and the numbers `plotted` as CSV beside it.

    `foot` says what the lines and bands are. `settings.mark` is printed in red where the settings are not the paper's; the
    list of the differences, `settings.note`, and of what the figure `lacks` is the description in the metadata of both files.
    """
    across = int(17 * figure.get_figwidth())
    notes = [(line, GREY, True) for line in textwrap.wrap(foot, across)]
    notes += [(line, VERMILION, False) for line in textwrap.wrap(settings.mark, across)]
    inch = 0.17
    height = figure.get_figheight()
    extra = inch * len(notes) + (0.06 if notes else 0)
    figure.set_figheight(height + extra)
    engine = figure.get_layout_engine()
    engine.set(rect=(0, extra / (height + extra), 1, height / (height + extra)))
    for i, (line, colour, formulas) in enumerate(notes):
        y = (extra - 0.03 - inch * i) / (height + extra)
        figure.text(0.01, y, line, ha="left", va="top", fontsize=7.5, color=colour, parse_math=formulas)
    # The layout's solver differs in the last bits from time to time: rounded, the same numbers give the same bytes.
    engine.execute(figure)
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(value, 4) for value in axes.get_position().bounds])
    path = Path(output)
    with replacing(path.with_suffix(".csv")) as beside:
        plotted.to_csv(beside, index=False, float_format="%.9g", na_rep="nan", lineterminator="\n")
    # No dates in the files: the same numbers give the same bytes. Printed by the canvas, as `savefig` draws each file twice.
    text = " ".join(filter(None, [settings.note, lacks]))
    figure.set_dpi(matplotlib.rcParams["savefig.dpi"])
    made = getattr(settings, "origin", None)
    with replacing(path) as beside:
        described = ({"Subject": text} if text else {}) | _whose(made, path, "Keywords", path.with_suffix(".csv"))
        FigureCanvasPdf(figure).print_pdf(beside, metadata={"CreationDate": None} | described)
    figure.set_dpi(matplotlib.rcParams["savefig.dpi"])  # a PDF is drawn at 72
    with replacing(path.with_suffix(".png")) as beside:  # last, so that it has the checksums of both others
        described = {"Description": text} if text else {}
        described |= _whose(made, path, MADE, path.with_suffix(".csv"), path)
        FigureCanvasAgg(figure).print_png(beside, metadata={"Software": None} | described)
    plt.close(figure)


def _whose(made: Made | None, path: Path, name: str, *beside: Path) -> dict[str, str]:
    """Who made a figure, for its metadata."""
    known = with_beside(made, *beside)
    if known is None:
        return {}
    told = known.at(path)
    return {name: json.dumps(told | {"versions": provenance("matplotlib", "pandas")}, sort_keys=True)}
