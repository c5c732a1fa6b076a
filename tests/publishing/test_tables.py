"""Tables 2, 3 and 4: verified, or read from the models."""

import pyarrow.parquet as pq
import pytest

from learner_collusion.errors import UserError
from learner_collusion.models.registry import builder
from learner_collusion.publishing import tables
from learner_collusion.publishing.registry import TABLES
from learner_collusion.stages.table import Settings, make


def test_table_2_is_verified_before_it_is_printed(tmp_path):
    settings = Settings("Fidelity 'ci'.", 0, 50, None, {})
    make("table2_losses", settings, str(tmp_path / "t.md"), str(tmp_path / "t.parquet"))
    text = (tmp_path / "t.md").read_text()
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert text.startswith("# Table 2: ") and "**Fidelity 'ci'.**" in text and len(rows) == 3
    errors = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert len(errors) == 6 and max(errors) < 1e-12


def test_a_wrong_formula_is_not_printed(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "gradient_errors", lambda scores, labels: {"independent": 1e-3})
    with pytest.raises(UserError, match="A formula of Table 2 is off"):
        make("table2_losses", Settings("", 0, 50, None, {}), str(tmp_path / "t.md"), str(tmp_path / "t.parquet"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("table3_cnn", {"width": 1, "variant": "pool"}, ["Table 3", "31,340 parameters", "10 x 28 x 28", "kernel_size=(5, 5)"]),
        ("table3_cnn", {"width": 1, "variant": "stride"}, ["stride=(2, 2)", "in_features=500", "(width 1, variant stride)"]),
        ("table4_vgg", {"width": 1}, ["Table 4", "14,991,946 parameters", "512 x 1 x 1", "p=0.5"]),
        ("table4_vgg", {}, ["read from the module itself."]),
    ],
)  # fmt: skip
def test_tables_3_and_4_are_read_from_the_modules(tmp_path, name, options, words):
    model = TABLES[name].model
    make(name, Settings("", 0, 50, model, options), str(tmp_path / "t.md"), str(tmp_path / "t.parquet"))
    text = (tmp_path / "t.md").read_text()
    assert all(word in text for word in [*words, TABLES[name].remark]), text
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert sum(row["parameters"] for row in rows) == sum(p.numel() for p in builder(model)(10, **options).parameters())
    assert [row["output"] for row in rows][-1] == "10"


def test_same_table_same_bytes(tmp_path):
    for copy in "ab":
        settings = Settings("", 0, 50, "cnn", {"width": 1})
        make("table3_cnn", settings, str(tmp_path / f"{copy}.md"), str(tmp_path / f"{copy}.parquet"))
    for suffix in ("md", "parquet"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()
