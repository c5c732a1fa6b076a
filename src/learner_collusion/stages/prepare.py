"""Read and check the raw files of a data set, and write what training reads: a Parquet table, an .npz of images, or an index
of pictures, which stay where they lie.

Example: learner-collusion prepare --config config.yaml --dataset abalone
"""

import argparse
import os
from pathlib import Path

from ..plan import makers
from ..plan.settings import add_settings_arguments, convert, from_options, of_kind, results
from ..records.identity import Input, begin


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument(
        "--dataset", required=True, metavar="NAME", help="a table or an image data set of the configuration"
    )
    add_settings_arguments(parser)
    parser.add_argument("--raw", metavar="FILE", help="what `fetch` wrote (default: where it writes by default)")
    parser.add_argument("--output", metavar="FILE", help="default: results/datasets/NAME.parquet, or .npz for images")


def run(options: argparse.Namespace) -> None:
    """Prepare one data set, and print what it holds."""
    settings = from_options(options, "prepare", part=options.dataset)
    prepare, own = of_kind(settings, table=prepare_table, images=prepare_images)
    job = makers.job(options, "prepare", options.dataset, settings)
    print(prepare(options.dataset, own, options.raw, options.output, job))


def prepare_table(dataset: str, settings: dict, raw: str | None = None, output: str | None = None, job=None) -> str:
    """Write the prepared table, and return a summary of what was read."""
    from ..data import tabular

    table = convert(settings, tabular.Table)
    output = output or results(f"datasets/{dataset}.parquet")
    raw = raw or results(f"datasets/raw/{dataset}/{table.file}")
    return tabular.prepare(raw, output, dataset, table, begin(job, Input(raw, "fetch", dataset)))


def prepare_images(dataset: str, settings: dict, raw: str | None = None, output: str | None = None, job=None) -> str:
    """Write the images as one .npz, and return a line that says where they came from."""
    from ..data import images

    raw = raw or results(f"datasets/raw/{dataset}/archive.tar")
    output = output or results(f"datasets/{dataset}.npz")
    made = begin(job, Input(raw, "fetch", dataset))
    return f"{dataset}: {images.prepare(dataset, convert(settings, images.Expected), raw, output, made)}"


def prepare_pictures(dataset: str, settings: dict, raw: str | None = None, output: str | None = None, job=None) -> str:
    """Check a set of pictures where it lies, or in the tar `raw`, write its index, and return a line that describes it."""
    from ..data import imagenet
    from ..data.registry import MIRROR_VARIABLE

    made = begin(job, *([Input(raw, "fetch", dataset)] if raw else []))
    if raw:
        settings = settings | {"folder": None, "file": str(Path(raw).resolve())}
    output = output or results(f"datasets/{dataset}.pictures.parquet")
    return imagenet.prepare(
        dataset, convert(settings, imagenet.Pictures), output, os.environ.get(MIRROR_VARIABLE), made
    )
