"""The batches of pictures: the same from any number of workers, processes and interruptions, decoded anew or kept."""

import io
from dataclasses import replace
from types import SimpleNamespace

import drawn_pictures as make
import numpy as np
import pytest
import torch
from drawn_pictures import settings
from PIL import Image

from learner_collusion.data import imagenet
from learner_collusion.data.picture_bytes import Reader
from learner_collusion.errors import UserError
from learner_collusion.records import pictures as index_of
from learner_collusion.training import crops, picture_cache, pictures
from learner_collusion.training.picture_protocol import PictureProtocol
from learner_collusion.training.protocol import Cell, Subset

CPU = torch.device("cpu")
CELL = Cell("imagenet", "tiny", "imagenet_resnet18", 2, "probability", 0.0, 1.0, 0)
PROTOCOL = PictureProtocol(
    "sgd", 0.1, 0.9, 0.0, 3, (), 0.2, None, batch_size=5, width=1.0, size=16, scale=(0.08, 1.0), flip=True
)
STATISTICS = SimpleNamespace(classes=3, mean=(120.0, 110.0, 100.0), std=(60.0, 55.0, 50.0))


def indexed(folder, pictures):
    """The index of some pictures in files."""
    make.write(folder / "set", pictures)
    imagenet.prepare("tiny", settings(folder / "set"), folder / "tiny.pictures.parquet", None)
    return folder / "tiny.pictures.parquet"


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    """The index of a tar of JPEGs."""
    folder = tmp_path_factory.mktemp("tiny")
    make.tar(folder / "set.tar", make.drawn())
    imagenet.prepare("tiny", settings(folder / "set.tar"), folder / "tiny.pictures.parquet", None)
    return folder / "tiny.pictures.parquet"


def data(index, protocol=PROTOCOL, cell=CELL, workers=0, seed=0, **rest):
    return pictures.on_workers(index, cell, protocol, STATISTICS, seed, CPU, workers, **rest)


def same(ours, theirs) -> bool:
    pairs = list(zip(ours, theirs, strict=True))
    return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


def epoch(found, number=1, first=0):
    return list(found.training(number, first))


def validation(found):
    return list(found.evaluation("validation"))


def test_an_epoch(index):
    found = data(index)
    batches = epoch(found)
    assert found.classes == 3 and found.batches == len(batches) == 3
    assert [len(batch.targets) for batch in batches] == [5, 5, 2]
    assert sorted(torch.cat([batch.targets for batch in batches]).tolist()) == sorted([0, 1, 2] * 4)
    for batch in batches:
        assert batch.images.shape[1:] == (3, 16, 16) and batch.images.dtype == torch.float32 and batch.staying is None
        assert batch.images.is_contiguous(memory_format=torch.channels_last)
        assert batch.targets.dtype == torch.int64
    assert same(epoch(found), batches) and not same(epoch(found, 2), batches)


def test_the_pixels_are_those_of_the_files(index):
    """Normalised crops of the pictures that the index names."""
    metadata, table = index_of.read(index)
    rows = [row for row in table.to_pylist() if row["split"] == "val"]
    found, labels = (torch.cat(parts) for parts in zip(*validation(data(index)), strict=True))
    assert labels.tolist() == [row["label"] for row in rows] == [0, 0, 1, 1, 2, 2]
    mean, std = (torch.tensor(values)[:, None, None] for values in (STATISTICS.mean, STATISTICS.std))
    reader = Reader(metadata["root"])
    for row, image in zip(rows, found, strict=True):
        content = reader.read(*(row[key] for key in ("path", "archive", "offset", "size")))
        pixels = torch.from_numpy(np.array(Image.open(io.BytesIO(content)).convert("RGB"))).permute(2, 0, 1)
        plain = crops.central(pixels, np.array(pixels.shape[1:]), 18, 16)  # 16 / 0.875
        torch.testing.assert_close(image * std + mean, plain.float(), atol=1e-3, rtol=0)


def test_workers_change_nothing(index):
    alone = data(index)
    for workers in (1, 2):
        found = data(index, workers=workers)
        assert same(epoch(found), epoch(alone)) and same(epoch(found, 2), epoch(alone, 2))
        assert same(validation(found), validation(alone))


def test_an_epoch_goes_on_where_it_was_left(index):
    whole = [epoch(data(index), number) for number in (1, 2)]
    for first in range(4):
        found = data(index)
        assert same(epoch(found, 1, first), whole[0][first:]) and same(epoch(found, 2), whole[1])
    found = data(index)
    iterator = iter(found.training(1, 0))
    next(iterator)  # left after one batch: neither forward nor back is wrong
    assert same(epoch(found, 1, 1), whole[0][1:]) and same(epoch(found, 1, 1), whole[0][1:])
    assert same(epoch(found, 2, 1), whole[1][1:]) and same(epoch(found, 9), epoch(data(index), 9))


