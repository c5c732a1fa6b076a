"""The README's code runs, and its numbers are the measured ones. (Its commands and links: test_documents.py.)"""

import importlib.util
import json
import re
import statistics
from pathlib import Path

import pytest
import torch
from conftest import ROOT
from documents import lacking

from learner_collusion.claims.sensitivity import findings, stability
from learner_collusion.plan import configuration
from learner_collusion.publishing.scorecard import scorecard
from learner_collusion.records import parquet

README = (ROOT / "README.md").read_text(encoding="utf-8")


BLOCKS = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_a_python_block_runs(block, capsys):
    if missing := lacking(block):
        pytest.skip(f"{', '.join(missing)} is not installed")
    names = {}
    exec(compile(block, "README.md", "exec"), names)
    printed = capsys.readouterr().out
    if "Ensemble" in names:
        batch = torch.randn(6, 4), torch.randint(3, (6,))
        names["Ensemble"](torch.nn.Linear(4, 3) for _ in range(2)).training_step(batch, 0).backward()
    else:
        assert re.search(r"Ensemble of (5|20) learners", printed)


def test_the_costs_are_those_that_the_benchmark_counts(config):
    spec = importlib.util.spec_from_file_location("costs", ROOT / "benchmarks/costs.py")
    costs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(costs)
    for name, made in costs.pages(config).items():
        page = (ROOT / name).read_text(encoding="utf-8")
        assert costs.written(page, made) == page, f"{name}: run python benchmarks/costs.py"
    rows = costs.rows(config)
    assert sum(row.jobs for row in rows if row.part == "images") == 345
    cells = [row for row in rows if row.part == "ImageNet"]
    assert sum(row.jobs for row in cells) == 16
    results = json.loads((ROOT / "benchmarks/results.json").read_text(encoding="utf-8"))
    measured = results["pictures"]["core_milliseconds"]
    read = 90 * 1281167 * measured["exact"] / 1000 / 3600 / config["imagenet"]["hardware"]["workers"]
    assert all(row.hours >= max(row.jobs * read, row.computing) for row in cells), "a GPU waits for its pictures"
    assert 1 / 7 < measured["kept"] / measured["exact"] < 1 / 5, "docs/costs.md says a sixth"
    assert abs(measured["scaled"] / measured["exact"] - 1) < 0.1, "docs/deviations.md says next to none"
    assert results["pictures"]["ratio"] >= 1.3


def test_named_tests_exist():
    """docs/errata.md and docs/deviations.md name the tests that show what they say."""
    sources = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    for document in ("errata.md", "deviations.md"):
        for name in re.findall(r"\b(test_\w+)`", (ROOT / "docs" / document).read_text(encoding="utf-8")):
            assert f"def {name}(" in sources, name


