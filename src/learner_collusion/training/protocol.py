"""What one training of an image ensemble is: the cell, its protocol, and the hardware that it runs on."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ..errors import UserError


@dataclass(frozen=True)
class Augmentation:
    """Random crops of images padded by `crop_padding` pixels, horizontal flips, rotations up to `rotation` degrees."""

    crop_padding: int
    flip: bool
    rotation: float


@dataclass(frozen=True)
class Subset:
    """How many random images of a data set are used; None: all."""

    train: int | None = None
    test: int | None = None


@dataclass(frozen=True)
class Protocol:
    """How a cell is trained: an entry of `images.protocols` in config.yaml, whose comments explain each key."""

    optimiser: Literal["sgd", "adam"]
    learning_rate: float
    momentum: float
    weight_decay: float
    epochs: int
    milestones: tuple[int, ...]
    decay: float
    patience: int | None
    batch_size: int
    validation: float
    validation_from: Literal["train", "test"]
    shuffle: bool
    augmentation: Augmentation
    width: float
    dropout_per: Literal["batch", "example"]
    subset: Subset = Subset()
    evaluate_every: int | None = None
    evaluate_train: bool = False
    variant: str | None = None
    dropout: float | None = None
    learner_options: dict[str, int | float | str | bool] = field(default_factory=dict)  # of a class of the user's

    # What the loop asks of every protocol, and only that of pictures has as keys (`picture_protocol`).
    rate_patience: ClassVar[None] = None
    minimum_rate: ClassVar[float] = 0.0
    accumulate: ClassVar[int] = 1
    top: ClassVar[int] = 0


@dataclass(frozen=True)
class Hardware:
    """How a cell runs; changes no number beyond rounding, but for `precision`: another one is another experiment."""

    device: Literal["cpu", "cuda"] = "cpu"
    precision: Literal["fp32", "tf32", "bf16"] = "fp32"
    compile: bool = False
    threads: int = 1
    checkpoint_minutes: float = 5


_MOST_LEARNERS = 1000  # as in the configuration


@dataclass(frozen=True)
class Cell:
    """One training. `protocol` and `dataset` are names in the configuration, `model` one in `models.registry` or a dotted
    path. UserError for numbers out of range."""

    protocol: str
    dataset: str
    model: str
    learners: int
    averaging: str
    drop_rate: float
    beta: float
    run: int

    def __post_init__(self):
        if self.learners < 1:
            raise UserError(f"learners is {self.learners}, but an ensemble needs at least 1.")
        if self.learners > _MOST_LEARNERS:
            raise UserError(f"learners is {self.learners}, but must be at most {_MOST_LEARNERS}.")
        if not 0 <= self.run < 2**31:
            raise UserError(f"run is {self.run}, but runs count from 0, and fewer than two thousand million.")
        if not 0 <= self.beta <= 1:
            raise UserError(
                f"beta is {self.beta}, but must lie in [0, 1]: beyond 1 the objective has no lower bound (Theorem 5.1)."
            )
        if not 0 <= self.drop_rate < 1:
            raise UserError(f"drop_rate is {self.drop_rate}, but must be at least 0 and below 1.")

    def identity(self, seed: int) -> tuple:
        """The name of the cell's random numbers. They leave out beta and the drop rate, which are what is compared: all
        else is the same for all of their values."""
        return (seed, self.protocol, self.dataset, self.model, self.learners, self.averaging, self.run)


def count_batches(rows: int, size: int) -> int:
    """Number of batches of an epoch. A last batch of one image is left out: batch normalisation needs two."""
    return max(1, rows // size + (rows % size > 1))
