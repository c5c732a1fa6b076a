"""The native convolution with pool and ReLU: PyTorch's three layers, forward and back."""

import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from learner_collusion import native
from learner_collusion.native.convolution import pooled_convolution, usable

pytestmark = pytest.mark.skipif(native.compiled() is None, reason="the native library was not built: no C++ compiler")
shapes = st.tuples(
    st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.integers(1, 21), st.sampled_from([1, 3, 5]),
    st.integers(0, 9), st.integers(0, 9), st.booleans(), st.integers(0, 2**31),
)  # fmt: skip


def case(shape, dtype):
    count, groups, inputs, outputs, kernel, more_rows, more_columns, shared, seed = shape
    numbers = torch.Generator().manual_seed(seed)
    size = (count, inputs * (1 if shared else groups), kernel + 1 + more_rows, kernel + 1 + more_columns)
    x = torch.randn(size, generator=numbers, dtype=dtype).contiguous(memory_format=torch.channels_last)
    weight = torch.randn(groups * outputs, inputs, kernel, kernel, generator=numbers, dtype=dtype) / kernel
    bias = torch.randn(groups * outputs, generator=numbers, dtype=dtype)
    return [x.requires_grad_(), weight.requires_grad_(), bias.requires_grad_()], 1 if shared else groups


def reference(x, weight, bias, groups):
    return F.relu(F.max_pool2d(F.conv2d(x, weight, bias, groups=groups), 2))


def check(shape, dtype, tolerance):
    tensors, groups = case(shape, dtype)
    ours, theirs = pooled_convolution(*tensors, groups), reference(*tensors, groups)
    torch.testing.assert_close(ours, theirs, atol=tolerance, rtol=tolerance)
    wanted = [t for t in tensors if t.requires_grad]
    by = torch.randn(ours.shape, dtype=dtype, generator=torch.Generator().manual_seed(1))
    found, expected = torch.autograd.grad(ours, wanted, by), torch.autograd.grad(theirs, wanted, by)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=tolerance, rtol=tolerance)


@given(shapes)
def test_native_equals_pytorch_in_double(shape):
    check(shape, torch.float64, 1e-10)


@pytest.mark.parametrize("groups", [1, 5, 10])
def test_native_equals_pytorch_in_single_at_the_sizes_of_table_3(groups):
    check((8, groups, 3, 10, 5, 26, 26, True, 0), torch.float32, 1e-3)
    check((8, groups, 10, 20, 5, 8, 8, False, 0), torch.float32, 1e-3)


@pytest.mark.parametrize("isa", ["portable", "avx2", "avx512"])
def test_native_on_every_instruction_set(isa, monkeypatch):
    monkeypatch.setenv("LEARNER_COLLUSION_ISA", isa)
    draw = random.Random(0)
    for seed in range(40):
        few = [draw.randint(1, most) for most in (4, 3, 6, 21)]
        rest = (draw.choice([1, 3, 5, 6]), draw.randint(0, 6), draw.randint(0, 6), draw.random() < 0.5, seed)
        check((*few, *rest), torch.float64, 1e-10)
        check((*few, *rest), torch.float32, 1e-3)


def test_native_is_exact_for_an_image_alone_and_on_two_threads():
    (x, weight, bias), groups = case((7, 2, 3, 5, 3, 5, 5, False, 0), torch.float32)
    whole = pooled_convolution(x, weight, bias, groups)
    for i in range(7):
        assert torch.equal(pooled_convolution(x[i : i + 1], weight, bias, groups), whole[i : i + 1])
    torch.set_num_threads(2)
    try:
        two = pooled_convolution(x, weight, bias, groups)
        by = torch.ones_like(two)
        found = torch.autograd.grad(two, (x, weight, bias), by)
    finally:
        torch.set_num_threads(1)
    assert torch.equal(two, whole)
    for one, other in zip(found, torch.autograd.grad(whole, (x, weight, bias), by), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


def test_other_precisions_and_devices_take_pytorch():
    assert usable(torch.zeros(1)) and not usable(torch.zeros(1, dtype=torch.bfloat16))
    with torch.autocast("cpu", torch.bfloat16):
        assert not usable(torch.zeros(1))
    (x, weight, bias), groups = case((2, 2, 3, 5, 3, 5, 5, True, 0), torch.bfloat16)
    assert torch.equal(pooled_convolution(x, weight, bias, groups), reference(x, weight, bias, groups))
