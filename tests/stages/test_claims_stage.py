"""The command `claims`: each part from its records, and all parts together."""

import copy
from dataclasses import asdict

import pytest
import yaml
from conftest import ROOT
from made_images import EXPERIMENTS, TITLES, write

from learner_collusion import cli
from learner_collusion.claims.catalogue import CLAIMS, Claim
from learner_collusion.errors import UserError
from learner_collusion.plan import settings as plan
from learner_collusion.records import parquet
from learner_collusion.records.claims import CLAIMS as SCHEMA
from learner_collusion.records.tabular import RECORDS
from learner_collusion.stages.claims import Settings


def mapping(part, **others):
    """What the plan writes for a part, small."""
    found = {
        "part": part,
        "note": "Fidelity 'ci'.",
        "titles": {"abalone": "Abalone"} | TITLES,
        "seed": 0,
        "confidence": 0.95,
        "remark": "Chosen in sight.",
        "paper": {"tabular": ["abalone"]},
        "runs": 3 if part == "tabular" else None,
        "claims": [asdict(claim) for claim in CLAIMS if claim.part == part],
        "experiments": EXPERIMENTS if part == "images" else {},
        "cases": 20 if part == "theory" else None,
    }
    return found | others


@pytest.fixture
def folder(tmp_path, monkeypatch, random):
    """A folder with the settings of each part and the records where the workflow writes them."""
    monkeypatch.chdir(tmp_path)
    for part in ("theory", "tabular", "images"):
        (tmp_path / f"{part}.yaml").write_text(plan.as_yaml(mapping(part)))
    rows = [
        ("tabular", "abalone", run, beta, metric, (1 + 20 * beta) * (1 + 0.01 * random.uniform()))
        for run in range(3)
        for beta in (0.0, 0.5, 1.0)
        for metric in ("div", "err", "bias_share", "increase_0.2", "increase_0.4")
    ]
    records = dict(zip(RECORDS.names, zip(*rows, strict=True), strict=True))
    parquet.write(tmp_path / "results/records/tabular.parquet", records, RECORDS)
    write(tmp_path / "results/records", random)
    return tmp_path


def judge(part, *options):
    return cli.main(["claims", "--part", part, "--settings", f"{part}.yaml", *options])


@pytest.mark.parametrize("part", ["theory", "tabular", "images"])
def test_a_part_is_judged_where_the_workflow_expects_it(folder, part, capsys):
    assert judge(part) == 0
    text = (folder / f"results/claims/{part}.md").read_text()
    rows = parquet.read(folder / f"results/claims/{part}.parquet", SCHEMA)
    assert "**Fidelity 'ci'.**\n\n**Chosen in sight.**" in text and set(rows["part"]) == {part}
    assert {claim.id for claim in CLAIMS if claim.part == part and claim.experiment in (None, *EXPERIMENTS)} == set(
        rows["id"]
    )
    assert f"results/claims/{part}.md: " in capsys.readouterr().out
    assert part != "tabular" or "| Abalone |" in text


def test_a_part_at_the_papers_settings_has_no_remark(folder):
    """A preset may make one part smaller, and leave another as the paper has it."""
    (folder / "theory.yaml").write_text(plan.as_yaml(mapping("theory", note="")))
    judge("theory")
    assert "Chosen in sight" not in (folder / "results/claims/theory.md").read_text()


def test_all_parts_that_were_judged_are_put_together(folder):
    for part in ("images", "theory"):
        judge(part)
    assert cli.main(["claims", "--part", "all"]) == 0
    text = (folder / "results/claims.md").read_text()
    assert text.index("## Theory") < text.index("## Images") < text.index("Not judged") < text.index("Tabular data")
    assert set(parquet.read(folder / "results/claims.parquet", SCHEMA)["part"]) == {"theory", "images"}
    chosen = ["--records", "results/claims/theory.parquet", "--output", "one.md", "--parquet", "two.parquet"]
    assert cli.main(["claims", "--part", "all", *chosen]) == 0
    assert set(parquet.read(folder / "two.parquet", SCHEMA)["part"]) == {"theory"} and (folder / "one.md").exists()


def test_an_entry_in_the_settings_is_judged(folder):
    entry = Claim(
        "C99",
        "tabular",
        "The error grows",
        "Section 6.1",
        "ratio",
        2,
        options={"first": ["err", 1], "second": ["err", 0]},
    )
    settings = mapping("tabular", claims=[asdict(entry)])
    (folder / "tabular.yaml").write_text(plan.as_yaml(settings))
    assert judge("tabular") == 0
    (row,) = parquet.read(folder / "results/claims/tabular.parquet", SCHEMA).to_dict("records")
    assert row["id"] == "C99" and row["claim"] == "The error grows (Section 6.1)" and row["verdict"] == "holds"


