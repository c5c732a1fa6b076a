"""Image training against the official code's implementation: augmentation, and one training step, in turns, as JSON.

    python benchmarks/images.py [--device cpu|cuda] [--rounds N] [--batch N]

On a CPU one core. The official code: Pillow transforms image by image; the learners one after the other, channels first,
each with a separate stem; softmax, mean and logarithm in place of log-sum-exp.
"""

import argparse
import json
import os
import statistics
import time

import numpy as np
import torch
from torch.nn import functional as F

from learner_collusion import AugmentedLoss
from learner_collusion.models.ensemble import Ensemble, ensemble
from learner_collusion.training import augment, loop
from learner_collusion.training.batches import Batch
from learner_collusion.training.protocol import Augmentation, Hardware

MEAN, STD, BETA, LEARNERS = (125.3, 123.0, 113.9), (63.0, 62.1, 66.7), 0.5, 5
AUGMENTED = AugmentedLoss(BETA, "cross_entropy", "probability", reduction="none")


def in_turns(ways: dict, rounds: int) -> dict:
    """Median seconds of each way, and the median ratio of the first to the last within a round."""
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    first, *_, last = seconds
    ratio = statistics.median(a / b for a, b in zip(seconds[first], seconds[last], strict=True))
    return {"seconds": {name: statistics.median(values) for name, values in seconds.items()}, "ratio": ratio}


def augmentation(device: torch.device, rounds: int, count: int = 1024, batch: int = 128) -> dict:
    """Images a second: crop, flip, rotation and normalisation of random images."""
    from PIL import Image
    from torchvision import transforms

    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    scaled = [tuple(v / 255 for v in values) for values in (MEAN, STD)]
    steps = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.RandomRotation(15)]
    transform = transforms.Compose([*steps, transforms.ToTensor(), transforms.Normalize(*scaled)])
    packed = augment.pack(torch.from_numpy(pixels).to(device))
    mean, std = (torch.tensor(values, device=device) for values in (MEAN, STD))
    random = torch.Generator().manual_seed(0)

    def official():
        for start in range(0, count, batch):
            torch.stack([transform(Image.fromarray(image)) for image in pixels[start : start + batch]]).to(device)
        _wait(device)

    def ours():
        drawn = augment.draw(count, Augmentation(4, True, 15), random).to(device)
        for rows in torch.randperm(count, generator=random).to(device).split(batch):
            augment.normalise(augment.augment(packed[rows], drawn[rows], 4), mean, std)
        _wait(device)

    found = in_turns({"official": official, "ours": ours}, rounds)
    return {"microseconds": {k: 1e6 * s / count for k, s in found["seconds"].items()}, "ratio": found["ratio"]}


def step(model: str, device: torch.device, rounds: int, batch: int, width: float = 1) -> dict:
    """One training step of five learners, ours as the loop does it, with what it measures; at width 1 they are the paper's."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 3, 32, 32, generator=random).to(device)
    y = torch.randint(0, 10, (batch,), generator=random).to(device)

    def make(fused: bool) -> tuple[Ensemble, torch.optim.Optimizer]:
        torch.manual_seed(0)
        net = ensemble(model, LEARNERS, 10, width).to(device)
        return net, torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, fused=fused or None)

    theirs, their_optimiser = make(fused=False)
    net, optimiser = make(fused=True)
    net = net.to(memory_format=torch.channels_last)
    one_batch, hardware = Batch(x.to(memory_format=torch.channels_last), y, None), Hardware()

    def official():
        their_optimiser.zero_grad()
        _official(theirs, x, y).backward()
        their_optimiser.step()
        _wait(device)

    def ours():
        loop.step(net, optimiser, AUGMENTED, hardware, one_batch)
        _wait(device)

    found = in_turns({"official": official, "ours": ours}, rounds)
    return {"milliseconds": {k: 1e3 * s for k, s in found["seconds"].items()}, "ratio": found["ratio"], "batch": batch}


def _official(net: Ensemble, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    scores = [learner(x) for learner in net.learners]
    independent = sum(F.cross_entropy(one, y) for one in scores) / LEARNERS
    joint = F.nll_loss((sum(one.softmax(1) for one in scores) / LEARNERS).log(), y)
    return (1 - BETA) * independent + BETA * joint


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


def measure(device: str = "cpu", rounds: int = 5, batch: int = 32) -> dict:
    """All of it; `batch` is that of the ResNets, since a step of 128 images takes a core half a minute."""
    place = torch.device(device)
    if device == "cpu":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        torch.set_num_threads(1)
    return {
        "device": device if device == "cpu" else torch.cuda.get_device_name(),
        "augmentation": augmentation(place, rounds),
        "resnet18": step("resnet18", place, min(rounds, 3), batch),
        "resnet18_narrow": step("resnet18", place, rounds, 32, width=1 / 16),
        "cnn": step("cnn", place, rounds, 128),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    print(json.dumps(measure(**vars(parser.parse_args()))))


if __name__ == "__main__":
    main()
