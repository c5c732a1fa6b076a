"""Make the tabular half anew with open choices changed, from the first stage that a change concerns on.

Example: learner-collusion sensitivity --config config.yaml --variant refit
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..plan import settings as plan
from . import evaluate, train_tabular, tune


@dataclass(frozen=True)
class Settings:
    """What one variant takes from the configuration.

    `first`: by data set the first stage that is made anew, None where none is; the other settings are those of the stages,
    `prepare` by data set.
    """

    variant: str
    first: dict[str, str | None]
    prepare: dict[str, dict]
    tune: tune.Settings
    train_tabular: train_tabular.Settings
    evaluate: evaluate.Settings


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--variant", required=True, help="a name under `sensitivity.variants`, or joint1, joint2, ...")
    parser.add_argument(
        "--results", default="results", metavar="FOLDER", help="the finished tabular half (default: results)"
    )
    parser.add_argument("--records", help="default: results/sensitivity/VARIANT/records.parquet")
    parser.add_argument(
        "--processes", type=plan.positive, default=2, help="among which the runs are divided (default: 2)"
    )
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Make one variant."""
    settings = plan.convert(plan.from_options(options, "sensitivity", part=options.variant), Settings)
    records = options.records or plan.results(f"sensitivity/{options.variant}/records.parquet")
    vary(settings, Path(options.results), records, options.processes)


def vary(settings: Settings, results: Path, records: str, processes: int = 1) -> None:
    """Write the records of all data sets; `aggregate` judges them.

    What no change concerns is read from `results`. What is between lies beside `records` until the variant is finished.
    Errors: UserError where that is missing or damaged, or a stage of the variant fails.
    """
    work = Path(records).parent / "work"
    paths = [str(_vary_one(settings, dataset, results, work / dataset, processes)) for dataset in settings.first]
    from ..records import parquet
    from ..records.tabular import RECORDS

    parquet.concatenate(paths, records, RECORDS)
    shutil.rmtree(work, ignore_errors=True)


def _vary_one(settings: Settings, dataset: str, results: Path, work: Path, processes: int) -> Path:
    """The records of one data set: those in `results`, or made in `work`."""
    first = settings.first[dataset]
    if first is None:
        return results / f"records/tabular/{dataset}.parquet"
    anew = plan.VARIED[plan.VARIED.index(first) :]
    print(f"{settings.variant}, {dataset}: anew from {first} on", flush=True)

    def file(stage: str, name: str) -> str:
        if stage in anew:
            return str(work / f"{name}.parquet")
        return str(
            results / (f"datasets/{dataset}.parquet" if stage == "prepare" else f"tabular/{dataset}/{name}.parquet")
        )

    table, best = file("prepare", "table"), file("tune", "best")
    history, predictions = file("train_tabular", "history"), file("train_tabular", "predictions")
    output = work / f"{dataset}.parquet"
    if "prepare" in anew:
        from ..data import tabular

        described = plan.convert(settings.prepare[dataset], tabular.Table)
        tabular.prepare(results / f"datasets/raw/{dataset}/{described.file}", table, dataset, described)
    if "tune" in anew:
        tune.tune(table, dataset, settings.tune, file("tune", "trials"), best, processes)
    if "train_tabular" in anew:
        train_tabular.train(table, best, dataset, settings.train_tabular, history, predictions, processes)
    evaluate.evaluate(dataset, predictions, history, settings.evaluate, str(output), processes)
    return output
