"""The architectures of Table 1: torchvision's at width 1, and thinner ones of the same form."""

import pytest
import torch
import torchvision
from torch import nn

from learner_collusion.models.ensemble import ensemble
from learner_collusion.models.mobilevit import fold, unfold
from learner_collusion.models.registry import MODELS, builder

TORCHVISIONS = {
    "imagenet_resnet18": "resnet18",
    "imagenet_resnet34": "resnet34",
    "imagenet_densenet121": "densenet121",
    "imagenet_shufflenet_x0_5": "shufflenet_v2_x0_5",
    "imagenet_shufflenet_x1_0": "shufflenet_v2_x1_0",
    "imagenet_squeezenet1_1": "squeezenet1_1",
    "imagenet_mobilenet_v3_small": "mobilenet_v3_small",
}
# At width 1 and 1,000 classes; torchvision's documentation has these numbers, too.
PARAMETERS = {
    "imagenet_resnet18": 11_689_512,
    "imagenet_resnet34": 21_797_672,
    "imagenet_densenet121": 7_978_856,
    "imagenet_shufflenet_x0_5": 1_366_792,
    "imagenet_shufflenet_x1_0": 2_278_604,
    "imagenet_squeezenet1_1": 1_235_496,
    "imagenet_mobilenet_v3_small": 2_542_856,
    "imagenet_mobilevit_xs": 2_317_848,  # counted in timm 1.0.31's `mobilevit_xs`; the paper says 2.3 million
}
NAMES = [name for name in MODELS if name.startswith("imagenet_")]


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def built(name: str, *arguments) -> nn.Module:
    torch.manual_seed(0)
    return builder(name)(*arguments)


@pytest.mark.parametrize(("name", "theirs"), TORCHVISIONS.items())
def test_at_width_1_layers_weights_and_scores_are_torchvision_s(name, theirs):
    ours = built(name, 1000).eval()
    torch.manual_seed(0)
    known = getattr(torchvision.models, theirs)(weights=None).eval()
    assert count(ours) == count(known) == PARAMETERS[name]
    assert all(map(torch.equal, ours.state_dict().values(), known.state_dict().values()))
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(ours(x), known(x))


def test_mobilevit_has_the_parameters_of_the_official_variant():
    """And timm's scores, given the same weights: within 3e-7, seen when this was written."""
    net = built("imagenet_mobilevit_xs", 1000)
    assert count(net) == PARAMETERS["imagenet_mobilevit_xs"]
    sizes = [m.embed_dim for m in net.modules() if isinstance(m, nn.MultiheadAttention)]
    assert sizes == [96] * 2 + [120] * 4 + [144] * 3


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [0.0625, 0.3])
def test_a_width_scales_the_channels(name, width):
    net = built(name, 10, width)
    assert 0 < count(net) < 0.3 * PARAMETERS[name]
    assert net(torch.randn(2, 3, 64, 64)).shape == (2, 10)


@pytest.mark.parametrize("size", [32, 64, 96, 100])
@pytest.mark.parametrize("name", NAMES)
def test_pictures_of_any_size(name, size):
    """Where patches do not fit the picture, too."""
    assert built(name, 4, 0.125).eval()(torch.randn(2, 3, size, size)).shape == (2, 4)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_trained_in_bf16_too(name):
    torch.manual_seed(0)
    net = ensemble(name, 2, 4, width=0.125).to(memory_format=torch.channels_last).train()
    x = torch.randn(8, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16):
        scores = net(x)
    scores.float().logsumexp(2).sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in net.parameters())


def test_a_pixel_attends_to_those_at_its_place_in_other_patches():
    x = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6)
    sequences = unfold(x)
    assert sequences.shape == (2 * 4, 6, 3)
    torch.testing.assert_close(sequences[1], x[0, :, 0::2, 1::2].flatten(1).T)
    torch.testing.assert_close(fold(sequences, 2, 4, 6), x)
