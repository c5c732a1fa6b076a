"""CIFAR-10 and CIFAR-100: the official Python archive, else, from the mirror, Parquet as data hubs serve it."""

import io
import pickle

import numpy as np

from ..errors import UserError
from ..files import read_regular
from . import archives, sources

_LABELS = {"cifar10": b"labels", "cifar100": b"fine_labels"}
_PARTS = ("train", "test")


def fetch(dataset: str, settings, mirror: str | None) -> tuple[str, dict[str, bytes]]:
    """The archive from its origin or the mirror; else the mirror's <dataset>/{train,test}.parquet."""
    from torchvision.datasets import CIFAR10, CIFAR100

    if dataset not in _LABELS:
        raise UserError(f"The source cifar has {' and '.join(_LABELS)}, not {dataset!r}: rename the data set.")
    official = CIFAR10 if dataset == "cifar10" else CIFAR100
    try:
        where, archive = sources.original(
            official.url, official.filename, official.tgz_md5, mirror, settings.retries, settings.timeout
        )
        return where, {official.filename: archive}
    except sources.Unavailable as reason:
        folder = sources.folder_with(mirror, f"{dataset}/train.parquet")
        if folder is None:
            raise sources.Unavailable(f"{reason}, nor {dataset}/train.parquet") from None
    files = {}
    for part in _PARTS:
        path = folder / dataset / f"{part}.parquet"
        if not path.is_file():
            raise UserError(f"{path} does not exist: complete the mirror.")
        files[path.name] = read_regular(path)
    return "Parquet files of the mirror", files


def read(dataset: str, settings, files: dict[str, bytes]) -> tuple[tuple, tuple]:
    """Training and test images with their labels, in the order of the files."""
    if "train.parquet" in files:
        return tuple(_parquet(dataset, part, getattr(settings, part), files[f"{part}.parquet"]) for part in _PARTS)
    try:
        (archive,) = files.values()
        return _archive(archive, _LABELS[dataset])
    except MemoryError:
        raise
    except Exception as error:  # a pickle that was made to do harm raises anything
        raise UserError(
            f"The archive of {dataset} is damaged ({error}): fetch the original, or another copy."
        ) from None


def _archive(archive: bytes, label: bytes) -> tuple[tuple, tuple]:
    batches: dict[str, dict[str, dict]] = {part: {} for part in _PARTS}
    for name, content in archives.in_tar(archive):
        part = "test" if name.startswith("test") else "train" if name.startswith(("data_batch", "train")) else None
        if part and name in batches[part]:
            raise archives.Refused(f"it has two files {name}")
        if part:
            batches[part][name] = _Unpickler(io.BytesIO(content), encoding="bytes").load()
    arrays = []
    for part in _PARTS:
        ordered = [batch for _, batch in sorted(batches.pop(part).items())]
        x = np.concatenate([batch[b"data"] for batch in ordered]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        y = np.concatenate([np.asarray(batch[label], np.int64) for batch in ordered])
        arrays.append((np.ascontiguousarray(x), y))
    return tuple(arrays)


# By their full names: other modules of NumPy have functions of these names, or import what they like.
_ADMITTED = {
    *((f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")),
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"),
}  # fmt: skip


class _Unpickler(pickle.Unpickler):
    """Only what the CIFAR archives hold: NumPy arrays, lists and bytes."""

    def find_class(self, module: str, name: str):
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _parquet(dataset: str, part: str, count: int, content: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Columns `img.bytes` or `image.bytes`, in a format of FORMATS, and `label` or `fine_label`: `count` rows. Nothing of another
    size is decoded."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    from .picture_bytes import FORMATS

    def pixels(data: bytes) -> np.ndarray:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if image.size != (32, 32):
                raise ValueError(f"a picture has {image.width} x {image.height} pixels, not 32 x 32")
            return np.asarray(image.convert("RGB"))

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        rows, names = file.metadata.num_rows, file.schema_arrow.names
        if rows != count:
            raise ValueError(f"it has {rows:,} rows, not {count:,}")
        label = next(name for name in ("label", "fine_label") if name in names)
        image = "img" if "img" in names else "image"
        table = file.read(columns=[image, label])
        y = table.column(label).to_numpy().astype(np.int64)
        x = np.stack([pixels(data.as_py()) for data in table.column(image).combine_chunks().field("bytes")])
    except Exception as error:  # pyarrow and Pillow raise a dozen kinds
        why = " ".join(str(error).split()) or "columns"
        raise UserError(
            f"{dataset}/{part}.parquet is damaged, or is not a table of images and labels ({why}): fetch it again."
        ) from None
    return x, y
