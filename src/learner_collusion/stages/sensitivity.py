"""Make the tabular half anew with open choices changed, from the first stage that a change concerns on.

Example: learner-collusion sensitivity --config config.yaml --variant refit
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from ..plan import makers
from ..plan import settings as plan
from ..records.identity import Input, Job, begin
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
    taken = plan.from_options(options, "sensitivity", part=options.variant)
    settings = plan.convert(taken, Settings)
    records = options.records or plan.results(f"sensitivity/{options.variant}/records.parquet")
    job = makers.job(options, "sensitivity", options.variant, taken)
    vary(settings, Path(options.results), records, options.processes, job)


def vary(settings: Settings, results: Path, records: str, processes: int = 1, job: Job | None = None) -> None:
    """Write the records of all data sets, which say whose they are where there is a `job`; `aggregate` judges them.

    What no change concerns is read from `results`. What is between lies beside `records` until the variant is finished.
    Errors: UserError where that is missing or damaged, or a stage of the variant fails.
    """
    work = Path(records).parent / "work"
    made = begin(job, *(one for dataset in settings.first for one in _read(settings, dataset, results)))
    paths = [str(_vary_one(settings, dataset, results, work / dataset, processes)) for dataset in settings.first]
    from ..records import parquet
    from ..records.tabular import RECORDS

    parquet.concatenate(paths, records, RECORDS, made)
    shutil.rmtree(work, ignore_errors=True)


def _read(settings: Settings, dataset: str, results: Path) -> list[Input]:
    """What a variant takes of a data set's finished half."""
    first = settings.first[dataset]
    if first is None:
        return [Input(str(results / f"records/tabular/{dataset}.parquet"), "evaluate", dataset)]
    if first == "prepare":
        file = settings.prepare[dataset]["file"]
        return [Input(str(results / f"datasets/raw/{dataset}/{file}"), "fetch", dataset)]
    read = [(f"datasets/{dataset}", "prepare")] if first != "evaluate" else []
    read += [(f"tabular/{dataset}/best", "tune")] if first == "train_tabular" else []
    trained = ("history", "predictions") if first == "evaluate" else ()
    read += [(f"tabular/{dataset}/{name}", "train_tabular") for name in trained]
    return [Input(str(results / f"{path}.parquet"), stage, dataset) for path, stage in read]


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
