"""Image ensembles: the base learners of Appendix B and G, and the ensemble around them.

All take (batch, 3, 32, 32) and give scores. `width` scales the number of channels, for the small fidelities; 1 is the
paper's. An `Ensemble` gives (batch, learners, classes), the form that `decompose` and `AugmentedLoss` take.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .errors import UserError
from .native.convolution import pooled_convolution

MODELS = ("resnet18", "resnet34", "cnn", "vgg")


class Learner(nn.Module):
    """A base learner: `stem`, the convolution that sees the image, and `body`, all that follows."""

    def __init__(self, stem: nn.Conv2d, *body: nn.Module):
        super().__init__()
        self.stem, self.body = stem, nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.stem(x))


# Layers that have no parameters and treat each channel by itself: one call serves the channels of all learners.
_BY_CHANNEL = (nn.ReLU, nn.MaxPool2d, nn.Dropout, nn.Dropout2d, nn.AdaptiveAvgPool2d)
# With fewer channels a learner than this, layers that have parameters are faster for all learners at once, too: a step of 5
# ResNet-18 with 4 channels 1.4 times on a CPU; with 8 it makes no difference, and with 64 each alone is faster.
_FEW_CHANNELS = 8


class Ensemble(nn.Module):
    """Learners side by side. Their stems see the same images, and run as one convolution; so do further convolutions, as
    long as there is nothing between them but layers that treat each channel by itself. Learners with few channels go side
    by side up to where their features are flattened."""

    def __init__(self, members: list[Learner]):
        super().__init__()
        self.members = nn.ModuleList(members)
        self.layers = [[member.stem, *member.body] for member in members]  # a list a learner
        first = self.layers[0]
        few = members[0].stem.out_channels < _FEW_CHANNELS
        joint = (nn.Conv2d, *_BY_CHANNEL, *((nn.BatchNorm2d, _Block) if few else ()))
        alone = (i for i, layer in enumerate(first) if not isinstance(layer, joint))
        self.together = next(alone, len(first))  # so many layers serve all learners at once
        self.pooled = _is_pooled(first[:3])

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, learners, classes) of images (batch, 3, height, width)."""
        first, layer = self.layers[0], 0
        while layer < self.together:
            pooled = _is_pooled(first[layer : layer + 3])
            x = _side_by_side([layers[layer] for layers in self.layers], x, shared=layer == 0, pooled=pooled)
            layer += 3 if pooled else 1
        parts = x.chunk(len(self.members), 1)
        rests = [_through(own[layer:], part) for own, part in zip(self.layers, parts, strict=True)]
        return torch.stack(rests, 1)


