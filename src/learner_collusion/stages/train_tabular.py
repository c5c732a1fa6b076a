"""Train the ensembles of a data set at every beta, with the tuned hyper-parameters of each run (Section 6.1).

Example: learner-collusion train_tabular --config config.yaml --dataset abalone --run 0
"""

import dataclasses
import functools
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..plan import makers
from ..plan import settings as plan
from ..plan.fidelity import recorded
from ..plan.provenance import fingerprint
from ..records.identity import Input, begin
from ..records.identity import Job as IdentityJob
from ..training.registry import learner_code, loaded, users_learner
from ..training.settings import Tabular, chosen_runs, identity


@dataclass(frozen=True)
class Settings(Tabular):
    """What training takes from the configuration."""

    betas: list[int | float]


@dataclass(frozen=True)
class _Job:
    table: str
    dataset: str
    settings: Settings
    engine: str
    points: dict[int, dict]  # hyper-parameters and best epoch of each run
    kept: object  # records.kept.Kept
    threads: int


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--dataset", required=True, help="a name under `tables` in the configuration")
    parser.add_argument(
        "--run", type=int, help="train this run alone, and keep it for the whole job (default: all runs)"
    )
    parser.add_argument("--table", help="the prepared table (default: results/datasets/DATASET.parquet)")
    parser.add_argument("--best", help="the tuned points (default: results/tabular/DATASET/best.parquet)")
    parser.add_argument("--history", help="a row per epoch (default: results/tabular/DATASET/history.parquet)")
    parser.add_argument("--predictions", help="default: results/tabular/DATASET/predictions.parquet")
    parser.add_argument(
        "--processes", type=plan.positive, default=2, help="among which the runs are divided (default: 2)"
    )
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Train one run, or all runs and write their histories and predictions."""
    taken = plan.from_options(options, "train_tabular")
    settings = plan.convert(taken, Settings)
    folder = plan.results(f"tabular/{options.dataset}")
    train(
        options.table or plan.results(f"datasets/{options.dataset}.parquet"),
        options.best or f"{folder}/best.parquet",
        options.dataset,
        settings,
        options.history or f"{folder}/history.parquet",
        options.predictions or f"{folder}/predictions.parquet",
        options.processes,
        options.run,
        makers.job(options, "train_tabular", options.dataset, taken),
    )


def train(
    table: str,
    best: str,
    dataset: str,
    settings: Settings,
    history: str,
    predictions: str,
    processes: int = 1,
    only: int | None = None,
    described: IdentityJob | None = None,
) -> None:
    """Train all betas of each run with its tuned hyper-parameters; write histories and test predictions.

    Runs of the same shape train as one program with PyTorch, in one process; with the native engine they are divided among
    `processes`. Finished runs are
    kept beside `history`: an interrupted training resumes there, and ends with the same files. A beta that diverges is
    recorded with its epoch, and predicts with the weights of its best epoch before that; where there is none, or training
    was for a fixed number of epochs, it predicts NaN. With `only` one run is trained, and kept. The files say whose they are where the job is `described`. Errors: UserError for damaged files, and for an engine or device that is not available.
    """
    from ..training.processes import in_processes, prepare_processes

    divided = settings.device == "cpu" and (settings.engine != "torch" or settings.learner)
    if divided and only is None and settings.runs > 1:
        modules = ["learner_collusion.training.runs", "learner_collusion.records.kept"]
        prepare_processes(processes, [*modules, *loaded(settings.learner)])
    from ..records import parquet
    from ..records.kept import Kept
    from ..records.tabular import BEST, HISTORY, PREDICTIONS
    from ..training.engines import choose_engine

    own = users_learner() if settings.learner else None
    engine = (own.choose_engine if own else choose_engine)(settings.engine, settings.device)
    if not own and settings.engine == "auto" and settings.device == "cpu" and engine == "torch":
        print("The native engine was not built; PyTorch trains, ten to thirty times slower.", flush=True)
    made = begin(described, Input(table, "prepare", dataset), Input(best, "tune", dataset))
    tuned = parquet.read(best, None if own else BEST)  # a user's class has options of its own
    points = {row["run"]: row for row in tuned.to_dict("records")}
    runs = chosen_runs(settings.runs, only)
    for number in runs:
        if number not in points:
            raise UserError(f"{best} has no run {number}: delete it and run the workflow again to make it anew.")
    if not Path(table).exists():
        raise UserError(f"{table} does not exist: run the workflow to make it.")
    code = fingerprint("stages.train_tabular", *learner_code(settings.learner))
    made_from = identity(settings, code, table, best)
    kept = Kept(Path(history).parent / "train", made_from)
    job = _Job(table, dataset, settings, engine, points, kept, 1)
    remaining = [n for n in runs if not (kept.has(f"run{n}.history") and kept.has(f"run{n}.predictions"))]
    if engine == "native" or (own and settings.device == "cpu"):
        if 0 < len(remaining) < processes:
            job = dataclasses.replace(job, threads=processes // len(remaining))
        for line in in_processes(functools.partial(_train_run, job), remaining, processes):
            print(line, flush=True)
    elif remaining:
        for line in _train_runs(dataclasses.replace(job, threads=processes), remaining):
            print(line, flush=True)
    if only is not None:
        return
    metadata = {
        "dataset": dataset,
        "hyperparameters": {str(n): {k: v for k, v in points[n].items() if k != "run"} for n in runs},
        "engine": engine,
        "settings": recorded(dataclasses.asdict(settings)),
        "tuned": parquet.read_metadata(best).get("settings"),
        "provenance": parquet.provenance(*(["torch"] if engine == "torch" else [])),
    }
    kept.gather([f"run{n}.history" for n in runs], history, HISTORY, metadata, made)
    kept.gather([f"run{n}.predictions" for n in runs], predictions, PREDICTIONS, metadata, made)
    kept.clear()


def _train_run(job: _Job, run: int) -> str:
    [line] = _train_runs(job, [run])
    return line


def _train_runs(job: _Job, runs: list[int]) -> list[str]:
    """Train some runs together, and keep what came out of each; a line for the log per run."""
    import numpy as np

    from ..records.tabular import HISTORY, PREDICTIONS
    from ..training.runs import run_of

    settings, stopping, refit = job.settings, job.settings.training, job.settings.training.refit_on_train_and_validation
    data = {
        run: run_of(job.table, settings.seed, job.dataset, run, settings.split, settings.preprocessing, refit)
        for run in runs
    }
    sweeps = {}
    for run, point in ((run, job.points[run]) for run in runs):
        # trained on the validation data, too, nothing is left to stop on: train as long as tuning found best
        epochs = [point["best_epoch"]] * 2 if refit else [stopping.max_epochs, stopping.patience]
        sweeps[run] = _sweep(settings, data[run], point, epochs, (settings.seed, job.dataset, run))
    by_learners: dict[int, list[int]] = {}
    for run, sweep in sweeps.items():
        by_learners.setdefault(sweep.network.learners, []).append(run)
    lines = []
    for group in by_learners.values():
        trained = _trained(job, [sweeps[run] for run in group])
        for run, found in zip(group, trained, strict=True):
            network = sweeps[run].network
            outputs = [
                _predicted(job, network, t.last if refit else t.best, data[run].test_x)
                if t.best_epoch and not (refit and t.diverged)
                else np.full((len(data[run].test_x), network.learners), np.nan, np.float32)
                for t in found
            ]
            job.kept.write(f"run{run}.history", _history(run, found), HISTORY)
            job.kept.write(f"run{run}.predictions", _predictions(run, found, outputs, data[run]), PREDICTIONS)
            epochs = sum(len(t.history) for t in found)
            lines.append(f"{job.dataset}, run {run}: {len(found)} betas, {epochs} epochs, {network.learners} learners")
            lines[-1] += "".join(f"; beta {t.beta:g} diverged in epoch {t.diverged}" for t in found if t.diverged)
    return lines


def _sweep(settings: Settings, data, point: dict, epochs: list[int], identity: tuple):
    from ..training.runs import sweep_of

    if settings.learner:
        own = (settings.learner, settings.learner_options)
        return users_learner().sweep_of(data, settings.betas, point, *epochs, identity, *own)
    return sweep_of(data, settings.betas, point, *epochs, identity)


def _trained(job: _Job, sweeps: list) -> list:
    from ..training.engines import train_sweeps

    if job.settings.learner:
        return users_learner().train_sweeps(sweeps, job.settings.device)
    return train_sweeps(sweeps, engine=job.engine, device=job.settings.device, threads=job.threads)


def _predicted(job: _Job, network, weights, x):
    from ..training.engines import predict

    if job.settings.learner:
        return users_learner().predict(network, weights, x, job.settings.device)
    return predict(network, weights, x, job.engine, job.settings.device)


def _predictions(run: int, trained: list, outputs: list, data) -> dict:
    import numpy as np

    rows, learners = outputs[0].shape
    betas = len(trained)
    return {
        "run": np.full(betas * rows * learners, run, np.int32),
        "beta": np.repeat([float(t.beta) for t in trained], rows * learners),
        "row": np.tile(np.repeat(data.test_rows, learners), betas),
        "learner": np.tile(np.arange(learners, dtype=np.int32), betas * rows),
        "target": np.tile(np.repeat(data.test_y, learners), betas),
        "prediction": np.concatenate([o.reshape(-1) for o in outputs]),
    }


def _history(run: int, trained: list) -> dict:
    import numpy as np

    from ..training.sweep import HISTORY_COLUMNS

    epochs = [np.arange(1, len(t.history) + 1) for t in trained]
    pairs = list(zip(trained, epochs, strict=True))
    columns = {
        "run": np.full(sum(map(len, epochs)), run, np.int32),
        "beta": np.concatenate([np.full(len(e), float(t.beta)) for t, e in pairs]),
        "epoch": np.concatenate(epochs).astype(np.int32),
        "best": np.concatenate([e == t.best_epoch for t, e in pairs]),
        "diverged": np.concatenate([e == t.diverged for t, e in pairs]),
    }
    table = np.concatenate([t.history for t in trained])
    return columns | {name: table[:, i] for i, name in enumerate(HISTORY_COLUMNS)}
