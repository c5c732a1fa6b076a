"""Image data that are damaged, of another kind, too large, or made to do harm, end in one sentence, and nothing is written."""

import hashlib
import io
import pickle
import tarfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from image_files import SIZES, both, cifar_archive, hub_parquet
from PIL import Image
from torchvision.datasets import CIFAR10

from learner_collusion.data import archives
from learner_collusion.errors import UserError


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


def packed(folder, monkeypatch, *members: tuple[tarfile.TarInfo, bytes]):
    """An archive of these members, whose checksum someone wrote down."""
    path = folder / CIFAR10.filename
    with tarfile.open(path, "w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    monkeypatch.setattr(CIFAR10, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info


def code_of_numpy(arrays, folder, monkeypatch):
    """A module of NumPy that runs something when it is imported, by a name that arrays have, too."""
    content = b"\x80\x02cnumpy.f2py.__main__\ndtype\n."
    packed(folder, monkeypatch, (member("cifar/data_batch_1", len(content)), content))


def files_of_zeros(arrays, folder, monkeypatch):
    """A few kilobytes that say they are two gigabytes."""
    monkeypatch.setattr(archives, "LARGEST", 10**6)
    packed(folder, monkeypatch, (member("cifar/readme", 2 * 10**6), bytes(2 * 10**6)))


def batches_twice(arrays, folder, monkeypatch):
    content = pickle.dumps({b"data": [], b"labels": []}, 2)
    one = member("cifar/data_batch_1", len(content)), content
    packed(folder, monkeypatch, one, one)


def pictures(folder, rows, label=None):
    (folder / "cifar10").mkdir()
    for part, count in SIZES.items():
        table = pa.table({"img": rows(count), "label": label or [0] * count})
        pq.write_table(table, folder / "cifar10" / f"{part}.parquet")


def encoded(image: Image.Image, kind: str) -> bytes:
    memory = io.BytesIO()
    image.save(memory, kind)
    return memory.getvalue()


def large_pictures(arrays, folder, monkeypatch):
    """Half a gigabyte each where it is decoded, which it is not."""
    content = encoded(Image.new("1", (13_000, 13_000)), "PNG")
    pictures(folder, lambda count: [{"bytes": content, "path": None}] * count)


def pictures_without_struct(arrays, folder, monkeypatch):
    content = encoded(Image.new("RGB", (32, 32)), "PNG")
    pictures(folder, lambda count: [content] * count)


def another_kind_of_picture(arrays, folder, monkeypatch):
    """For some formats Pillow starts another program."""
    content = encoded(Image.new("RGB", (32, 32)), "EPS")
    pictures(folder, lambda count: [{"bytes": content, "path": None}] * count)


def two_mirrors(arrays, folder, monkeypatch):
    hub_parquet(arrays, folder / "a" / "cifar10")
    hub_parquet({part: (x[::-1], y[::-1]) for part, (x, y) in arrays.items()}, folder / "b" / "cifar10")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damaged_archive, "wrong MD5.*Fetch the original"),
        (truncated_archive, "is damaged .*: fetch the original"),
        (code_in_the_archive, "damaged .it asks for .*print.: fetch the original"),
        (truncated_parquet, "train.parquet is damaged.*: fetch it again"),
        (no_pictures, "train.parquet is damaged.*: fetch it again"),
        (other_columns, "is not a table of images and labels .*: fetch it again"),
        (half_a_mirror, "test.parquet does not exist: complete the mirror"),
        (too_few, r"train.parquet is damaged.*it has 49 rows, not 50"),
        (another_label, "has train labels from 1 to 10, not from 0 to 9; fetch the original"),
        (code_of_numpy, "damaged .it asks for numpy.f2py.__main__.dtype.: fetch the original"),
        (files_of_zeros, r"damaged .it unpacks to more than .* bytes or 10,000 files.: fetch the original"),
        (batches_twice, "damaged .it has two files data_batch_1.: fetch the original"),
        (large_pictures, r"a picture has 13000 x 13000 pixels, not 32 x 32"),
        (pictures_without_struct, "train.parquet is damaged.*: fetch it again"),
        (another_kind_of_picture, "train.parquet is damaged.*: fetch it again"),
        (
            two_mirrors,
            "a/cifar10/train.parquet and .*b/cifar10/train.parquet are two different files of one name: remove",
        ),
        (nothing, "cifar10 is not available: .*LEARNER_COLLUSION_MIRROR"),
    ],
)
def test_what_is_wrong_is_one_sentence_and_leaves_nothing(arrays, tmp_path, monkeypatch, spoil, words, capsys):
    folder, output = tmp_path / "mirror", tmp_path / "made" / "o.npz"
    folder.mkdir()
    spoil(arrays, folder, monkeypatch)
    with pytest.raises(UserError, match=words) as caught:
        both("cifar10", output, folder)
    assert "\n" not in str(caught.value) and capsys.readouterr().out == ""
    assert {path.name for path in output.parent.glob("*")} <= {"o.tar"}
