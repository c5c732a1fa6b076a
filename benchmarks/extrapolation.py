"""What a finished run of the tabular half would have taken the official way, from a sample of its trainings.

The run's own records say how many steps each training took, in tuning and in the sweep, and with which shape. Trainings
are drawn with a probability proportional to their steps, and the loop over learners is timed for a while on the shape of
each: the mean of the sample times the number of steps estimates the whole without bias.
"""

import json
import math
import random
from pathlib import Path

import step

SAMPLE = 16


def trainings(results: Path) -> list[tuple[tuple[int, ...], int]]:
    """(learners, hidden, layers, batch) and number of steps of each training below results/."""
    from learner_collusion import records

    found = []
    for trials in sorted(results.glob("tabular/*/run*/trials.parquet")):
        folder = trials.parent
        rows = records.read(results / "datasets" / f"{folder.parent.name}.parquet").num_rows
        best = json.loads((folder / "best.json").read_text())
        tuned = [row for row in records.read(trials).to_pylist() if not row["repeated"]]
        history = records.column(records.read(folder / "history.parquet"), "beta")
        for point, epochs in [(row, row["epochs"]) for row in tuned] + [(best, len(history))]:
            shape = tuple(int(point[name]) for name in ("learners", "hidden", "layers", "batch_size"))
            found.append((shape, epochs * math.ceil(0.64 * rows / shape[3])))
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
