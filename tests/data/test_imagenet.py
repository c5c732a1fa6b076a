"""ImageNet's layouts: all give the same index, and each mistake is one sentence with the steps that mend it."""

import os
import shutil
import tarfile

import drawn_pictures as make
import numpy as np
import pytest
from drawn_pictures import prepare, refused, settings
from PIL import Image

from learner_collusion.data import imagenet
from learner_collusion.data.picture_bytes import Reader
from learner_collusion.errors import UserError
from learner_collusion.records import pictures as index_of

W = make.WNIDS


@pytest.fixture(scope="module")
def pictures():
    return make.drawn()


def folders(folder, pictures):
    return make.write(folder, pictures)


def flat_with_devkit(folder, pictures):
    make.devkit(folder / "ILSVRC2012_devkit_t12" / "data", pictures)
    return make.write(folder, make.flat(pictures))


def flat_with_packed_devkit(folder, pictures):
    make.write(folder, make.flat(pictures))
    with tarfile.open(folder / "ILSVRC2012_devkit_t12.tar.gz", "w:gz") as archive:
        for path in make.devkit(folder.parent / "kit", pictures):
            archive.add(path, f"ILSVRC2012_devkit_t12/data/{path.name}")
    return folder


def of_kaggle(folder, pictures):
    make.kaggle(folder, pictures)
    make.write(folder / "ILSVRC/Data/CLS-LOC", make.flat(pictures) | {"test/ILSVRC2012_test_00000001.JPEG": b""})
    make.write(folder / "ILSVRC", {"Annotations/CLS-LOC/val/ILSVRC2012_val_00000001.xml": b""})
    return folder


def official(folder, pictures):
    make.devkit(folder, pictures)
    return make.official_tars(folder, pictures)


def tar_of_each_class(folder, pictures):
    for wnid in W:
        make.tar(folder / f"train/{wnid}.tar", make.below(pictures, f"train/{wnid}/"))
    return make.write(folder, {f"val/{p}": c for p, c in make.below(pictures, "val/").items()})


def two_tars(folder, pictures):
    for split in ("train", "val"):
        make.tar(folder / f"{split}.tar", {f"./{p}": c for p, c in pictures.items() if p.startswith(split)})
    return folder


def one_tar(folder, pictures):
    return make.tar(folder / "all.tar", {f"tiny/{p}": c for p, c in pictures.items()})


LAYOUTS = [
    folders,
    flat_with_devkit,
    flat_with_packed_devkit,
    of_kaggle,
    official,
    tar_of_each_class,
    two_tars,
    one_tar,
]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.__name__)
def test_every_layout_is_the_same_set(tmp_path, pictures, layout):
    _, metadata, rows = prepare(tmp_path, layout(tmp_path / "set", pictures))
    reader, names = Reader(metadata["root"]), sorted(pictures)
    assert metadata["wnids"] == sorted(W) and metadata["dataset"] == "tiny"
    for row, name in zip(rows, names, strict=True):
        split, wnid, _ = name.split("/")
        assert (row["split"], metadata["wnids"][row["label"]]) == (split, wnid)
        content = reader.read(*(row[key] for key in ("path", "archive", "offset", "size")))
        assert content == pictures[name], name
    assert {(row["width"], row["height"]) for row in rows} == {(60, 45), (45, 60), (52, 52)}
    reader.close()
    _, plain, _ = prepare(tmp_path, make.write(tmp_path / "plain", pictures))
    assert metadata["content_sha256"] == plain["content_sha256"]


def test_the_same_pictures_give_the_same_bytes(tmp_path, pictures):
    make.write(tmp_path / "set", dict(reversed(pictures.items())))
    prepare(tmp_path, tmp_path / "set")
    first = (tmp_path / "i.parquet").read_bytes()
    shutil.rmtree(tmp_path / "set")
    prepare(tmp_path, make.write(tmp_path / "set", pictures))
    assert (tmp_path / "i.parquet").read_bytes() == first
    changed = pictures | {f"val/{W[0]}/ILSVRC2012_val_00000001.JPEG": make.encoded(Image.new("RGB", (60, 45)))}
    before = index_of.read(tmp_path / "i.parquet")[0]["content_sha256"]
    assert prepare(tmp_path, make.write(tmp_path / "set", changed))[1]["content_sha256"] != before


