"""Image data: the official archives and the hubs' Parquet give the same images, and nothing else is taken for them."""

import hashlib
import json
import tarfile
import zipfile

import msgspec
import numpy as np
import pytest
from image_files import both, cifar_archive, expected, hub_parquet, source
from scipy.io import savemat
from torchvision.datasets import CIFAR10, CIFAR100

from learner_collusion.data import image_arrays, images
from learner_collusion.errors import UserError


def same(found, arrays):
    for part, (x, y) in arrays.items():
        np.testing.assert_array_equal(found[f"{part}_x"], x)
        np.testing.assert_array_equal(found[f"{part}_y"], y)


@pytest.mark.parametrize(("dataset", "cls", "classes"), [("cifar10", CIFAR10, 10), ("cifar100", CIFAR100, 100)])
def test_official_cifar_archives(arrays, tmp_path, monkeypatch, dataset, cls, classes):
    md5 = cifar_archive(arrays, tmp_path / "mirror" / cls.filename, classes)
    monkeypatch.setattr(cls, "tgz_md5", md5)
    where = both(dataset, tmp_path / "o.npz", tmp_path / "mirror", checked=expected(classes=classes))
    assert where == "from the mirror"
    with tarfile.open(tmp_path / "o.tar") as tar:
        assert tar.getnames() == ["description.json", cls.filename]
        assert tar.extractfile(cls.filename).read() == (tmp_path / "mirror" / cls.filename).read_bytes()
    description, found = image_arrays.read(tmp_path / "o.npz")
    same(found, arrays)
    assert description["content_sha256"] == images.content(arrays["train"], arrays["test"])


@pytest.mark.parametrize(("label", "kind"), [("label", "WEBP"), ("fine_label", "PNG")])
def test_parquet_of_the_hubs(arrays, tmp_path, label, kind):
    hub_parquet(arrays, tmp_path / "deep" / "cifar10", label, kind)
    both("cifar10", tmp_path / "o.npz", tmp_path)
    same(image_arrays.read(tmp_path / "o.npz")[1], arrays)


def test_both_sources_are_the_same_data_whatever_their_order(arrays, tmp_path, monkeypatch, random):
    monkeypatch.setattr(CIFAR10, "tgz_md5", cifar_archive(arrays, tmp_path / "a" / CIFAR10.filename))
    hub_parquet(arrays, tmp_path / "b" / "cifar10", order=random)
    contents = []
    for name in ("a", "b"):
        both("cifar10", tmp_path / f"{name}.npz", tmp_path / name)
        contents.append(image_arrays.read(tmp_path / f"{name}.npz")[0]["content_sha256"])
    assert contents[0] == contents[1]
    # and that checksum is what a copy is held to
    both("cifar10", tmp_path / "c.npz", tmp_path / "b", checked=expected(content_sha256=contents[0]))


def test_content_changes_with_a_pixel_a_label_or_a_part(arrays):
    train, test = arrays["train"], arrays["test"]
    known = images.content(train, test)
    pixel = train[0].copy()
    pixel[3, 4, 5, 1] ^= 1
    label = train[1].copy()
    label[7] = (label[7] + 1) % 10
    assert len({known, images.content((pixel, train[1]), test), images.content((train[0], label), test)}) == 3
    assert images.content(test, train) != known


