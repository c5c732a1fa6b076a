"""How planning grows with the size of a study, by dry runs: the table in docs/cluster.md.

    python benchmarks/scale.py measure [--sizes 1 3 10 30 100] [--part whole|batch] [--minutes 60]
    python benchmarks/scale.py table

A study of size n has n times the paper's tables, and n times the runs of its image experiments; the figures stay as they are. `measure`
plans each in a process of its own, and keeps processor time, peak memory and counts of jobs and files in benchmarks/scale.json;
`--part batch` plans the first of n batches of the image cells alone. `table` fits the exponents.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
KEPT, PAGE = Path(__file__).with_suffix(".json"), ROOT / "docs/cluster.md"
MARKS = "<!-- scale -->\n", "<!-- /scale -->\n"
# What is fitted, and how the table shows it.
MEASURED = {"jobs": "jobs", "files": "files of results", "records": "files of Snakemake", "seconds": "processor seconds", "megabytes": "peak MB"}  # fmt: skip


def study(size: int) -> dict:
    """A preset that makes the paper `size` times as large."""
    paper = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    tables = {name: paper["tables"][name] for name in paper["tabular"]["datasets"]}
    copies = {f"{name}x{copy}": table for copy in range(1, size) for name, table in tables.items()}
    runs = {name: {"runs": size * e["runs"]} for name, e in paper["images"]["experiments"].items()}
    return {
        "fidelity": "scale",
        "tables": copies,
        "tabular": {"datasets": [*tables, *copies]},
        "images": {"experiments": runs},
    }


def plan(size: int, part: str) -> None:
    """Plan a study of this size in this process, and print what it took as JSON."""
    from snakemake.cli import main
    from snakemake.workflow import Workflow

    seen, execute = {}, Workflow.execute

    def watched(workflow, *arguments, **named):
        result = execute(workflow, *arguments, **named)
        jobs = list(workflow.dag.jobs)
        seen["jobs"] = len(jobs)
        seen["files"] = sum(len(j.output) + len(j.log) + bool(j.benchmark) for j in jobs)
        seen["records"] = sum(len(j.output) for j in jobs)  # .snakemake/metadata has a file for each output
        return result

    Workflow.execute = watched
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder) / "study.yaml"
        preset.write_text(yaml.safe_dump(study(size)), encoding="utf-8")
        batch = ["--batch", f"aggregate=1/{size}", "--", "results/records/images.parquet"] * (part == "batch")
        sys.argv = [
            "snakemake",
            "-n",
            "--quiet",
            "all",
            "--cores",
            "2",
            "--configfile",
            str(preset),
            "--directory",
            folder,
            *batch,
        ]
        before, start = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        try:
            main()
        except SystemExit as end:
            assert not end.code, f"the dry run failed: {end.code}"
        after = resource.getrusage(resource.RUSAGE_SELF)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        json.dumps(
            seen
            | {
                "seconds": round(seconds, 1),
                "megabytes": after.ru_maxrss // 1024,
                "wall": round(time.monotonic() - start, 1),
            }
        )
    )


def measure(sizes: list[int], part: str, minutes: int) -> None:
    """Plan studies of these sizes one after another, and keep what they took; one that takes too long is left out."""
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    for size in sizes:
        command = ["timeout", str(60 * minutes), sys.executable, __file__, "plan", "--sizes", str(size), "--part", part]
        result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        if result.returncode:
            print(f"{part} {size}: status {result.returncode}: {result.stderr[-500:]}", flush=True)
            continue
        kept.setdefault(part, {})[str(size)] = json.loads(result.stdout.splitlines()[-1])
        print(part, size, kept[part][str(size)], flush=True)
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def exponent(sizes: list[float], values: list[float]) -> float:
    """The slope of a line through logarithms, by least squares."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def rendered(kept: dict) -> str:
    """The table of docs/cluster.md."""
    whole = {int(size): row for size, row in kept["whole"].items()}
    head = ["size", *MEASURED.values()]
    lines = [head, ["---"] * len(head)]
    lines += [[f"{size} x", *(f"{row[name]:,}" for name in MEASURED)] for size, row in sorted(whole.items())]
    large = {size: row for size, row in whole.items() if size >= 3}  # from where what is fixed no longer shows
    fits = [exponent(list(large), [row[name] for row in large.values()]) for name in MEASURED]
    lines.append(["exponent from 3 x on", *(f"{fit:.2f}" for fit in fits)])
    for size, row in sorted((int(size), row) for size, row in kept.get("batch", {}).items()):
        lines.append([f"{size} x, one of {size} batches of the image cells", *(f"{row[name]:,}" for name in MEASURED)])
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def table() -> None:
    """Put the table between its marks."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    PAGE.write_text(
        before + MARKS[0] + "\n" + rendered(json.loads(KEPT.read_text(encoding="utf-8"))) + "\n" + MARKS[1] + after,
        encoding="utf-8",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "what", choices=("measure", "table", "plan"), help="`plan` is what `measure` calls for each size"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 3, 10, 30, 100])
    parser.add_argument("--part", choices=("whole", "batch"), default="whole")
    parser.add_argument("--minutes", type=int, default=60, help="of one size at most")
    options = parser.parse_args()
    if options.what == "plan":
        plan(options.sizes[0], options.part)
    elif options.what == "measure":
        measure(options.sizes, options.part, options.minutes)
    else:
        table()


if __name__ == "__main__":
    main()
