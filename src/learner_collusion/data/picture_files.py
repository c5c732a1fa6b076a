"""Where the pictures of ImageNet lie: folders, tars, and tars of tars, with class folders or flat.

Nothing is unpacked: a picture in a tar is known by the place of its bytes there.
"""

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from torchvision.datasets.folder import IMG_EXTENSIONS

from ..errors import UserError
from ..files import check_regular

SPLITS = ("train", "val")
_DEEPEST = 3  # tars within tars: the official archive has two levels
_LEVELS = 4  # below the folder that is given, as in Kaggle's ILSVRC/Data/CLS-LOC
_NOT_IN = {"train", "val", "test", "Annotations"}  # where no other copy, and no labels, are looked for


class Found(NamedTuple):
    """A picture: its class (the name of its folder; None where there is none), its name below that, and its bytes, as in
    `records.pictures`."""

    split: str
    wnid: str | None
    name: str
    path: str
    archive: str
    offset: int
    size: int


@dataclass
class Layout:
    """What lies in `root`: pictures, folders by split (the parts of their places below it), files that are no pictures, links
    that lead nowhere. Tars beside the folders that they were unpacked to are left `aside`; `packed` are folders without pictures
    whose tars are read in their place, `unequal` classes whose folder and tar hold other pictures. `outer`: the folder of a
    split that holds all of it and is no class."""

    root: Path
    pictures: list[Found] = field(default_factory=list)
    folders: dict[str, set[tuple[str, ...]]] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    aside: list[str] = field(default_factory=list)
    packed: list[str] = field(default_factory=list)
    unequal: list[str] = field(default_factory=list)
    outer: dict[str, str] = field(default_factory=dict)

    def add(self, split: str, parts: tuple[str, ...], path: str, archive: str = "", offset: int = 0, size: int = 0):
        """Note a file whose place below its split is `parts`; a link in a tar has -1 bytes."""
        if len(parts) > 1 and not _hidden(parts[0]):
            self.folders.setdefault(split, set()).add(parts[:-1])
        if any(map(_hidden, parts)) or not parts[-1].lower().endswith(IMG_EXTENSIONS):
            self.others.append(_named(path, archive))
            return
        if size < 0:
            self.broken.append(_named(path, archive))
            return
        wnid = parts[0] if len(parts) > 1 else None
        self.pictures.append(Found(split, wnid, "/".join(parts[len(parts) > 1 :]), path, archive, offset, size))

    def take(self, other: "Layout") -> None:
        """Add what another layout of the same root holds."""
        for name in ("pictures", "others", "broken", "aside", "packed", "unequal"):
            getattr(self, name).extend(getattr(other, name))
        for split, folders in other.folders.items():
            self.folders.setdefault(split, set()).update(folders)

    def place(self, split: str) -> str:
        """Where the classes of a split lie, or its pictures."""
        return "/".join([split, *filter(None, [self.outer.get(split)])])

    def nested(self, split: str) -> bool:
        """Whether pictures lie in folders of folders of a split."""
        return any("/" in p.name for p in self.pictures if p.split == split)

    def tops(self, split: str) -> set[str | None]:
        """The class folders of a split, empty ones too; with None where pictures lie in no folder."""
        return {f[0] for f in self.folders.get(split, ())} | {p.wnid for p in self.pictures if p.split == split}


def find(source: Path) -> Layout:
    """All pictures of a folder, or of a tar. UserError where there are none, or in several places, or what cannot be read."""
    try:
        return _find(source)
    except OSError as error:
        raise UserError(f"{error.filename or source} cannot be read ({error.strerror}): correct that.") from None


def _find(source: Path) -> Layout:
    layout = _in_folder(source) if source.is_dir() else _in_tar(source)
    for split, other in (SPLITS, SPLITS[::-1]):
        _leave_outer(layout, split, other)
    return layout


def _in_tar(source: Path) -> Layout:
    layout = Layout(source.parent)
    for split in SPLITS:
        if _is_tar_of(source.name, split):
            _read_tar(layout, source, split)
            return layout
    _read_tar(layout, source, None)
    return layout


