"""EnsembleDiversity: many batches and processes are one batch."""

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import EnsembleDiversity, bias_share, decompose

CASES = [
    ("squared_error", "output"),
    ("cross_entropy", "probability"),
    ("cross_entropy", "score"),
    ("brier", "output"),
    ("zero_one", "output"),
    ("zero_one", "probability"),
    ("logistic", "output"),
]


def data(loss, seed=0, rows=60, learners=4, classes=3):
    random = np.random.default_rng(seed)
    f = random.normal(size=(rows, learners, classes)) + random.normal(size=(learners, classes))
    if loss == "logistic":
        return f[..., 0], random.choice([-1, 1], rows)
    return f, random.normal(size=(rows, classes)) if loss == "squared_error" else random.integers(0, classes, rows)


def reference(f, y, loss, averaging, weights):
    """One batch, by the functions that take one: what the ensemble averages has the bias."""
    averaged, how = f, "output"
    if averaging == "score":
        how = "score"
    elif loss in ("cross_entropy", "brier") or averaging == "probability":
        how = "probability"
    elif loss == "zero_one":
        averaged = np.eye(f.shape[2])[f.argmax(2)]
    return [*decompose(f, y, loss, averaging, weights), bias_share(averaged, weights, how)]


@given(st.integers(0, 2**31), st.lists(st.integers(1, 59), max_size=5), st.booleans(), st.sampled_from(CASES))
def test_batches_are_one_batch(seed, cuts, weighted, case):
    f, y = data(case[0], seed)
    weights = np.random.default_rng(seed).dirichlet(np.ones(4)) if weighted else None
    metric = EnsembleDiversity(*case, weights)
    for rows in np.split(np.arange(60), sorted(set(cuts))):
        metric.update(f[rows], y[rows])
    np.testing.assert_allclose(metric.compute(), reference(f, y, *case, weights), rtol=1e-9, atol=1e-12)


def test_the_mean_of_batches_is_another_number():
    """Why the class exists: in small batches, chance looks like constant bias."""
    f = torch.randn(400, 5, generator=torch.Generator().manual_seed(0))
    metric = EnsembleDiversity()
    for batch in f.split(10):
        metric.update(batch, torch.zeros(len(batch)))
    assert float(metric.compute().bias_share) == pytest.approx(bias_share(f), rel=1e-5)
    assert np.mean([bias_share(batch) for batch in f.split(10)]) > 10 * bias_share(f)


def test_float32_is_summed_in_float64():
    f, y = (torch.tensor(x, dtype=torch.float32) for x in data("squared_error"))
    metric = EnsembleDiversity()
    for _ in range(300):
        metric.update(1e3 + f, 1e3 + y)
    assert all(value.dtype == torch.float64 for value in metric.compute())
    np.testing.assert_allclose(metric.compute().div, decompose(f.double(), y.double()).div, rtol=1e-5)


def test_no_spread_no_share():
    metric = EnsembleDiversity()
    metric.update(np.ones((3, 2)), np.zeros(3))
    assert [float(value) for value in metric.compute()] == [1, 1, 0, 0]


def test_ignored_labels_and_probabilities():
    f, y = data("cross_entropy")
    y[::3] = -1
    kept = y != -1
    p = np.exp(f) / np.exp(f).sum(2, keepdims=True)
    metric = EnsembleDiversity("cross_entropy", inputs="probabilities", ignore_index=-1)
    for rows in np.split(np.arange(60), 4):
        metric.update(p[rows], y[rows])
    expected = reference(f[kept], y[kept], "cross_entropy", "output", None)
    np.testing.assert_allclose(metric.compute(), expected, rtol=1e-9)


def test_reset_merge_and_save():
    f, y = data("squared_error")
    whole, first, second, empty = (EnsembleDiversity() for _ in range(4))
    whole.update(f, y), first.update(f[:20], y[:20]), second.update(f[20:], y[20:])
    saved = EnsembleDiversity()
    saved.load_state_dict(first.state_dict())
    saved.update(f[20:], y[20:])
    packed = pickle.loads(pickle.dumps(copy.deepcopy(first)))
    for metric in (first, packed, empty):
        metric.merge(second if metric is not empty else whole)
        metric.merge(EnsembleDiversity())
    for metric in (first, packed, saved, empty):
        np.testing.assert_allclose(metric.compute(), whole.compute(), rtol=1e-12)
    np.testing.assert_allclose(second.compute(), reference(f[20:], y[20:], "squared_error", "output", None))
    whole.reset()
    with pytest.raises(ValueError, match="seen no batch"):
        whole.compute()
    whole.update(f[:20, :2], y[:20])
    np.testing.assert_allclose(whole.compute()[:3], decompose(f[:20, :2], y[:20]))


def test_nothing_is_kept_of_a_graph_or_of_the_batch():
    f = torch.randn(5, 3, requires_grad=True)
    metric = EnsembleDiversity()
    metric.update(f, torch.zeros(5))
    before = metric.compute()
    with torch.no_grad():
        f.mul_(2)
    assert not before.err.requires_grad and torch.equal(metric.compute().div, before.div)


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        (lambda m: m.update(np.ones((3, 5)), np.ones(3)), r"\(5, 1\) \(learners, outputs\).* had \(4, 1\)"),
        (lambda m: m.update(np.array([[np.nan] * 4]), np.ones(1)), "NaN in row 0"),
        (lambda m: m.merge(EnsembleDiversity("logistic")), "different settings"),
        (lambda m: EnsembleDiversity("mse"), "choose one of"),
        (lambda m: EnsembleDiversity(averaging="score"), "no meaning"),
        (lambda m: EnsembleDiversity(weights=np.ones((3, 2)) / 2), "weights must be"),
    ],
)
def test_mistakes_are_told_and_change_nothing(mistake, words):
    metric = EnsembleDiversity()
    metric.update(np.eye(4), np.zeros(4))
    before = metric.compute()
    with pytest.raises(ValueError, match=words):
        mistake(metric)
    assert metric.compute() == before


def process(rank, folder):
    """One of two: half of the batches to one metric, all to another in rank 0, none to it in rank 1."""
    torch.set_num_threads(1)
    store = torch.distributed.FileStore(str(folder / "store"), 2)
    torch.distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    f, y = data("cross_entropy")
    shared, one_sided = EnsembleDiversity("cross_entropy"), EnsembleDiversity("cross_entropy")
    apart = EnsembleDiversity("cross_entropy", sync_on_compute=False)
    for i, rows in enumerate(np.split(np.arange(60), [7, 20, 21, 50])):
        if i % 2 == rank:
            shared.update(f[rows], y[rows]), apart.update(f[rows], y[rows])
        if rank == 0:
            one_sided.update(f[rows], y[rows])
    results = [shared.compute(), shared.compute(), one_sided.compute(), apart.compute()]
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps([[float(value) for value in found] for found in results]))
    torch.distributed.destroy_process_group()


def test_processes_are_one(tmp_path):
    torch.multiprocessing.start_processes(process, (tmp_path,), 2, start_method="fork")
    f, y = data("cross_entropy")
    expected = reference(f, y, "cross_entropy", "output", None)
    found = [pickle.loads((tmp_path / f"{rank}.pickle").read_bytes()) for rank in range(2)]
    for *together, _ in found:  # the same when asked twice
        np.testing.assert_allclose(together, [expected] * 3, rtol=1e-9)
    assert found[0][:3] == found[1][:3] and found[0][3] != found[1][3]
