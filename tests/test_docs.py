"""The numbers in README.md, docs/ and benchmarks/gpu that no command writes: compared with the records that they are about.

docs/notes are laboratory notes, which say so, and are left as they are; what they say of galleries as they are now is compared
(`test_docs_images.py`).
"""

import importlib
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, words

from learner_collusion import diagnosis
from learner_collusion.claims.sensitivity import findings, stability
from learner_collusion.plan import cells, configuration
from learner_collusion.publishing import verify
from learner_collusion.records import parquet

GALLERY = ROOT / "docs/gallery"


def tabular() -> pd.DataFrame:
    return parquet.read(GALLERY / "claims/tabular.parquet", published=True)


def lines(path: str, head: str) -> list[list[str]]:
    """The cells of the table whose first column has this head."""
    text = (ROOT / path).read_text(encoding="utf-8")
    table = text.split(f"| {head} |", 1)[1].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


@pytest.mark.parametrize("page", ["README.md", "docs/reproducibility.md"])
def test_how_many_numbers_are_verified(page):
    """`make verify` compares each number of the gallery: counted here without making them again."""
    counts, _ = verify.compare(Path("none"), GALLERY)
    demo, _ = verify.compare(Path("none"), GALLERY / "demo")
    total, text = f"{sum(counts.values()):,}", words(page)
    assert f"{total} of {total}" in text and f"{sum(demo.values()):,}" in text
    if page == "README.md":
        for name in ("tabular.parquet", "claims/tabular.parquet"):
            assert f"{name} {counts[name]:,} of {counts[name]:,}" in text
    else:
        assert f"2 of the {counts['claims/tabular.parquet']} numbers of the tabular claims" in text


def test_what_the_readme_says_of_other_choices():
    """The paragraph on the sensitivity analysis: which findings stay, and with which variants Facebook's do not."""
    text = words("README.md")
    records = parquet.read(GALLERY / "sensitivity/sensitivity.parquet", published=True)
    found = findings(records)
    table = stability(found).set_index(["id", "dataset"])
    assert (
        "On Bioconcentration, Weather and Abalone the growth of diversity and the cost of dropped learners stay" in text
    )
    for name in ("bioconcentration", "weather", "abalone"):
        assert table.loc[("C1a", name), "single_differ"] == table.loc[("C5a", name), "single_differ"] == 0
    joint = found[found["joint"] & found["differs"] & found["id"].eq("C5a")]
    others = joint[joint["dataset"].isin(["bioconcentration", "weather", "abalone"])]
    assert (
        found[found["joint"]]["variant"].nunique() == 3 and "of three variants with many changes at once, one" in text
    )
    assert others["variant"].nunique() == 1 and set(others["dataset"]) == {"weather", "abalone"}
    assert set(others["finding"]) == {"undecided"} and "leaves that cost undecided on Weather and Abalone" in text
    single = found[~found["joint"] & found["differs"] & found["dataset"].eq("facebook") & ~found["signed"]]
    variants = {id: set(single[single["id"] == id]["variant"]) for id in ("C1a", "C2", "C3", "C5a")}
    assert variants["C3"] == {"refit", "epochs", "more_logs", "filled", "facebook_parts"}
    assert (
        "undecided with the refit on train and validation, 50 epochs, logarithms from skewness 0.5 on, filled missing values, or"
        in text
    )
    assert variants["C1a"] == variants["C2"] == {"facebook_before"}
    assert variants["C5a"] == {"facebook_before", "facebook_parts", "no_logs"}
    share = found[(found["id"] == "C4a") & found["differs"] & ~found["joint"]]
    assert set(share["variant"]) == {"refit", "tuned_on_learners", "epochs"} and set(share["finding"]) == {"undecided"}
    assert "(30 to 70 %) hangs on tuning and stopping" in text
    limits = tabular().query("id == 'C3' and dataset == 'facebook'")["threshold"].item()
    assert "stays within 0.05 as chosen" in text and limits == "> -0.05 and < 0.05"


