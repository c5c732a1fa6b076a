"""All benchmarks: `make bench`, or `python benchmarks/run.py [--quick] [--only step training run sweep scaling images pictures]`.

Writes benchmarks/results.json, RESULTS.md and RESULTS.png. Ratios come from measurements in turns on one core; absolute
times are those of the machine named in RESULTS.md. The whole paper (d) needs a mirror (LEARNER_COLLUSION_MIRROR).
"""

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import extrapolation
import report
import step
import ways

HERE = Path(__file__).parent
ROOT = HERE.parent
# learners, hidden units, layers, batch: four that have a target, and eight more of the paper's grid
TARGETS = [(5, 10, 1, 64), (20, 30, 3, 16), (20, 30, 3, 64), (10, 20, 2, 32)]
OTHERS = [(5, 10, 1, 16), (5, 30, 3, 64), (10, 10, 1, 32), (10, 30, 2, 16), (15, 10, 3, 32), (15, 20, 1, 64), (15, 30, 2, 64), (20, 20, 2, 16)]  # fmt: skip


def machine() -> dict:
    name = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    from learner_collusion import native

    versions = {}
    for package in ("learner-collusion", "torch", "jax", "optax", "numpy", "scikit-optimize", "snakemake"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = "not installed"
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "instructions": native.instruction_set() if native.compiled() else "no native engine",
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        **versions,
    }


def sgemm_peak() -> float:
    """GF/s of a large single-precision product on one core, the best of several."""
    code = (
        "import os, time; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); import torch; torch.set_num_threads(1);"
        "a = torch.randn(1024, 1024); best = 1e9\n"
        "for _ in range(25):\n s = time.perf_counter(); a @ a; best = min(best, time.perf_counter() - s)\n"
        "print(2 * 1024**3 / best / 1e9)"
    )
    return float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)


def flops(shape: tuple[int, ...], features: int) -> int:
    """Of one step: forward, both products of the backward pass; Adam and the rest are not counted."""
    learners, hidden, layers, batch = shape
    first, inner, last = features * hidden, (layers - 1) * hidden * hidden, hidden
    return 2 * batch * learners * (2 * first + 3 * inner + 3 * last)


def steps(rounds: int, shapes) -> list[dict]:
    """(a) the step, for each way that is installed; (f) its share of the sgemm peak."""
    workers = step.Workers(ways.installed())
    rows = []
    for shape in shapes:
        peak = sgemm_peak()  # beside each shape: the machine's speed drifts
        row = step.measure(workers, shape, 21, rounds)
        row["gflops"] = flops(shape, 21) / row["ms"]["native"] / 1e6
        row["sgemm_peak"] = peak
        row["share_of_peak"] = row["gflops"] / peak
        rows.append(row)
        print(json.dumps(row), flush=True)
    workers.close()
    return rows


def scaling() -> dict:
    """(e) milliseconds of training against learners, betas, rows and width, with the fitted exponents."""
    import numpy as np

    from learner_collusion.data.splits import Split
    from learner_collusion.models.mlp import Network, initial_parameters
    from learner_collusion.training.engines import train_sweeps
    from learner_collusion.training.sweep import Settings, Sweep, batch_permutations

    random = np.random.default_rng(0)

    def milliseconds(learners=10, betas=1, rows=2000, hidden_units=20):
        network = Network(21, learners, hidden_units, 2)
        x = random.normal(size=(rows, 21)).astype(np.float32)
        split = Split(x, x[:, 0], x[:1], x[:1, 0])
        initial, orders = initial_parameters(network, random), batch_permutations(rows, 1, random)
        sweep = Sweep(network, split, Settings(1e-3, 0, 32, 1, 1), [0.5] * betas, initial, orders)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            train_sweeps([sweep], engine="native")
            times.append(time.perf_counter() - start)
        return 1e3 * statistics.median(times)

    values = {
        "learners": [4, 8, 16, 32, 64, 128],
        "betas": [1, 2, 4, 8, 16, 32],
        "rows": [500, 1000, 2000, 4000, 8000, 16000],
        "hidden_units": [8, 16, 32, 64, 128, 256],
    }
    result = {}
    for name, points in values.items():
        times = [milliseconds(**{name: point}) for point in points]
        exponent = float(np.polyfit(np.log(points), np.log(times), 1)[0])
        result[name] = {"points": points, "ms": times, "exponent": exponent}
        print(name, f"exponent {exponent:.2f}", flush=True)
    return result


