"""The parts of the paper that are made, one entry each; rules, schema, settings, stages and commands read it here.

`claims.catalogue.PARTS` has the headings of those that are judged. Such a part brings a judge `judge_<part>` in `stages.claims`,
and one of the same name in `claims`.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """`records`: "module:SCHEMA", below `learner_collusion.records`, of what its figures and claims read; None for nothing.
    `settings`: the keys of the configuration that make it smaller than the paper's. `judged`: whether it has claims of its own."""

    records: str | None
    settings: tuple[str, ...] = ()
    judged: bool = True


_KEYS = ("datasets", "runs", "betas", "split", "preprocessing", "training", "tuning", "codependence", "learner")
_TABULAR = tuple(f"tabular.{key}" for key in _KEYS)

PARTS = {
    "theory": Part(None, ("theory.cases",)),
    "tabular": Part("tabular:RECORDS", _TABULAR),
    "images": Part("images:IMAGES"),  # by experiment, with its protocol
    "imagenet": Part("imagenet:IMAGENET"),  # by model
    "sensitivity": Part("sensitivity:SENSITIVITY", _TABULAR, judged=False),  # of the tabular claims to the open choices
}
JUDGED = tuple(name for name, part in PARTS.items() if part.judged)
# The parts that have records: the families of `aggregate`, and the folders and files below results/records.
RECORDED = tuple(name for name, part in PARTS.items() if part.records)


def records(part: str, experiment: str | None = None) -> str | None:
    """Where the records of a part, or of one of its experiments, lie; None for a part that has none."""
    if part not in RECORDED:
        return None
    return f"results/records/{part}/{experiment}.parquet" if experiment else f"results/records/{part}.parquet"
