"""The runs of a data set of Section 6.1: the sweep over beta with given hyper-parameters, and its predictions."""

import numpy as np

from . import records
from .datasets.tabular import Run, load_run
from .errors import UserError
from .files import read_json
from .seeds import generator
from .training.mlp import HISTORY_COLUMNS, Network, Settings, Sweep, Trained, epoch_orders, initial_parameters
from .training.sweep import choose_engine, predict, train_sweeps

HYPERPARAMETERS = ("learning_rate", "batch_size", "weight_decay", "learners", "hidden", "layers")


def run_of(table: str, dataset: str, run: int, settings: dict, fold_validation: bool = False) -> Run:
    """The split and preprocessed arrays of a run; the same for tuning and for every beta."""
    split = generator(settings["seed"], dataset, run, "split")
    return load_run(table, settings["split"], settings["preprocessing"]["skewness"], split, fold_validation)


def sweep_of(data: Run, betas: list[float], point: dict, training: dict, identity: tuple) -> Sweep:
    """What to train with the hyper-parameters `point`; `identity` names the initial weights and batches."""
    network = Network(data.split.x.shape[1], point["learners"], point["hidden"], point["layers"])
    settings = Settings(
        point["learning_rate"], point["weight_decay"], point["batch_size"], training["max_epochs"], training["patience"]
    )
    initial = initial_parameters(network, generator(*identity, "initial weights"))
    orders = epoch_orders(len(data.split.y), settings.max_epochs, generator(*identity, "batches"))
    return Sweep(network, data.split, settings, betas, initial, orders)


def sweep_runs(
    table: str,
    best: list[str],
    dataset: str,
    runs: list[int],
    settings: dict,
    history: list[str],
    predictions: list[str],
    threads: int = 1,
) -> None:
    """Train all betas of each run with its tuned hyper-parameters; write histories and test predictions, a file a run.

    Runs that are given together and tuned to the same shape train as one program on a GPU. A beta that diverges is
    recorded with its epoch, and predicts with the weights of its best epoch before that.
    """
    device, engine = settings["device"], choose_engine(settings["engine"], settings["device"])
    if settings["engine"] == "auto" and device == "cpu" and engine == "torch":
        print("The native engine was not built here; training with PyTorch, about fifty times slower.", flush=True)
    folded = settings["training"]["fold_validation"]
    tuned = [read_json(file) for file in best]
    data = [run_of(table, dataset, run, settings, folded) for run in runs]
    sweeps = []
    for run, point, own in zip(runs, tuned, data, strict=True):
        # with validation folded in nothing is left to stop on: train as long as tuning found best
        epochs = {"max_epochs": point["best_epoch"], "patience": point["best_epoch"]} if folded else {}
        identity = (settings["seed"], dataset, run)
        sweeps.append(sweep_of(own, settings["betas"], point, settings["training"] | epochs, identity))
    by_learners: dict[int, list[int]] = {}
    for position, sweep in enumerate(sweeps):
        by_learners.setdefault(sweep.network.learners, []).append(position)
    for positions in by_learners.values():
        trained = train_sweeps([sweeps[i] for i in positions], engine=engine, device=device, threads=threads)
        for i, found in zip(positions, trained, strict=True):
            metadata = {
                "dataset": dataset,
                "run": runs[i],
                "hyperparameters": {name: tuned[i][name] for name in HYPERPARAMETERS},
                "engine": engine,
                "provenance": records.provenance(*(["torch"] if engine == "torch" else [])),
            }
            records.write(history[i], _history(found), records.HISTORY, metadata)
            parameters = [t.last if folded else t.best for t in found]
            outputs = [predict(sweeps[i].network, p, data[i].test_x, engine, device) for p in parameters]
            betas = [t.beta for t in found]
            records.write(predictions[i], _predictions(betas, outputs, data[i]), records.PREDICTIONS, metadata)


def _predictions(betas: list[float], outputs: list[np.ndarray], data: Run) -> dict:
    rows, learners = outputs[0].shape
    return {
        "beta": np.repeat(betas, rows * learners),
        "row": np.tile(np.repeat(data.test_rows, learners), len(betas)),
        "learner": np.tile(np.arange(learners, dtype=np.int32), len(betas) * rows),
        "target": np.tile(np.repeat(data.test_y, learners), len(betas)),
        "prediction": np.concatenate([o.reshape(-1) for o in outputs]),
    }


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
