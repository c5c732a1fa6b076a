"""Draw a figure as PDF and PNG, with the plotted numbers as CSV beside them.

Example: learner-collusion figure --config config.yaml --figure fig2_diversity
"""

import importlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..figures.registry import FIGURES
from ..plan import fidelity, makers
from ..plan import parts as known_parts
from ..plan import settings as plan
from ..records.identity import begin


@dataclass(frozen=True)
class Settings:
    """What a figure takes from the configuration.

    `note` lists what reduces the fidelity and `mark` says on the figure that it is reduced, both empty at the paper's settings;
    `titles` name the data sets; `experiment` is that of the image records, `illustration` the toy problem of Figure 1; `options`
    are those of the figure's entry in the registry; `evaluate_every`: batches between two evaluations, None for each epoch;
    `study` is the label of a study of tables that are not the paper's.
    """

    note: str
    mark: str
    titles: dict[str, str]
    experiment: dict | None
    options: dict
    seed: int
    illustration: dict | None
    evaluate_every: int | None = None
    study: str = ""
    beside: dict | None = None  # the cells of another part that stand beside the figure's own, where they were run
    made: dict = field(default_factory=dict)  # what the records must have been made with; empty: not checked
    origin: Any = None  # the `records.identity.Made` of the job, which its outputs say of themselves


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--figure", required=True, choices=list(FIGURES), metavar="NAME", help=", ".join(FIGURES))
    parser.add_argument(
        "--records",
        nargs="+",
        metavar="FILE",
        help="the records to draw, of Figure 6 those of both sides (default: those below results/records that the figure shows)",
    )
    parser.add_argument("--output", help="the PDF; PNG and CSV lie beside it (default: results/figures/NAME.pdf)")
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Draw one figure."""
    taken = plan.from_options(options, "figure", part=options.figure)
    settings = plan.convert(taken, Settings)
    records = options.records or default_records(options.figure, settings)
    output = options.output or plan.results(f"figures/{options.figure}.pdf")
    if Path(output).suffix != ".pdf":
        raise UserError(f"The output {output} must end in .pdf: PNG and CSV are written beside it.")
    job = makers.job(options, "figure", options.figure, taken)
    draw(options.figure, settings, records, output, job)


def default_records(name: str, settings: Settings) -> list[str]:
    """Where the workflow writes the records of a figure; none for a figure that needs none."""
    figure = FIGURES[name]
    sources = [(figure.part, figure.experiment)] if settings.experiment or not figure.experiment else []
    sources += [figure.beside] if settings.beside else []
    return [path for path in (known_parts.records(*source) for source in sources) if path]


def draw(name: str, settings: Settings, records: list[str], output: str, job=None) -> None:
    """Draw the figure `name` of the registry, which says whose it is where there is a `job`. Errors: UserError where records are missing or incomplete."""
    for path in records:  # before the libraries for drawing are loaded
        if not Path(path).exists():
            raise UserError(f"{path} does not exist: run the workflow, or `learner-collusion aggregate`, to make it.")
    expected = len(default_records(name, settings))
    if len(records) != expected:
        raise UserError(
            f"The figure {name} reads {expected} files of records, and --records names {len(records)}: give these."
        )
    settings = replace(settings, origin=begin(job, *makers.recorded(job, records)))
    if records and settings.made:
        from ..records import parquet

        settings = fidelity.labelled(settings, plan.merged(parquet.read_metadata(path, True) for path in records))
    module, _, function = FIGURES[name].draw.partition(":")
    drawing = importlib.import_module(f"..figures.{module}", __package__)
    own = records[0] if records and (settings.experiment or not settings.beside) else None
    beside = [records[-1] if settings.beside else None] if FIGURES[name].beside else []
    getattr(drawing, function)(settings, own, output, *beside)
