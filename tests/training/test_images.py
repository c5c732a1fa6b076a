"""Training of an image ensemble: the objective, pairing, early stopping, divergence, kills, and devices."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion.datasets import images as datasets
from learner_collusion.errors import UserError
from learner_collusion.training import images as training

HARDWARE = {"device": "cpu", "precision": "fp32", "compile": False, "threads": 1, "checkpoint_minutes": 60}
PLAIN = {"crop_padding": 0, "flip": False, "rotation": 0}
CELL = {"protocol": "sgd", "dataset": "digits", "model": "cnn", "learners": 3, "averaging": "probability",
        "dropped": 0.0, "beta": 0.5, "run": 0}  # fmt: skip


@pytest.fixture(scope="module")
def npz(tmp_path_factory, config):
    """scikit-learn's digits, prepared."""
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    datasets.prepare("digits", config["images"]["datasets"]["digits"] | {"missing": "fail"}, str(path), None)
    return path


@pytest.fixture(scope="module")
def digits(npz):
    _, arrays = datasets.read(npz)
    few = {name: array[: 200 if name.startswith("train") else 100] for name, array in arrays.items()}
    return training.Images(**few, classes=10, mean=[77.9] * 3, std=[95.9] * 3)


@pytest.fixture
def protocol(config):
    return config["images"]["protocols"]["sgd"] | {"epochs": 3, "batch_size": 32, "width": 0.5, "learning_rate": 0.02}


def train(data, protocol, cell=None, checkpoint=None, hardware=None, seed=0):
    settings = {"seed": seed, "protocol": protocol}
    return training.train(data, CELL | (cell or {}), settings, HARDWARE | (hardware or {}), checkpoint)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(2, 5), st.integers(1, 4),
    st.sampled_from(["probability", "score"]), st.sampled_from([0, 0.3, 1]),
)  # fmt: skip
def test_gradients_are_those_of_appendix_e(seed, learners, classes, batch, averaging, beta):
    """The derivative of the objective in each score, against the formulas in NumPy."""
    random = np.random.default_rng(seed)
    scores = 3 * random.normal(size=(batch, learners, classes))
    y = random.integers(0, classes, batch)
    tensor = torch.tensor(scores, requires_grad=True)
    cell = {"beta": beta, "averaging": averaging}
    loss, _ = training._objective(tensor, torch.tensor(y), cell, {"dropout_per": "batch"}, None)
    loss.backward()
    p, hot = softmax(scores), np.eye(classes)[y]
    independent = (p - hot[:, None]) / learners
    if averaging == "score":
        joint = np.repeat((softmax(scores.mean(1)) - hot)[:, None] / learners, learners, 1)
    else:
        true = (p * hot[:, None]).sum(2, keepdims=True)  # (batch, learners, 1): the probability of the true class
        joint = (true * p - true * hot[:, None]) / true.sum(1, keepdims=True)
    expected = ((1 - beta) * independent + beta * joint) / batch
    np.testing.assert_allclose(tensor.grad.numpy(), expected, atol=1e-12)


def test_dropped_learners_learn_nothing_from_the_batch():
    tensor = torch.randn(4, 5, 3, requires_grad=True)
    y = torch.tensor([0, 1, 2, 0])
    kept = torch.tensor([0, 3, 4])
    loss, measured = training._objective(tensor, y, CELL, {"dropout_per": "batch"}, kept)
    loss.backward()
    assert (tensor.grad[:, [1, 2]] == 0).all() and (tensor.grad[:, kept] != 0).any(2).all()
    alone, _ = training._objective(tensor[:, kept], y, CELL, {"dropout_per": "batch"}, None)
    torch.testing.assert_close(loss, alone)
    assert measured.err.shape == (4,)


def test_dropped_by_example_each_example_has_its_own_ensemble():
    tensor = torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 2])
    mask = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 1]], dtype=torch.float64)
    loss, _ = training._objective(tensor, y, CELL, {"dropout_per": "example"}, mask)
    each = [
        training._objective(tensor[i : i + 1, mask[i].bool()], y[i : i + 1], CELL, {"dropout_per": "batch"}, None)[0]
        for i in (0, 2)
    ]
    torch.testing.assert_close(loss, torch.stack(each).mean())
    loss.backward()
    assert torch.isfinite(tensor.grad).all() and (tensor.grad[1] == 0).all()


@pytest.mark.parametrize(("dropped", "stay"), [(0.2, 4), (0.4, 3), (0.6, 2)])
def test_the_share_that_is_dropped(protocol, dropped, stay):
    plan = training._plan(96, protocol, CELL | {"learners": 5, "dropped": dropped}, ("x",), torch.device("cpu"))
    assert [len(kept) for kept in plan.kept] == [stay] * 3
    assert len({tuple(kept.tolist()) for kept in plan.kept}) > 1
    by_example = protocol | {"dropout_per": "example"}
    plan = training._plan(9600, by_example, CELL | {"learners": 5, "dropped": dropped}, ("x",), torch.device("cpu"))
    assert torch.cat(plan.kept).mean() == pytest.approx(1 - dropped, abs=0.02)