def test_below_the_mirror(tmp_path, pictures, monkeypatch):
    monkeypatch.chdir(tmp_path)
    one_tar(tmp_path / "mirror/deep", pictures)
    make.write(tmp_path / "mirror/tiny", pictures)
    for given in ({"file": "all.tar"}, {"file": "deep/all.tar"}, {"folder": "tiny"}, {}):
        line = imagenet.prepare("tiny", settings(**given), tmp_path / "i.parquet", str(tmp_path / "mirror"))
        assert line.startswith("tiny: 12 + 6 pictures of 3 classes"), given


def test_what_is_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = refused(tmp_path, "/nowhere/imagenet")
    assert "imagenet.datasets.tiny.folder" in said and "LEARNER_COLLUSION_MIRROR" in said
    output = tmp_path / "i.parquet"
    for given in ({}, {"folder": "/x"}, {"file": "x.tar"}):
        line = imagenet.prepare("tiny", settings(missing="leave_out", **given), output, str(tmp_path))
        metadata = index_of.parquet.read_metadata(output)
        assert metadata["dataset"] == "tiny" and metadata["missing"] in line and "left out" in line
        assert str(tmp_path) not in metadata["missing"] and "/x" not in metadata["missing"]
        with pytest.raises(UserError, match="is not available"):
            index_of.read(output)


def renamed(pictures, change):
    """With each place changed by `change`; None leaves it out."""
    return {new: content for place, content in pictures.items() if (new := change(place))}


def test_a_flat_val_without_labels(tmp_path, pictures):
    said = refused(tmp_path, make.write(tmp_path / "set", make.flat(pictures)))
    assert (
        "6 pictures without class folders" in said
        and "devkit_t12" in said
        and "LOC_val_solution.csv" in said
        and "val/<class>/" in said
    )


def test_a_flat_train(tmp_path, pictures):
    flat = renamed(pictures, lambda p: f"train/{p.rsplit('/', 1)[1]}" if p.startswith("train") else p)
    assert "12 pictures in no class folder" in refused(tmp_path, make.write(tmp_path / "set", flat))


def test_a_val_that_is_half_sorted(tmp_path, pictures):
    half = renamed(pictures, lambda p: p.replace(f"val/{W[0]}/", "val/"))
    assert "2 of its 6 pictures" in refused(tmp_path, make.write(tmp_path / "set", half))


@pytest.mark.parametrize("split", ["train", "val"])
def test_one_of_the_splits_alone(tmp_path, pictures, split):
    alone = make.write(tmp_path / "set", {p: c for p, c in pictures.items() if p.startswith(split)})
    other = {"train": "val", "val": "train"}[split]
    assert f"{split} but no pictures of {other}" in refused(tmp_path, alone)
    assert f"ILSVRC2012_img_{other}.tar" in refused(tmp_path, alone)


def test_nothing_or_two_sets(tmp_path, pictures):
    (tmp_path / "empty").mkdir()
    assert "neither train/ and val/ nor their tars" in refused(tmp_path, tmp_path / "empty")
    for name in ("a", "b"):
        make.write(tmp_path / "two" / name, pictures)
    assert "more than once" in refused(tmp_path, tmp_path / "two")


@pytest.mark.parametrize(("lacking", "other"), [("train", "val"), ("val", "train")])
def test_a_class_that_is_in_one_split(tmp_path, pictures, lacking, other):
    given = renamed(pictures, lambda p: None if p.startswith(f"{lacking}/{W[1]}") else p)
    said = refused(tmp_path, make.write(tmp_path / "set", given))
    assert said.startswith(f"{lacking} in ") and f"lacks 1 class of {other}: {W[1]}" in said


def test_an_empty_class(tmp_path, pictures):
    make.write(tmp_path / "set", pictures | {"val/n09999999/notes.txt": b"x"})
    (tmp_path / "set/train/n09999999").mkdir()
    assert "train" in (said := refused(tmp_path, tmp_path / "set")) and "1 class without pictures: n09999999" in said