def _in_folder(source: Path) -> Layout:
    places = list(_places(source, _LEVELS))
    if not places:
        raise UserError(
            f"{source} holds neither train/ and val/ nor their tars: give the folder that holds train/<class>/ and val/, or "
            "ILSVRC2012_img_train.tar and ILSVRC2012_img_val.tar; a tar of both splits is given as `file`."
        )
    if len(places) > 1:
        raise UserError(f"{source} holds the pictures more than once ({places[0]} and {places[1]}): give one of them.")
    layout = Layout(places[0])
    for split in SPLITS:
        _read_split(layout, split)
    return layout


def _leave_outer(layout: Layout, split: str, other: str) -> None:
    """Leave out a folder that lies between a split and its classes: val/val/<class>/, val/images/*.JPEG, a prefix in a tar.

    A split has two classes at least. So its one folder is none, unless it is a class of the other split: then the rest of this
    one is missing; or the one class of both splits, which is too few.
    """
    while len(top := layout.tops(split)) == 1 and None not in top:
        if top <= layout.tops(other) and (top != layout.tops(other) or not layout.nested(split)):
            return
        layout.outer[split] = "/".join([*filter(None, [layout.outer.get(split)]), *top])
        layout.folders[split] = {f[1:] for f in layout.folders.get(split, ()) if len(f) > 1}
        layout.pictures = [_inner(p) if p.split == split else p for p in layout.pictures]


def _inner(picture: Found) -> Found:
    """A picture without the first folder of its place."""
    first, slash, rest = picture.name.partition("/")
    return picture._replace(wnid=first, name=rest) if slash else picture._replace(wnid=None)


def _places(folder: Path, levels: int) -> Iterator[Path]:
    """The folders at or below `folder` that hold a split."""
    names = sorted(os.listdir(folder))
    if any((folder / split).is_dir() for split in SPLITS) or any(_is_tar_of(n, s) for n in names for s in SPLITS):
        yield folder
        return
    for name in names if levels else ():
        if not _hidden(name) and name not in _NOT_IN and (folder / name).is_dir():
            yield from _places(folder / name, levels - 1)


def beside(source: Path, names: tuple[str, ...]) -> dict[str, Path]:
    """The files of these names at or below the folder `source`, or in the folder of the tar `source`; the first of each."""
    found: dict[str, Path] = {}
    folder, levels = (source, _LEVELS) if source.is_dir() else (source.parent, 0)
    for parent, folders, files in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(f for f in folders if depth < levels and f not in _NOT_IN and not _hidden(f))
        for name in names:
            if name in files:
                check_regular(Path(parent, name))
                found.setdefault(name, Path(parent, name))
    return found


def _named(path: str, archive: str) -> str:
    return f"{archive}: {path}" if archive else path


def _is_tar_of(name: str, split: str) -> bool:
    return name in (f"ILSVRC2012_img_{split}.tar", f"{split}.tar")


