"""The ensemble: any modules as learners, and the side-by-side form against the learners one by one."""

import copy
import sys

import pytest
import torch
from torch import nn

from learner_collusion import AugmentedLoss, decompose
from learner_collusion.errors import UserError
from learner_collusion.models.cifar import cnn, resnet18
from learner_collusion.models.ensemble import Ensemble, ensemble
from learner_collusion.models.registry import MODELS
from learner_collusion.models.side_by_side import Composite, Learner

SMALL = [name for name in MODELS if not name.startswith("imagenet_")]  # for 32 x 32 pixels


def one_by_one(net: Ensemble, x: torch.Tensor) -> torch.Tensor:
    return torch.stack([learner(x) for learner in net.learners], 1)


@pytest.mark.parametrize("width", [0.25, 0.0625])
@pytest.mark.parametrize("model", SMALL)
def test_an_ensemble_is_its_learners_side_by_side(model, width):
    """What is one call for all learners (the stems; with few channels most layers) gives what each learner gives alone."""
    torch.manual_seed(0)
    net = ensemble(model, 3, 7, width=width).double().eval()
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64)
    scores = net(x)
    assert scores.shape == (4, 3, 7)
    torch.testing.assert_close(scores, one_by_one(net, x))
    assert not torch.allclose(scores[:, 0], scores[:, 1])  # different initial weights


@pytest.mark.parametrize("width", [0.125, 0.0625])
@pytest.mark.parametrize("model", SMALL)
def test_gradients_are_those_of_the_learners_alone(model, width):
    torch.manual_seed(0)
    net = ensemble(model, 2, 5, width=width).double().eval()
    x = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    net(x).square().sum().backward()
    shared = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    one_by_one(net, x).square().sum().backward()
    for one, other in zip(shared, net.parameters(), strict=True):
        torch.testing.assert_close(one, other.grad)


def test_in_training_learners_with_few_channels_keep_separate_statistics():
    torch.manual_seed(0)
    net = ensemble("resnet18", 3, 5, width=0.0625).double().train()
    alone = copy.deepcopy(net)
    for _ in range(2):
        x = torch.randn(8, 3, 32, 32, dtype=torch.float64)
        scores = net(x), one_by_one(alone, x)
        torch.testing.assert_close(*scores)
    for one in scores:
        one.square().sum().backward()
    for one, other in zip(net.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad)
    for (name, one), other in zip(net.named_buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(one, other, msg=name)


def test_training_mode_drops_channels_of_each_learner_independently():
    """In the CNN, dropout of the shared front is drawn for each channel: no learner copies another's mask."""
    torch.manual_seed(0)
    net = ensemble("cnn", 2, 10, dropout=0.5).train()
    with torch.no_grad():
        front = net.learners[0].body[2](torch.rand(64, 20, 14, 14))
    dropped = front.amax((2, 3)) == 0
    assert 0.4 < dropped.float().mean() < 0.6
    assert not torch.equal(dropped[:, :10], dropped[:, 10:])


def test_a_learner_s_scores_depend_on_its_weights_alone():
    torch.manual_seed(0)
    net = ensemble("cnn", 3, 4, width=0.5).eval()
    x = torch.randn(5, 3, 32, 32)
    before = net(x).detach()
    with torch.no_grad():
        for parameter in net.learners[1].parameters():
            parameter.mul_(1.5)
    changed = (net(x) != before).flatten(2).any(2).any(0)
    assert changed.tolist() == [False, True, False]


class Pooled(nn.Module):
    """A user's model: no stem, no body, and a method that does more than call its layers."""

    def __init__(self, classes: int, width: float = 1):
        super().__init__()
        self.layer = nn.Linear(3, classes)

    def forward(self, x):
        return self.layer(x.mean((2, 3)))


def sequential(classes: int = 4, channels: int = 6) -> nn.Module:
    front = (nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels), nn.ReLU(), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*front, nn.Flatten(), nn.Linear(channels, classes))


def trains(net: Ensemble) -> None:
    """A few steps on the augmented objective lower it, and ERR is ERR-bar - DIV."""
    x, y = torch.randn(32, 3, 32, 32), torch.randint(0, 4, (32,))
    loss = AugmentedLoss(0.5, "cross_entropy", "probability")
    optimiser = torch.optim.Adam(net.parameters(), 0.05)
    first = loss(net(x), y).item()
    for _ in range(30):
        optimiser.zero_grad()
        loss(net(x), y).backward()
        optimiser.step()
    assert loss(net(x), y).item() < first
    parts = decompose(net(x), y, "cross_entropy")
    torch.testing.assert_close(parts.err, parts.err_bar - parts.div)


@pytest.mark.parametrize(
    "make",
    [
        sequential,
        lambda: Pooled(4),
        lambda: Learner(
            nn.Conv2d(3, 6, 3, groups=3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
        ),
        lambda: Learner(nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU()), nn.Flatten(), nn.LazyLinear(4)),
    ],
    ids=["sequential", "module", "grouped stem", "stem that is no convolution"],
)
def test_any_module_can_be_a_learner(make):
    torch.manual_seed(0)
    net = Ensemble([make() for _ in range(3)], classes=4).eval()
    x = torch.randn(5, 3, 32, 32)
    assert net(x).shape == (5, 3, 4)
    torch.testing.assert_close(net(x), one_by_one(net, x))
    trains(net.train())


