"""Tables 2, 3 and 4: verified, or read off the models."""

import pyarrow.parquet as pq
import pytest

from learner_collusion import tables
from learner_collusion.ensembles import learner


def test_table_2_is_verified_before_it_is_printed(tmp_path):
    tables.losses(50, 0, "Fidelity 'ci'.", str(tmp_path / "t.md"), str(tmp_path / "t.parquet"))
    text = (tmp_path / "t.md").read_text()
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert "Fidelity 'ci'." in text and rows
    errors = [value for row in rows for value in row.values() if isinstance(value, float)]
    assert errors and max(errors) < 1e-9


@pytest.mark.parametrize(
    ("model", "options", "words"),
    [
        ("cnn", {"width": 1, "form": "pool"}, ["Table 3", "31,340 parameters", "10 x 28 x 28", "kernel_size=(5, 5)"]),
        ("cnn", {"width": 1, "form": "stride"}, ["stride=(2, 2)", "in_features=500"]),
        ("vgg", {"width": 1}, ["Table 4", "14,991,946 parameters", "512 x 1 x 1", "p=0.5"]),
    ],
)
def test_tables_3_and_4_are_read_off_the_modules(tmp_path, model, options, words):
    tables.layers(model, options, str(tmp_path / "t.md"), str(tmp_path / "t.parquet"))
    text = (tmp_path / "t.md").read_text()
    assert all(word in text for word in words), text
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert sum(row["parameters"] for row in rows) == sum(p.numel() for p in learner(model, 10, **options).parameters())
    assert [row["output"] for row in rows][-1] == "10"