def test_same_images_same_bytes(arrays, tmp_path):
    hub_parquet(arrays, tmp_path / "cifar10")
    for name in ("one.npz", "two.npz"):
        both("cifar10", tmp_path / name, tmp_path)
    for suffix in (".npz", ".tar"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()
    with tarfile.open(tmp_path / "one.tar") as tar:
        assert all((entry.mtime, entry.uid, entry.gid, entry.uname) == (0, 0, 0, "") for entry in tar)


def svhn_files(arrays, folder) -> dict:
    """Two .mat files in the layout of the official cropped digits, where class 10 is the digit 0."""
    folder.mkdir(exist_ok=True)
    md5 = {}
    for part, (x, y) in arrays.items():
        path = folder / f"{part}_32x32.mat"
        savemat(path, {"X": x.transpose(1, 2, 3, 0), "y": np.where(y == 0, 10, y)[:, None]})
        md5[part] = hashlib.md5(path.read_bytes()).hexdigest()
    return md5


def test_official_svhn_files(arrays, tmp_path):
    md5 = svhn_files(arrays, tmp_path / "mirror")
    given, checked = source(source="svhn", md5=md5), expected(source="svhn")
    both("svhn", tmp_path / "o.npz", tmp_path / "mirror", given, checked)
    same(image_arrays.read(tmp_path / "o.npz")[1], arrays)


def test_svhn_by_its_official_checksum(arrays, tmp_path):
    """Without checksums of its own, only the official files are taken."""
    svhn_files(arrays, tmp_path / "mirror")
    with pytest.raises(
        UserError, match=r"train_32x32.mat is not available: .*the mirror's copy is another file or damaged"
    ):
        images.fetch("svhn", source(source="svhn"), tmp_path / "o.tar", str(tmp_path / "mirror"))


def test_digits_need_nothing(tmp_path, config):
    checked = msgspec.convert(config["images"]["datasets"]["digits"], images.Expected)
    assert both("digits", tmp_path / "o.npz", None, source(source="digits"), checked) == "from scikit-learn"
    _, found = image_arrays.read(tmp_path / "o.npz")
    assert found["train_x"].shape == (1437, 32, 32, 3) and found["test_x"].shape == (360, 32, 32, 3)
    assert (found["train_x"][0, ::4, ::4] == found["train_x"][0, 3::4, 2::4]).all()


def test_another_content_is_refused(arrays, tmp_path):
    hub_parquet(arrays, tmp_path / "cifar10")
    with pytest.raises(UserError, match="holds other images than expected"):
        both("cifar10", tmp_path / "o.npz", tmp_path, checked=expected(content_sha256="0" * 64))
    assert not (tmp_path / "o.npz").exists()


def test_left_out_by_name(tmp_path):
    given, checked = source(source="svhn", missing="leave_out"), expected(source="svhn")
    where = both("svhn", tmp_path / "o.npz", tmp_path, given, checked)
    assert "left out" in images.prepare("svhn", checked, tmp_path / "o.tar", tmp_path / "o.npz")
    description, found = image_arrays.read(tmp_path / "o.npz")
    with tarfile.open(tmp_path / "o.tar") as tar:
        assert tar.getnames() == ["description.json"]
        assert json.load(tar.extractfile("description.json")) == description
    assert not found and "does not answer" in description["missing"] and "left out" in where
    # what figures will say names no folder of this machine
    assert (
        "the mirror does not contain train_32x32.mat" in description["missing"]
        and str(tmp_path) not in description["missing"]
    )


def test_a_damaged_npz_is_told(arrays, tmp_path):
    hub_parquet(arrays, tmp_path / "cifar10")
    both("cifar10", tmp_path / "o.npz", tmp_path)
    content = (tmp_path / "o.npz").read_bytes()
    for name, cut in (
        ("short", content[:-2000]),
        ("empty", b""),
        ("flipped", content[:9000] + b"????" + content[9004:]),
    ):
        (tmp_path / name).write_bytes(cut)
        with pytest.raises(UserError, match="damaged: delete it and run again"):
            image_arrays.read(tmp_path / name)
    with pytest.raises(UserError, match="does not exist"):
        image_arrays.read(tmp_path / "none.npz")


def test_a_damaged_or_another_tar_is_told(arrays, tmp_path):
    hub_parquet(arrays, tmp_path / "cifar10")
    both("cifar10", tmp_path / "o.npz", tmp_path)
    whole = (tmp_path / "o.tar").read_bytes()
    for name, cut in (("short", whole[:-20000]), ("empty", b""), ("text", b"no archive " * 100)):
        (tmp_path / name).write_bytes(cut)
        with pytest.raises(UserError, match="damaged: delete it and fetch again"):
            images.prepare("cifar10", expected(), tmp_path / name, tmp_path / "new.npz")
    with pytest.raises(UserError, match=r"none.tar does not exist"):
        images.prepare("cifar10", expected(), tmp_path / "none.tar", tmp_path / "new.npz")
    with pytest.raises(UserError, match=r"o.tar holds cifar10, not cifar100"):
        images.prepare("cifar100", expected(), tmp_path / "o.tar", tmp_path / "new.npz")
    assert not (tmp_path / "new.npz").exists()


def test_an_unknown_source_or_name(tmp_path):
    with pytest.raises(UserError, match="source 'mnist' is unknown: choose one of cifar, svhn, digits"):
        images.fetch("mnist", source(source="mnist"), tmp_path / "o.tar", None)
    with pytest.raises(UserError, match="has cifar10 and cifar100, not 'cifar20'"):
        images.fetch("cifar20", source(), tmp_path / "o.tar", None)


def test_the_npz_is_one_that_numpy_reads_with_no_dates(arrays, tmp_path):
    image_arrays.write(tmp_path / "o.npz", {"train_x": arrays["train"][0][:, ::2]}, {"dataset": "d"})
    with np.load(tmp_path / "o.npz") as found:
        np.testing.assert_array_equal(found["train_x"], arrays["train"][0][:, ::2])
    with zipfile.ZipFile(tmp_path / "o.npz") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_subset_draws_matching_rows(random):
    x, y = random.normal(size=(30, 2)), np.arange(30)
    state = np.random.default_rng
    drawn = image_arrays.subset(y, 7, state(1))
    assert len(set(drawn)) == 7 and (drawn != np.sort(drawn)).any()
    np.testing.assert_array_equal(image_arrays.subset(x, 7, state(1)), x[drawn])
    assert image_arrays.subset(y, None, state(1)) is y and image_arrays.subset(y, 30, state(1)) is y


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_mirror_is_the_data(mirror, dataset, tmp_path, config):
    """All 60,000 images, by the checksum of the configuration."""
    checked = msgspec.convert(config["images"]["datasets"][dataset], images.Expected)
    both(dataset, tmp_path / "o.npz", mirror, checked=checked)
    description, found = image_arrays.read(tmp_path / "o.npz")
    assert description["content_sha256"] == config["images"]["datasets"][dataset]["content_sha256"]
    channels = found["train_x"].reshape(-1, 3).mean(0)
    published = {"cifar10": [125.3, 123.0, 113.9], "cifar100": [129.3, 124.1, 112.4]}[dataset]
    np.testing.assert_allclose(channels, published, atol=0.1)
