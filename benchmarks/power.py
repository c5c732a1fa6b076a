"""Which image claims a few runs can decide: the tables of docs/statistics.md, and what the preset `laptop` was built from.

python benchmarks/power.py                     write the tables from the pilot, benchmarks/power.json
python benchmarks/power.py --pilot GALLERY...  take the pilot from these galleries' records first
python benchmarks/power.py --time NAME=FILE... measure the preset's cells first, on these prepared images (minutes)
python benchmarks/power.py --disagreement FILE how often two runs of a cell differ on a test image, on these of CIFAR-10
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from scipy import stats

from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.claims.intervals import estimate, interval
from learner_collusion.claims.verdict import FAILS, HOLDS, thresholds, verdict
from learner_collusion.plan import configuration

ROOT = Path(__file__).parents[1]
PAGE, PILOT, PRESET = ROOT / "docs/statistics.md", Path(__file__).with_suffix(".json"), "workflow/presets/laptop.yaml"
BETWEEN = "<!-- power -->\n"
GALLERIES = ("laptop", "laptop_cifar100")  # of the pilot
RUNS = (5, 6, 8, 10)
SIMULATIONS, CONFIDENCE, PESSIMISM = 4000, 0.95, 0.8
ENOUGH = 0.8  # the power for which a preset should be built
# How the betas' noise enters: differences from one beta share its noise, each with half of the variance.
SHARED = ("worst_at_one", "no_gain_when_dropped", "loss_from_zero_to_one")
ENDS = ("best_between",)
# Shares of test images that are right: their spread over runs was taken for that of the images (see `disagreement` in the pilot).
SHARES = ("accuracy",)


class Row(NamedTuple):
    """A claim in a panel of a gallery. `values` (runs, m, k): what two runs or more gave; `images`: on so many test images."""

    gallery: str
    claim: Claim
    experiment: str
    dataset: str
    model: str
    learners: int
    rank: int
    images: int
    values: np.ndarray

    @property
    def panel(self) -> tuple[str, str, str, int]:
        """What a preset has or has not."""
        return self.experiment, self.dataset, self.model, self.learners

    @property
    def group(self) -> tuple:
        """Rows of one group are taken to have the same spread: two runs alone tell next to nothing of it."""
        metric = self.claim.options.get("metric", "")
        if self.experiment == "curves":  # whose statistics are about differences of losses, alike on all data sets
            return self.claim.statistic, metric, self.claim.options.get("split", "")
        if self.claim.statistic == "mean_over_other_experiment":
            return (self.claim.statistic,)
        kind = "level" if self.claim.statistic in (*SHARED, *ENDS) else self.claim.statistic
        return kind, metric, self.dataset, self.gallery, self.experiment == "cnn"


def take_pilot(galleries: list[str]) -> list[dict]:
    """What the runs of these galleries gave, claim by claim and panel by panel."""
    from learner_collusion.claims.images import measurements
    from learner_collusion.records import parquet
    from learner_collusion.records.images import IMAGES

    found = []
    for gallery in map(Path, galleries):
        config = configuration.load(gallery / "config.yaml")
        images = config["images"]
        experiments = {name: images["experiments"][name] for name in images["enabled"]}
        records = parquet.read(gallery / "images.parquet", IMAGES, published=True)
        for claim in CLAIMS:
            for _, panel, measured in measurements([claim], experiments, records) if claim.part == "images" else ():
                if measured.lacking or len(measured.values) < 2:
                    continue
                cell = panel.cell
                subset = configuration.protocol(config, cell["protocol"])["subset"]["test"]
                row = {"gallery": gallery.name, "id": claim.id, "text": claim.text, "experiment": claim.experiment}
                row |= {name: cell[name] for name in ("dataset", "model", "learners")}
                row |= {"rank": measured.rank, "images": subset or images["datasets"][cell["dataset"]]["test"]}
                found.append(row | {"values": np.round(np.asarray(measured.values, float), 6).tolist()})
    return found


def pilot() -> tuple[list[Row], dict]:
    """The rows of the pilot, and all of the file."""
    known = json.loads(PILOT.read_text(encoding="utf-8"))
    return as_rows(known["rows"]), known


def as_rows(taken: list[dict]) -> list[Row]:
    """What `take_pilot` gives, with the claims themselves."""
    claims = {(claim.id, claim.text): claim for claim in CLAIMS}
    rows = []
    for one in taken:
        values = np.array(one["values"], float)
        values = values.reshape(len(values), *(values.shape[1:] or (1, 1)))
        claim = claims[one["id"], one["text"]]
        names = ("experiment", "dataset", "model", "learners", "rank", "images")
        rows.append(Row(one["gallery"], claim, *(one[name] for name in names), values))
    return rows


def spreads(rows: list[Row]) -> dict[tuple, tuple[float, int]]:
    """The standard deviation over the runs of a difference, pooled over the rows of each group, and its degrees of freedom."""
    sums: dict[tuple, list[float]] = {}
    for row in rows:
        if row.claim.statistic != "loss_from_zero_to_one":  # one of the differences of `worst_at_one`
            total = sums.setdefault(row.group, [0.0, 0])
            for i, part in enumerate(_residuals(row)):
                total[i] += part
    return {group: (math.sqrt(squares / freedom), int(freedom)) for group, (squares, freedom) in sums.items()}


def _residuals(row: Row) -> tuple[float, int]:
    """Sum of squares, for the variance of a difference, and degrees of freedom."""
    runs, m, k = row.values.shape
    if row.claim.statistic in SHARED:
        levels = np.concatenate([row.values[:, 0], np.zeros((runs, 1))], 1)
    elif row.claim.statistic in ENDS:  # ends minus each inner level; relative to the first inner level
        ends = row.values[:, 0]
        levels = np.concatenate([ends, ends[:, :1] - row.values[:, :, 0]], 1)
    else:
        numbers = row.values.reshape(runs, m * k)
        return float(np.square(numbers - numbers.mean(0)).sum()), (runs - 1) * m * k
    # levels of one run share its noise, which no difference holds: what is left has half of a difference's variance
    left = levels - levels.mean(1, keepdims=True) - levels.mean(0) + levels.mean()
    return 2 * float(np.square(left).sum()), (runs - 1) * (levels.shape[1] - 1)


def side(row: Row) -> str:
    """The verdict that the mean of the pilot's runs points to."""
    mean = float(estimate(row.values, row.rank))
    return verdict(mean, mean, **thresholds(row.claim))


