"""The ensembles that benchmarks/diagnosis.py judges: independent ones and jointly trained ones, on data that scikit-learn
ships or makes.

Each ensemble predicts the rows of its data set that nobody trained on. Forests come from scikit-learn. All networks of a data
set (three seeds, four ways to train) are one torch program: a layer is one `torch.bmm` over all learners. Ways of the same seed
start from the same weights.
"""

from dataclasses import dataclass
from itertools import pairwise, product

import numpy as np
import torch
from sklearn import datasets as sk
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from torch import Tensor
from torch.nn import functional as F

from learner_collusion import AugmentedLoss

ROWS = 1200  # of the sets that are made: half of them to judge on
SEEDS = 3
EPOCHS, BATCH, RATE = {False: 100, True: 12}, 32, 3e-3  # epochs of an MLP and of a CNN
LEARNERS = (4, 6, 10)  # networks in an ensemble: one of the three for each data set
# how networks are trained, and what the ensemble averages
WAYS = [(way, average) for way in ("independent", "bagged") for average in ("output", "probability")]
WAYS += [("joint", average) for average in ("output", "probability", "score")]


@dataclass(frozen=True)
class Data:
    """A data set: `y` (rows, outputs) standardised targets, or class indices (rows,) where `classes` is not 0."""

    x: np.ndarray
    y: np.ndarray
    classes: int
    image: bool = False


@dataclass(frozen=True)
class Ensemble:
    """Predictions on the rows kept aside, (rows, learners, outputs), scores for classes; joint ones were trained with beta 1.

    Networks of the same data set and seed start from the same weights.
    """

    dataset: str
    kind: str
    seed: int
    stop: str
    averaging: str
    predictions: np.ndarray
    targets: np.ndarray

    @property
    def joint(self) -> bool:
        return self.kind.startswith("joint")


def datasets() -> dict[str, Data]:
    """Name to data, regression first."""
    made = {
        "friedman1": sk.make_friedman1(ROWS, noise=1.0, random_state=0),
        "friedman2": sk.make_friedman2(ROWS, noise=50.0, random_state=0),
        "friedman3": sk.make_friedman3(ROWS, noise=0.1, random_state=0),
        "linear": sk.make_regression(ROWS, 10, n_informative=5, noise=5.0, random_state=0),
        "linear_noisy": sk.make_regression(ROWS, 20, n_informative=10, noise=200.0, random_state=1),
        "linear_two": sk.make_regression(600, 8, n_informative=4, n_targets=2, noise=40.0, random_state=2),
        "sparse": sk.make_sparse_uncorrelated(600, 10, random_state=0),
        "s_curve": sk.make_s_curve(ROWS, noise=0.2, random_state=0),
        "swiss_roll": sk.make_swiss_roll(ROWS, noise=1.0, random_state=0),
        "diabetes": sk.load_diabetes(return_X_y=True),
        "linnerud": sk.load_linnerud(return_X_y=True),
    }
    classified = {
        "iris": sk.load_iris(return_X_y=True),
        "wine": sk.load_wine(return_X_y=True),
        "breast_cancer": sk.load_breast_cancer(return_X_y=True),
        "digits": sk.load_digits(return_X_y=True),
        "moons": sk.make_moons(ROWS, noise=0.3, random_state=0),
        "circles": sk.make_circles(ROWS, noise=0.2, factor=0.6, random_state=0),
        "hastie": sk.make_hastie_10_2(ROWS, random_state=0),
        "quantiles": sk.make_gaussian_quantiles(n_samples=ROWS, n_features=4, n_classes=3, random_state=0),
        "blobs": sk.make_blobs(600, 5, centers=6, cluster_std=4.0, random_state=0),
        "easy": sk.make_classification(ROWS, 20, n_informative=10, class_sep=1.5, flip_y=0.0, random_state=0),
        "noisy": sk.make_classification(ROWS, 20, n_informative=5, flip_y=0.3, random_state=1),
        "unbalanced": sk.make_classification(ROWS, 10, n_informative=5, weights=[0.9], random_state=2),
        "ten_classes": sk.make_classification(ROWS, 20, n_informative=10, n_classes=10, flip_y=0.05, random_state=3),
    }
    images, digit = sk.load_digits(return_X_y=True)
    found = {name: _regression(*xy) for name, xy in made.items()}
    found["digit_number"] = _regression(images, digit, image=True)
    found |= {name: _classification(*xy) for name, xy in classified.items()}
    found["digit_images"] = _classification(images, digit, image=True)
    found["digit_parity"] = _classification(images, digit % 2, image=True)
    return found


