"""Copy finished results to a gallery for the repository: figures, numbers, claims, and what they were made with.

Example: learner-collusion gallery results docs/gallery
"""

import csv
import os
import platform
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..claims.catalogue import PARTS
from ..errors import UserError
from ..figures.registry import FIGURES
from ..files import write_text
from .markdown import linked, table
from .registry import TABLES

# What of results/ a gallery keeps, and what of it must exist.
_KEPT = ("figures/*.png", "figures/*.csv", "tables/*.md", "records/*.parquet", "claims*", "claims/*", "config.yaml")
_NEEDED = ("figures/*.png", "claims/*.md", "records/*.parquet", "config.yaml")
TIMES = "times.csv"  # of a gallery
_TRAINED = ("train_images", "train_imagenet", "cells")  # the last one before the stages had one name
_MEASURED = ("jobs", "wall_seconds", "processor_seconds")
_START, _END = "<!-- galleries -->", "<!-- end of galleries -->"


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("results", type=Path, help="the folder that the workflow wrote, such as results")
    parser.add_argument("gallery", type=Path, help="the folder to write, such as docs/gallery")
    parser.add_argument(
        "--cores", type=int, default=os.cpu_count(), help="cores that the workflow used, for the record"
    )


def run(options) -> None:
    """Copy results to a gallery."""
    build(options.results, options.gallery, options.cores)


def build(results: Path, gallery: Path, cores: int) -> None:
    """Copy the results, write the gallery's README, and link it with the galleries beside it, those of other presets.

    Errors: UserError where results are missing.
    """
    for pattern in _NEEDED:
        if not list(results.glob(pattern)):
            raise UserError(f"{results} has no {pattern}: run the workflow to its end first.")
    for path in (path for pattern in _KEPT for path in sorted(results.glob(pattern)) if path.is_file()):
        if path.parent.name == "figures" and is_empty(path.with_suffix(".csv")):
            (gallery / path.name).unlink(missing_ok=True)  # of an earlier build
            continue
        # figures, tables and records lie flat beside the README that shows them; claims keep their folder
        flat = path.parent.name in ("figures", "tables", "records")
        target = gallery / (path.name if flat else path.relative_to(results))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    _write_times(results, gallery)
    text = "".join([_head(gallery), _index(gallery), *_figures(results, gallery), _provenance(results, gallery, cores)])
    write_text(gallery / "README.md", text)
    _link_all(gallery)


def _name(gallery: Path) -> str:
    """What the gallery shows, by the fidelity in its configuration."""
    import yaml

    fidelity = yaml.safe_load((gallery / "config.yaml").read_text(encoding="utf-8"))["fidelity"]
    return "the paper's settings" if fidelity == "paper" else f"the preset `{fidelity}`"


def _head(gallery: Path) -> str:
    from ..records import parquet

    text = f"# Results: {_name(gallery)}\n\n{_START}\n{_END}\n\n"
    text += "Generated from finished results by `learner-collusion gallery`.\n\n"
    known = [parquet.read_metadata(path, published=True) for path in sorted(gallery.glob("claims/*.parquet"))]
    notes = [metadata[name] for name in ("fidelity", "remark") for metadata in known]
    marked = [f"**{linked(note, gallery)}**\n\n" for note in dict.fromkeys(filter(None, notes))]
    return text + ("".join(marked) or "Everything here was run at the paper's settings.\n\n")


def _index(gallery: Path) -> str:
    lines = [("All claims, each with its statistic, interval, threshold and verdict", "claims.md")]
    lines += [(f"Claims: {title}", f"claims/{part}.md") for part, title in PARTS.items()]
    lines += [(table.title, f"{name}.md") for name, table in TABLES.items()]
    lines += [("All claims as Parquet", "claims.parquet")]
    records = sorted(path.name for path in gallery.glob("*.parquet") if path.stem != "claims")
    lines += [(f"Records ({name.removesuffix('.parquet')})", name) for name in records]
    lines += [("Configuration", "config.yaml")]
    shown = [f"- {title}: [{path}]({path})\n" for title, path in lines if (gallery / path).exists()]
    return "".join(shown) + "\n"


def _figures(results: Path, gallery: Path) -> Iterator[str]:
    """Each figure with its caption and what it lacks of the paper's settings; those without a number in one line."""
    for name, figure in FIGURES.items():
        title = f"{number(name)}: {figure.shows}"
        if (gallery / f"{name}.png").exists():
            yield f"## {title}\n\n![{title}]({name}.png)\n\n{figure.caption} Numbers: [{name}.csv]({name}.csv)\n\n"
            if lacks := description(gallery / f"{name}.png"):
                yield f"*{lacks}*\n\n"
        elif (results / f"figures/{name}.png").exists():
            yield f"{title}: not drawn. {description(results / f'figures/{name}.png')}\n\n"


def number(name: str) -> str:
    """A figure as the paper counts it, or by its name where it is not the paper's."""
    first = name.split("_")[0]
    return f"Figure {first.removeprefix('fig')}" if first.startswith("fig") else name.capitalize()


def is_empty(numbers: Path) -> bool:
    """Whether a figure's CSV has its names alone: none of its data sets was available."""
    return numbers.exists() and len(numbers.read_text(encoding="utf-8").splitlines()) == 1


