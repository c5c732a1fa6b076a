"""What some minutes of a GPU are good for, in order of worth, written down as it goes: gpu.json and gpu.md.

    python benchmarks/gpu.py --minutes 25 [--images results/datasets/cifar10.npz] [--pictures TAR] [--output FOLDER] [--device cpu]

1. Parity: losses and gradients, the tabular engine and an image cell, on the CPU and on the GPU in fp32, tf32 and bf16.
2. A training step of five ResNet-18 against the official code's, with the share of the card's peak.
3. Pictures a second of ImageNet's input against torchvision's (`pictures.py`), from --pictures, a tar of train/<class>/ and val/<class>/,
   or from drawn ones.
4. With --images: cells of the paper's own size until the time is up (CIFAR-10, ResNet-18, beta 0, 1, 0.6), through the
   workflow's own stage. Histories and checkpoints lie in FOLDER: given again on another GPU, training goes on.

On a CPU everything is tiny, and shows only that it runs.
"""

import argparse
import functools
import json
import os
import statistics
import time
from dataclasses import asdict, replace
from pathlib import Path

import images as ways
import numpy as np
import pictures
import torch

from learner_collusion.models.ensemble import ensemble
from learner_collusion.models.mlp import Network, initial_parameters
from learner_collusion.objective import AugmentedLoss
from learner_collusion.training import engines, graphs, loop, sweep
from learner_collusion.training.batches import Batch, Images, on_device
from learner_collusion.training.device import prepare_device, set_precision
from learner_collusion.training.protocol import Cell, Hardware, Protocol

ROOT = Path(__file__).parents[1]
PRECISIONS = ("fp32", "tf32", "bf16")
# Dense peaks in TFLOP/s, from NVIDIA's data sheet of the H100 and H200 (SXM): fp32 without tensor cores.
PEAKS = {"H100": {"fp32": 66.9, "tf32": 494.7, "bf16": 989.4}, "H200": {"fp32": 66.9, "tf32": 494.7, "bf16": 989.4}}
LOSSES = [
    ("squared_error", "output"), ("cross_entropy", "probability"), ("cross_entropy", "score"),
    ("brier", "probability"), ("brier", "score"),
]  # fmt: skip


def losses(device: torch.device, cases: int = 100) -> dict:
    """The largest difference of value and gradient from float64 on the CPU, relative to the largest of each, in float32."""
    worst = {}
    random = torch.Generator().manual_seed(0)
    for loss, averaging in LOSSES:
        differences = {"value": 0.0, "gradient": 0.0}
        for case in range(cases):
            scores = torch.randn(64, 5, 10, generator=random, dtype=torch.float64)
            regression = loss == "squared_error"
            targets = torch.randn(64, 10, generator=random, dtype=torch.float64)
            targets = targets if regression else torch.randint(0, 10, (64,), generator=random)
            objective = AugmentedLoss(case / (cases - 1), loss, averaging)
            exact = _value_and_gradient(objective, scores, targets)
            moved = targets.float() if regression else targets
            found = _value_and_gradient(objective, scores.float().to(device), moved.to(device))
            for name, a, b in zip(differences, exact, found, strict=True):
                differences[name] = max(differences[name], _relative(a, b.cpu().double()))
        worst[f"{loss}, {averaging}"] = differences
    return worst


def _value_and_gradient(objective, scores, targets):
    scores = scores.detach().requires_grad_(True)
    value = objective(scores, targets)
    value.backward()
    return value.detach(), scores.grad


def _relative(a, b) -> float:
    return float(abs(a - b).max() / abs(a).max())


