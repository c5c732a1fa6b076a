"""Figures 2, 3 and 4: one column a data set, beta on the horizontal axis, mean and standard deviation over the runs."""

import numpy as np
from matplotlib.axes import Axes

from .. import records
from ..errors import UserError
from ..statistics import band
from .style import BLUE, GREEN, ORANGE, VERMILION, plt, save

_FOOT = (
    "Line: mean over {runs} runs; band: one standard deviation. Each run tunes its own number of learners ({learners})."
)


class _Curves:
    """Means and bands of the tabular records, and the rows of the CSV."""

    def __init__(self, path: str, titles: dict[str, str]):
        table = records.read(path, records.RECORDS)
        self.fields = {name: records.column(table, name) for name in records.RECORDS.names}
        self.datasets = list(dict.fromkeys(self.fields["dataset"]))
        self.titles = titles
        self.metrics = sorted(set(self.fields["metric"]))
        self.rows: list[dict] = []
        if not self.datasets:
            raise UserError(f"{path} holds no records: delete it and run the workflow again.")

    def runs(self, dataset: str, metric: str) -> tuple[np.ndarray, np.ndarray]:
        """betas (b,) and values (runs, b)."""
        chosen = (self.fields["dataset"] == dataset) & (self.fields["metric"] == metric)
        beta, run, value = (self.fields[n][chosen] for n in ("beta", "run", "value"))
        betas, place = np.unique(beta, return_inverse=True)
        values = np.full((run.max() + 1, len(betas)), np.nan)
        values[run, place] = value
        return betas, values

    def draw(self, axes: Axes, dataset: str, metric: str, colour: str, scale: float = 1, **options) -> None:
        betas, values = self.runs(dataset, metric)
        mean, deviation = band(values * scale)
        axes.plot(betas, mean, color=colour, marker="o", markersize=3, **options)
        axes.fill_between(betas, mean - deviation, mean + deviation, color=colour, alpha=0.18, linewidth=0)
        for beta, m, s in zip(betas, mean, deviation, strict=True):
            self.rows.append(
                {
                    "dataset": dataset,
                    "metric": metric,
                    "beta": float(beta),
                    "mean": float(m),
                    "standard_deviation": float(s),
                    "runs": len(values),
                }
            )

    def panels(self, rows: int, height: float):
        count = len(self.datasets)
        figure, axes = plt.subplots(rows, count, figsize=(max(2.4 * count, 4.2), height), sharex=True, squeeze=False)
        for column, dataset in enumerate(self.datasets):
            axes[0, column].set_title(self.titles.get(dataset, dataset))
            axes[-1, column].set_xlabel(r"$\beta$")
            axes[-1, column].set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
        return figure, axes

    def foot(self) -> str:
        counts = {self.runs(d, "learners")[1].shape[0] for d in self.datasets}
        learners = sorted({int(v) for d in self.datasets for v in self.runs(d, "learners")[1].ravel()})
        return _FOOT.format(runs=" or ".join(map(str, sorted(counts))), learners=", ".join(map(str, learners)))


def diversity(path: str, titles: dict[str, str], note: str, pdf: str) -> None:
    """Figure 2: test MSE (top) and DIV (bottom) against beta."""
    curves = _Curves(path, titles)
    figure, axes = curves.panels(2, 3.6)
    for column, dataset in enumerate(curves.datasets):
        curves.draw(axes[0, column], dataset, "err", BLUE)
        curves.draw(axes[1, column], dataset, "div", VERMILION)
        axes[1, column].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("Test MSE (ERR)")
    axes[1, 0].set_ylabel("Diversity (DIV)")
    save(figure, pdf, curves.rows, note, curves.foot() + " In units of the variance of the target.")


def debiased(path: str, titles: dict[str, str], note: str, pdf: str) -> None:
    """Figure 3: decrease of test DIV by debiasing, in percent, against beta."""
    curves = _Curves(path, titles)
    figure, axes = curves.panels(1, 2.1)
    for column, dataset in enumerate(curves.datasets):
        curves.draw(axes[0, column], dataset, "bias_share", GREEN, scale=100)
        axes[0, column].set_ylim(0, 100)
    axes[0, 0].set_ylabel("Decrease of DIV (%)")
    save(figure, pdf, curves.rows, note, curves.foot())


def codependence(path: str, titles: dict[str, str], note: str, pdf: str) -> None:
    """Figure 4: increase of test MSE when shares of the learners are dropped, against beta."""
    curves = _Curves(path, titles)
    figure, axes = curves.panels(1, 2.4)
    drops = sorted((m for m in curves.metrics if m.startswith("increase_")), key=lambda m: float(m.split("_")[1]))
    colours, marks = (BLUE, ORANGE, VERMILION, GREEN), ("-", "--", ":", "-.")
    for column, dataset in enumerate(curves.datasets):
        for metric, colour, mark in zip(drops, colours, marks, strict=False):
            label = f"{float(metric.split('_')[1]):.0%} dropped"
            curves.draw(axes[0, column], dataset, metric, colour, linestyle=mark, label=label)
    axes[0, 0].set_ylabel("Increase of test MSE")
    axes[0, 0].legend(loc="upper left")
    foot = curves.foot() + " Absolute increase in units of the variance of the target; mean of all draws."
    save(figure, pdf, curves.rows, note, foot)
