"""The scorecard lists every judged part of every gallery once, with counts that are those of its rows."""

from pathlib import Path

import pytest
from conftest import ROOT

from learner_collusion.cli import main
from learner_collusion.errors import UserError
from learner_collusion.publishing.scorecard import scorecard
from learner_collusion.records import parquet


def test_each_part_of_each_gallery_has_a_line_and_a_section(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    text = scorecard(Path("docs/gallery"), Path("docs"))
    verdicts = parquet.read("docs/gallery/claims/tabular.parquet")["verdict"].tolist()
    counts = " | ".join(str(verdicts.count(v)) for v in ("holds", "does not hold", "undecided", "no verdict"))
    assert f"](gallery/claims/tabular.md) | the paper's | {counts} |" in text
    for folder in sorted(path.parent.name for path in Path("docs/gallery").glob("*/config.yaml")):
        assert f": `{folder}`, not the paper's" in text
    assert text.count("](gallery/claims/theory.md)") == 1 and "demo/claims/theory.md" not in text
    assert main(["scorecard", "docs/gallery", str(tmp_path / "s.md")]) == 0 and (tmp_path / "s.md").exists()


def test_a_folder_without_claims_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no claims"):
        scorecard(tmp_path, tmp_path)
