"""Image records whose answer is known: cells with their learning curves, as the training stage writes them."""

import numpy as np

from learner_collusion import images, records

EXPERIMENTS = {
    "practical": {"protocol": "sgd", "datasets": ["cifar10", "svhn"], "models": ["resnet18"], "learners": [3],
                  "averaging": "probability", "dropped": [0], "betas": [0, 0.5, 1], "runs": 3},
    "curves": {"protocol": "curves", "datasets": ["cifar10"], "models": ["resnet18"], "learners": [3],
               "averaging": "probability", "dropped": [0], "betas": [0, 1], "runs": 3},
    "cnn": {"protocol": "cnn", "datasets": ["cifar10"], "models": ["cnn"], "learners": [2, 3],
            "averaging": "probability", "dropped": [0], "betas": [0, 0.5, 1], "runs": 3},
    "dropout": {"protocol": "sgd", "datasets": ["cifar10"], "models": ["resnet18"], "learners": [3],
                "averaging": "probability", "dropped": [0, 0.4], "betas": [1], "runs": 3},
}  # fmt: skip
EPOCHS = 6
TITLES = {"cifar10": "CIFAR-10", "svhn": "SVHN"}


def collusion(cell: dict, epoch: int) -> dict[str, float]:
    """What the paper says: at beta = 1 lower accuracy, poor learners, early DIV, a gap; between 0 and 1 the lowest ERR."""
    beta, dropped = cell["beta"], cell["dropped"]
    err = {0: 0.6, 0.5: 0.5, 1: 0.9}[beta] + dropped
    return {
        "train_err": err - 0.2 + (0.2 - 0.4 * epoch / EPOCHS) * (beta == 1),
        "err": err + 0.2 * (beta == 1),
        "div": (2.0 if beta == 1 else 0.1) * (1 - dropped) / (1 + epoch),
        "accuracy": 0.8 - 0.2 * (beta == 1) - 0.1 * dropped,
        "learner": 0.78 - 0.5 * (beta == 1),
    }


def cells(experiments: dict = EXPERIMENTS) -> list[dict]:
    found = {}
    for e in experiments.values():
        for dataset in e["datasets"]:
            for model in e["models"]:
                for learners in e["learners"]:
                    for dropped in e["dropped"]:
                        for beta in e["betas"]:
                            for run in range(e["runs"]):
                                cell = {"protocol": e["protocol"], "dataset": dataset, "model": model,
                                        "learners": learners, "averaging": e["averaging"], "dropped": float(dropped),
                                        "beta": float(beta), "run": run}  # fmt: skip
                                found[tuple(cell.values())] = cell
    return list(found.values())


def write(folder, random, numbers=collusion, experiments: dict = EXPERIMENTS, missing: tuple = ("svhn",)) -> str:
    """All cells as histories below `folder`, aggregated; the path of the records."""
    paths = []
    for number, cell in enumerate(cells(experiments)):
        path = folder / f"cell{number}.parquet"
        paths.append(str(path))
        metadata = {"cell": cell, "settings": {"protocol": {}}}
        if cell["dataset"] in missing:
            metadata["missing"] = "its origin does not answer"
            records.write(path, images._empty(), records.IMAGE_HISTORY, metadata)
            continue
        learners = cell["learners"]
        values = np.empty((EPOCHS, 3, 4 + learners))
        for epoch in range(EPOCHS):
            known = numbers(cell, epoch)
            noise = 1 + 0.01 * random.uniform(-1, 1)
            for split, err in enumerate((known["train_err"], known["err"], known["err"])):
                row = [err * noise, err * noise + known["div"], known["div"], known["accuracy"] * noise]
                values[epoch, split] = row + [known["learner"] * noise] * learners
        values[:, 1, 0] = 1 + np.abs(np.arange(EPOCHS) - 3)  # the lowest validation ERR is that of epoch 4

        class Found:
            best_epoch, diverged = 4, 0

        Found.values = values
        columns = images._rows(Found, ("train", "validation", "test"), ("err", "err_bar", "div", "accuracy"))
        records.write(path, columns, records.IMAGE_HISTORY, metadata)
    output = str(folder / "images.parquet")
    images.aggregate(paths, output)
    return output
