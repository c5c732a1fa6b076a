"""Training of an image ensemble: the objective, pairing, early stopping, divergence, interruptions."""

import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from image_cells import CELL, CPU, HARDWARE, PLAIN, replaced, train
from torch import nn

from learner_collusion import AugmentedLoss
from learner_collusion.errors import UserError
from learner_collusion.training import loop
from learner_collusion.training.batches import Batch, Data, on_device, plan_epoch, split
from learner_collusion.training.evaluation import SPLITS
from learner_collusion.training.protocol import Cell


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def augmented(beta=0.5, averaging="probability"):
    return AugmentedLoss(beta, "cross_entropy", averaging, reduction="none")


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 5), st.integers(1, 4),
    st.sampled_from(["probability", "score"]), st.sampled_from([0, 0.3, 1]),
)  # fmt: skip
def test_gradients_are_those_of_appendix_e(seed, learners, classes, batch, averaging, beta):
    """The derivative of the objective in each score, against the formulas in NumPy: of the public loss, and of the loop."""
    random = np.random.default_rng(seed)
    scores = 3 * random.normal(size=(batch, learners, classes))
    y = random.integers(0, classes, batch)
    p, hot = softmax(scores), np.eye(classes)[y]
    independent = (p - hot[:, None]) / learners
    if averaging == "score":
        joint = np.repeat((softmax(scores.mean(1)) - hot)[:, None] / learners, learners, 1)
    else:
        true = (p * hot[:, None]).sum(2, keepdims=True)  # (batch, learners, 1): the probability of the true class
        joint = (true * p - true * hot[:, None]) / true.sum(1, keepdims=True)
    expected = ((1 - beta) * independent + beta * joint) / batch
    public = AugmentedLoss(beta, "cross_entropy", averaging)
    for loss in (public, lambda f, t: loop.objective(augmented(beta, averaging), f, t, None)):
        tensor = torch.tensor(scores, requires_grad=True)
        loss(tensor, torch.tensor(y)).backward()
        np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=1e-12)


def test_dropped_learners_learn_nothing_from_the_batch():
    tensor = torch.randn(4, 5, 3, requires_grad=True)
    y = torch.tensor([0, 1, 2, 0])
    staying = torch.tensor([0, 3, 4])
    loss = loop.objective(augmented(), tensor, y, staying)
    loss.backward()
    assert (tensor.grad[:, [1, 2]] == 0).all() and (tensor.grad[:, staying] != 0).any(2).all()
    torch.testing.assert_close(loss, loop.objective(augmented(), tensor[:, staying], y, None))


@pytest.mark.parametrize("averaging", ["probability", "score"])
def test_dropped_by_example_each_example_has_a_different_ensemble(averaging):
    tensor = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 2])
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=torch.float64)
    public = augmented(averaging=averaging)
    loss = loop.objective(public, tensor, y, mask)
    each = [loop.objective(public, tensor[i : i + 1, mask[i].bool()], y[i : i + 1], None) for i in (0, 2)]
    torch.testing.assert_close(loss, torch.stack(each).mean())
    loss.backward()
    assert torch.isfinite(tensor.grad).all() and (tensor.grad[1] == 0).all() and (tensor.grad[mask == 0] == 0).all()


def test_a_batch_whose_examples_all_lost_their_learners_changes_nothing():
    tensor = torch.randn(2, 3, 4, requires_grad=True)
    loop.objective(augmented(), tensor, torch.tensor([0, 1]), torch.zeros(2, 3)).backward()
    assert (tensor.grad == 0).all()


def test_at_beta_0_averaging_does_not_matter_to_the_objective():
    scores, y = torch.randn(5, 4, 3), torch.tensor([0, 1, 2, 0, 1])
    losses = [loop.objective(augmented(0, averaging), scores, y, None) for averaging in ("probability", "score")]
    torch.testing.assert_close(*losses)


@pytest.mark.parametrize(("drop_rate", "stay"), [(0.2, 4), (0.4, 3), (0.6, 2)])
def test_the_share_that_is_dropped(protocol, drop_rate, stay):
    cell = replaced(CELL, learners=5, drop_rate=drop_rate)
    random = torch.Generator().manual_seed(0)
    staying = plan_epoch(96, cell, protocol, random, CPU).staying
    assert [len(learners) for learners in staying] == [stay] * 3
    assert len({tuple(learners.tolist()) for learners in staying}) > 1
    masks = plan_epoch(9600, cell, replaced(protocol, dropout_per="example"), random, CPU).staying
    assert torch.cat(masks).mean() == pytest.approx(1 - drop_rate, abs=0.02)


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 64, 65, 100])
@pytest.mark.parametrize("dropout_per", ["batch", "example"])
def test_an_epoch_takes_every_row_once_but_no_last_batch_of_one(protocol, rows, dropout_per):
    """Batch normalisation needs two images."""
    cell, protocol = replaced(CELL, drop_rate=0.4), replaced(protocol, dropout_per=dropout_per)
    plan = plan_epoch(rows, cell, protocol, torch.Generator().manual_seed(0), CPU)
    taken = torch.cat(plan.batches)
    assert len(taken.unique()) == len(taken) == rows - (rows in (33, 65))
    assert len(plan.batches) == len(plan.staying) and len(plan.parameters) == rows
    if dropout_per == "example":
        assert [len(mask) for mask in plan.staying] == [len(batch) for batch in plan.batches]


