"""The claims of the image experiments (Sections 6.2 and 6.3, Appendix G): C6 to C10 and C12 to C14.

Statistics and thresholds are those of `claims`: bootstrap over paired runs. An experiment whose data could not be had is
left out by name.
"""

from collections.abc import Callable

import numpy as np

from . import claims
from .image_records import MODELS, ImageRecords


def judge(path: str, settings: dict) -> list[dict]:
    """All claims of the image records at `path`; `settings`: experiments (those that were made), titles, bootstrap, level
    and seed."""
    found, experiments = ImageRecords(path), settings["experiments"]

    def panels(name: str) -> list[tuple[str, dict]]:
        return _cells(experiments.get(name), settings)

    rows = [row for panel in panels("curves") for row in _curves(found, panel, settings)]
    text = "Test accuracy is lowest at beta = 1"
    figures = {"practical": "Figure 6", "larger": "Figure 13", "score": "Figure 14", "vgg": "Figure 16"}
    for name, figure in figures.items():
        claim = {"id": "C9" if name == "practical" else "C12", "part": "images", "claim": f"{text} ({figure})"}
        rows += [_worst_at_1(found, panel, claim, settings) for panel in panels(name)]
    claim = {"id": "C12", "part": "images", "claim": "Test ERR is highest at beta = 1 (Figure 17)"}
    rows += [_worst_at_1(found, panel, claim, settings, "err") for panel in panels("practical")]
    for panel in panels("practical"):
        rows += _poor_learners(found, panel, settings)
    for panel in panels("cnn"):
        claim = {"id": "C13", "part": "images", "claim": f"{text} (Figure 15)"}
        rows += [_worst_at_1(found, panel, claim, settings), _best_between(found, panel, settings)]
    for panel in panels("dropout"):
        rows += _dropout(found, panel, experiments["dropout"]["dropped"], settings)
    return rows


def _cells(experiment: dict | None, settings: dict) -> list[tuple[str, dict]]:
    """(label, cell) of each panel of an experiment; beta and run are left open."""
    cells = []
    if experiment is None:
        return cells
    for dataset in experiment["datasets"]:
        for model in experiment["models"]:
            for learners in experiment["learners"]:
                cell = {"protocol": experiment["protocol"], "dataset": dataset, "model": model, "learners": learners}
                label = f"{settings['titles'].get(dataset, dataset)}, {MODELS[model]}, M = {learners}"
                cells.append((label, cell | {"averaging": experiment["averaging"], "dropped": 0.0}))
    return cells


def _judge(
    found: ImageRecords,
    panel: tuple[str, dict],
    claim: dict,
    unit: str,
    runs: np.ndarray,
    statistic: Callable,
    settings: dict,
    **bounds,
) -> dict:
    """One row of a panel (label, cell); `runs` (runs, ...) of what was measured, `statistic` of (resamples, runs, ...)."""
    label, cell = panel
    missing = cell["dataset"] in found.missing
    if missing or not len(runs):
        note = "left out: the data could not be had" if missing else "no whole run"
        return claims.row_of(claim, label, unit, np.nan, np.nan, np.nan, "left out", **bounds, note=note)
    row = claims.judge(claim, label, unit, runs, statistic, settings, **bounds)
    return row | {"note": "one run: no interval"} if len(runs) == 1 else row


def _mean(runs: np.ndarray) -> np.ndarray:
    return runs.mean(1)


def _curves(found: ImageRecords, panel: tuple[str, dict], settings: dict) -> list[dict]:
    """C6, C7 and C8: learning curves of beta 0 and 1."""
    curves = {
        (split, metric, beta): found.curve(split, metric, beta=float(beta), **panel[1])
        for split, metric in (("train", "err"), ("test", "err"), ("train", "div"))
        for beta in (0, 1)
    }
    train, test = (curves[s, "err", 1] - curves[s, "err", 0] for s in ("train", "test"))
    div = curves["train", "div", 1]
    peak = (div.argmax(1) + 1) / div.shape[1] if div.size else np.empty(0)

    def row(identifier: str, text: str, unit: str, runs: np.ndarray, **bounds) -> dict:
        claim = {"id": identifier, "part": "images", "claim": text}
        return _judge(found, panel, claim, unit, runs, _mean, settings, **bounds)

    return [
        row(
            "C6",
            "Joint training overfits more (Figure 5)",
            "gap(1) - gap(0) at the last epoch",
            (test - train)[:, -1:].sum(1),
            above=0,
        ),
        row(
            "C7",
            "Joint training converges more slowly on the training set (Figure 10)",
            "train ERR(1) - ERR(0), mean of all epochs",
            train.mean(1),
            above=0,
        ),
        row(
            "C7",
            "Joint training ends with a larger test loss (Figure 10)",
            "test ERR(1) - ERR(0) at the last epoch",
            test[:, -1:].sum(1),
            above=0,
        ),
        row(
            "C8",
            "At beta = 1 training diversity peaks early (Figure 11)",
            "epoch of the largest DIV, as a share of all",
            peak,
            below=1 / 3,
        ),
    ]


