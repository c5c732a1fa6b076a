"""Write the scorecard of galleries: what the paper says, what the numbers say, verdict, fidelity, command and time.

Example: learner-collusion scorecard docs/gallery docs/scorecard.md
"""

import os
from pathlib import Path

from ..claims.catalogue import PARTS
from ..errors import UserError
from ..files import write_text
from .gallery import cells_with_a_time, times
from .markdown import linked, table

_VARIANTS = Path("sensitivity/sensitivity.parquet")  # of a gallery: its tabular claims with other open choices


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument(
        "gallery", type=Path, help="the gallery at the paper's settings; those of presets lie in its folders"
    )
    parser.add_argument("output", type=Path, help="the Markdown file to write, such as docs/scorecard.md")


def run(options) -> None:
    """Write the scorecard."""
    write_text(options.output, scorecard(options.gallery, options.output.parent))


def scorecard(gallery: Path, beside: Path) -> str:
    """The page, with links as from the folder `beside`. Errors: UserError where there is no gallery."""
    found = [folder for folder in (gallery, *sorted(gallery.iterdir())) if (folder / "config.yaml").exists()]
    # the theory is the same in each gallery that holds it
    parts = [(folder, part) for folder in found for part in _parts(folder) if folder == gallery or part.note]
    if not parts:
        raise UserError(f"{gallery} holds no claims: write a gallery with `learner-collusion gallery` first.")
    rows = [_summary(folder, part, beside) for folder, part in parts]
    text = (
        "# Scorecard\n\nWhat the regenerated numbers say of the paper's claims. Generated from the galleries' claims by "
        f"`learner-collusion scorecard {gallery} {beside}/scorecard.md`; [statistics.md](statistics.md) says how a verdict is "
        "made and how often it is right, [deviations.md](deviations.md) what the paper leaves open. *minutes*: wall time of all jobs "
        "of the gallery, added up.\n\n" + table(rows)
    )
    return text + "".join(f"\n## {_title(folder, part)}\n\n{_details(folder, part, beside)}" for folder, part in parts)


def _parts(folder: Path) -> list:
    from .claims import overview

    found = [overview(path)[0] for path in sorted(folder.glob("claims/*.parquet"))]
    return sorted(found, key=lambda part: list(PARTS).index(part.part))


def _summary(folder: Path, part, beside: Path) -> dict[str, str]:
    page = os.path.relpath(folder / f"claims/{part.part}.md", beside)
    counts = part.counts
    known = ("holds", "does not hold", "undecided", "no verdict")
    return {
        "part": f"[{part.title}]({page})",
        "settings": _settings(folder, part),
        **{name: str(counts.get(name, 0)) for name in known},
        "reported, left out": str(sum(count for name, count in counts.items() if name not in known)),
        "command": f"`{_command(folder, part)}`",
        "minutes": _minutes(folder),
    }


def _title(folder: Path, part) -> str:
    return f"{part.title}: {_settings(folder, part)}"


def _settings(folder: Path, part) -> str:
    return f"`{folder.name}`, not the paper's" if part.note else "the paper's"


def _command(folder: Path, part) -> str:
    if not part.note:
        return "make reproduce"
    return f"snakemake --cores all --configfile {folder}/config.yaml --directory runs/{folder.name}"


def _minutes(folder: Path) -> str:
    """Wall time of all jobs of the gallery, added up; cells that were trained elsewhere are told."""
    seconds = sum(float(row["wall_seconds"]) for row in times(folder))
    timed, cells = cells_with_a_time(folder)
    lacking = f"{cells - timed} of {cells} cells" if timed else "training"
    return f"{seconds / 60:.0f}" + f", without {lacking}" * (timed < cells)


def _details(folder: Path, part, beside: Path) -> str:
    import pandas as pd

    note = "".join(f"**{linked(line, beside)}**\n\n" for line in part.note.split("\n\n") if line)
    shown = pd.DataFrame(
        {
            "the paper says": part.rows["id"] + ": " + part.rows["claim"],
            "data": part.rows["data"],
            "we find": part.rows["value"].where(
                part.rows["interval"] == "-", part.rows["value"] + " (" + part.rows["interval"] + ")"
            ),
            "statistic": part.rows["statistic"],
            "verdict": (part.rows["verdict"] + " " + part.rows["mark"]).str.strip(),
        }
    )
    records = folder / _VARIANTS
    if part.part == "tabular" and not part.note and records.exists():
        shown["with other open choices"] = _stays(records, folder, part)
        note += "*with other open choices*: [sensitivity.md](sensitivity.md).\n\n"
    intervals = f"{part.intervals.strip()}\n\n" * bool(part.intervals)
    return f"{note}{intervals}{table(shown.to_dict('records'))}"


def _stays(records: Path, folder: Path, part) -> list[str]:
    """For each row of the part: in how many variants of the open choices its finding stays, and with which single one not."""
    from ..claims.sensitivity import findings, stability
    from ..records import parquet
    from ..records.sensitivity import SENSITIVITY
    from .sensitivity import stays

    titles = parquet.read_metadata(folder / f"claims/{part.part}.parquet", published=True)["titles"]
    known: dict[tuple, str] = {}
    for row in stability(findings(parquet.read(records, SENSITIVITY, published=True))).to_dict("records"):
        key = (row["id"], row["claim"], titles.get(row["dataset"], row["dataset"]))
        known[key] = "; ".join(filter(None, [known.get(key), stays(row)]))
    return [known.get(key, "-") for key in zip(part.rows["id"], part.rows["claim"], part.rows["data"], strict=True)]
