"""How often `diagnose` is right: `python benchmarks/diagnosis.py [--cache FOLDER]`.

Independent ensembles must not be called collusive; jointly trained ones whose diversity has grown must be. Limits are fitted
on one half of the data sets, and the rates are those of the other half. Writes docs/diagnosis.md between its marks. A cache keeps
the trained ensembles of each data set; remove it when diagnosis_ensembles.py changes.
"""

import argparse
import datetime
import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
import torch
from diagnosis_ensembles import Ensemble, datasets, ensembles, fused

from learner_collusion import diagnose, diagnosis

DOCUMENT = Path(__file__).parents[1] / "docs/diagnosis.md"
MARKS = "<!-- measured -->", "<!-- /measured -->"
GROWN = 5  # times the DIV of the independent ensemble with the same initial weights: what must be found
ALARMS = 0.01  # share of the independent ensembles that one sign may call collusive where limits are fitted
CALLED = {True: "yes", False: "no", None: "undecided"}
GROUPS = {"output": "squared error", "probability": "probability averaging", "score": "score averaging"}


def made(cache: Path | None) -> list[Ensemble]:
    """All ensembles; those of a data set that `cache` holds are not trained again."""
    found = []
    for name, data in datasets().items():
        path = cache / f"{name}.pkl" if cache else None
        if path and path.exists():
            found += pickle.loads(path.read_bytes())
            continue
        trained = ensembles(name, data)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(trained))
        found += trained
    return found


def judged(found: list[Ensemble]) -> pd.DataFrame:
    """One row an ensemble and way of averaging: the verdicts without and with a reference, and the estimates behind them."""
    table = []
    by_key = {key(e): e for e in found}
    for e in found:
        if e.stop == "early" and np.array_equal(e.predictions, by_key[key(e, stop="end")].predictions):
            continue  # the last epoch was the best: one ensemble, not two
        independent = e.kind.replace("joint", "independent")
        # Independent, of the same kind, and from another seed (forests: also with another number of trees).
        reference = by_key[key(e, kind=independent, seed=(e.seed + 1) % 3)]
        twin = by_key[key(e, kind=independent)]
        loss = "squared_error" if e.averaging == "output" else "cross_entropy"
        alone = diagnose(e.predictions, e.targets, loss, e.averaging)
        beside = diagnose(e.predictions, e.targets, loss, e.averaging, reference=reference.predictions)
        before = diagnose(twin.predictions, twin.targets, loss, e.averaging, draws=1).div.value if e.joint else np.nan
        table.append(
            {
                "dataset": e.dataset,
                "kind": e.kind,
                "stop": e.stop,
                "seed": e.seed,
                "averaging": e.averaging,
                "rows": alone.rows,
                "joint": e.joint,
                "grown": alone.div.value / before,
                "collusive": CALLED[alone.collusive],
                "beside": CALLED[beside.collusive],
            }
            | {f"{s.name}_{side}": getattr(s.estimate, side) for s in beside.signs for side in ("value", "low", "high")}
        )
    return pd.DataFrame(table)


def key(e: Ensemble, **other):
    return tuple(
        (
            {"dataset": e.dataset, "kind": e.kind, "seed": e.seed, "stop": e.stop, "averaging": e.averaging} | other
        ).values()
    )


def halves(table: pd.DataFrame) -> pd.Series:
    """True for the data sets that limits are fitted on: every second name, of regression and of classification."""
    fitted = set()
    for _, part in table.groupby(table["averaging"] == "output"):
        fitted |= {(name, part["averaging"].iloc[0] == "output") for name in sorted(part["dataset"].unique())[::2]}
    return pd.Series([key in fitted for key in zip(table["dataset"], table["averaging"] == "output", strict=True)])


def limit(independent: pd.Series, joint: pd.Series) -> float:
    """For the lower ends of intervals: of the limits with at most 1 % of false alarms those with the fewest misses, and of these
    with the fewest false alarms; the middle of what is left."""
    tried = np.geomspace(1e-3, 10, 401)
    alarms, misses = ((independent.to_numpy()[:, None] > tried).mean(0), (joint.to_numpy()[:, None] <= tried).mean(0))
    left = np.flatnonzero(alarms <= ALARMS)
    left = left[misses[left] == misses[left].min()]
    left = left[alarms[left] == alarms[left].min()]
    return float(np.sqrt(tried[left[0]] * tried[left[-1]]))


