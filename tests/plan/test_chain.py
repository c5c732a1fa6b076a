"""`learner-collusion provenance`: from a figure down to the raw file, and what of it no longer fits."""

import json
import shutil

import pytest
from conftest import ROOT
from planned_chain import Chain, configured

from learner_collusion import cli
from learner_collusion.plan import chain as chains


def told(capsys, *arguments):
    """(status, the files by their paths)."""
    status = cli.main(["provenance", *map(str, arguments), "--json"])
    return status, {one["file"]: one for one in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("file", ["figures/fig2_diversity.pdf", "figures/fig2_diversity.png", "figures/fig2_diversity.csv",
                                  "claims/tabular.md", "claims/tabular.parquet"])  # fmt: skip
def test_the_chain_ends_at_the_raw_file(results, file, capsys):
    capsys.readouterr()
    status, files = told(capsys, results / file)
    stages = [one["stage"] for one in files.values()]
    assert status == 0 and stages[1:] == [
        "aggregate",
        "evaluate",
        "train_tabular",
        "train_tabular",
        "prepare",
        "tune",
        "fetch",
    ]
    trained = files["results/tabular/diabetes/history.parquet"]
    assert trained["seed"] == 0 and trained["engine"] and trained["versions"]["numpy"] and trained["settings_fit"]
    raw = files["results/datasets/raw/diabetes/diabetes.csv"]
    import hashlib

    content = (results / "datasets/raw/diabetes/diabetes.csv").read_bytes()
    assert raw["checksum"] == hashlib.sha256(content).hexdigest() and raw["inputs"] == []
    text = chains.as_text(list(files.values()))
    assert max(map(len, text.splitlines())) <= 100 and text.count("fits") == len(files)


def test_from_elsewhere_and_moved(results, tmp_path, monkeypatch, capsys):
    shutil.move("results", "moved")
    monkeypatch.chdir("/")
    status, files = told(capsys, tmp_path / "moved/figures/fig2_diversity.pdf")
    assert status == 0 and len(files) == 8


def test_a_pdf_alone_knows_what_it_was_made_from(results, capsys):
    (results / "figures/fig2_diversity.png").unlink()
    status, files = told(capsys, results / "figures/fig2_diversity.pdf")
    assert status == 0 and "results/records/tabular.parquet" in files


def flip(path):
    content = path.read_bytes()
    path.write_bytes(content[:-400] + bytes([content[-400] ^ 1]) + content[-399:])


@pytest.mark.parametrize(
    ("damage", "broken", "words"),
    [
        (lambda r: flip(r / "figures/fig2_diversity.pdf"), "figures/fig2_diversity.pdf", "is not as it was written"),
        (lambda r: flip(r / "records/tabular.parquet"), "records/tabular.parquet", "is damaged"),
        (lambda r: (r / "datasets/diabetes.parquet").unlink(), "datasets/diabetes.parquet", "no longer there"),
        (lambda r: Chain(configured(codependence={"draws": 3})).table("evaluate"), "records/tabular/diabetes.parquet", "not the file"),
        (lambda r: (r / "settings/tune.yaml").write_text("seed: 9\n"), "tabular/diabetes/best.parquet", "fits"),
    ],
)  # fmt: skip
def test_a_broken_link_is_named(results, damage, broken, words, capsys):
    damage(results)
    capsys.readouterr()
    status, files = told(capsys, results / "figures/fig2_diversity.pdf")
    assert status == 1 and [name for name, one in files.items() if not one["fits"]] == [f"results/{broken}"]
    assert words in files[f"results/{broken}"]["state"]
    if broken.endswith("best.parquet"):
        assert "not those of results/settings/tune.yaml now" in chains.as_text(list(files.values()))


def test_what_tells_nothing_is_one_sentence(results, capsys):
    for file in (ROOT / "docs/gallery/cnn/images.parquet", ROOT / "docs/gallery/cnn/fig15_cnn.png", ROOT / "README.md"):
        assert cli.main(["provenance", str(file)]) == 1
        assert "does not tell what made it" in capsys.readouterr().err
    assert cli.main(["provenance", "results/none.parquet"]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_a_table_of_the_users_is_named_and_looked_at(tmp_path, monkeypatch, capsys):
    table, raw = tmp_path / "houses.csv", "results/datasets/raw/houses/houses.csv"
    table.write_text("area,price\n" + "".join(f"{n},{n * n}\n" for n in range(40)))
    study = tmp_path / "study.yaml"
    study.write_text(f"tabular: {{datasets: [houses]}}\ntables: {{houses: {{file: {table}, target: price}}}}\n")
    monkeypatch.chdir(tmp_path)
    config = ["--config", str(ROOT / "config.yaml"), str(study), "--dataset", "houses"]
    assert cli.main(["fetch", *config]) == 0 == cli.main(["prepare", *config])
    capsys.readouterr()
    assert cli.main(["provenance", "results/datasets/houses.parquet"]) == 0
    assert f"made from {table}" in " ".join(capsys.readouterr().out.split())
    table.write_text(table.read_text() + "40,1600\n")
    assert cli.main(["provenance", raw]) == 1
    assert f"{table}, which has changed since: run the workflow again" in " ".join(capsys.readouterr().out.split())
    table.unlink()
    assert cli.main(["provenance", raw]) == 1
    assert "which is no longer there" in " ".join(capsys.readouterr().out.split())
