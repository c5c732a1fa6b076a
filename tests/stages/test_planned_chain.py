"""What a stage of the workflow says of inputs that are not what its plan has: one sentence, and nothing written."""

import shutil

import pandas as pd
import pytest
from planned_chain import Chain, configured

from learner_collusion.records import parquet

FILES = {  # what a stage reads
    "prepare": "datasets/raw/diabetes/diabetes.csv",
    "tune": "datasets/diabetes.parquet",
    "train_tabular": "tabular/diabetes/best.parquet",
    "evaluate": "tabular/diabetes/predictions.parquet",
    "aggregate": "records/tabular/diabetes.parquet",
    "figure": "records/tabular.parquet",
    "claims": "records/tabular.parquet",
}
WRITTEN = {
    "prepare": "datasets/diabetes.parquet",
    "tune": "tabular/diabetes/best.parquet",
    "train_tabular": "tabular/diabetes/predictions.parquet",
    "evaluate": "records/tabular/diabetes.parquet",
    "aggregate": "records/tabular.parquet",
    "figure": "figures/fig2_diversity.pdf",
    "claims": "claims/tabular.parquet",
}


@pytest.fixture(scope="module")
def chain():
    return Chain(configured())


def refused(chain, results, stage, capsys) -> str:
    written = results / WRITTEN[stage]
    written.unlink()
    assert chain.of_table(stage) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"{stage}: results/") and len(told.splitlines()) == 1
    assert not written.exists()
    return told


@pytest.mark.parametrize("stage", FILES)
def test_a_flipped_bit_is_told(chain, results, stage, capsys):
    path = results / FILES[stage]
    content = path.read_bytes()
    path.write_bytes(content[:200] + bytes([content[200] ^ 1]) + content[201:])
    assert f"{path} is damaged, its checksum does not fit: delete it" in refused(chain, results, stage, capsys)


@pytest.mark.parametrize("stage", ["train_tabular", "aggregate", "figure"])
def test_numbers_edited_by_hand_are_told(chain, results, stage, capsys):
    """Written again with all metadata that a user of this package can give."""
    path = results / FILES[stage]
    frame = parquet.read(path)
    schema = parquet.read_arrow(path).schema.remove_metadata()
    parquet.write(path, frame, schema, parquet.read_metadata(path))
    assert f"{path} does not say what made it: delete it" in refused(chain, results, stage, capsys)


def test_a_file_without_a_checksum_is_none_of_the_workflow(chain, results, capsys):
    path = results / FILES["figure"]
    pd.DataFrame({"x": [1]}).to_parquet(path)
    assert "has no checksum" in refused(chain, results, "figure", capsys)


@pytest.mark.parametrize(
    ("stage", "maker", "change"),
    [
        ("train_tabular", "tune", {"tuning": {"trials": 4}}),
        ("evaluate", "train_tabular", {"betas": [0, 0.25, 1]}),
        ("aggregate", "evaluate", {"codependence": {"draws": 3}}),
    ],
)
def test_what_a_job_of_other_settings_wrote_late_is_told(chain, results, stage, maker, change, capsys):
    """The settings go back and forth, and a job that outlived its workflow writes in the end (F6)."""
    Chain(configured(**change)).table(maker)
    told = refused(chain, results, stage, capsys)
    assert "was made with other settings than those of this plan, as by a job that outlived its workflow" in told


def test_what_other_code_made_is_told(chain, results, monkeypatch, capsys):
    from learner_collusion.plan import makers

    known = makers.code
    with monkeypatch.context() as patch:
        patch.setattr(makers, "code", lambda *job: "0123456789ab" if job[0] == "tune" else known(*job))
        Chain(configured()).table("tune")
    told = refused(chain, results, "train_tabular", capsys)
    assert "best.parquet was made with other code than those of this plan" in told


