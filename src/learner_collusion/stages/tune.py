"""Tune the hyper-parameters of the runs of a data set by Bayesian optimisation (Appendix B).

Example: learner-collusion tune --config config.yaml --dataset abalone --run 0
"""

import dataclasses
import functools
import math
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

DIVERGED = 10.0  # objective value of a trial that diverged in its first epoch: ten times the variance of the target


@dataclass(frozen=True)
class Tuning:
    """The block `tabular.tuning` of the configuration."""

    trials: int
    initial_points: int
    acquisition_points: int
    acquisition: str
    beta: float
    objective: str
    grid: dict[str, list[int | float | str | bool]]


@dataclass(frozen=True)
class Settings(Tabular):
    """What tuning takes from the configuration."""

    tuning: Tuning


@dataclass(frozen=True)
class _Job:
    table: str
    dataset: str
    settings: Settings
    kept: object  # records.kept.Kept
    threads: int


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--dataset", required=True, help="a name under `tables` in the configuration")
    parser.add_argument(
        "--run", type=int, help="tune this run alone, and keep it for the whole job (default: all runs)"
    )
    parser.add_argument("--table", help="the prepared table (default: results/datasets/DATASET.parquet)")
    parser.add_argument("--trials", help="all trials (default: results/tabular/DATASET/trials.parquet)")
    parser.add_argument("--best", help="the best point of each run (default: results/tabular/DATASET/best.parquet)")
    parser.add_argument(
        "--published", metavar="FILE",
        help="records whose hyper-parameters are taken where PyTorch would search: its last bits are not the native engine's, "
        "so its search ends elsewhere (default: always search)",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=plan.positive, default=2, help="among which the runs are divided (default: 2)"
    )
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Tune one run, or all runs and write their trials and best points."""
    taken = plan.from_options(options, "tune")
    settings, job = plan.convert(taken, Settings), makers.job(options, "tune", options.dataset, taken)
    folder = plan.results(f"tabular/{options.dataset}")
    trials, best = options.trials or f"{folder}/trials.parquet", options.best or f"{folder}/best.parquet"
    table = options.table or plan.results(f"datasets/{options.dataset}.parquet")
    from ..training.engines import choose_engine

    if options.published and not settings.learner and choose_engine(settings.engine, settings.device) == "torch":
        take_published(options.published, options.dataset, settings, trials, best, begin(job))
    else:
        tune(table, options.dataset, settings, trials, best, options.processes, options.run, job)


def take_published(records: str, dataset: str, settings: Settings, trials: str, best: str, made=None) -> None:
    """Write the winning points that published records were made with as the only trials; nothing is trained.

    Errors: UserError where the records lack the data set, or were tuned with other settings.
    """
    import pandas as pd

    from ..records import parquet
    from ..records.tabular import BEST, TRIALS

    training = parquet.read_metadata(records, published=True).get(dataset, {}).get("training", {})
    points, wanted = training.get("hyperparameters", {}), recorded(dataclasses.asdict(settings))
    if training.get("tuned") != wanted or sorted(map(int, points)) != list(range(settings.runs)):
        raise UserError(
            f"{records} has no hyper-parameters of {dataset} tuned with these settings: set tabular.published to null to search."
        )
    rows = pd.DataFrame([{"run": int(run), **point} for run, point in points.items()]).sort_values("run")
    rows = rows.assign(epochs=None, diverged=None, repeated=False)  # the records do not tell them
    metadata = {
        "dataset": dataset,
        "settings": wanted,
        "engine": "torch",
        "published": Path(records).name,
        "provenance": parquet.provenance(),
    }
    parquet.write(trials, rows[TRIALS.names], TRIALS, metadata, made)
    parquet.write(best, rows[BEST.names], BEST, metadata, made)
    print(f"{dataset}: no native engine here, so the published hyper-parameters in place of a search", flush=True)


def tune(
    table: str,
    dataset: str,
    settings: Settings,
    trials: str,
    best: str,
    processes: int = 1,
    only: int | None = None,
    described: IdentityJob | None = None,
) -> None:
    """Run the trials of all runs of a data set; write all of them to `trials`, and the winners to `best`.

    Each trial trains one ensemble with the split of the run; equal points train equally, so a point that the optimiser
    asks for again is looked up. Trials are kept beside `trials` as they finish: an interrupted tuning resumes there, and
    ends with the same files. With `only` one run is tuned, and kept. The files say whose they are where the job is `described`. Errors: UserError for a damaged table.
    """
    if not Path(table).exists():
        raise UserError(f"{table} does not exist: run the workflow, or `learner-collusion prepare`, to make it.")
    made = begin(described, Input(table, "prepare", dataset))
    runs = chosen_runs(settings.runs, only)
    from ..training.processes import in_processes, prepare_processes

    processes = processes if settings.device == "cpu" else 1
    if len(runs) > 1:
        modules = [f"learner_collusion.{name}" for name in ("training.tuning", "training.runs")]
        prepare_processes(processes, [*modules, *loaded(settings.learner)])
    from ..records.kept import Kept

    code = fingerprint("stages.tune", *learner_code(settings.learner))
    _space(settings)  # tells what is wrong with a user's class here, and not in a process
    kept = Kept(Path(trials).parent / "tune", identity(settings, code, table))
    job = _Job(table, dataset, settings, kept, 1)
    if len(runs) < processes:
        job = dataclasses.replace(job, threads=processes // len(runs))
    for line in in_processes(functools.partial(_tune_run, job), runs, processes):
        print(line, flush=True)
    if only is None:
        _gather(job, trials, best, made)


def _gather(job: _Job, trials: str, best: str, made=None) -> None:
    import pandas as pd

    from ..records import parquet

    settings = job.settings
    _, trials_schema, best_schema = _space(settings)
    rows = pd.concat([job.kept.finished(f"run{run}", trials_schema) for run in range(settings.runs)])
    metadata = {
        "dataset": job.dataset,
        "settings": recorded(dataclasses.asdict(settings)),
        "engine": _engine(settings),
        "provenance": parquet.provenance("scikit-optimize", "scikit-learn"),
    }
    parquet.write(trials, rows, trials_schema, metadata, made)
    # of equal objectives the first trial wins, and one that diverged never
    value = rows[settings.tuning.objective].fillna(math.inf)
    winners = rows.assign(value=value).sort_values(["run", "value", "trial"], kind="stable").groupby("run").head(1)
    parquet.write(best, winners[best_schema.names], best_schema, metadata, made)
    job.kept.clear()


def _space(settings: Settings) -> tuple:
    """The names of the hyper-parameters, and the schemas of trials and of best points."""
    from ..records.tabular import BEST, HYPERPARAMETERS, TRIALS, with_options

    if not settings.learner:
        return HYPERPARAMETERS, TRIALS, BEST
    own, grid = users_learner(), settings.tuning.grid
    names = own.tuned_names(settings.learner, grid, settings.learner_options)
    options = {name: grid[name] for name in names if name not in own.COMMON}
    return names, with_options(TRIALS, options), with_options(BEST, options)


def _engine(settings: Settings) -> str:
    from ..training.engines import choose_engine

    choose = users_learner().choose_engine if settings.learner else choose_engine
    return choose(settings.engine, settings.device)


def _tune_run(job: _Job, run: int) -> str:
    """Tune one run, and keep its trials; one line for the log."""
    from ..seeds import generator
    from ..training.engines import train_sweeps
    from ..training.runs import run_of, sweep_of
    from ..training.tuning import Optimiser

    settings, tuning = job.settings, job.settings.tuning
    names, trials_schema, _ = _space(settings)
    kept = job.kept.read(f"run{run}", trials_schema)
    rows = [] if kept is None else _plain(kept)
    finished = len(rows)
    if finished < tuning.trials:
        data = run_of(job.table, settings.seed, job.dataset, run, settings.split, settings.preprocessing)
        engine = _engine(settings)
    known = {_key(row, names): row for row in reversed(rows)}

    def measure(trial: int, point: dict) -> dict:
        repeated = any(_key(row, names) == _key(point, names) for row in rows[:trial])
        if _key(point, names) in known:
            return {**known[_key(point, names)], "trial": trial, "repeated": repeated}
        name = (settings.seed, job.dataset, run, "tune", *_key(point, names))
        epochs = (settings.training.max_epochs, settings.training.patience)
        if settings.learner:
            own, options = users_learner(), settings.learner_options
            sweep = own.sweep_of(data, [tuning.beta], point, *epochs, name, settings.learner, options)
            [[trained]] = own.train_sweeps([sweep], settings.device)
        else:
            sweep = sweep_of(data, [tuning.beta], point, *epochs, name)
            [[trained]] = train_sweeps([sweep], engine=engine, device=settings.device, threads=job.threads)
        found = trained.history[trained.best_epoch - 1] if trained.best_epoch else None
        return {
            "run": run,
            "trial": trial,
            **point,
            "err": float(found[2]) if found is not None else None,
            "err_bar": float(found[3]) if found is not None else None,
            "epochs": len(trained.history),
            "best_epoch": trained.best_epoch,
            "diverged": trained.diverged,
            "repeated": repeated,
        }

    if finished < tuning.trials:
        random = generator(settings.seed, job.dataset, run, "optimiser")
        grid = {name: tuning.grid[name] for name in names}
        optimiser = Optimiser(grid, tuning.initial_points, tuning.acquisition_points, tuning.acquisition, random)
        for trial in range(tuning.trials):
            point = optimiser.ask()
            row = measure(trial, point)
            known.setdefault(_key(row, names), row)
            if trial < tuning.trials - 1:  # nothing is asked after the last one
                optimiser.tell(DIVERGED if row["err"] is None else row[tuning.objective])
            rows[trial : trial + 1] = [row]
            if trial >= finished:
                job.kept.write(
                    f"run{run}", {name: [row[name] for row in rows] for name in trials_schema.names}, trials_schema
                )
    best = min(rows, key=lambda row: math.inf if row["err"] is None else row[tuning.objective])
    if best["err"] is None:
        raise UserError(
            f"All {len(rows)} trials of {job.dataset}, run {run}, diverged in their first epoch: lower the learning rates in "
            "tabular.tuning.grid, or look for values without sense in the table."
        )
    return f"{job.dataset}, run {run}: {len(rows)} trials; best trial {best['trial']}, validation ERR {best['err']:.4g}"


def _plain(kept) -> list[dict]:
    """Kept trials as they were: NaN is None again."""
    columns = {name: [None if v != v else v for v in kept[name].tolist()] for name in kept.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _key(row: dict, names) -> tuple:
    return tuple(row[name] for name in names)