def limits(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Name of each limit in diagnosis.py to the fitted one and the one in use."""
    table = table[table["rows"] >= diagnosis.MINIMUM_ROWS]
    must, free = table[table["joint"] & (table["grown"] >= GROWN)], table[~table["joint"]]
    regression = {name: t["averaging"] == "output" for name, t in (("must", must), ("free", free))}
    return {
        "BIAS_OF_OUTPUTS": (
            limit(free.loc[regression["free"], "bias_low"], must.loc[regression["must"], "bias_low"]),
            diagnosis.BIAS_OF_OUTPUTS,
        ),
        "BIAS_OF_PROBABILITIES": (
            limit(free.loc[~regression["free"], "bias_low"], must.loc[~regression["must"], "bias_low"]),
            diagnosis.BIAS_OF_PROBABILITIES,
        ),
        "DIVERSITY": (limit(free["diversity_low"], must["diversity_low"]), diagnosis.DIVERSITY),
    }


def rates(table: pd.DataFrame) -> str:
    """Rows of a Markdown table: what was called collusive, and what was left undecided, without and with a reference."""
    text = "| ensembles | number | collusive | undecided | collusive, with reference | undecided |\n|---|---|---|---|---|---|\n"

    def row(name, part):
        if not len(part):
            return ""
        cells = [f"{name}", f"{len(part)}"]
        for verdict in ("collusive", "beside"):
            called, undecided = (int((part[verdict] == answer).sum()) for answer in ("yes", "undecided"))
            cells += [f"{called} ({called / len(part):.1%})", f"{undecided}"]
        return "| " + " | ".join(cells) + " |\n"

    free, joint = table[~table["joint"]], table[table["joint"]]
    must = joint[joint["grown"] >= GROWN]
    for kind, part in free.groupby("kind"):
        text += row(kind, part)
    text += row("**all independent**", free)
    for averaging, name in GROUPS.items():
        text += row(f"joint, {name}, DIV grown {GROWN} times or more", must[must["averaging"] == averaging])
    text += row(f"**all joint, DIV grown {GROWN} times or more**", must)
    for averaging, name in GROUPS.items():
        less = joint[(joint["grown"] < GROWN) & (joint["averaging"] == averaging)]
        text += row(f"joint, {name}, DIV grown less", less)
    return text


def wrong(table: pd.DataFrame) -> str:
    """The errors by name."""
    called = table["collusive"] == "yes"
    errors = table[(~table["joint"] & called) | ((table["grown"] >= GROWN) & ~called)]
    names = [f"{e.dataset}, {e.kind} ({GROUPS[e.averaging]})" for e in errors.itertuples()]
    return "".join(f"- {name}: {names.count(name)}\n" for name in sorted(set(names))) or "- none\n"


def fusions() -> str:
    """What is said of three networks trained as one, of which two learn nothing."""
    text = "| seed | accuracy of each network | collusive | at chance |\n|---|---|---|---|\n"
    for seed in range(3):
        e = fused(seed)
        found = diagnose(e.predictions, e.targets, "cross_entropy", "probability")
        accuracy = (e.predictions.argmax(2) == e.targets[:, None]).mean(0)
        text += (
            f"| {seed} | {', '.join(f'{a:.2f}' for a in accuracy)} | {found.collusive} | {list(found.at_chance)} |\n"
        )
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="folder that keeps the trained ensembles")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    begin = time.process_time()
    table = judged(made(arguments.cache))
    fitted = halves(table)
    text = f"Written by `python benchmarks/diagnosis.py` on {datetime.date.today()}, with scikit-learn {sklearn.__version__} and torch "
    text += f"{torch.__version__}.\n\n| limit | fitted | used |\n|---|---|---|\n"
    text += "".join(f"| {name} | {found:.3g} | {used:.3g} |\n" for name, (found, used) in limits(table[fitted]).items())
    text += f"| CHANCE | chosen | {diagnosis.CHANCE} |\n| MINIMUM_ROWS | chosen | {diagnosis.MINIMUM_ROWS} |\n"
    for name, part in (
        ("The other half of the data sets", table[~fitted]),
        ("The half that limits were fitted on", table[fitted]),
    ):
        text += f"\n### {name}\n\n{', '.join(sorted(part['dataset'].unique()))}.\n\n{rates(part)}"
        text += f"\nWrong without a reference:\n\n{wrong(part)}"
    text += f"\n### Three networks fused into one\n\n{fusions()}"
    head, _, rest = DOCUMENT.read_text(encoding="utf-8").partition(MARKS[0])
    tail = rest.partition(MARKS[1])[2]
    DOCUMENT.write_text(f"{head}{MARKS[0]}\n{text}{MARKS[1]}{tail}", encoding="utf-8")
    print(text)
    print(f"{(time.process_time() - begin) / 60:.1f} minutes of one core")


if __name__ == "__main__":
    main()
