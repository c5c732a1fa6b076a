"""MobileViT-XS (Mehta and Rastegari 2022, Table 4): inverted residuals, and transformers over the pixels of all patches.

torchvision lacks it, and timm, which has it, needs the client of a model hub.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .imagenet import scaled

_HEADS = 4
_PATCH = 2  # pixels on a side


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [convolution, nn.BatchNorm2d(outputs)]


class InvertedResidual(nn.Module):
    """The block of MobileNet V2, four times as wide inside."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        inner = 4 * inputs
        self.residual = stride == 1 and inputs == outputs
        self.layers = nn.Sequential(
            *_convolution(inputs, inner, 1),
            nn.SiLU(inplace=True),
            *_convolution(inner, inner, 3, stride, groups=inner),
            nn.SiLU(inplace=True),
            *_convolution(inner, outputs, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


class MobileViTBlock(nn.Module):
    """Section 3.1 of the paper: each pixel of a patch attends to the pixels at its place in all other patches."""

    def __init__(self, channels: int, size: int, depth: int):
        super().__init__()
        self.local = nn.Sequential(
            *_convolution(channels, channels, 3), nn.SiLU(inplace=True), nn.Conv2d(channels, size, 1, bias=False)
        )
        self.attention = nn.Sequential(*(_transformer(size) for _ in range(depth)), nn.LayerNorm(size))
        self.project = nn.Sequential(*_convolution(size, channels, 1), nn.SiLU(inplace=True))
        self.fuse = nn.Sequential(*_convolution(2 * channels, channels, 3), nn.SiLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        h = self.local(x)
        size = h.shape[2:]
        whole = [-(-side // _PATCH) * _PATCH for side in size]
        if whole != list(size):  # as the official code does where the sides are no multiples of the patch's
            h = F.interpolate(h, whole, mode="bilinear", align_corners=False)
        h = fold(self.attention(unfold(h)), len(h), *whole)
        if whole != list(size):
            h = F.interpolate(h, size, mode="bilinear", align_corners=False)
        return self.fuse(torch.cat([x, self.project(h)], 1))


def _transformer(size: int) -> nn.Module:
    """One layer; it drops out what the official code does, the outputs of its two halves."""
    layer = nn.TransformerEncoderLayer(size, _HEADS, 2 * size, 0.1, nn.SiLU(), batch_first=True, norm_first=True)
    layer.self_attn.dropout, layer.dropout.p = 0.0, 0.0
    return layer


def unfold(x: Tensor) -> Tensor:
    """(batch, channels, height, width) as sequences (batch * 4, patches, channels), one for each place in a patch."""
    batch, channels, height, width = x.shape
    x = x.reshape(batch, channels, height // _PATCH, _PATCH, width // _PATCH, _PATCH)
    return x.permute(0, 3, 5, 2, 4, 1).reshape(batch * _PATCH**2, height * width // _PATCH**2, channels)


def fold(sequences: Tensor, batch: int, height: int, width: int) -> Tensor:
    """The reverse of `unfold`; the channels are last in memory."""
    channels = sequences.shape[2]
    x = sequences.reshape(batch, _PATCH, _PATCH, height // _PATCH, width // _PATCH, channels)
    return x.permute(0, 3, 1, 4, 2, 5).reshape(batch, height, width, channels).permute(0, 3, 1, 2)


def mobilevit_xs(classes: int, width: float = 1) -> nn.Module:
    """At width 1 the official variant: transformers of 96, 120 and 144 dimensions, for pictures of 256 pixels."""
    first, *stages = (scaled(channels, width) for channels in (16, 32, 48, 64, 80, 96))
    body: list[nn.Module] = [nn.BatchNorm2d(first), nn.SiLU(inplace=True)]
    a, b, c, d, e = stages
    body += [InvertedResidual(first, a), InvertedResidual(a, b, 2), InvertedResidual(b, b), InvertedResidual(b, b)]
    for inputs, outputs, size, depth in ((b, c, 96, 2), (c, d, 120, 4), (d, e, 144, 3)):
        body += [InvertedResidual(inputs, outputs, 2), MobileViTBlock(outputs, scaled(size, width, _HEADS), depth)]
    body += [*_convolution(e, 4 * e, 1), nn.SiLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.1)]
    net = nn.Sequential(nn.Conv2d(3, first, 3, 2, 1, bias=False), *body, nn.Linear(4 * e, classes))
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
        elif isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.MultiheadAttention):
            nn.init.trunc_normal_(module.in_proj_weight, std=0.02)
    return net
