"""Put claims, figures, tables and a picture that moves into one page, an HTML file that opens from disk with no network.

Example: learner-collusion report --results runs/demo/results
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..plan import settings as plan
from ..plan.configuration import PAPER


@dataclass(frozen=True)
class Settings:
    """What the page takes from the configuration: the name of its `fidelity`, figures and tables in their order, and for a `study`
    of the user's the titles of its tables by their names."""

    fidelity: str
    figures: list[str]
    tables: list[str]
    study: dict[str, str]


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="the folder of the results (default: results)"
    )
    parser.add_argument("--output", type=Path, help="the page (default: report.html in that folder)")
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Write the page of whatever was made; by default the configuration is the one beside the results."""
    beside = options.results / "config.yaml"
    if not (options.settings or options.config):
        if not beside.exists():
            raise UserError(f"{options.results} holds no results of the workflow: give their folder with --results.")
        options.config = [PAPER, beside]  # results of an earlier version may lack a key that no page needs
    settings = plan.convert(plan.from_options(options, "report"), Settings)
    if options.settings:  # in the workflow nothing is read that does not say what made it
        from ..records.identity import look

        for path in [*options.results.glob("*.parquet"), *options.results.glob("records/tabular.parquet")]:
            look(path)
    write(settings, options.results, options.output or options.results / "report.html")


def _summaries(names: Iterable[str], results: Path) -> Iterator[str]:
    """What was read of the tables of a study, where they still lie beside its results."""
    from ..records import parquet

    for name in names:
        prepared = results / f"datasets/{name}.parquet"
        if prepared.exists() and (summary := parquet.read_metadata(prepared, published=True).get("summary")):
            yield summary


def write(settings: Settings, results: Path, output: Path) -> None:
    """Write the page of the results in a folder. Errors: UserError where there is nothing to show, or a file is damaged."""
    from ..publishing import report

    if not any(results.glob("figures/*.png")) and not report.claims_files(results):
        raise UserError(f"{results} holds neither figures nor claims: run the workflow first.")
    page = report.Page(
        settings.fidelity,
        settings.figures,
        settings.tables,
        study=list(settings.study.values()),
        read=list(_summaries(settings.study, results)),
    )
    report.write(results, output, page)
    print(f"{output}: {output.stat().st_size / 1e6:.1f} MB")
