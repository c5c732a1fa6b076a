"""Draw each figure of an unpacked archive again from its records, and compare it with the one that lies there: the numbers byte
by byte, the picture pixel by pixel. Nothing is trained but the toy problem of Figure 1.

Example: learner-collusion redraw learner-collusion-results redrawn
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError
from ..figures.registry import FIGURES
from .archive import CONFIG, GALLERY, SUMS


class Published(NamedTuple):
    """A figure of an archive: its name in the registry, the folder that holds it, and that folder's name within the archive."""

    name: str
    folder: Path
    place: str


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("archive", type=Path, help="the folder that the archive was unpacked to")
    parser.add_argument("output", type=Path, help="the folder for the new figures")
    parser.add_argument(
        "--figures", nargs="+", metavar="PLACE", help="such as gallery/demo/fig2_diversity (default: all figures)"
    )
    parser.add_argument("--cores", type=int, default=os.cpu_count(), help="figures that are drawn at once")


def run(options) -> int:
    """Draw and compare, figure by figure; 1 unless all are the same."""
    figures = list(published(options.archive))
    if options.figures:
        places = {f"{figure.place}/{figure.name}": figure for figure in figures}
        if missing := [place for place in options.figures if place not in places]:
            raise UserError(f"{options.archive} has no figure {missing[0]}: name one of its PNG files, without .png.")
        figures = [places[place] for place in options.figures]
    same = 0
    with ThreadPoolExecutor(options.cores) as pool:
        drawn = pool.map(lambda figure: redraw(figure, options.archive, options.output), figures)
        for figure, found in zip(figures, drawn, strict=True):
            print(f"  {figure.place}/{figure.name}: {found or 'the same'}", flush=True)
            same += not found
    print(f"{same} of {len(figures)} figures are the same in each number and each pixel.")
    return int(same < len(figures))


def published(archive: Path) -> Iterator[Published]:
    """The figures of an archive. Errors: UserError where it is no archive."""
    if not all((archive / name).exists() for name in (GALLERY, CONFIG, SUMS)):
        raise UserError(
            f"{archive} is no unpacked archive: make one with `learner-collusion archive`, and unpack it with `tar -xzf`."
        )
    for path in sorted((archive / GALLERY).rglob("*.png")):
        if path.stem in FIGURES:
            yield Published(path.stem, path.parent, path.parent.relative_to(archive).as_posix())


def redraw(figure: Published, archive: Path, output: Path) -> str:
    """Draw a figure by the command that the workflow calls; what differs from the published one, empty where nothing does."""
    entry = FIGURES[figure.name]
    parts = dict.fromkeys(filter(None, [entry.part, entry.beside[0] if entry.beside else None]))
    records = [figure.folder / f"{part}.parquet" for part in parts if (figure.folder / f"{part}.parquet").exists()]
    new = output / figure.place / f"{figure.name}.pdf"
    # the paper's keys below: an older gallery may lack a key that was added since, which changed none of its numbers
    command = [sys.executable, "-m", "learner_collusion", "figure", "--figure", figure.name, "--output", str(new)]
    command += ["--config", str(archive / CONFIG), str(figure.folder / "config.yaml")]
    command += ["--records", *map(str, records)] if records else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return f"not drawn. {done.stderr.strip()}"
    return _differences(figure.folder / f"{figure.name}.pdf", new)


def _differences(old: Path, new: Path) -> str:
    found = []
    if old.with_suffix(".csv").read_bytes() != new.with_suffix(".csv").read_bytes():
        found.append("other numbers")
    if not _same_pixels(old.with_suffix(".png"), new.with_suffix(".png")):
        found.append("other pixels")
    return ", ".join(found)


def _same_pixels(old: Path, new: Path) -> bool:
    from PIL import Image

    with Image.open(old) as first, Image.open(new) as second:
        return first.size == second.size and first.convert("RGBA").tobytes() == second.convert("RGBA").tobytes()