def test_it_learns_and_keeps_the_identity(digits, protocol):
    found = train(digits, protocol | {"epochs": 12, "optimiser": "adam", "learning_rate": 0.01, "augmentation": PLAIN})
    assert found.values.shape == (12, 3, 4 + 3) and found.diverged == 0
    err, err_bar, div, accuracy = np.moveaxis(found.values[..., :4], -1, 0)
    np.testing.assert_allclose(div, err_bar - err, atol=1e-5)
    assert accuracy[-1, 2] > 0.5 and err[-1, 0] < err[0, 0]
    assert found.best_epoch == 1 + err[:, 1].argmin()
    # each learner's own accuracy
    assert ((found.values[..., 4:] >= 0) & (found.values[..., 4:] <= 1)).all()


def test_same_cell_same_numbers_and_other_cells_others(digits, protocol):
    one, two = train(digits, protocol), train(digits, protocol)
    np.testing.assert_array_equal(one.values, two.values)
    for other in ({"run": 1}, {"beta": 1.0}, {"averaging": "score"}):
        assert not np.array_equal(one.values, train(digits, protocol, other).values), other
    assert not np.array_equal(one.values, train(digits, protocol, seed=1).values)


def test_betas_and_dropped_shares_are_paired(digits, protocol, monkeypatch):
    """Split, initial weights and batches are the same for every beta and share."""
    original = training._objective

    def first_step(cell: dict) -> tuple:
        seen = []

        def spy(scores, targets, *others):
            seen.append((scores.detach().clone(), targets))
            return original(scores, targets, *others)

        monkeypatch.setattr(training, "_objective", spy)
        train(digits, protocol | {"epochs": 1}, cell)
        return seen[0]

    independent = first_step({"beta": 0.0})
    for cell in ({"beta": 1.0}, {"beta": 1.0, "dropped": 0.4}):
        assert all(torch.equal(a, b) for a, b in zip(independent, first_step(cell), strict=True)), cell


def test_at_beta_0_averaging_does_not_matter_to_the_objective():
    scores, y = torch.randn(5, 4, 3), torch.tensor([0, 1, 2, 0, 1])
    losses = [
        training._objective(scores, y, {"beta": 0, "averaging": a}, {"dropout_per": "batch"}, None)[0]
        for a in ("probability", "score")
    ]
    torch.testing.assert_close(*losses)


def test_no_third_split(digits, protocol):
    found = train(digits, protocol | {"validation": 0})
    assert np.isnan(found.values[:, 1]).all() and np.isfinite(found.values[:, [0, 2]]).all() and found.best_epoch == 3


def test_validation_from_the_test_images_as_the_official_code(digits, protocol):
    parts = training._split(digits, protocol | {"validation_from": "test"}, 0, CELL, torch.device("cpu"))
    assert [len(parts[name][1]) for name in training.SPLITS] == [200, 50, 50]
    np.testing.assert_array_equal(parts["validation"][1].numpy(), digits.test_y[50:])


def test_early_stopping(digits, protocol):
    """Far too high a rate: the validation ERR does not fall, and training ends `patience` epochs after the best."""
    found = train(digits, protocol | {"epochs": 30, "patience": 2, "learning_rate": 0.5})
    assert len(found.values) in (found.best_epoch + 2, found.diverged) and len(found.values) < 30


def test_divergence_is_recorded_and_not_fatal(digits, protocol):
    found = train(digits, protocol | {"learning_rate": 1e12, "epochs": 4})
    assert found.diverged == len(found.values) >= 1


def test_the_schedule_of_appendix_b(protocol, config):
    paper = config["images"]["protocols"]["sgd"]
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], 0.1)
    rates = []
    for epoch in range(1, 81):
        training._set_rate(optimiser, paper, epoch)
        rates.append(optimiser.param_groups[0]["lr"])
    expected = [0.1] * 30 + [0.02] * 20 + [0.004] * 20 + [0.0008] * 10
    np.testing.assert_allclose(rates, expected)


@pytest.mark.parametrize("model", ["cnn", "resnet18"])
def test_interrupted_anywhere_ends_the_same(digits, protocol, tmp_path, monkeypatch, model):
    """A checkpoint after each step; training is broken off at several of them and goes on from the last."""
    protocol = protocol | {"width": 0.125}
    whole = train(digits, protocol, {"model": model})
    path, saves = tmp_path / "c", []
    original = training._save

    class Killed(Exception):
        pass

    def save(*arguments):
        original(*arguments)
        saves.append(1)
        if len(saves) in (2, 6, 11):
            raise Killed

    monkeypatch.setattr(training, "_save", save)
    for _ in range(3):
        with pytest.raises(Killed):
            train(digits, protocol, {"model": model}, path, {"checkpoint_minutes": 0})
    again = train(digits, protocol, {"model": model}, path, {"checkpoint_minutes": 0})
    np.testing.assert_array_equal(whole.values, again.values)
    assert (whole.best_epoch, whole.diverged) == (again.best_epoch, again.diverged)