@pytest.mark.parametrize(
    ("prepare", "arguments", "words"),
    [
        (lambda f: (f / "results/records/tabular.parquet").unlink(), ["tabular"], "tabular.parquet does not exist"),
        (lambda f: (f / "tabular.yaml").write_text("part: tabular"), ["tabular"], "lacks the key"),
        (
            lambda f: (f / "theory.yaml").rename(f / "tabular.yaml"),
            ["tabular"],
            "settings are those of the part 'theory'",
        ),
        (lambda f: None, ["tabular", "--records", "a", "b"], "one file of records"),
        (
            lambda f: (f / "results/records/images.parquet").replace(f / "results/records/tabular.parquet"),
            ["tabular"],
            "other columns",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(folder, capsys, prepare, arguments, words):
    prepare(folder)
    assert judge(*arguments) == 1
    assert words in capsys.readouterr().err and not list(folder.glob("results/claims/*"))


def test_no_claims_to_put_together(folder, capsys):
    assert cli.main(["claims", "--part", "all"]) == 1
    assert "no claims to put together" in capsys.readouterr().err and not (folder / "results/claims.md").exists()


@pytest.mark.parametrize("part", ["theory", "tabular", "images"])
def test_the_plan_gives_the_settings_of_each_part(config, part):
    """What the workflow writes to a file and reads back are the entries of the catalogue and the enabled
    experiments."""
    settings = plan.convert(yaml.safe_load(plan.as_yaml(plan.take(config, config, "claims", part))), Settings)
    assert settings.part == part and settings.note == ""
    assert settings.claims == [claim for claim in CLAIMS if claim.part == part]
    assert list(settings.experiments) == (config["images"]["enabled"] if part == "images" else [])
    assert (settings.cases is not None) == (part == "theory")


def test_a_setting_of_another_type_is_told():
    with pytest.raises(UserError, match="confidence"):
        plan.convert(mapping("tabular", confidence="high"), Settings)


def test_what_is_the_papers_is_named(config):
    """Its data sets as they are declared there, wherever the files lie; models and experiments that it has."""
    assert plan.take(config, config, "claims", "tabular")["paper"] == {
        "tabular": ["abalone", "bioconcentration", "facebook", "weather"]
    }
    ours = copy.deepcopy(config)
    ours["tables"]["weather"]["target"] = "Next_Tmin"
    ours["tables"]["abalone"] |= {"url": "file:///mine.zip", "title": "Mine", "sha256": None}
    ours["tables"]["mine"] = ours["tables"]["abalone"]
    ours["tabular"]["datasets"] = ["weather", "abalone", "diabetes", "mine"]
    assert plan.take(ours, config, "claims", "tabular")["paper"] == {"tabular": ["abalone"]}
    ours["images"]["enabled"] = ["cnn", "dropout", "mine"]
    ours["images"]["experiments"]["mine"] = ours["images"]["experiments"]["cnn"]
    ours["images"]["experiments"]["dropout"]["datasets"] = ["digits"]
    ours["images"]["experiments"]["cnn"]["models"] = ["cnn", "my.Net"]
    found = plan.take(ours, config, "claims", "images")["paper"]
    assert found == {"cnn": ["cifar10/cnn"], "dropout": [], "mine": []}


@pytest.mark.parametrize("part", ["tabular", "images"])
def test_the_committed_records_of_the_gallery_are_judged(tmp_path, monkeypatch, part):
    """As a reader would, with the settings that made them."""
    gallery = ROOT / "docs/gallery"
    preset, records = ([], gallery / "tabular.parquet")
    if part == "images":
        preset, records = (
            [str(ROOT / "workflow/presets/digits_dropout.yaml")],
            gallery / "digits_dropout/images.parquet",
        )
    monkeypatch.chdir(tmp_path)
    command = ["claims", "--part", part, "--config", str(ROOT / "config.yaml"), *preset, "--records", str(records)]
    assert cli.main(command) == 0
    rows = parquet.read(tmp_path / f"results/claims/{part}.parquet", SCHEMA)
    assert rows["survives"].any() and not rows["note"].str.contains("without run").any()
    assert set(rows["claim"].str.contains("Figure|Section|Appendix")) == {
        part == "tabular" or "digits" not in str(records)
    }
