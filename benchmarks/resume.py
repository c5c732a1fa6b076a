"""What a kill costs: a cell is killed at random moments, and resumed by the same command. Prints a table, and writes resume.json.

    python benchmarks/resume.py [--kills N] [--interval SECONDS] [--seed S]

The cell is a small CNN on scikit-learn's digits, in whose training N kills (SIGKILL) fall, with so many seconds between checkpoints. Lost is
the work since the newest checkpoint: from its writing, or from the first step where there is none yet, to the kill. Start is the time
from the command to the first step, with imports and data, as any start has it. The history at the end is compared, byte for byte, with that of a
training without a kill.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from learner_collusion.publishing.markdown import table

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).with_suffix(".json")
CELL = ["--dataset", "digits", "--protocol", "cnn", "--model", "cnn", "--learners", "5", "--beta", "1", "--run", "0"]
PRESET = """
images: {{enabled: [cnn], subset: {{train: 600}}, protocols: {{cnn: {{epochs: {epochs}, patience: null}}}}, hardware: {{device: cpu}},
  experiments: {{cnn: {{datasets: [digits], learners: [5], betas: [0, 1], runs: 1}}}}}}
"""


def begun(command: list[str], log: Path, folder: Path) -> tuple[subprocess.Popen, float]:
    """The running command, and the seconds until it has trained an epoch; it prints a line after each."""
    start = time.monotonic()
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=folder)
    while "epoch" not in log.read_text() and process.poll() is None:
        time.sleep(0.02)
    return process, time.monotonic() - start


def measure(kills: int, interval: float, seed: int, epochs: int) -> dict:
    """Seconds lost by each kill, seconds of each start, and whether the history is that of a calm training."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "preset.yaml").write_text(PRESET.format(epochs=epochs))
        ci = ROOT / "workflow/presets/ci.yaml"
        configs = ["--config", str(ROOT / "config.yaml"), str(ci), str(folder / "preset.yaml")]
        stage = [sys.executable, "-m", "learner_collusion"]
        for step in ("fetch", "prepare"):
            subprocess.run([*stage, step, *configs, "--dataset", "digits"], cwd=folder, check=True, capture_output=True)
        train = [*stage, "train_images", *CELL, *configs, "--checkpoint-minutes", str(interval / 60)]
        calm = [*train, "--history", "calm.parquet", "--checkpoint", "calm.checkpoint"]
        subprocess.run(calm, cwd=folder, check=True, capture_output=True)
        train += ["--history", "killed.parquet", "--checkpoint", "killed.checkpoint"]
        log, checkpoint, lost, starts = folder / "log", folder / "killed.checkpoint", [], []
        for _ in range(kills):
            process, start = begun(train, log, folder)
            first = time.time()
            starts.append(start)
            time.sleep(draw.uniform(0, 3 * interval))
            if process.poll() is not None:
                break  # it has finished: fewer kills fell into the training
            os.kill(process.pid, signal.SIGSTOP)  # so that the newest checkpoint is the one before the kill
            killed = time.time()
            newest = max(first, checkpoint.stat().st_mtime if checkpoint.exists() else first)
            lost.append(killed - newest)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        subprocess.run(train, cwd=folder, check=True, capture_output=True)
        same = (folder / "calm.parquet").read_bytes() == (folder / "killed.parquet").read_bytes()
    return {"interval": interval, "kills": len(lost), "seed": seed, "lost": lost, "starts": starts, "same_bytes": same}


def rendered(found: dict) -> str:
    """The measurement as a table."""
    interval, lost = found["interval"], sorted(found["lost"])
    rows = {
        "kills": found["kills"],
        "seconds between checkpoints": f"{interval:g}",
        "lost by a kill, seconds: median": f"{statistics.median(lost):.1f}",
        "lost by a kill, seconds: most": f"{lost[-1]:.1f}",
        "most, in intervals": f"{lost[-1] / interval:.2f}",
        "a start, seconds: median": f"{statistics.median(found['starts']):.1f}",
        "same history, byte for byte": "yes" if found["same_bytes"] else "no",
    }
    return table({"": name, f"seed {found['seed']}": value} for name, value in rows.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--interval", type=float, default=5.0, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--output", type=Path, default=KEPT)
    options = parser.parse_args()
    found = measure(options.kills, options.interval, options.seed, options.epochs)
    options.output.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(rendered(found))


if __name__ == "__main__":
    main()