def command(npz, protocol, folder, beta=0.5):
    protocol = protocol | {"subset": {"train": 400, "test": 100}}
    settings = {"seed": 0, "protocol": protocol, "precision": "fp32"}
    settings["dataset"] = {"classes": 10, "mean": [77.9] * 3, "std": [95.9] * 3}
    return [sys.executable, "-m", "learner_collusion", "train-cell", "--images", str(npz), "--cell",
            json.dumps(CELL | {"beta": beta}), "--settings", json.dumps(settings), "--checkpoint-minutes", "0",
            "--history", str(folder / "history.parquet"), "--checkpoint", str(folder / "checkpoint")]  # fmt: skip


def test_killed_and_started_again_ends_with_the_same_bytes(npz, protocol, tmp_path):
    """The stage itself, killed with SIGKILL wherever it stands, three times."""
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    one, two = tmp_path / "one", tmp_path / "two"
    subprocess.run(command(npz, protocol, one), check=True, env=environment, capture_output=True)
    kills = 0
    for wait in (0.05, 0.15, 0.3):
        process = subprocess.Popen(command(npz, protocol, two), env=environment, stdout=subprocess.DEVNULL)
        before = (two / "checkpoint").stat().st_mtime_ns if (two / "checkpoint").exists() else 0
        while process.poll() is None and not (
            (two / "checkpoint").exists() and (two / "checkpoint").stat().st_mtime_ns > before
        ):
            time.sleep(0.01)
        time.sleep(wait)
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        if (two / "history.parquet").exists():
            break
    assert kills >= 1
    subprocess.run(command(npz, protocol, two), check=True, env=environment, capture_output=True)
    assert (one / "history.parquet").read_bytes() == (two / "history.parquet").read_bytes()
    assert not (two / "checkpoint").exists()


def test_a_damaged_checkpoint_is_told_and_another_one_not_used(digits, protocol, tmp_path, capsys):
    path = tmp_path / "c"
    path.write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"is damaged .*: delete it to train this cell anew"):
        train(digits, protocol, checkpoint=path)
    path.unlink()
    train(digits, protocol | {"epochs": 1}, {"beta": 1.0}, path, {"checkpoint_minutes": 0})
    plain = train(digits, protocol)
    other = train(digits, protocol, checkpoint=path)
    assert "is of other settings" in capsys.readouterr().out
    np.testing.assert_array_equal(plain.values, other.values)


def test_two_threads_agree_within_rounding(digits, protocol):
    one, two = train(digits, protocol | {"epochs": 1}), train(digits, protocol | {"epochs": 1}, hardware={"threads": 2})
    torch.set_num_threads(1)
    np.testing.assert_allclose(one.values[..., :3], two.values[..., :3], rtol=1e-3, atol=1e-4)


def test_bf16_trains_too(digits, protocol):
    found = train(digits, protocol | {"epochs": 2}, hardware={"precision": "bf16"})
    single = train(digits, protocol | {"epochs": 2})
    np.testing.assert_allclose(found.values[0, 0, 0], single.values[0, 0, 0], rtol=0.1)
    assert np.isfinite(found.values).all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16"])
def test_cpu_and_gpu_agree(digits, protocol, precision):
    """Same split, initial weights, batches and augmentation; a model without dropout, one epoch of 5 steps."""
    cell, small = {"model": "resnet18"}, protocol | {"epochs": 1, "width": 0.125}
    here, there = (
        train(digits, small, cell, hardware={"device": d, "precision": p})
        for d, p in (("cpu", "fp32"), ("cuda", precision))
    )
    np.testing.assert_allclose(
        here.values[0, 0, :3], there.values[0, 0, :3], rtol=0.01 if precision == "fp32" else 0.05
    )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_one_sentence(digits, protocol):
    with pytest.raises(UserError, match="sees no GPU here: set it to cpu"):
        train(digits, protocol, hardware={"device": "cuda"})


def test_each_process_holds_a_gpu_of_its_own(tmp_path):
    """Two processes beside each other get different ones; a third finds none free; a dead one's is free again."""
    code = (
        "import sys; from pathlib import Path; from learner_collusion.training.images import hold_one\n"
        f"print(hold_one(['a', 'b'], Path({str(tmp_path)!r})), flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        return process, process.stdout.readline().strip()

    first, second = start(), start()
    assert (first[1], second[1]) == ("0", "1")
    first[0].kill()
    first[0].wait()
    third = start()
    assert third[1] == "0"
    for process, _ in (second, third):
        process.kill()
        process.wait()
