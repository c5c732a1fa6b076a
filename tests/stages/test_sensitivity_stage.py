"""A variant is what its stages give with the changed settings, and takes over what it does not change."""

import copy

import pandas as pd
import pytest
from conftest import ROOT

from learner_collusion import cli
from learner_collusion.data import sources, tabular
from learner_collusion.plan import configuration
from learner_collusion.plan import settings as plan
from learner_collusion.records import parquet
from learner_collusion.records.claims import CLAIMS
from learner_collusion.records.sensitivity import SENSITIVITY
from learner_collusion.records.tabular import RECORDS
from learner_collusion.stages import evaluate, train_tabular, tune

VARIANTS = """
    - {name: refit, shows: refitted, change: {tabular: {training: {refit_on_train_and_validation: true}}}}
    - {name: jointly, shows: tuned at beta 1, change: {tabular: {tuning: {beta: 1}}}}
    - {name: per, shows: per ensemble, change: {tabular: {codependence: {per: ensemble}}}}
    - {name: log, shows: logged, change: {tables: {diabetes: {log_target: true}}}}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The tabular half of the ci preset, with the configuration that it was made from."""
    folder = tmp_path_factory.mktemp("finished")
    text = f"parts: [tabular, sensitivity]\ntabular: {{runs: 3}}\nsensitivity:\n  joint: 0\n  variants:{VARIANTS}"
    (folder / "own.yaml").write_text(text)
    files = [ROOT / "config.yaml", ROOT / "workflow/presets/ci.yaml", folder / "own.yaml"]
    config = configuration.load_all(files)
    table = folder / "results/datasets/raw/diabetes/diabetes.csv"
    table.parent.mkdir(parents=True)
    sources.export_diabetes(table)
    make(config, folder / "results/datasets/diabetes.parquet", table, folder / "results", "tabular/diabetes")
    return folder, config, files


def make(config, table, raw, folder, inside) -> pd.DataFrame:
    """Every stage by hand, on one data set; its records."""
    take = {stage: plan.take(config, config, stage, "diabetes") for stage in plan.VARIED}
    described = {k: v for k, v in take["prepare"].items() if k != "kind"}
    tabular.prepare(raw, table, "diabetes", plan.convert(described, tabular.Table))
    path = {name: str(folder / inside / f"{name}.parquet") for name in ("trials", "best", "history", "predictions")}
    tune.tune(str(table), "diabetes", plan.convert(take["tune"], tune.Settings), path["trials"], path["best"])
    chosen = plan.convert(take["train_tabular"], train_tabular.Settings)
    train_tabular.train(str(table), path["best"], "diabetes", chosen, path["history"], path["predictions"])
    records = folder / "records/tabular/diabetes.parquet"
    measured = plan.convert(take["evaluate"], evaluate.Settings)
    evaluate.evaluate("diabetes", path["predictions"], path["history"], measured, str(records))
    return parquet.read(records, RECORDS)


def run(finished, monkeypatch, variant) -> pd.DataFrame:
    folder, _, files = finished
    monkeypatch.chdir(folder)
    assert cli.main(["sensitivity", "--config", *map(str, files), "--variant", variant, "--processes", "1"]) == 0
    assert [p.name for p in (folder / "results/sensitivity" / variant).iterdir()] == ["records.parquet"]
    return parquet.read(folder / f"results/sensitivity/{variant}/records.parquet", RECORDS)


@pytest.mark.parametrize("variant", ["refit", "jointly", "per", "log"])
def test_a_variant_is_what_the_stages_give_with_its_settings(finished, monkeypatch, tmp_path, variant):
    folder, config, _ = finished
    change = next(v["change"] for v in config["sensitivity"]["variants"] if v["name"] == variant)
    raw = folder / "results/datasets/raw/diabetes/diabetes.csv"
    changed = configuration.overlay(copy.deepcopy(config), change)
    expected = make(changed, tmp_path / "table.parquet", raw, tmp_path, "half")
    found = run(finished, monkeypatch, variant)
    pd.testing.assert_frame_equal(found, expected, check_exact=True)
    chosen = parquet.read(folder / "results/records/tabular/diabetes.parquet", RECORDS)
    assert not found["value"].equals(chosen["value"])


def test_what_is_shared_is_not_made_again(finished, monkeypatch):
    for module, name in ((tune, "tune"), (train_tabular, "train")):
        monkeypatch.setattr(module, name, lambda *_, name=name, **__: pytest.fail(f"{name} again"))
    found = run(finished, monkeypatch, "per").set_index(["run", "beta", "metric"])["value"]
    chosen = parquet.read(finished[0] / "results/records/tabular/diabetes.parquet").set_index(["run", "beta", "metric"])
    increases = found.index.get_level_values("metric").str.startswith("increase")
    assert found[~increases].equals(chosen["value"][~increases]) and not found[increases].equals(
        chosen["value"][increases]
    )


def test_variants_are_judged_as_the_claims_are(finished, monkeypatch, tmp_path, capsys):
    _, config, files = finished
    names = [variant["name"] for variant in config["sensitivity"]["variants"]]
    for name in names:
        run(finished, monkeypatch, name)
    records = [
        "results/records/tabular/diabetes.parquet",
        *(f"results/sensitivity/{name}/records.parquet" for name in names),
    ]
    command = [
        "aggregate",
        "--family",
        "sensitivity",
        "--config",
        *map(str, files),
        "--output",
        str(tmp_path / "all.parquet"),
    ]
    assert cli.main([*command, "--inputs", *records]) == 0
    rows = parquet.read(tmp_path / "all.parquet", SENSITIVITY)
    assert rows["variant"].unique().tolist() == ["chosen", *names] and not rows["joint"].any()
    assert rows["shows"].unique().tolist()[:2] == ["as chosen", "refitted"]
    for path, (name, mine) in zip(records, rows.groupby("variant", sort=False), strict=True):
        judged = ["claims", "--part", "tabular", "--config", *map(str, files), "--records", path]
        assert cli.main([*judged, "--output", str(tmp_path / f"{name}.md")]) == 0
        expected = parquet.read(tmp_path / f"{name}.parquet", CLAIMS)
        pd.testing.assert_frame_equal(mine[CLAIMS.names].reset_index(drop=True), expected)
        assert (expected["runs"] == 3).any() and set(expected["verdict"]) & {"holds", "undecided", "does not hold"}
    assert cli.main([*command, "--inputs", *records[:-1]]) == 1
    assert "4 files for 4 variants" in capsys.readouterr().err


def test_an_unfinished_half_is_told(finished, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    files = list(map(str, finished[2]))
    assert cli.main(["sensitivity", "--config", *files, "--variant", "refit", "--processes", "1"]) == 1
    assert "does not exist: run the workflow" in capsys.readouterr().err