def test_the_sizes_of_changes_under_other_choices():
    """docs/sensitivity.md has sizes beside the findings, and the time that it takes."""
    text = words("docs/sensitivity.md")
    records = parquet.read(GALLERY / "sensitivity/sensitivity.parquet", published=True)
    error = records[records["id"].eq("C3")].set_index(["variant", "dataset"])

    def percent(variant: str, digits: int = 0) -> str:
        """By how much Weather's error rises."""
        told = float(re.search(r"\(([+-][\d.]+)%\)", error.loc[(variant, "weather"), "effect"])[1])
        value = (
            100 * error.loc[(variant, "weather"), "value"] / float(error.loc[(variant, "weather"), "effect"].split()[2])
        )
        assert abs(value - told) < 0.1
        return f"{told:.{digits}f} %"

    assert f"| by {percent('chosen')} |" in text and f"number or dropped: by {percent('weather_number', 1)}, as" in text
    assert percent("weather_stationless", 1) == percent("weather_number", 1)
    assert f"The minimum as target: by {percent('weather_minimum')} |" in text
    assert (
        f"rises with a logged target, by {error.loc[('facebook_log', 'facebook'), 'value']:.4f} of its variance" in text
    )
    before = records[
        records["id"].eq("C2") & records["variant"].eq("facebook_before") & records["dataset"].eq("facebook")
    ]
    assert "ERR is above 1" in text and before["value"].item() < 1
    bias = records[records["id"].eq("C4a") & records["dataset"].eq("all data sets")].set_index("variant")
    assert f"| holds: {100 * bias.loc['chosen', 'value']:.0f} % |" in text
    open_, low = bias[bias["verdict"].eq("undecided") & ~bias["joint"]].index, (100 * bias["low"]).round()
    assert set(open_) == {"refit", "tuned_on_learners", "epochs"}
    begins = "the interval begins at {:.0f} to {:.0f} %, as chosen at {:.0f} %"
    assert begins.format(min(low[open_]), max(low[open_]), low["chosen"]) in text
    times = pd.read_csv(GALLERY / "sensitivity/times.csv").set_index("stage")["processor_seconds"] / 60
    half = times.drop(["sensitivity", "claims"]).sum()
    assert f"That is {half:.0f} processor minutes for the tabular half" in text
    single, each = (
        int(n)
        for n in re.search(r"half, (\d+) for the variants of one choice, and (\d+) for each joint one", text).groups()
    )
    assert abs(single + 3 * each - times["sensitivity"]) < 2
    assert f"{times.sum():.0f} in all, so about half an hour of two cores" in text and 45 < times.sum() < 60


def test_what_several_changes_at_once_find():
    """docs/sensitivity.md on `joint2`."""
    text = words("docs/sensitivity.md")
    records = parquet.read(GALLERY / "sensitivity/sensitivity.parquet", published=True)
    verdicts = records[records["statistic"].notna() & (records["dataset"] != "all data sets")].pivot_table(
        index=["id", "statistic", "dataset"], columns="variant", values="verdict", aggfunc="first"
    )
    shows = records.drop_duplicates("variant").set_index("variant")["shows"]
    taken = [name.strip() for name in shows["joint2"].split(",")]
    assert len(taken) == 10 and "seed" in taken and "It changes nine choices and the seed" in text
    other = verdicts[verdicts["joint2"] != verdicts["chosen"]]
    found = {(claim, dataset): row["joint2"] for (claim, _, dataset), row in other.iterrows()}
    assert found == {
        **{("C2", name): "does not hold" for name in ("bioconcentration", "abalone")},
        **{("C2", name): "undecided" for name in ("weather", "facebook")},
        **{("C5a", name): "undecided" for name in ("weather", "facebook", "abalone")},
        ("C5b", "weather"): "undecided",
    }
    alone = [(name, *row) for name in taken for row in other.index[other[name] == other["joint2"]]]
    assert [(name, claim, dataset) for name, claim, _, dataset in alone] == [("facebook_parts", "C5a", "facebook")]


def test_how_many_cells_there_are(config):
    text = words("README.md")
    enabled = config["images"]["enabled"]
    assert f"is complete, {len(cells.cells(config, enabled))} cells for GPUs" in text
    assert "with a checkpoint every five minutes" in text and config["images"]["hardware"]["checkpoint_minutes"] == 5
    score = cells.cells({**config, "images": {**config["images"], "enabled": ["score"]}}, ["score"])
    assert f"ResNet-18 and ResNet-34: {len(score)} cells" in words("docs/deviations.md")
    full = configuration.load(GALLERY / "cifar10_h100/config.yaml")
    epochs = configuration.protocol(full, full["images"]["experiments"]["practical"]["protocol"])["epochs"]
    assert f"{epochs} of the {config['images']['protocols']['sgd']['epochs']} epochs, one run" in text


