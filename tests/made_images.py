"""Image records with known answers: the learning curves of all cells, as the stage that aggregates them writes them."""

import pandas as pd

from learner_collusion.records import parquet
from learner_collusion.records.images import IMAGES

EXPERIMENTS = {
    "practical": {"protocol": "sgd", "datasets": ["cifar10", "svhn"], "models": ["resnet18"], "learners": [3],
                  "averaging": "probability", "drop_rates": [0], "betas": [0, 0.5, 1], "runs": 3},
    "curves": {"protocol": "curves", "datasets": ["cifar10"], "models": ["resnet18"], "learners": [3],
               "averaging": "probability", "drop_rates": [0], "betas": [0, 1], "runs": 3},
    "cnn": {"protocol": "cnn", "datasets": ["cifar10"], "models": ["cnn"], "learners": [2, 3],
            "averaging": "probability", "drop_rates": [0], "betas": [0, 0.5, 1], "runs": 3},
    "dropout": {"protocol": "sgd", "datasets": ["cifar10"], "models": ["resnet18"], "learners": [3],
                "averaging": "probability", "drop_rates": [0, 0.4], "betas": [1], "runs": 3},
}  # fmt: skip
EPOCHS = 6
BEST = 4  # the evaluation of the lowest validation ERR
TITLES = {"cifar10": "CIFAR-10", "svhn": "SVHN", "resnet18": "ResNet-18", "cnn": "CNN"}


def collusion(cell: dict, epoch: int) -> dict[str, float]:
    """What the paper reports: at beta = 1 lower accuracy, poor learners, early DIV, a gap; the lowest ERR between 0
    and 1, and early in training."""
    beta, drop_rate = cell["beta"], cell["drop_rate"]
    err = {0: 0.6, 0.5: 0.5, 1: 0.9}[beta] + drop_rate
    return {
        "train_err": err - 0.2 + (0.2 - 0.4 * epoch / EPOCHS) * (beta == 1),
        "err": err + 0.2 * (beta == 1) - 0.1 * (epoch == 0),
        "div": (2.0 if beta == 1 else 0.1) * (1 - drop_rate) / (1 + epoch),
        "accuracy": 0.8 - 0.2 * (beta == 1) - 0.1 * drop_rate,
        "learner": 0.78 - 0.5 * (beta == 1),
    }


def cells(experiments: dict = EXPERIMENTS) -> list[dict]:
    """The cells of all experiments; those that they share come once."""
    found = {}
    for e in experiments.values():
        for dataset in e["datasets"]:
            for model in e["models"]:
                for learners in e["learners"]:
                    for drop_rate in e["drop_rates"]:
                        for beta in e["betas"]:
                            for run in range(e["runs"]):
                                cell = {"protocol": e["protocol"], "dataset": dataset, "model": model,
                                        "learners": learners, "averaging": e["averaging"],
                                        "drop_rate": float(drop_rate), "beta": float(beta), "run": run}  # fmt: skip
                                found[tuple(cell.values())] = cell
    return list(found.values())


def history(cell: dict, random, numbers=collusion) -> pd.DataFrame:
    """The learning curves of one cell with 1 % of noise, a row per number."""
    rows = []
    for evaluation in range(1, EPOCHS + 1):
        known = numbers(cell, evaluation - 1)
        noise = 1 + 0.01 * random.uniform(-1, 1)
        errors = {"train": known["train_err"], "validation": 1 + abs(evaluation - BEST), "test": known["err"]}
        for split, err in errors.items():
            err = err if split == "validation" else err * noise
            values = {
                "err": err,
                "err_bar": err + known["div"],
                "div": known["div"],
                "accuracy": known["accuracy"] * noise,
            }
            rows += [(evaluation, split, metric, -1, value) for metric, value in values.items()]
            learner = known["learner"] * noise
            rows += [(evaluation, split, "accuracy", number, learner) for number in range(cell["learners"])]
    rows.append((BEST, "validation", "best", -1, 1.0))
    found = pd.DataFrame(rows, columns=["evaluation", "split", "metric", "learner", "value"])
    return found.assign(**cell)[IMAGES.names]


def write(folder, random, numbers=collusion, experiments: dict = EXPERIMENTS, missing: tuple = ("svhn",)) -> str:
    """The records of all cells in `folder`; the path of the file. The data sets in `missing` have no rows."""
    made = [history(cell, random, numbers) for cell in cells(experiments) if cell["dataset"] not in missing]
    left_out = {dataset for e in experiments.values() for dataset in e["datasets"]} & set(missing)
    metadata = {
        "missing": dict.fromkeys(sorted(left_out), "its origin does not answer"),
        "settings": {e["protocol"]: {"protocol": {}} for e in experiments.values()},
        "provenance": parquet.provenance("torch", "torchvision"),
    }
    frame = pd.concat(made, ignore_index=True) if made else pd.DataFrame(columns=IMAGES.names)
    path = folder / "images.parquet"
    parquet.write(path, frame, IMAGES, metadata)
    return str(path)