def test_learners_of_different_architectures():
    torch.manual_seed(0)
    net = Ensemble([Pooled(4), sequential(), cnn(4, 0.5), cnn(4, 0.25), resnet18(4, 0.0625)], classes=4).eval()
    x = torch.randn(6, 3, 32, 32)
    torch.testing.assert_close(net(x), one_by_one(net, x))
    assert net(x).shape == (6, 5, 4)


class Doubled(Learner):
    def forward(self, x):
        return 2 * super().forward(x)


class Gated(Composite):
    """Layers that a user combines in a different manner."""

    def __init__(self, channels: int):
        super().__init__()
        self.gate, self.value = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1)
        self.norm = nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU())

    @staticmethod
    def combine(x, gate, value, norm):
        return norm(gate(x).sigmoid() * value(x)) + x


@pytest.mark.parametrize("kind", [Learner, Doubled])
@pytest.mark.parametrize("dilation", [1, 2])
def test_declared_layers_run_side_by_side_where_that_gives_the_same(kind, dilation):
    torch.manual_seed(0)

    def make():
        body = (nn.ReLU(), Gated(5), nn.Conv2d(5, 6, 3, dilation=dilation), nn.MaxPool2d(2), nn.ReLU())
        return kind(nn.Conv2d(3, 5, 3), *body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4))

    net = Ensemble([make() for _ in range(3)]).double()
    x = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    alone = copy.deepcopy(net)
    torch.testing.assert_close(net(x), one_by_one(alone, x))
    torch.testing.assert_close(net.eval()(x), one_by_one(alone.eval(), x))


def test_initial_weights_are_drawn_learner_by_learner():
    torch.manual_seed(5)
    net = ensemble("cnn", 2, 10)
    torch.manual_seed(5)
    for learner in net.learners:
        for one, other in zip(learner.parameters(), cnn(10).parameters(), strict=True):
            assert torch.equal(one, other)


NETS = """
from torch import nn

class Pooled(nn.Module):
    def __init__(self, classes, width=1):
        super().__init__()
        self.layer = nn.Linear(3, classes)

    def forward(self, x):
        return self.layer(x.mean((2, 3)))

class NoWidth(nn.Linear):
    def __init__(self, classes):
        super().__init__(3, classes)

def no_module(classes, width=1):
    return classes
"""


@pytest.fixture
def my_nets(tmp_path, monkeypatch):
    """A user's module of models."""
    (tmp_path / "my_nets.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "my_nets", raising=False)


def test_a_dotted_path_is_a_model(my_nets):
    torch.manual_seed(0)
    net = ensemble("my_nets.Pooled", 3, 4)
    assert [type(learner).__name__ for learner in net.learners] == ["Pooled"] * 3
    trains(net)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("resnet9", r"'resnet9' is unknown: choose one of resnet18.* or give the dotted path"),
        ("no.such.module.Net", r"cannot be imported .*check its dotted path"),
        ("my_nets.NoSuch", r"cannot be imported .*check its dotted path"),
        ("my_nets.NoWidth", r"must take \(classes, width\), but: too many positional arguments"),
        ("my_nets.no_module", r"built int: it must build a torch\.nn\.Module"),
    ],
)
def test_a_model_that_cannot_be_built_is_one_sentence(model, words, my_nets):
    with pytest.raises(UserError, match=words):
        ensemble(model, 2, 10)


@pytest.mark.parametrize(
    ("learner", "words"),
    [
        (
            nn.Conv2d(3, 4, 1),
            r"The learner Conv2d must give scores \(batch, classes\) of shape \(2, 4\), but gave shape \(2, 4, 8, 8\)",
        ),
        (nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), r"Sequential .* shape \(2, 4\), but gave shape \(2, 5\)"),
        (nn.Sequential(nn.Flatten(0), nn.Linear(384, 4)), r"shape \(2, 4\), but gave shape \(4,\)"),
        (nn.LSTM(8, 4), "gave a tuple"),
    ],
)
def test_a_learner_whose_output_has_another_shape_is_one_sentence(learner, words):
    x = torch.zeros(2, 8) if isinstance(learner, nn.LSTM) else torch.zeros(2, 3, 8, 8)
    with pytest.raises(UserError, match=words):
        Ensemble([learner, learner], classes=4)(x)


def test_learners_that_disagree_about_the_classes_are_one_sentence():
    with pytest.raises(UserError, match=r"shape \(2, 4\), but gave shape \(2, 5\)"):
        Ensemble([Pooled(4), Pooled(5)])(torch.zeros(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("..net", "is unknown: choose one of resnet18"),
        ("net", "is unknown"),
        ("a b.c", "is unknown"),
        ("collections.OrderedDict", "collections.OrderedDict"),
        ("math.pi", "is no function or class"),
        ("math.nothing", "cannot be imported"),
        ("builtins.dict", "builtins.dict"),
    ],
)
def test_what_is_no_model_is_one_sentence(model, words):
    with pytest.raises(UserError, match=words) as caught:
        ensemble(model, 2, 10)
    assert "\n" not in str(caught.value)


def test_a_model_in_the_current_folder(tmp_path, monkeypatch):
    """Through the console script too, which does not look there by itself."""
    (tmp_path / "nets_in_this_folder.py").write_text(
        "from torch import nn\n\ndef net(classes, width):\n    return nn.Sequential(nn.Flatten(), nn.Linear(3072, classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    assert ensemble("nets_in_this_folder.net", 2, 10)(torch.zeros(2, 3, 32, 32)).shape == (2, 2, 10)
