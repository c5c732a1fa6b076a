"""Compute the records of a data set from its predictions: ERR, ERR-bar, DIV, constant bias and codependence (Section 6.1).

Example: learner-collusion evaluate --config config.yaml --dataset abalone

Metrics of the records: `err`, `err_bar`, `div` (test, Def. 4.1 and 4.2), `div_debiased` and `bias_share` (Section 6.1),
`increase_<rate>` (ERR with a share of the learners dropped, minus ERR; Figure 4), and of the training `learners`,
`epochs`, `best_epoch` and `diverged` (its epoch or 0). A training that diverged before it had an ensemble to test has no
number for the others.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from ..errors import UserError
from ..plan import makers
from ..plan import settings as plan
from ..records.identity import Input, Job, begin


@dataclass(frozen=True)
class Codependence:
    """The block `tabular.codependence` of the configuration."""

    drop_rates: list[float]
    draws: int
    per: str


@dataclass(frozen=True)
class Settings:
    """What evaluation takes from the configuration."""

    seed: int
    codependence: Codependence


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--dataset", required=True, help="a name under `tables` in the configuration")
    parser.add_argument("--predictions", help="default: results/tabular/DATASET/predictions.parquet")
    parser.add_argument("--history", help="default: results/tabular/DATASET/history.parquet")
    parser.add_argument("--output", help="default: results/records/tabular/DATASET.parquet")
    parser.add_argument(
        "--processes", type=plan.positive, default=2, help="among which the runs are divided (default: 2)"
    )
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Read the predictions and write the records."""
    taken = plan.from_options(options, "evaluate")
    settings = plan.convert(taken, Settings)
    folder = plan.results(f"tabular/{options.dataset}")
    evaluate(
        options.dataset,
        options.predictions or f"{folder}/predictions.parquet",
        options.history or f"{folder}/history.parquet",
        settings,
        options.output or plan.results(f"records/tabular/{options.dataset}.parquet"),
        options.processes,
        makers.job(options, "evaluate", options.dataset, taken),
    )


def evaluate(
    dataset: str,
    predictions: str,
    history: str,
    settings: Settings,
    output: str,
    processes: int = 1,
    job: Job | None = None,
) -> None:
    """Write the records of all runs of a data set, which say whose they are where there is a `job`.

    A beta that diverged and left predictions that are not finite has NaN. Errors: UserError where DIV is not ERR-bar - ERR, or
    a file is damaged.
    """
    from ..training.processes import in_processes, prepare_processes

    prepare_processes(processes, ["learner_collusion.records.parquet", "learner_collusion.measures"])
    import pandas as pd

    from ..records import parquet
    from ..records.tabular import HISTORY, RECORDS

    made = begin(job, *(Input(path, "train_tabular", dataset) for path in (history, predictions)))
    histories = parquet.read(history, HISTORY)
    if parquet.read_metadata(predictions) != parquet.read_metadata(
        history
    ):  # its seal is looked at here, once for all runs
        raise UserError(
            f"{predictions} and {history} are not of one training: delete both and run the workflow again to make them anew."
        )
    tasks = [
        (dataset, int(run), predictions, settings, mine.loc[mine["diverged"], "beta"].tolist())
        for run, mine in histories.groupby("run")
    ]
    metrics = pd.concat(in_processes(_metrics_of_run, tasks, processes))
    of_training = _training(histories).melt(["run", "beta"], var_name="metric", ignore_index=True)
    rows = pd.concat([metrics, of_training]).sort_values(["run", "beta"], kind="stable")
    metadata = {
        "training": parquet.read_metadata(history),
        "settings": asdict(settings),
        "provenance": parquet.provenance(),
    }
    parquet.write(output, rows.assign(experiment="tabular", dataset=dataset)[RECORDS.names], RECORDS, metadata, made)


def _metrics_of_run(task: tuple):
    """The metrics of one run's predictions at every beta: a frame of run, beta, metric and value."""
    import numpy as np
    import pandas as pd

    from ..measures import Measures, codependence, measure
    from ..seeds import generator

    dataset, run, predictions, settings, diverged = task
    betas, values, targets = read_run(predictions, run, diverged)
    cod, draws = settings.codependence, generator(settings.seed, dataset, run, "dropped")
    finite = np.isfinite(values).all((1, 2))
    increases = np.full((len(betas), len(cod.drop_rates)), np.nan)
    # one draw serves all betas: they are paired
    increases[finite] = codependence(values[finite], targets, cod.drop_rates, cod.draws, cod.per, draws)
    rows = []
    for beta, f, increase, known in zip(betas, values, increases, finite, strict=True):
        found = measure(f, targets) if known else Measures(*[np.nan] * len(Measures._fields))
        if abs(found.err_bar - found.err - found.div) > 1e-9 * max(1.0, found.err_bar):
            raise UserError(
                f"DIV is not ERR-bar - ERR in {dataset}, run {run}, beta {beta:g}: the predictions are damaged; delete them "
                "and run again."
            )
        metrics = found._asdict() | {f"increase_{r:g}": float(i) for r, i in zip(cod.drop_rates, increase, strict=True)}
        rows += [(run, float(beta), metric, value) for metric, value in metrics.items()]
        rows.append((run, float(beta), "learners", float(f.shape[1])))
    return pd.DataFrame(rows, columns=["run", "beta", "metric", "value"])


def _training(histories):
    """Epochs run, best epoch and epoch of divergence (0 for none) of each run and beta."""
    epochs = histories.assign(
        best_epoch=histories["epoch"] * histories["best"], diverged=histories["epoch"] * histories["diverged"]
    )
    grouped = epochs.groupby(["run", "beta"])
    found = grouped.agg(epochs=("epoch", "size"), best_epoch=("best_epoch", "sum"), diverged=("diverged", "sum"))
    return found.astype(float).reset_index()


def read_run(path: str, run: int, diverged: Collection[float] = ()):
    """(betas (b,), predictions (b, rows, learners), targets (rows,)) of a run. UserError where the file is not complete, or holds
    predictions that are not finite of a beta other than those that `diverged`. Its seal is not looked at."""
    import numpy as np

    from ..records import parquet
    from ..records.tabular import PREDICTIONS

    frame = parquet.read_some(path, PREDICTIONS, [("run", "=", run)])
    # betas by name, in ascending order; test rows stay in the order of the split, by which codependence draws its masks
    frame = frame.sort_values("beta", kind="stable")
    betas, learners = frame["beta"].unique(), frame["learner"].nunique()
    shape = (len(betas), -1, learners)
    if learners and not len(frame) % (len(betas) * learners):
        row, learner = (frame[name].to_numpy().reshape(shape) for name in ("row", "learner"))
        if (row == row[:1, :, :1]).all() and (learner == np.arange(learners)).all():
            values, targets = (frame[name].to_numpy().reshape(shape) for name in ("prediction", "target"))
            trained = ~np.isin(betas, list(diverged))
            if not (np.isfinite(values[trained]).all() and np.isfinite(targets).all()):
                raise UserError(
                    f"{path} holds values that are not finite in run {run}: delete it and run the workflow again."
                )
            return betas, values, targets[0, :, 0]
    raise UserError(f"{path} lacks predictions of run {run}: delete it and run the workflow again to make it anew.")
