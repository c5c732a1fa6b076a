"""Does the search for hyper-parameters end at the same points whatever BLAS, threads and instructions it meets?

All tunings of the paper (four data sets, ten runs) once for each setting below, in a process of its own; what training a point
gives is looked up after the first time, since the engine calls no BLAS. Needs the prepared tables of a finished workflow:

    python benchmarks/search.py results            # a table on standard output; about six minutes on a core
"""

import argparse
import hashlib
import os
import pickle
import subprocess
import sys
import tempfile
from dataclasses import astuple
from pathlib import Path

DATASETS = ("abalone", "bioconcentration", "facebook", "weather")
FEATURES = "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V3 X86_V4"
SETTINGS = {
    "the machine's own": {},
    **{f"OPENBLAS_CORETYPE={kind}": {"OPENBLAS_CORETYPE": kind} for kind in ("Haswell", "SkylakeX", "Zen", "Prescott")},
    "two BLAS threads": {"LEARNER_COLLUSION_BENCH_THREADS": "2"},
    "NumPy without AVX": {"NPY_DISABLE_CPU_FEATURES": FEATURES},
    "LEARNER_COLLUSION_ISA=avx2": {"LEARNER_COLLUSION_ISA": "avx2", "LEARNER_COLLUSION_BENCH_CACHE": "avx2"},
}


def tunings(results: Path, cache: Path, output: Path) -> None:
    """All tunings in this process; trials to `output`."""
    import yaml

    from learner_collusion.plan import settings as plan
    from learner_collusion.stages import tune
    from learner_collusion.training import engines

    known = pickle.loads(cache.read_bytes()) if cache.exists() else {}
    train = engines.train_sweeps

    def looked_up(sweeps, **options):
        [one] = sweeps
        parts = (astuple(one.network), astuple(one.settings), one.betas, one.initial.tobytes(), one.split.y.tobytes())
        key = hashlib.sha256(repr(parts).encode()).hexdigest()
        if key not in known:
            known[key] = train(sweeps, **options)
        return known[key]

    engines.train_sweeps = looked_up
    text = (results / "settings/tune.yaml").read_text(encoding="utf-8")
    settings = plan.convert(yaml.safe_load(text), tune.Settings)
    for dataset in DATASETS:
        table = results / f"datasets/{dataset}.parquet"
        tune.tune(str(table), dataset, settings, str(output / f"{dataset}.parquet"), str(output / "best.parquet"))
    cache.write_bytes(pickle.dumps(known))


def main() -> None:
    """Run every setting, compare the trials with those of the first one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--child", type=Path, nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return tunings(options.results, *options.child)
    import pandas as pd

    reference = None
    print("| setting | tunings that end at another point | trials that differ |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, variables) in enumerate(SETTINGS.items()):
            output = Path(folder, str(number))
            output.mkdir()
            cache = Path(folder, variables.get("LEARNER_COLLUSION_BENCH_CACHE", "cache") + ".pickle")
            threads = variables.get("LEARNER_COLLUSION_BENCH_THREADS", "1")
            command = [sys.executable, __file__, options.results, "--child", cache, output]
            done = subprocess.run(
                command, env=os.environ | variables | {"OPENBLAS_NUM_THREADS": threads}, capture_output=True, text=True
            )
            if done.returncode:
                print(f"| {name} | does not run here: {done.stderr.strip().splitlines()[-1:]} | |", flush=True)
                continue
            trials = pd.concat(
                [pd.read_parquet(output / f"{dataset}.parquet").assign(dataset=dataset) for dataset in DATASETS]
            )
            if reference is None:
                reference = trials
            differ = (trials.fillna(-1) != reference.fillna(-1)).any(axis=1)
            last = trials.loc[differ].drop_duplicates(["dataset", "run"])
            print(f"| {name} | {len(last)} of {trials.drop_duplicates(['dataset', 'run']).shape[0]} | {differ.sum()} of "
                  f"{len(trials)} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
