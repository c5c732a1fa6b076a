"""The paper's claims as checks over the records: statistic, bootstrap interval over paired runs, threshold, verdict.

A claim holds where the whole interval lies on its side of the threshold, does not hold where the whole interval lies on
the other, and is undecided where the interval covers it. The thresholds make the paper's words testable; they were set
before the numbers were known, and are never tuned.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from . import records
from .errors import UserError
from .files import write_text
from .statistics import bootstrap

HOLDS, FAILS, UNDECIDED = "holds", "does not hold", "undecided"
PARTS = {
    "theory": "Theory (Sections 4 and 5, Appendices C to E)",
    "tabular": "Tabular data (Section 6.1, Figures 2-4)",
    "images": "Images (Sections 6.2 and 6.3, Figures 5, 6 and 10-18)",
    "imagenet": "ImageNet (Section 3, Table 1)",
}


def verdict(low: float, high: float, above: float | None = None, below: float | None = None) -> str:
    """Where the interval [low, high] lies against "above" and "below" thresholds, either or both."""
    bottom, top = -np.inf if above is None else above, np.inf if below is None else below
    if not np.isfinite([low, high]).all():
        return UNDECIDED
    if low > bottom and high < top:
        return HOLDS
    return FAILS if high <= bottom or low >= top else UNDECIDED


class _Tabular:
    """The tabular records as arrays (runs, betas) for each data set and metric."""

    def __init__(self, path: str, settings: dict):
        table = records.read(path, records.RECORDS)
        self.settings = settings
        fields = {name: records.column(table, name) for name in records.RECORDS.names}
        self.datasets = list(dict.fromkeys(fields["dataset"]))
        self.betas = sorted(set(fields["beta"]))
        self.values: dict[tuple[str, str], np.ndarray] = {}
        place = {beta: i for i, beta in enumerate(self.betas)}
        for dataset in self.datasets:
            mine = fields["dataset"] == dataset
            runs = fields["run"][mine].max() + 1
            for metric in set(fields["metric"][mine]):
                chosen = mine & (fields["metric"] == metric)
                grid = np.full((runs, len(self.betas)), np.nan)
                grid[fields["run"][chosen], [place[b] for b in fields["beta"][chosen]]] = fields["value"][chosen]
                self.values[dataset, metric] = grid
        self.drops = sorted(
            float(m.split("_")[1]) for d, m in self.values if m.startswith("increase_") and d == self.datasets[0]
        )

    def at(self, dataset: str, metric: str, beta: float) -> np.ndarray:
        """(runs,) of one metric at the beta closest to `beta`."""
        return self.values[dataset, metric][:, self.nearest(beta)]

    def nearest(self, beta: float) -> int:
        return int(np.argmin(np.abs(np.array(self.betas) - beta)))

    def judge(self, claim: dict, dataset: str, runs: np.ndarray, statistic: Callable, unit: str, **thresholds) -> dict:
        """One row: `runs` (runs, k) columns measured in each run, `statistic` of (resamples, runs, k)."""
        return judge(claim, dataset, unit, runs, statistic, self.settings, **thresholds)


def judge(
    claim: dict, dataset: str, unit: str, runs: np.ndarray, statistic: Callable, settings: dict, **thresholds
) -> dict:
    """One row: the statistic of `runs` (runs, ...), its interval over resamples of whole runs, and the verdict."""
    value, low, high = bootstrap(statistic, runs, settings["bootstrap"], settings["level"], settings["seed"])
    return row_of(claim, dataset, unit, value, low, high, verdict(low, high, **thresholds), **thresholds)


def row_of(claim, dataset, statistic, value, low, high, verdict_, above=None, below=None, note="") -> dict:
    """One row of the claims; `claim` holds id, part and claim."""
    bounds = [f"{sign} {bound:g}" for sign, bound in ((">", above), ("<", below)) if bound is not None]
    return {
        **claim,
        "dataset": dataset,
        "statistic": statistic,
        "value": value,
        "low": low,
        "high": high,
        "threshold": " and ".join(bounds),
        "verdict": verdict_,
        "note": note,
    }


def _ratio_of_means(runs: np.ndarray) -> np.ndarray:
    means = runs.mean(1)
    return means[:, 0] / means[:, 1]


def _excess_over_five_times(runs: np.ndarray) -> np.ndarray:
    means = runs.mean(1)
    return means[:, 0] - 5 * np.abs(means[:, 1])


def _difference_of_means(runs: np.ndarray) -> np.ndarray:
    means = runs.mean(1)
    return means[:, 0] - means[:, 1]


def judge_tabular(path: str, settings: dict) -> list[dict]:
    """C1 to C5 of the tabular records at `path`; `settings` holds bootstrap, level and seed."""
    t = _Tabular(path, settings)
    middle = f"{t.betas[t.nearest(0.5)]:g}"

    def claim(identifier: str, text: str) -> dict:
        return {"id": identifier, "part": "tabular", "claim": text}

    def pair(dataset: str, first: tuple, second: tuple) -> np.ndarray:
        return np.stack([t.at(dataset, *first), t.at(dataset, *second)], 1)

    rows = []
    for d in t.datasets:
        c = claim("C1a", "Diversity explodes as beta goes to 1 (Figure 2)")
        runs = pair(d, ("div", 1), ("div", 0))
        rows.append(t.judge(c, d, runs, _ratio_of_means, "DIV(1) / DIV(0)", above=10))
    for d in t.datasets:
        c = claim("C1b", "Diversity stays low for most values of beta (Figure 2)")
        runs = pair(d, ("div", 0.5), ("div", 0))
        rows.append(t.judge(c, d, runs, _ratio_of_means, f"DIV({middle}) / DIV(0)", below=3))
    ratios = []
    for d in t.datasets:
        c = claim("C2", "At beta = 1 diversity often exceeds the ensemble's MSE (Figure 2)")
        rows.append(t.judge(c, d, pair(d, ("div", 1), ("err", 1)), _ratio_of_means, "DIV(1) / ERR(1)", above=1))
        ratios.append(rows[-1]["verdict"])
    rows.append(_often(claim("C2", "At beta = 1 diversity often exceeds the ensemble's MSE (Figure 2)"), ratios))
    for d in t.datasets:
        c = claim("C3", "Facebook's MSE is hardly affected by beta (Figure 2); elsewhere reported without a threshold")
        limits = {"above": -0.05, "below": 0.05} if d == "facebook" else {}
        rows.append(t.judge(c, d, pair(d, ("err", 1), ("err", 0)), _difference_of_means, "ERR(1) - ERR(0)", **limits))
        if not limits:
            rows[-1]["verdict"] = "reported"
    c = claim("C4a", "Constant bias explains about half of the diversity at beta = 1 (Figure 3)")
    shares = [t.at(d, "bias_share", 1) for d in t.datasets]
    if len({len(s) for s in shares}) == 1:
        mean = np.stack(shares, 1)
        rows.append(t.judge(c, "mean of all", mean, lambda r: r.mean((1, 2)), "bias share(1)", above=0.3, below=0.7))
    for d in t.datasets:
        c = claim("C4b", "The bias's share of diversity is large only as beta goes to 1 (Figure 3)")
        runs = pair(d, ("bias_share", 1), ("bias_share", 0.5))
        rows.append(t.judge(c, d, runs, _difference_of_means, f"bias share(1) - bias share({middle})", above=0.1))
    first = f"increase_{t.drops[0]:g}"
    for d in t.datasets:
        c = claim("C5a", f"Dropping {t.drops[0]:.0%} of the learners is catastrophic at beta = 1 alone (Figure 4)")
        runs = pair(d, (first, 1), (first, 0.5))
        _, lowest, _ = bootstrap(
            lambda r: r.mean(1)[:, 1], runs, *(settings[k] for k in ("bootstrap", "level", "seed"))
        )
        if lowest > 0:
            unit = f"increase(1) / increase({middle})"
            rows.append(t.judge(c, d, runs, _ratio_of_means, unit, above=5))
        else:  # a ratio to what may be no increase at all means nothing; the same threshold as a difference does
            unit = f"increase(1) - 5 |increase({middle})|"
            rows.append(t.judge(c, d, runs, _excess_over_five_times, unit, above=0))
            rows[-1]["note"] = f"judged as a difference: increase({middle}) itself may be 0"
    for d in t.datasets:
        c = claim("C5b", "The more learners are dropped the worse, at beta = 1 (Figure 4)")
        runs = np.stack([t.at(d, f"increase_{drop:g}", 1) for drop in t.drops], 1)
        if len(t.drops) > 1:
            rows.append(
                t.judge(
                    c, d, runs, lambda r: np.diff(r.mean(1), axis=1).min(1), "smallest step between shares", above=0
                )
            )
    return rows


def _often(claim: dict, verdicts: list[str]) -> dict:
    """C2's own threshold: on at least half of the data sets."""
    holds, fails, half = verdicts.count(HOLDS), verdicts.count(FAILS), len(verdicts) / 2
    found = HOLDS if holds >= half else FAILS if len(verdicts) - fails < half else UNDECIDED
    row = row_of(claim, "at least half", "data sets with DIV(1) > ERR(1)", holds, np.nan, np.nan, found)
    return row | {"threshold": f">= {half:g} of {len(verdicts)}"}


