"""ImageNet and sets of pictures in its layout: checked, and indexed for training, which reads them where they lie.

`train/<wnid>/`, and `val/` as `val/<wnid>/` or flat with a file of labels; folders, or tars of them, the official ones
included. What is wrong with a layout is said before the first job, with the steps that mend it: a flat `val/`, or one in another
order, trains as well as a right one, and ends at the accuracy of chance.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from ..records import parquet
from ..records.pictures import PICTURES
from . import picture_checks, picture_labels
from .picture_checks import Checked
from .picture_files import SPLITS, Found, Layout, find
from .registry import MIRROR_VARIABLE
from .sources import folder_with

_TRAIN_STEM = re.compile(r"(n\d{8})_\d+")
_SHOWN = 10  # how many names a message lists


@dataclass(frozen=True)
class Pictures:
    """Where a set lies, and what it must hold. `folder`: of train/ and val/ or their tars, from here or below the mirror;
    `file`: a tar of both, below the mirror; with neither, the mirror's folder of the set's name. `train`, `val`: how many
    pictures (None: any)."""

    folder: str | None
    file: str | None
    classes: int
    train: int | None
    val: int | None
    missing: Literal["fail", "leave_out"]


def prepare(dataset: str, settings: Pictures, output: str | Path, mirror: str | None, made=None) -> str:
    """Check a set of pictures, write its index to `output` with who `made` it, and return a line that describes it.

    Errors: UserError, one sentence with the steps that mend it, where the pictures are not there (and `missing` is fail) or
    are not what a set must be.
    """
    source = _source(dataset, settings, mirror)
    if source is None:
        reason = _missing(dataset, settings, mirror)
        if settings.missing == "fail":
            raise UserError(f"{dataset} is not available: {reason}; {_steps(dataset, settings)}.")
        parquet.write(output, {n: [] for n in PICTURES.names}, PICTURES, {"dataset": dataset, "missing": reason}, made)
        return f"{dataset}: not available ({reason}); left out. To include it, {_steps(dataset, settings)}"
    layout = find(source)
    pictures = sort(dataset, settings, source, layout)
    checked = picture_checks.check(layout.root, pictures, dataset, lambda line: print(line, flush=True))
    if checked.wrong:
        raise UserError(
            f"{dataset} has {_count(len(checked.wrong), 'picture')} that cannot be read: {_some(checked.wrong)}; fetch them again, "
            "or remove them and correct the counts in the configuration."
        )
    _refuse_copies(dataset, pictures, checked.seen)
    wnids = sorted({picture.wnid for picture in pictures})
    write(output, dataset, layout.root, wnids, pictures, checked, made)
    return _describe(dataset, source, wnids, pictures, layout, checked)


def write(
    output: str | Path,
    dataset: str,
    root: Path,
    wnids: list[str],
    pictures: Sequence[Found],
    checked: Checked,
    made=None,
) -> None:
    """Write the index; the same bytes for the same pictures at the same place."""
    labels = {wnid: label for label, wnid in enumerate(wnids)}
    columns = {
        **{name: [getattr(p, name) for p in pictures] for name in ("split", "path", "archive", "offset", "size")},
        "label": [labels[picture.wnid] for picture in pictures],
        "width": [one.width for one in checked.seen],
        "height": [one.height for one in checked.seen],
    }
    metadata = {
        "dataset": dataset,
        "root": str(root.resolve()),
        "wnids": wnids,
        "notes": dict(checked.notes),
        "content_sha256": content(pictures, checked.seen),
    }
    parquet.write(output, columns, PICTURES, metadata, made)


def content(pictures: Sequence[Found], seen: list) -> str:
    """SHA-256 of what the set holds, wherever it lies: of each picture split, class, stem, length and first bytes."""
    digest = hashlib.sha256()
    for picture, one in zip(pictures, seen, strict=True):
        digest.update(f"{picture.split}/{picture.wnid}/{picture_labels.stem(picture.name)}\n".encode() + one.digest)
    return digest.hexdigest()


def _source(dataset: str, settings: Pictures, mirror: str | None) -> Path | None:
    """The folder or the tar of a set; None where it is not there."""
    wanted = settings.folder or settings.file or dataset
    for place in (Path(wanted).expanduser(), *([Path(mirror, wanted)] if mirror else [])):
        if (settings.folder or settings.file or place.is_absolute()) and place.exists():
            return place
    if settings.file and mirror:
        folder = folder_with(mirror, settings.file)
        return None if folder is None else folder / settings.file
    return None


def _missing(dataset: str, settings: Pictures, mirror: str | None) -> str:
    """Why; without the paths of this machine, since records repeat it."""
    if wanted := settings.folder or settings.file:
        name = Path(wanted).name if Path(wanted).is_absolute() else wanted
        return f"{name} does not exist here" + " or below the mirror" * bool(mirror)
    return f"no folder is set, and {f'the mirror has no {dataset}/' if mirror else 'there is no mirror'}"


def _steps(dataset: str, settings: Pictures) -> str:
    return (
        f"set imagenet.datasets.{dataset}.{'file' if settings.file and not settings.folder else 'folder'} in the configuration "
        f"to where its train and val are, or put it below a folder and set {MIRROR_VARIABLE} to that"
    )


def sort(dataset: str, settings: Pictures, source: Path, layout: Layout) -> list[Found]:
    """The pictures with their classes, sorted by split, class and name. UserError where the layout is not right."""
    by_split = {split: [p for p in layout.pictures if p.split == split] for split in SPLITS}
    if layout.broken:
        raise UserError(
            f"{dataset} has {_count(len(layout.broken), 'link')} to nowhere: {_some(layout.broken)}; put the pictures where the "
            "links point to, or remove the links."
        )
    for split, other in (SPLITS, SPLITS[::-1]):
        if not by_split[split]:
            raise UserError(
                f"{source} has {'no' if not by_split[other] else f'{other} but no'} pictures of {split}: put "
                f"{split}/<class>/ or ILSVRC2012_img_{split}.tar beside {other}."
            )
    flat = [p.path for p in by_split["train"] if p.wnid is None]
    if flat:
        raise UserError(
            f"train in {source} has {_count(len(flat), 'picture')} in no class folder: {_some(flat)}; move each into "
            "train/<class>/, which is the first part of its name in ImageNet."
        )
    by_split["val"] = _labelled(source, by_split["val"])
    _same_classes(source, layout, by_split)
    _as_named(by_split)
    for split in SPLITS:
        wanted, found = getattr(settings, split), len(by_split[split])
        if wanted not in (None, found):
            raise UserError(
                f"{source} has {found:,} pictures of {split}, not {wanted:,}: complete it, or set "
                f"imagenet.datasets.{dataset}.{split} in the configuration."
            )
    classes = len({p.wnid for p in by_split["train"]})
    if classes != settings.classes:
        raise UserError(
            f"{source} has {_count(classes, 'class')}, not {settings.classes:,}: complete it, or set "
            f"imagenet.datasets.{dataset}.classes in the configuration."
        )
    return [
        p for split in SPLITS for p in sorted(by_split[split], key=lambda p: (p.wnid, picture_labels.stem(p.name), p))
    ]


def _labelled(source: Path, pictures: list[Found]) -> list[Found]:
    """Validation pictures with their classes: of their folders, or where they lie flat of a file of labels."""
    flat = sum(p.wnid is None for p in pictures)
    if 0 < flat < len(pictures):
        raise UserError(
            f"val in {source} has {flat:,} of its {len(pictures):,} pictures in no class folder: sort all, or none, into "
            "val/<class>/."
        )
    found = picture_labels.read(source)
    if not flat:
        if found is not None:
            _compare(pictures, *found)
        return pictures
    if found is None:
        raise UserError(
            f"val in {source} has {_count(flat, 'picture')} without class folders, and nothing says their classes: put "
            f"{picture_labels.DEVKIT} (image-net.org) or {picture_labels.KAGGLE} (Kaggle) beside train and val, or sort them into "
            "val/<class>/."
        )
    name, labels = found
    stems = [picture_labels.stem(p.name) for p in pictures]
    unknown = [s for s in stems if s not in labels]
    if unknown or len(labels) != len(pictures):
        raise UserError(
            f"{name} has {_count(len(labels), 'label')} for the {_count(flat, 'picture')} of val"
            + f", and none for {_some(unknown)}" * bool(unknown)
            + ": complete val, or fetch the file of labels again."
        )
    return [p._replace(wnid=labels[s]) for p, s in zip(pictures, stems, strict=True)]


def _compare(pictures: list[Found], name: str, labels: dict[str, str]) -> None:
    """Class folders against a file of labels that lies beside them."""
    wrong = [p for p in pictures if labels.get(picture_labels.stem(p.name), p.wnid) != p.wnid]
    if wrong:
        lines = [f"{p.path} (of {labels[picture_labels.stem(p.name)]})" for p in wrong]
        raise UserError(
            f"val has {_count(len(wrong), 'picture')} in another class than {name} says: {_some(lines)}; {_SORT}."
        )


_SORT = (
    "sort val anew by the wnids of the devkit's meta.mat, whose numbers are not the sorted order of the wnids, or by Kaggle's "
    "LOC_val_solution.csv"
)


def _same_classes(source: Path, layout: Layout, by_split: dict[str, list[Found]]) -> None:
    """All classes are in both splits, and none is empty."""
    classes = {split: {p.wnid for p in pictures} for split, pictures in by_split.items()}
    only = classes["val"] - classes["train"]
    if only and all(re.fullmatch(r"\d{1,4}", name) for name in classes["val"]):
        raise UserError(
            f"val in {source} is sorted by numbers ({_some(sorted(only))}), and train by {min(classes['train'])} and so on: {_SORT}."
        )
    for split in SPLITS:
        empty = layout.folders.get(split, set()) - classes[split]
        if empty:
            raise UserError(
                f"{split} in {source} has {_count(len(empty), 'class')} without pictures: {_some(sorted(empty))}; complete or "
                "remove them."
            )
    for split, other in (SPLITS, SPLITS[::-1]):
        lacking = classes[other] - classes[split]
        if lacking:
            raise UserError(
                f"{split} in {source} lacks {_count(len(lacking), 'class')} of {other}: {_some(sorted(lacking))}; "
                "both need the same class folders."
            )


def _as_named(by_split: dict[str, list[Found]]) -> None:
    """The names of ImageNet's training pictures begin with their class; of some of its validation pictures it is known."""
    known = picture_labels.known()
    present = {p.wnid for p in by_split["train"]}
    for split, pictures in by_split.items():
        wrong = []
        for p in pictures:
            stem = picture_labels.stem(p.name)
            match = _TRAIN_STEM.fullmatch(stem)
            own = match[1] if match else known.get(stem)
            if own not in (None, p.wnid) and (match or own in present):
                wrong.append(f"{p.path} (of {own})")
        if wrong:
            raise UserError(
                f"{split} has {_count(len(wrong), 'picture')} in another class than known: {_some(wrong)}; "
                + (_SORT if split == "val" else "move each into the class that its name begins with")
                + "."
            )


