"""The image models: their sizes, shapes, and the stem that learners share."""

import copy

import pytest
import torch
from torch import nn

from learner_collusion.ensembles import MODELS, ensemble, learner
from learner_collusion.errors import UserError


def count(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


@pytest.mark.parametrize(
    ("model", "options", "parameters"),
    [
        ("resnet18", {}, 11_173_962),
        ("resnet34", {}, 21_282_122),
        ("vgg", {}, 14_991_946),
        ("cnn", {"form": "pool"}, 31_340),
        ("cnn", {"form": "stride"}, 31_340),
    ],
)
def test_parameters_are_those_of_the_official_architectures(model, options, parameters):
    assert count(learner(model, 10, **options)) == parameters


@pytest.mark.parametrize("width", [0.25, 0.0625])
@pytest.mark.parametrize("model", MODELS)
def test_an_ensemble_is_its_learners_side_by_side(model, width):
    """What is one call for all learners (the stems; with few channels most layers) gives what each learner gives alone."""
    torch.manual_seed(0)
    whole = ensemble(model, 3, 7, width=width).double().eval()
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    scores = whole(x)
    assert scores.shape == (4, 3, 7)
    torch.testing.assert_close(scores, torch.stack([member(x) for member in whole.members], 1))
    assert not torch.allclose(scores[:, 0], scores[:, 1])  # initial weights of their own


@pytest.mark.parametrize("width", [0.125, 0.0625])
@pytest.mark.parametrize("model", MODELS)
def test_gradients_are_those_of_the_learners_alone(model, width):
    torch.manual_seed(0)
    whole = ensemble(model, 2, 5, width=width).double().eval()
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    whole(x).square().sum().backward()
    shared = [p.grad.clone() for p in whole.parameters()]
    whole.zero_grad()
    torch.stack([member(x) for member in whole.members], 1).square().sum().backward()
    for one, other in zip(shared, whole.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad)


def test_in_training_learners_with_few_channels_keep_statistics_of_their_own():
    torch.manual_seed(0)
    whole = ensemble("resnet18", 3, 5, width=0.0625).double().train()
    alone = copy.deepcopy(whole)
    for _ in range(2):
        x = torch.randn(8, 3, 32, 32, dtype=torch.float64)
        scores = whole(x), torch.stack([member(x) for member in alone.members], 1)
        torch.testing.assert_close(*scores)
    for one in scores:
        one.square().sum().backward()
    for one, other in zip(whole.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    for (name, one), other in zip(whole.named_buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_training_mode_drops_channels_of_each_learner_by_itself():
    """In the CNN, dropout of the shared front is drawn for each channel: no learner copies another's mask."""
    torch.manual_seed(0)
    whole = ensemble("cnn", 2, 10, dropout=0.5).train()
    with torch.no_grad():
        front = whole.layers[0][3](torch.rand(64, 20, 14, 14))
    dropped = front.amax((2, 3)) == 0
    assert 0.4 < dropped.float().mean() < 0.6
    assert not torch.equal(dropped[:, :10], dropped[:, 10:])


@pytest.mark.parametrize(("width", "channels"), [(1, 64), (0.25, 16), (0.01, 1)])
def test_width_scales_channels(width, channels):
    assert learner("resnet18", 10, width).stem.out_channels == channels


def test_both_forms_of_the_cnn_hand_on_500_inputs():
    for form in ("pool", "stride"):
        linear = next(layer for layer in learner("cnn", 10, form=form).body if isinstance(layer, nn.Linear))
        assert linear.in_features == 500


def test_erratum_table_3_padding_1_would_flatten_to_980():
    x = torch.zeros(1, 3, 32, 32)
    printed = nn.Sequential(nn.Conv2d(3, 10, 5, 2, 1), nn.Conv2d(10, 20, 5, 2, 1), nn.Flatten())
    assert printed(x).shape[1] == 980
    without = nn.Sequential(nn.Conv2d(3, 10, 5, 2), nn.Conv2d(10, 20, 5, 2), nn.Flatten())
    assert without(x).shape[1] == 500


def test_erratum_table_4_pool_of_2_with_padding_2_is_invalid():
    with pytest.raises(RuntimeError, match="half"):
        nn.MaxPool2d(2, padding=2)(torch.zeros(1, 1, 4, 4))
    linear = next(layer for layer in learner("vgg", 10).body if isinstance(layer, nn.Linear))
    assert linear.in_features == 512


def test_an_unknown_model_is_one_sentence():
    with pytest.raises(UserError, match="'resnet9' is not known: choose one of resnet18"):
        learner("resnet9", 10)
