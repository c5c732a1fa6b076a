"""What the public core takes, whatever the function: kinds of arrays, shapes and types; and one sentence for all else."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from learner_collusion import AugmentedLoss, EnsembleDiversity, bias_share, codependence, debias, decompose


def measure(predictions, targets, loss="squared_error", averaging="output", **options):
    metric = EnsembleDiversity(loss, averaging, **options)
    metric.update(predictions, targets)
    return float(metric.compute().err)


# Each gives one number of the same arguments.
ENTRIES = {
    "decompose": lambda f, y, *a, **o: float(decompose(f, y, *a, **o).err),
    "AugmentedLoss": lambda f, y, *a, **o: float(AugmentedLoss(0.5, *a, **o)(f, y)),
    "codependence": lambda f, y, loss="squared_error", averaging="output", **o: codependence(
        f, y, 0.5, 10, loss=loss, averaging=averaging, **o
    ),
    "EnsembleDiversity": measure,
}
everywhere = pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
BY_SOFTMAX = [("cross_entropy", "probability"), ("cross_entropy", "score"), ("brier", "output"), ("zero_one", "score")]


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def regression(rows=40, learners=4):
    random = np.random.default_rng(0)
    y = random.normal(size=rows)
    return y[:, None] + random.normal(size=(rows, learners)), y


def classification(rows=40, learners=4, classes=3):
    random = np.random.default_rng(1)
    return 2 * random.normal(size=(rows, learners, classes)), random.integers(0, classes, rows)


# Kinds of arrays


@everywhere
def test_numpy_pandas_and_lists_are_torch(entry):
    f, y = regression()
    expected = entry(torch.tensor(f), torch.tensor(y))
    kinds = [
        (f, y),
        (pd.DataFrame(f), pd.Series(y)),
        (pd.DataFrame(f), pd.DataFrame({"y": y})),
        (pd.DataFrame(f).astype("Float64"), pd.Series(y, dtype=object)),
        (f.tolist(), y.tolist()),
        (np.asfortranarray(f)[::-1], y[::-1]),
        (f.astype(">f8"), y.astype(">f8")),
        (f, torch.tensor(y)),
    ]
    order = [5]  # reversed rows: another order of the draws
    for i, kind in enumerate(kinds):
        assert entry(*kind) == pytest.approx(expected, rel=0.2 if i in order else 1e-12)
    f, y = classification()
    expected = entry(torch.tensor(f), torch.tensor(y), "cross_entropy")
    for labels in (y, y.astype(np.uint8), pd.Series(y, dtype="Int64"), y.tolist(), y[:, None]):
        assert entry(f, labels, "cross_entropy") == pytest.approx(expected, rel=1e-12)


def test_what_is_read_only_stays_as_it_is(recwarn):
    f, y = regression()
    f.flags.writeable = y.flags.writeable = False
    before = f.copy()
    decompose(f, y), debias(f), bias_share(f)
    assert not recwarn and (f == before).all()


def test_torch_in_torch_out_and_numpy_in_numpy_out():
    f, y = regression()
    assert all(isinstance(part, torch.Tensor) for part in decompose(torch.tensor(f), y))
    assert all(isinstance(part, np.float64) for part in decompose(f, torch.tensor(y)))
    assert all(part.shape == (40,) for part in decompose(f, y, reduction="none"))
    assert isinstance(debias(pd.DataFrame(f)), np.ndarray) and isinstance(debias(torch.tensor(f)), torch.Tensor)
    assert isinstance(bias_share(f), float)
    assert isinstance(AugmentedLoss(0.5)(f, y), torch.Tensor)


@everywhere
def test_rows_of_pandas_are_matched_by_position_and_a_shuffle_is_told(entry):
    f, y = regression()
    frame, series = pd.DataFrame(f), pd.Series(y)
    split = series.set_axis(range(1000, 1040))  # the index of a test split, against a new one
    assert entry(frame, split) == entry(f, y)
    with pytest.raises(ValueError, match=r"targets\.loc\[predictions\.index\]"):
        entry(frame, series.sample(frac=1, random_state=0))


# Types


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@everywhere
def test_half_precision_is_accumulated_in_float32(entry, half):
    for (f, y), loss in ((regression(), "squared_error"), (classification(), "cross_entropy")):
        f = torch.tensor(f).to(half)
        assert entry(f, torch.tensor(y), loss) == entry(f.float(), torch.tensor(y), loss)


@given(
    st.sampled_from([torch.bfloat16, torch.float16, torch.float32, torch.float64]),
    st.sampled_from([torch.bfloat16, torch.float32, torch.float64, torch.int64]),
    st.sampled_from([None, torch.bfloat16, torch.float32, torch.float64]),
    st.sampled_from(["squared_error", "logistic", "cross_entropy", "brier", "callable"]),
)
def test_results_have_the_type_of_the_predictions(kind, of_targets, of_weights, loss):
    f = torch.tensor(classification()[0]).to(kind)
    f = f[..., 0] if loss == "logistic" else f
    y = torch.ones(40) if loss == "logistic" else torch.eye(3)[classification()[1]]
    weights = None if of_weights is None else torch.tensor([0.1, 0.2, 0.3, 0.4]).to(of_weights)
    loss = (lambda outputs, targets: (outputs - targets).abs().sum(1)) if loss == "callable" else loss
    expected = torch.float64 if kind == torch.float64 else torch.float32
    for parts in (decompose(f, y.to(of_targets), loss, weights=weights, reduction=r) for r in ("mean", "none")):
        assert {part.dtype for part in parts} == {expected}
    assert AugmentedLoss(0.5, loss, weights=weights)(f, y.to(of_targets)).dtype == expected
    assert debias(f, weights).dtype == expected


@given(st.integers(0, 2**31), st.integers(1, 40), st.sampled_from([torch.bfloat16, torch.float16]))
def test_convex_weights_in_half_precision_are_accepted(seed, learners, half):
    weights = torch.tensor(np.random.default_rng(seed).dirichlet(np.ones(learners)))
    f = torch.tensor(np.random.default_rng(seed).normal(size=(5, learners)))
    parts = decompose(f, torch.zeros(5), weights=weights.to(half))
    exact = decompose(f, torch.zeros(5), weights=weights)
    assert float(parts.err_bar) == pytest.approx(float(exact.err_bar), rel=0.02)
    assert float(parts.err_bar - parts.err) == pytest.approx(float(parts.div), rel=1e-9, abs=1e-12)
    AugmentedLoss(0.5, weights=weights.to(half))(f, torch.zeros(5))
    with pytest.raises(ValueError, match="add up to 1"):
        decompose(f, torch.zeros(5), weights=0.97 * weights.to(half))


# Shapes


@everywhere
def test_a_column_of_targets_is_a_vector(entry):
    """(batch, 1) once was broadcast against (batch,): an increase of .499 in place of .151."""
    f, y = regression()
    assert entry(f, y[:, None]) == entry(f, y)
    assert entry(f, np.sign(y)[:, None], "logistic") == entry(f, np.sign(y), "logistic")
    f, y = classification()
    for loss in ("cross_entropy", "brier", "zero_one"):
        assert entry(f, y[:, None], loss) == entry(f, y, loss)


def test_a_callable_that_broadcasts_is_told():
    f, y = regression()
    with pytest.raises(ValueError, match="depends on the other examples"):
        decompose(f, y, lambda outputs, targets: (outputs - targets).square().mean(1))


F, Y = regression()
G, C = classification()
MISTAKES = {
    "one dimension": ((F[:, 0], Y), ValueError, "1 dimension,"),
    "a number": ((np.float64(1), Y), ValueError, "0 dimensions"),
    "a sequence": ((G[:, None], C), ValueError, "flatten batch and time"),
    "labels of a sequence": ((G, np.zeros((40, 7), int), "cross_entropy"), ValueError, "flatten batch and time"),
    "learners first": ((F.T, Y), ValueError, "expected 4 rows, got 40.*swap the first two axes"),
    "learners first, classes": ((G.swapaxes(0, 1), C, "brier"), ValueError, "swap the first two axes"),
    "too few targets": ((F, Y[:-1]), ValueError, "expected 40 rows, got 39"),
    "a target that is a number": ((F, np.float64(1)), ValueError, "expected 40 rows, got 0"),
    "too many outputs": ((F, np.zeros((40, 2))), ValueError, r"shape \(40, 1\)"),
    "no rows": ((F[:0], Y[:0]), ValueError, "empty"),
    "no learners": ((F[:, :0], Y), ValueError, "empty"),
    "integers": ((F.astype(int), Y), TypeError, "floating-point"),
    "complex": ((F.astype(complex), Y), TypeError, "no numbers"),
    "complex tensor": ((torch.tensor(F.astype(complex)), Y), TypeError, "floating-point"),
    "class names": ((G, np.array(["a", "b"] * 20), "cross_entropy"), TypeError, "Number the classes"),
    "missing labels": (
        (G, pd.Series([1, None] * 20, dtype="Int64"), "cross_entropy"),
        TypeError,
        "rows without a label",
    ),
    "rows of other lengths": (([[1.0, 2.0], [1.0]], [1.0, 1.0]), ValueError, "cannot be read as an array"),
    "a list of tensors": (([torch.tensor(Y)] * 3, Y), TypeError, "torch.stack"),
    "votes": ((F, C, "cross_entropy"), ValueError, "score for each class"),
    "one class": ((F[..., None], C, "brier"), ValueError, "at least two classes"),
    "labels as floats": ((G, C / 2, "cross_entropy"), TypeError, "class labels must be integers"),
    "labels as floats, 0-1": ((G, C.astype(float), "zero_one"), TypeError, "class labels must be integers"),
    "too many labels": ((G, C + 1, "cross_entropy"), ValueError, "label 3 in row .* 0 to 2; labels count from 0"),
    "a label of 99": ((G, np.where(np.arange(40) == 5, 99, C), "zero_one"), ValueError, "label 99 in row 5"),
    "-100": ((G, np.where(np.arange(40) == 5, -100, C), "brier"), ValueError, "-100 in row 5.*ignore_index=-100"),
    "probabilities for 0-1": ((G, softmax(G)[:, 0], "zero_one"), ValueError, "class indices"),
    "classes for margins": ((F, C, "logistic"), ValueError, "map class 0 to -1"),
    "two margins": ((G, C, "exponential"), ValueError, "one margin per learner"),
    "an unknown loss": ((F, Y, "mse"), ValueError, "choose one of"),
    "an unknown averaging": ((F, Y, "squared_error", "mean"), ValueError, "choose one of"),
    "an averaging that does not fit": ((F, Y, "logistic", "score"), ValueError, "no meaning for logistic"),
    "a callable that averages": ((F, Y, lambda f, y: (f[:, 0] - y).square().mean()), ValueError, r"return \(batch,\)"),
    "a callable in NumPy": ((F, Y, lambda f, y: np.zeros(40)), ValueError, r"must return \(batch,\) losses"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
@everywhere
def test_mistakes_are_told_in_one_sentence(entry, mistake):
    arguments, error, words = mistake
    with pytest.raises(error, match=words):
        entry(*arguments)
    if isinstance(arguments[0], np.ndarray) and arguments[0].dtype != complex:
        with pytest.raises(error, match=words):
            entry(torch.tensor(arguments[0]), *arguments[1:])


# Values


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("loss", ["squared_error", "cross_entropy"])
@pytest.mark.parametrize("entry", [ENTRIES[n] for n in ("decompose", "codependence", "EnsembleDiversity")])
def test_nan_and_infinities_name_row_and_learner(entry, loss, value):
    f, y = regression() if loss == "squared_error" else classification()
    f[17, 2] = value
    words = {np.nan: "NaN", np.inf: "infinite", -np.inf: "-inf" if loss == "cross_entropy" else "infinite"}[value]
    with pytest.raises(ValueError, match=f"{words}.* in row 17, learner 2 "):
        entry(f, y, loss)
    f[[3, 17], 1] = value
    with pytest.raises(ValueError, match=r"row 3, learner 1 .* at 2 more"):
        entry(f, y, loss)
    f, y = regression()
    with pytest.raises(ValueError, match="targets are NaN or infinite in row 4 "):
        entry(f, np.where(np.arange(40) == 4, value, y))


def test_without_check_nan_is_nan():
    f, y = regression()
    f[0, 0] = np.nan
    assert np.isnan(decompose(f, y, check=False).err)
    assert torch.isnan(AugmentedLoss(0.5)(f, y))  # as in training: the loop sees it


# Probabilities


@pytest.mark.parametrize("case", BY_SOFTMAX, ids=str)
@everywhere
def test_probabilities_are_the_softmax_of_scores(entry, case):
    f, y = classification()
    p = softmax(f)
    assert entry(p, y, *case, inputs="probabilities") == pytest.approx(entry(f, y, *case), rel=1e-9)
    assert entry(f, y, *case, inputs="scores") == entry(f, y, *case)
    with pytest.raises(ValueError, match=r"inputs='probabilities', but .* row 0, learner 0 .*do not add up to 1"):
        entry(f, y, *case, inputs="probabilities")


@pytest.mark.parametrize("decimals", [2, 3, 16])
@pytest.mark.parametrize("case", BY_SOFTMAX, ids=str)
@everywhere
def test_probabilities_passed_as_scores_are_told(entry, case, decimals):
    f, y = classification()
    p = np.round(softmax(f), decimals)
    with pytest.raises(ValueError, match=r"look like probabilities.*inputs='probabilities'"):
        entry(p, y, *case)
    entry(p, y, *case, inputs="scores")  # a second softmax, if that is what is wanted


def test_predict_proba_by_hand():
    """Four learners with a cross-entropy of .328 in the mean; a second softmax gave 1.640."""
    p = np.array([[[0.72, 0.28], [0.8, 0.2]], [[0.1, 0.9], [0.3, 0.7]]])
    found = decompose(p, [0, 1], "cross_entropy", inputs="probabilities")
    assert found.err == pytest.approx(-np.log([0.76, 0.8]).mean(), rel=1e-12)
    assert found.err_bar == pytest.approx(-np.log([0.72, 0.8, 0.9, 0.7]).mean(), rel=1e-12)
    assert decompose(p, [0, 1], "brier", inputs="probabilities").err == pytest.approx(0.24**2 + 0.2**2, rel=1e-12)


def test_what_is_no_probability_passes_as_scores():
    y = np.array([0, 1])
    zero, third = np.zeros((2, 3, 3)), np.full((2, 3, 3), 1 / 3)
    for scores in (zero, third, softmax(classification(2, 3)[0]) - 0.1, 100 * softmax(classification(2, 3)[0])):
        decompose(scores, y, "cross_entropy")
    p = softmax(classification(2, 3)[0])
    decompose(p, y, "zero_one")  # the vote is the same
    decompose(p, np.eye(3)[y])  # outputs as they are
    decompose(p, y, lambda outputs, targets: outputs[:, 0])


@everywhere
def test_probabilities_of_zero_are_exact(entry):
    p, y = np.array([[[1.0, 0, 0], [0.5, 0.5, 0]]] * 4), np.zeros(4, int)
    for case in BY_SOFTMAX:
        assert np.isfinite(entry(p, y, *case, inputs="probabilities"))
    parts = decompose(p, y, "cross_entropy", inputs="probabilities")
    assert parts.err == pytest.approx(-np.log(0.75)) and parts.div == pytest.approx(np.log(2) / 2 + np.log(0.75))


def test_gradients_through_probabilities_are_finite():
    """Softmax that underflows to 0, in front of the loss."""
    scores = torch.tensor([[[200.0, 0, -200], [1, 2, 3]]], requires_grad=True)
    for case in BY_SOFTMAX[:3]:
        (grad,) = torch.autograd.grad(AugmentedLoss(0.5, *case, inputs="probabilities")(scores.softmax(2), [0]), scores)
        (expected,) = torch.autograd.grad(AugmentedLoss(0.5, *case)(scores, [0]), scores)
        assert torch.isfinite(grad).all()
        if case != ("cross_entropy", "score"):  # where a probability of 0 and a score of -200 differ
            torch.testing.assert_close(grad, expected)


def test_names_of_inputs():
    f, y = regression()
    with pytest.raises(ValueError, match="choose 'scores' or 'probabilities'"):
        decompose(f, y, inputs="logits")
    with pytest.raises(ValueError, match="no meaning for squared_error"):
        AugmentedLoss(0.5, inputs="probabilities")
    with pytest.raises(ValueError, match="no meaning for averaging 'output'"):
        bias_share(f, inputs="probabilities")


# Labels that do not count


@pytest.mark.parametrize("loss", ["cross_entropy", "brier", "zero_one"])
@everywhere
def test_ignored_rows_are_as_if_they_were_not_there(entry, loss):
    f, y = classification()
    y[::3] = -100
    kept = y != -100
    assert entry(f, y, loss, ignore_index=-100) == pytest.approx(entry(f[kept], y[kept], loss), rel=1e-12)
    with pytest.raises(ValueError, match="all labels are ignore_index"):
        entry(f, np.full(40, -100), loss, ignore_index=-100)
    with pytest.raises(ValueError, match="class indices as targets"):
        entry(f, softmax(f)[:, 0], "cross_entropy", ignore_index=-100)
    with pytest.raises(ValueError, match="ignore_index is for class labels"):
        entry(*regression(), ignore_index=-100)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_ignored_rows_as_in_cross_entropy(reduction):
    f, y = (torch.tensor(x) for x in classification())
    y[::3] = -100
    found = AugmentedLoss(1, "cross_entropy", reduction=reduction, ignore_index=-100)(f[:, :1], y)
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(f[:, 0], y, reduction=reduction))
