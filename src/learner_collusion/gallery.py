"""Copies finished results into a committed gallery: figures, numbers, claims, and what they were made with.

python -m learner_collusion.gallery results docs/gallery --cores 2
"""

import argparse
import csv
import os
import platform
import shutil
import sys
from pathlib import Path

from . import records
from .errors import UserError
from .files import write_text

# What of results/ a gallery keeps.
_KEPT = ("figures/*.png", "figures/*.csv", "tables/*.md", "claims.md", "claims.parquet", "claims/*.md", "config.yaml")
_RECORDS = "records/tabular.parquet"


def build(results: Path, gallery: Path, cores: int) -> None:
    """Copy the results, and write the gallery's README. Errors: UserError where results are missing."""
    for pattern in (*_KEPT, _RECORDS):
        paths = sorted(results.glob(pattern))
        if not paths:
            raise UserError(f"{results} has no {pattern}: run the workflow to its end first.")
        for path in paths:
            target = gallery / path.relative_to(results)
            # figures and tables lie flat beside the README that shows them; claims keep their folder
            target = gallery / path.name if pattern.startswith(("figures", "tables", "records")) else target
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    write_text(gallery / "README.md", _readme(results, gallery, cores))


def _readme(results: Path, gallery: Path, cores: int) -> str:
    note = records.metadata_of(records.read(results / "claims/tabular.parquet"))["fidelity"]
    text = "# Gallery\n\nGenerated from finished results by `make gallery`. "
    text += f"**{note}**\n\n" if note else "All of it at the paper's own settings.\n\n"
    text += "- [Claims](claims.md), each with its statistic, interval, threshold and verdict\n"
    text += "- [Table 2](table2_losses.md), each formula verified numerically\n"
    text += "- [The records](tabular.parquet) behind Figures 2-4, and the numbers of each figure as CSV beside it\n"
    text += "- [The configuration](config.yaml)\n\n"
    for path in sorted(gallery.glob("fig*.png"), key=lambda p: int(p.stem.split("_")[0][3:])):
        number, name = path.stem.split("_", 1)
        text += f"## Figure {number[3:]}: {name.replace('_', ' ')}\n\n![Figure {number[3:]}]({path.name})\n\n"
        text += f"Numbers: [{path.stem}.csv]({path.stem}.csv)\n\n"
    return text + _provenance(results, cores)


def _provenance(results: Path, cores: int) -> str:
    known = records.metadata_of(records.read(results / _RECORDS))
    first = next(iter(known.values()))
    run = first["runs"][0]
    text = "## Provenance\n\n"
    versions = run["provenance"] | first["provenance"]
    text += (
        f"Engine: {run['engine']}. Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + ".\n\n"
    )
    text += f"Machine: {_processor()}, {cores} cores, {platform.system()}.\n\n"
    text += "| stage | jobs | seconds of wall time, added up | seconds of processor time |\n|---|---|---|---|\n"
    total = [0.0, 0.0]
    for stage in sorted(p for p in (results / "benchmarks").iterdir() if p.is_dir()):
        rows = [_benchmark(path) for path in sorted(stage.rglob("*.tsv"))]
        wall, cpu = (sum(row[i] for row in rows) for i in (0, 1))
        total = [total[0] + wall, total[1] + cpu]
        text += f"| {stage.name} | {len(rows)} | {wall:.0f} | {cpu:.0f} |\n"
    return text + f"| all | | {total[0]:.0f} | {total[1]:.0f} |\n"


def _benchmark(path: Path) -> tuple[float, float]:
    """Wall and processor seconds of a job, from Snakemake's benchmark file."""
    with open(path, newline="") as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    cpu = row.get("cpu_time", "0")
    return float(row["s"]), float(cpu) if cpu not in ("NA", "-", "") else 0.0


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("gallery", type=Path)
    parser.add_argument("--cores", type=int, default=os.cpu_count())
    options = parser.parse_args()
    try:
        build(options.results, options.gallery, options.cores)
    except UserError as error:
        print(f"gallery: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
