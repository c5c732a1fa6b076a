"""Image data: the official archives and the hubs' Parquet give the same images, and nothing else is taken for them."""

import hashlib
import io
import pickle
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from scipy.io import savemat
from torchvision.datasets import CIFAR10, CIFAR100

from learner_collusion.datasets import images
from learner_collusion.errors import UserError

SIZES = {"train": 50, "test": 10}


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    """The origins do not answer."""
    for cls in (CIFAR10, CIFAR100):
        monkeypatch.setattr(cls, "url", "http://127.0.0.1:9/archive.tar.gz")
    from torchvision.datasets import SVHN

    away = {part: ["http://127.0.0.1:9/x.mat", *entry[1:]] for part, entry in SVHN.split_list.items()}
    monkeypatch.setattr(SVHN, "split_list", away)


@pytest.fixture
def arrays(random):
    classes = 10
    return {
        part: (random.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8), random.integers(0, classes, n))
        for part, n in SIZES.items()
    }


def settings(**others) -> dict:
    own = {"source": "cifar", "classes": 10, **SIZES, "content": None, "missing": "fail", "md5": {}}
    return own | {"retries": 0, "timeout": 1} | others


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


def same(found, arrays):
    for part, (x, y) in arrays.items():
        np.testing.assert_array_equal(found[f"{part}_x"], x)
        np.testing.assert_array_equal(found[f"{part}_y"], y)


@pytest.mark.parametrize(("dataset", "cls", "classes"), [("cifar10", CIFAR10, 10), ("cifar100", CIFAR100, 100)])
def test_official_cifar_archives(arrays, tmp_path, monkeypatch, dataset, cls, classes):
    md5 = cifar_archive(arrays, tmp_path / "mirror" / cls.filename, classes)
    monkeypatch.setattr(cls, "tgz_md5", md5)
    where = images.prepare(dataset, settings(classes=classes), tmp_path / "o.npz", str(tmp_path / "mirror"))
    assert where == "the mirror"
    description, found = images.read(tmp_path / "o.npz")
    same(found, arrays)
    assert description["content"] == images.content(arrays["train"], arrays["test"])


@pytest.mark.parametrize(("label", "kind"), [("label", "WEBP"), ("fine_label", "PNG")])
def test_parquet_of_the_hubs(arrays, tmp_path, label, kind):
    hub_parquet(arrays, tmp_path / "deep" / "cifar10", label, kind)
    images.prepare("cifar10", settings(), tmp_path / "o.npz", str(tmp_path))
    same(images.read(tmp_path / "o.npz")[1], arrays)


def test_both_sources_are_the_same_data_whatever_their_order(arrays, tmp_path, monkeypatch, random):
    monkeypatch.setattr(CIFAR10, "tgz_md5", cifar_archive(arrays, tmp_path / "a" / CIFAR10.filename))
    hub_parquet(arrays, tmp_path / "b" / "cifar10", order=random)
    contents = []
    for name in ("a", "b"):
        images.prepare("cifar10", settings(), tmp_path / f"{name}.npz", str(tmp_path / name))
        contents.append(images.read(tmp_path / f"{name}.npz")[0]["content"])
    assert contents[0] == contents[1]
    # and that checksum is what a copy is held to
    images.prepare("cifar10", settings(content=contents[0]), tmp_path / "c.npz", str(tmp_path / "b"))


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
        images.prepare("cifar10", settings(), tmp_path / name, str(tmp_path))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


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
    images.prepare("svhn", settings(source="svhn", md5=md5), tmp_path / "o.npz", str(tmp_path / "mirror"))
    same(images.read(tmp_path / "o.npz")[1], arrays)


def test_svhn_by_its_official_checksum(arrays, tmp_path):
    """Without checksums of its own, only the official files are taken."""
    svhn_files(arrays, tmp_path / "mirror")
    with pytest.raises(UserError, match=r"train_32x32.mat from the mirror is damaged or another file"):
        images.prepare("svhn", settings(source="svhn"), tmp_path / "o.npz", str(tmp_path / "mirror"))


def test_digits_need_nothing(tmp_path, config):
    known = config["images"]["datasets"]["digits"]
    images.prepare("digits", known | {"missing": "fail"}, tmp_path / "o.npz", None)
    _, found = images.read(tmp_path / "o.npz")
    assert found["train_x"].shape == (1437, 32, 32, 3) and found["test_x"].shape == (360, 32, 32, 3)
    assert (found["train_x"][0, ::4, ::4] == found["train_x"][0, 3::4, 2::4]).all()


def damaged_archive(arrays, folder, monkeypatch):
    cifar_archive(arrays, folder / CIFAR10.filename)


def truncated_archive(arrays, folder, monkeypatch):
    path = folder / CIFAR10.filename
    cifar_archive(arrays, path)
    path.write_bytes(path.read_bytes()[:5000])
    # a copy that is cut short, and whose checksum someone wrote down
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())


