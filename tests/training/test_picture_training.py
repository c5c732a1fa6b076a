"""What the protocol of pictures adds to the loop: top-5, accumulation, rates that fall at plateaus."""

import numpy as np
import pytest
import torch
from made_pictures import CELL, CLASSES, HARDWARE, PROTOCOL, drawn, replaced, stepped, train
from torch import nn

from learner_collusion.models.ensemble import Ensemble, ensemble
from learner_collusion.models.registry import MODELS
from learner_collusion.training import loop
from learner_collusion.training.distributed import ALONE
from learner_collusion.training.evaluation import METRICS, evaluate, measure
from learner_collusion.training.optimiser import rate


def test_a_cell_is_measured_with_its_five_best_classes():
    history = train()
    assert history.values.shape == (2, 4, len(METRICS) + 2 + 1)
    measured = history.values[:, :2]
    assert np.isfinite(measured).all() and np.isnan(history.values[:, 2:]).all()
    top5, accuracy = measured[..., -1], measured[..., 3]
    assert (top5 >= accuracy).all() and (top5 <= 1).all() and (top5 > 0).any()


@pytest.mark.parametrize("averaging", ["probability", "score"])
def test_top_5_counts_labels_among_the_five_highest_outputs_of_the_ensemble(averaging):
    random = np.random.default_rng(0)
    scores, y = 3 * random.normal(size=(200, 3, 20)), random.integers(0, 20, 200)
    sums = measure(torch.tensor(scores), torch.tensor(y), averaging, top=5)
    p = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
    mean = scores.mean(1) if averaging == "score" else p.mean(1)
    assert sums[-1] == sum(y[i] in np.argsort(mean[i])[-5:] for i in range(200))
    torch.testing.assert_close(sums[:-1], measure(torch.tensor(scores), torch.tensor(y), averaging))
    few = measure(torch.tensor(scores[:, :, :4]), torch.tensor(y % 4), averaging, top=5)
    assert few[-1] == 200  # of four classes each is among the best five


def test_an_evaluation_is_a_mean_over_examples_not_over_batches():
    torch.manual_seed(0)
    net, data = ensemble("imagenet_shufflenet_x0_5", 2, CLASSES, 0.25), drawn(PROTOCOL)
    batches = list(data.evaluation("validation"))
    found = evaluate(net, net, batches, "probability", HARDWARE, top=5)
    whole = [torch.cat(parts) for parts in zip(*batches, strict=True)]
    np.testing.assert_allclose(found, evaluate(net, net, [whole], "probability", HARDWARE, top=5), rtol=1e-5)
    assert evaluate(net, net, [], "probability", HARDWARE) is None and net.training


def without_normalisation() -> Ensemble:
    torch.manual_seed(0)
    front = (nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten())
    return Ensemble([nn.Sequential(*front, nn.Linear(16, CLASSES)) for _ in range(3)])


@pytest.mark.parametrize("rows", [8, 7])
def test_accumulated_gradients_are_those_of_the_whole_batch(rows):
    whole, *others = (stepped(without_normalisation(), ALONE, rows, parts) for parts in (1, 2, 3, 50))
    for other in others:
        for one, accumulated in zip(whole, other, strict=True):
            torch.testing.assert_close(accumulated, one)


def test_accumulation_trains_every_architecture_and_the_last_batch_of_an_epoch():
    """Parts never have a single example, from which there are no statistics."""
    history = train(replaced(PROTOCOL, accumulate=4, epochs=1))
    assert np.isfinite(history.values[:, :2]).all()


@pytest.mark.parametrize("model", [name for name in MODELS if name.startswith("imagenet_")])
def test_every_architecture_trains_and_resumes(tmp_path, monkeypatch, model):
    from learner_collusion.training import checkpoint as checkpoints

    protocol, cell = replaced(PROTOCOL, epochs=1, width=0.0625, evaluate_every=2), replaced(CELL, model=model)
    whole = train(protocol, cell, rows=20)
    assert np.isfinite(whole.values[:, :2]).all() and len(whole.values) == 2

    class Killed(Exception):
        pass

    original = checkpoints.save

    def save(*arguments):
        original(*arguments)
        raise Killed

    monkeypatch.setattr(checkpoints, "save", save)
    often = replaced(HARDWARE, checkpoint_minutes=0)
    for _ in range(3):
        with pytest.raises(Killed):
            train(protocol, cell, tmp_path / "c", often, rows=20)
    np.testing.assert_array_equal(train(protocol, cell, tmp_path / "c", often, rows=20).values, whole.values)


def test_the_rate_falls_at_milestones_and_at_plateaus():
    protocol = replaced(PROTOCOL, learning_rate=1.0, decay=0.5, milestones=(3,), rate_patience=2)
    for errors, falls in (
        ([], 0), ([5, 4, 3], 0), ([3, 4], 0), ([3, 3, 3], 1), ([3, 4, 5, 2.9], 1), ([3, 4, 5, 6], 1), ([3, 4, 5, 6, 7], 2),
        ([3, 4, 5, 2, 3, 4, 1], 2),
    ):  # fmt: skip
        assert rate(protocol, 1, errors) == 0.5**falls
        assert rate(protocol, 4, errors) == 0.5 ** (falls + 1)
    assert rate(replaced(protocol, rate_patience=None), 1, [1, 2, 3, 4, 5]) == 1


def test_plateaus_lower_the_rate_within_an_epoch_and_end_the_training(monkeypatch):
    """A rate of 0 improves nothing: after one evaluation, and each further one, the rate falls, until it is too low."""
    rates = []
    original = loop.set_rate

    def spy(optimiser, *arguments):
        original(optimiser, *arguments)
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.param_groups[0]["lr"] = 0.0

    monkeypatch.setattr(loop, "set_rate", spy)
    frozen = replaced(PROTOCOL, epochs=9, evaluate_every=1, rate_patience=1, decay=0.1, minimum_rate=5e-5, momentum=0)
    monkeypatch.setattr(loop.Progress, "errors", lambda self: [1.0] * len(self.values))
    history = train(frozen)
    assert len(history.values) == 4
    np.testing.assert_allclose(rates, [0.01, 0.01, 0.001, 0.0001, 0.00001])


def test_the_log_tells_the_validation_accuracy_where_nothing_is_tested(capsys):
    history = train(replaced(PROTOCOL, epochs=1))
    assert f"validation accuracy {100 * history.values[0, 1, 3]:.2f} %" in capsys.readouterr().out


def test_training_learns():
    history = train(replaced(PROTOCOL, epochs=5, learning_rate=0.05))
    assert history.values[-1, 0, 0] < history.values[0, 0, 0]
