"""Convolution, 2 x 2 max-pool and ReLU of many learners as one call of the native library, on the CPU.

PyTorch's three layers write every pixel, of which the pool drops three quarters, and read two maps of gradients in the
backward pass. Here the largest of four pixels is selected while they are summed, and the backward pass touches only the
max-pooled pixels: 3 to 4 times faster for the CNN of Table 3 (`benchmarks/`).
"""

import ctypes

import torch
from torch import Tensor
from torch.nn import functional as F

from .. import compiled, wanted

_SIZES = ("count", "height", "width", "inputs", "groups", "outputs", "kernel")
_POINTERS = ("x", "weight", "bias", "y", "place", "y_gradient", "x_gradient")
_NAMES = {torch.float32: "float", torch.float64: "double"}


class _Convolution(ctypes.Structure):
    _fields_ = [*((n, ctypes.c_int64) for n in _SIZES), *((n, ctypes.c_void_p) for n in _POINTERS)]


def usable(x: Tensor) -> bool:
    """Whether the native library exists and takes these images: on the CPU, in float32 or float64, not compiled."""
    if torch.compiler.is_compiling() or torch.is_autocast_enabled("cpu"):
        return False
    return x.device.type == "cpu" and x.dtype in _NAMES and compiled() is not None


def pooled_convolution(x: Tensor, weight: Tensor, bias: Tensor, groups: int = 1) -> Tensor:
    """relu(max_pool2d(conv2d(x, weight, bias), 2)), without padding.

    **Shape**: x (batch, channels, height, width); weight (groups * outputs, channels of a group, kernel, kernel); the
    result (batch, groups * outputs, rows, columns), channels last in memory; `groups` as in `torch.nn.Conv2d`. Runs in the
    native library where `usable(x)`, else in PyTorch. NaN passes the pool and the ReLU in both.

    Errors: ValueError for tensors that do not fit together, and images smaller than a filter and its pool; MemoryError.
    """
    _check(x, weight, bias, groups)
    if usable(x):
        return _Native.apply(x, weight, bias, groups)
    # one after the other: PyTorch's grouped convolutions of few channels are slower
    parts = zip(x.chunk(groups, 1), weight.chunk(groups), bias.chunk(groups), strict=True)
    return F.relu(F.max_pool2d(torch.cat([F.conv2d(*part) for part in parts], 1), 2))


def _check(x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> None:
    if (
        groups < 1
        or weight.dim() != 4
        or weight.shape[2] != weight.shape[3]
        or len(weight) % groups
        or not weight.numel()
    ):
        raise ValueError(
            f"weight must be (groups * outputs, channels, kernel, kernel), none of them 0, for {groups} groups, but has shape "
            f"{tuple(weight.shape)}."
        )
    channels, kernel = groups * weight.shape[1], weight.shape[2]
    if x.dim() != 4 or x.shape[1] != channels or min(x.shape[2:]) < kernel + 1:
        raise ValueError(
            f"x must be (images, {channels}, height, width), height and width at least {kernel + 1} (a filter and its pool), "
            f"but has shape {tuple(x.shape)}."
        )
    if bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias must have shape ({len(weight)},), one for each filter, but has shape {tuple(bias.shape)}."
        )


class _Native(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, bias: Tensor, groups: int) -> Tensor:
        if not x.dtype == weight.dtype == bias.dtype or not x.device == weight.device == bias.device:
            raise ValueError("x, weight and bias must have the same dtype and device: move them with `.to`.")
        # channels last, as plain arrays: the memory that the library reads, kept alive in ctx
        x, weight = (t.detach().permute(0, 2, 3, 1).contiguous() for t in (x, weight))
        bias = bias.detach().contiguous()
        count, height, width, _ = x.shape
        outputs, kernel, _, inputs = weight.shape
        sizes = (count, height, width, inputs, groups, outputs // groups, kernel)
        y = x.new_empty(count, (height - kernel + 1) // 2, (width - kernel + 1) // 2, outputs)
        place = torch.empty(y.shape, dtype=torch.uint8)
        pointers = [t.data_ptr() for t in (x, weight, bias, y, place)]
        _call("collusion_convolution", x.dtype, _Convolution(*sizes, *pointers, None, None))
        ctx.sizes = sizes
        ctx.save_for_backward(x, weight, bias, y, place)
        return y.permute(0, 3, 1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor):
        x, weight, bias, y, place = ctx.saved_tensors
        gradient = gradient.permute(0, 2, 3, 1).contiguous()
        x_gradient = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        weight_gradient, bias_gradient = torch.zeros_like(weight), torch.zeros_like(bias)
        pointers = [t.data_ptr() for t in (x, weight, bias, y, place, gradient)]
        pointers.append(None if x_gradient is None else x_gradient.data_ptr())
        sums = [ctypes.c_void_p(t.data_ptr()) for t in (weight_gradient, bias_gradient)]
        _call("collusion_convolution_back", x.dtype, _Convolution(*ctx.sizes, *pointers), *sums)
        x_gradient = None if x_gradient is None else x_gradient.permute(0, 3, 1, 2)
        return x_gradient, weight_gradient.permute(0, 3, 1, 2), bias_gradient, None


def _call(name: str, dtype: torch.dtype, task: _Convolution, *others) -> None:
    function = getattr(compiled(), f"{name}_{_NAMES[dtype]}")
    if function(ctypes.byref(task), *others, torch.get_num_threads(), wanted()):
        raise MemoryError("The native convolution needs more memory than there is: take smaller batches.")