def tabular(device: torch.device, epochs: int) -> dict:
    """Eleven betas of one sweep on the diabetes table: each engine's history against that of the CPU's default, and seconds."""
    from sklearn.datasets import load_diabetes

    from learner_collusion.data.splits import Split

    x, y = load_diabetes(return_X_y=True)
    x, y = ((part - part.mean(0)) / part.std(0) for part in (x, y))
    x, y = x.astype(np.float32), y.astype(np.float32)
    fields = dict(x=x[:300], y=y[:300], validation_x=x[300:], validation_y=y[300:])
    missing = {name: x[:0] if name.endswith("x") else y[:0] for name in Split.__annotations__ if name not in fields}
    split = Split(**fields, **missing)
    network = Network(learners=10, features=x.shape[1], hidden_units=20, layers=2)
    random = np.random.default_rng(0)
    initial = initial_parameters(network, random)
    settings = sweep.Settings(0.001, 0.0, 32, epochs, epochs)
    order = sweep.batch_permutations(300, epochs, random)
    betas = [round(0.1 * i, 1) for i in range(11)]
    histories, found = {}, {}
    chosen = {"cpu": ("auto", "cpu"), "torch, cpu": ("torch", "cpu"), f"torch, {device.type}": ("torch", device.type)}
    for name, (engine, place) in chosen.items():
        train = functools.partial(engines.train_sweep, network, split, settings, betas, initial, order, engine=engine)
        train(device=place)  # warm
        start = time.perf_counter()
        trained = train(device=place)
        seconds = time.perf_counter() - start
        histories[name] = np.stack([one.history for one in trained])
        found[name] = {"seconds": seconds, "difference": _relative(histories["cpu"], histories[name])}
    return found


def image_cell(device: torch.device, tiny: bool) -> dict:
    """A narrow ResNet-18 on made-up images: test ERR of each epoch on CPU and device, seconds, and the relative difference of
    the first epoch's ERR. Later ones differ more, as rounding grows from step to step at this learning rate."""
    count, epochs, width = (128, 1, 1 / 16) if tiny else (2048, 4, 1 / 8)
    made = _made_images(count)
    protocol = _protocol(epochs=epochs, width=width, milestones=(2,))
    cell = Cell("sgd", "made", "resnet18", 5, "probability", 0.0, 1.0, 0)
    runs = {"cpu, fp32": Hardware(threads=torch.get_num_threads())}
    if device.type == "cuda":
        runs |= {f"cuda, {precision}": Hardware("cuda", precision) for precision in PRECISIONS}
    found, reference = {}, None
    for name, hardware in runs.items():
        place = prepare_device(hardware) if hardware.device == "cpu" else device
        set_precision(hardware.precision)
        start = time.perf_counter()
        history = loop.train(on_device(made, cell, protocol, 0, place), cell, protocol, 0, hardware, place)
        test = history.values[:, 2]
        reference = test if reference is None else reference
        found[name] = {
            "err": test[:, 0].tolist(),
            "difference": _relative(reference[:1, 0], test[:1, 0]),
            "seconds": time.perf_counter() - start,
        }
    return found


