"""CIFAR-10, CIFAR-100 and SVHN: official archives, or Parquet as data hubs serve it, to one .npz of uint8 images.

A data set that cannot be had is either an error, or an .npz without images that says why, so that the figures of the
others can be made: its panels are then left out by name.
"""

import hashlib
import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import UserError
from ..files import replacing
from .sources import MIRROR_VARIABLE, Unavailable, download, find

Arrays = tuple[np.ndarray, np.ndarray]  # uint8 (n, 32, 32, 3), int64 (n,)
ARRAYS = ("train_x", "train_y", "test_x", "test_y")


def prepare(dataset: str, settings: dict, output: str, mirror: str | None) -> str:
    """Write `output`, an .npz with train_x, train_y, test_x and test_y, and return where the images came from.

    `settings`: source (cifar, svhn or digits), classes, train and test (numbers of images), content (checksum of all
    images and labels, in whatever order they come; None for any), missing ("fail", or "leave_out"), timeout. Errors:
    UserError for an archive that is damaged or another one, for a wrong shape, and for data that cannot be had.
    """
    try:
        where, train, test = _READERS[settings["source"]](dataset, settings, mirror)
    except Unavailable as reason:
        hint = f"put its archives into a folder and set {MIRROR_VARIABLE} to it"
        if settings["missing"] == "fail":
            raise UserError(f"{dataset} cannot be had: {reason}; {hint}.") from None
        # records and figures repeat it: without the folder's place on this machine
        words = str(reason).replace(f"the mirror {mirror}", "the mirror")
        write(output, {}, {"dataset": dataset, "missing": words})
        return f"nowhere ({reason}); its panels will be left out. To have it, {hint}, and delete {output}"
    for part, (x, y) in (("train", train), ("test", test)):
        count = settings[part]
        if x.shape != (count, 32, 32, 3) or y.shape != (count,) or y.min() < 0 or y.max() >= settings["classes"]:
            raise UserError(
                f"{dataset} from {where} has another shape: {part} {x.shape} and labels {y.shape}, not {count} images of "
                "32 x 32 x 3; fetch the original files, or another copy of them."
            )
    found = content(train, test)
    if settings["content"] not in (None, found):
        raise UserError(
            f"{dataset} from {where} holds other images than it should (content {found[:12]}..., not "
            f"{settings['content'][:12]}...): fetch the original files, or another copy of them."
        )
    write(output, dict(zip(ARRAYS, (*train, *test), strict=True)), {"dataset": dataset, "content": found})
    return where


def content(train: Arrays, test: Arrays) -> str:
    """SHA-256 over the sorted checksums of all images, each with its label and part: the order does not count."""
    digests = [
        hashlib.sha256(part + int(label).to_bytes(2, "little") + image.tobytes()).digest()
        for part, (x, y) in ((b"train", train), (b"test", test))
        for image, label in zip(x, y, strict=True)
    ]
    return hashlib.sha256(b"".join(sorted(digests))).hexdigest()


def write(output: str, arrays: dict[str, np.ndarray], description: dict) -> None:
    """An .npz without dates, so that the same images give the same bytes."""
    with replacing(output) as beside, zipfile.ZipFile(beside, "w") as archive:
        archive.writestr(zipfile.ZipInfo("description.json"), json.dumps(description, sort_keys=True))
        for name, array in arrays.items():
            memory = io.BytesIO()
            np.lib.format.write_array(memory, np.ascontiguousarray(array), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), memory.getvalue())