def description(image: Path) -> str:
    """What `figures.style.save` wrote into the PNG's metadata: how its settings differ from the paper's, and what is left out."""
    from PIL import Image

    with Image.open(image) as opened:
        return opened.info.get("Description", "")


def _provenance(results: Path, gallery: Path, cores: int) -> str:
    from ..records import parquet

    known = [parquet.read_metadata(path) for path in sorted(results.glob("records/*.parquet"))]
    text = "## Provenance\n\n"
    if engines := sorted({engine for metadata in known for engine in values(metadata, "engine")}):
        text += f"Engine that trained the tabular models: {', '.join(engines)}. "
    versions: dict[str, set[str]] = {}  # of one package several, where machines differ
    for found in (provenance for metadata in known for provenance in values(metadata, "provenance")):
        for name, version in found.items():
            versions.setdefault(name, set()).add(version)
    listed = (f"{name} {' and '.join(sorted(found))}" for name, found in sorted(versions.items()))
    text += f"Versions: {', '.join(listed)}.\n\n"
    devices = sorted({one["device"] for metadata in known for one in values(metadata, "hardware")})
    text += f"Image cells were trained on: {', '.join(devices)}.\n\n" if devices else ""
    text += f"Machine: {_processor()}, {cores} cores, {platform.system()}.\n\n"
    rows = times(gallery)
    rows.append({"stage": "all"} | {name: sum(float(row[name]) for row in rows) for name in _MEASURED})
    timed, cells = cells_with_a_time(gallery)
    if timed < cells:
        text += f"Times are those of {timed} of {cells} cells; those of the others were not kept.\n\n"
    # Snakemake looks at a job twice a minute, and does not see its last seconds
    names = ("jobs", "seconds of wall time, added up", "seconds of processor time, sampled")
    return text + table(
        {"stage": row["stage"]} | {name: f"{float(row[m]):.0f}" for name, m in zip(names, _MEASURED, strict=True)}
        for row in rows
    )


def times(gallery: Path) -> list[dict[str, str]]:
    """A row a stage, as `_write_times` has written them."""
    with open(gallery / TIMES, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cells_with_a_time(gallery: Path) -> tuple[int, int]:
    """How many cells of a gallery's records have a time in it, and how many cells there are; the others' were not kept, as of
    histories that were brought from elsewhere."""
    from ..records import parquet
    from ..records.images import CELL

    timed = sum(int(row["jobs"]) for row in times(gallery) if row["stage"] in _TRAINED)
    records = [gallery / f"{name}.parquet" for name in ("images", "imagenet")]
    found = [parquet.read(path, published=True)[[*CELL]] for path in records if path.exists()]
    cells = sum(len(rows.drop_duplicates()) for rows in found)
    return min(timed, cells), cells


def _write_times(results: Path, gallery: Path) -> None:
    """Jobs and seconds of each stage, from Snakemake's benchmark files."""
    lines = [",".join(["stage", *_MEASURED])]
    for stage in sorted(path for path in results.glob("benchmarks/*") if path.is_dir()):
        times = [_times(path) for path in sorted(stage.rglob("*.tsv"))]
        lines.append(f"{stage.name},{len(times)},{sum(t[0] for t in times):.1f},{sum(t[1] for t in times):.1f}")
    write_text(gallery / TIMES, "\n".join(lines) + "\n")


def values(metadata, key: str) -> Iterator:
    """What nested metadata hold under `key`, at any depth."""
    if isinstance(metadata, dict):
        for name, value in metadata.items():
            if name == key:
                yield value
            else:
                yield from values(value, key)
    elif isinstance(metadata, list):
        for value in metadata:
            yield from values(value, key)


def _times(path: Path) -> tuple[float, float]:
    """Wall and processor seconds of a job, from Snakemake's benchmark file."""
    with open(path, newline="") as file:
        row = next(csv.DictReader(file, delimiter="\t"))
    processor = row.get("cpu_time", "0")
    return float(row["s"]), float(processor) if processor not in ("NA", "-", "") else 0.0


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.machine()


def _is_gallery(folder: Path) -> bool:
    return (folder / "config.yaml").exists() and (folder / "README.md").exists()


def _link_all(gallery: Path) -> None:
    """Let each gallery link the others: those in folders of the first one, or beside each other."""
    gallery = gallery.resolve()
    root = gallery.parent if _is_gallery(gallery.parent) else gallery
    galleries = [root, *sorted(folder for folder in root.iterdir() if _is_gallery(folder))]
    names = {folder: _name(folder) for folder in galleries}
    for folder in galleries:
        links = [
            f"[{name}]({Path(os.path.relpath(other, folder), 'README.md').as_posix()})"
            for other, name in names.items()
            if other != folder
        ]
        line = f"Other galleries: {', '.join(links)}.\n" if links else ""
        readme = folder / "README.md"
        text = readme.read_text(encoding="utf-8")
        linked = re.sub(f"{_START}\n.*?{_END}", lambda _, line=line: f"{_START}\n{line}{_END}", text, flags=re.S)
        if linked != text:
            write_text(readme, linked)
