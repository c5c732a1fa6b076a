"""Augmentation of whole batches on the device where the images lie: crop, flip and rotation as one gather.

Torchvision's transforms, one image after the other, cost about 200 us an image. Here each output pixel is traced back
through rotation, flip and crop to one pixel of the stored image, and all are fetched at once; each image has different
parameters. Nearest neighbours and black corners, as torchvision's `RandomRotation` does by default.
"""

import math

import torch
from torch import Tensor

from .protocol import Augmentation

SIZE = 32
_BLACK = SIZE * SIZE  # the index of the pixel that stands for all outside of the image


def pack(images: Tensor) -> Tensor:
    """uint8 images (n, 32, 32, 3) as int32 pixels (n, 32 * 32 + 1), the last one black: one fetch gets three channels."""
    pixels = torch.zeros(len(images), SIZE * SIZE + 1, 4, dtype=torch.uint8, device=images.device)
    pixels[:, :-1, :3] = images.reshape(len(images), SIZE * SIZE, 3)
    return pixels.view(torch.int32).squeeze(2)


def draw(count: int, augmentation: Augmentation, generator: torch.Generator) -> Tensor:
    """Random parameters (count, 4) float32: rows and columns of the crop (0 to twice the padding), flip (0 or 1), and the
    angle of the rotation in degrees, counter-clockwise."""
    padding, rotation = augmentation.crop_padding, augmentation.rotation
    crop = torch.randint(0, 2 * padding + 1, (count, 2), generator=generator).float()
    flip = torch.randint(0, 2, (count, 1), generator=generator).float() * bool(augmentation.flip)
    angle = torch.rand(count, 1, generator=generator) * (2 * rotation) - rotation
    return torch.cat([crop, flip, angle], 1)


def sources(parameters: Tensor, padding: int) -> Tensor:
    """For each output pixel the index of the stored pixel it shows, (batch, 32 * 32) int64, or that of black.

    Traced backwards: torchvision rotates last, so first here. Rounding is that of torchvision's affine grid (float32,
    half to even), so that ties fall alike: a scaling by a power of two is exact and may be left out, an addition is not.
    """
    angle, middle = parameters[:, 3:].double() * (math.pi / 180), SIZE / 2
    cosine, sine = angle.cos().float(), angle.sin().float()
    line = torch.arange(SIZE, device=parameters.device, dtype=torch.float32) + (0.5 - middle)
    x, y = line.repeat(SIZE), line.repeat_interleave(SIZE)  # (pixels,), from the middle
    row = (sine * x).add_(cosine * y).add_(middle).sub_(0.5).round_().to(torch.int32)
    column = (cosine * x).sub_(sine * y).add_(middle).sub_(0.5).round_().to(torch.int32)
    top, left, flip = parameters[:, :3].to(torch.int32).split(1, 1)
    beyond = row | column  # a coordinate is inside if only its lowest five bits are set
    row.add_(top - padding)
    column.bitwise_xor_(flip * (SIZE - 1)).add_(left - padding)
    beyond.bitwise_or_(row).bitwise_or_(column)
    return row.mul_(SIZE).add_(column).masked_fill_(beyond >= SIZE, _BLACK).masked_fill_(beyond < 0, _BLACK).long()


def augment(pixels: Tensor, parameters: Tensor, padding: int) -> Tensor:
    """Packed images (batch, 32 * 32 + 1) with parameters (batch, 4) to uint8 (batch, 32, 32, 4), the fourth channel 0."""
    return unpack(pixels.gather(1, sources(parameters, padding)))


def unpack(pixels: Tensor) -> Tensor:
    """int32 pixels (batch, 32 * 32) as uint8 (batch, 32, 32, 4), the fourth channel 0."""
    return pixels.contiguous().view(torch.uint8).view(-1, SIZE, SIZE, 4)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 (batch, 32, 32, 4) as float32 (batch, 3, 32, 32), channels last in memory; mean and std (3,) of 255."""
    # whole rows of four channels first, then channel by channel: loops over three values at a time are four times slower
    mean, std = torch.cat([mean, mean.new_zeros(1)]).repeat(SIZE), torch.cat([std, std.new_ones(1)]).repeat(SIZE)
    scaled = images.float().view(-1, 4 * SIZE).sub_(mean).div_(std).view(images.shape)
    channels = torch.empty(*images.shape[:3], 3, device=images.device)
    for channel in range(3):
        channels[..., channel].copy_(scaled[..., channel])
    return channels.permute(0, 3, 1, 2)
