"""Learners of one architecture as one program: layers that all of them share run as one call over their channels.

A base learner opts in by declaring its layers as a `Learner`. Its stem and the stems of the other learners see the same
images, and run as one convolution; so do further convolutions, as long as only layers that treat each channel by itself stand
between them. Learners with few channels stay side by side up to where their features are flattened. The numbers are those of
the learners one by one, within rounding.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..native.convolution import pooled_convolution


class Learner(nn.Module):
    """A base learner: `stem`, the convolution that sees the images, and `body`, the layers that follow, in turn."""

    def __init__(self, stem: nn.Conv2d, *body: nn.Module):
        super().__init__()
        self.stem, self.body = stem, nn.Sequential(*body)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(self.stem(x))


class Composite(nn.Module):
    """A layer made of layers, such as a residual block. A subclass registers them and overrides `combine`, which calls
    them; everything with parameters must be one of them. Given the layers of all learners, `combine` serves all at once."""

    @staticmethod
    def combine(x: Tensor, *children: Callable[[Tensor], Tensor]) -> Tensor:
        """The output at x; `children` in the order in which they were registered."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        return self.combine(x, *self.children())


# Layers that have no parameters and treat each channel by itself: one call serves the channels of all learners.
_BY_CHANNEL = (nn.ReLU, nn.MaxPool2d, nn.Dropout, nn.Dropout2d, nn.AdaptiveAvgPool2d)
# Below this number of channels, layers that have parameters are faster for all learners at once, too: a step of 5 ResNet-18
# with 4 channels 1.4 times on a CPU; with 8 it makes no difference, and with 64 one learner after the other is faster.
_FEW_CHANNELS = 8


def layers_of(learners: Sequence[nn.Module]) -> list[list[nn.Module]] | None:
    """The layers of each learner; None unless all declare them and are of one architecture."""
    declared = all(isinstance(one, Learner) and type(one).forward is Learner.forward for one in learners)
    if not declared or len({repr(one) for one in learners}) > 1:
        return None
    return [[one.stem, *one.body] for one in learners]


def count_joint(layers: Sequence[nn.Module]) -> int:
    """How many of the first layers of a learner can run as one call for all learners."""
    if type(layers[0]) is not nn.Conv2d:
        return 0
    few = has_few_channels(layers)
    alone = (i for i, layer in enumerate(layers) if not _can_join(layer, few))
    return next(alone, len(layers))


def has_few_channels(layers: Sequence[nn.Module]) -> bool:
    """Whether a learner's layers with parameters run faster beside those of the others."""
    return layers[0].out_channels < _FEW_CHANNELS


def is_pooled(layers: Sequence[nn.Module]) -> bool:
    """Whether these are a convolution, a max-pool and a ReLU that `pooled_convolution` does at once."""
    if [type(layer) for layer in layers] != [nn.Conv2d, nn.MaxPool2d, nn.ReLU]:
        return False
    convolution, pool, _ = layers
    plain = convolution.stride == convolution.dilation == (1, 1) and convolution.padding == (0, 0)
    square = convolution.kernel_size[0] == convolution.kernel_size[1] and convolution.bias is not None
    halves = (pool.kernel_size, pool.stride, pool.padding, pool.dilation, pool.ceil_mode) == (2, 2, 0, 1, False)
    return plain and square and halves


def run(layers: list[list[nn.Module]], joint: int, x: Tensor) -> list[Tensor]:
    """The outputs of all learners at the images x: the first `joint` layers side by side, the rest one by one."""
    first, layer = layers[0], 0
    while layer < joint:
        pooled = is_pooled(first[layer : layer + 3])
        x = _side_by_side([learner[layer] for learner in layers], x, shared=layer == 0, pooled=pooled)
        layer += 3 if pooled else 1
    return [_in_turn(learner[layer:], part) for learner, part in zip(layers, x.chunk(len(layers), 1), strict=True)]


def _in_turn(layers: list[nn.Module], x: Tensor) -> Tensor:
    for layer in layers:
        x = layer(x)
    return x


def _can_join(layer: nn.Module, few: bool) -> bool:
    kind = type(layer)  # exact types: a subclass may compute something else
    if kind is nn.Conv2d:
        return layer.groups == 1 and layer.padding_mode == "zeros"
    if kind is nn.BatchNorm2d:
        return few and layer.affine and layer.track_running_stats and layer.momentum is not None
    if kind is nn.Sequential or isinstance(layer, Composite):
        return few and all(_can_join(child, few) for child in layer.children())
    return kind in _BY_CHANNEL


def _side_by_side(layers: list[nn.Module], x: Tensor, shared: bool = False, pooled: bool = False) -> Tensor:
    """The same layer of each learner over the channels of all; `shared`: of one image that all learners see."""
    one = layers[0]
    if isinstance(one, nn.Conv2d):
        return _convolve(x, layers, shared, pooled)
    if isinstance(one, nn.BatchNorm2d):
        return _normalise(x, layers)
    if isinstance(one, Composite):
        children = zip(*(layer.children() for layer in layers), strict=True)
        return one.combine(x, *(partial(_side_by_side, list(child)) for child in children))
    if isinstance(one, nn.Sequential):
        for part in zip(*layers, strict=True):
            x = _side_by_side(list(part), x)
        return x
    return one(x)


def _convolve(x: Tensor, convolutions: list[nn.Conv2d], shared: bool, pooled: bool) -> Tensor:
    one = convolutions[0]
    weight = torch.cat([c.weight for c in convolutions])
    bias = None if one.bias is None else torch.cat([c.bias for c in convolutions])
    groups = 1 if shared else len(convolutions)  # over one image all filters are one group: fewer lanes stay empty
    if pooled:
        return pooled_convolution(x, weight, bias, groups)
    return F.conv2d(x, weight, bias, one.stride, one.padding, one.dilation, groups)


def _normalise(x: Tensor, layers: list[nn.BatchNorm2d]) -> Tensor:
    """Batch normalisation of all learners; each keeps separate running statistics."""
    one = layers[0]
    names = ("running_mean", "running_var", "weight", "bias")
    mean, var, weight, bias = (torch.cat([getattr(layer, name) for layer in layers]) for name in names)
    y = F.batch_norm(x, mean, var, weight, bias, one.training, one.momentum, one.eps)
    if one.training:
        parts = zip(layers, mean.chunk(len(layers)), var.chunk(len(layers)), strict=True)
        for layer, layer_mean, layer_var in parts:
            layer.running_mean.copy_(layer_mean)
            layer.running_var.copy_(layer_var)
            layer.num_batches_tracked.add_(1)
    return y
