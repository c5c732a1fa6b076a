"""How a verdict is reached: bootstrap interval over paired runs, threshold, verdict. And the bands that figures show.

A claim holds where all of the interval lies on its side of the threshold, does not hold where all of it lies on the
other side, and is undecided where the interval covers the threshold. The thresholds make the paper's words testable;
they were set before the numbers were seen, and are never tuned. Runs are paired across betas: they share split,
initial weights and batches.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import UserError
from ..records.claims import CLAIMS as SCHEMA
from .catalogue import Claim

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
REPORTED, LEFT_OUT = "reported", "left out"
NAN = float("nan")
METRICS = {"div": "DIV", "err": "ERR", "err_bar": "ERR-bar", "bias_share": "bias share"}  # in captions


class Measurement(NamedTuple):
    """What a claim is judged by: `runs`, a row per run, ascending, and the statistic that `caption` describes.

    `statistic`: as in `bootstrap`. `runs` may be empty: then `lacking` says why.
    """

    caption: str
    runs: pd.DataFrame | pd.Series
    statistic: Callable[[np.ndarray], np.ndarray]
    lacking: str = "no complete run"


def decide(claim: Claim, dataset: str, measured: Measurement, settings, note: str = "") -> dict:
    """One row of the claims: the statistic of the runs, its interval over resamples of runs, and the verdict.

    `settings` has bootstrap (the number of resamples), confidence and seed.
    """
    if not len(measured.runs):
        return row(claim, dataset, measured.caption, verdict=LEFT_OUT, note=measured.lacking)
    value, low, high = interval(measured, settings)
    limits = thresholds(claim)
    if not limits and "limits" in claim.options:
        note = note or claim.options.get("elsewhere", "")
    if len(measured.runs) == 1:
        note = note or "one run: no interval"
    found = verdict(low, high, **limits) if limits else REPORTED
    return row(claim, dataset, measured.caption, value, low, high, found, note)


def interval(measured: Measurement, settings) -> tuple[float, float, float]:
    """The statistic of the runs, and the ends of its interval; settings as in `decide`."""
    return bootstrap(measured.statistic, measured.runs, settings.bootstrap, settings.confidence, settings.seed)


def for_data_set(claim: Claim, name: str) -> Claim:
    """The claim with the thresholds that its option `limits` gives for the data set `name`, if any."""
    return dataclasses.replace(claim, **claim.options.get("limits", {}).get(name, {}))


def thresholds(claim: Claim) -> dict[str, float]:
    """`above` and `below`, those that the claim has; none where it is reported, not judged."""
    return {side: bound for side in ("above", "below") if (bound := getattr(claim, side)) is not None}


def verdict(low: float, high: float, above: float | None = None, below: float | None = None) -> str:
    """Where the interval [low, high] lies against the thresholds `above` and `below`, either or both."""
    bottom, top = -np.inf if above is None else above, np.inf if below is None else below
    if not np.isfinite([low, high]).all():
        return UNDECIDED
    if low > bottom and high < top:
        return HOLDS
    return FAILS if high <= bottom or low >= top else UNDECIDED


def row(
    claim: Claim, dataset: str, statistic: str, value=NAN, low=NAN, high=NAN, verdict=UNDECIDED, note="", **others
) -> dict:
    """One row of the claims; `others` replace columns, such as a threshold that is not a bound on the statistic."""
    signs = {"above": ">", "below": "<"}
    bounds = [f"{signs[side]} {bound:g}" for side, bound in thresholds(claim).items()]
    return {
        "id": claim.id,
        "part": claim.part,
        "dataset": dataset,
        "claim": f"{claim.text} ({claim.section})",
        "statistic": statistic,
        "value": value,
        "low": low,
        "high": high,
        "threshold": " and ".join(bounds),
        "verdict": verdict,
        "note": note,
        **others,
    }


def named(claim: Claim, statistics: dict[str, Callable]) -> Callable:
    """The claim's statistic among those of its judge. UserError where the judge has none of that name."""
    if claim.statistic not in statistics:
        raise UserError(
            f"The claim {claim.id} ({claim.text}) names the statistic {claim.statistic!r}, which the part "
            f"{claim.part!r} does not have: choose from {', '.join(statistics)}."
        )
    return statistics[claim.statistic]


def as_frame(rows: list[dict]) -> pd.DataFrame:
    """The rows with the columns of `records.claims`, also where there are none."""
    return pd.DataFrame(rows, columns=SCHEMA.names)


def bootstrap(
    statistic: Callable[[np.ndarray], np.ndarray],
    runs: pd.DataFrame | pd.Series | np.ndarray,
    resamples: int,
    confidence: float,
    seed: int,
) -> tuple[float, float, float]:
    """The statistic of the runs, and its percentile interval over resamples of complete runs.

    `runs` (runs,) or (runs, k) holds everything that was measured in a run, so that pairs stay together, in ascending
    order of run. `statistic` maps (resamples, runs, ...) to (resamples,). With one run there is no interval: NaN.
    """
    values = np.ascontiguousarray(runs, dtype=float)
    value = float(statistic(values[None])[0])
    if len(values) < 2:
        return value, NAN, NAN
    chosen = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    samples = statistic(values[chosen])
    tail = (1 - confidence) / 2
    low, high = np.quantile(samples, [tail, 1 - tail])
    return value, float(low), float(high)


def standard_deviation_band(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and one standard deviation (ddof 0, as in the official code) over the rows, the runs (Figures 2-4).

    Returns a row per column of `frame`, with the columns mean, low, high and width (of one side).
    """
    values = np.ascontiguousarray(frame, dtype=float)
    return _band(frame, values.mean(0), values.std(0))


def standard_error_band(frame: pd.DataFrame) -> pd.DataFrame:
    """Mean and two standard errors over the rows, the runs (Figures 5, 6 and 10-18); no width for one run.

    Returns: as `standard_deviation_band`.
    """
    values = np.ascontiguousarray(frame, dtype=float)
    if len(values) < 2:
        return _band(frame, values.mean(0), np.zeros(values.shape[1]))
    return _band(frame, values.mean(0), 2 * values.std(0, ddof=1) / np.sqrt(len(values)))


def _band(frame: pd.DataFrame, mean: np.ndarray, width: np.ndarray) -> pd.DataFrame:
    columns = {"mean": mean, "low": mean - width, "high": mean + width, "width": width}
    return pd.DataFrame(columns, index=frame.columns)
