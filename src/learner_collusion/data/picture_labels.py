"""The classes of ImageNet's validation pictures where they lie flat: from its devkit, or from Kaggle's table."""

import csv
import io
import re
import tarfile
import zlib
from pathlib import Path

from ..errors import UserError
from .picture_files import beside

KAGGLE = "LOC_val_solution.csv"
TRUTH, META = "ILSVRC2012_validation_ground_truth.txt", "meta.mat"
DEVKIT = "ILSVRC2012_devkit_t12.tar.gz"
_LARGEST = 1 << 26  # bytes of a file of the devkit; its largest has 2 MB
# Of ten classes, which some validation pictures show: as Imagenette, whose pictures keep their names, sorts them.
KNOWN = {
    "n01440764": (293, 2138, 3014),
    "n02102040": (665, 1968, 2294),
    "n02979186": (557, 2034, 3944),
    "n03000684": (537, 4034, 4262),
    "n03028079": (3351, 3682, 4912),
    "n03394916": (957, 1492, 3587),
    "n03417042": (1144, 2210, 2434),
    "n03425413": (732, 1432, 2049),
    "n03445777": (2314, 3793, 6468),
    "n03888257": (1440, 2508, 2665),
}
_STEM = "ILSVRC2012_val_{:08d}"


def known() -> dict[str, str]:
    """The class of some validation pictures, by their stems."""
    return {_STEM.format(number): wnid for wnid, numbers in KNOWN.items() for number in numbers}


def read(source: Path) -> tuple[str, dict[str, str]] | None:
    """The name of the file of labels at or below a folder, or beside a tar, and the class of each validation picture by its
    stem; None where there is no such file. Errors: UserError where it is damaged, or is half of the devkit."""
    found = beside(source, (KAGGLE, TRUTH, META, DEVKIT))
    if KAGGLE in found:
        return KAGGLE, _kaggle(found[KAGGLE])
    if DEVKIT in found and not {TRUTH, META} <= set(found):
        try:
            with tarfile.open(found[DEVKIT]) as tar:
                members = {Path(member.name).name: member for member in tar if member.isreg()}
                if any(members[name].size > _LARGEST for name in (TRUTH, META)):
                    raise tarfile.TarError("too large")
                texts = [tar.extractfile(members[name]).read() for name in (TRUTH, META)]
        except (tarfile.TarError, KeyError, OSError, EOFError, zlib.error) as error:
            raise UserError(f"{found[DEVKIT]} is damaged ({error}): fetch it again.") from None
        return TRUTH, _devkit(found[DEVKIT], *texts)
    if TRUTH in found:
        if META not in found:
            raise UserError(
                f"{found[TRUTH]} numbers the classes in the devkit's own order, which is not the sorted one: put the devkit's "
                f"{META} (or {DEVKIT}) beside it."
            )
        return TRUTH, _devkit(found[TRUTH], found[TRUTH].read_bytes(), found[META].read_bytes())
    return None


def _kaggle(path: Path) -> dict[str, str]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
        return {row["ImageId"]: row["PredictionString"].split()[0] for row in rows}
    except (KeyError, IndexError, AttributeError, UnicodeDecodeError, csv.Error):
        raise UserError(
            f"{path} is not Kaggle's table (columns ImageId and PredictionString, which begins with a class): fetch it again."
        ) from None


def _devkit(path: Path, truth: bytes, meta: bytes) -> dict[str, str]:
    from scipy.io import loadmat

    try:
        synsets = loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
        # inner nodes of WordNet come after the classes
        wnids = {int(s["ILSVRC2012_ID"]): str(s["WNID"]) for s in synsets if int(s["num_children"]) == 0}
        numbers = [int(word) for word in truth.split()]
        return {_STEM.format(place): wnids[number] for place, number in enumerate(numbers, 1)}
    except Exception as error:  # SciPy raises many kinds
        raise UserError(
            f"The devkit's files at {path} do not fit together ({type(error).__name__}: {error}): fetch {DEVKIT} again."
        ) from None


def stem(name: str) -> str:
    """The name of a picture without folder and extension."""
    return re.sub(r"\.\w+$", "", name.rsplit("/", 1)[-1])
