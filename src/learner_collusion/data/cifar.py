"""CIFAR-10 and CIFAR-100: the official Python archive, else, from the mirror, Parquet as data hubs serve it."""

import io
import pickle
import tarfile

import numpy as np

from ..errors import UserError
from . import sources

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
        files[path.name] = path.read_bytes()
    return "Parquet files of the mirror", files


def read(dataset: str, settings, files: dict[str, bytes]) -> tuple[tuple, tuple]:
    """Training and test images with their labels, in the order of the files."""
    if "train.parquet" in files:
        return tuple(_parquet(dataset, f"{part}.parquet", files) for part in _PARTS)
    try:
        (archive,) = files.values()
        return _archive(archive, _LABELS[dataset])
    except (tarfile.TarError, pickle.UnpicklingError, EOFError, KeyError, ValueError, OSError) as error:
        raise UserError(
            f"The archive of {dataset} is damaged ({error}): fetch the original, or another copy."
        ) from None


def _archive(archive: bytes, label: bytes) -> tuple[tuple, tuple]:
    batches: dict[str, dict[str, dict]] = {part: {} for part in _PARTS}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.rsplit("/", 1)[-1]
            part = "test" if name.startswith("test") else "train" if name.startswith(("data_batch", "train")) else None
            if part and member.isfile():
                batches[part][name] = _Unpickler(tar.extractfile(member), encoding="bytes").load()
    arrays = []
    for part in _PARTS:
        ordered = [batch for _, batch in sorted(batches.pop(part).items())]
        x = np.concatenate([batch[b"data"] for batch in ordered]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        y = np.concatenate([np.asarray(batch[label], np.int64) for batch in ordered])
        arrays.append((np.ascontiguousarray(x), y))
    return tuple(arrays)


class _Unpickler(pickle.Unpickler):
    """Only what the CIFAR archives hold: NumPy arrays, lists and bytes."""

    def find_class(self, module: str, name: str):
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module, name)
        if (module, name) == ("_codecs", "encode"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")


def _parquet(dataset: str, name: str, files: dict[str, bytes]) -> tuple[np.ndarray, np.ndarray]:
    """Columns `img.bytes` or `image.bytes`, in any format that Pillow reads, and `label` or `fine_label`."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image, UnidentifiedImageError

    try:
        table = pq.read_table(pa.BufferReader(files[name]))
        labels = [label for label in ("label", "fine_label") if label in table.column_names]
        column = table.column("img" if "img" in table.column_names else "image").combine_chunks().field("bytes")
        y = table.column(labels[0]).to_numpy().astype(np.int64)
        x = np.stack([np.asarray(Image.open(io.BytesIO(data.as_py())).convert("RGB")) for data in column])
    except (pa.ArrowException, OSError, KeyError, IndexError, ValueError, UnidentifiedImageError):
        raise UserError(
            f"{dataset}/{name} is damaged, or is not a table of images and labels: fetch it again."
        ) from None
    return x, y
