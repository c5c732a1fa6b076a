"""Where pictures are looked for: folders beside their tars count once, and a folder too many is left out."""

import drawn_pictures as make
import pytest
from drawn_pictures import prepare, refused

W = make.WNIDS
ASIDE = "left aside for what lies beside"


@pytest.fixture(scope="module")
def pictures():
    return make.drawn()


def class_tars(folder, pictures, split="train", wnids=W):
    """As the official tar of train leaves them, and as they are often left."""
    for wnid in wnids:
        make.tar(folder / f"{split}/{wnid}.tar", make.below(pictures, f"{split}/{wnid}/"))
    return folder


def moved(pictures, change):
    return {change(place): content for place, content in pictures.items()}


def without(pictures, start):
    return {place: content for place, content in pictures.items() if not place.startswith(start)}


def test_unpacked_pictures_count_before_their_tars(tmp_path, pictures):
    make.write(make.official_tars(tmp_path / "set", pictures), pictures)
    line, _, rows = prepare(tmp_path, tmp_path / "set")
    assert len(rows) == 18 and not any(row["archive"] for row in rows)
    assert f"2 tars {ASIDE} (ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar)" in line


def test_one_of_two_tars_of_a_split_is_read(tmp_path, pictures):
    folder = make.official_tars(tmp_path / "set", pictures)
    make.tar(folder / "train.tar", make.below(pictures, "train/"))
    make.kaggle(folder, pictures)
    line, _, rows = prepare(tmp_path, folder)
    assert len(rows) == 18 and f"1 tar {ASIDE} (train.tar)" in line


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("exact", [True, False])
def test_tars_of_classes_beside_their_folders_count_once(tmp_path, pictures, split, exact):
    class_tars(make.write(tmp_path / "set", pictures), pictures, split)
    numbers = {} if exact else {"train": None, "val": None}
    line, metadata, rows = prepare(tmp_path, tmp_path / "set", **numbers)
    assert len(rows) == 18 and not any(row["archive"] for row in rows)
    assert f"3 tars {ASIDE} ({split}/{W[0]}.tar, " in line
    _, plain, _ = prepare(tmp_path, make.write(tmp_path / "plain", pictures))
    assert metadata["content_sha256"] == plain["content_sha256"]


def test_a_class_that_was_unpacked_halfway(tmp_path, pictures):
    lacking = f"train/{W[1]}/{W[1]}_2.JPEG"
    class_tars(make.write(tmp_path / "set", without(pictures, lacking)), pictures)
    said = refused(tmp_path, tmp_path / "set", train=None)
    assert f"tiny has 1 class whose folder and tar hold other pictures: train/{W[1]} (3, and 4 in {W[1]}.tar); " in said
    make.write(tmp_path / "set", {lacking.replace("_2.", "_9."): pictures[lacking]})
    assert f"train/{W[1]} (4, and 4 in {W[1]}.tar)" in refused(tmp_path, tmp_path / "set", train=None)


def test_classes_that_are_not_unpacked_yet_are_read_from_their_tars(tmp_path, pictures):
    """An unpacking that was broken off: one class is done, one has only its folder, one only its tar."""
    rest = without(without(pictures, f"train/{W[1]}"), f"train/{W[2]}")
    class_tars(make.write(tmp_path / "set", rest), pictures)
    (tmp_path / "set/train" / W[1]).mkdir()
    line, _, rows = prepare(tmp_path, tmp_path / "set")
    assert {row["archive"] for row in rows} == {"", f"train/{W[1]}.tar", f"train/{W[2]}.tar"} and len(rows) == 18
    assert f"1 tar {ASIDE} (train/{W[0]}.tar)" in line
    assert f"1 folder without pictures read from tars (train/{W[1]})" in line


def test_a_tar_with_a_class_as_folder_and_as_tar(tmp_path, pictures):
    members = make.below(pictures, f"train/{W[0]}/")
    inner = make.tar(tmp_path / "inner.tar", members).read_bytes()
    path = make.tar(tmp_path / "all.tar", pictures | {f"train/{W[0]}.tar": inner})
    assert f"has 4 pictures more than once: train/{W[0]}/{W[0]}_1.JPEG" in refused(tmp_path, path, train=None)


