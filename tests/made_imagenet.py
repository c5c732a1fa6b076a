"""ImageNet records with known answers, as the stage that aggregates them writes them."""

import pandas as pd

from learner_collusion.records import parquet
from learner_collusion.records.imagenet import IMAGENET

MODELS = ("imagenet_resnet18", "imagenet_squeezenet1_1", "imagenet_mobilevit_xs")
EVALUATIONS = 6
BEST = 4  # the evaluation of the lowest validation ERR
TITLES = {
    "imagenette": "Imagenette", "imagenet_resnet18": "ResNet-18", "imagenet_squeezenet1_1": "SqueezeNet 1.1",
    "imagenet_mobilevit_xs": "MobileViT-XS",
}  # fmt: skip


def experiments(models=MODELS, runs: int = 1) -> dict:
    """Ensembles of two learners."""
    return {model: {"dataset": "imagenette", "betas": [0, 1], "runs": runs, "learners": 2} for model in models}


def collusion(model: str, beta: float, run: int, evaluation: int) -> dict[str, float]:
    """What the paper reports: accuracy grows, and joint training stays behind, its single learners far behind."""
    accuracy = 0.1 + 0.1 * evaluation + 0.01 * run
    return {
        "accuracy": accuracy - 0.05 * beta, "top5": accuracy + 0.2 - 0.02 * beta, "learner": accuracy - 0.05 - 0.3 * beta,
        "err": 1.0 + abs(evaluation - BEST),
    }  # fmt: skip


def history(model: str, beta: float, run: int, numbers=collusion) -> pd.DataFrame:
    """The learning curves of one cell, a row per number."""
    rows = []
    for evaluation in range(1, EVALUATIONS + 1):
        known = numbers(model, beta, run, evaluation)
        for split in ("train", "validation"):
            ensemble = {name: known[name] for name in ("err", "accuracy", "top5")}
            rows += [(evaluation, split, metric, -1, value) for metric, value in ensemble.items()]
            rows += [
                (evaluation, split, "accuracy", learner, known["learner"] + (0.01, -0.01)[learner])
                for learner in (0, 1)
            ]
    rows.append((BEST, "validation", "best", -1, 1.0))
    cell = {"protocol": "imagenet", "dataset": "imagenette", "model": model, "learners": 2, "averaging": "probability",
            "drop_rate": 0.0, "beta": beta, "run": run}  # fmt: skip
    found = pd.DataFrame(rows, columns=["evaluation", "split", "metric", "learner", "value"])
    return found.assign(**cell)[IMAGENET.names]


def write(folder, models=MODELS, runs: int = 1, numbers=collusion, missing: bool = False) -> str:
    """The records of all cells in `folder`; the path of the file. Where the data set is `missing` there are no rows."""
    made = [history(model, beta, run, numbers) for model in models for beta in (0.0, 1.0) for run in range(runs)]
    frame = pd.DataFrame(columns=IMAGENET.names) if missing else pd.concat(made, ignore_index=True)
    metadata = {"missing": {"imagenette": "there is no such file"} if missing else {}}
    metadata |= {"settings": {}, "provenance": parquet.provenance("torch", "torchvision")}
    path = folder / "imagenet.parquet"
    parquet.write(path, frame, IMAGENET, metadata)
    return str(path)
