"""Judge the claims of one part of the paper on its records, or put the claims of all parts together.

Example: learner-collusion claims --config config.yaml --part tabular
"""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..claims.catalogue import PARTS, Claim
from ..errors import UserError
from ..plan import fidelity, makers
from ..plan import settings as plan
from ..plan.parts import JUDGED
from ..records.identity import Input, Job, begin


@dataclass(frozen=True)
class Settings:
    """What the claims of one part take from the configuration.

    `note` marks reduced fidelity, empty at the paper's settings; `titles` name data sets and models; `confidence` is that
    of the intervals, and `remark` is printed beside the verdicts where there is a note; `claims` are the entries of the catalogue; `paper` names
    what is the paper's: under "tabular" or "imagenet" its data sets, else by experiment its "<data set>/<model>"; `runs`: how many of
    each table there should be; `experiments` are those that are enabled, of ImageNet by model; `cases`: random examples
    on which the theory is checked.
    """

    part: str
    note: str
    titles: dict[str, str]
    seed: int
    confidence: float
    remark: str | None
    claims: list[Claim]
    paper: dict[str, list[str]]
    runs: int | None
    experiments: dict[str, dict]
    cases: int | None
    heading: str = ""  # as the catalogue has it; here so that a change writes the claims anew
    made: dict = field(default_factory=dict)  # what the records must have been made with; empty: not checked
    origin: Any = None  # the `records.identity.Made` of the job, which its outputs say of themselves


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--part", required=True, choices=(*JUDGED, "all"))
    parser.add_argument(
        "--records", nargs="*", metavar="FILE",
        help="what is judged (default: results/records/PART.parquet; for `all`: the Parquet files of the parts)",
    )  # fmt: skip
    parser.add_argument("--output", help="Markdown (default: results/claims/PART.md; for `all`: results/claims.md)")
    parser.add_argument("--parquet", help="the same as Parquet (default: beside the Markdown file)")
    plan.add_settings_arguments(parser)


def run(options) -> None:
    """Judge one part, or put all parts together; print how many claims hold."""
    part = options.part
    output = options.output or plan.results("claims.md" if part == "all" else f"claims/{part}.md")
    parquet = plan.parquet_beside(output, options.parquet)
    if part == "all":
        found = (Path(plan.results(f"claims/{name}.parquet")) for name in PARTS)
        records = options.records or [str(path) for path in found if path.exists()]
        combine(records, output, parquet, makers.job(options, "claims", part))
        return
    taken = plan.from_options(options, "claims", part=part)
    settings, job = plan.convert(taken, Settings), makers.job(options, "claims", part, taken)
    if settings.part != part:
        raise UserError(
            f"The settings are those of the part {settings.part!r}, not {part!r}: give the file of that part."
        )
    records = options.records or [plan.results(f"records/{part}.parquet")]
    if len(records) > 1:
        raise UserError(f"The part {part!r} is judged on one file of records: give one after --records.")
    settings = replace(settings, origin=begin(job, *makers.recorded(job, records if part != "theory" else [])))
    if settings.made:
        from ..records.parquet import read_metadata

        settings = fidelity.labelled(settings, read_metadata(records[0], published=True))
    globals()[f"judge_{part}"](settings, records[0], output, parquet)


def judge_theory(settings: Settings, records: str | None, output: str, parquet: str) -> None:
    """Judge the identities of the theory, which need no records."""
    from ..claims.theory import judge

    rows = judge(None, {}, settings)
    _write(settings, rows, output, parquet)


def judge_tabular(settings: Settings, records: str, output: str, parquet: str) -> None:
    """Judge the claims of the tabular records. UserError where they are missing or damaged."""
    from ..claims.tabular import judge
    from ..records import parquet as files
    from ..records.tabular import RECORDS

    rows = judge(files.read(records, RECORDS, True), files.read_metadata(records, True), settings)
    _write(settings, rows, output, parquet)


def judge_images(settings: Settings, records: str, output: str, parquet: str) -> None:
    """Judge the claims of the image records. UserError where they are missing or damaged."""
    from ..claims.images import judge
    from ..records import parquet as files
    from ..records.images import IMAGES

    rows = judge(files.read(records, IMAGES, True), files.read_metadata(records, True), settings)
    _write(settings, rows, output, parquet)


def judge_imagenet(settings: Settings, records: str, output: str, parquet: str) -> None:
    """Judge the claims of the ImageNet records. UserError where they are missing or damaged."""
    from ..claims.imagenet import judge
    from ..records import parquet as files
    from ..records.imagenet import IMAGENET

    rows = judge(files.read(records, IMAGENET, True), files.read_metadata(records, True), settings)
    _write(settings, rows, output, parquet)


def _write(settings: Settings, rows, output: str, parquet: str) -> None:
    from ..publishing import claims

    # a part at the paper's settings has nothing to be remarked on
    remark = (settings.remark or "") if settings.note else ""
    given = (
        settings.part,
        settings.note,
        settings.titles,
        output,
        parquet,
        settings.confidence,
        remark,
        settings.origin,
    )
    claims.write(rows, *given)
    print(f"{output}: {claims.sentence(claims.counts(rows))}")


def combine(parts: list[str], output: str, parquet: str, job: Job | None = None) -> None:
    """Put the judged parts together, given as Parquet files. UserError where there are none."""
    from ..publishing import claims

    made = begin(job, *(Input(path, "claims", Path(path).stem) for path in parts))
    claims.combine(parts, output, parquet, made)
    print(f"{output}: {len(parts)} parts")
