"""Bayesian optimisation of the hyper-parameters of one (data set, run) with scikit-optimize (Appendix B)."""

import os
import warnings
from pathlib import Path

from . import records
from .files import write_json
from .seeds import generator
from .tabular import HYPERPARAMETERS, run_of, sweep_of
from .training.sweep import choose_engine, train_sweeps

# What a trial counts as whose first epoch already diverged: ten times the variance of the standardised target.
DIVERGED = 10.0


def tune(table: str, dataset: str, run: int, settings: dict, trials: str, best: str, threads: int = 1) -> None:
    """Run `iterations` trials over the grid; write all of them, and the best hyper-parameters.

    Each trial trains one ensemble with the split of the run; equal points train equally, so a point that the optimiser
    asks for again is looked up. Trials are kept beside `trials` as they finish: a tuning that was killed goes on from
    them, and ends with the same file. Errors: UserError where a kept file or the table is damaged.
    """
    tuning = settings["tuning"]
    partial = Path(trials).with_suffix(".partial.parquet")
    rows = records.read(partial, records.TRIALS).to_pylist() if partial.exists() else []
    known = {_key(row): row for row in reversed(rows)}
    data = run_of(table, dataset, run, settings)
    engine = choose_engine(settings["engine"], settings["device"])
    metadata = {
        "dataset": dataset,
        "run": run,
        "tuning": tuning,
        "engine": engine,
        "provenance": records.provenance("scikit-optimize", "scikit-learn"),
    }

    def trial(iteration: int, point: dict) -> dict:
        repeated = any(_key(row) == _key(point) for row in rows[:iteration])
        if _key(point) in known:
            return {**known[_key(point)], "iteration": iteration, "repeated": repeated}
        identity = (settings["seed"], dataset, run, "tune", *(point[name] for name in HYPERPARAMETERS))
        training = settings["training"]
        sweep = sweep_of(data, [tuning["beta"]], point, training, identity)
        [[trained]] = train_sweeps([sweep], engine=engine, device=settings["device"], threads=threads)
        found = trained.history[trained.best_epoch - 1] if trained.best_epoch else None
        return {
            "iteration": iteration,
            **point,
            "err": float(found[2]) if found is not None else None,
            "err_bar": float(found[3]) if found is not None else None,
            "epochs": len(trained.history),
            "best_epoch": trained.best_epoch,
            "diverged": trained.diverged,
            "repeated": repeated,
        }

    kept, optimiser = len(rows), _Optimiser(tuning, generator(settings["seed"], dataset, run, "optimiser"))
    for iteration in range(tuning["iterations"]):
        point = optimiser.ask()
        row = trial(iteration, point)
        known.setdefault(_key(row), row)
        optimiser.tell(DIVERGED if row["err"] is None else row[tuning["objective"]])
        rows[iteration : iteration + 1] = [row]
        if iteration >= kept:
            _write(partial, rows, metadata)
    _write(trials, rows, metadata)
    winner = min(rows, key=lambda row: DIVERGED if row["err"] is None else row[tuning["objective"]])
    write_json(best, {name: winner[name] for name in (*HYPERPARAMETERS, "err", "err_bar", "best_epoch", "iteration")})
    partial.unlink(missing_ok=True)


def _key(row: dict) -> tuple:
    return tuple(row[name] for name in HYPERPARAMETERS)


def _write(path, rows: list[dict], metadata: dict) -> None:
    columns = {name: [row[name] for row in rows] for name in records.TRIALS.names}
    records.write(path, columns, records.TRIALS, metadata)


class _Optimiser:
    """scikit-optimize's Optimizer over the grid; plain Python numbers in and out."""

    def __init__(self, tuning: dict, random):
        # The Gaussian process sees 20 points: more threads are slower, and other jobs want the cores.
        for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(variable, "1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from skopt import Optimizer
            from skopt.space import Categorical

        self.optimizer = Optimizer(
            [Categorical(tuning["grid"][name], name=name) for name in HYPERPARAMETERS],
            base_estimator="GP",
            n_initial_points=tuning["initial"],
            acq_func=tuning["acquisition"],
            acq_optimizer="sampling",
            acq_optimizer_kwargs={"n_points": tuning["candidates"]},
            random_state=int(random.integers(2**31)),
        )

    def ask(self) -> dict:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where it asks for a point again
            self.asked = self.optimizer.ask()
        # plain numbers of one type each, whether they come from scikit-optimize, YAML or a kept trial
        pairs = zip(HYPERPARAMETERS, self.asked, strict=True)
        return {name: (float if name in ("learning_rate", "weight_decay") else int)(value) for name, value in pairs}

    def tell(self, value: float) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.optimizer.tell(self.asked, value)
