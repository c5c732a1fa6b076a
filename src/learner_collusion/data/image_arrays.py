"""The .npz of a prepared image data set: what training needs of it."""

import json
import zipfile
from pathlib import Path

import numpy as np

from .. import seals
from ..errors import UserError
from ..files import replacing

ARRAYS = ("train_x", "train_y", "test_x", "test_y")  # uint8 (n, 32, 32, 3), int64 (n,)


def write(output: str | Path, arrays: dict[str, np.ndarray], description: dict, made=None) -> None:
    """An .npz without dates, so that the same images give the same bytes; sealed, and with who `made` it."""
    if made is not None:
        description = description | {"made": made.at(output)}
    with replacing(output) as beside:
        with zipfile.ZipFile(beside, "w") as archive:
            archive.writestr(zipfile.ZipInfo("description.json"), json.dumps(description, sort_keys=True))
            for name, array in arrays.items():
                entry = zipfile.ZipInfo(f"{name}.npy")
                # straight into the archive: no second copy in memory
                with archive.open(entry, "w", force_zip64=array.nbytes > 1 << 30) as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
        seals.seal_zip(beside)


def read(path: str | Path) -> tuple[dict, dict[str, np.ndarray]]:
    """The description, and the arrays (none where the data set is missing); UserError where the file is damaged."""
    try:
        if not seals.zip_seal(path)[1]:
            raise ValueError("no seal that fits")
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read("description.json"))
        if "missing" in description:
            return description, {}
        with np.load(path, allow_pickle=False) as arrays:
            return description, {name: arrays[name] for name in ARRAYS}
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: run the workflow to make it.") from None
    except (zipfile.BadZipFile, KeyError, ValueError, OSError):
        raise UserError(f"{path} is damaged: delete it and run again to make it anew.") from None


def subset(array: np.ndarray, count: int | None, generator: np.random.Generator) -> np.ndarray:
    """`count` random rows, in random order; the array itself where it has no more, or for None.

    Images and their labels match where both are drawn by generators in the same state.
    """
    if count is None or count >= len(array):
        return array
    return array[generator.permutation(len(array))[:count]]
