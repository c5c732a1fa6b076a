"""One cell of the image experiments: its data, its training, its history; and all histories put together."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from . import records
from .datasets import images
from .seeds import generator


def train_cell(
    path: str, cell: dict, settings: dict, hardware: dict, history: str, checkpoint: str | None = None
) -> None:
    """Train one cell on the images at `path` and write its history; goes on from `checkpoint` where there is one.

    Where the data set could not be had, the history is empty and its metadata say why. Errors: as `training.images.train`.
    """
    description, arrays = images.read(path)
    metadata = {
        "cell": cell,
        "settings": settings,
        "precision": hardware["precision"],
        "provenance": records.provenance("torch", "torchvision"),
    }
    if "missing" in description:
        records.write(history, _empty(), records.IMAGE_HISTORY, metadata | {"missing": description["missing"]})
        print(f"{cell['dataset']} could not be had: this cell is left out.", flush=True)
        return
    from .training import images as training

    arrays = {name: _subset(array, name, cell, settings) for name, array in arrays.items()}
    dataset = settings["dataset"]
    data = training.Images(**arrays, classes=dataset["classes"], mean=dataset["mean"], std=dataset["std"])
    kept = Path(checkpoint) if checkpoint else None
    found = training.train(data, cell, settings, hardware, kept)
    metadata |= {"best_epoch": found.best_epoch, "diverged": found.diverged, "convolution": found.convolution}
    records.write(history, _rows(found, training.SPLITS, training.SUMS), records.IMAGE_HISTORY, metadata)
    if kept is not None:
        kept.unlink(missing_ok=True)


def _subset(array: np.ndarray, name: str, cell: dict, settings: dict) -> np.ndarray:
    """A random part of the training or the test images, the same for every cell; all of them at the paper's settings."""
    count = settings["protocol"]["subset"][name.split("_")[0]]
    if count is None or count >= len(array):
        return array
    order = generator(settings["seed"], cell["dataset"], name.split("_")[0], "subset").permutation(len(array))
    return array[order[:count]]


def _empty() -> dict:
    return {name: [] for name in records.IMAGE_HISTORY.names}


def _rows(found, splits: tuple[str, ...], sums: tuple[str, ...]) -> dict:
    columns = _empty()

    def add(epoch: int, split: str, metric: str, learner: int, value: float) -> None:
        for name, entry in zip(records.IMAGE_HISTORY.names, (epoch, split, metric, learner, value), strict=True):
            columns[name].append(entry)

    for epoch, by_split in enumerate(found.values, 1):
        for split, values in zip(splits, by_split, strict=True):
            if np.isnan(values).all():
                continue
            for metric, value in zip(sums, values, strict=False):
                add(epoch, split, metric, -1, float(value))
            for learner, value in enumerate(values[len(sums) :]):
                add(epoch, split, "accuracy", learner, float(value))
    if found.best_epoch:
        add(found.best_epoch, "validation", "best", -1, 1.0)
    if found.diverged:
        add(found.diverged, "train", "diverged", -1, 1.0)
    return columns


def aggregate(histories: list[str], output: str) -> None:
    """All cells in one table; the metadata list the data sets that could not be had, each with the reason."""
    tables, missing, settings = [], {}, {}
    for path in histories:
        table = records.read(path, records.IMAGE_HISTORY)
        known = records.metadata_of(table)
        cell = known["cell"]
        settings[cell["protocol"]] = known["settings"]
        if "missing" in known:
            missing[cell["dataset"]] = known["missing"]
        columns = {
            name: pa.array([cell[name]] * table.num_rows, records.IMAGES.field(name).type)
            for name in records.IMAGE_CELL
        }
        columns |= {name: table.column(name) for name in records.IMAGE_HISTORY.names}
        tables.append(pa.table(columns, schema=records.IMAGES))
    metadata = {
        "missing": missing,
        "settings": settings,
        "provenance": records.provenance("torch", "torchvision"),
    }
    records.write(output, pa.concat_tables(tables), records.IMAGES, metadata)
