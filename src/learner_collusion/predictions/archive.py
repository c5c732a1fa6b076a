"""NumPy archives (.npz): arrays `predictions`, `targets`, and the names `rows`, `learners`, `classes` or `outputs`."""

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import UserError
from .files import listed
from .predicted import Predicted, names_of

_LARGEST = 1 << 30  # bytes of the arrays of a file that is packed more densely than numbers ever are
_DENSEST = 100
_NAMES = ("predictions", "targets", "rows", "learners", "classes", "outputs")


def read_archive(path: Path, target: str, alone: bool = False) -> Predicted:
    """The arrays of a file; with `alone` one of targets, without predictions.

    Errors: UserError for a damaged or pickled file, for names and shapes that do not fit.
    """
    arrays = _arrays(path)
    names = {"targets": target if target in arrays else "targets"}
    known = {names.get(name, name) for name in _NAMES}
    if unknown := [name for name in arrays if name not in known]:
        raise UserError(f"{path} holds arrays called {listed(unknown)}: name them as it takes them, {listed(_NAMES)}.")
    if "predictions" not in arrays and not alone:
        raise UserError(f"{path} holds {listed(list(arrays))}, and no array called 'predictions'.")
    values, targets = None if alone else arrays["predictions"], arrays.get(names["targets"])
    if alone and targets is None:
        raise UserError(f"{path} holds {listed(list(arrays))}, and no array called 'targets'.")
    outputs = None
    if values is not None:
        values, outputs = _checked(path, values, arrays)
    rows = arrays.get("rows")
    count = len(targets if values is None else values)
    for name in ("targets", "rows"):
        array = arrays.get(names.get(name, name))
        if array is not None and array.dtype.kind not in "biufUS" + "M" * (name == "rows"):
            raise UserError(
                f"{path} holds {name} of the type {array.dtype}, which are neither numbers nor words: write them as such."
            )
        if array is not None and (array.ndim == 0 or len(array) != count or (name == "rows" and array.ndim > 1)):
            shape = (
                ""
                if values is None
                else f" The order of predictions is (rows, learners, classes), here {values.shape}."
            )
            raise UserError(
                f"{path} has mixed lengths: predictions for {count:,} rows, and {name} of shape {array.shape}.{shape}"
            )
    if targets is not None and targets.ndim == 2 and targets.shape[1] == 1:
        targets = targets[:, 0]
    if targets is not None and targets.dtype.kind in "US":
        targets = targets.astype(str).astype(object)
    if targets is not None and targets.dtype.kind == "b":
        targets = targets.astype(np.int64)
    learners = [str(k) for k in range(values.shape[1])] if values is not None else []
    return Predicted(
        path,
        values,
        [str(name) for name in arrays["learners"]] if "learners" in arrays and not alone else learners,
        names_of(pd.Series(rows), path, "rows").rename("rows") if rows is not None else None,
        outputs,
        targets,
        classes=True if "classes" in arrays else False if "outputs" in arrays else None,
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > max(_LARGEST, _DENSEST * path.stat().st_size):
            raise UserError(f"{path} unpacks to {unpacked:,} bytes, far more than predictions would: write it again.")
        with np.load(path, allow_pickle=False) as file:
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise ValueError("no archive")
            arrays = {}
            for name in file.files:
                try:
                    arrays[name] = file[name]
                except ValueError:
                    raise UserError(
                        f"{path} holds the array {name!r} as a pickle, which could run any code: save arrays of numbers or of "
                        f"fixed-length words, numpy.savez(..., {name}=numpy.array(..., dtype=float)) or dtype=str."
                    ) from None
            return arrays
    except UserError:
        raise
    except (
        Exception
    ):  # zipfile, zlib and NumPy raise a dozen kinds; MemoryError where a damaged header has a large shape
        raise UserError(f"{path} is not a complete NumPy archive: write it with numpy.savez.") from None


def _checked(path: Path, values: np.ndarray, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, list[str] | None]:
    """Predictions (rows, learners, outputs), and the names of the outputs."""
    if values.dtype.kind not in "fiu":
        raise UserError(f"{path} holds predictions of the type {values.dtype}, which are no numbers.")
    if values.ndim not in (2, 3) or 0 in values.shape:
        raise UserError(
            f"{path} holds predictions of shape {values.shape}: give (rows, learners) or (rows, learners, classes)."
        )
    several = values.ndim == 3 and values.shape[2] > 1
    values = values.reshape(*values.shape[:2], -1)
    values = values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)
    name = "outputs" if "outputs" in arrays else "classes"
    outputs = [str(k) for k in arrays.get(name, range(values.shape[2]))] if several else None
    sizes = {"learners": values.shape[1], name: values.shape[2] if several else 1}
    for key, size in sizes.items():
        found = arrays.get(key)
        if found is not None and (found.shape != (size,) or len(set(map(str, found))) < size):
            raise UserError(
                f"{path} names {found.size} {key} (shape {found.shape}), but its predictions {values.shape} have {size}: give "
                "each one name of its own."
            )
    return values, outputs
