"""The ensemble around its base learners, any modules with (batch, classes) outputs.

An `Ensemble` gives (batch, learners, classes), the form that `decompose` and `AugmentedLoss` take.
"""

import inspect
from collections.abc import Callable, Iterable
from functools import cache, partial

import torch
from torch import Tensor, nn

from ..errors import UserError
from . import side_by_side
from .registry import builder


class Ensemble(nn.Module):
    """Learners that see the same inputs. They run one after the other, or side by side where they are of one architecture
    whose layers are declared (see `side_by_side`). `classes`: how many outputs each learner must give; None for any.

    `pooled`: whether the native convolution may serve the first layers of all learners. `streams`: whether on a GPU each
    learner runs on a stream of its own.
    """

    def __init__(self, learners: Iterable[nn.Module], classes: int | None = None, streams: bool = True):
        super().__init__()
        self.learners = nn.ModuleList(learners)
        self.classes, self.streams = classes, streams
        self._layers = side_by_side.layers_of(self.learners)
        self._joint = 0 if self._layers is None else side_by_side.count_joint(self._layers[0])
        self._few = self._joint > 0 and side_by_side.has_few_channels(self._layers[0])
        self.pooled = self._joint > 0 and side_by_side.is_pooled(self._layers[0][:3])

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, learners, classes) of inputs (batch, ...). UserError where a learner's output has another shape."""
        if self._joint and (self._few or not x.is_cuda):  # a GPU likes neighbours of other learners no better
            outputs = side_by_side.run(self._layers, self._joint, x)
        else:
            calls = [partial(learner, x) for learner in self.learners]
            outputs = at_once(calls, x.device) if self.streams else [call() for call in calls]
        self._check(outputs, len(x))
        return torch.stack(outputs, 1)

    def _check(self, outputs: list, batch: int) -> None:
        classes = self.classes
        for learner, output in zip(self.learners, outputs, strict=True):
            tensor = isinstance(output, Tensor)
            if tensor and output.ndim == 2 and len(output) == batch and classes in (None, output.shape[1]):
                classes = output.shape[1]
                continue
            gave = f"shape {tuple(output.shape)}" if tensor else f"a {type(output).__name__}"
            raise UserError(
                f"The learner {type(learner).__name__} must give scores (batch, classes) of shape ({batch}, "
                f"{classes or 'classes'}), but gave {gave}: change its last layer."
            )


def at_once(calls: list[Callable[[], Tensor]], device: torch.device) -> list[Tensor]:
    """What each of `calls` gives; on a GPU each runs on a stream of its own, since a single learner leaves much of it idle."""
    if device.type != "cuda":
        return [call() for call in calls]
    here, outputs = torch.cuda.current_stream(device), []
    streams = _streams(len(calls), device)
    for call, stream in zip(calls, streams, strict=True):
        stream.wait_stream(here)
        with torch.cuda.stream(stream):
            outputs.append(call())
    for stream in streams:
        here.wait_stream(stream)
    return outputs


@cache
def _streams(count: int, device: torch.device) -> list[torch.cuda.Stream]:
    return [torch.cuda.Stream(device) for _ in range(count)]


def ensemble(model: str, learners: int, classes: int, width: float = 1, **options) -> Ensemble:
    """`learners` base learners, each with different initial weights, drawn in turn from PyTorch's generator.

    `model`: a name in `models.registry`, or the dotted path of a function or class that is called with (classes, width,
    **options). Errors: UserError for a model that does not exist, cannot be called so, or builds no module.
    """
    build = builder(model)
    try:
        inspect.signature(build).bind(classes, width, **options)
    except (TypeError, ValueError) as error:  # ValueError: code in C that does not say what it takes
        arguments = ", ".join(["classes", "width", *options])
        raise UserError(f"The model {model!r} must take ({arguments}), but: {error}.") from None
    members = [build(classes, width, **options) for _ in range(learners)]
    if not all(isinstance(member, nn.Module) for member in members):
        raise UserError(f"The model {model!r} built {type(members[0]).__name__}: it must build a torch.nn.Module.")
    return Ensemble(members, classes)