def test_the_sizes_of_the_tabular_half(config):
    text, open_choices = words("README.md"), words("docs/deviations.md")
    grid = int(np.prod([len(values) for values in config["tabular"]["tuning"]["grid"].values()]))
    assert f"the grid has {grid} points" in open_choices and f"hold most of the grid's {grid} points" in words(
        "docs/sensitivity.md"
    )
    settings = config["tabular"]
    sizes = f"{settings['runs']} runs, {settings['tuning']['trials']} trials each, {len(settings['betas'])} betas"
    assert f"four data sets, {sizes}" in text and len(settings["datasets"]) == 4
    records = parquet.read(GALLERY / "tabular.parquet", published=True)
    assert (records[records["metric"] == "epochs"]["value"] < settings["training"]["max_epochs"]).all()
    assert "two trials of 800 reach it, and no training" in open_choices
    assert settings["runs"] * settings["tuning"]["trials"] * 4 == 800
    metadata = parquet.read_metadata(GALLERY / "tabular.parquet", published=True)
    learners = {p["learners"] for one in metadata.values() for p in one["training"]["hyperparameters"].values()}
    assert learners <= set(settings["tuning"]["grid"]["learners"])


def test_what_a_gpu_gave():
    parts = json.loads((ROOT / "benchmarks/gpu/h100.json").read_text())["parts"]
    ways = {name: way["milliseconds"] for name, way in parts["steps"]["ways"].items()}
    streams = {name: way["milliseconds"] for name, way in parts["learners on streams of their own"]["ways"].items()}
    official, graph, fastest = (
        ways["official, bf16"],
        ways["ours, graph, bf16"],
        streams["ours, graph, bf16, learners on streams"],
    )
    share = parts["steps"]["ways"]["ours, graph, bf16"]["share of peak"] * graph / fastest
    page, text = words("benchmarks/gpu/README.md"), words("README.md")
    assert f"{official / fastest:.1f} times faster than the official way, and {share:.0%}".replace("%", " %") in text
    assert (
        f"{official:.1f} ms the official code's way in bf16, {graph:.1f} ms as a graph ({official / graph:.1f} times)"
        in page
    )
    assert f"and {fastest:.1f} ms with each learner on a stream of its own ({official / fastest:.1f} times)" in page
    turns, compiled = (streams[f"ours, graph, bf16, learners in turn{more}"] for more in ("", ", compiled"))
    assert f"{turns / compiled:.1f} times faster ({compiled:.1f} against {turns:.1f} ms" in page
    assert f"({ways['ours, graph, fp32']:.0f} and {ways['official, fp32']:.0f} ms)" in page
    seconds = [parts["cells"][f"beta {beta}"]["seconds"] for beta in (0, 1)]
    assert "{:.0f} s at beta 0 and {:.0f} s at beta 1".format(*seconds) in page
    engine = parts["tabular engine"]
    assert f"({1000 * engine['torch, cuda']['seconds']:.0f} and {1000 * engine['cpu']['seconds']:.0f} ms)" in page
    errors = [cell["difference"] for name, cell in parts["image cell"].items() if name.startswith("cuda")]
    assert f"differs from the CPU's by {errors[0]:.0e} in fp32 and {max(errors):.0e}".replace("e-0", "e-") in page


def test_how_much_slower_other_engines_are():
    results = json.loads((ROOT / "benchmarks/results.json").read_text())
    rows = results["step"][: results["targets"]]
    means = [np.exp(np.mean(np.log([row["times_native"][way] for row in rows]))) for way in rows[0]["times_native"]]
    low, high = re.search(r"PyTorch and JAX take (\d+) to (\d+) times as long", words("docs/architecture.md")).groups()
    assert round(min(means)) == int(low) and round(max(means)) == int(high)
    assert f"{results['sweep']['loop']['steps'] / 1e6:.0f} million training steps" in words("README.md")


def test_the_limits_of_the_diagnosis_are_those_of_the_code():
    found = {name: used for name, _, used in lines("docs/diagnosis.md", "limit")}
    assert set(found) >= {"BIAS_OF_OUTPUTS", "BIAS_OF_PROBABILITIES", "DIVERSITY", "CHANCE", "MINIMUM_ROWS"}
    for name, used in found.items():
        assert getattr(diagnosis, name) == float(used), name


