"""One (data set, run) of Section 6.1: the sweep over beta with given hyper-parameters, and its predictions."""

import numpy as np

from . import records
from .datasets.tabular import Run, load_run
from .errors import UserError
from .files import read_json
from .seeds import generator
from .training.mlp import HISTORY_COLUMNS, Network, Settings, Trained, epoch_orders, initial_parameters
from .training.sweep import choose_engine, predict, train_sweep

HYPERPARAMETERS = ("learning_rate", "batch_size", "weight_decay", "learners", "hidden", "layers")


def run_of(table: str, dataset: str, run: int, settings: dict, fold_validation: bool = False) -> Run:
    """The split and preprocessed arrays of a run; the same for tuning and for every beta."""
    split = generator(settings["seed"], dataset, run, "split")
    return load_run(table, settings["split"], settings["preprocessing"]["skewness"], split, fold_validation)


def fit(
    data: Run,
    betas: list[float],
    point: dict,
    training: dict,
    identity: tuple,
    engine: str,
    device: str,
    threads: int = 1,
) -> tuple[Network, list[Trained]]:
    """Train one ensemble a beta with the hyper-parameters `point`; `identity` names the initial weights and batches."""
    network = Network(data.split.x.shape[1], point["learners"], point["hidden"], point["layers"])
    settings = Settings(
        point["learning_rate"], point["weight_decay"], point["batch_size"], training["max_epochs"], training["patience"]
    )
    initial = initial_parameters(network, generator(*identity, "initial weights"))
    orders = epoch_orders(len(data.split.y), settings.max_epochs, generator(*identity, "batches"))
    trained = train_sweep(
        network, data.split, settings, betas, initial, orders, engine=engine, device=device, threads=threads
    )
    return network, trained


def sweep(
    table: str, best: str, dataset: str, run: int, settings: dict, history: str, predictions: str, threads: int = 1
) -> None:
    """Train all betas of a run with its tuned hyper-parameters; write the history and the test predictions.

    A beta that diverges is recorded with its epoch, and predicts with the weights of its best epoch before that.
    """
    tuned = read_json(best)
    point = {name: tuned[name] for name in HYPERPARAMETERS}
    training = dict(settings["training"])
    engine = choose_engine(settings["engine"], settings["device"])
    if settings["engine"] == "auto" and settings["device"] == "cpu" and engine == "torch":
        print("The native engine was not built here; training with PyTorch, about fifty times slower.", flush=True)
    data = run_of(table, dataset, run, settings, training["fold_validation"])
    if training["fold_validation"]:  # nothing is left to stop on: train as long as tuning found best
        training.update(max_epochs=tuned["best_epoch"], patience=tuned["best_epoch"])
    network, trained = fit(
        data, settings["betas"], point, training, (settings["seed"], dataset, run), engine, settings["device"], threads
    )
    metadata = {
        "dataset": dataset,
        "run": run,
        "hyperparameters": point,
        "engine": engine,
        "provenance": records.provenance(*(["torch"] if engine == "torch" else [])),
    }
    records.write(history, _history(trained), records.HISTORY, metadata)
    rows, learners = len(data.test_y), network.learners
    parameters = [t.last if training["fold_validation"] else t.best for t in trained]
    outputs = [predict(network, p, data.test_x, engine, settings["device"]) for p in parameters]
    columns = {
        "beta": np.repeat([t.beta for t in trained], rows * learners),
        "row": np.tile(np.repeat(data.test_rows, learners), len(trained)),
        "learner": np.tile(np.arange(learners, dtype=np.int32), len(trained) * rows),
        "target": np.tile(np.repeat(data.test_y, learners), len(trained)),
        "prediction": np.concatenate([o.reshape(-1) for o in outputs]),
    }
    records.write(predictions, columns, records.PREDICTIONS, metadata)


def _history(trained: list[Trained]) -> dict:
    epochs = [np.arange(1, len(t.history) + 1) for t in trained]
    columns = {
        "beta": np.concatenate([np.full(len(e), t.beta) for t, e in zip(trained, epochs, strict=True)]),
        "epoch": np.concatenate(epochs).astype(np.int32),
        "best": np.concatenate([e == t.best_epoch for t, e in zip(trained, epochs, strict=True)]),
        "diverged": np.concatenate([e == t.diverged for t, e in zip(trained, epochs, strict=True)]),
    }
    table = np.concatenate([t.history for t in trained])
    return columns | {name: table[:, i] for i, name in enumerate(HISTORY_COLUMNS)}


def read_predictions(path: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(betas (b,), predictions (b, rows, learners), targets (rows,)) of a run; UserError where the table is not whole."""
    table = records.read(path, records.PREDICTIONS)
    betas, values = np.unique(records.column(table, "beta")), records.column(table, "prediction")
    learners = int(records.column(table, "learner").max(initial=-1)) + 1
    if not learners or len(values) % (len(betas) * learners):
        raise UserError(f"{path} does not hold every learner for every beta: delete it and run again to make it anew.")
    targets = records.column(table, "target").reshape(len(betas), -1, learners)[0, :, 0]
    return betas, values.reshape(len(betas), -1, learners), targets