def _made_images(count: int) -> Images:
    """Ten classes, each a random pattern under noise, that a network can learn."""
    random = np.random.default_rng(0)
    patterns = random.integers(0, 256, (10, 32, 32, 3))
    labels = random.integers(0, 10, count + count // 4)
    noise = random.integers(0, 256, (len(labels), 32, 32, 3))
    pixels = (0.3 * patterns[labels] + 0.7 * noise).astype(np.uint8)
    return Images(pixels[:count], labels[:count], pixels[count:], labels[count:], 10, ways.MEAN, ways.STD)


def _protocol(**changes) -> Protocol:
    """The paper's SGD protocol, with changes."""
    from learner_collusion.plan import configuration
    from learner_collusion.plan.settings import convert

    config = configuration.load(ROOT / "config.yaml")
    return replace(convert(configuration.protocol(config, "sgd"), Protocol), **changes)


def steps(device: torch.device, tiny: bool, rounds: int = 3, compiled: bool = False) -> dict:
    """Milliseconds of one training step of five ResNet-18, the official code's and ours, in turns; and shares of the peak."""
    batch, width = (8, 1 / 16) if tiny else (128, 1)
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batch, 3, 32, 32, generator=random).to(device)
    y = torch.randint(0, 10, (batch,), generator=random).to(device)
    last = x.to(memory_format=torch.channels_last)
    protocol = _protocol()
    names = [f"{way}, {p}" for way in ("official", "ours", "ours, graph") for p in PRECISIONS]
    if compiled:
        names = ["ours, graph, compiled, bf16"]
    made = {}
    for name in names:
        precision = name.rsplit(" ", 1)[1]
        if device.type == "cpu" and (precision != "fp32" or "graph" in name):
            continue
        torch.manual_seed(0)
        net, hardware = ensemble("resnet18", 5, 10, width).to(device), Hardware(device.type, precision)
        if name.startswith("official"):
            made[name] = functools.partial(_official, net, torch.optim.SGD(net.parameters(), 0.1, 0.9), hardware, x, y)
            continue
        net = net.to(memory_format=torch.channels_last)
        optimiser = loop.make_optimiser(net, protocol)
        forward = graphs.compiled(net, batch) if compiled else net
        one = functools.partial(loop.step, forward, optimiser, ways.AUGMENTED, hardware)
        one = graphs.replayed(one, optimiser, batch) if "graph" in name else one
        made[name] = functools.partial(one, Batch(last, y, None))
    seconds: dict[str, list[float]] = {name: [] for name in made}
    last_sums = {}
    for name, way in made.items():
        set_precision(name.rsplit(" ", 1)[1])
        for _ in range(1 if tiny else 4):
            last_sums[name] = way()
        if last_sums[name] is not None:
            last_sums[name] = last_sums[name].tolist()
    for _ in range(rounds):
        for name, way in made.items():
            set_precision(name.rsplit(" ", 1)[1])
            seconds[name].append(_time(way, device, 1 if tiny else 5))
    flops = 3 * 5 * batch * _forward_flops(width)
    found = {"batch": batch, "TFLOP": flops / 1e12, "ways": {}}
    card = torch.cuda.get_device_name() if device.type == "cuda" else ""
    peaks = next((peak for name, peak in PEAKS.items() if name in card), None)
    for name, values in seconds.items():
        median = statistics.median(values)
        found["ways"][name] = {"milliseconds": 1e3 * median}
        if "graph" in name and not compiled:
            same = last_sums[name] == last_sums[name.replace(", graph", "")]
            found["ways"][name]["same loss after four steps as without a graph"] = same
        if peaks:
            found["ways"][name]["share of peak"] = flops / median / 1e12 / peaks[name.rsplit(" ", 1)[1]]
    return found


def _official(net, optimiser, hardware, x, y):
    optimiser.zero_grad()
    with torch.autocast(x.device.type, torch.bfloat16, enabled=hardware.precision == "bf16"):
        loss = ways._official(net, x, y)
    loss.backward()
    optimiser.step()


def _time(way, device: torch.device, repeats: int) -> float:
    ways._wait(device)
    start = time.perf_counter()
    for _ in range(repeats):
        way()
    ways._wait(device)
    return (time.perf_counter() - start) / repeats


def _forward_flops(width: float) -> float:
    """Floating point operations of one ResNet-18 on one image; a multiply-add counts as two."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        ensemble("resnet18", 1, 10, width).eval()(torch.zeros(1, 3, 32, 32))
    return counter.get_total_flops()


def picture_input(device: torch.device, archive: Path | None, tiny: bool) -> dict:
    """Pictures a second that reach the device, and milliseconds of a core for each: our ways and torchvision's."""
    small = {"workers": 0, "seconds": 0.01, "size": 16, "batch": 4, "rounds": 1, "drawn": 24}
    usual = {"workers": max(1, len(os.sched_getaffinity(0)) - 1), "batch": 128}
    measured = pictures.throughput(archive=archive and str(archive), device=device.type, **(small if tiny else usual))
    ways = {
        "pictures a second": measured.pop("pictures_per_second") | {"exact / torchvision": measured.pop("ratio")},
        "milliseconds of a core": measured.pop("core_milliseconds")
        | {"torchvision / exact": measured.pop("core_ratio")},
    }
    return {"ways": ways} | measured


