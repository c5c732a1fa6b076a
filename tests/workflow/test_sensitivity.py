"""The sensitivity analysis as part of the workflow: two variants on the diabetes table at the size of the ci preset."""

import pandas as pd
from workflows import planned, snakemake

from learner_collusion.records import parquet

OWN = """
parts: [tabular, sensitivity]
sensitivity:
  joint: 0
  variants:
    - {name: refit, shows: refitted, change: {tabular: {training: {refit_on_train_and_validation: true}}}}
    - {name: per, shows: per ensemble, change: {tabular: {codependence: {per: ensemble}}}}
    - {name: elsewhere, shows: another table, change: {tables: {abalone: {log_target: true}}}}
"""


def test_two_variants_from_the_table_to_the_figure(tmp_path):
    (tmp_path / "own.yaml").write_text(OWN)
    call = (
        "--cores",
        "2",
        "--directory",
        tmp_path,
        "--configfile",
        "workflow/presets/ci.yaml",
        tmp_path / "own.yaml",
        "--",
    )
    targets = ("results/tables/sensitivity.md", "results/figures/sensitivity.pdf")
    result = snakemake(*call, *targets)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    rows = parquet.read(tmp_path / "results/records/sensitivity.parquet")
    assert rows["variant"].unique().tolist() == ["chosen", "refit", "per"]
    assert "| refit | refitted |" in (tmp_path / "results/tables/sensitivity.md").read_text()
    assert len(pd.read_csv(tmp_path / "results/figures/sensitivity.csv")) == 3 * 6
    # another variant is made alone; all that is there stays
    (tmp_path / "own.yaml").write_text(
        OWN + "    - {name: more, shows: jointly, change: {tabular: {tuning: {beta: 1}}}}\n"
    )
    jobs = planned(snakemake("-n", *call, *targets))
    assert jobs["sensitivity"] == jobs["aggregate"] == jobs["table"] == jobs["figure"] == 1
    assert not {"tune_dataset", "train_tabular", "claims_part"} & set(jobs)


def test_the_preset_plans_every_variant_and_the_paper_plans_none(tmp_path):
    result = snakemake(
        "-n", "--cores", "2", "--directory", tmp_path, "--configfile", "workflow/presets/sensitivity.yaml"
    )
    assert result.returncode == 0, result.stderr[-2000:]
    jobs = planned(result)
    assert jobs["sensitivity"] == 25 and (jobs["tune_dataset"], jobs["table"], jobs["figure"]) == (4, 1, 4)
    assert "sensitivity" not in planned(snakemake("-n", "--cores", "2", "--directory", tmp_path))


def test_a_wrong_variant_ends_in_one_sentence(tmp_path):
    wrong = "sensitivity: {variants: [{name: a, shows: b, change: {tabular: {tuning: {bta: 1}}}}]}\n"
    (tmp_path / "wrong.yaml").write_text(f"parts: [sensitivity]\n{wrong}")
    result = snakemake("-n", "--cores", "1", "--directory", tmp_path, "--configfile", tmp_path / "wrong.yaml")
    output = result.stdout + result.stderr
    assert result.returncode != 0 and "In the variant 'a' of sensitivity.variants: " in output
    assert "unknown key 'tabular.tuning.bta': did you mean 'beta'" in output and "Traceback" not in output
