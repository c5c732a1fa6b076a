"""The image models: their sizes, and the shapes in which the paper's tables err."""

import pytest
import torch
from torch import nn

from learner_collusion.errors import UserError
from learner_collusion.models.registry import MODELS, builder


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("model", "options", "parameters"),
    [
        ("resnet18", {}, 11_173_962),
        ("resnet34", {}, 21_282_122),
        ("vgg", {}, 14_991_946),
        ("cnn", {"variant": "pool"}, 31_340),
        ("cnn", {"variant": "stride"}, 31_340),
    ],
)
def test_parameters_are_those_of_the_official_architectures(model, options, parameters):
    assert count(builder(model)(10, **options)) == parameters


@pytest.mark.parametrize("model", MODELS)
def test_each_model_gives_a_score_for_each_class(model):
    assert builder(model)(7, 0.25).eval()(torch.randn(2, 3, 32, 32)).shape == (2, 7)


@pytest.mark.parametrize(("width", "channels"), [(1, 64), (0.25, 16), (0.01, 1)])
def test_width_scales_channels(width, channels):
    assert builder("resnet18")(10, width).stem.out_channels == channels


def first_linear(module: nn.Module) -> nn.Linear:
    return next(layer for layer in module.body if isinstance(layer, nn.Linear))


def test_both_variants_of_the_cnn_have_the_500_inputs_of_the_table():
    for variant in ("pool", "stride"):
        assert first_linear(builder("cnn")(10, variant=variant)).in_features == 500


def test_an_unknown_variant_is_one_sentence():
    with pytest.raises(UserError, match="variant is 'poll': choose pool or stride"):
        builder("cnn")(10, variant="poll")


def test_erratum_table_3_padding_1_would_flatten_to_980():
    x = torch.zeros(1, 3, 32, 32)
    printed = nn.Sequential(nn.Conv2d(3, 10, 5, 2, 1), nn.Conv2d(10, 20, 5, 2, 1), nn.Flatten())
    assert printed(x).shape[1] == 980
    without = nn.Sequential(nn.Conv2d(3, 10, 5, 2), nn.Conv2d(10, 20, 5, 2), nn.Flatten())
    assert without(x).shape[1] == 500


def test_erratum_table_4_pool_of_2_with_padding_2_is_invalid():
    with pytest.raises(RuntimeError, match="half"):
        nn.MaxPool2d(2, padding=2)(torch.zeros(1, 1, 4, 4))
    assert first_linear(builder("vgg")(10)).in_features == 512
