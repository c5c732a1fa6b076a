"""docs/imagenet.md: its commands give folders that are read, and each refusal that it explains is one that is said."""

import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import drawn_pictures as make
import pytest
from documents import blocks, text_of
from drawn_pictures import prepare, refused
from workflows import plan

from learner_collusion.data import picture_checks, picture_files, picture_labels

W = make.WNIDS
PAGE = "docs/imagenet.md"
COMMANDS = [block.code for block in blocks(PAGE) if block.kind == "console"]
TARS, UNPACK, KAGGLE, CHECK = COMMANDS
PICTURES = make.drawn()
FIRST = f"train/{W[0]}/{W[0]}_1.JPEG"


def run(code: str, folder: Path) -> None:
    done = subprocess.run(["bash", "-ec", code], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_official_tars(tmp_path):
    make.official_tars(tmp_path, PICTURES)
    with tarfile.open(tmp_path / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as archive:
        for path in make.devkit(tmp_path / "kit", PICTURES):
            archive.add(path, f"ILSVRC2012_devkit_t12/data/{path.name}")
    run(TARS, tmp_path)
    rows = prepare(tmp_path, tmp_path / "pictures/imagenet")[2]
    assert len(rows) == 18 and all(row["archive"] for row in rows)
    run(UNPACK, tmp_path)
    line, _, rows = prepare(tmp_path, tmp_path / "pictures/imagenet")
    assert len(rows) == 18 and not any(row["archive"] for row in rows) and "2 tars left aside" in line


@pytest.mark.skipif(not shutil.which("unzip"), reason="unzip is not installed")
def test_kaggles_zip(tmp_path):
    make.write(tmp_path / "zip/ILSVRC/Data/CLS-LOC", make.flat(PICTURES))
    make.kaggle(tmp_path / "zip", PICTURES)
    with zipfile.ZipFile(tmp_path / "imagenet-object-localization-challenge.zip", "w") as archive:
        for path in (tmp_path / "zip").rglob("*"):
            archive.write(path, path.relative_to(tmp_path / "zip"))
    run(KAGGLE, tmp_path)
    assert len(prepare(tmp_path, tmp_path / "pictures/imagenet")[2]) == 18


def test_the_check_is_a_target(tmp_path):
    (tmp_path / "pictures/imagenet").mkdir(parents=True)
    export, command = CHECK.splitlines()
    assert export == "export LEARNER_COLLUSION_MIRROR=$PWD/pictures" and command.startswith("snakemake ")
    mirror = {"LEARNER_COLLUSION_MIRROR": str(tmp_path / "pictures")}
    done = plan("--directory", str(tmp_path / "planned"), *command.split()[1:], **mirror)
    assert done.returncode == 0 and "prepare_pictures" in done.stdout, done.stdout + done.stderr


def below(start, folder, given=None):
    return make.write(folder / start, PICTURES if given is None else given)


def flat(folder):
    return make.write(folder, make.flat(PICTURES))


def test_four_levels_and_no_more(tmp_path):
    assert len(prepare(tmp_path, below("a/b/c/d", tmp_path / "four").parents[3])[2]) == 18
    for places, read in (
        ("a/b/c/d", True),
        ("a/b/c/d/e", False),
        ("val", False),
        ("test", False),
        ("Annotations", False),
    ):
        folder = flat(tmp_path / places.replace("/", "_"))
        make.kaggle(folder / places, PICTURES)
        assert (len(prepare(tmp_path, folder)[2]) == 18) if read else refused_anew(tmp_path, folder)


def refused_anew(tmp_path, folder, **changes) -> str:
    (tmp_path / "i.parquet").unlink(missing_ok=True)
    return refused(tmp_path, folder, **changes)


def test_the_numbers_and_names_of_the_page():
    text = " ".join(text_of(PAGE).split())
    listed = re.search(r"Pictures end in (.*?), in capitals", text)[1]
    assert set(re.findall(r"`(\.\w+)`", listed)) == set(picture_files.IMG_EXTENSIONS)
    assert f"{picture_checks.SAMPLE:,} random ones" in text and picture_files._LEVELS == 4
    assert "thirty pictures" in text and len(picture_labels.known()) == 30
    places = [
        text.index(f"`{n}`", text.index("labels of a flat val lie"))
        for n in (picture_labels.KAGGLE, picture_labels.TRUTH, picture_labels.DEVKIT)
    ]
    assert places == sorted(places)
    kinds = re.findall(r"^\| (.*?) \| ", text_of(PAGE).split("| kind |")[1].split("\n\n")[0], re.M)
    said = " ".join(kinds)
    assert all(words.split(", ")[0].removeprefix("turned by their ") in said for words in _kinds())


def _kinds():
    return [words.replace("their names say", "the name says") for words in picture_checks.NOTES.values()]


def labelled(folder, text):
    (flat(folder) / "LOC_val_solution.csv").write_text(text)
    return folder


def half_a_devkit(folder):
    make.devkit(flat(folder), PICTURES)
    (folder / "meta.mat").unlink()
    return folder


def damaged_devkit(folder):
    make.devkit(flat(folder), PICTURES)
    (folder / "meta.mat").write_bytes(b"no")
    return folder


def wrong_labels(folder):
    given = {p.replace("00000001", "00000293"): c for p, c in PICTURES.items()}
    path = make.kaggle(make.write(folder, make.flat(given)), given)
    path.write_text(path.read_text().replace(f"00000293,{W[0]}", f"00000293,{W[1]}"))
    return folder


def by_numbers(folder):
    given = PICTURES
    for number, wnid in enumerate(W, 1):
        given = {place.replace(f"val/{wnid}/", f"val/{number}/"): content for place, content in given.items()}
    return make.write(folder, given)


def unequal(folder):
    make.tar(folder / f"train/{W[0]}.tar", {"another.JPEG": PICTURES[FIRST]})
    return make.write(folder, PICTURES)


def twice(folder):
    inner = make.tar(folder / "inner.tar", make.below(PICTURES, f"train/{W[0]}/")).read_bytes()
    return make.tar(folder / "all.tar", PICTURES | {f"train/{W[0]}.tar": inner})


def with_link(folder, name, target):
    os.symlink(target, make.write(folder, PICTURES) / name)
    return folder


def tarred(folder, mode="w", cut=None):
    make.write(folder, PICTURES)
    with tarfile.open(folder.with_suffix(".tar"), mode) as archive:
        archive.add(folder, "x")
    whole = folder.with_suffix(".tar").read_bytes()
    folder.with_suffix(".tar").write_bytes(whole[:cut])
    return folder.with_suffix(".tar")


def copied(folder):
    train = {p: c for p, c in PICTURES.items() if p.startswith("train")}
    return make.write(folder, train | {p.replace("train/", "val/"): c for p, c in train.items()})


def two_sets(folder):
    return below("a", below("b", folder).parent).parent


def without(folder, start):
    return make.write(folder, {p: c for p, c in PICTURES.items() if not p.startswith(start)})


def with_empty(folder):
    (make.write(folder, PICTURES) / "train/n09999999").mkdir()
    return folder


def moved(folder, old, new):
    return make.write(folder, {p.replace(old, new): c for p, c in PICTURES.items()})


REFUSED = {
    "is not available": lambda d: d / "nowhere",
    "holds neither train/ and val/ nor their tars": lambda d: below("a/b/c/d/e", d).parents[4],
    "holds the pictures more than once": two_sets,
    "has train but no pictures of val": lambda d: without(d, "val"),
    "in no class folder": lambda d: moved(d, f"val/{W[0]}/", "val/"),
    "and nothing says their classes": flat,
    "labels for the": lambda d: labelled(d, f"ImageId,PredictionString\nx,{W[0]} 1\ny,{W[0]} 1\n"),
    "is not Kaggle's table": lambda d: labelled(d, "a,b\n1,2\n"),
    "in the devkit's own order": half_a_devkit,
    "do not fit together": damaged_devkit,
    "of val another class than known": wrong_labels,
    "in another class than": lambda d: moved(d, FIRST, FIRST.replace(f"/{W[0]}/", f"/{W[1]}/")),
    "is sorted by numbers": by_numbers,
    "without pictures": with_empty,
    "lacks 1 class of": lambda d: without(d, f"val/{W[0]}"),
    "whose folder and tar hold other pictures": unequal,
    "pictures more than once": twice,
    "to nowhere": lambda d: with_link(d, "val/x.JPEG", "gone"),
    "is a link to a folder that it lies in": lambda d: with_link(d, "val/x", "../val"),
    "is compressed": lambda d: tarred(d, "w:gz"),
    "is damaged": lambda d: tarred(d, cut=9000),
    "that cannot be read": lambda d: make.write(d, PICTURES | {FIRST: b""}),
    "are in train as well": copied,
    "complete it, or set": lambda d: without(d, FIRST),
    "remove what does not belong to it, or set": lambda d: make.write(
        d, PICTURES | {"val/n01440764/x.JPEG": PICTURES[FIRST]}
    ),
}


def test_each_refusal_is_explained():
    table = text_of(PAGE).split("| it says |")[1]
    assert re.findall(r"^\| `(.*?)` \|", table, re.M) == list(REFUSED)


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_explained_is_said(tmp_path, words):
    source = REFUSED[words](tmp_path / "set")
    numbers = {"val": 12} if REFUSED[words] is copied else {}
    assert words in refused(tmp_path, source, **numbers)
