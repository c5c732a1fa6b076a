"""How all figures look and are saved."""

import csv
import textwrap
from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from ..files import replacing

# Okabe & Ito's colours, told apart by the colour-blind.
BLUE, VERMILION, GREEN, ORANGE, PURPLE, SKY, GREY = (
    "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9", "#666666",
)  # fmt: skip

plt.rcParams.update(
    {
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "grid.color": "#E5E5E5",
        "grid.linewidth": 0.6,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "pdf.fonttype": 42,
        "savefig.dpi": 160,
        "figure.constrained_layout.use": True,
    }
)


def save(figure: Figure, pdf: str, rows: Iterable[dict], note: str = "", foot: str = "") -> None:
    """Write the figure as `pdf` and .png, and the plotted numbers `rows` as .csv beside it.

    `foot` says what the bands are; `note` marks reduced fidelity and is printed in red on the figure itself.
    """
    lines = textwrap.wrap(foot, int(17 * figure.get_figwidth())) if foot else []
    warnings = textwrap.wrap(note, int(17 * figure.get_figwidth())) if note else []
    inch = 0.17
    height = figure.get_figheight()
    extra = inch * (len(lines) + len(warnings)) + (0.06 if lines or warnings else 0)
    figure.set_figheight(height + extra)
    figure.get_layout_engine().set(rect=(0, extra / (height + extra), 1, height / (height + extra)))
    for i, (line, colour) in enumerate([(x, GREY) for x in lines] + [(x, VERMILION) for x in warnings]):
        y = (extra - 0.03 - inch * i) / (height + extra)
        figure.text(0.01, y, line, ha="left", va="top", fontsize=7.5, color=colour)
    # The layout's solver differs in the last bits from time to time: rounded, the same numbers give the same bytes.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        axes.set_position([round(value, 4) for value in axes.get_position().bounds])
    path = Path(pdf)
    with replacing(path.with_suffix(".csv")) as beside:
        _write_rows(beside, list(rows))
    for target in (path.with_suffix(".png"), path):
        with replacing(target) as beside:
            # no dates in the files: the same numbers give the same bytes
            metadata = {"CreationDate": None} if target.suffix == ".pdf" else {"Software": None}
            figure.savefig(beside, format=target.suffix[1:], metadata=metadata)
    plt.close(figure)


def _write_rows(path: Path, rows: list[dict]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]) if rows else [], lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: f"{v:.9g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)