def pessimistic(row: Row, spread: float, freedom: int) -> np.ndarray:
    """The means (m, k) of the pilot, each moved to the threshold by its one-sided confidence limit."""
    mean, at = row.values.mean(0), float(estimate(row.values, row.rank))
    bound = min(thresholds(row.claim).values(), key=lambda one: abs(one - at))
    shift = stats.t.ppf(PESSIMISM, freedom) * spread / math.sqrt(len(row.values))
    return mean - math.copysign(shift, at - bound)


def power(row: Row, means: np.ndarray, spread: float, runs: int, seed: int = 0) -> float:
    """The share of simulated studies of so many runs in which the claim gets the verdict of `side`, by the intervals that
    the claims have."""
    random, (m, k) = np.random.default_rng(seed), means.shape
    half = spread / math.sqrt(2)
    normal = lambda *shape: random.normal(size=(SIMULATIONS, runs, *shape))  # noqa: E731
    if row.claim.statistic in SHARED:
        noise = half * (normal(1, k) - normal(1, 1))
    elif row.claim.statistic in ENDS:
        noise = half * (normal(1, k) - normal(m, 1))
    else:
        noise = spread * normal(m, k)
    low, high = interval(means + noise, CONFIDENCE, row.rank)
    limits = thresholds(row.claim)
    bottom, top = limits.get("above", -np.inf), limits.get("below", np.inf)
    right = (low > bottom) & (high < top) if side(row) == HOLDS else (high <= bottom) | (low >= top)
    return float(right.mean())


def on_images(row: Row, spread: float, images: int) -> float:
    """The spread on another number of test images: only that of shares of images that are right was taken to change."""
    shares = row.claim.options.get("metric") in SHARES or row.claim.statistic.startswith("learner_loss")
    return spread * math.sqrt(row.images / images) if shares else spread


class Panel(NamedTuple):
    """A panel of a preset: so many runs on so many test images, and so many cells."""

    runs: int
    images: int
    betas: int


def of_preset(preset: str | Path = PRESET) -> dict[tuple, Panel]:
    """The panels of a preset."""
    config = configuration.load_all([ROOT / "config.yaml", ROOT / preset])
    images, found = config["images"], {}
    for name in images["enabled"]:
        experiment = images["experiments"][name]
        test = configuration.protocol(config, experiment["protocol"])["subset"]["test"]
        for dataset in experiment["datasets"]:
            size = test or images["datasets"][dataset]["test"]
            for model in experiment["models"]:
                for learners in experiment["learners"]:
                    levels = len(experiment["betas"]) * len(experiment["drop_rates"])
                    found[name, dataset, model, learners] = Panel(experiment["runs"], size, levels)
    return found


