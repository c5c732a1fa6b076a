"""Settings of the tabular half that tuning and training share; blocks of `tabular` in config.yaml."""

import dataclasses
from dataclasses import dataclass

from ..errors import UserError


@dataclass(frozen=True)
class Shares:
    """Shares of the rows: `test` of all, `validation` of the rest."""

    test: float
    validation: float


@dataclass(frozen=True)
class Preprocessing:
    """A feature whose training part is more skewed than the threshold gets a logarithm."""

    skewness_threshold: float


@dataclass(frozen=True)
class Stopping:
    """When training stops (epochs), and whether the final training takes the validation data, too."""

    max_epochs: int
    patience: int
    refit_on_train_and_validation: bool


@dataclass(frozen=True)
class Tabular:
    """What tuning and training both take from the block `tabular`."""

    seed: int
    runs: int
    split: Shares
    preprocessing: Preprocessing
    training: Stopping
    engine: str
    device: str
    learner: str | None = dataclasses.field(
        default=None, kw_only=True
    )  # a class of the user's, in the place of the MLPs
    learner_options: dict[str, int | float | str | bool] = dataclasses.field(default_factory=dict, kw_only=True)


def identity(settings: Tabular, code: str, *inputs: str) -> dict:
    """What the finished runs of a job were made from: settings, code, and input files. The number of runs changes no run."""
    from ..records.kept import checksum

    alike = dataclasses.asdict(dataclasses.replace(settings, runs=0))
    return {"settings": alike, "inputs": checksum(*inputs), "code": code}


def chosen_runs(runs: int, only: int | None) -> list[int]:
    """All runs from 0, or the one that is asked for. UserError where it is none of them."""
    if only is not None and not 0 <= only < runs:
        raise UserError(f"run is {only}, but the configuration has runs 0 to {runs - 1}: choose one of them.")
    return list(range(runs)) if only is None else [only]
