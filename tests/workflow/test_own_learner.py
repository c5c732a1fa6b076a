"""docs/your-learner.md: the studies of examples/own_learner and own_image_learner, from the data to figure and claims."""

import ast
import re
import shutil

import pytest
from documents import run_blocks
from workflows import ROOT, planned, snakemake

from learner_collusion.records import parquet

DOCUMENT = ROOT / "docs/your-learner.md"


@pytest.fixture
def copied(tmp_path):
    """The examples beside the rest of the clone."""
    for name in ("Snakefile", "workflow", "config.yaml", "src", "envs", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    for name in ("own_learner", "own_image_learner"):
        shutil.copytree(ROOT / "examples" / name, tmp_path / "examples" / name)
    return tmp_path


def test_the_class_is_that_of_the_example():
    [shown] = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.S)
    texts = [ast.parse(text) for text in (shown, (ROOT / "examples/own_learner/nets.py").read_text(encoding="utf-8"))]
    for tree in texts:
        tree.body = tree.body[-1:]
        tree.body[0].body = [node for node in tree.body[0].body if not isinstance(node, ast.Expr)]
    assert ast.dump(texts[0]) == ast.dump(texts[1])


@pytest.mark.slow
def test_the_studies_run(copied):
    run_blocks(DOCUMENT, copied)
    study = copied / "examples/own_learner/my-study/results"
    best = parquet.read(study / "tabular/diabetes/best.parquet")
    assert best["width"].isin([8, 16]).all() and "hidden_units" not in best and (best["learners"] == 5).all()
    made = parquet.read_metadata(study / "records/tabular.parquet")["diabetes"]["training"]
    assert made["engine"] == "torch" and made["settings"]["learner"] == "nets.ResidualNet"
    text = (study / "claims/tabular.md").read_text()
    assert "learner nets.ResidualNet instead of none" in text and "were not made with this configuration" not in text
    assert (study / "figures/fig2_diversity.pdf").stat().st_size > 0
    study = copied / "examples/own_image_learner/my-study/results"
    cells = parquet.read(study / "records/images.parquet")
    assert set(cells["model"]) == {"nets.SmallNet"} and set(cells["beta"]) == {0.0, 0.5, 1.0}
    text = (study / "claims/images.md").read_text()
    assert "learner options {'channels': 8, 'dropout': 0.1} instead of none" in text and "SmallNet, M = 4" in text
    assert (study / "figures/fig6_practical.pdf").stat().st_size > 0
    # a comment makes nothing stale, another line does
    nets = copied / "examples/own_learner/nets.py"
    command = ["-n", "--cores", "1", "--snakefile", "../../Snakefile", "--configfile", "study.yaml", "--directory", "my-study",
               "--", "results/claims/tabular.md"]  # fmt: skip
    nets.write_text(nets.read_text() + "# a comment\n")
    assert not planned(snakemake(*command, clone=nets.parent))
    nets.write_text(nets.read_text().replace("nn.ReLU()", "nn.Tanh()"))
    assert {"tune_dataset", "train_tabular", "evaluate"} <= planned(snakemake(*command, clone=nets.parent)).keys()
