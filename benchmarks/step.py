"""Milliseconds per training step of one ensemble, for each way that is installed, as JSON.

    python benchmarks/step.py --shape LEARNERS HIDDEN LAYERS BATCH [--features P] [--rounds N]

The ways (see ways.py) are timed in turns on one core; the numbers are medians over the rounds, the ratios medians of the
ratios within a round: how many times slower than the native engine.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import ways

STEPS = {"native": 1000, "loop": 20, "vmap": 60, "bmm": 150, "jax": 400}


class Workers:
    """One process a way, asked in turns."""

    def __init__(self, names: list[str]):
        command = [sys.executable, str(Path(__file__).with_name("ways.py"))]
        self.processes = {
            name: subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for name in names
        }

    def ask(self, name: str, shape: tuple[int, ...], features: int) -> float:
        """Seconds per step."""
        process = self.processes[name]
        print(*shape, features, STEPS[name], file=process.stdin, flush=True)
        answer = process.stdout.readline()
        if not answer:
            raise SystemExit(f"The worker for {name!r} ended: run `python benchmarks/ways.py {name}` to see why.")
        return float(answer)

    def close(self) -> None:
        for process in self.processes.values():
            process.stdin.close()
            process.wait()


def measure(workers: Workers, shape: tuple[int, ...], features: int, rounds: int) -> dict:
    """Medians of all ways for one shape, and their ratios to the native engine, round by round."""
    seconds = {name: [] for name in workers.processes}
    for name in seconds:
        workers.ask(name, shape, features)  # set up and warm
    for _ in range(rounds):
        for name, values in seconds.items():
            values.append(workers.ask(name, shape, features))
    result = {
        "shape": dict(zip(("learners", "hidden", "layers", "batch"), shape, strict=True)) | {"features": features},
        "rounds": rounds,
        "ms": {name: round(1e3 * statistics.median(values), 5) for name, values in seconds.items()},
    }
    if "native" in seconds:
        ratios = {
            name: statistics.median(a / b for a, b in zip(values, seconds["native"], strict=True))
            for name, values in seconds.items()
            if name != "native"
        }
        result["times_native"] = {name: round(ratio, 3) for name, ratio in ratios.items()}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", nargs=4, type=int, required=True, metavar=("LEARNERS", "HIDDEN", "LAYERS", "BATCH"))
    parser.add_argument("--features", type=int, default=21)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if min(*options.shape, options.features, options.rounds) < 1:
        parser.error("all numbers must be at least 1")
    workers = Workers(ways.installed())
    try:
        print(json.dumps(measure(workers, tuple(options.shape), options.features, options.rounds)))
    finally:
        workers.close()


if __name__ == "__main__":
    main()
