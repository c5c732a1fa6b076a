"""The picture of a diagnosis: errors of the learners, correlations of their errors, codependence curve."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg

from . import style

_NAMED = 15  # learners whose names fit


def draw(report: dict, output: Path) -> None:
    """Write a PNG of a report of `publishing.diagnosis_page`."""
    figure, axes = plt.subplots(1, 3, figsize=(9, 3.1), width_ratios=(1.1, 1, 1))
    _errors(axes[0], report)
    _correlations(figure, axes[1], report)
    _codependence(axes[2], report)
    figure.suptitle(f"{report['learners']:,} learners, {report['rows']:,} rows", fontsize=9, color=style.GREY)
    figure.set_dpi(160)
    FigureCanvasAgg(figure).print_png(output, metadata={"Software": None, "Description": report["reading"]})
    plt.close(figure)


def _errors(axes, report: dict) -> None:
    ordered = sorted(report["errors"], key=lambda one: one["value"] if one["value"] is not None else np.inf)
    value, low, high = (np.array([one[k] for one in ordered], float) for k in ("value", "low", "high"))
    place = np.arange(len(ordered))
    chance = np.array([one["learner"] in report["at_chance"] for one in ordered])
    for which, colour in ((~chance, style.BLUE), (chance, style.VERMILION)):
        spread = np.abs(np.stack([value - low, high - value]))[:, which]
        axes.errorbar(value[which], place[which], xerr=spread, fmt="o", color=colour, markersize=3, linewidth=1)
    for key, label, line in (("err", "ERR", "-"), ("err_bar", "ERR-bar", "--")):
        axes.axvline(report[key]["value"], color=style.GREY, linewidth=1, linestyle=line, label=label)
    axes.set(xlabel="error, 95 % interval", ylabel="learners, best first")
    few = len(ordered) <= _NAMED
    axes.set_yticks(place if few else [], [_short(one["learner"]) for one in ordered] if few else [])
    axes.invert_yaxis()
    axes.legend(loc="best", fontsize=7)
    axes.set_title("Errors of the learners")


def _correlations(figure, axes, report: dict) -> None:
    matrix = np.array(report["correlations"], float)
    image = axes.imshow(matrix, vmin=-1, vmax=1, cmap="RdBu_r", interpolation="nearest")
    few = len(matrix) <= _NAMED
    names = [_short(one["learner"]) for one in report["errors"]] if few else []
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    axes.grid(False)
    figure.colorbar(image, ax=axes, shrink=0.8)
    axes.set_title("Correlations of their errors")


def _codependence(axes, report: dict) -> None:
    curve = report["codependence"]
    share = [one["left_out"] / one["of"] for one in curve]
    value, low, high = (np.array([one[k] for one in curve], float) for k in ("value", "low", "high"))
    axes.plot(share, value, color=style.BLUE, marker="o", markersize=3)
    axes.fill_between(share, low, high, color=style.BLUE, alpha=0.2, linewidth=0)
    axes.set(xlabel="share of the learners left out", ylabel="increase of ERR", xlim=(0, 1))
    axes.set_ylim(bottom=min(0, np.nanmin(low, initial=0)))
    axes.set_title("Codependence")


def _short(name: str) -> str:
    return name if len(name) <= 14 else name[:12] + "..."
