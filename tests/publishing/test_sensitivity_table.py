"""The table of the sensitivity analysis, from records with known answers."""

import pytest
from made_variants import TITLES, write

from learner_collusion import cli
from learner_collusion.plan import settings as plan
from learner_collusion.publishing.registry import TABLES
from learner_collusion.publishing.sensitivity import STABILITY, verdicts
from learner_collusion.records import parquet
from learner_collusion.stages.table import Settings


@pytest.fixture
def text(tmp_path):
    verdicts(
        Settings("Fidelity 'ci'.", 0, 1, None, {}, titles=TITLES), TABLES["sensitivity"],
        str(tmp_path / "t.md"), str(tmp_path / "t.parquet"), str(write(tmp_path)),
    )  # fmt: skip
    return (tmp_path / "t.md").read_text()


def test_stable_and_unstable_findings_are_told_apart(text):
    assert text.startswith("# Sensitivity of the tabular verdicts") and "**Fidelity 'ci'.**" in text
    assert "6 findings in 3 variants that change one choice and 1 that change several" in text
    assert (
        "**3 findings are the same in all of them**; 1 more change with joint variants alone, and 2 with a single"
        in text
    )
    unstable, stable = text.split("## What hangs on a choice")[1].split("## The variants")[0].split("## What is stable")
    assert "C1a: Diversity explodes (Figure 2) | Apples" in unstable and "trained less (does not hold)" in unstable
    assert "joint changes alone" in unstable and "C3, sign | Apples" in unstable
    assert "Bananas" in stable and "Bananas" not in unstable and "Apples" not in stable


def test_every_variant_has_its_counts_and_what_differs(text):
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in text.splitlines() if line.startswith("| ")}
    assert "| 4 | 0 | 0 | - |" in lines["chosen"] and "| 4 | 0 | 0 | - |" in lines["nothing"]
    assert "| 3 | 0 | 1 | C1a Apples (does not hold) |" in lines["worse"]
    assert "| 4 | 0 | 0 | C3, sign Apples (covers 0) |" in lines["other"]
    assert "| 3 | 1 | 0 | C4b Apples (undecided) |" in lines["joint1"]


def test_the_parquet_form_holds_the_same(text, tmp_path):
    rows = parquet.read(tmp_path / "t.parquet", STABILITY)
    assert len(rows) == 6 and rows["single_differ"].sum() == 2 and rows["joint_differ"].sum() == 1
    assert parquet.read_metadata(tmp_path / "t.parquet")["fidelity"] == "Fidelity 'ci'."


def test_the_command_reads_the_records_of_the_workflow(tmp_path, monkeypatch, config, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.yaml").write_text(plan.as_yaml(plan.take(config, config, "table", "sensitivity")))
    command = ["table", "--settings", "s.yaml", "--table", "sensitivity"]
    assert cli.main(command) == 1
    assert "results/records/sensitivity.parquet does not exist: run the workflow" in capsys.readouterr().err
    (tmp_path / "results/records").mkdir(parents=True)
    write(tmp_path / "results/records")
    assert cli.main(command) == 0
    assert "What hangs on a choice" in (tmp_path / "results/tables/sensitivity.md").read_text()
