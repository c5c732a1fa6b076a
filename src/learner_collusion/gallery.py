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

# What of results/ a gallery keeps, and which of it there must be.
_KEPT = ("figures/*.png", "figures/*.csv", "tables/*.md", "claims*", "claims/*", "config.yaml")
_RECORDS = {"tabular": "records/tabular.parquet", "images": "records/images.parquet"}
_NEEDED = ("figures/*.png", "claims/*.md", "config.yaml")


def build(results: Path, gallery: Path, cores: int) -> None:
    """Copy the results, and write the gallery's README. Errors: UserError where results are missing."""
    for pattern in _NEEDED:
        if not list(results.glob(pattern)):
            raise UserError(f"{results} has no {pattern}: run the workflow to its end first.")
    known = {part: results / path for part, path in _RECORDS.items() if (results / path).exists()}
    if not known:
        raise UserError(f"{results} has no records/*.parquet: run the workflow to its end first.")
    kept = [path for pattern in _KEPT for path in sorted(results.glob(pattern)) if path.is_file()]
    for path in [*kept, *known.values()]:
        # figures and tables lie flat beside the README that shows them; claims keep their folder
        flat = path.parent.name in ("figures", "tables", "records")
        target = gallery / (path.name if flat else path.relative_to(results))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    write_text(gallery / "README.md", _readme(results, gallery, known, cores))


def _readme(results: Path, gallery: Path, known: dict[str, Path], cores: int) -> str:
    text = "# Gallery\n\nGenerated from finished results by `python -m learner_collusion.gallery`. "
    notes = []
    for part in sorted(results.glob("claims/*.parquet")):
        notes.append(records.metadata_of(records.read(part))["fidelity"])
    notes = [note for note in dict.fromkeys(notes) if note]
    text += "".join(f"**{note}**\n\n" for note in notes) if notes else "All of it at the paper's own settings.\n\n"
    everything = [("claims", path) for path in sorted(gallery.glob("claims*/*.md")) + sorted(gallery.glob("claims.md"))]
    everything += [("table", path) for path in sorted(gallery.glob("table*.md"))]
    everything += [("records", gallery / path.name) for path in known.values()] + [
        ("configuration", gallery / "config.yaml")
    ]
    for kind, path in everything:
        text += f"- {_TITLES[kind]}: [{path.relative_to(gallery)}]({path.relative_to(gallery)})\n"
    text += "\n"
    for path in sorted(gallery.glob("fig*.png"), key=lambda p: int(p.stem.split("_")[0][3:])):
        number, name = path.stem.split("_", 1)
        text += f"## Figure {number[3:]}: {name.replace('_', ' ')}\n\n![Figure {number[3:]}]({path.name})\n\n"
        text += f"Numbers: [{path.stem}.csv]({path.stem}.csv)\n\n"
    return text + _provenance(results, known, cores)


_TITLES = {
    "claims": "Claims, each with its statistic, interval, threshold and verdict",
    "table": "Table, verified or read off the models",
    "records": "The records behind the figures; the numbers of each figure lie beside it as CSV",
    "configuration": "The configuration",
}


def _provenance(results: Path, known: dict[str, Path], cores: int) -> str:
    text, versions = "## Provenance\n\n", {}
    for part, path in known.items():
        found = records.metadata_of(records.read(path))
        if part == "tabular":
            first = next(iter(found.values()))
            text += f"Engine of the tabular half: {first['runs'][0]['engine']}. "
            versions |= first["runs"][0]["provenance"] | first["provenance"]
        else:
            versions |= found["provenance"]
    text += "Versions: " + ", ".join(f"{k} {v}" for k, v in sorted(versions.items())) + ".\n\n"
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