def judge_theory(cases: int, seed: int) -> list[dict]:
    """C15: the largest error of each identity over random cases."""
    from .theory_checks import IDENTITIES, largest_errors

    rows = []
    for name, error in largest_errors(cases, seed).items():
        text = f"{name}: {IDENTITIES[name]}"
        c = {"id": "C15", "part": "theory", "claim": text}
        statistic = f"largest error of {cases} cases"
        rows.append(
            row_of(c, "random cases", statistic, error, np.nan, np.nan, HOLDS if error < 1e-9 else FAILS, below=1e-9)
        )
    return rows


def write(rows: list[dict], part: str, note: str, titles: dict[str, str], markdown: str, parquet: str) -> None:
    """Write the claims of one part as a Markdown table and as Parquet; `titles` names the data sets."""
    columns = {name: [row[name] for row in rows] for name in records.CLAIMS.names}
    metadata = {"part": part, "fidelity": note, "titles": titles, "provenance": records.provenance()}
    records.write(parquet, columns, records.CLAIMS, metadata)
    write_text(markdown, f"# Claims: {PARTS[part]}\n\n{_section(rows, note, titles)}\n{_LEGEND}")


def combine(parts: list[str], markdown: str, parquet: str) -> None:
    """Put the parts that are there together: `results/claims.md`."""
    text, names = "# Claims\n\n", []
    for path in parts:
        table = records.read(path, records.CLAIMS)
        known = records.metadata_of(table)
        names.append(known["part"])
        text += f"## {PARTS[known['part']]}\n\n{_section(table.to_pylist(), known['fidelity'], known['titles'])}\n"
    missing = [PARTS[part] for part in PARTS if part not in names]
    if missing:
        text += "Not judged, as their experiments have not run: " + "; ".join(missing) + ".\n\n"
    if not names:
        raise UserError("There are no claims to put together: make results/claims/<part>.md first.")
    records.concatenate(parts, parquet, records.CLAIMS)
    write_text(markdown, text + _LEGEND)