def read(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The description, and the arrays (none where the data set is missing); UserError where the file is not whole."""
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read("description.json"))
        if "missing" in description:
            return description, {}
        with np.load(path, allow_pickle=False) as arrays:
            return description, {name: arrays[name] for name in ARRAYS}
    except FileNotFoundError:
        raise UserError(f"{path} is not there: run the workflow to make it.") from None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        raise UserError(f"{path} is damaged: delete it and run again to make it anew.") from None


def _cifar(dataset: str, settings: dict, mirror: str | None) -> tuple[str, Arrays, Arrays]:
    """The archive of the origin; else, of the mirror, the archive under its name, or <dataset>/{train,test}.parquet."""
    from torchvision.datasets import CIFAR10, CIFAR100

    official = CIFAR10 if dataset == "cifar10" else CIFAR100
    try:
        where, archive = _archive(official.url, official.filename, official.tgz_md5, settings, mirror)
    except Unavailable as reason:
        folder = _folder(mirror, f"{dataset}/train.parquet")
        if folder is None:
            raise Unavailable(f"{reason}, nor {dataset}/train.parquet") from None
        return f"Parquet in {folder / dataset}", *(
            _parquet(folder / dataset / f"{p}.parquet") for p in ("train", "test")
        )
    label = b"labels" if dataset == "cifar10" else b"fine_labels"
    parts: dict[str, list[tuple[str, dict]]] = {"train": [], "test": []}
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar.getmembers():
                name = member.name.rsplit("/", 1)[-1]
                part = (
                    "test" if name.startswith("test") else "train" if name.startswith(("data_batch", "train")) else None
                )
                if part and member.isfile():
                    parts[part].append((name, _Unpickler(tar.extractfile(member), encoding="bytes").load()))
        arrays = []
        for part in ("train", "test"):
            batches = [batch for _, batch in sorted(parts[part], key=lambda pair: pair[0])]
            x = np.concatenate([batch[b"data"] for batch in batches]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            arrays.append((np.ascontiguousarray(x), np.concatenate([np.asarray(b[label], np.int64) for b in batches])))
    except (tarfile.TarError, pickle.UnpicklingError, EOFError, KeyError, ValueError) as error:
        raise UserError(
            f"The archive of {dataset} is damaged ({error}): fetch the original, or another copy."
        ) from None
    return where, *arrays


class _Unpickler(pickle.Unpickler):
    """Only what the CIFAR archives hold: NumPy arrays, lists and bytes."""

    def find_class(self, module: str, name: str):
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _parquet(path: Path) -> Arrays:
    """Columns `img.bytes`, in any format that Pillow reads, and `label` or `fine_label`."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image, UnidentifiedImageError

    try:
        table = pq.read_table(path)
        names = [name for name in ("label", "fine_label") if name in table.column_names]
        column = table.column("img" if "img" in table.column_names else "image").combine_chunks().field("bytes")
        labels = table.column(names[0]).to_numpy().astype(np.int64)
        images = np.stack([np.asarray(Image.open(io.BytesIO(b)).convert("RGB")) for b in column.to_pylist()])
    except FileNotFoundError:
        raise UserError(f"{path} is not there: complete the mirror.") from None
    except (pa.ArrowInvalid, pa.ArrowIOError, OSError, KeyError, IndexError, ValueError, UnidentifiedImageError):
        raise UserError(f"{path} is damaged, or no table of images and labels: fetch it again.") from None
    return images, labels


def _svhn(dataset: str, settings: dict, mirror: str | None) -> tuple[str, Arrays, Arrays]:
    """The two .mat files of the cropped digits; class 10 is the digit 0."""
    from scipy.io import loadmat
    from torchvision.datasets import SVHN

    arrays, where = [], ""
    for part in ("train", "test"):
        url, name, md5 = SVHN.split_list[part]
        where, file = _archive(url, name, settings["md5"].get(part, md5), settings, mirror)
        try:
            known = loadmat(io.BytesIO(file))
            x, y = known["X"].transpose(3, 0, 1, 2), known["y"].astype(np.int64).reshape(-1)
        except Exception as error:  # scipy raises a dozen kinds
            raise UserError(f"{name} is damaged ({error}): fetch the original, or another copy.") from None
        arrays.append((np.ascontiguousarray(x), np.where(y == 10, 0, y)))
    return where, *arrays


def _digits(dataset: str, settings: dict, mirror: str | None) -> tuple[str, Arrays, Arrays]:
    """scikit-learn's handwritten digits, 8 x 8 grey, each pixel as 4 x 4 of three equal channels; every fifth is a test
    image."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = (digits.images * (255 / 16)).round().astype(np.uint8)
    x = np.repeat(grey.repeat(4, 1).repeat(4, 2)[..., None], 3, 3)
    y, test = digits.target.astype(np.int64), np.arange(len(grey)) % 5 == 0
    return "scikit-learn", (x[~test], y[~test]), (x[test], y[test])


_READERS: dict[str, Callable] = {"cifar": _cifar, "svhn": _svhn, "digits": _digits}


def _archive(url: str, name: str, md5: str, settings: dict, mirror: str | None) -> tuple[str, bytes]:
    """The file from its origin, else from the mirror. UserError where what is there is not the official file."""
    try:
        found, where = download(url, name, settings["retries"], settings["timeout"]), url
    except Unavailable as reason:
        try:
            found, where = find(mirror, name), "the mirror"
        except Unavailable as second:
            raise Unavailable(f"{reason}, and {second}") from None
    if hashlib.md5(found, usedforsecurity=False).hexdigest() != md5:
        raise UserError(f"{name} from {where} is damaged or another file (wrong MD5): fetch the original again.")
    return where, found


def _folder(mirror: str | None, name: str) -> Path | None:
    """The folder below the mirror that holds `name`, which may have a folder in front."""
    for parent, _, _ in os.walk(mirror or os.devnull):
        if Path(parent, name).is_file():
            return Path(parent)
    return None