def _hidden(name: str) -> bool:
    """What macOS and Windows leave behind: .DS_Store, ._x.JPEG, __MACOSX, Thumbs.db."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db")


def _read_split(layout: Layout, split: str) -> None:
    """The folder of a split; where there is none, or one without pictures, the tar beside it or in it."""
    folder, own = layout.root / split, Layout(layout.root)
    tars = [path for path in sorted(layout.root.iterdir()) if _is_tar_of(path.name, split)]
    if folder.is_dir():
        inside = [path for path in sorted(folder.glob("*.tar")) if path.is_file() and not _hidden(path.name)]
        tars += [path for path in inside if _is_tar_of(path.name, split)]  # moved there before it was unpacked
        _read_folder(own, split, folder, (), (os.path.realpath(layout.root),))
        _read_class_tars(own, split, [path for path in inside if path not in tars])
    if not (own.pictures or own.broken) and tars:
        if folder.is_dir():
            layout.packed.append(split)
            own.folders.clear()  # made by a script that did not go on
        _read_tar(own, tars.pop(0), split)
    own.aside += [str(path.relative_to(layout.root)) for path in tars]
    layout.take(own)


def _read_folder(layout: Layout, split: str, folder: Path, parts: tuple[str, ...], above: tuple[str, ...]) -> None:
    """Note the files of a folder and of those in it, but no tars of classes."""
    real = os.path.realpath(folder)
    if real in above:
        raise UserError(f"{folder} is a link to a folder that it lies in: remove it.")
    if parts:
        layout.folders.setdefault(split, set()).add(parts)
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            inner = (*parts, entry.name)
            path = str(Path(entry.path).relative_to(layout.root))
            if _hidden(entry.name):
                layout.others.append(path)
            elif entry.is_dir():
                _read_folder(layout, split, Path(entry.path), inner, (*above, real))
            elif not entry.is_file():
                layout.broken.append(path)
            elif parts or not entry.name.endswith(".tar"):
                layout.add(split, inner, path, size=entry.stat().st_size)


def _read_class_tars(layout: Layout, split: str, tars: list[Path]) -> None:
    """Read the tars of classes in the folder of a split, which was unpacked once; not those that were unpacked again."""
    unpacked: dict[str | None, list[Found]] = {}
    for picture in layout.pictures:
        unpacked.setdefault(picture.wnid, []).append(picture)
    for path in tars:
        wnid, own = path.name.removesuffix(".tar"), Layout(layout.root)
        _read_tar(own, path, split, (wnid,))
        here, there = (sorted(Path(p.name).stem for p in some) for some in (unpacked.get(wnid, []), own.pictures))
        if here and here != there:
            layout.unequal.append(f"{split}/{wnid} ({len(here):,}, and {len(there):,} in {path.name})")
        elif here:
            layout.aside.append(str(path.relative_to(layout.root)))
        else:
            if (wnid,) in layout.folders.get(split, ()):
                layout.packed.append(f"{split}/{wnid}")
            layout.take(own)


def _read_tar(layout: Layout, path: Path, split: str | None, below: tuple[str, ...] = ()) -> None:
    """Note the members of a tar of one split, or for None of one that holds folders train and val; their class is
    `below`."""
    archive = str(path.relative_to(layout.root))
    check_regular(path)
    try:
        with open(path, "rb") as file:
            for parts, member, offset, size in _members(file, 0, path.stat().st_size, ()):
                here, rest = _split_of(parts, split)
                if here is None:
                    layout.others.append(_named(member, archive))
                else:
                    layout.add(here, (*below, *rest), member, archive, offset, size)
    except tarfile.ReadError as error:
        with open(path, "rb") as file:
            packed = file.read(2) in (b"\x1f\x8b", b"BZ", b"\xfd7", b"PK")
        what = "is compressed: unpack it, or make it a plain tar" if packed else f"is damaged ({error}): copy it anew"
        raise UserError(f"{path} {what}.") from None


def _members(
    file, start: int, end: int, above: tuple[str, ...], depth: int = 1
) -> Iterator[tuple[tuple[str, ...], str, int, int]]:
    """(parts of its place, name, offset, bytes) of each file in the tar that begins at `start`; a tar in it counts as a
    folder. A link has -1 bytes."""
    if depth > _DEEPEST:
        raise tarfile.ReadError(f"it holds tars more than {_DEEPEST} deep")
    file.seek(start)
    with tarfile.open(fileobj=file, mode="r:") as tar:
        for member in tar:
            tar.members = []  # tarfile would keep all of them
            parts = (*above, *(part for part in Path(member.name).parts if part not in (".", "/")))
            name = "/".join(parts)
            if member.isdir() or not parts:
                continue
            if member.offset_data + member.size > end:
                raise tarfile.ReadError(f"it ends within {name}")
            if not member.isreg() or member.issparse():  # whose bytes do not lie there as they are
                yield parts, name, 0, -1
            elif parts[-1].endswith(".tar"):
                inner = (*parts[:-1], parts[-1].removesuffix(".tar"))
                yield from _members(file, member.offset_data, member.offset_data + member.size, inner, depth + 1)
            else:
                yield parts, name, member.offset_data, member.size


def _split_of(parts: tuple[str, ...], split: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The split of a member, and its place below it."""
    for position, part in enumerate(parts[:-1]):
        for known in SPLITS if split is None else (split,):
            if part in (known, f"ILSVRC2012_img_{known}"):
                return known, parts[position + 1 :]
    return split, parts
