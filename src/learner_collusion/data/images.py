"""Image data sets: the original files in one tar, then checked and unpacked to one .npz of uint8 images.

A data set that is not available is either an error, or a tar and an .npz without images that say why, so that the figures
of the others can be made: its panels are then left out by name.
"""

import hashlib
import importlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from ..errors import UserError
from ..files import replacing
from . import image_arrays
from .registry import IMAGE_SOURCES
from .sources import MIRROR_VARIABLE, Unavailable

Arrays = tuple[np.ndarray, np.ndarray]  # uint8 (n, 32, 32, 3), int64 (n,)
_DESCRIPTION = "description.json"


@dataclass(frozen=True)
class Source:
    """Where the files come from: an entry of IMAGE_SOURCES, MD5 sums that replace the official ones, and what to do where
    they are missing; `timeout` in seconds."""

    source: str
    missing: Literal["fail", "leave_out"]
    retries: int
    timeout: float
    md5: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Expected:
    """What the files must hold: the numbers of classes, training and test images, and the checksum (None for any)."""

    source: str
    classes: int
    train: int
    test: int
    content_sha256: str | None


def fetch(dataset: str, settings: Source, output: str | Path, mirror: str | None) -> str:
    """Write the original files and a description to the tar `output`, and return a line that says where they came from.

    Errors: UserError for a file that is not the official one, and for one that is not available where `missing` is fail.
    """
    hint = f"put its files into a folder and set {MIRROR_VARIABLE} to it"
    try:
        where, files = _module(settings.source).fetch(dataset, settings, mirror)
    except Unavailable as reason:
        if settings.missing == "fail":
            raise UserError(f"{dataset} is not available: {reason}; {hint}.") from None
        # records and figures repeat it: without the folder's path on this machine
        words = str(reason).replace(f"the mirror {mirror}", "the mirror")
        _write_tar(output, {"dataset": dataset, "missing": words}, {})
        return f"not available ({reason}); its panels will be left out. To include it, {hint}, and delete {output}"
    _write_tar(output, {"dataset": dataset, "from": where}, files)
    return f"from {where}"


def prepare(dataset: str, settings: Expected, raw: str | Path, output: str | Path, made=None) -> str:
    """Write the .npz `output`, which says who `made` it, from the tar `raw`; a line that says where the images came from.

    Errors: UserError for damaged or other files, and for wrong shapes, labels or content.
    """
    description, files = _read_tar(raw)
    if description["dataset"] != dataset:
        raise UserError(f"{raw} holds {description['dataset']}, not {dataset}: delete it and fetch again.")
    if "missing" in description:
        image_arrays.write(output, {}, description, made)
        return f"not available ({description['missing']}); its panels will be left out"
    where = description["from"]
    train, test = _module(settings.source).read(dataset, settings, files)
    del files
    for part, (x, y) in (("train", train), ("test", test)):
        count = getattr(settings, part)
        if x.dtype != np.uint8:
            raise UserError(
                f"{dataset} from {where} has {part} images of {x.dtype}, not of 8 bits; fetch the original files, or another copy of "
                "them."
            )
        if x.shape != (count, 32, 32, 3) or y.shape != (count,):
            raise UserError(
                f"{dataset} from {where} has another shape: {part} {x.shape} and labels {y.shape}, not {count} images of "
                "32 x 32 x 3; fetch the original files, or another copy of them."
            )
        if y.min() < 0 or y.max() >= settings.classes:
            raise UserError(
                f"{dataset} from {where} has {part} labels from {y.min()} to {y.max()}, not from 0 to "
                f"{settings.classes - 1}; fetch the original files, or another copy of them."
            )
    checksum = content(train, test)
    if settings.content_sha256 not in (None, checksum):
        raise UserError(
            f"{dataset} from {where} holds other images than expected (content {checksum[:12]}..., not "
            f"{settings.content_sha256[:12]}...): fetch the original files, or another copy of them."
        )
    arrays = dict(zip(image_arrays.ARRAYS, (*train, *test), strict=True))
    image_arrays.write(output, arrays, {"dataset": dataset, "content_sha256": checksum}, made)
    return f"from {where}"


def content(train: Arrays, test: Arrays) -> str:
    """SHA-256 over the sorted checksums of all images, each with its label and part: the order does not count."""
    digests = [
        hashlib.sha256(part + int(label).to_bytes(2, "little") + image.tobytes()).digest()
        for part, (x, y) in ((b"train", train), (b"test", test))
        for image, label in zip(x, y, strict=True)
    ]
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def _module(source: str):
    if source not in IMAGE_SOURCES:
        raise UserError(f"The image source {source!r} is unknown: choose one of {', '.join(IMAGE_SOURCES)}.")
    return importlib.import_module(f"{__package__}.{IMAGE_SOURCES[source]}")


def _write_tar(output: str | Path, description: dict, files: dict[str, bytes]) -> None:
    """The same files give the same bytes: TarInfo has neither date nor owner."""
    about = {_DESCRIPTION: json.dumps(description, sort_keys=True).encode()}
    with replacing(output) as beside, tarfile.open(beside, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (about | files).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def _read_tar(raw: str | Path) -> tuple[dict, dict[str, bytes]]:
    try:
        with tarfile.open(raw, "r:") as tar:
            files = {entry.name: tar.extractfile(entry).read() for entry in tar if entry.isfile()}
        return json.loads(files.pop(_DESCRIPTION)), files
    except FileNotFoundError:
        raise UserError(f"{raw} does not exist: run the workflow to fetch it.") from None
    except (tarfile.TarError, KeyError, ValueError, OSError):
        raise UserError(f"{raw} is damaged: delete it and fetch again.") from None
