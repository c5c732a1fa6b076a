"""Put the records of data sets, the histories of image cells, or the claims by the records of variants together in one long table.

Example: learner-collusion aggregate --family tabular --inputs results/records/tabular/abalone.parquet --output all.parquet
"""

from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..plan import cells, makers
from ..plan import settings as plan
from ..plan.parts import RECORDED
from ..records.identity import Input, Job, begin
from . import claims


@dataclass(frozen=True)
class Described:
    """A variant of the sensitivity analysis: what it changes, in words, and whether that is several choices."""

    name: str
    shows: str
    joint: bool = False


@dataclass(frozen=True)
class Variants:
    """What the family `sensitivity` takes from the configuration: its variants, and how claims are judged."""

    variants: list[Described]
    claims: claims.Settings


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--family", choices=RECORDED, required=True)
    parser.add_argument(
        "--inputs", nargs="+", required=True, help="records of data sets or variants, or histories of cells"
    )
    parser.add_argument("--output", required=True)
    parser.add_argument("--name", help="what the records are called, such as images/cnn (default: the family)")
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Write the table, by the function here that bears the family's name."""
    taken = plan.from_options(options, "aggregate", part=options.family) if options.family == "sensitivity" else None
    settings = () if taken is None else (plan.convert(taken, Variants),)
    job = makers.job(options, "aggregate", options.name or options.family, taken)
    globals()[options.family](options.inputs, options.output, *settings, job=job)


def tabular(records: list[str], output: str, job: Job | None = None) -> None:
    """The records of several data sets, each in the file of its name."""
    from ..records import parquet
    from ..records.tabular import RECORDS

    made = begin(job, *(Input(path, "evaluate", Path(path).stem) for path in records))
    parquet.concatenate(records, output, RECORDS, made)


def sensitivity(records: list[str], output: str, settings: Variants, job: Job | None = None) -> None:
    """The tabular claims, judged by the records as chosen and by those of each variant in `settings`, in this order."""
    import pandas as pd

    from ..claims.tabular import judge
    from ..records import parquet
    from ..records.sensitivity import CHOSEN, SENSITIVITY
    from ..records.tabular import RECORDS

    if len(records) != 1 + len(settings.variants):
        raise UserError(
            f"There are {len(records)} files for {len(settings.variants)} variants: give the records as chosen, and those of each."
        )
    wanted = [("aggregate", "tabular"), *(("sensitivity", variant.name) for variant in settings.variants)]
    made = begin(job, *(Input(path, *one) for path, one in zip(records, wanted, strict=True)))
    frames, training = [], {}
    for path, variant in zip(records, [Described(CHOSEN, "as chosen"), *settings.variants], strict=True):
        rows = judge(parquet.read(path, RECORDS), {}, settings.claims)
        frames.append(rows.assign(variant=variant.name, shows=variant.shows, joint=variant.joint))
        training[variant.name] = parquet.read_metadata(path)
    metadata = {"training": training, "provenance": parquet.provenance("scipy")}
    parquet.write(output, pd.concat(frames)[SENSITIVITY.names], SENSITIVITY, metadata, made)


def images(histories: list[str], output: str, job: Job | None = None) -> None:
    """The histories of image cells, each row with its cell; the settings under "<protocol>-<data set>"."""
    _cells(histories, output, "{protocol}-{dataset}", "train_images", job)


def imagenet(histories: list[str], output: str, job: Job | None = None) -> None:
    """The histories of ImageNet cells, each row with its cell; the settings under "<data set>-<model>"."""
    _cells(histories, output, "{dataset}-{model}", "train_imagenet", job)


def _cells(histories: list[str], output: str, group: str, stage: str, job: Job | None) -> None:
    """The histories of cells, each row with its cell. A history that lies in a cell's place is that cell's.

    The metadata list the data sets that were not available, and why; and under the name of each `group` of cells all settings
    that they were trained with: one entry, unless cells of several configurations were put together. "trained" lists with what.
    """
    import pandas as pd

    from ..records import parquet
    from ..records.images import CELL, CELL_HISTORY, IMAGES

    made = begin(job, *(Input(path, stage, cells.name_of(path)) for path in histories))
    frames, missing, settings, trained_with = [], {}, {}, []
    for path in histories:
        metadata = parquet.read_metadata(path)
        if "cell" not in metadata:
            raise UserError(
                f"{path} is not the history of a cell: give histories that train_images or train_imagenet wrote."
            )
        cell = metadata["cell"]
        known = settings.setdefault(group.format(**cell), [])
        if (trained := metadata["settings"] | {"precision": metadata.get("precision")}) not in known:
            known.append(trained)
        used = {name: metadata[name] for name in ("provenance", "hardware") if name in metadata}
        if used and used not in trained_with:
            trained_with.append(used)
        if "missing" in metadata:
            missing[cell["dataset"]] = metadata["missing"]
        frames.append(parquet.read(path, CELL_HISTORY).assign(**{name: cell[name] for name in CELL}))
    metadata = {"missing": missing, "settings": settings, "trained": trained_with, "provenance": parquet.provenance()}
    parquet.write(output, pd.concat(frames)[IMAGES.names], IMAGES, metadata, made)
