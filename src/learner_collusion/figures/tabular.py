"""Figures 2, 3 and 4: a column per data set, beta on the horizontal axis, mean and standard deviation over the runs."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..claims.verdict import standard_deviation_band
from ..errors import UserError
from ..records import parquet
from ..records.tabular import RECORDS, by_beta, drop_rates
from .style import BLUE, GREEN, VERMILION, legend, lines, panels, save, set_title, set_ylabel

_COLUMNS = ["dataset", "metric", "beta", "mean", "standard_deviation", "runs"]


def diversity(settings, records, output) -> None:
    """Figure 2: test MSE (top) and DIV (bottom) against beta."""
    table = _read(records)
    plotted = _bands(table, ["err", "div"])
    figure, axes = _panels(table, settings.titles, rows=2)
    for column, (_, mine) in enumerate(plotted.groupby("dataset", sort=False)):
        for row, (metric, colour) in enumerate((("err", BLUE), ("div", VERMILION))):
            lines(axes[row, column], mine[mine["metric"] == metric], "beta", "metric", [colour])
        axes[0, column].tick_params(labelbottom=False)
        axes[1, column].set_ylim(bottom=0)
    _label(axes, "Test MSE (ERR)", "Diversity (DIV)")
    save(figure, output, plotted[_COLUMNS], settings.note, _foot(table, "In units of the variance of the target."))


def debiased(settings, records, output) -> None:
    """Figure 3: decrease of test DIV by debiasing, in percent, against beta."""
    table = _read(records)
    plotted = _bands(table, ["bias_share"], scale=100)
    figure, axes = _panels(table, settings.titles)
    for panel, (_, mine) in zip(axes[0], plotted.groupby("dataset", sort=False), strict=True):
        lines(panel, mine, "beta", "metric", [GREEN])
        panel.set_ylim(0, 100)
    _label(axes, "Decrease of DIV (%)")
    save(figure, output, plotted[_COLUMNS], settings.note, _foot(table))


def codependence(settings, records, output) -> None:
    """Figure 4: increase of test MSE when shares of the learners are dropped, against beta."""
    table = _read(records)
    shares = {f"increase_{rate:g}": f"{rate:.0%} dropped" for rate in drop_rates(table)}
    plotted = _bands(table, list(shares)).assign(share=lambda rows: rows["metric"].map(shares))
    figure, axes = _panels(table, settings.titles)
    for panel, (_, mine) in zip(axes[0], plotted.groupby("dataset", sort=False), strict=True):
        lines(panel, mine, "beta", "share")
    _label(axes, "Increase of test MSE")
    legend(figure, axes[0, 0])
    foot = _foot(
        table,
        "Learners are dropped at test time. Absolute increase in units of the variance of the target; mean of all draws.",
    )
    save(figure, output, plotted[_COLUMNS], settings.note, foot)


def _read(records) -> pd.DataFrame:
    table = parquet.read(records, RECORDS)
    if table.empty:
        raise UserError(f"{records} holds no records: delete it and run the workflow again.")
    return table


def _bands(table: pd.DataFrame, metrics: list[str], scale: float = 1) -> pd.DataFrame:
    """Rows of the columns `_COLUMNS`, low and high: mean and standard deviation over the runs at each beta."""
    bands = []
    for dataset in table["dataset"].unique():
        for metric in metrics:
            runs = scale * by_beta(table, dataset, metric)
            band = standard_deviation_band(runs).rename_axis("beta").reset_index()
            band = band.rename(columns={"width": "standard_deviation"})
            bands.append(band.assign(dataset=dataset, metric=metric, runs=len(runs)))
    return pd.concat(bands, ignore_index=True)


def _panels(table: pd.DataFrame, titles: dict[str, str], rows: int = 1) -> tuple[Figure, np.ndarray]:
    datasets = table["dataset"].unique()
    figure, axes = panels(len(datasets), rows)
    for column, dataset in enumerate(datasets):
        set_title(axes[0, column], titles.get(dataset, dataset))
    return figure, axes


def _label(axes: np.ndarray, *labels: str) -> None:
    """Labels of the axes, one of each row of panels."""
    for row, label in zip(axes, labels, strict=True):
        for panel in row:
            panel.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "", "0.5", "", "1"])
            set_ylabel(panel, label)
    for panel in axes[-1]:
        panel.set_xlabel(r"$\beta$")


def _foot(table: pd.DataFrame, more: str = "") -> str:
    runs = table.groupby("dataset")["run"].nunique()
    counts = " or ".join(map(str, sorted(runs.unique())))
    what = f"Line: mean over {counts} runs; band: one standard deviation." if runs.max() > 1 else "Line: one run."
    learners = sorted(table.loc[table["metric"] == "learners", "value"].astype(int).unique())
    return f"{what} The number of learners is tuned in each run ({', '.join(map(str, learners))}). {more}"