def power_rows(gallery: str) -> Iterator[str]:
    """The table of powers in Markdown, of the panels of a gallery and the preset of its name."""
    rows, _ = pilot()
    pooled, chosen = spreads(rows), of_preset(f"workflow/presets/{gallery}.yaml")
    by_experiment = {panel[0]: size for panel, size in chosen.items()}
    usual = Panel(max(size.runs for size in chosen.values()), max(size.images for size in chosen.values()), 0)
    yield "| panel | claim | two runs | spread | " + " | ".join(f"n = {n}" for n in RUNS) + " | as in the preset |"
    yield "|---" * (5 + len(RUNS)) + "|"
    for row in rows:
        if row.gallery != gallery:
            continue
        spread, freedom = pooled[row.group]
        means = row.values.mean(0), pessimistic(row, spread, freedom)
        cells = [_percent(row, means, spread, runs) for runs in RUNS]
        size = by_experiment.get(row.experiment, usual)
        there = _percent(row, means, on_images(row, spread, size.images), size.runs)
        cells.append(f"**{there}**" if row.panel in chosen else there)
        yield f"| {_named(row)} | {_value(row)} | {spread:.2g} ({freedom}) | {' | '.join(cells)} |"


def _named(row: Row) -> str:
    metric = f", {row.claim.options['metric']}" if "metric" in row.claim.options else ""
    return (
        "{}, {}, {}, M = {}".format(*row.panel) + f" | {row.claim.id}, {row.claim.statistic.replace('_', ' ')}{metric}"
    )


def _value(row: Row) -> str:
    return f"{float(estimate(row.values, row.rank)):.3g}{' ✗' if side(row) == FAILS else ''}"


def outcomes(gallery: str) -> Iterator[tuple[Row, Row, float, float, int]]:
    """Each row of the preset's runs, that of the pilot, the spread that was expected, the spread found and its degrees of freedom."""
    before, found = pilot()[0], as_rows(take_pilot([ROOT / "docs/gallery" / gallery]))
    expected, measured = spreads(before), spreads(found)
    by_claim = {(row.claim.text, row.panel): row for row in before if row.gallery == gallery}
    for row in found:
        old = by_claim[row.claim.text, row.panel]
        yield row, old, on_images(old, expected[old.group][0], row.images), *measured[row.group]


def outcome_rows(gallery: str) -> Iterator[str]:
    """What the preset's runs gave beside what was expected of them, in Markdown. The last column is without runs 0 and 1, which were known
    when the preset was made: they have the initial weights and training images of the pilot's, but in `practical` of `laptop_cifar100`,
    where they are those by which its size was chosen."""
    yield "| panel | claim | two runs | all | spread expected | found | power with it | verdict | without runs 0 and 1 |"
    yield "|---" * 9 + "|"
    for row, old, wanted, spread, freedom in outcomes(gallery):
        share = 100 * power(old, old.values.mean(0), spread, len(row.values))
        verdicts = [_verdict(row, values) for values in (row.values, row.values[len(old.values) :])]
        cells = [_value(old), _value(row), f"{wanted:.2g}", f"{spread:.2g} ({freedom})", f"{share:.0f}", *verdicts]
        yield f"| {_named(row)} | {' | '.join(cells)} |"


def _verdict(row: Row, values: np.ndarray) -> str:
    low, high = interval(values, CONFIDENCE, row.rank)
    return verdict(float(low), float(high), **thresholds(row.claim))


def _percent(row: Row, means: tuple[np.ndarray, np.ndarray], spread: float, runs: int) -> str:
    found, doubtful = (100 * power(row, one, spread, runs) for one in means)
    return f"{found:.0f} ({doubtful:.0f})"


def cost_rows() -> Iterator[str]:
    """The table of the preset's cells and their time, in Markdown."""
    _, known = pilot()
    experiments = configuration.load_all([ROOT / "config.yaml", ROOT / PRESET])["images"]["experiments"]
    protocols = {name: experiment["protocol"] for name, experiment in experiments.items()}
    yield "| panel | cells | processor seconds each | core hours |"
    yield "|---|---|---|---|"
    total_cells, total = 0, 0.0
    for panel, (runs, _, levels) in of_preset().items():
        seconds = known["seconds"][", ".join(map(str, (protocols[panel[0]], *panel[1:])))]
        hours = runs * levels * seconds / 3600
        total_cells, total = total_cells + runs * levels, total + hours
        name = "{}, {}, {}, M = {}".format(*panel)
        yield f"| {name} | {runs * levels} | {seconds:.0f} | {hours:.2f} |"
    yield f"| all | {total_cells} | | **{total:.1f}** |"


def measure_seconds(images: dict[str, str]) -> dict[str, float]:
    """Processor seconds of a cell of each panel of the preset: two and four epochs are trained, the rest is extrapolated."""
    config = configuration.load_all([ROOT / "config.yaml", ROOT / PRESET])
    known: dict[tuple, float] = {}
    for name, dataset, model, learners in of_preset():
        protocol = config["images"]["experiments"][name]["protocol"]
        kind = protocol, dataset, model, learners
        if kind not in known:
            two, four = (_seconds(kind, epochs, images[dataset]) for epochs in (2, 4))
            known[kind] = two + (configuration.protocol(config, protocol)["epochs"] - 2) * (four - two) / 2
            print(*kind, f"{two:.1f} s for two epochs, {four:.1f} s for four: {known[kind]:.0f} s", flush=True)
    return {", ".join(map(str, kind)): round(seconds) for kind, seconds in known.items()}


