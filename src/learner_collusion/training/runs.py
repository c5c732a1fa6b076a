"""One run of a data set of Section 6.1: its split, and its sweep over beta."""

from ..data.splits import Run, load_run
from ..models.mlp import Network, initial_parameters
from ..seeds import generator
from .settings import Preprocessing, Shares
from .sweep import Settings, Sweep, batch_permutations


def run_of(
    table: str, seed: int, dataset: str, run: int, shares: Shares, preprocessing: Preprocessing, refit: bool = False
) -> Run:
    """The split and preprocessed arrays of a run; the same for tuning and for every beta. `refit`: train on the validation
    rows, too."""
    split = generator(seed, dataset, run, "split")
    parts = {"test": shares.test, "validation": shares.validation}
    return load_run(table, parts, preprocessing.skewness_threshold, split, refit)


def sweep_of(data: Run, betas: list[float], point: dict, max_epochs: int, patience: int, identity: tuple) -> Sweep:
    """What to train with the hyper-parameters `point`; `identity` names the initial weights and batches."""
    network = Network(data.split.x.shape[1], point["learners"], point["hidden_units"], point["layers"])
    settings = Settings(point["learning_rate"], point["weight_decay"], point["batch_size"], max_epochs, patience)
    initial = initial_parameters(network, generator(*identity, "initial weights"))
    permutations = batch_permutations(len(data.split.y), max_epochs, generator(*identity, "batches"))
    return Sweep(network, data.split, settings, betas, initial, permutations)
