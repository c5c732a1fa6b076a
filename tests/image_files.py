"""Image data sets as files: the official archives and the hubs' Parquet, of a few images, and how the tests read them."""

import hashlib
import io
import pickle
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from learner_collusion.data import images

SIZES = {"train": 50, "test": 10}


def source(**changes) -> images.Source:
    return images.Source(**{"source": "cifar", "missing": "fail", "md5": {}, "retries": 0, "timeout": 1} | changes)


def expected(**changes) -> images.Expected:
    return images.Expected(**{"source": "cifar", "classes": 10, **SIZES, "content_sha256": None} | changes)


def both(dataset, output, mirror, given=None, checked=None) -> str:
    """Both stages: the tar beside `output`, and the .npz; what `fetch` says."""
    raw = Path(output).with_suffix(".tar")
    where = images.fetch(dataset, given or source(), raw, str(mirror) if mirror else None)
    assert images.prepare(dataset, checked or expected(), raw, output)
    return where


def cifar_archive(arrays, path, classes: int = 10):
    """A tar.gz in the layout of the official Python archives."""
    name, key = ("data_batch_{}", b"labels") if classes == 10 else ("train", b"fine_labels")

    def batch(x, y):
        return pickle.dumps({b"data": x.transpose(0, 3, 1, 2).reshape(len(x), -1), key: y.tolist()}, 2)

    x, y = arrays["train"]
    parts = np.array_split(np.arange(len(x)), 5) if classes == 10 else [np.arange(len(x))]
    members = {name.format(i + 1): batch(x[rows], y[rows]) for i, rows in enumerate(parts)}
    members |= {"test_batch" if classes == 10 else "test": batch(*arrays["test"]), "batches.meta": b"not a pickle"}
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for member, content in members.items():
            info = tarfile.TarInfo(f"cifar/{member}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return hashlib.md5(path.read_bytes()).hexdigest()


def hub_parquet(arrays, folder, label="label", kind="WEBP", order=None):
    folder.mkdir(parents=True, exist_ok=True)
    for part, (x, y) in arrays.items():
        rows = np.arange(len(x)) if order is None else order.permutation(len(x))
        encoded = []
        for image in x[rows]:
            memory = io.BytesIO()
            Image.fromarray(image).save(memory, kind, **({"lossless": True} if kind == "WEBP" else {}))
            encoded.append({"bytes": memory.getvalue(), "path": None})
        pq.write_table(pa.table({"img": encoded, label: y[rows]}), folder / f"{part}.parquet")
