"""The small ensemble of Figure 1 and of the report's picture that moves: two learners on a noisy sine, trained in a second."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..data.splits import Split
from ..models.mlp import Network, initial_parameters
from ..seeds import generator
from .engines import predict, train_sweep
from .sweep import Settings, batch_permutations

_POINTS = 241  # of the grid of inputs, on which the learners are drawn


def train(
    illustration: dict, seed: int, betas: Sequence[float]
) -> tuple[np.ndarray, np.ndarray, pd.DataFrame, pd.DataFrame]:
    """Train the learners at each beta, from the same weights on the same batches.

    Returns the data x and y; a row per beta and grid point with the columns beta, x, ensemble, f1, f2, ..; ERR and DIV of the
    training data by beta. What one beta gives does not depend on the others.
    """
    random = generator(seed, "illustration")
    x = np.sort(random.uniform(-3, 3, illustration["rows"])).astype(np.float32)[:, None]
    y = (np.sin(1.5 * x[:, 0]) + 0.15 * random.normal(size=len(x))).astype(np.float32)
    network = Network(1, illustration["learners"], illustration["hidden_units"], 1)
    epochs = illustration["epochs"]
    training = Settings(illustration["learning_rate"], 0.0, len(x), epochs, epochs)
    initial = initial_parameters(network, random)
    batches = batch_permutations(len(x), epochs, random)
    grid = np.linspace(-3, 3, _POINTS, dtype=np.float32)[:, None]
    drawn, fits = [], {}
    for trained in train_sweep(network, Split(x, y, x, y), training, list(betas), initial, batches):
        f, at_data = (predict(network, trained.last, inputs) for inputs in (grid, x))
        learners = {f"f{j + 1}": f[:, j].astype(float) for j in range(network.learners)}
        columns = {"beta": trained.beta, "x": grid[:, 0].astype(float), "ensemble": f.mean(1).astype(float)}
        drawn.append(pd.DataFrame(columns | learners))
        div = float(((at_data - at_data.mean(1, keepdims=True)) ** 2).mean())
        fits[trained.beta] = {"err": float(((at_data.mean(1) - y) ** 2).mean()), "div": div}
    return x[:, 0], y, pd.concat(drawn), pd.DataFrame.from_dict(fits, orient="index")
