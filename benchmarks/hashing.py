"""What checksums cost: the table in docs/reliability.md, from the files of a finished run.

    python benchmarks/hashing.py RESULTS

Each file with a maker is hashed once by the job that writes it, and once by each job that names it among its inputs. That many times the median
of three looks at it (`records.identity.look`, which reads it from the page cache, too) is compared with what Snakemake measured of all jobs.
"""

import argparse
import csv
import os
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

from learner_collusion.publishing.markdown import table
from learner_collusion.records import identity

PAGE = Path(__file__).parents[1] / "docs/reliability.md"
MARKS = "<!-- hashing -->\n", "<!-- /hashing -->\n"


def seconds(path: Path) -> float:
    """The median time of three looks at a file."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        identity.look(path)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measured(results: Path) -> dict[str, str]:
    """The rows of the table."""
    kinds = (".parquet", ".npz", ".made.json")
    found = [path for path in sorted(results.rglob("*")) if path.name.endswith(kinds)]
    files = [Path(str(path).removesuffix(identity.BESIDE)) for path in found]
    reads = Counter()
    for path in files:
        made = identity.look(path).made or {"inputs": {}}
        reads.update(os.path.normpath(path.parent / name) for name in made["inputs"])
    hashed = sum(seconds(path) * (1 + reads[os.path.normpath(path)]) for path in files)
    jobs = [
        float(row["s"])
        for path in results.glob("benchmarks/**/*.tsv")
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines(), delimiter="\t")
    ]
    return {
        "files with a checksum": f"{len(files)}",
        "megabytes": f"{sum(path.stat().st_size for path in files) / 1e6:.0f}",
        "hashing, seconds": f"{hashed:.2f}",
        "all jobs, seconds": f"{sum(jobs):.0f}",
        "share": f"{100 * hashed / sum(jobs):.2f} %",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the folder `results` of a finished run")
    shown = table([measured(parser.parse_args().results)])
    print(shown)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    if rest:
        PAGE.write_text(f"{before}{MARKS[0]}\n{shown}\n{MARKS[1]}{rest.partition(MARKS[1])[2]}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
