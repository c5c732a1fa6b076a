"""ImageNet and sets of pictures in its layout: checked, and indexed for training, which reads them where they lie.

`train/<wnid>/`, and `val/` as `val/<wnid>/` or flat with a file of labels; folders, or tars of them, the official ones
included. What is wrong with a layout is said before the first job, with the steps that mend it: a flat `val/`, or one in another
order, trains as well as a right one, and ends at the accuracy of chance.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import UserError
from ..records import parquet
from ..records.pictures import PICTURES
from ..wording import counted, listed
from . import picture_checks, picture_labels
from .picture_checks import Checked
from .picture_classes import sort
from .picture_files import SPLITS, Found, Layout, find
from .registry import MIRROR_VARIABLE
from .sources import folder_with

_SHARED = 0.1  # of val, at most, may be in train as well: real sets have a few such pictures, and ImageNet, too


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
    pictures = sort(dataset, source, layout)
    _as_declared(dataset, settings, source, pictures)
    checked = picture_checks.check(layout.root, pictures, dataset, lambda line: print(line, flush=True))
    if checked.wrong:
        raise UserError(
            f"{dataset} has {counted(len(checked.wrong), 'picture')} that cannot be read: {listed(checked.wrong)}; fetch them again, "
            "or remove them and correct the counts in the configuration."
        )
    shared = _shared(dataset, layout.root, pictures, checked)
    wnids = sorted({picture.wnid for picture in pictures})
    write(output, dataset, layout.root, wnids, pictures, checked, made)
    return _describe(dataset, source, wnids, pictures, layout, checked, shared)


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


def _as_declared(dataset: str, settings: Pictures, source: Path, pictures: list[Found]) -> None:
    """As many pictures and classes as the configuration says."""
    splits = Counter(p.split for p in pictures)
    numbers = {s: (splits[s], getattr(settings, s), f"{counted(splits[s], 'picture')} of {s}") for s in SPLITS}
    classes = len({p.wnid for p in pictures})
    numbers["classes"] = classes, settings.classes, counted(classes, "class")
    for key, (found, wanted, words) in numbers.items():
        if wanted not in (None, found):
            raise UserError(
                f"{source} has {words}, not {wanted:,}: "
                f"{'complete it' if found < wanted else 'remove what does not belong to it'}, or set "
                f"imagenet.datasets.{dataset}.{key} in the configuration."
            )


def _shared(dataset: str, root: Path, pictures: list[Found], checked: Checked) -> list[str]:
    """The pictures of val that are in train as well: with many of them, val measures what was learned by heart."""
    shared = [p.path for p in picture_checks.shared(root, pictures, checked.seen)]
    total = sum(p.split == "val" for p in pictures)
    if len(shared) > _SHARED * total:
        raise UserError(
            f"{len(shared):,} of the {total:,} pictures of val in {dataset} are in train as well: {listed(shared)}; give val "
            "pictures that are not trained on."
        )
    return shared


def _describe(
    dataset: str,
    source: Path,
    wnids: list[str],
    pictures: list[Found],
    layout: Layout,
    checked: Checked,
    shared: list[str],
) -> str:
    counts = Counter(picture.split for picture in pictures)
    parts = [
        f"{dataset}: {counts['train']:,} + {counts['val']:,} pictures of {len(wnids):,} classes, read from {source}"
    ]
    for note, words in picture_checks.NOTES.items():
        names = [p.path for p, one in zip(pictures, checked.seen, strict=True) if note in one.notes]
        if names:
            parts.append(f"{len(names):,} {words} ({listed(names, 3)})")
    if shared:
        parts.append(f"{counted(len(shared), 'picture')} of val in train as well ({listed(shared, 3)})")
    parts += _how_read(layout)
    return "; ".join(parts)


def _how_read(layout: Layout) -> list[str]:
    """What else lies there, and where pictures were read that do not lie as they should."""
    parts = [f"{split} read from {layout.place(split)}" for split in layout.outer]
    if layout.packed:
        parts.append(
            f"{counted(len(layout.packed), 'folder')} without pictures read from tars ({listed(layout.packed, 3)})"
        )
    if layout.aside:
        parts.append(f"{counted(len(layout.aside), 'tar')} left aside for what lies beside ({listed(layout.aside, 3)})")
    if layout.others:
        parts.append(
            f"{len(layout.others):,} other files left aside ({listed([os.path.basename(o) for o in layout.others], 3)})"
        )
    return parts