def train_cells(images: Path, output: Path, hardware: Hardware, epochs: int, tiny: bool):
    """Train the cells of the paper's Figure 6 in the order of their worth, one a step; what each took, as it goes."""
    from learner_collusion.plan import cells, configuration
    from learner_collusion.plan.settings import convert, take
    from learner_collusion.stages import train_images

    paper = configuration.load_all([ROOT / "config.yaml"])
    part = epochs / paper["images"]["protocols"]["sgd"]["epochs"]
    milestones = [round(part * epoch) for epoch in paper["images"]["protocols"]["sgd"]["milestones"]]
    shorter = {"sgd": {"epochs": epochs, "milestones": milestones}}
    overlaid = {"images": {"hardware": {"precision": hardware.precision}, "protocols": shorter}}
    if tiny:
        overlaid["images"]["protocols"] = {"sgd": {"epochs": 1, "width": 0.0625, "subset": {"train": 64, "test": 32}}}
    config = configuration.overlay(paper, overlaid)
    settings = convert(take(config, paper, "train_images", "sgd-cifar10"), train_images.Settings)
    for beta in (0.0, 1.0, 0.6):
        cell = Cell("sgd", "cifar10", "resnet18", 5, "probability", 0.0, beta, 0)
        history = output / cells.history_path(**asdict(cell)).removeprefix("results/")
        if not history.exists():
            history.parent.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            train_images.train(cell, settings, hardware, str(images), str(history), f"{history}.checkpoint")
            yield f"beta {beta:g}", {"seconds": time.perf_counter() - start, "precision": hardware.precision}


def markdown(found: dict) -> str:
    """The measurements as tables."""
    lines = [f"# {found['device']}, PyTorch {found['torch']}", ""]
    for part, rows in found["parts"].items():
        rows = rows.get("ways", rows)
        columns = list(dict.fromkeys(key for row in rows.values() if isinstance(row, dict) for key in row))
        lines += [f"## {part}", "", f"| | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
        for name, row in rows.items():
            if isinstance(row, dict):
                lines.append(f"| {name} | " + " | ".join(_cell(row.get(column, "")) for column in columns) + " |")
        lines.append("")
    return "\n".join(lines)


def _cell(value) -> str:
    if isinstance(value, list):
        return ", ".join(f"{one:.4f}" for one in value)
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def main() -> None:
    """Do one part after the other while there is time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=25, help="no part is begun later than this")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda")
    parser.add_argument("--precision", choices=PRECISIONS, default="bf16", help="of the cells")
    parser.add_argument("--compile", action="store_true", help="torch.compile for the cells")
    parser.add_argument("--epochs", type=int, default=80, help="of the cells; fewer shorten the schedule in proportion")
    parser.add_argument("--images", type=Path, help="the prepared data set, as the workflow makes it")
    parser.add_argument("--pictures", type=Path, help="a tar of ImageNet's layout; default: drawn pictures")
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"))
    parser.add_argument("--only", nargs="*", help="parts to do, by name; default: all")
    options = parser.parse_args()
    began, tiny = time.monotonic(), options.device == "cpu"
    device = prepare_device(Hardware(options.device))
    name = torch.cuda.get_device_name() if device.type == "cuda" else "CPU, tiny form"
    options.output.mkdir(parents=True, exist_ok=True)
    found = {"device": name, "torch": torch.__version__, "parts": {}}

    def note(part: str, measured: dict) -> None:
        found["parts"][part] = measured
        print(f"{time.monotonic() - began:6.0f} s  {part}: {json.dumps(measured)}", flush=True)
        (options.output / "gpu.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
        (options.output / "gpu.md").write_text(markdown(found), encoding="utf-8")

    parts = {
        "losses": lambda: losses(device, 4 if tiny else 100),
        "tabular engine": lambda: tabular(device, 2 if tiny else 20),
        "image cell": lambda: image_cell(device, tiny),
        "steps": lambda: steps(device, tiny),
        "picture input": lambda: picture_input(device, options.pictures, tiny),
    }
    for part, measure in parts.items():
        if (not options.only or part in options.only) and time.monotonic() - began < 60 * options.minutes:
            note(part, measure())
    if options.images and (not options.only or "cells" in options.only):
        trained = {}
        hardware = Hardware(options.device, options.precision, options.compile, checkpoint_minutes=2)
        for cell, took in train_cells(options.images, options.output, hardware, options.epochs, tiny):
            trained[cell] = took
            note("cells", trained)
            if time.monotonic() - began > 60 * options.minutes:
                break
    if options.only and "compiled" in options.only and not tiny:
        note("compiled", steps(device, tiny, compiled=True))


if __name__ == "__main__":
    main()