@pytest.mark.parametrize("world", [2, 3])
@pytest.mark.parametrize("way", ["decoded anew", "kept", "on the device"])
def test_processes_share_every_batch(index, world, way, monkeypatch):
    monkeypatch.setattr(pictures, "_fits", lambda kept, device: way == "on the device")
    protocol = PROTOCOL if way == "decoded anew" else replace(PROTOCOL, cache=100)
    parts = [epoch(data(index, protocol, rank=rank, world=world)) for rank in range(world)]
    for whole, *shared in zip(epoch(data(index, protocol)), *parts, strict=True):
        assert torch.equal(torch.cat([part.images for part in shared]), whole.images)
        assert torch.equal(torch.cat([part.targets for part in shared]), whole.targets)
        counts = [len(part.targets) for part in shared]
        assert max(counts) - min(counts) <= 1
    labels = [torch.cat([t for _, t in validation(data(index, rank=rank, world=world))]) for rank in range(world)]
    assert sorted(torch.cat(labels).tolist()) == [0, 0, 1, 1, 2, 2]


def test_what_the_numbers_depend_on(index):
    first = epoch(data(index))
    assert same(epoch(data(index, cell=replace(CELL, beta=0.0))), first)  # betas are paired
    assert not same(epoch(data(index, cell=replace(CELL, run=1))), first)
    assert not same(epoch(data(index, seed=1)), first)
    whole = replace(PROTOCOL, scale=(1.0, 1.0), flip=False)
    assert not same(epoch(data(index, whole)), first)


@pytest.mark.parametrize("cache", [None, 90])
def test_dropout_draws_the_same_numbers_whatever_is_read(index, cache):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    found = data(index, replace(PROTOCOL, cache=cache))
    epoch(found), validation(found), epoch(found, 2)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_subset_is_the_same_for_every_cell(tmp_path):
    index = indexed(tmp_path, make.drawn(sizes=((52, 52),)))
    some = replace(PROTOCOL, subset=Subset(train=7, test=4), batch_size=7, scale=(1.0, 1.0), flip=False)
    cells = CELL, replace(CELL, run=1)
    (one,), (other,) = (epoch(data(index, some, cell)) for cell in cells)
    chosen = [{image.sum().item() for image in batch.images} for batch in (one, other)]
    assert chosen[0] == chosen[1] and len(chosen[0]) == 7 and not torch.equal(one.images, other.images)
    assert len(torch.cat([labels for _, labels in validation(data(index, some))])) == 4


def test_kept_pictures_give_the_same_pixels(index, capsys):
    kept = replace(PROTOCOL, cache=60)
    plain = data(index)
    for workers in (0, 2):
        found = data(index, kept, workers=workers)
        assert same(epoch(found), epoch(plain)) and same(validation(found), validation(plain))
    assert capsys.readouterr().out.count("Decoding 18 pictures once") == 1


def test_kept_pictures_on_the_device(index, monkeypatch):
    """Cut there from all pixels at once: as the crops of workers, within two grey levels."""
    monkeypatch.setattr(pictures, "_fits", lambda kept, device: True)
    found, plain = data(index, replace(PROTOCOL, cache=60)), data(index)
    for ours, theirs in ((epoch(found), epoch(plain)), (validation(found), validation(plain))):
        for a, b in zip(ours, theirs, strict=True):
            apart = (a[0] - b[0]).abs() * 60
            assert torch.equal(a[1], b[1]) and apart.max() < 2.5 and apart.mean() < 0.1
            assert a[0].is_contiguous(memory_format=torch.channels_last)


def test_kept_pictures_are_reduced_to_so_many_pixels(index):
    """Training is what it is on files of that size."""
    found = picture_cache.keep(index, 20, 1)
    assert {tuple(sides) for sides in zip(found.heights, found.widths, strict=True)} == {(20, 26), (26, 20), (20, 20)}
    assert found.path.stat().st_size == found.size == 3 * sum(found.heights * found.widths)
    batches = epoch(data(index, replace(PROTOCOL, cache=20, size=20, scale=(1.0, 1.0), flip=False)))
    plain = epoch(data(index, replace(PROTOCOL, size=20, scale=(1.0, 1.0), flip=False)))
    assert all((a[0] - b[0]).abs().mean() < 0.1 for a, b in zip(batches, plain, strict=True))


