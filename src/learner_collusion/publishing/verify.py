"""Compare new results with the published ones, number by number: "N of N numbers and verdicts identical", or what differs.

Results that PyTorch trained, where there is no native engine, agree within rounding for as long as training stops in the
same epoch. Where a rounding error lets it stop in another one, all numbers of that run and beta move. So there all verdicts
have to be the same, and of each file's numbers a stated share within a tolerance (docs/reproducibility.md has what was
measured).

Example: learner-collusion verify runs/verify/results docs/gallery
"""

import csv
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import UserError

# Claims of the theory measure rounding errors, which no two machines share: there the verdict counts.
_ROUNDING = "theory"
# Numbers that say which row it is, and words beside the numbers.
_COORDINATES = {"beta", "run", "evaluation", "epoch", "drop_rate", "learners", "learner"}
_WORDS = {"claim", "measures", "note", "threshold", "effect"}
# Counts of the claims that are compared as numbers.
_COUNTS = {"on_its_side", "survives"}
# By relative tolerance, the share of each file's numbers that has to lie within it where PyTorch trained.
_TORCH = {0.1: 0.7, 1e-3: 0.5}


class Difference(NamedTuple):
    """A number or verdict that is not the published one; None where one of the two lacks it."""

    file: str
    place: str
    published: float | str | None
    found: float | str | None

    def size(self) -> float:
        """The difference over the larger of the two; infinite where there is no such number."""
        pair = (self.published, self.found)
        if not all(isinstance(value, float) and math.isfinite(value) for value in pair):
            return math.inf
        return abs(self.published - self.found) / max(abs(self.published), abs(self.found))


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("results", type=Path, help="the folder that the workflow wrote, such as runs/verify/results")
    parser.add_argument("gallery", type=Path, help="the published results, such as docs/gallery")
    parser.add_argument(
        "--tolerance",
        type=float,
        help="the relative difference that still counts as the same (default: 0; for results of PyTorch a wider one, which "
        "is told)",
    )


def run(options) -> int:
    """Compare, and print file by file; 1 unless all agree."""
    wanted = {options.tolerance or 0.0: 1.0}
    if not 0 <= next(iter(wanted)) < 1:
        raise UserError(f"--tolerance is {options.tolerance}: give a share from 0 to below 1, such as 1e-4.")
    if options.tolerance is None and (points := by_torch(options.results, options.gallery)):
        wanted = _TORCH
        shares = " and ".join(f"{share:.0%} within {tolerance:g} (relative)" for tolerance, share in wanted.items())
        print(
            f"PyTorch trained these results, with {points}: all verdicts have to be the published ones, and of the numbers "
            f"in each file {shares}."
        )
    return max(_report(options, tolerance, share) for tolerance, share in wanted.items())


def _report(options, tolerance: float, share: float) -> int:
    """Print what lies within the tolerance; 1 where a file has less of it than its share, or another verdict."""
    counts, differences = compare(options.results, options.gallery, tolerance)
    different = Counter(difference.file for difference in differences)
    width = max(map(len, counts))
    for file, count in counts.items():
        print(f"  {file:{width}}  {count - different[file]:6,} of {count:6,}")
    total, word = sum(counts.values()), "identical" if not tolerance else f"within {tolerance:g}"
    print(f"{total - len(differences):,} of {total:,} numbers and verdicts {word}.")
    if differences:
        worst = max(differences, key=Difference.size)
        print(
            f"The largest difference (relative {worst.size():.2g}) is in {worst.file}, {worst.place}: published "
            f"{_text(worst.published)}, found {_text(worst.found)}."
        )
    if verdicts := sum(one.place.endswith(", verdict") for one in differences):
        print(f"Verdicts that differ: {verdicts}.")
    return int(verdicts > 0 or any(different[file] > (1 - share) * count for file, count in counts.items()))


def by_torch(results: Path, gallery: Path) -> str:
    """From which hyper-parameters PyTorch trained the tabular results; empty where the native engine trained all of them."""
    from ..records import parquet

    ours, theirs = ({}, {})
    for path, found in ((results / "records/tabular.parquet", ours), (gallery / "tabular.parquet", theirs)):
        if path.exists():
            found |= {
                name: one.get("training", {}) for name, one in parquet.read_metadata(path, published=True).items()
            }
    if all(one.get("engine") == "native" for one in ours.values()):
        return ""
    published = all(
        one.get("hyperparameters") == theirs.get(name, {}).get("hyperparameters") for name, one in ours.items()
    )
    return "the published hyper-parameters" if published else "hyper-parameters of its own"


def compare(results: Path, gallery: Path, tolerance: float = 0.0) -> tuple[dict[str, int], list[Difference]]:
    """How many numbers each published file holds, and those that differ.

    Rows are matched by their names (data set, run, beta, metric; the claim and what it is judged on), whatever their
    order. Errors: UserError where the gallery holds nothing to compare.
    """
    counts, differences = {}, []
    for published, found in _pairs(results, gallery):
        old, new = _values(published), _values(found) if found.exists() else {}
        name = published.relative_to(gallery).as_posix()
        places = [*old, *(place for place in new if place not in old)]
        if places:  # Figure 7 has none
            counts[name] = len(places)
        differences += [
            Difference(name, place, old.get(place), new.get(place))
            for place in places
            if not _same(old.get(place), new.get(place), tolerance)
        ]
    if not counts:
        raise UserError(f"{gallery} holds no records, claims or numbers of figures: give the folder of a gallery.")
    return counts, differences


def _pairs(results: Path, gallery: Path) -> Iterator[tuple[Path, Path]]:
    """The published files and their new counterparts."""
    for path in sorted(gallery.glob("*.parquet")):
        if path.stem != "claims":  # the parts hold the same rows
            yield path, results / "records" / path.name
    for path in sorted(gallery.glob("claims/*.parquet")):
        yield path, results / "claims" / path.name
    for path in sorted(gallery.glob("fig*.csv")):
        yield path, results / "figures" / path.name


def _values(path: Path) -> dict[str, float | str]:
    """The numbers and verdicts of a file, by what their row is about and the name of their column."""
    if path.suffix == ".csv":
        with open(path, newline="", encoding="utf-8") as file:
            rows = [{name: _plain(text) for name, text in row.items()} for row in csv.DictReader(file)]
    else:
        from ..records import parquet

        rows = parquet.read(path, published=True).to_dict("records")
    found: dict[str, float | str] = {}
    seen: Counter[str] = Counter()
    for row in rows:
        row |= {name: float(row[name]) for name in _COUNTS if name in row}
        compared = [name for name, value in row.items() if name == "verdict" or isinstance(value, float)]
        compared = [name for name in compared if name not in _COORDINATES]
        about = ", ".join(f"{name} {row[name]}" for name in row if name not in (*compared, *_WORDS))
        seen[about] += 1
        if seen[about] > 1:  # several rows of the same name: in their order
            about += f", number {seen[about]}"
        for name in compared:
            if row.get("part") != _ROUNDING or name == "verdict":
                found[f"{about}, {name}"] = row[name]
    return found


def _plain(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _same(one, other, tolerance: float) -> bool:
    if one == other:
        return True
    if not (isinstance(one, float) and isinstance(other, float)):
        return False
    return (math.isnan(one) and math.isnan(other)) or Difference("", "", one, other).size() <= tolerance


def _text(value: float | str | None) -> str:
    return "nothing" if value is None else f"{value!r}"
