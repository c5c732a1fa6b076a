"""What a finished run of the tabular half would have taken the official way, from a sample of its trainings.

The run's own records say how many steps each training took, in tuning and in the sweep, and with which shape. Trainings
are drawn with a probability proportional to their steps, and the loop over learners is timed for a while on the shape of
each: the mean of the sample times the number of steps estimates the whole without bias.
"""

import math
import random
from pathlib import Path

import step

SAMPLE = 16


def trainings(results: Path) -> list[tuple[tuple[int, ...], int]]:
    """(learners, hidden, layers, batch) and number of steps of each training below results/."""
    import pandas as pd

    found = []
    for folder in sorted((results / "tabular").iterdir()):
        rows = len(pd.read_parquet(results / "datasets" / f"{folder.name}.parquet"))
        trials, best, history = (pd.read_parquet(folder / f"{name}.parquet") for name in ("trials", "best", "history"))
        sweep = best.assign(epochs=best["run"].map(history.groupby("run").size()))
        for point in pd.concat([trials[~trials["repeated"]], sweep]).to_dict("records"):
            shape = tuple(int(point[name]) for name in ("learners", "hidden_units", "layers", "batch_size"))
            found.append((shape, int(point["epochs"]) * math.ceil(0.64 * rows / shape[3])))
    return found


def loop_hours(results: Path, sample: int = SAMPLE) -> dict:
    """Hours of one core that the loop would need for the steps of a finished run, and what the sample said."""
    known = trainings(results)
    steps = [count for _, count in known]
    drawn = random.Random(0).choices([shape for shape, _ in known], steps, k=sample)
    workers = step.Workers(["loop"])
    seconds = []
    for shape in drawn:
        workers.ask("loop", shape, 21)
        seconds.append(workers.ask("loop", shape, 21))
    workers.close()
    mean = sum(seconds) / sample
    spread = math.sqrt(sum((s - mean) ** 2 for s in seconds) / (sample - 1) / sample)
    scale = sum(steps) / 3600
    return {"steps": sum(steps), "sample": sample, "hours": mean * scale, "standard_error": spread * scale}
