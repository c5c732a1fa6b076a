"""The gallery holds what finished results hold, and says what they were made with."""

from pathlib import Path

import pytest
from made_images import EXPERIMENTS, TITLES, write

from learner_collusion import claims, gallery
from learner_collusion.claims_images import judge
from learner_collusion.errors import UserError


@pytest.fixture
def results(tmp_path, random):
    """Finished results of the images: records, claims, a figure, a table, the configuration, a benchmark file."""
    folder = tmp_path / "results"
    for name in ("records", "claims", "figures", "tables", "benchmarks/cells"):
        (folder / name).mkdir(parents=True)
    (tmp_path / "cells").mkdir()
    path = folder / "records/images.parquet"
    path.write_bytes(Path(write(tmp_path / "cells", random)).read_bytes())
    settings = {"experiments": EXPERIMENTS, "titles": TITLES, "bootstrap": 100, "level": 0.95, "seed": 0}
    outputs = [str(folder / f"claims/images.{suffix}") for suffix in ("md", "parquet")]
    claims.write(judge(str(path), settings), "images", "Fidelity 'laptop'.", TITLES, *outputs)
    for name in ("figures/fig15_cnn.png", "figures/fig15_cnn.csv", "tables/table3_cnn.md", "config.yaml"):
        (folder / name).write_text("x")
    (folder / "benchmarks/cells/one.tsv").write_text("s\tcpu_time\n12.0\t10.0\n")
    return folder


def test_everything_is_copied_and_named(results, tmp_path):
    target = tmp_path / "gallery"
    gallery.build(results, target, 2)
    names = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert names == {"README.md", "claims/images.md", "claims/images.parquet", "config.yaml", "fig15_cnn.csv", "fig15_cnn.png", "images.parquet",
                     "table3_cnn.md"}  # fmt: skip
    text = (target / "README.md").read_text()
    for words in (
        "**Fidelity 'laptop'.**",
        "## Figure 15: cnn",
        "claims/images.md",
        "torch",
        "| cells | 1 | 12 | 10 |",
    ):
        assert words in text, words


@pytest.mark.parametrize("gone", ["figures/fig15_cnn.png", "config.yaml", "records/images.parquet"])
def test_unfinished_results_are_told(results, tmp_path, gone):
    (results / gone).unlink()
    with pytest.raises(UserError, match="run the workflow to its end first"):
        gallery.build(results, tmp_path / "gallery", 2)
    assert not (tmp_path / "gallery").exists()
