"""Pictures a second, as training gets them: ours against torchvision's ImageFolder and DataLoader, in turns, as JSON.

    python benchmarks/pictures.py [--folder DIR | --archive TAR] [--workers N] [--seconds S] [--size PIXELS] [--device cpu|cuda]

Both decode, cut a random crop of `size` pixels out, flip, and have normalised float32 batches on the device. The folder, or the
tar, is in ImageNet's layout; without one, JPEGs of ImageNet's usual 500 x 375 pixels are drawn. Torchvision reads no tar: for it
some of the tar's pictures are unpacked, and both read these.
"""

import argparse
import contextlib
import json
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from learner_collusion.data import imagenet
from learner_collusion.training.picture_protocol import PictureProtocol
from learner_collusion.training.pictures import on_workers
from learner_collusion.training.protocol import Cell

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MOST = 2000  # pictures that are unpacked from a tar
_CELL = Cell("imagenet", "pictures", "imagenet_resnet18", 1, "probability", 0.0, 1.0, 0)


def throughput(
    folder: str | None = None,
    archive: str | None = None,
    workers: int = 2,
    seconds: float = 4,
    size: int = 224,
    batch: int = 32,
    rounds: int = 3,
    device: str = "cpu",
    drawn: int = 128,
) -> dict:
    """Median pictures a second of each way, and the median ratio of the first to torchvision within a round.

    The ways: "exact", the pixels of torchvision's crops; "scaled", with libjpeg's scaled decoding; "kept", decoded once and kept
    with up to 256 pixels of the shorter side. `seconds` are those of each measurement. "core_milliseconds": of one core for a picture,
    without worker processes, which another load on the machine changes less. Batches are smaller than in training, so that a short
    measurement is of many.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        source = Path(folder) if folder else root / "set"
        if archive:
            _unpack(Path(archive), source)
        elif not folder:
            _draw(source, drawn)
        classes = sum(path.is_dir() for path in (source / "train").iterdir())
        given = imagenet.Pictures(str(source.resolve()), None, classes, None, None, "fail")
        index = root / "pictures.parquet"
        imagenet.prepare("pictures", given, index, None)
        places = {"index": index, "classes": classes, "folder": source / "train"}
        alone = _in_turns(places, rounds, _core, size, min(batch, 32), 0, torch.device("cpu"))
        rates = _in_turns(
            places, rounds, partial(_rate, 2 * workers + 1, seconds), size, batch, workers, torch.device(device)
        )
    return {
        "pictures_per_second": {name: statistics.median(values) for name, values in rates.items()},
        "ratio": statistics.median(a / b for a, b in zip(rates["exact"], rates["torchvision"], strict=True)),
        "core_milliseconds": {name: statistics.median(values) for name, values in alone.items()},
        "core_ratio": statistics.median(b / a for a, b in zip(alone["exact"], alone["torchvision"], strict=True)),
        "workers": workers,
        "cores": len(os.sched_getaffinity(0)),
        "size": size,
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "pictures": archive or folder or "drawn, 500 x 375",
    }


def _in_turns(places: dict, rounds: int, measure: Callable, *arguments) -> dict[str, list[float]]:
    """What `measure` finds of the batches of each way, once a round."""
    ours = partial(_ours, places["index"], places["classes"], *arguments)
    ways = {
        "exact": ours(),
        "scaled": ours(scaled=True),
        "kept": ours(cache=256),
        "torchvision": _torchvisions(places["folder"], *arguments),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, batches in ways.items():
            found[name].append(measure(batches))
    for batches in ways.values():
        batches.close()
    return found


def _rate(ready: int, seconds: float, batches: Iterator) -> float:
    """Pictures a second, after the batches that lay ready."""
    for _ in range(ready):
        next(batches)
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        images = next(batches)
        count += len(images)
    if images.is_cuda:
        torch.cuda.synchronize()
    return count / (time.perf_counter() - start)


def _core(batches: Iterator) -> float:
    """Milliseconds of one core for a picture."""
    next(batches)
    start = time.process_time()
    images = next(batches)
    return 1e3 * (time.process_time() - start) / len(images)


def _ours(index: Path, classes: int, size: int, batch: int, workers: int, device: torch.device, **keys) -> Iterator:
    statistics_ = SimpleNamespace(classes=classes, mean=[255 * m for m in MEAN], std=[255 * s for s in STD])
    protocol = PictureProtocol("sgd", 0.1, 0.9, 0.0, 10**6, (), 0.2, None, batch, 1.0, size, (0.08, 1.0), True, **keys)
    data = on_workers(index, _CELL, protocol, statistics_, 0, device, workers)
    for epoch in range(1, 10**6):
        for images, *_ in data.training(epoch, 0):
            yield images


def _torchvisions(folder: Path, size: int, batch: int, workers: int, device: torch.device) -> Iterator:
    steps = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    data = ImageFolder(str(folder), transforms.Compose([*steps, transforms.Normalize(MEAN, STD)]))
    sampler = torch.utils.data.RandomSampler(
        data, replacement=True, num_samples=10**7
    )  # its workers do not stop, either
    pinned = device.type == "cuda"
    for images, targets in DataLoader(data, batch, sampler=sampler, num_workers=workers, pin_memory=pinned):
        targets.to(device, non_blocking=True)
        yield images.to(device, non_blocking=True)


def _draw(folder: Path, count: int) -> None:
    """Smooth shapes with fine noise, about as many bytes as ImageNet's have."""
    random = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).resize((500, 375))
        noise = Image.fromarray(random.integers(0, 256, (375, 500, 3), dtype=np.uint8))
        picture = Image.blend(coarse, noise.filter(ImageFilter.GaussianBlur(0.7)), 0.35)
        place = folder / ("val" if number % 8 == 0 else "train") / str(number % 3) / f"{number}.JPEG"
        place.parent.mkdir(parents=True, exist_ok=True)
        picture.save(place, "JPEG", quality=90)


def _unpack(archive: Path, folder: Path) -> None:
    """Some pictures of a tar with train/<class>/ and val/<class>/, evenly over it."""
    with tarfile.open(archive) as tar:
        members = [m for m in tar if m.isfile() and {"train", "val"} & set(Path(m.name).parts)]
        for member in members[:: max(1, len(members) // _MOST)]:
            parts = Path(member.name).parts
            start = next(i for i, part in enumerate(parts) if part in ("train", "val"))
            place = folder.joinpath(*parts[start:])
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(tar.extractfile(member).read())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--folder", help="with train/<class>/ and val/")
    source.add_argument("--archive", help="a tar of such a folder")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(sys.stderr):  # what preparing the pictures says
        found = throughput(**vars(parser.parse_args()))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