def whole_training(rounds: int) -> dict:
    """(b) a whole training with early stopping: one beta of the diabetes table, native, batched torch, and the loop."""
    code = HERE / "training.py"
    seconds = {name: [] for name in ("native", "torch", "loop")}
    for _ in range(rounds):
        for name, values in seconds.items():
            values.append(
                json.loads(
                    subprocess.run([sys.executable, str(code), name], capture_output=True, text=True, check=True).stdout
                )
            )
    medians = {name: statistics.median(v["seconds"] for v in values) for name, values in seconds.items()}
    epochs = {name: values[0]["epochs"] for name, values in seconds.items()}
    return {"seconds": medians, "epochs": epochs}


def one_run() -> dict:
    """(c) one run of the diabetes table from prepared data to predictions, process by process."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "learner_collusion"]
        config = ["--dataset", "diabetes", "--config", str(ROOT / "config.yaml")]
        for stage in ("fetch", "prepare"):
            subprocess.run([*command, stage, *config], cwd=name, check=True)
        stages = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import skopt": [sys.executable, "-W", "ignore", "-c", "import skopt"],
            "import torch": [sys.executable, "-c", "import torch"],
            "tune": [*command, "tune", *config, "--run", "0"],
            "train": [*command, "train_tabular", *config, "--run", "0"],
        }
        # the points of all runs, which training reads
        one = [ROOT / "config.yaml", ROOT / "workflow/presets/ci.yaml"]
        subprocess.run([*command, "tune", "--dataset", "diabetes", "--config", *map(str, one)], cwd=name, check=True)
        result = {}
        for stage, command in stages.items():
            times = []
            for _ in range(3):
                for kept in ("tune", "train"):  # finished runs are not tuned or trained again
                    shutil.rmtree(Path(name, "results/tabular/diabetes", kept), ignore_errors=True)
                start = time.perf_counter()
                subprocess.run(command, check=True, cwd=name, capture_output=True)
                times.append(time.perf_counter() - start)
            result[stage] = statistics.median(times)
        start = time.perf_counter()
        subprocess.run(
            [str(Path(sys.executable).with_name("snakemake")), "-n", "--cores", "2"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        return result | {"snakemake -n": time.perf_counter() - start}


def whole_paper() -> dict | None:
    """(d) Figures 2-4 and the tabular claims at the paper's settings on two cores, from prepared data."""
    if "LEARNER_COLLUSION_MIRROR" not in os.environ:
        return None
    targets = [f"results/figures/{name}.pdf" for name in ("fig2_diversity", "fig3_debiased", "fig4_codependence")]
    snakemake = [str(Path(sys.executable).with_name("snakemake")), "--cores", "2"]
    with tempfile.TemporaryDirectory() as folder:
        options = ["--directory", folder]
        subprocess.run([*snakemake, *options, "data"], cwd=ROOT, check=True, capture_output=True)
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [*snakemake, *options, *targets, "results/claims/tabular.md"], cwd=ROOT, check=True, capture_output=True
        )
        after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
        loop = extrapolation.loop_hours(Path(folder) / "results")
    return {"loop": loop, "wall": wall, "cpu": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime}


def main() -> None:
    parts = ("step", "training", "run", "scaling", "sweep", "images", "pictures")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the four shapes with a target alone, few rounds")
    parser.add_argument("--only", nargs="+", choices=parts, default=parts, help="parts to measure; the others are kept")
    options = parser.parse_args()
    path = HERE / "results.json"
    results = json.loads(path.read_text()) if path.exists() else {}
    if set(options.only) == set(parts):
        results |= {"machine": machine(), "apart": {}}
    else:  # the other parts are of another day
        results["apart"] = results.get("apart", {}) | dict.fromkeys(options.only, machine())
    rounds = 3 if options.quick else 5
    if "step" in options.only:
        results["step"] = steps(rounds, TARGETS if options.quick else TARGETS + OTHERS)
        results["targets"] = len(TARGETS)
    if "training" in options.only:
        results["training"] = whole_training(rounds)
    if "run" in options.only:
        results["run"] = one_run()
    if "scaling" in options.only:
        results["scaling"] = scaling()
    if "sweep" in options.only:
        results["sweep"] = whole_paper() or results.get("sweep")
    if "images" in options.only:
        command = [sys.executable, str(HERE / "images.py"), "--rounds", str(rounds)]
        results["images"] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if "pictures" in options.only:
        command = [sys.executable, str(HERE / "pictures.py"), "--rounds", str(rounds)]
        results["pictures"] = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
    path.write_text(json.dumps(results, indent=1) + "\n")
    report.write(results, HERE)
    print(f"Written: {HERE / 'RESULTS.md'}")


if __name__ == "__main__":
    main()