def test_the_numbers_are_the_measured_ones():
    """README says what the galleries' claims and the benchmarks' results hold."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for part, gallery in (("theory", ""), ("tabular", ""), ("images", "laptop")):
        path = ROOT / "docs/gallery" / gallery / f"claims/{part}.parquet"
        verdicts = parquet.read(path, published=True)["verdict"].tolist()
        counts = " | ".join(str(verdicts.count(v)) for v in ("holds", "does not hold", "undecided", "no verdict"))
        assert re.search(rf"\| {part}\b.*\| {re.escape(counts)} \|", text), f"{part} {counts}"
    results = json.loads((ROOT / "benchmarks/results.json").read_text())
    for way, name in (("loop", "loop over"), ("vmap", "torch.vmap"), ("bmm", "torch.bmm"), ("jax", "JAX")):
        rows = results["step"][: results["targets"]]
        mean = statistics.geometric_mean(row["times_native"][way] for row in rows)
        assert re.search(rf"\| {re.escape(name)}.*\| {mean:.1f} \|", text), f"{way} {mean:.1f}"
    assert f"**{results['sweep']['wall'] / 60:.1f} minutes**" in text
    assert f"{results['images']['augmentation']['ratio']:.1f} times faster than the official code's" in " ".join(
        text.split()
    )
    assert f"CNN ensemble trains {results['images']['cnn']['ratio']:.1f} times faster" in " ".join(text.split())
    assert f"a step is {results['images']['resnet18_narrow']['ratio']:.1f} times faster" in " ".join(text.split())
    assert f"**{results['sweep']['loop']['hours']:.1f} hours**" in text


def _percent(effect: str) -> float:
    """Of an effect such as "0.0662 against 0.0549 (+20.4%)"."""
    return float(re.search(r"\(([+-][\d.]+)%\)", effect)[1])


def test_the_sizes_of_the_effects_are_those_of_the_claims():
    text = " ".join(README.split())
    claims = parquet.read(ROOT / "docs/gallery/claims/tabular.parquet", published=True)
    growth = claims[claims["id"] == "C1a"]["value"]
    assert f"diversity is {growth.min():.0f} to {growth.max():.0f} times that of independent training" in text
    changes = claims[claims["id"] == "C3"].set_index("dataset")
    assert "on Weather the test error rises by a fifth" in text and 18 < _percent(changes["effect"]["weather"]) < 22
    assert (
        "on the other three no rise shows" in text and (changes["low"].drop("weather") < 0).all() and len(changes) == 4
    )
    variants = parquet.read(ROOT / "docs/gallery/sensitivity/sensitivity.parquet", published=True)
    stationless = variants[(variants["variant"] == "weather_stationless") & (variants["id"] == "C3")]
    assert f"(by {_percent(stationless.set_index('dataset')['effect']['weather']):g} % without)" in text
    dropped = (
        claims[claims["id"] == "C5a"].set_index("dataset")["effect"].str.extract(r"grows by ([\d.]+)%")[0].astype(float)
    )
    assert f"by {dropped.pop('weather'):.0f} % of the error on Weather" in text
    assert f"by {dropped.min():.0f} to {dropped.max():.0f} % on the others" in text
    share = claims[(claims["id"] == "C4a") & (claims["dataset"] == "all data sets")]["value"].item()
    assert "explain a third of it on average" in text and 0.3 < share < 0.4


def test_what_real_pictures_show_is_what_the_records_hold():
    text = " ".join(README.split())
    claims = parquet.read(ROOT / "docs/gallery/imagenette/claims/imagenet.parquet", published=True)
    gaps = claims[(claims["id"] == "C11") & (claims["statistic"] == "top-1(0) - top-1(1)")]
    gaps = gaps.dropna(subset="value").set_index("dataset")["value"]
    assert "all eight architectures are trained: in each" in text and len(gaps) == 8 and gaps.min() > 0
    assert "DenseNet-121" in gaps.idxmin() and f"by {100 * gaps.min():.1f} points (DenseNet-121)" in text
    assert (
        "SqueezeNet 1.1" in gaps.idxmax() and f"to {100 * gaps.max():.1f} (SqueezeNet 1.1, where three of five" in text
    )
    records = parquet.read(ROOT / "docs/gallery/imagenette/imagenet.parquet", published=True)
    assert len(records.drop_duplicates(["model", "beta"])) == 2 * len(gaps)
    last = records.query(
        "beta == 1 and model == 'imagenet_squeezenet1_1' and evaluation == 25 and split == 'validation'"
    )
    learners = last[(last["metric"] == "accuracy") & (last["learner"] >= 0)]["value"]
    assert len(learners) == 5 and (learners < 0.1).sum() == 3  # the share of a class


def test_the_comparisons_at_laptop_size_are_counted():
    """By their verdicts; and the size is that of the gallery's own configuration."""
    text = " ".join(README.split())
    galleries = {
        name: parquet.read(ROOT / f"docs/gallery/{name}/claims/images.parquet", published=True)
        for name in ("laptop", "laptop_cifar100")
    }
    for claims in galleries.values():
        holds, fails, open_ = (int((claims["verdict"] == v).sum()) for v in ("holds", "does not hold", "undecided"))
        told = f"of {len(claims)} comparisons {holds} hold, {fails} {'does' if fails == 1 else 'do'} not and {open_} "
        assert told + ("is undecided" if open_ == 1 else "are undecided") in text
    claims = galleries["laptop"]
    worst = claims[claims["id"].isin(["C9", "C12", "C13"]) & claims["claim"].str.contains("lowest at beta = 1")]
    lost = claims[claims["claim"].str.contains("base learners lose more")]
    assert len(worst) == 5 and len(lost) == 2 and set([*worst["verdict"], *lost["verdict"]]) == {"holds"}
    much = claims[claims["claim"].str.contains("much lower level")]
    assert list(much["verdict"]) == ["does not hold"] and "1.5 gap(0)" in much["statistic"].item()
    assert claims.query("id == 'C6'")["verdict"].item() == "holds"
    config = configuration.load(ROOT / "docs/gallery/laptop/config.yaml")
    sgd, cnn = (configuration.protocol(config, name) for name in ("sgd", "cnn"))
    images = [f"{protocol['subset']['train']:,}" for protocol in (sgd, cnn)]
    assert (sgd["width"], cnn["width"]) == (1 / 16, 1)
    assert "a sixteenth as wide and {} images (the CNN: full width and {})".format(*images) in text
    runs = {config["images"]["experiments"][name]["runs"] for name in config["images"]["enabled"]}
    assert f"and {['no', 'one', 'two', 'three', 'four', 'five', 'six'][min(runs)]} runs" in text and len(runs) == 1


