"""How an ensemble is trained on pictures from files (Table 1, Figure 6 right; Appendix B)."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from .protocol import Subset


@dataclass(frozen=True)
class PictureProtocol:
    """The keys of `imagenet.protocol` in config.yaml, with those of one architecture; the comments there explain each.

    `batch_size` pictures are one step of the optimiser, in all processes together, in `accumulate` equal parts one after the
    other. The rate is multiplied by `decay` after each of the milestones (epochs), and where `rate_patience`
    evaluations in a row did not lower the validation ERR; below `minimum_rate` training stops. `evaluate_every`: batches, None
    for each epoch. `size`: pixels of a side of the crop; `evaluation_size`: of the shorter side before the central crop, None
    for size / 0.875; `scale`: the smallest and the largest share of the area that a random crop has.
    """

    optimiser: Literal["sgd", "adam"]
    learning_rate: float
    momentum: float
    weight_decay: float
    epochs: int
    milestones: tuple[int, ...]
    decay: float
    patience: int | None
    batch_size: int
    width: float
    size: int
    scale: tuple[float, float]
    flip: bool
    evaluate_every: int | None = None
    rate_patience: int | None = None
    minimum_rate: float = 0.0
    accumulate: int = 1
    evaluation_size: int | None = None
    cache: int | None = None
    scaled: bool = False
    subset: Subset = Subset()  # noqa: RUF009 (frozen)
    learner_options: dict[str, int | float | str | bool] = field(default_factory=dict)  # of a class of the user's

    top: ClassVar[int] = 5  # the label among so many classes of highest probability counts as a hit, too