def _regression(x, y, image=False) -> Data:
    y = np.asarray(y, float).reshape(len(y), -1)
    return Data(_standardised(x, image), ((y - y.mean(0)) / y.std(0)).astype(np.float32), 0, image)


def _classification(x, y, image=False) -> Data:
    labels, y = np.unique(y, return_inverse=True)
    return Data(_standardised(x, image), y, len(labels), image)


def _standardised(x, image) -> np.ndarray:
    x = np.asarray(x, float)
    return (x / 8 - 1 if image else (x - x.mean(0)) / (x.std(0) + 1e-9)).astype(np.float32)


def ensembles(name: str, data: Data) -> list[Ensemble]:
    """All ensembles of one data set, each judged on the same half of the rows."""
    order = np.random.default_rng(0).permutation(len(data.x))
    train, test = order[: len(order) // 2], order[len(order) // 2 :]
    found = [] if data.image else forests(name, data, train, test)
    return found + networks(name, data, train, test, LEARNERS[len(name) % 3])


def forests(name: str, data: Data, train, test) -> list[Ensemble]:
    """Random forests and extra trees, grown to the end or to leaves of five rows, of 5, 10 and 20 trees."""
    if data.classes:
        kinds, averaging = {"random forest": RandomForestClassifier, "extra trees": ExtraTreesClassifier}, "probability"
    else:
        kinds, averaging = {"random forest": RandomForestRegressor, "extra trees": ExtraTreesRegressor}, "output"
    y = data.y if data.classes else data.y.squeeze()
    found = []
    for (kind, forest), leaf, (seed, trees) in product(kinds.items(), (1, 5), enumerate((5, 10, 20))):
        fitted = forest(trees, min_samples_leaf=leaf, random_state=seed).fit(data.x[train], y[train])
        if data.classes:
            predictions = np.stack([tree.predict_proba(data.x[test]) for tree in fitted.estimators_], 1)
            predictions = np.log(predictions.clip(1e-9))
        else:
            predictions = np.stack([tree.predict(data.x[test]) for tree in fitted.estimators_], 1)
            predictions = predictions.reshape(len(test), trees, -1)
        label = kind if leaf == 1 else f"{kind}, small"
        found.append(Ensemble(name, label, seed, "end", averaging, predictions, data.y[test]))
    return found


def networks(name: str, data: Data, train, test, learners: int) -> list[Ensemble]:
    """MLPs, or CNNs for images: independent (beta 0), bagged, and joint (beta 1), stopped early and trained to the end."""
    torch.manual_seed(0)
    ways = [(way, averaging) for way, averaging in WAYS if bool(data.classes) == (averaging != "output")]
    loss = "cross_entropy" if data.classes else "squared_error"
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    held = max(len(train) // 5, 2)
    fit, validation, test = (torch.tensor(rows) for rows in (train[held:], train[:held], test))
    start = _start(data.x.shape[1], data.classes or data.y.shape[1], data.image, SEEDS * learners)
    parameters = [p.repeat(len(ways), 1, 1).requires_grad_() for p in start]
    optimizer = torch.optim.Adam(parameters, RATE)
    samples = torch.randint(len(fit), (SEEDS * learners, len(fit)))  # with replacement, one of each bagged network

    def outputs(rows):
        """(ways, seeds, rows, learners, outputs) for rows (ways * seeds * learners, rows)."""
        f = _forward(parameters, x[rows], data.image)
        return f.unflatten(0, (len(ways), SEEDS, learners)).transpose(2, 3)

    def error(beta, averaging, f, targets):
        return AugmentedLoss(beta, loss, averaging, reduction="none")(f.flatten(0, 1), targets).view(SEEDS, -1).mean(1)

    best, best_error = [[None] * SEEDS for _ in ways], np.full((len(ways), SEEDS), np.inf)
    for _ in range(EPOCHS[data.image]):
        for chosen in torch.randperm(len(fit)).split(BATCH):
            rows = [fit[samples[:, chosen] if way == "bagged" else chosen.expand(len(samples), -1)] for way, _ in ways]
            total = 0.0
            for (way, averaging), own, f in zip(ways, rows, outputs(torch.cat(rows)), strict=True):
                if way == "bagged":  # each learner has rows of its own: an ensemble of one
                    f, targets = f.transpose(1, 2).flatten(1, 2).unsqueeze(2), y[own].flatten(0, 1)
                else:
                    targets = y[fit[chosen]].repeat(SEEDS, *[1] * (y.ndim - 1))
                total = total + error(float(way == "joint"), averaging, f, targets).sum()
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        with torch.no_grad():
            held_out, final = (outputs(rows.expand(len(parameters[0]), -1)) for rows in (validation, test))
            for w, (_, averaging) in enumerate(ways):
                now = error(1.0, averaging, held_out[w], y[validation].repeat(SEEDS, *[1] * (y.ndim - 1)))
                for s in np.flatnonzero(now.numpy() < best_error[w]):
                    best_error[w, s], best[w][s] = now[s], final[w, s].numpy()
    net = "CNN" if data.image else "MLP"
    return [
        Ensemble(name, f"{way} {net}", seed, stop, reading, predictions, data.y[test])
        for w, (way, averaging) in enumerate(ways)
        for seed in range(SEEDS)
        for stop, predictions in (("early", best[w][seed]), ("end", final[w, seed].numpy()))
        for reading in (("probability", "score") if data.classes and way != "joint" else (averaging,))
    ]


def fused(seed: int) -> Ensemble:
    """Three deep MLPs on digits, fused: trained as one, for the loss of their averaged probabilities, where the first had a
    start. It learns, and leaves the two others at chance."""
    torch.manual_seed(seed)
    data = datasets()["digits"]
    x, y = torch.tensor(data.x), torch.tensor(data.y)
    train, test = torch.randperm(len(x)).tensor_split(2)
    widths = [x.shape[1], 32, 32, 32, 32, 32, 32]
    nets = []
    for _ in range(3):
        layers = [layer for a, b in pairwise(widths) for layer in (torch.nn.Linear(a, b), torch.nn.ReLU())]
        nets.append(torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], data.classes)))
    loss = AugmentedLoss(1.0, "cross_entropy", "probability")
    for together in (nets[:1], nets):
        optimizer = torch.optim.SGD([p for net in together for p in net.parameters()], 0.02, momentum=0.9)
        for _ in range(15):
            for rows in train[torch.randperm(len(train))].split(BATCH):
                optimizer.zero_grad()
                loss(torch.stack([net(x[rows]) for net in together], 1), y[rows]).backward()
                optimizer.step()
    with torch.no_grad():
        predictions = torch.stack([net(x[test]) for net in nets], 1).numpy()
    return Ensemble("digits", "joint, fused", seed, "end", "probability", predictions, data.y[test.numpy()])