def test_the_rates_of_the_diagnosis_are_those_of_the_present_code(monkeypatch):
    """One kind of forest again, on all data sets: its lines of the two tables. (The networks take minutes.)"""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    benchmark, made = (importlib.import_module(name) for name in ("diagnosis", "diagnosis_ensembles"))
    forests, data = [], made.datasets()
    for name, one in data.items():
        rows = np.random.default_rng(0).permutation(len(one.x))
        if not one.image:
            forests += made.forests(name, one, rows[: len(rows) // 2], rows[len(rows) // 2 :])
    kind = "extra trees, small"
    table = benchmark.judged([forest for forest in forests if forest.kind == kind])
    every = pd.DataFrame([(name, "probability" if one.classes else "output") for name, one in data.items()])
    every = every.set_axis(["dataset", "averaging"], axis=1)
    fitted = dict(zip(every["dataset"], benchmark.halves(every), strict=True))
    page = (ROOT / "docs/diagnosis.md").read_text(encoding="utf-8")
    for half, title in ((False, "### The other half"), (True, "### The half that limits")):
        line = benchmark.rates(table[table["dataset"].map(fitted) == half]).splitlines()[2]
        assert line.startswith(f"| {kind} |") and line in page.split(title)[1].split("###")[0]


def test_what_the_page_on_statistics_says_of_its_table():
    text = words("docs/statistics.md")
    skewed = [cells for cells in lines("docs/statistics.md", "what") if "skewed" in cells[1]]
    numbers = [[float(n) for n in re.findall(r"\d+\.\d", " ".join(cells[2:]))] for cells in skewed]
    covered, wrong = numbers[0][::3], numbers[0][2::3]
    assert f"covers in {np.floor(min(covered)):.0f} to {np.ceil(max(covered)):.0f} % of cases" in text
    assert "three to four times as likely" in text and min(wrong) / 2.5 >= 3 and max(wrong) / 2.5 <= 4
    assert "cost a point" in text and min(numbers[1][::3]) >= 94 and max(numbers[1][::3]) < 95
    points = [100 * np.sqrt(0.8 * 0.2 / images) for images in (1000, 10000)]
    assert "at 80 % accuracy {:.1f} points of 1,000 images, {:.1f} of 10,000".format(*points) in text
    bootstrap = "in 75 % of cases at n = 3, 84 % at 5 and 89 % at 10"  # test_the_percentile_bootstrap_would_not_pass
    assert bootstrap in text


def test_missing_values_and_columns(config):
    from data.test_tabular_data import MISSING_ROWS, SHAPES  # which are compared with the tables themselves

    text = words("docs/deviations.md")
    assert f"{MISSING_ROWS['weather']} of Weather" in text and f"{MISSING_ROWS['facebook']} of Facebook" in text
    shares = [100 * MISSING_ROWS[name] / (SHAPES[name][0] + MISSING_ROWS[name]) for name in ("weather", "facebook")]
    assert "| {:.0f} % and {:.0f} % of the rows |".format(*shares) in text
    numbers, stations = map(int, re.search(r"one-hot: (\d+) numbers and (\d+) stations", text).groups())
    assert numbers + stations == SHAPES["weather"][1] and f"Weather has {stations} more columns" in words("README.md")


def test_checksums_cost_next_to_nothing():
    (row,) = lines("docs/reliability.md", "files with a checksum")
    files, _, hashing, jobs, share = (float(cell.removesuffix(" %")) for cell in row)
    assert files > 0 and share == pytest.approx(100 * hashing / jobs, abs=0.006) and share < 3


def test_what_jobs_ask_a_cluster_for(monkeypatch):
    """The table of docs/cluster.md is that of the present rules; its hand-written numbers beside it."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    resources = importlib.import_module("resources")
    asked, text = resources.asked(), (ROOT / "docs/cluster.md").read_text(encoding="utf-8")
    kept = json.loads(resources.KEPT.read_text(encoding="utf-8"))
    assert resources.rendered(kept, asked) in text
    assert asked["train_images"]["runtime"] == {360, 720} and asked["prepare_pictures"]["runtime"] == {240}


def test_jobs_that_are_submitted_ask_for_more_at_the_second_attempt():
    """docs/cluster.md says so of all of them."""
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^rule ", path.read_text(encoding="utf-8"), flags=re.M)[1:]:
            if "localrule: True" not in rule and "runtime=" in rule:
                amounts = re.findall(r"(?:runtime|mem_mb)=(\w+)", rule)
                assert len(amounts) == 2 and set(amounts) <= {"growing", "cell_minutes"}, rule
