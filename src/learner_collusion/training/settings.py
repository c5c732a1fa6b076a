"""Settings of the tabular half that tuning and training share; blocks of `tabular` in config.yaml."""

from dataclasses import dataclass


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
