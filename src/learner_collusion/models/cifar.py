"""Base learners for images of 32 x 32 pixels (Appendices B and G).

All take (batch, 3, 32, 32) and give scores (batch, classes). `width` scales the number of channels, for the small
fidelities; 1 is the paper's.
"""

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from .side_by_side import Composite, Learner


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


class BasicBlock(Composite):
    """The basic block of a ResNet (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    @staticmethod
    def combine(
        x: Tensor, conv1: Callable, bn1: Callable, conv2: Callable, bn2: Callable, shortcut: Callable
    ) -> Tensor:
        h = F.relu(bn1(conv1(x)))
        return F.relu(bn2(conv2(h)) + shortcut(x))


def _resnet(blocks: tuple[int, ...], classes: int, width: float) -> Learner:
    """A ResNet in the form for 32 x 32 images: a 3 x 3 stem, no max-pool."""
    channels = _scaled(64, width)
    stem = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
    body: list[nn.Module] = [nn.BatchNorm2d(channels), nn.ReLU()]
    for stage, count in enumerate(blocks):
        outputs = _scaled(64 * 2**stage, width)
        for block in range(count):
            body.append(BasicBlock(channels, outputs, 2 if stage > 0 and block == 0 else 1))
            channels = outputs
    return Learner(stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def resnet18(classes: int, width: float = 1) -> Learner:
    return _resnet((2, 2, 2, 2), classes, width)


def resnet34(classes: int, width: float = 1) -> Learner:
    return _resnet((3, 4, 6, 3), classes, width)


def cnn(classes: int, width: float = 1, variant: str = "pool", dropout: float = 0.1) -> Learner:
    """The CNN of Table 3, whose printed shapes do not fit (docs/errata.md). `variant`: `pool` is the official code's, two
    5 x 5 convolutions each with a 2 x 2 max-pool; `stride` has stride 2 and no padding instead. In both, the first linear
    layer has the 500 inputs of the table."""
    if variant not in ("pool", "stride"):
        raise UserError(f"variant is {variant!r}: choose pool or stride.")
    first, second, hidden = _scaled(10, width), _scaled(20, width), _scaled(50, width)
    stride = 1 if variant == "pool" else 2

    def after() -> list[nn.Module]:
        # The official code drops channels first; they are scaled by numbers that are not negative, which commutes with
        # maximum and ReLU, and afterwards only a quarter of the pixels need scaling.
        return [*([nn.MaxPool2d(2)] if variant == "pool" else []), nn.ReLU(), nn.Dropout2d(dropout)]

    return Learner(
        nn.Conv2d(3, first, 5, stride),
        *after(),
        nn.Conv2d(first, second, 5, stride),
        *after(),
        nn.Flatten(),
        nn.Linear(25 * second, hidden),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(hidden, classes),
    )


# Table 4: channels and dropout of each convolution, None for a max-pool.
_VGG = [(64, 0.3), (64, 0), None, (128, 0.4), (128, 0), None, (256, 0.4), (256, 0.4), (256, 0), None]
_VGG += [(512, 0.4), (512, 0.4), (512, 0), None, (512, 0.4), (512, 0.4), (512, 0), None]


def vgg(classes: int, width: float = 1) -> Learner:
    """The VGG of Table 4, its max-pools with stride 2 and no padding (docs/errata.md)."""
    layers: list[nn.Module] = []
    channels = 3
    for entry in _VGG:
        if entry is None:
            layers.append(nn.MaxPool2d(2))
            continue
        outputs = _scaled(entry[0], width)
        layers += [nn.Conv2d(channels, outputs, 3, 1, 1), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.Dropout(entry[1])] if entry[1] else []
        channels = outputs
    hidden = _scaled(512, width)
    layers += [nn.Flatten(), nn.Dropout(0.5), nn.Linear(channels, hidden), nn.BatchNorm1d(hidden), nn.ReLU()]
    return Learner(layers[0], *layers[1:], nn.Dropout(0.5), nn.Linear(hidden, classes))
