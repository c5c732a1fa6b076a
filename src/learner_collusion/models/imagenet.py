"""Base learners for pictures of 64 pixels and more (Table 1): torchvision's architectures, not pretrained.

All take (batch, 3, height, width) and give scores (batch, classes). `width` scales the number of channels, for the small
fidelities; at 1 layers and initial weights are torchvision's. MobileViT, which it lacks, is in `mobilevit`. None declares its
layers for `side_by_side`: with channels as many as these, a step of five ResNet-18 takes 1.5 times as long that way.
"""

from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock
from torchvision.models.squeezenet import Fire


def scaled(channels: int, width: float, multiple: int = 1) -> int:
    """So many channels at a width, as a multiple of a number."""
    return max(1, round(channels * width / multiple)) * multiple


def _resnet(blocks: tuple[int, ...], classes: int, width: float) -> nn.Module:
    """torchvision's ResNet with basic blocks, which it builds in one width only."""
    channels = scaled(64, width)
    stem = nn.Conv2d(3, channels, 7, 2, 3, bias=False)
    body: list[nn.Module] = [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    for stage, count in enumerate(blocks):
        outputs = scaled(64 * 2**stage, width)
        for block in range(count):
            stride = 2 if stage > 0 and block == 0 else 1
            shortcut = None
            if stride > 1:
                shortcut = nn.Sequential(nn.Conv2d(channels, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            body.append(BasicBlock(channels, outputs, stride, shortcut))
            channels = outputs
    net = nn.Sequential(stem, *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return net


def resnet18(classes: int, width: float = 1) -> nn.Module:
    return _resnet((2, 2, 2, 2), classes, width)


def resnet34(classes: int, width: float = 1) -> nn.Module:
    return _resnet((3, 4, 6, 3), classes, width)


def densenet121(classes: int, width: float = 1) -> nn.Module:
    growth, first = scaled(32, width), scaled(64, width)
    return models.DenseNet(growth, (6, 12, 24, 16), first, num_classes=classes)


def _shufflenet(channels: tuple[int, ...], classes: int, width: float) -> nn.Module:
    return models.ShuffleNetV2([4, 8, 4], [scaled(each, width, 2) for each in channels], classes)


def shufflenet_x0_5(classes: int, width: float = 1) -> nn.Module:
    return _shufflenet((24, 48, 96, 192, 1024), classes, width)


def shufflenet_x1_0(classes: int, width: float = 1) -> nn.Module:
    return _shufflenet((24, 116, 232, 464, 1024), classes, width)


# SqueezeNet 1.1: channels that a fire module squeezes to, and expands to in each of its two branches; None for a max-pool.
_FIRES = [(16, 64), (16, 64), None, (32, 128), (32, 128), None, (48, 192), (48, 192), (64, 256), (64, 256)]


def squeezenet1_1(classes: int, width: float = 1) -> nn.Module:
    """torchvision builds it in one width only."""
    channels = scaled(64, width)
    stem = nn.Conv2d(3, channels, 3, 2)
    body: list[nn.Module] = [nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, ceil_mode=True)]
    for entry in _FIRES:
        if entry is None:
            body.append(nn.MaxPool2d(3, 2, ceil_mode=True))
            continue
        squeezed, expanded = (scaled(each, width) for each in entry)
        body.append(Fire(channels, squeezed, expanded, expanded))
        channels = 2 * expanded
    last = nn.Conv2d(channels, classes, 1)
    body += [nn.Dropout(0.5), last, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    net = nn.Sequential(stem, *body)
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            if module is last:
                nn.init.normal_(module.weight, std=0.01)
            else:
                nn.init.kaiming_uniform_(module.weight)
            nn.init.zeros_(module.bias)
    return net


def mobilenet_v3_small(classes: int, width: float = 1) -> nn.Module:
    """Channels are multiples of eight at any width."""
    return models.mobilenet_v3_small(width_mult=width, num_classes=classes)