def _worst_at_1(
    found: ImageRecords, panel: tuple[str, dict], claim: dict, settings: dict, metric: str = "accuracy"
) -> dict:
    """By how much beta = 1 lies behind the worst of all other betas."""
    _, runs = found.best(metric, "beta", **panel[1])
    sign = 1 if metric == "accuracy" else -1

    def statistic(resampled):
        means = sign * resampled.mean(1)
        return means[:, :-1].min(1) - means[:, -1]

    unit = "lowest accuracy(beta < 1) - accuracy(1)" if sign == 1 else "ERR(1) - highest ERR(beta < 1)"
    return _judge(found, panel, claim, unit, runs, statistic, settings, above=0)


def _poor_learners(found: ImageRecords, panel: tuple[str, dict], settings: dict) -> list[dict]:
    """C10: the learners lose more accuracy from beta 0 to 1 than their ensemble does."""
    _, learners = found.best("accuracy", "beta", of_learners=True, **panel[1])
    _, whole = found.best("accuracy", "beta", **panel[1])
    lost = learners[:, 0] - learners[:, -1] if len(learners) else np.empty(0)
    more = lost - (whole[:, 0] - whole[:, -1]) if len(learners) else lost
    claim = {"id": "C10", "part": "images", "claim": "Base learners are poor at beta = 1 (Figure 6)"}
    unit = "mean learner accuracy(0) - accuracy(1)"
    units = (unit, f"that, minus the ensemble's {unit.removeprefix('mean learner ')}")
    return [
        _judge(found, panel, claim, own, runs, _mean, settings, above=0)
        for own, runs in zip(units, (lost, more), strict=True)
    ]


def _best_between(found: ImageRecords, panel: tuple[str, dict], settings: dict) -> dict:
    """C13: the lowest test loss is at a beta between 0 and 1."""
    _, runs = found.best("err", "beta", **panel[1])

    def statistic(resampled):
        means = resampled.mean(1)
        return np.minimum(means[:, 0], means[:, -1]) - means[:, 1:-1].min(1)

    claim = {"id": "C13", "part": "images", "claim": "The lowest test loss is at a beta between 0 and 1 (Figure 15)"}
    if runs.shape[1] < 3:
        runs = runs[:0]
    unit = "lower ERR of beta 0 and 1 - lowest between"
    return _judge(found, panel, claim, unit, runs, statistic, settings, above=0)


def _dropout(found: ImageRecords, panel: tuple[str, dict], shares: list[float], settings: dict) -> list[dict]:
    """C14: dropping learners in training lowers DIV and does not improve the ensemble."""
    cell = {name: value for name, value in panel[1].items() if name != "dropped"} | {"beta": 1.0}

    def row(text: str, unit: str, metric: str, statistic: Callable) -> dict:
        claim = {"id": "C14", "part": "images", "claim": f"{text} (Figure 18)"}
        _, runs = found.best(metric, "dropped", **cell)
        return _judge(found, panel, claim, unit, runs, statistic, settings, above=0)

    def change(resampled: np.ndarray) -> np.ndarray:
        means = resampled.mean(1)
        return means[:, -1] - means[:, 0]

    def smallest_loss(resampled: np.ndarray) -> np.ndarray:
        means = resampled.mean(1)
        return means[:, 0] - means[:, 1:].max(1)

    most = f"{max(shares):g}"
    text = "Dropping learners does not improve the ensemble"
    return [
        row("Dropping learners lowers diversity", f"DIV(0) - DIV({most})", "div", lambda r: -change(r)),
        row("Dropping learners weakens each of them", f"ERR-bar({most}) - ERR-bar(0)", "err_bar", change),
        row(text, "accuracy(0) - best accuracy(p > 0)", "accuracy", smallest_loss),
    ]
