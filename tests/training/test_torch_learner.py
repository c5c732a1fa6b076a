"""A class of the user's is trained as the engines train MLPs; what does not fit is one sentence."""

import numpy as np
import pytest
import torch
from conftest import ROOT

from learner_collusion.data.splits import Run, Split
from learner_collusion.errors import UserError
from learner_collusion.models.mlp import Network
from learner_collusion.training import engines, torch_learner
from learner_collusion.training.sweep import Sweep
from learner_collusion.training.torch_learner import Ensemble, predict, sweep_of, train_sweeps, tuned_names

BETAS = [0.0, 0.5, 1.0]


@pytest.fixture(autouse=True)
def nets(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tests/training")


def run(rows=90, features=5) -> Run:
    random = np.random.default_rng(0)
    x = random.normal(size=(rows + 60, features)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] * x[:, 2]).astype(np.float32)
    split = Split(x[:rows], y[:rows], x[rows : rows + 30], y[rows : rows + 30])
    return Run(split, x[rows + 30 :], y[rows + 30 :], np.arange(30, dtype=np.int32))


def sweep(name, betas=BETAS, epochs=8, patience=8, identity=("one",), **options):
    point = {"learning_rate": 0.02, "weight_decay": 0.01, "batch_size": 32, "learners": 3}
    return sweep_of(run(), betas, point, epochs, patience, identity, f"users_nets.{name}", options)


@pytest.mark.parametrize("patience", [2, 8])
def test_it_trains_as_the_engines_do(patience):
    ours = sweep("Plain", epochs=30, patience=patience, hidden_units=4)
    [found] = train_sweeps([ours])
    start = Ensemble(ours.network, torch_learner.torch_seed("one", "initial weights"), torch.zeros(4, 5))
    initial = np.stack([torch.cat([module[i].weight.T.flatten() if part == "weight" else module[i].bias
                                   for i in (0, 2) for part in ("weight", "bias")]).detach().numpy()
                        for module in start.modules])  # fmt: skip
    theirs = Sweep(Network(5, 3, 4, 1), ours.split, ours.settings, BETAS, initial, ours.permutations)
    [expected] = engines.train_sweeps([theirs], engine="torch")
    for one, other in zip(found, expected, strict=True):
        assert (one.best_epoch, one.diverged) == (other.best_epoch, other.diverged)
        assert np.allclose(one.history, other.history, rtol=1e-3, atol=1e-5)
        outputs = predict(ours.network, one.best, run().test_x)
        assert np.allclose(outputs, engines.predict(theirs.network, other.best, run().test_x, "torch"), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "at_once"),
    [("Plain", True), ("Normed", True), ("Lazy", True), ("Branching", False), ("OwnFeatures", False)],
)
def test_learners_at_once_where_that_is_the_same(name, at_once):
    ensemble = Ensemble(sweep(name).network, 0, torch.from_numpy(run().split.x[:8]))
    assert ensemble.at_once is at_once
    x = torch.from_numpy(run().test_x)
    state = ensemble.start()
    expected = torch.stack([module.eval()(x).reshape(-1) for module in ensemble.modules], 1)
    assert torch.allclose(ensemble.forward(state.parameters, state.buffers, x, False), expected, atol=1e-5)
    [found] = train_sweeps([sweep(name)])
    assert all(len(t.history) == 8 and t.history[-1, 0] < t.history[0, 0] for t in found)
    assert all(predict(sweep(name).network, t.best, run().test_x).shape == (30, 3) for t in found)


def test_a_loop_trains_as_all_at_once(monkeypatch):
    [at_once] = train_sweeps([sweep("Plain")])
    monkeypatch.setattr(Ensemble, "_works_at_once", lambda self, x: False)
    [loop] = train_sweeps([sweep("Plain")])
    for one, other in zip(at_once, loop, strict=True):
        assert np.allclose(one.history, other.history, rtol=1e-3, atol=1e-5)


def test_betas_share_weights_batches_and_noise_and_nothing_else_matters():
    state = torch.get_rng_state()
    [alone], [together] = train_sweeps([sweep("Normed", [1.0])]), train_sweeps([sweep("Normed", [0.0, 1.0, 1.0])])
    assert np.array_equal(alone[0].history, together[1].history) and np.array_equal(
        together[1].history, together[2].history
    )
    assert not np.array_equal(together[0].history, together[1].history)
    assert torch.equal(state, torch.get_rng_state())
    [other] = train_sweeps([sweep("Normed", [1.0], identity=("two",))])
    assert not np.array_equal(alone[0].history, other[0].history)


def test_joint_training_leaves_diversity():
    [found] = train_sweeps([sweep("Plain", [0.0, 1.0], epochs=40, patience=40, hidden_units=8)])
    independent, joint = (t.history[-1, 4] for t in found)
    assert joint > 2 * independent


def test_a_loss_that_is_not_finite_ends_it():
    [[found]] = train_sweeps([sweep("Exploding", [0.5])])
    assert found.diverged == 1 and found.best_epoch == 0 and len(found.history) == 1


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("TwoOutputs", {}, "puts out (8, 2) torch.float32 for 8 rows: a learner for tables gives one number per row"),
        ("Fixed", {}, "has no parameters to train"),
        ("Detached", {}, "puts out what its parameters do not decide, or detaches it"),
        ("Broken", {}, "failed on a batch (8, 5): RuntimeError: shapes do not match"),
        ("no_module", {}, "is a int and no torch.nn.Module"),
        ("Plain", {"hidden_units": -1}, "users_nets.Plain(5, hidden_units=-1) failed (RuntimeError"),
        ("Nothing", {}, "The learner 'users_nets.Nothing' cannot be imported"),
    ],
)
def test_what_does_not_fit_is_a_sentence(name, options, words):
    with pytest.raises(UserError) as error:
        train_sweeps([sweep(name, **options)])
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_module_that_fails_when_imported(tmp_path, monkeypatch):
    (tmp_path / "failing_nets.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"The learner 'failing_nets.Net' cannot be imported \(ZeroDivisionError"):
        tuned_names("failing_nets.Net", {}, {})


def test_a_script_that_ends_itself_when_imported(tmp_path, monkeypatch):
    (tmp_path / "script_nets.py").write_text("raise SystemExit(2)\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"'script_nets.Net' cannot be imported \(SystemExit: 2\): correct its module"):
        tuned_names("script_nets.Net", {}, {})


def test_the_names_that_are_tuned():
    grid = {name: [1] for name in (*torch_learner.COMMON, "hidden_units", "layers")}
    assert tuned_names("users_nets.Plain", grid, {}) == [*torch_learner.COMMON, "hidden_units"]
    assert tuned_names("users_nets.Plain", grid, {"hidden_units": 3}) == list(torch_learner.COMMON)
    assert tuned_names("users_nets.Normed", grid | {"width": [2]}, {}) == [*torch_learner.COMMON, "width"]
    with pytest.raises(
        UserError, match=r"tuning.grid names 'depth', which users_nets.Normed does not take: choose from rate, width"
    ):
        tuned_names("users_nets.Normed", grid | {"depth": [2]}, {})
    with pytest.raises(UserError, match="learner_options names 'depth'"):
        tuned_names("users_nets.Normed", grid, {"depth": 2})
    with pytest.raises(UserError, match="leave one of them out"):
        tuned_names("users_nets.Normed", grid | {"width": [2]}, {"width": 3})


def test_the_native_engine_is_for_mlps():
    with pytest.raises(UserError, match="trains MLPs alone"):
        torch_learner.choose_engine("native", "cpu")
    assert torch_learner.choose_engine("auto", "cpu") == "torch"