def _through(layers: list[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _side_by_side(layers: list[nn.Module], x: Tensor, shared: bool = False, pooled: bool = False) -> Tensor:
    """The same layer of each learner, over the channels of all of them; of an image that they share, or each of its own."""
    if isinstance(layers[0], nn.Conv2d):
        return _convolve(x, layers, shared, pooled)
    if isinstance(layers[0], nn.BatchNorm2d):
        return _normalise(x, layers)
    if isinstance(layers[0], _Block):
        parts = zip(*(block.children() for block in layers), strict=True)
        return _residual(x, *(partial(_side_by_side, list(part)) for part in parts))
    if isinstance(layers[0], nn.Sequential):
        for part in zip(*layers, strict=True):
            x = _side_by_side(list(part), x)
        return x
    return layers[0](x)


def _normalise(x: Tensor, layers: list[nn.BatchNorm2d]) -> Tensor:
    """Batch normalisation of all learners; each keeps its own running statistics."""
    one = layers[0]
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in names)
    y = F.batch_norm(x, mean, var, weight, bias, one.training, one.momentum, one.eps)
    if one.training:
        for layer, own_mean, own_var in zip(layers, mean.chunk(len(layers)), var.chunk(len(layers)), strict=True):
            layer.running_mean.copy_(own_mean)
            layer.running_var.copy_(own_var)
            layer.num_batches_tracked.add_(1)
    return y


def _is_pooled(layers: list[nn.Module]) -> bool:
    """Whether these are a convolution, a max-pool and a ReLU that `pooled_convolution` does at once."""
    if [type(layer) for layer in layers] != [nn.Conv2d, nn.MaxPool2d, nn.ReLU]:
        return False
    convolution, pool, _ = layers
    plain = convolution.stride == (1, 1) and convolution.padding == (0, 0) and convolution.bias is not None
    return plain and (pool.kernel_size, pool.stride, pool.padding) == (2, 2, 0)


def _convolve(x: Tensor, convolutions: list[nn.Conv2d], shared: bool, pooled: bool) -> Tensor:
    """The convolutions of all learners, side by side in the channels; of an image that they share, or each of its own."""
    one = convolutions[0]
    weight = torch.cat([c.weight for c in convolutions])
    bias = None if one.bias is None else torch.cat([c.bias for c in convolutions])
    groups = 1 if shared else len(convolutions)  # over one image all filters are one group: fewer lanes stay empty
    if pooled:
        return pooled_convolution(x, weight, bias, groups)
    return F.conv2d(x, weight, bias, one.stride, one.padding, groups=groups)


class _Block(nn.Module):
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

    def forward(self, x: Tensor) -> Tensor:
        return _residual(x, *self.children())


def _residual(x: Tensor, conv1: Callable, bn1: Callable, conv2: Callable, bn2: Callable, shortcut: Callable) -> Tensor:
    h = F.relu(bn1(conv1(x)))
    return F.relu(bn2(conv2(h)) + shortcut(x))


def _scaled(channels: int, width: float) -> int:
    return max(1, round(channels * width))


def resnet(blocks: tuple[int, ...], classes: int, width: float = 1) -> Learner:
    """A ResNet in the form for 32 x 32 images: a 3 x 3 stem, no max-pool."""
    channels = _scaled(64, width)
    stem = nn.Conv2d(3, channels, 3, 1, 1, bias=False)
    body: list[nn.Module] = [nn.BatchNorm2d(channels), nn.ReLU()]
    for stage, count in enumerate(blocks):
        outputs = _scaled(64 * 2**stage, width)
        for block in range(count):
            body.append(_Block(channels, outputs, 2 if stage > 0 and block == 0 else 1))
            channels = outputs
    return Learner(stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))


def cnn(classes: int, width: float = 1, form: str = "pool", dropout: float = 0.1) -> Learner:
    """The CNN of Table 3. `form` resolves its slip (docs/errata.md): `pool` is the official code's, two 5 x 5 convolutions
    each with a 2 x 2 max-pool; `stride` has stride 2 and no padding instead. Both hand on the 500 inputs of the table."""
    first, second, hidden = _scaled(10, width), _scaled(20, width), _scaled(50, width)
    stride = {"pool": 1, "stride": 2}[form]

    def after() -> list[nn.Module]:
        # The official code drops channels first; they are scaled by numbers that are not negative, which commutes with
        # maximum and ReLU, and there are four times fewer to scale afterwards.
        return [*([nn.MaxPool2d(2)] if form == "pool" else []), nn.ReLU(), nn.Dropout2d(dropout)]

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


def learner(model: str, classes: int, width: float = 1, **options) -> Learner:
    """One base learner by its name in the configuration; UserError for a name that is not known."""
    if model == "resnet18":
        return resnet((2, 2, 2, 2), classes, width)
    if model == "resnet34":
        return resnet((3, 4, 6, 3), classes, width)
    if model == "cnn":
        return cnn(classes, width, **options)
    if model == "vgg":
        return vgg(classes, width)
    raise UserError(f"The model {model!r} is not known: choose one of {', '.join(MODELS)}.")


def ensemble(model: str, learners: int, classes: int, width: float = 1, **options) -> Ensemble:
    """`learners` base learners with initial weights of their own, in turn from PyTorch's generator."""
    return Ensemble([learner(model, classes, width, **options) for _ in range(learners)])