def test_other_counts_than_declared(tmp_path, pictures):
    make.write(tmp_path / "set", pictures)
    said = refused(tmp_path, tmp_path / "set", train=1281167)
    assert "has 12 pictures of train, not 1,281,167: complete it, or set imagenet.datasets.tiny.train" in said
    assert "imagenet.datasets.tiny.val" in refused(tmp_path, tmp_path / "set", val=7)
    assert "has 3 classes, not 1,000: complete it" in refused(tmp_path, tmp_path / "set", classes=1000)
    assert prepare(tmp_path, tmp_path / "set", train=None, val=None)[2]


def test_more_than_declared_is_not_to_be_completed(tmp_path, pictures):
    make.write(tmp_path / "set", pictures)
    for fewer, found in (({"train": 11}, "12 pictures of train, not 11"), ({"classes": 2}, "3 classes, not 2")):
        said = refused(tmp_path, tmp_path / "set", **fewer)
        assert f"has {found}: remove what does not belong to it, or set" in said and "complete" not in said


def test_labels_of_another_length(tmp_path, pictures):
    folder = flat_with_devkit(tmp_path / "set", pictures)
    truth = next(folder.rglob("*ground_truth.txt"))
    lines = truth.read_text()
    truth.write_text(lines + "1\n")
    assert "has 7 labels for the 6 pictures of val" in refused(tmp_path, folder)
    truth.write_text(lines[:-2])
    said = refused(tmp_path, folder)
    assert "has 5 labels" in said and "none for ILSVRC2012_val_00000006" in said


def test_half_of_the_devkit(tmp_path, pictures):
    folder = flat_with_devkit(tmp_path / "set", pictures)
    next(folder.rglob("meta.mat")).unlink()
    assert "not the sorted one" in refused(tmp_path, folder) and "meta.mat" in refused(tmp_path, folder)
    (folder / "meta.mat").write_bytes(b"no")
    assert "do not fit together" in refused(tmp_path, folder)
    (folder / "LOC_val_solution.csv").write_text("a,b\n1,2\n")
    assert "is not Kaggle's table" in refused(tmp_path, folder)


def test_a_picture_in_the_folder_of_another_class(tmp_path, pictures):
    given = renamed(pictures, lambda p: p.replace(f"train/{W[0]}/{W[0]}_1.", f"train/{W[1]}/{W[0]}_1."))
    said = refused(tmp_path, make.write(tmp_path / "set", given))
    assert f"train/{W[1]}/{W[0]}_1.JPEG (of {W[0]})" in said and "train has 1 picture in another class" in said


def test_a_val_in_the_order_of_the_devkit(tmp_path, pictures):
    """Sorted by the devkit's numbers as if they were places in the sorted order; with the devkit beside it that shows at once,
    and without it by pictures whose class is known."""
    wrong = dict(zip(W, make.DEVKIT_ORDER, strict=True))
    given = renamed(pictures, lambda p: p.replace(p.split("/")[1], wrong[p.split("/")[1]]) if p[0] == "v" else p)
    make.write(tmp_path / "set", given)
    prepare(tmp_path, tmp_path / "set")
    (tmp_path / "i.parquet").unlink()
    make.kaggle(tmp_path / "set", pictures)
    said = refused(tmp_path, tmp_path / "set")
    assert "val has 6 pictures in another class than LOC_val_solution.csv says" in said and "meta.mat" in said
    given = renamed(pictures, lambda p: p.replace(f"{W[0]}/ILSVRC2012_val_00000001", f"{W[1]}/ILSVRC2012_val_00000293"))
    said = refused(tmp_path, make.write(tmp_path / "known", given))
    assert f"ILSVRC2012_val_00000293.JPEG (of {W[0]})" in said and "devkit's meta.mat" in said


def test_a_val_sorted_by_numbers(tmp_path, pictures):
    given = renamed(pictures, lambda p: f"val/{W.index(p.split('/')[1]) + 1}/{p.split('/')[2]}" if p[0] == "v" else p)
    assert "is sorted by numbers (1, 2, 3)" in refused(tmp_path, make.write(tmp_path / "set", given))


def with_copies(pictures, number):
    """Twenty-one pictures of val, so many of them of train, under other names."""
    train = [c for p, c in pictures.items() if p.startswith("train")]
    random = np.random.default_rng(2)
    drawn = [make.encoded(make.draw(random, 0)) for _ in range(21 - number)]
    val = {f"val/{W[i % 3]}/{i}.JPEG": c for i, c in enumerate([*train[:number], *drawn])}
    return {p: c for p, c in pictures.items() if p.startswith("train")} | val


