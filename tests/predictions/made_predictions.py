"""Predictions of made ensembles as tables, and their diagnosis by the command."""

import json

import numpy as np
import pandas as pd

from learner_collusion.cli import main

ROWS = 120
SHIFTS = np.array([0.6, -0.6, 0.0])


def numbers(shifts=SHIFTS, noise=0.3, seed=0) -> pd.DataFrame:
    """Three learners a, b and c, a column each, the names of the rows and the target."""
    random = np.random.default_rng(seed)
    target = np.random.default_rng(7).normal(size=ROWS)
    values = target[:, None] + shifts + noise * random.normal(size=(ROWS, 3))
    frame = pd.DataFrame(values, columns=list("abc"))
    frame.insert(0, "row", [f"r{k}" for k in range(ROWS)])
    return frame.assign(target=target)


def probabilities(seed=0) -> pd.DataFrame:
    """Three learners with a column for each of the classes cat, dog and owl, and the class as the target."""
    random = np.random.default_rng(seed)
    truth = 2 * random.normal(size=(ROWS, 1, 3))
    scores = truth + 0.3 * random.normal(size=(ROWS, 3, 3))
    shares = np.exp(scores) / np.exp(scores).sum(2, keepdims=True)
    labels = [random.choice(3, p=np.exp(t[0]) / np.exp(t[0]).sum()) for t in truth]
    classes = np.array(["cat", "dog", "owl"])
    columns = {f"{'abc'[j]}:{classes[k]}": shares[:, j, k] for j in range(3) for k in range(3)}
    return pd.DataFrame({"row": np.arange(ROWS) + 5} | columns | {"target": classes[labels]})


def long(wide: pd.DataFrame) -> pd.DataFrame:
    """The same predictions, a row for each, in another order."""
    frame = wide.melt(["row", "target"], var_name="learner", value_name="prediction")
    if frame["learner"].str.contains(":").all():
        frame[["learner", "class"]] = frame["learner"].str.split(":", expand=True)
    return frame.sample(frac=1, random_state=0)


def save(frame: pd.DataFrame, path) -> str:
    """Write a frame as its extension says."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")
    return str(path)


def diagnosed(path, *arguments) -> dict:
    """What the command writes as JSON."""
    output = path.parent / "found"
    assert main(["diagnose", str(path), "--output", str(output), "--draws", "50", *map(str, arguments)]) == 0
    return json.loads((path.parent / "found.json").read_text())


def refused(capsys, path, *arguments) -> str:
    """The one sentence that the command ends with."""
    capsys.readouterr()
    assert (
        main(["diagnose", str(path), "--output", str(path.parent / "no"), "--draws", "50", *map(str, arguments)]) == 1
    )
    text = capsys.readouterr().err
    assert text.startswith("diagnose: ") and len(text.strip().splitlines()) == 1 and text.rstrip().endswith(".")
    assert not list(path.parent.glob("no.*"))
    return text
