"""Get the raw files of a data set: from their origin, else from the mirror folder, verified by checksum.

Example: learner-collusion fetch --config config.yaml --dataset abalone
"""

import argparse
import os
from dataclasses import dataclass

from ..plan import makers
from ..plan.settings import add_settings_arguments, convert, from_options, of_kind, results
from ..records.identity import begin, write_beside


@dataclass(frozen=True)
class TableFile:
    """The raw file of a table: its address, its name and the accepted SHA-256 sums (None: any); `timeout` in seconds.

    Without an address it is what `source` ships, else the user's own file at `path`. `mirror`: whether the mirror folder is
    asked where the origin does not answer.
    """

    url: str | None
    file: str
    sha256: tuple[str, ...] | None
    retries: int
    timeout: float
    source: str | None = None
    path: str | None = None
    mirror: bool = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--dataset", required=True, metavar="NAME", help="a table or an image data set of the configuration"
    )
    add_settings_arguments(parser)
    parser.add_argument("--output", metavar="FILE", help="default: results/datasets/raw/NAME/, under the file's name")


def run(options: argparse.Namespace) -> None:
    """Fetch one data set, and print where it came from."""
    settings = from_options(options, "fetch", part=options.dataset)
    fetch, own = of_kind(settings, table=fetch_table, images=fetch_images)
    made = begin(makers.job(options, "fetch", options.dataset, settings))
    where = fetch(options.dataset, own, options.output)
    origin = {"where": where.removeprefix("from ")} | ({"path": own["path"]} if own.get("path") else {})
    write_beside(options.output or _default(options.dataset, own), made, origin)
    print(f"{options.dataset}: {where}")


def _default(dataset: str, settings: dict) -> str:
    [name] = [settings["file"]] if "file" in settings else ["archive.tar"] if "source" in settings else ["pictures.tar"]
    return results(f"datasets/raw/{dataset}/{name}")


def fetch_table(dataset: str, settings: dict, output: str | None = None) -> str:
    """Write the raw file of a table, and return a line that says where it came from."""
    from ..data import sources

    table = convert(settings, TableFile)
    output = output or results(f"datasets/raw/{dataset}/{table.file}")
    if table.source == "scikit-learn":
        return f"from {sources.export_diabetes(output)}"
    if table.path or not table.mirror:
        return f"from {sources.fetch_own(output, table.path, table.file, table.url, table.retries, table.timeout)}"
    mirror = os.environ.get(sources.MIRROR_VARIABLE)
    where = sources.fetch(output, table.file, table.url, table.sha256, mirror, table.retries, table.timeout)
    return f"from the {where}"


def fetch_images(dataset: str, settings: dict, output: str | None = None) -> str:
    """Write the original files of an image data set as one tar, and return a line that says where they came from."""
    from ..data import images
    from ..data.sources import MIRROR_VARIABLE

    output = output or results(f"datasets/raw/{dataset}/archive.tar")
    return images.fetch(dataset, convert(settings, images.Source), output, os.environ.get(MIRROR_VARIABLE))


def fetch_pictures(dataset: str, settings: dict, output: str | None = None) -> str:
    """Draw the pictures of a data set that is drawn, as a tar, and return a line that says so. Others are read where they lie."""
    from ..data import drawn

    output = output or results(f"datasets/raw/{dataset}/pictures.tar")
    return drawn.draw(dataset, convert(settings, drawn.Drawn), output)
