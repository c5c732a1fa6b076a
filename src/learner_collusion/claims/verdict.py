"""How a verdict is reached: Student t interval over paired runs, threshold, verdict. And the bands that figures show.

A claim holds where all of the interval lies on its side of the threshold, does not hold where all of it lies on the other
side, and is undecided where the interval covers the threshold. With one run or two there is no verdict. The thresholds make
the paper's words testable; they were set before the numbers were seen, and are never tuned. Runs are paired across betas,
by their number: they share split, initial weights and batches.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..errors import UserError
from ..records.claims import CLAIMS as SCHEMA
from .catalogue import Claim
from .exact import exp, log
from .intervals import estimate, holm, interval, p_values

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
REPORTED, LEFT_OUT, NO_VERDICT = "reported", "left out", "no verdict"
FEWEST_RUNS = 3  # for a verdict: an interval of two runs is wide, and what it shows is two numbers
NAN = float("nan")
METRICS = {"div": "DIV", "err": "ERR", "err_bar": "ERR-bar", "bias_share": "bias share"}  # in captions


class Measurement(NamedTuple):
    """What a claim is judged by.

    `values` (runs, m, k): what was measured in each run, differences or, with `ratio`, ratios, of which the claim is about
    an order statistic (`intervals`). `left_out` names the runs that do not count, and why. `lacking`: why nothing can be
    compared; the row is then left out. `effect`: the size in words. `note`: a remark.
    """

    caption: str
    values: np.ndarray
    left_out: Mapping[int, str] = {}
    rank: int = 1
    ratio: bool = False
    lacking: str = ""
    effect: str = ""
    note: str = ""


def paired(columns: Mapping[str, pd.Series], runs: Iterable[int]) -> tuple[pd.DataFrame, dict[int, str]]:
    """The runs that have a finite number in every column, in ascending order, and why each of the others has not.

    `columns`: numbers by run, under the names that a note shows. `runs`: those that there should be; others that a column
    holds count as well.
    """
    expected = sorted({*runs, *(run for column in columns.values() for run in column.index)})
    frame = pd.DataFrame({name: column.reindex(expected) for name, column in columns.items()}, index=expected)
    finite = np.isfinite(frame.to_numpy(float))
    left_out = {run: f"no {frame.columns[~ok][0]}" for run, ok in zip(expected, finite, strict=True) if not ok.all()}
    return frame[finite.all(1)], left_out


def decide(claim: Claim, dataset: str, measured: Measurement, confidence: float) -> dict:
    """One row of the claims: the statistic of the runs, its interval at `confidence`, and the verdict."""
    found = measured.values.reshape(len(measured.values), *(measured.values.shape[1:] or (1, 1))).astype(float)
    left_out = ", ".join(f"{run} ({why})" for run, why in measured.left_out.items())
    without = f"without run{'s' * (len(measured.left_out) > 1)} {left_out}" if left_out else ""
    if measured.lacking or not len(found):
        note = measured.lacking or "no complete run" + f": {without}" * bool(without)
        return row(claim, dataset, measured.caption, verdict=LEFT_OUT, note=note)
    if not np.isfinite(found).all() or (measured.ratio and (found <= 0).any()):
        raise ValueError("Measured values must be finite, and ratios positive: leave the other runs out by name.")
    to, back = (log, exp) if measured.ratio else (_same, _same)
    scaled, limits = to(found), {side: float(to(bound)) for side, bound in thresholds(claim).items()}
    value, low, high, p = float(estimate(scaled, measured.rank)), NAN, NAN, NAN
    remarks = [measured.note, without]
    if not limits and "limits" in claim.options and claim.section:
        remarks.append(claim.options.get("elsewhere", ""))
    each = [float(number) for number in estimate(scaled[:, None], measured.rank)]
    if len(scaled) < FEWEST_RUNS:
        judged = NO_VERDICT if limits else REPORTED
        remarks.append(_few([float(back(number)) for number in each]))
    else:
        low, high = (float(end) for end in interval(scaled, confidence, measured.rank))
        judged = verdict(low, high, **limits) if limits else REPORTED
        p = two_sided(scaled, measured.rank, **limits) if limits else NAN
    numbers = [float(back(number)) for number in (value, low, high)]
    note = "; ".join(filter(None, remarks))
    on_its_side = sum(verdict(one, one, **limits) == HOLDS for one in each) if limits else 0
    others = {"runs": len(scaled), "on_its_side": on_its_side, "p": p, "effect": measured.effect}
    return row(claim, dataset, measured.caption, *numbers, judged, note, **others)


def _same(numbers):
    return numbers


def _few(each: list[float]) -> str:
    return "one run" if len(each) == 1 else f"two runs: {' and '.join(f'{one:.3g}' for one in each)}"


def two_sided(values: np.ndarray, rank: int, above: float | None = None, below: float | None = None) -> float:
    """The smallest 1 - confidence at which `verdict` decides, either way."""
    sides = [p_values(values, bound, rank) for bound in (above, below) if bound is not None]
    if above is not None and below is not None:
        (is_above, under), (over, is_below) = sides
        holds, fails = max(is_above, is_below), min(under, over)
    else:
        holds, fails = sides[0] if above is not None else sides[0][::-1]
    return float(min(1.0, 2 * min(holds, fails)))


def for_data_set(claim: Claim, name: str, of_the_paper: bool = True) -> Claim:
    """The claim as it is judged on one data set: with the thresholds of its option `limits`, if any; on a data set that is
    not the paper's under a neutral text that names neither figure nor data set."""
    if of_the_paper:
        return dataclasses.replace(claim, **claim.options.get("limits", {}).get(name, {}))
    return dataclasses.replace(claim, text=claim.neutral or claim.text, section="", remark="")


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
    bounds = [f"{signs[side]} {bound:.3g}" for side, bound in thresholds(claim).items()]
    return {
        "id": claim.id,
        "part": claim.part,
        "dataset": dataset,
        "claim": f"{claim.text} ({claim.section})" if claim.section else claim.text,
        "measures": " ".join(filter(None, [claim.measures, claim.remark])),
        "statistic": statistic,
        "value": value,
        "low": low,
        "high": high,
        "runs": 0,
        "on_its_side": 0,
        "p": NAN,
        "survives": False,
        "threshold": " and ".join(bounds),
        "verdict": verdict,
        "effect": "",
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


def as_frame(rows: list[dict], confidence: float | None = None) -> pd.DataFrame:
    """The rows with the columns of `records.claims`, also where there are none. With `confidence`, `survives` marks the
    verdicts that stay after Holm's correction for all verdicts of the part."""
    frame = pd.DataFrame(rows, columns=SCHEMA.names)
    if confidence is not None:
        frame["survives"] = holm(frame["p"].to_numpy(float), 1 - confidence)
    return frame


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