def _refuse_copies(dataset: str, pictures: list[Found], seen: list) -> None:
    """A val that is a copy of train, or a part of it, measures nothing."""
    digests: dict[str, set[bytes]] = {split: set() for split in SPLITS}
    for picture, one in zip(pictures, seen, strict=True):
        digests[picture.split].add(one.digest)
    if digests["val"] <= digests["train"]:
        raise UserError(
            f"All pictures of val in {dataset} are in train as well: give val pictures that are not trained on."
        )


def _describe(
    dataset: str, source: Path, wnids: list[str], pictures: list[Found], layout: Layout, checked: Checked
) -> str:
    counts = Counter(picture.split for picture in pictures)
    parts = [
        f"{dataset}: {counts['train']:,} + {counts['val']:,} pictures of {len(wnids):,} classes, read from {source}"
    ]
    for note, words in picture_checks.NOTES.items():
        names = [p.path for p, one in zip(pictures, checked.seen, strict=True) if note in one.notes]
        if names:
            parts.append(f"{len(names):,} {words} ({_some(names, 3)})")
    if layout.others:
        parts.append(
            f"{len(layout.others):,} other files left aside ({_some([os.path.basename(o) for o in layout.others], 3)})"
        )
    return "; ".join(parts)


def _some(names: Sequence[str], most: int = _SHOWN) -> str:
    return ", ".join(names[:most]) + f" and {len(names) - most:,} more" * (len(names) > most)


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + ("es" if what.endswith("ss") else "s") * (number != 1)
