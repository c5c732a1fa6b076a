"""The scorecard lists every judged part of every gallery once, with counts that are those of its rows."""

from pathlib import Path

import pytest
from conftest import ROOT
from made_variants import TITLES, write

from learner_collusion.cli import main
from learner_collusion.errors import UserError
from learner_collusion.publishing import claims
from learner_collusion.publishing.scorecard import scorecard
from learner_collusion.records import parquet
from learner_collusion.records.claims import CLAIMS


def test_each_part_of_each_gallery_has_a_line_and_a_section(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    text = scorecard(Path("docs/gallery"), Path("docs"))
    verdicts = parquet.read("docs/gallery/claims/tabular.parquet", published=True)["verdict"].tolist()
    counts = " | ".join(str(verdicts.count(v)) for v in ("holds", "does not hold", "undecided", "no verdict"))
    assert f"](gallery/claims/tabular.md) | the paper's | {counts} |" in text
    for folder in sorted(path.parent for path in Path("docs/gallery").glob("*/config.yaml")):
        notes = [parquet.read_metadata(path, published=True)["fidelity"] for path in folder.glob("claims/*.parquet")]
        assert (f": `{folder.name}`, not the paper's" in text) == any(notes), folder
    assert text.count("](gallery/claims/theory.md)") == 1 and "demo/claims/theory.md" not in text
    assert main(["scorecard", "docs/gallery", str(tmp_path / "s.md")]) == 0 and (tmp_path / "s.md").exists()


def test_the_tabular_rows_say_whether_they_stay_with_other_choices(tmp_path):
    (tmp_path / "sensitivity").mkdir()
    path = write(tmp_path / "sensitivity")
    rows = parquet.read(path, published=True).query("variant == 'chosen'")[list(CLAIMS.names)]
    claims.write(rows, "tabular", "", TITLES, tmp_path / "claims/tabular.md", tmp_path / "claims/tabular.parquet")
    (tmp_path / "config.yaml").write_text("fidelity: paper\n")
    (tmp_path / "times.csv").write_text("stage,jobs,wall_seconds,processor_seconds\n")
    lines = [line for line in scorecard(tmp_path, tmp_path).splitlines() if line.startswith("| C")]
    ends = {
        line.split(" | ")[0].removeprefix("| C")[:2] + line.split(" | ")[1]: line.split(" | ")[-1] for line in lines
    }
    assert ends["1aApples"] == "same in 2 of 3; not: trained less (does not hold) |"
    assert ends["1aBananas"] == "same in 0 of 0 |" and ends["4bApples"] == "same in 2 of 3 |"
    assert ends["3:Apples"] == "sign: rises in 2 of 3; not: another target (covers 0) |"
    assert ends["3:Bananas"] == "same in 0 of 0; sign: covers 0 in 0 of 0 |"
    path.unlink()
    assert "with other open choices" not in scorecard(tmp_path, tmp_path)


def test_a_folder_without_claims_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no claims"):
        scorecard(tmp_path, tmp_path)