def test_kept_pictures_are_found_again_and_belong_to_their_index(index, tmp_path, capsys):
    first = picture_cache.keep(index, 30, 1)
    before = first.path.stat().st_mtime_ns
    assert picture_cache.keep(index, 30, 1).path.stat().st_mtime_ns == before
    assert "30px" in first.path.name and capsys.readouterr().out.count("Decoding") == 1
    first.path.write_bytes(b"cut short")
    assert picture_cache.keep(index, 30, 1).path.stat().st_size == first.size
    whole = first.path.read_bytes()
    capsys.readouterr()
    first.path.write_bytes(whole[:100] + bytes([whole[100] ^ 1]) + whole[101:])
    assert picture_cache.keep(index, 30, 1).path.read_bytes() == whole
    assert (
        f"{first.path} is damaged, its checksum does not fit: its pictures are decoded anew." in capsys.readouterr().out
    )
    other = indexed(tmp_path, make.drawn(sizes=((50, 50),)))
    assert picture_cache.keep(other, 30, 1).path.name != first.path.name


def test_no_room_for_kept_pictures(index, monkeypatch):
    monkeypatch.setattr(picture_cache.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(UserError, match="set `cache` to fewer pixels"):
        picture_cache.keep(index, 25, 1)


def test_scaled_decoding_is_close(tmp_path):
    """Of pictures much larger than the crop: smaller files are decoded, and the crop's border is rounded."""
    index = indexed(tmp_path, make.drawn(sizes=((640, 480),)))
    exact, scaled = (data(index, replace(PROTOCOL, scaled=scaled)) for scaled in (False, True))
    assert not same(epoch(exact), epoch(scaled))
    for a, b in zip(epoch(exact) + validation(exact), epoch(scaled) + validation(scaled), strict=True):
        assert torch.equal(a[1], b[1]) and (a[0] - b[0]).abs().mean() * 60 < 3


def test_there_is_no_other_split(index):
    assert not list(data(index).evaluation("test")) and not list(data(index).evaluation("train_evaluated"))


def missing_picture(tmp_path, workers, **changes):
    index = indexed(tmp_path, make.drawn())
    next((tmp_path / "set/train").rglob("*.JPEG")).unlink()
    with pytest.raises(UserError, match="cannot be read any more") as caught:
        epoch(data(index, replace(PROTOCOL, **changes), workers=workers))
    return str(caught.value)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_picture_that_has_gone(tmp_path, workers):
    said = missing_picture(tmp_path, workers)
    assert "\n" not in said and "train/" in said


def test_a_picture_that_has_gone_before_it_is_kept(tmp_path):
    missing_picture(tmp_path, 0, cache=10)
    assert not list(tmp_path.glob("*.decoded"))


@pytest.mark.parametrize(("workers", "changes"), [(0, {}), (1, {}), (0, {"cache": 10})])
def test_a_picture_that_has_other_sides_now(tmp_path, workers, changes):
    """As after a set was reduced in place: the boxes are of the pixels that it had."""
    index = indexed(tmp_path, make.drawn(sizes=((60, 45),)))
    for path in (tmp_path / "set/train").rglob("*.JPEG"):
        Image.open(path).resize((30, 22)).save(path)
    with pytest.raises(UserError, match=r"cannot be read any more \(it has 30 x 22 pixels, and had 60 x 45\): delete"):
        epoch(data(index, replace(PROTOCOL, **changes), workers=workers))


def test_what_a_killed_decoding_left_takes_no_room(tmp_path):
    index = indexed(tmp_path, make.drawn())
    kept = picture_cache.keep(index, 30, 1).path
    kept.unlink()
    left = kept.with_name(f".{kept.name}.123456.part")
    left.write_bytes(b"x" * 1000)
    assert picture_cache.keep(index, 30, 1).path == kept and not left.exists()


def test_what_does_not_fit(index, tmp_path):
    for changes, words in (
        ({"std": (0.2, 0.2, 0.2)}, "multiply them by 255"),
        ({"classes": 4}, "has 3 classes, not the 4"),
    ):
        statistics = SimpleNamespace(**(vars(STATISTICS) | changes))
        with pytest.raises(UserError, match=words):
            pictures.on_workers(index, CELL, PROTOCOL, statistics, 0, CPU, 0)
    with pytest.raises(UserError, match="must not be below size"):
        data(index, replace(PROTOCOL, evaluation_size=15))
    imagenet.prepare("tiny", settings(tmp_path / "no", missing="leave_out"), tmp_path / "i.parquet", None)
    with pytest.raises(UserError, match="tiny is not available"):
        data(tmp_path / "i.parquet")