def test_batches_start_anywhere_in_the_epoch(images, protocol):
    data = on_device(images, replaced(CELL, drop_rate=0.4), protocol, 0, CPU)
    batches = list(data.training(2, 0))
    assert len(batches) == data.batches == 5
    for one, other in zip(batches[3:], data.training(2, 3), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert not torch.equal(batches[0].targets, next(iter(data.training(3, 0))).targets)


def test_it_learns_and_keeps_the_identity(images, protocol):
    twelve = replaced(protocol, epochs=12, optimiser="adam", learning_rate=0.01, augmentation=PLAIN)
    history = train(images, twelve)
    assert history.values.shape == (12, 4, 4 + 3) and history.diverged == 0
    err, err_bar, div, accuracy = np.moveaxis(history.values[..., :4], -1, 0)
    np.testing.assert_allclose(div, err_bar - err, atol=1e-5)
    assert accuracy[-1, 2] > 0.5 and err[-1, 0] < err[0, 0]
    assert history.best_evaluation == 1 + err[:, 1].argmin()
    # the accuracy of each learner
    assert ((history.values[:, :3, 4:] >= 0) & (history.values[:, :3, 4:] <= 1)).all()


def test_same_cell_same_numbers_and_other_cells_others(images, protocol):
    one, two = train(images, protocol), train(images, protocol)
    np.testing.assert_array_equal(one.values, two.values)
    for other in ({"run": 1}, {"beta": 1.0}, {"averaging": "score"}):
        assert not np.array_equal(one.values, train(images, protocol, replaced(CELL, **other)).values), other
    assert not np.array_equal(one.values, train(images, protocol, seed=1).values)


def test_betas_and_drop_rates_are_paired(images, protocol, monkeypatch):
    """Split, initial weights and batches are the same for every beta and share."""
    original = loop.objective

    def first_step(cell: Cell) -> tuple:
        seen = []

        def spy(augmented, scores, targets, staying):
            seen.append((scores.detach().clone(), targets))
            return original(augmented, scores, targets, staying)

        monkeypatch.setattr(loop, "objective", spy)
        train(images, replaced(protocol, epochs=1), cell)
        return seen[0]

    independent = first_step(replaced(CELL, beta=0.0))
    for cell in (replaced(CELL, beta=1.0), replaced(CELL, beta=1.0, drop_rate=0.4)):
        assert all(torch.equal(a, b) for a, b in zip(independent, first_step(cell), strict=True)), cell


def test_training_is_through_the_published_loss(images, protocol, monkeypatch):
    """Every step calls AugmentedLoss, with and without dropped learners: no second formula of Eq. 2."""
    calls = []
    forward = AugmentedLoss.forward

    def spy(self, *arguments):
        calls.append((self.beta, self.loss, self.averaging))
        return forward(self, *arguments)

    monkeypatch.setattr(AugmentedLoss, "forward", spy)
    for drop_rate, dropout_per in ((0.0, "batch"), (0.4, "batch"), (0.4, "example")):
        calls.clear()
        cell = replaced(CELL, beta=0.7, averaging="score", drop_rate=drop_rate)
        train(images, replaced(protocol, epochs=1, dropout_per=dropout_per), cell)
        assert calls == [(0.7, "cross_entropy", "score")] * 5


def test_no_third_split(images, protocol):
    history = train(images, replaced(protocol, validation=0))
    assert np.isnan(history.values[:, 1]).all() and np.isfinite(history.values[:, [0, 2]]).all()
    assert history.best_evaluation == 3


def test_validation_from_the_test_images_as_the_official_code(images, protocol):
    parts = split(images, CELL, replaced(protocol, validation_from="test"), 0)
    assert [len(parts[name][1]) for name in SPLITS[:3]] == [200, 50, 50]
    np.testing.assert_array_equal(parts["validation"][1], images.test_y[50:])


def test_the_parts_of_a_run_are_disjoint_and_differ_between_runs(images, protocol):
    numbered = replaced(images, train_y=np.arange(200))
    first, second = (split(numbered, replaced(CELL, run=run), protocol, 0) for run in (0, 1))
    assert [len(first[name][1]) for name in SPLITS[:3]] == [160, 40, 100]
    assert sorted([*first["train"][1], *first["validation"][1]]) == list(range(200))
    assert set(first["validation"][1]) != set(second["validation"][1])


def test_training_images_are_evaluated_where_the_protocol_asks(images, protocol):
    """In evaluation mode and not augmented, as test images are; nothing else changes."""
    same = replaced(images, test_x=images.train_x, test_y=images.train_y)
    asked = replaced(protocol, epochs=2, validation=0, evaluate_train=True)
    found, plain = train(same, asked).values, train(same, replaced(asked, evaluate_train=False)).values
    np.testing.assert_allclose(found[:, 3], found[:, 2], rtol=1e-6)  # the images in another order
    assert np.isnan(plain[:, 3]).all() and (found[:, 0, 0] != found[:, 3, 0]).all()
    np.testing.assert_array_equal(found[:, :3], plain[:, :3])


def test_early_stopping(images, protocol):
    """Far too high a rate: the validation ERR does not fall, and training ends `patience` epochs after the best."""
    history = train(images, replaced(protocol, epochs=30, patience=2, learning_rate=0.5))
    assert len(history.values) in (history.best_evaluation + 2, history.diverged) and len(history.values) < 30


@pytest.mark.parametrize(("part", "diverged"), [("train", 1), ("validation", 1), ("test", 0)])
def test_the_test_set_decides_nothing(part, diverged):
    numbers = {name: np.full(6, 0.5) for name in ("train", "validation", "test")}
    numbers[part][1] = np.nan
    progress = loop.Progress(2, torch.device("cpu"))
    progress.add(torch.from_numpy(numbers["train"]) * 10, 10, 1)
    progress.record(numbers["validation"], numbers["test"])
    assert progress.diverged == diverged and progress.best_evaluation == 1 - diverged


def test_divergence_is_recorded_and_not_fatal(images, protocol):
    history = train(images, replaced(protocol, learning_rate=1e12, epochs=4))
    assert history.diverged == len(history.values) >= 1


def test_evaluating_every_n_batches_of_an_epoch_is_evaluating_each_epoch(images, protocol):
    each = train(images, protocol)
    every = train(images, replaced(protocol, evaluate_every=5))
    np.testing.assert_array_equal(each.values, every.values)
    assert (each.best_evaluation, each.diverged) == (every.best_evaluation, every.diverged)


def test_evaluating_within_an_epoch(images, protocol):
    """15 batches of 32, evaluated after each 4 and at the end; training itself does not change."""
    each, every = train(images, protocol), train(images, replaced(protocol, evaluate_every=4))
    assert len(every.values) == 4
    np.testing.assert_array_equal(every.values[-1, 1:], each.values[-1, 1:])  # after the same 15 steps
    steps = train(images, replaced(protocol, evaluate_every=1)).values
    assert len(steps) == 15
    for stretch, values in zip(np.split(steps, [4, 8, 12]), every.values, strict=True):
        np.testing.assert_array_equal(values[1:], stretch[-1, 1:])
        np.testing.assert_allclose(values[0], stretch[:, 0].mean(0), rtol=1e-12)  # sums run since the last evaluation
    np.testing.assert_allclose(each.values[0, 0], steps[:5, 0].mean(0), rtol=1e-12)


def test_patience_counts_evaluations(images, protocol):
    history = train(images, replaced(protocol, epochs=30, patience=3, learning_rate=0.5, evaluate_every=2))
    assert len(history.values) in (history.best_evaluation + 3, history.diverged) and len(history.values) < 30 * 5 // 2


def test_the_schedule_of_appendix_b(paper):
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    rates = []
    for epoch in range(1, 81):
        loop.set_rate(optimiser, paper, epoch)
        rates.append(optimiser.param_groups[0]["lr"])
    expected = [0.1] * 30 + [0.02] * 20 + [0.004] * 20 + [0.0008] * 10
    np.testing.assert_allclose(rates, expected)


def test_two_threads_agree_within_rounding(images, protocol):
    one = train(images, replaced(protocol, epochs=1))
    two = train(images, replaced(protocol, epochs=1), hardware=replaced(HARDWARE, threads=2))
    torch.set_num_threads(1)
    np.testing.assert_allclose(one.values[..., :3], two.values[..., :3], rtol=1e-3, atol=1e-4)


def test_bf16_trains_too(images, protocol):
    half = train(images, replaced(protocol, epochs=2), hardware=replaced(HARDWARE, precision="bf16"))
    single = train(images, replaced(protocol, epochs=2))
    np.testing.assert_allclose(half.values[0, 0, 0], single.values[0, 0, 0], rtol=0.1)
    assert np.isfinite(half.values[:, :3]).all()


NETS = """
from torch import nn

class Pixels(nn.Module):
    def __init__(self, classes, width=1):
        super().__init__()
        self.layer = nn.Linear(3 * 32 * 32, classes)

    def forward(self, x):
        return self.layer(x.flatten(1))

def stack(classes, width=1):
    return nn.Sequential(nn.AvgPool2d(4), nn.Flatten(), nn.Linear(192, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, classes))
"""


@pytest.mark.parametrize("model", ["Pixels", "stack"])
def test_a_model_of_the_user_trains_in_the_same_loop(images, protocol, tmp_path, monkeypatch, model):
    (tmp_path / "nets_of_mine.py").write_text(NETS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "nets_of_mine", raising=False)
    short = replaced(protocol, epochs=6, optimiser="adam", learning_rate=0.003, augmentation=PLAIN)
    history = train(images, short, replaced(CELL, model=f"nets_of_mine.{model}"))
    assert history.values[-1, 2, 3] > 0.6 and history.convolution == "torch"
    err, err_bar, div = np.moveaxis(history.values[..., :3], -1, 0)
    np.testing.assert_allclose(div, err_bar - err, atol=1e-5)


def test_a_class_of_the_user_has_options(protocol, tmp_path, monkeypatch):
    (tmp_path / "nets_with_options.py").write_text(
        "from torch import nn\n\ndef net(classes, width, hidden=3, act='relu'):\n"
        "    act = nn.Tanh() if act == 'tanh' else nn.ReLU()\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(12, hidden), act, nn.Linear(hidden, classes))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    cell, given = replaced(CELL, model="nets_with_options.net"), {"hidden": 7, "act": "tanh"}
    plain, built = (loop.build(cell, replaced(protocol, learner_options=options), 4) for options in ({}, given))
    assert plain.learners[0][1].out_features == 3 and isinstance(plain.learners[0][2], nn.ReLU)
    assert built.learners[0][1].out_features == 7 and isinstance(built.learners[0][2], nn.Tanh)
    loop.build(CELL, replaced(protocol, learner_options=given), 4)  # a registered model beside it is built without
    with pytest.raises(UserError, match=r"must take \(classes, width, depth\)"):
        loop.build(cell, replaced(protocol, learner_options={"depth": 1}), 4)


def test_another_family_gives_the_loop_other_batches(protocol):
    """Images of another size, made on the fly, without a validation part: all that the loop asks of `Data`."""

    def make(seed: int, count: int) -> tuple:
        random = torch.Generator().manual_seed(seed)
        targets = torch.randint(0, 4, (count,), generator=random)
        return torch.randn(count, 3, 64, 64, generator=random) + targets[:, None, None, None], targets

    def training(epoch: int, first: int):
        return (Batch(*make(100 * epoch + number, 16), None) for number in range(first, 4))

    def evaluation(name: str):
        return [make(1, 50), make(2, 7)] if name == "test" else []

    cell = replaced(CELL, model="resnet18")
    short = replaced(protocol, epochs=4, width=0.0625, evaluate_every=3)
    history = loop.train(Data(4, 4, training, evaluation), cell, short, 0, HARDWARE, CPU)
    assert history.values.shape == (6, 4, 7) and np.isnan(history.values[:, 1]).all()
    assert history.values[-1, 0, 0] < history.values[0, 0, 0] and history.best_evaluation == 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"beta": 1.2}, r"must lie in \[0, 1\].*Theorem 5\.1"),
        ({"beta": float("nan")}, r"must lie in \[0, 1\]"),
        ({"drop_rate": 1.0}, "below 1"),
        ({"learners": 0}, "at least 1"),
    ],
)
def test_a_cell_that_cannot_be_trained_is_one_sentence(change, words):
    with pytest.raises(UserError, match=words):
        replaced(CELL, **change)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_cpu_and_gpu_train_alike(images, protocol, precision):
    """Same split, initial weights, batches and augmentation; a model without dropout, one epoch of 5 steps."""
    cell, small = replaced(CELL, model="resnet18"), replaced(protocol, epochs=1, width=0.125)
    here, there = (
        train(images, small, cell, hardware=replaced(HARDWARE, device=d, precision=p))
        for d, p in (("cpu", "fp32"), ("cuda", precision))
    )
    np.testing.assert_allclose(
        here.values[0, 0, :3], there.values[0, 0, :3], rtol=0.01 if precision == "fp32" else 0.05
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_device_that_does_not_exist_is_one_sentence(images, protocol):
    with pytest.raises(UserError, match=r"sees no GPU here: set `device` of images\.hardware"):
        train(images, protocol, hardware=replaced(HARDWARE, device="cuda"))