@pytest.mark.parametrize("split", ["train", "val"])
@pytest.mark.parametrize("within", ["", "n01440764"])
def test_an_empty_folder_beside_its_tar(tmp_path, pictures, split, within):
    folder = make.official_tars(tmp_path / "set", pictures)
    make.devkit(folder, pictures)
    (folder / split / within).mkdir(parents=True)
    line, _, rows = prepare(tmp_path, folder)
    assert len(rows) == 18 and f"1 folder without pictures read from tars ({split})" in line


@pytest.mark.parametrize("unpacked", [True, False])
def test_the_official_tars_moved_into_the_folders_of_their_splits(tmp_path, pictures, unpacked):
    """Which is how they are unpacked as a rule."""
    folder = make.official_tars(tmp_path / "set", pictures)
    make.devkit(folder, pictures)
    for split in ("train", "val"):
        (folder / split).mkdir()
        (folder / f"ILSVRC2012_img_{split}.tar").rename(folder / split / f"ILSVRC2012_img_{split}.tar")
    if unpacked:
        make.write(folder, make.flat(pictures))
    line, _, rows = prepare(tmp_path, folder)
    assert len(rows) == 18 and all(bool(row["archive"]) != unpacked for row in rows)
    assert (f"2 tars {ASIDE}" if unpacked else "2 folders without pictures read from tars (train, val)") in line


def test_a_split_without_pictures_says_what_lies_there(tmp_path, pictures):
    given = moved(pictures, lambda p: p.replace(".JPEG", ".gif") if p.startswith("val") else p)
    said = refused(tmp_path, make.write(tmp_path / "set", given))
    assert "has train but no pictures of val, only 6 other files (val/" in said and ".jpg, .jpeg, .png" in said


DEEPER = {
    "val/val": lambda p: p.replace("val/", "val/val/"),
    "val/a/b": lambda p: p.replace("val/", "val/a/b/"),
    "train/images": lambda p: p.replace("train/", "train/images/"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("place", DEEPER)
def test_classes_one_folder_too_deep(tmp_path, pictures, place, packed):
    given = moved(pictures, DEEPER[place])
    source = make.tar(tmp_path / "all.tar", given) if packed else make.write(tmp_path / "set", given)
    line, metadata, rows = prepare(tmp_path, source)
    assert len(rows) == 18 and f"; {place.split('/')[0]} read from {place}" in line
    _, plain, _ = prepare(tmp_path, make.write(tmp_path / "plain", pictures))
    assert metadata["content_sha256"] == plain["content_sha256"]


def test_both_splits_one_folder_too_deep(tmp_path, pictures):
    given = moved(pictures, lambda p: p.replace("/", "/images/", 1))
    line, _, rows = prepare(tmp_path, make.write(tmp_path / "set", given))
    assert len(rows) == 18 and "train read from train/images; val read from val/images" in line


@pytest.mark.parametrize("packed", [True, False])
def test_a_flat_val_one_folder_too_deep(tmp_path, pictures, packed):
    folder = make.write(tmp_path / "set", {p: c for p, c in pictures.items() if p.startswith("train")})
    inner = {p.replace("val/", "images/"): c for p, c in make.flat(pictures).items() if p.startswith("val")}
    if packed:
        make.tar(folder / "ILSVRC2012_img_val.tar", inner)
    else:
        make.write(folder / "val", inner)
    said = refused(tmp_path, folder)
    assert said.startswith("val/images in ") and "6 pictures without class folders" in said and "devkit_t12" in said
    make.kaggle(folder, pictures)
    line, metadata, rows = prepare(tmp_path, folder)
    assert "val read from val/images" in line and [metadata["wnids"][row["label"]] for row in rows[12::2]] == sorted(W)


def test_one_class_is_no_folder_too_many(tmp_path, pictures):
    """The other classes are missing."""
    one = without(without(pictures, f"val/{W[0]}"), f"val/{W[1]}")
    assert "val in" in (said := refused(tmp_path, make.write(tmp_path / "val", one))) and "lacks 2 classes" in said
    alone = without(without(one, f"train/{W[0]}"), f"train/{W[1]}")
    assert "has 1 class, not 3" in refused(tmp_path, make.write(tmp_path / "both", alone), train=None, val=None)


def test_an_empty_class_one_folder_too_deep(tmp_path, pictures):
    make.write(tmp_path / "set", moved(pictures, DEEPER["val/val"]))
    (tmp_path / "set/val/val/n09999999").mkdir()
    assert "val in" in (said := refused(tmp_path, tmp_path / "set")) and "1 class without pictures: n09999999" in said