def _start(features: int, outputs: int, image: bool, count: int) -> list[Tensor]:
    """Weights and biases of `count` networks as torch.nn.Linear draws them, one learner an entry of the first axis."""
    sizes = [(9, 8), (8 * 9, 16), (16 * 4, outputs)] if image else [(features, 32), (32, 32), (32, outputs)]
    found = []
    for fan_in, fan_out in sizes:
        found.append((torch.rand(count, fan_in, fan_out) * 2 - 1) / fan_in**0.5)
        found.append((torch.rand(count, 1, fan_out) * 2 - 1) / fan_in**0.5)
    return found


def _forward(parameters: list[Tensor], x: Tensor, image: bool) -> Tensor:
    """(learners, batch, features) to (learners, batch, outputs)."""
    w1, b1, w2, b2, w3, b3 = parameters
    if not image:
        h = torch.baddbmm(b1, x, w1).relu()
        return torch.baddbmm(b3, torch.baddbmm(b2, h, w2).relu(), w3)
    h = _convolution(x.unflatten(2, (8, 8, 1)), w1, b1)
    return torch.baddbmm(b3, _convolution(h, w2, b2).flatten(2), w3)


def _convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """3 x 3 convolution of (learners, batch, height, width, channels) as a product, ReLU, and the maximum of 2 x 2."""
    height, width = x.shape[2:4]
    padded = F.pad(x, (0, 0, 1, 1, 1, 1))
    around = [padded[:, :, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    h = torch.baddbmm(bias, torch.cat(around, 4).flatten(1, 3), weight).relu()
    return h.view(*x.shape[:2], height // 2, 2, width // 2, 2, -1).amax((3, 5))