def _seconds(kind: tuple, epochs: int, images: str) -> float:
    protocol, dataset, model, learners = kind
    change = {"images": {"protocols": {protocol: {"epochs": epochs, "patience": None}}}}
    with tempfile.TemporaryDirectory() as folder:
        short = Path(folder) / "short.yaml"
        short.write_text(yaml.safe_dump(change), encoding="utf-8")
        command = [sys.executable, "-m", "learner_collusion", "train_images", "--config", "config.yaml", PRESET, short]
        command += ["--dataset", dataset, "--protocol", protocol, "--model", model, "--learners", learners]
        command += ["--beta", "1", "--run", "0", "--threads", "1", "--images", Path(images).resolve()]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [*map(str, command), "--history", f"{folder}/history.parquet"],
            cwd=ROOT, check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure_disagreement(images: str) -> dict:
    """How often the same cell (ResNet-18, beta = 1) in two runs is right about one test image and wrong about it.

    If runs differ by the images that they get right and by nothing else, an accuracy of n images has the variance
    share / (2 n) over the runs, and a difference of two accuracies twice that, or less where both betas err alike.
    """
    import torch

    from learner_collusion.data import image_arrays
    from learner_collusion.plan import settings
    from learner_collusion.stages import train_images
    from learner_collusion.training import loop
    from learner_collusion.training.batches import Images, on_device
    from learner_collusion.training.device import prepare_device
    from learner_collusion.training.protocol import Cell, Hardware

    options = argparse.Namespace(config=[ROOT / "config.yaml", ROOT / PRESET], settings=None)
    chosen = settings.convert(settings.from_options(options, "train_images", part="sgd-cifar10"), train_images.Settings)
    hardware, arrays = Hardware(device="cpu", precision="fp32", threads=1), image_arrays.read(images)[1]
    device, build, built, right = prepare_device(hardware), loop.build, [], []
    loop.build = lambda *given: built.append(build(*given)) or built[-1]  # the trained ensemble is no part of a history
    for run in (0, 1):
        cell = Cell("sgd", "cifar10", "resnet18", 5, "probability", 0.0, 1.0, run)
        parts = train_images.choose(arrays, cell, chosen)
        given = [cell, chosen.protocol, chosen.seed]
        loop.train(on_device(Images(**parts, **vars(chosen.dataset)), *given, device), *given, hardware, device)
        every = parts | {name: arrays[name] for name in ("test_x", "test_y")}
        batches = on_device(Images(**every, **vars(chosen.dataset)), *given, device).evaluation("test")
        model = built[-1].eval()
        with torch.no_grad():
            right.append(torch.cat([model(x).softmax(2).mean(1).argmax(1) == y for x, y in batches]))
    loop.build = build
    return {"share": float((right[0] != right[1]).double().mean()), "images": len(right[0])}


def _write(known: dict) -> None:
    """The pilot's file, a row of it on a line."""
    parts = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in known.items() if name != "rows"]
    rows = ",\n".join(json.dumps(row) for row in known["rows"])
    PILOT.write_text("{" + ",\n".join([*parts, f'"rows": [\n{rows}\n]']) + "}\n", encoding="utf-8")


def main() -> None:
    """Write the tables to the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pilot", nargs="+", metavar="GALLERY")
    parser.add_argument("--time", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--disagreement", metavar="FILE")
    options = parser.parse_args()
    known = json.loads(PILOT.read_text(encoding="utf-8")) if PILOT.exists() else {}
    if options.pilot:
        known["rows"] = take_pilot(options.pilot)
    if options.time:
        known["seconds"] = measure_seconds(dict(one.split("=", 1) for one in options.time))
    if options.disagreement:
        known["disagreement"] = measure_disagreement(options.disagreement)
    if options.pilot or options.time or options.disagreement:
        _write(known)
    before, _, after = PAGE.read_text(encoding="utf-8").split(BETWEEN)
    tables = [(f"The panels of `{gallery}`:", power_rows(gallery)) for gallery in GALLERIES]
    tables.append((f"What `{GALLERIES[0]}` takes:", cost_rows()))
    tables += [(f"What the runs of `{gallery}` gave:", outcome_rows(gallery)) for gallery in GALLERIES]
    text = "\n\n".join("\n".join([title, "", *rows]) for title, rows in tables)
    PAGE.write_text(f"{before}{BETWEEN}\n{text}\n\n{BETWEEN}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