@pytest.mark.parametrize("number", [3, 11])
def test_a_val_that_is_in_train_for_the_most(tmp_path, pictures, number):
    said = refused(tmp_path, make.write(tmp_path / "set", with_copies(pictures, number)), val=21)
    assert said.startswith(f"{number} of the 21 pictures of val in tiny are in train as well: val/{W[0]}/0.JPEG")
    assert "not trained on" in said


@pytest.mark.parametrize(("number", "words"), [(1, "1 picture"), (2, "2 pictures")])
def test_a_few_pictures_of_val_that_are_in_train_are_named(tmp_path, pictures, number, words):
    line, _, rows = prepare(tmp_path, make.write(tmp_path / "set", with_copies(pictures, number)), val=21)
    assert f"; {words} of val in train as well (val/{W[0]}/0.JPEG" in line and len(rows) == 33


def test_the_same_first_bytes_are_no_copy(tmp_path, pictures):
    """White rows, in a format that does not pack them."""
    given = {}
    for place in pictures:
        pixels = np.full((60, 60, 3), 255, np.uint8)
        pixels[-30:] = np.random.default_rng(len(given)).integers(0, 256, (30, 60, 3))
        given[place.replace(".JPEG", ".ppm")] = make.encoded(Image.fromarray(pixels), "PPM")
    assert len({content[:4096] for content in given.values()}) == 1
    assert "in train as well" not in prepare(tmp_path, make.write(tmp_path / "set", given))[0]


def test_links(tmp_path, pictures):
    make.write(tmp_path / "elsewhere", pictures)
    (tmp_path / "set").mkdir()
    for split in ("train", "val"):
        (tmp_path / "set" / split).symlink_to(tmp_path / "elsewhere" / split)
    assert len(prepare(tmp_path, tmp_path / "set")[2]) == 18
    (tmp_path / "i.parquet").unlink()
    (tmp_path / "elsewhere/val" / W[0] / "gone.JPEG").symlink_to("nowhere")
    said = refused(tmp_path, tmp_path / "set")
    assert "tiny has 1 link to nowhere" in said and f"val/{W[0]}/gone.JPEG" in said
    (tmp_path / "elsewhere/val" / W[0] / "gone.JPEG").unlink()
    (tmp_path / "elsewhere/val" / W[0] / "up").symlink_to(tmp_path / "elsewhere/val")
    assert "a link to a folder that it lies in" in refused(tmp_path, tmp_path / "set")


def test_tars_that_cannot_be_used(tmp_path, pictures):
    path = one_tar(tmp_path / "a", pictures)
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as archive:
        archive.add(path.parent, "x")
    assert "is compressed: unpack it" in refused(tmp_path, tmp_path / "packed.tar")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert "is damaged" in refused(tmp_path, path)
    with tarfile.open(path, "w") as archive:
        archive.add(make.write(tmp_path / "files", pictures), "x")
        link = tarfile.TarInfo(f"x/val/{W[0]}/link.JPEG")
        link.type, link.linkname = tarfile.SYMTYPE, "y"
        archive.addfile(link)
    assert f"x/val/{W[0]}/link.JPEG" in refused(tmp_path, path)


def test_files_that_are_no_pictures(tmp_path, pictures):
    left = {
        f"train/{W[0]}/._{W[0]}_1.JPEG": b"x",
        "val/.DS_Store": b"x",
        f"val/{W[0]}/Thumbs.db": b"x",
        "val/a.txt": b"",
    }
    line, _, rows = prepare(tmp_path, make.write(tmp_path / "set", pictures | left))
    assert len(rows) == 18 and "4 other files left aside" in line
    line, _, rows = prepare(tmp_path, one_tar(tmp_path, pictures | left))
    assert len(rows) == 18 and "4 other files left aside" in line


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_folder_without_permission(tmp_path, pictures):
    make.write(tmp_path / "set", pictures)
    (tmp_path / "set").chmod(0)
    try:
        assert "cannot be read" in refused(tmp_path, tmp_path / "set")
    finally:
        (tmp_path / "set").chmod(0o700)
