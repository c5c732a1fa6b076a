"""The classes of a set's pictures: of their folders or of a file of labels; the same in both splits, and those that are known.

Each mistake in a layout is one sentence, with the steps that mend it.
"""

import re
from itertools import pairwise
from pathlib import Path

from torchvision.datasets.folder import IMG_EXTENSIONS

from ..errors import UserError
from ..wording import counted, listed
from . import picture_labels
from .picture_files import SPLITS, Found, Layout

_TRAIN_STEM = re.compile(r"(n\d{8})_\d+")


def sort(dataset: str, source: Path, layout: Layout) -> list[Found]:
    """The pictures with their classes, sorted by split, class and name. UserError where the layout is not right."""
    by_split = {split: [p for p in layout.pictures if p.split == split] for split in SPLITS}
    _refuse_broken(dataset, layout)
    for split, other in (SPLITS, SPLITS[::-1]):
        if not by_split[split]:
            raise UserError(
                f"{source} has {'no' if not by_split[other] else f'{other} but no'} pictures of {split}"
                f"{_only_others(layout, split)}: put {split}/<class>/ or ILSVRC2012_img_{split}.tar beside {other}."
            )
    flat = [p.path for p in by_split["train"] if p.wnid is None]
    if flat:
        raise UserError(
            f"train in {source} has {counted(len(flat), 'picture')} in no class folder: {listed(flat)}; move each into "
            "train/<class>/, which is the first part of its name in ImageNet."
        )
    by_split["val"] = _labelled(source, by_split["val"], layout.place("val"))
    _same_classes(source, layout, by_split)
    _as_named(by_split)
    pictures = [
        p for split in SPLITS for p in sorted(by_split[split], key=lambda p: (p.wnid, picture_labels.stem(p.name), p))
    ]
    _refuse_twice(source, pictures)
    return pictures


def _refuse_broken(dataset: str, layout: Layout) -> None:
    if layout.broken:
        raise UserError(
            f"{dataset} has {counted(len(layout.broken), 'link')} to nowhere: {listed(layout.broken)}; put the pictures where the "
            "links point to, or remove the links."
        )
    if layout.unequal:
        raise UserError(
            f"{dataset} has {counted(len(layout.unequal), 'class')} whose folder and tar hold other pictures: "
            f"{listed(layout.unequal)}; unpack each of these tars again, or remove the tar or the folder."
        )


def _only_others(layout: Layout, split: str) -> str:
    """What lies there in place of pictures, such as those of another format."""
    starts = (f"{split}/", f"{split}.tar: ", f"ILSVRC2012_img_{split}.tar: ")
    others = [path for path in layout.others if path.startswith(starts)]
    if not others:
        return ""
    return (
        f", only {counted(len(others), 'other file')} ({listed(others, 3)}; pictures are {', '.join(IMG_EXTENSIONS)})"
    )


def _refuse_twice(source: Path, pictures: list[Found]) -> None:
    """A tar may hold a class as a folder and as a tar, or a member twice."""
    twice = [p.path for p, following in pairwise(pictures) if p[:3] == following[:3]]
    if twice:
        raise UserError(
            f"{source} has {counted(len(twice), 'picture')} more than once: {listed(twice)}; make the tar anew with one of each."
        )


def _labelled(source: Path, pictures: list[Found], place: str) -> list[Found]:
    """Validation pictures, which lie at `place`, with their classes: of their folders, or where they lie flat of a file of
    labels."""
    flat = sum(p.wnid is None for p in pictures)
    if 0 < flat < len(pictures):
        raise UserError(
            f"{place} in {source} has {flat:,} of its {len(pictures):,} pictures in no class folder: sort all, or none, into "
            "val/<class>/."
        )
    found = picture_labels.read(source)
    if found is not None:
        _as_known(*found)
    if not flat:
        if found is not None:
            _compare(pictures, *found)
        return pictures
    if found is None:
        raise UserError(
            f"{place} in {source} has {counted(flat, 'picture')} without class folders, and nothing says their classes: put "
            f"{picture_labels.DEVKIT} (image-net.org) or {picture_labels.KAGGLE} (Kaggle) beside train and val, not in them, or sort them into "
            "val/<class>/."
        )
    name, labels = found
    stems = [picture_labels.stem(p.name) for p in pictures]
    unknown = [s for s in stems if s not in labels]
    if unknown or len(labels) != len(pictures):
        raise UserError(
            f"{name} has {counted(len(labels), 'label')} for the {counted(flat, 'picture')} of val"
            + f", and none for {listed(unknown)}" * bool(unknown)
            + ": complete val, or fetch the file of labels again."
        )
    return [p._replace(wnid=labels[s]) for p, s in zip(pictures, stems, strict=True)]


def _as_known(name: str, labels: dict[str, str]) -> None:
    """A file of labels against the pictures whose class is known: where they differ, it is the file that is wrong."""
    present = set(labels.values())
    wrong = [
        f"{stem} ({labels[stem]}, not {own})"
        for stem, own in picture_labels.known().items()
        if own in present and labels.get(stem, own) != own
    ]
    if wrong:
        raise UserError(
            f"{name} gives {counted(len(wrong), 'picture')} of val another class than known: {listed(wrong)}; fetch "
            f"{picture_labels.KAGGLE if name == picture_labels.KAGGLE else picture_labels.DEVKIT} again."
        )


def _compare(pictures: list[Found], name: str, labels: dict[str, str]) -> None:
    """Class folders against a file of labels that lies beside them."""
    wrong = [p for p in pictures if labels.get(picture_labels.stem(p.name), p.wnid) != p.wnid]
    if wrong:
        lines = [f"{p.path} (of {labels[picture_labels.stem(p.name)]})" for p in wrong]
        raise UserError(
            f"val has {counted(len(wrong), 'picture')} in another class than {name} says: {listed(lines)}; {_SORT}."
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
            f"val in {source} is sorted by numbers ({listed(sorted(only))}), and train by {min(classes['train'])} and so on: {_SORT}."
        )
    for split in SPLITS:
        empty = layout.tops(split) - classes[split] - {None}
        if empty:
            raise UserError(
                f"{split} in {source} has {counted(len(empty), 'class')} without pictures: {listed(sorted(empty))}; complete or "
                "remove them."
            )
    for split, other in (SPLITS, SPLITS[::-1]):
        lacking = classes[other] - classes[split]
        if lacking:
            raise UserError(
                f"{split} in {source} lacks {counted(len(lacking), 'class')} of {other}: {listed(sorted(lacking))}; "
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
                f"{split} has {counted(len(wrong), 'picture')} in another class than known: {listed(wrong)}; "
                + (_SORT if split == "val" else "move each into the class that its name begins with")
                + "."
            )
