"""Figures 2, 3 and 4: a column per data set, beta on the horizontal axis, the mean over the runs and each run.

The standard deviation, the paper's band, is in the CSV: on Facebook it reaches below 0, where no squared error is.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..claims.verdict import standard_deviation_band
from ..errors import UserError
from ..measures import count_dropped, expected_increase
from ..records import parquet
from ..records.tabular import RECORDS, by_beta, drop_rates
from .style import (
    BLUE,
    GREEN,
    VERMILION,
    legend,
    lines,
    log_axis,
    panels,
    run_names,
    save,
    set_title,
    set_ylabel,
    spread,
    with_runs,
)  # fmt: skip

_COLUMNS = ["dataset", "metric", "beta", "mean", "standard_deviation", "runs"]
_IDENTITY = "DIV (M - k) / (k (M - 1))"


def diversity(settings, records, output) -> None:
    """Figure 2: test MSE (top) and DIV (bottom) against beta."""
    table = _read(records)
    plotted = _means(table, ["err", "div"])
    figure, axes = _panels(table, settings.titles, rows=2)
    hidden = 0
    for column, (_, mine) in enumerate(plotted.groupby("dataset", sort=False)):
        for row, (metric, colour) in enumerate((("err", BLUE), ("div", VERMILION))):
            hidden += _draw(axes[row, column], mine[mine["metric"] == metric], "metric", [colour])
        axes[0, column].tick_params(labelbottom=False)
    _label(axes, "Test MSE (ERR)", "Diversity (DIV)")
    _save(settings, figure, output, table, plotted, hidden)


def debiased(settings, records, output) -> None:
    """Figure 3: decrease of test DIV by debiasing, in percent, against beta."""
    table = _read(records)
    plotted = _means(table, ["bias_share"], scale=100)
    figure, axes = _panels(table, settings.titles)
    grouped = plotted.groupby("dataset", sort=False)
    hidden = sum(_draw(panel, mine, "metric", [GREEN]) for panel, (_, mine) in zip(axes[0], grouped, strict=True))
    _label(axes, "Decrease of DIV (%)")
    _save(settings, figure, output, table, plotted, hidden)


def codependence(settings, records, output) -> None:
    """Figure 4: increase of test MSE when shares of the learners are dropped, against beta, and what DIV predicts."""
    table = _read(records)
    rates = {f"increase_{rate:g}": rate for rate in drop_rates(table)}
    plotted = _means(table, list(rates))
    plotted["share"] = plotted["metric"].map(lambda metric: f"{rates[metric]:.0%} dropped")
    plotted["predicted"] = np.concatenate(
        [_predicted(table, dataset, rate) for dataset in table["dataset"].unique() for rate in rates.values()]
    )
    figure, axes = _panels(table, settings.titles)
    hidden = 0
    for panel, (_, mine) in zip(axes[0], plotted.groupby("dataset", sort=False), strict=True):
        hidden += _draw(panel, mine, "share")
        label = "predicted from DIV"
        for _, rows in mine[mine["predicted"] > 0].groupby("share"):
            panel.plot(
                rows["beta"], rows["predicted"], color="black", linewidth=0.9, linestyle=(0, (3, 2)), label=label
            )
            label = None
    _label(axes, "Increase of test MSE")
    legend(figure, axes[0, 0])
    more = f"Dashed: {_IDENTITY}." if plotted["predicted"].notna().any() else ""
    _save(settings, figure, output, table, plotted, hidden, more, ["predicted"])


def _read(records) -> pd.DataFrame:
    table = parquet.read(records, RECORDS, published=True)
    if table.empty:
        raise UserError(f"{records} holds no records: delete it and run the workflow again.")
    return table


def _means(table: pd.DataFrame, metrics: list[str], scale: float = 1) -> pd.DataFrame:
    """Rows of the columns `_COLUMNS`, low, high and `run_<id>`: mean and standard deviation over the runs at each beta."""
    means = []
    for dataset in table["dataset"].unique():
        for metric in metrics:
            runs = scale * by_beta(table, dataset, metric)
            mean = standard_deviation_band(runs).rename_axis("beta").reset_index()
            mean = mean.rename(columns={"width": "standard_deviation"}).assign(dataset=dataset, metric=metric)
            means.append(with_runs(mean.assign(runs=len(runs)), runs))
    return pd.concat(means, ignore_index=True)


def _predicted(table: pd.DataFrame, dataset: str, rate: float) -> np.ndarray:
    """The increase of ERR that DIV alone predicts, (betas,), the mean over the runs; NaN where the records lack DIV or M.

    The mean of k of M numbers, drawn without replacement, has the variance DIV (M - k) / (k (M - 1)) about the mean of all M,
    and the squared error grows by just that (the variance of a mean in a finite population).
    """
    div, m = (by_beta(table, dataset, metric) for metric in ("div", "learners"))
    if div.empty or m.empty:
        return np.full(by_beta(table, dataset, f"increase_{rate:g}").shape[1], np.nan)
    kept = m - m.map(lambda learners: count_dropped(learners, rate))
    return expected_increase(div, m, kept).mean().to_numpy()


def _draw(panel, mine: pd.DataFrame, by: str, colours: list[str] | None = None) -> int:
    """The lines of a panel; how many of their values its axis cannot show."""
    lines(panel, mine, "beta", by, colours, band=False)
    return log_axis(panel, mine)


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


def _save(settings, figure, output, table, plotted, hidden: int, more: str = "", columns: list[str] = ()) -> None:
    lost = int(table.loc[table["metric"] == "err", "value"].isna().sum())
    learners = sorted(table.loc[table["metric"] == "learners", "value"].astype(int).unique())
    foot = [
        spread(plotted["runs"]), f"M, tuned in each run: {', '.join(map(str, learners))}.", more,
        f"Below the axes: {hidden} values." if hidden else "",
        f"No point, and no mean there: {lost} trainings that diverged." if lost else "", settings.study,
    ]  # fmt: skip
    shown = plotted[[*_COLUMNS, *run_names(plotted), *columns]]
    save(settings, figure, output, shown, " ".join(filter(None, foot)))