def test_the_rates_of_the_diagnosis_are_those_of_its_table():
    table = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    text = " ".join(README.split())
    count, rate = re.search(r"\*\*all independent\*\* \| (\d+) \| \d+ \(([\d.]+)%\)", table).groups()
    assert f"of {count} judgements of independent ensembles" in text and f'{rate} % were "collusive"' in text
    count, rate = re.search(
        r"\*\*all joint, DIV grown 5 times or more\*\* \| (\d+) \| \d+ \(([\d.]+)%\)", table
    ).groups()
    assert f"and {rate} % of {count} of jointly trained ones" in text


def test_the_cells_of_full_width_are_the_measured_ones():
    records = parquet.read(ROOT / "docs/gallery/cifar10_h100/images.parquet", published=True)
    last = records[(records["split"] == "test") & (records["evaluation"] == 60) & (records["metric"] == "accuracy")]
    shares = (100 * last.groupby(["beta", last["learner"] >= 0])["value"].mean()).map("{:.1f} %".format)
    text = " ".join(README.split())
    assert f"Independent training ends at {shares[0, False]} of the test images right" in text
    assert f"joint training at {shares[1, False]}; its single learners at {shares[1, True]}," in text
    assert f"those of independent training at {shares[0, True]}." in text


def test_the_scorecard_is_the_one_that_the_galleries_give(monkeypatch):
    monkeypatch.chdir(ROOT)
    assert (ROOT / "docs/scorecard.md").read_text(encoding="utf-8") == scorecard(Path("docs/gallery"), Path("docs"))


def test_what_hangs_on_a_choice_is_what_the_variants_found():
    """docs/sensitivity.md names each finding that a single choice changes, and calls stable only those that none does."""
    gallery = ROOT / "docs/gallery/sensitivity"
    text = (ROOT / "docs/sensitivity.md").read_text(encoding="utf-8")
    summary = (gallery / "sensitivity.md").read_text(encoding="utf-8").split("\n\n")[1]
    assert "findings are the same in all of them" in summary and " ".join(summary.split()) in " ".join(text.split())
    titles = parquet.read_metadata(ROOT / "docs/gallery/claims/tabular.parquet", published=True)["titles"]
    stable, hanging = text.split("**Stable with each single choice.**")[1].split("**What hangs on a choice")
    bullets = [" ".join(part.split()) for part in stable.split("\n- ")[1:]]
    lines = hanging.split("\n## ")[0].splitlines()
    for row in stability(findings(parquet.read(gallery / "sensitivity.parquet", published=True))).to_dict("records"):
        title, name = titles.get(row["dataset"], ""), "rror" if row["signed"] else row["id"]
        if row["single_differ"]:
            assert any(title in line and (name in line or "sign" in line) for line in lines), (title, name)
        elif row["finding"] != "undecided":
            assert any(name in line and (title in line or "all four" in line) for line in bullets), (title, name)
        if row["single_differ"] and not row["signed"]:
            assert not any(f"({name})" in line and title and title in line for line in bullets), (title, name)