_LEGEND = (
    "\nIntervals are percentile bootstrap intervals over paired runs, 95 % unless a fidelity line says otherwise. "
    "*holds*: the whole interval lies on the claim's side of the threshold; *does not "
    "hold*: it lies on the other side; *undecided*: it covers the threshold.\n"
)


def _section(rows: list[dict], note: str, titles: dict[str, str]) -> str:
    text = f"**{note}**\n\n" if note else ""
    counts = {v: sum(row["verdict"] == v for row in rows) for v in (HOLDS, FAILS, UNDECIDED)}
    text += f"{counts[HOLDS]} hold, {counts[FAILS]} do not, {counts[UNDECIDED]} undecided.\n\n"
    text += "| id | claim | data | statistic | value | interval | threshold | verdict |\n|---|---|---|---|---|---|---|---|\n"
    for row in rows:
        interval = f"{row['low']:.3g} to {row['high']:.3g}" if np.isfinite(row["low"]) else "-"
        mark = f"**{row['verdict']}**" if row["verdict"] == FAILS else row["verdict"]
        mark += f" ({row['note']})" if row["note"] else ""
        data = titles.get(row["dataset"], row["dataset"])
        cells = [
            row["id"],
            row["claim"],
            data,
            row["statistic"],
            f"{row['value']:.3g}" if np.isfinite(row["value"]) else "-",
            interval,
            row["threshold"] or "-",
            mark,
        ]
        text += "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
    return text


def summary(markdown: str | Path) -> str:
    """The tables of a claims file, for the end of `make demo`."""
    return Path(markdown).read_text(encoding="utf-8")
