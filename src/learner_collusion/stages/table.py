"""Write a table as Markdown and Parquet, its formulas verified, its layers read from the model, or its verdicts counted.

Example: learner-collusion table --config config.yaml --table table2_losses
"""

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..plan import fidelity, makers, parts
from ..plan import settings as plan
from ..publishing.registry import TABLES
from ..records.identity import begin


@dataclass(frozen=True)
class Settings:
    """What a table takes from the configuration.

    `note` marks reduced fidelity, empty at the paper's settings; `cases`: random examples on which formulas are verified;
    `model`: the base learner whose layers are listed, built with `options`, or without one what else the table takes; `title` and `remark` as the registry has them:
    here so that a change writes the table anew.
    """

    note: str
    seed: int
    cases: int
    model: str | None
    options: dict
    title: str = ""
    remark: str = ""
    titles: dict[str, str] = field(default_factory=dict)  # of the data sets, and of models
    made: dict = field(default_factory=dict)  # what the records must have been made with; empty: not checked
    origin: Any = None  # the `records.identity.Made` of the job, which its outputs say of themselves


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--table", required=True, choices=list(TABLES), metavar="NAME", help=", ".join(TABLES))
    parser.add_argument("--records", help="what the table reads, if it reads any (default: below results/records)")
    parser.add_argument("--output", help="the Markdown file (default: results/tables/NAME.md)")
    parser.add_argument("--parquet", help="the same as Parquet (default: beside the Markdown file)")
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Write one table."""
    taken = plan.from_options(options, "table", part=options.table)
    settings = plan.convert(taken, Settings)
    output = options.output or plan.results(f"tables/{options.table}.md")
    parquet = plan.parquet_beside(output, options.parquet)
    entry = TABLES[options.table]
    records = (options.records or parts.records(entry.part)) if entry.reads else None
    make(options.table, settings, output, parquet, records, makers.job(options, "table", options.table, taken))


def make(name: str, settings: Settings, output: str, parquet: str, records: str | None = None, job=None) -> None:
    """Write the table `name` of the registry; `records` where it reads them. It says whose it is where there is a `job`. Errors: UserError where a formula is wrong, the
    model cannot be built, or the records are missing."""
    entry = TABLES[name]
    if records is not None and not Path(records).exists():
        raise UserError(f"{records} does not exist: run the workflow to make it.")
    settings = replace(settings, origin=begin(job, *makers.recorded(job, [records] if records else [])))
    if records is not None and settings.made:
        from ..records.parquet import read_metadata

        settings = fidelity.labelled(settings, read_metadata(records, published=True))
    module, _, function = entry.make.partition(":")
    making = importlib.import_module(f"..publishing.{module}", __package__)
    getattr(making, function)(settings, entry, output, parquet, *filter(None, [records]))
