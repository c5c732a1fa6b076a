"""How often `diagnose` is right: `python benchmarks/diagnosis.py [--cache FOLDER]`.

Independent ensembles must not be called collusive, jointly trained ones whose diversity has grown must be. Limits are fitted on
one half of the data sets; the rates are those of the other half. Writes docs/diagnosis.md between its marks.
"""

import argparse
import datetime
import pickle
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from diagnosis_ensembles import Ensemble, datasets, ensembles, fused

from learner_collusion import diagnose, diagnosis

DOCUMENT = Path(__file__).parents[1] / "docs/diagnosis.md"
MARKS = "<!-- measured -->", "<!-- /measured -->"
GROWN = 5  # times the DIV of the independent ensemble with the same initial weights: what must be found
LEAST_ROWS = diagnosis.MINIMUM_ROWS


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
        # One of another seed, of the same settings: of forests, the second seed differs in the number of trees alone.
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
                "collusive": alone.collusive,
                "beside": beside.collusive,
                "at_chance": len(alone.at_chance),
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