def test_a_file_in_anothers_place_is_told(results, capsys):
    """The records of one data set in the place of another's."""
    two = Chain(configured(datasets=["diabetes", "abalone"]))
    shutil.copy(results / "records/tabular/diabetes.parquet", results / "records/tabular/abalone.parquet")
    inputs = [f"results/records/tabular/{name}.parquet" for name in ("diabetes", "abalone")]
    options = ("--family", "tabular", "--inputs", *inputs, "--output", "results/x.parquet", "--name", "tabular")
    assert two.run("aggregate", "tabular", *options) == 1
    told = "abalone.parquet is what evaluate made for diabetes, in the place of abalone of evaluate: delete it"
    assert told in capsys.readouterr().err and not (results / "x.parquet").exists()


def test_what_was_made_from_another_file_than_lies_there_is_told(chain, results, capsys):
    """A table that came later than the training on it."""
    raw = results / FILES["prepare"]
    shutil.copy(raw, results.parent / "kept.csv")
    path = results / "datasets/diabetes.parquet"
    table = parquet.read_arrow(path)
    parquet.write(path, table.to_pandas(), table.schema.remove_metadata(), {"target": "target"})
    told = refused(chain, results, "evaluate", capsys)
    assert f"history.parquet was made from another {path} than the one that lies there now: delete it" in told


def test_settings_that_are_not_those_of_the_plan_are_told(chain, results, capsys):
    arguments = chain.arguments("tune", "diabetes")
    settings = results / "settings/tune.yaml"
    settings.write_text(settings.read_text().replace("seed: 0", "seed: 1"))
    from learner_collusion import cli

    assert cli.main(["tune", *arguments, "--dataset", "diabetes"]) == 1
    assert "tune.yaml holds other settings than the workflow has written: delete it" in capsys.readouterr().err


def test_settings_that_change_while_a_job_runs_end_it(chain, results, monkeypatch, capsys):
    """So that it does not write over what the workflow of the new settings makes."""
    from learner_collusion.stages import evaluate

    measure = evaluate._training

    def slow(histories):
        settings = results / "settings/evaluate.yaml"
        settings.write_text(settings.read_text().replace("seed: 0", "seed: 1"))
        return measure(histories)

    monkeypatch.setattr(evaluate, "_training", slow)
    told = refused(chain, results, "evaluate", capsys)
    assert "evaluate.yaml changed while this job ran, so nothing is written" in told


def test_a_kept_run_in_anothers_place_is_made_anew(chain, results, capsys):
    """Predictions of run 0 in the place of run 1's (F7), and a flipped bit: the job ends with the same bytes."""
    whole = {name: (results / f"tabular/diabetes/{name}.parquet").read_bytes() for name in ("history", "predictions")}
    for run in ("0", "1"):
        options = ("--dataset", "diabetes", "--run", run, "--processes", "1")
        assert chain.run("train_tabular", "diabetes", *options) == 0
    kept = results / "tabular/diabetes/train"
    shutil.copy(kept / "run0.predictions.parquet", kept / "run1.predictions.parquet")
    content = (kept / "run0.history.parquet").read_bytes()
    (kept / "run0.history.parquet").write_bytes(content[:300] + bytes([content[300] ^ 8]) + content[301:])
    chain.table("train_tabular")
    out = capsys.readouterr().out
    assert "run1.predictions.parquet is of other settings, data or code, or another part: it is made anew." in out
    assert "run0.history.parquet is damaged, its checksum does not fit: it is made anew." in out
    assert whole == {name: (results / f"tabular/diabetes/{name}.parquet").read_bytes() for name in whole}


def test_by_hand_the_settings_of_an_input_may_be_any(results, capsys):
    """But not another's place, nor damage."""
    from conftest import ROOT

    from learner_collusion import cli

    config = ["--config", str(ROOT / "config.yaml"), str(ROOT / "workflow/presets/ci.yaml")]
    Chain(configured(codependence={"draws": 3})).table("evaluate")
    inputs = ["--inputs", "results/records/tabular/diabetes.parquet", "--output", "results/records/tabular.parquet"]
    assert cli.main(["aggregate", "--family", "tabular", *inputs]) == 0
    assert cli.main(["claims", "--part", "tabular", *config]) == 0
    shutil.copy("results/tabular/diabetes/best.parquet", "results/tabular/diabetes/history.parquet")
    assert cli.main(["evaluate", "--dataset", "diabetes", *config]) == 1
    assert "is what tune made for diabetes, in the place of diabetes of train_tabular" in capsys.readouterr().err
