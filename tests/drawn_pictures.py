"""A dozen drawn pictures in ImageNet's layouts."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from learner_collusion.data import imagenet
from learner_collusion.data.imagenet import Pictures
from learner_collusion.errors import UserError
from learner_collusion.records import pictures as index_of

# The devkit numbers them in another order than the sorted one.
WNIDS = ("n01440764", "n02102040", "n03000684")
DEVKIT_ORDER = ("n03000684", "n01440764", "n02102040")
TRAIN, VAL = 4, 2  # of each class


def draw(random: np.random.Generator, label: int, size: tuple[int, int] = (60, 45)) -> Image.Image:
    """A smooth picture whose colour tells its class."""
    noise = random.integers(0, 256, (5, 6, 3), dtype=np.uint8)
    picture = np.asarray(Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC)).astype(float) / 2
    picture[..., label % 3] += 100
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind, **options)
    return memory.getvalue()


def drawn(kind: str = "JPEG", sizes=((60, 45), (45, 60), (52, 52))) -> dict[str, bytes]:
    """The bytes of each picture by its place, train/<wnid>/<name> or val/<wnid>/<name>; named as ImageNet names them."""
    random = np.random.default_rng(0)
    found, number = {}, 0
    for label, wnid in enumerate(WNIDS):
        for place in range(TRAIN):
            size = sizes[place % len(sizes)]
            found[f"train/{wnid}/{wnid}_{place + 1}.JPEG"] = encoded(draw(random, label, size), kind)
    for _ in range(VAL):
        for label, wnid in enumerate(WNIDS):
            number += 1
            found[f"val/{wnid}/ILSVRC2012_val_{number:08d}.JPEG"] = encoded(draw(random, label), kind)
    return found


def write(folder: Path, pictures: dict[str, bytes]) -> Path:
    """As files below `folder`, which is returned."""
    for place, content in pictures.items():
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def flat(pictures: dict[str, bytes]) -> dict[str, bytes]:
    """val/<name> in place of val/<wnid>/<name>."""
    return {f"val/{p.rsplit('/', 1)[1]}" if p.startswith("val/") else p: c for p, c in pictures.items()}


def tar(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


def below(pictures: dict[str, bytes], start: str) -> dict[str, bytes]:
    """Those whose place begins so, by the rest of it."""
    return {place.removeprefix(start): content for place, content in pictures.items() if place.startswith(start)}


def official_tars(folder: Path, pictures: dict[str, bytes]) -> Path:
    """ILSVRC2012_img_train.tar, a tar of a tar for each class, and ILSVRC2012_img_val.tar, flat."""
    inner = {}
    for wnid in WNIDS:
        members = below(pictures, f"train/{wnid}/")
        inner[f"{wnid}.tar"] = tar(folder / "inner.tar", members).read_bytes()
    (folder / "inner.tar").unlink()
    tar(folder / "ILSVRC2012_img_train.tar", inner)
    tar(folder / "ILSVRC2012_img_val.tar", below(flat(pictures), "val/"))
    return folder


def val_labels(pictures: dict[str, bytes]) -> dict[str, str]:
    """The class of each validation picture by its stem, in the order of their numbers."""
    places = sorted((p for p in pictures if p.startswith("val/")), key=lambda p: p.rsplit("/", 1)[1])
    return {p.rsplit("/", 1)[1].removesuffix(".JPEG"): p.split("/")[1] for p in places}


def devkit(folder: Path, pictures: dict[str, bytes]) -> tuple[Path, Path]:
    """The devkit's ground truth and meta.mat, in which an inner node of WordNet follows the classes."""
    folder.mkdir(parents=True, exist_ok=True)
    truth, meta = folder / "ILSVRC2012_validation_ground_truth.txt", folder / "meta.mat"
    numbers = {wnid: number for number, wnid in enumerate(DEVKIT_ORDER, 1)}
    truth.write_text("".join(f"{numbers[wnid]}\n" for wnid in val_labels(pictures).values()))
    rows = [(number, wnid, "words", "gloss", 0) for wnid, number in numbers.items()] + [(4, "n00001740", "x", "x", 3)]
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    savemat(meta, {"synsets": np.array(rows, dtype=kinds).reshape(-1, 1)})
    return truth, meta


def kaggle(folder: Path, pictures: dict[str, bytes]) -> Path:
    """Kaggle's LOC_val_solution.csv."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [f"{stem},{wnid} 1 2 3 4 {wnid} 5 6 7 8 " for stem, wnid in val_labels(pictures).items()]
    path = folder / "LOC_val_solution.csv"
    path.write_text("\n".join(["ImageId,PredictionString", *reversed(rows), ""]))
    return path


def settings(source=None, **changes) -> Pictures:
    given = {"folder": None if source is None else str(source), "file": None, "classes": 3, "train": 12, "val": 6}
    return Pictures(**(given | {"missing": "fail"} | changes))


def prepare(tmp_path, source, **changes):
    """(line, metadata, rows) of the index."""
    line = imagenet.prepare("tiny", settings(source, **changes), tmp_path / "i.parquet", None)
    metadata, table = index_of.read(tmp_path / "i.parquet")
    return line, metadata, table.to_pylist()


def refused(tmp_path, source, **changes) -> str:
    """The sentence with which a set is refused; no index is left."""
    with pytest.raises(UserError) as caught:
        prepare(tmp_path, source, **changes)
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".") and not (tmp_path / "i.parquet").exists()
    return said