def truncated_parquet(arrays, folder, monkeypatch):
    hub_parquet(arrays, folder / "cifar10")
    path = folder / "cifar10" / "train.parquet"
    path.write_bytes(path.read_bytes()[:-100])


def no_pictures(arrays, folder, monkeypatch):
    hub_parquet(arrays, folder / "cifar10")
    rows = [{"bytes": b"no picture", "path": None}] * 50
    pq.write_table(pa.table({"img": rows, "label": arrays["train"][1]}), folder / "cifar10" / "train.parquet")


def other_columns(arrays, folder, monkeypatch):
    hub_parquet(arrays, folder / "cifar10", label="colour")


def half_a_mirror(arrays, folder, monkeypatch):
    hub_parquet(arrays, folder / "cifar10")
    (folder / "cifar10" / "test.parquet").unlink()


def too_few(arrays, folder, monkeypatch):
    hub_parquet({part: (x[:-1], y[:-1]) for part, (x, y) in arrays.items()}, folder / "cifar10")


def another_label(arrays, folder, monkeypatch):
    hub_parquet({part: (x, y + 1) for part, (x, y) in arrays.items()}, folder / "cifar10")


def nothing(arrays, folder, monkeypatch):
    pass


def code_in_the_archive(arrays, folder, monkeypatch):
    """A pickle that would run a command is refused by name, and does not run."""
    path = folder / CIFAR10.filename

    class Bad:
        def __reduce__(self):
            return (print, ("run",))

    content = pickle.dumps(Bad(), 2)
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo("cifar/data_batch_1")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damaged_archive, "wrong MD5.*: fetch the original"),
        (truncated_archive, "is damaged .*: fetch the original"),
        (code_in_the_archive, "damaged .it asks for .*print.: fetch the original"),
        (truncated_parquet, "train.parquet is damaged.*: fetch it again"),
        (no_pictures, "train.parquet is damaged.*: fetch it again"),
        (other_columns, "no table of images and labels: fetch it again"),
        (half_a_mirror, "test.parquet is not there: complete the mirror"),
        (too_few, r"another shape: train \(49, 32, 32, 3\).*fetch the original"),
        (another_label, "another shape"),
        (nothing, "cifar10 cannot be had: .*LEARNER_COLLUSION_MIRROR"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(arrays, tmp_path, monkeypatch, spoil, words, capsys):
    folder, output = tmp_path / "mirror", tmp_path / "made" / "o.npz"
    folder.mkdir()
    spoil(arrays, folder, monkeypatch)
    with pytest.raises(UserError, match=words) as caught:
        images.prepare("cifar10", settings(), output, str(folder))
    assert "\n" not in str(caught.value) and capsys.readouterr().out == ""
    assert not output.parent.exists() or not list(output.parent.iterdir())


def test_another_content_is_refused(arrays, tmp_path):
    hub_parquet(arrays, tmp_path / "cifar10")
    with pytest.raises(UserError, match="holds other images than it should"):
        images.prepare("cifar10", settings(content="0" * 64), tmp_path / "o.npz", str(tmp_path))
    assert not (tmp_path / "o.npz").exists()


def test_left_out_by_name(tmp_path):
    where = images.prepare("svhn", settings(source="svhn", missing="leave_out"), tmp_path / "o.npz", str(tmp_path))
    description, found = images.read(tmp_path / "o.npz")
    assert not found and "does not answer" in description["missing"] and "left out" in where
    # what figures will say names no folder of this machine
    assert (
        "the mirror holds no train_32x32.mat" in description["missing"] and str(tmp_path) not in description["missing"]
    )


def test_a_damaged_npz_is_told(arrays, tmp_path):
    hub_parquet(arrays, tmp_path / "cifar10")
    images.prepare("cifar10", settings(), tmp_path / "o.npz", str(tmp_path))
    content = (tmp_path / "o.npz").read_bytes()
    for name, cut in (
        ("short", content[:-2000]),
        ("empty", b""),
        ("flipped", content[:9000] + b"????" + content[9004:]),
    ):
        (tmp_path / name).write_bytes(cut)
        with pytest.raises(UserError, match="damaged: delete it and run again"):
            images.read(tmp_path / name)
    with pytest.raises(UserError, match="is not there"):
        images.read(tmp_path / "none.npz")


@pytest.mark.parametrize("dataset", ["cifar10", "cifar100"])
def test_the_mirror_is_the_data(mirror, dataset, tmp_path, config):
    """All 60,000 images, by the checksum of the configuration."""
    network = {"missing": "fail", "retries": 0, "timeout": 1}
    images.prepare(dataset, config["images"]["datasets"][dataset] | network, tmp_path / "o.npz", str(mirror))
    description, found = images.read(tmp_path / "o.npz")
    assert description["content"] == config["images"]["datasets"][dataset]["content"]
    channels = found["train_x"].reshape(-1, 3).mean(0)
    published = {"cifar10": [125.3, 123.0, 113.9], "cifar100": [129.3, 124.1, 112.4]}[dataset]
    np.testing.assert_allclose(channels, published, atol=0.1)
