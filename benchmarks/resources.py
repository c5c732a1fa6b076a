"""What jobs took, beside what their rules ask a cluster for: the table in docs/cluster.md.

    python benchmarks/resources.py read RESULTS...     what Snakemake measured of each job, from results/benchmarks
    python benchmarks/resources.py table

Snakemake samples the memory of a job's processes, and adds them up. `read` keeps the longest time and the largest memory of each rule's
jobs in benchmarks/resources.json; rules of which there is none keep theirs. What is asked for is what a dry run with the SLURM profile says, of the first attempt.
"""

import argparse
import csv
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT, PAGE = Path(__file__).with_suffix(".json"), ROOT / "docs/cluster.md"
MARKS = "<!-- resources -->\n", "<!-- /resources -->\n"
SUBMITTED = ("prepare", "tune", "train_tabular", "evaluate", "sensitivity", "train_images", "train_imagenet")
# Where they are not the one of the stage's name.
RULES = {"tune": ["tune_dataset"], "prepare": ["prepare", "prepare_pictures"]}


def read(folders: list[Path]) -> None:
    """Keep the largest numbers of each stage."""
    kept = {}
    for folder in folders:
        for path in folder.glob("benchmarks/**/*.tsv"):
            stage = path.relative_to(folder / "benchmarks").parts[0]
            for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t"):
                entry = kept.setdefault(stage, {"jobs": 0, "seconds": 0.0, "megabytes": 0.0})
                entry["jobs"] += 1
                entry["seconds"] = max(entry["seconds"], float(row["s"]))
                # a job of less than a second may end before it is looked at
                entry["megabytes"] = max(entry["megabytes"], float(row["max_rss"] if row["max_rss"] != "NA" else 0))
    kept = json.loads(KEPT.read_text(encoding="utf-8")) | kept
    KEPT.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")


def asked() -> dict[str, dict[str, set[int]]]:
    """Minutes, MB and GPUs that the jobs of each rule ask for at first, of the paper and its sensitivity analysis."""
    found: dict[str, dict[str, set[int]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for preset in ([], ["--configfile", "workflow/presets/sensitivity.yaml"]):
            command = [sys.executable, "-m", "snakemake", "-n", "--profile", "slurm", "--directory", folder, *preset]
            answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            for rule, block in re.findall(r"^rule (\w+):\n((?:    .*\n)+)", answer.stdout + answer.stderr, re.M):
                for name, value in re.findall(r"(runtime|mem_mb|gpu)=(\d+)", block):
                    found.setdefault(rule, {}).setdefault(name, set()).add(int(value))
    return found


def rendered(kept: dict, wanted: dict) -> str:
    """The table of docs/cluster.md."""
    lines = [
        "| stage | minutes asked | MB asked | GPUs | jobs measured | longest, seconds | largest, MB |\n",
        "|---|---|---|---|---|---|---|\n",
    ]
    for stage in SUBMITTED:
        runtime, memory, gpus = (_spanned(stage, name, wanted) for name in ("runtime", "mem_mb", "gpu"))
        row = kept.get(stage)
        took = f"{row['jobs']} | {row['seconds']:,.0f} | {row['megabytes']:,.0f}" if row else "0 | | "
        lines.append(f"| {stage} | {runtime} | {memory} | {gpus} | {took} |\n")
    return "".join(lines)


def _spanned(stage: str, name: str, wanted: dict) -> str:
    """The number that all jobs of a stage ask for, or the smallest and the largest."""
    numbers = set().union(*(wanted[rule].get(name, {0}) for rule in RULES.get(stage, [stage])))
    return " to ".join(f"{number:,}" for number in sorted({min(numbers), max(numbers)}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("read", "table"))
    parser.add_argument("results", nargs="*", type=Path, help="folders `results` of finished runs")
    options = parser.parse_args()
    if options.what == "read":
        read(options.results)
        return
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    table = rendered(json.loads(KEPT.read_text(encoding="utf-8")), asked())
    PAGE.write_text(before + MARKS[0] + "\n" + table + "\n" + MARKS[1] + rest.partition(MARKS[1])[2], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
