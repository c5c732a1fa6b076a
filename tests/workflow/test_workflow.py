"""The workflow itself: what it plans, how fast, what it makes, and what it says when something is wrong."""

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from scipy.io import savemat

SNAKEMAKE = Path(sys.executable).with_name("snakemake")
BYTES = ("trials.parquet", "best.json", "history.parquet", "predictions.parquet", "tabular.parquet", "claims.parquet")


def snakemake(*arguments, timeout=600, **environment):
    """Run Snakemake from the root of the clone, without a mirror unless one is given."""
    own = {k: v for k, v in os.environ.items() if k != "LEARNER_COLLUSION_MIRROR"} | environment
    command = ["timeout", "-k", "5", str(timeout), str(SNAKEMAKE), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=own)


def planned(output: str) -> dict[str, int]:
    """Jobs by rule, from the table of a dry run."""
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", output, re.M)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The ci preset, made once on two cores."""
    folder = tmp_path_factory.mktemp("ci")
    result = snakemake("--profile", "workflow/profiles/ci", "--directory", folder)
    assert result.returncode == 0, result.stderr[-3000:]
    return folder


def test_the_whole_paper_is_planned_in_seconds_without_torch(tmp_path):
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = snakemake("-n", "--cores", "2", "--directory", tmp_path)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert result.returncode == 0, result.stderr[-2000:]
    jobs = planned(result.stdout)
    assert (jobs["tune_run"], jobs["train_run"], jobs["fetch"], jobs["prepare"]) == (40, 40, 4, 4)
    assert sum(name.startswith("figure_") for name in jobs) == 7 and jobs["image_figure"] == 11
    # processor time, the best of three: waiting for busy cores or a scheduler that does not answer is not planning
    assert min(seconds) < 5
    # a torch that cannot be imported
    (tmp_path / "torch.py").write_text("raise ImportError('the plan imports torch')")
    blocked = snakemake("-n", "--cores", "2", "--directory", tmp_path, PYTHONPATH=str(tmp_path))
    assert blocked.returncode == 0, blocked.stderr[-2000:]


@pytest.mark.parametrize(
    ("figures", "cells"),
    [
        (["fig6_practical", "fig17_ensemble_loss"], 144),
        (["fig5_generalization_gap"], 24),
        (["fig5_generalization_gap", "fig10_loss_curves", "fig11_train_decomposition", "fig12_test_decomposition"], 24),
        (["fig13_larger_ensembles"], 36),
        (["fig14_score_averaging"], 72),
        (["fig15_cnn"], 36),
        (["fig16_vgg_svhn"], 18),
        (["fig18_learner_dropout"], 20),
        # of Figure 18, the 5 runs without dropout are of Figure 6
        (["fig6_practical", "fig18_learner_dropout"], 159),
    ],
)
def test_cells_of_the_image_figures(tmp_path, figures, cells):
    targets = [f"results/figures/{name}.pdf" for name in figures]
    result = snakemake("-n", "--cores", "2", "--directory", tmp_path, *targets)
    assert planned(result.stdout)["train_cell"] == cells, result.stderr[-2000:]


def test_all_cells_are_trained_once(tmp_path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = snakemake("-n", "--cores", "2", "--directory", tmp_path, "results/claims/images.md", "figures", "tables")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert planned(result.stdout)["train_cell"] == 345  # 350 less the 5 that Figures 6 and 18 share
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < 10


def test_where_cells_run_retrains_nothing(tmp_path):
    """A GPU in place of the CPU is no other experiment; bf16 is."""
    commands = {}
    for name, text in {"cpu": "cpu", "gpu": "cuda, threads: 4, compile: true", "bf16": "cuda, precision: bf16"}.items():
        (tmp_path / "here.yaml").write_text(f"images: {{hardware: {{device: {text}}}}}")
        cell = "results/images/sgd/cifar10/resnet18/m5-probability/drop0/beta1/run0/history.parquet"
        result = snakemake("-n", "-p", "--cores", "8", "--resources", "gpu=2", "--directory", tmp_path, cell,
                           "--configfile", tmp_path / "here.yaml")  # fmt: skip
        commands[name] = re.search(r"--settings '([^']*)'", result.stdout[result.stdout.index("train-cell") :])[1]
        assert f"gpu={0 if name == 'cpu' else 1}" in result.stdout
    assert commands["cpu"] == commands["gpu"] != commands["bf16"]


@pytest.mark.parametrize("profile", ["slurm", "workflow/profiles/laptop", "workflow/profiles/demo"])
def test_every_profile_plans(profile, tmp_path):
    result = snakemake("-n", "--profile", profile, "--directory", tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    jobs = planned(result.stdout)
    assert jobs["tune_run"] == (10 if "demo" in profile else 40)
    assert jobs.get("train_cell", 0) == {"slurm": 345, "workflow/profiles/laptop": 84}.get(profile, 0)
    assert "workflow specific profile" in result.stderr  # workflow/profiles/default


def test_stage_targets(tmp_path):
    for target, rule in [("data", "prepare"), ("tune", "tune_run"), ("sweep", "aggregate"), ("figures", "figure_2_diversity"),
                         ("tables", "table_2_losses"), ("claims", "claims_theory")]:  # fmt: skip
        result = snakemake("-n", "--cores", "1", "--directory", tmp_path, target)
        assert rule in planned(result.stdout), target


def test_ci_makes_everything(made):
    for name in ("fig1_collusion", "fig2_diversity", "fig3_debiased", "fig4_codependence", "fig7_summary", "fig8_gat_gamma",
                 "fig9_gat_alpha", "fig5_generalization_gap", "fig6_practical", "fig10_loss_curves",
                 "fig11_train_decomposition", "fig12_test_decomposition", "fig13_larger_ensembles",
                 "fig14_score_averaging", "fig15_cnn", "fig16_vgg_svhn", "fig17_ensemble_loss",
                 "fig18_learner_dropout"):  # fmt: skip
        for suffix in (".pdf", ".png", ".csv"):
            assert (made / "results/figures" / f"{name}{suffix}").stat().st_size > 0
    claims = (made / "results/claims.md").read_text()
    assert "Fidelity 'ci', not the paper's" in claims
    assert all(f"| {name} |" in claims for name in ("C15", "C5b", "C6", "C7", "C8", "C9", "C10", "C12", "C13", "C14"))
    table = (made / "results/tables/table3_cnn.md").read_text()
    assert "Conv2d" in table and "docs/" not in table
    assert "fidelity: ci" in (made / "results/config.yaml").read_text()


def test_a_second_call_does_nothing(made):
    result = snakemake("--profile", "workflow/profiles/ci", "--directory", made)
    assert result.returncode == 0 and "Nothing to be done" in result.stdout + result.stderr


def test_another_mirror_makes_nothing_stale(made, tmp_path):
    result = snakemake("--profile", "workflow/profiles/ci", "--directory", made, LEARNER_COLLUSION_MIRROR=str(tmp_path))
    assert "Nothing to be done" in result.stdout + result.stderr


def test_a_title_redraws_and_does_not_retrain(made, tmp_path):
    (tmp_path / "title.yaml").write_text("tables: {diabetes: {title: Sugar}}")
    presets = ("workflow/presets/ci.yaml", tmp_path / "title.yaml")
    result = snakemake("-n", "--cores", "1", "--directory", made, "--configfile", *presets, "--", "figures")
    jobs = planned(result.stdout)
    assert jobs["figure_2_diversity"] == 1 and "tune_run" not in jobs and "train_run" not in jobs


def test_one_core_gives_the_same_bytes(made, tmp_path):
    targets = ("results/claims/tabular.md", "results/records/images/cnn.parquet")
    result = snakemake("--profile", "workflow/profiles/ci", "--cores", "1", "--directory", tmp_path, *targets)
    assert result.returncode == 0, result.stderr[-3000:]
    paths = [p.relative_to(made) for p in made.rglob("*") if p.name in BYTES and p.is_file()]
    common = [path for path in paths if (tmp_path / path).exists()]
    assert len(common) >= 15
    for path in common:
        assert (made / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_the_report(made):
    result = snakemake("--profile", "workflow/profiles/ci", "--directory", made, "--report", made / "report.zip")
    assert result.returncode == 0, result.stderr[-3000:]
    assert (made / "report.zip").stat().st_size > 100_000


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("tabular: {bettas: [0, 1]}", "unknown key 'tabular.bettas': did you mean 'betas'"),
        ("tabular: {betas: [0, 1, 1.2]}", "beta must lie in [0, 1]"),
        ("tabular: {datasets: [wine]}", "'wine', which is not declared"),
        ("images: {experiments: {practical: {datasets: [mnist]}}}", "practical.datasets names 'mnist': choose from"),
        ("images: {experiments: {cnn: {betas: [0, 1.2]}}}", "beta must lie in [0, 1]"),
        ("images: {protocols: {sgd: {epoch: 3}}}", "unknown key 'images.protocols.sgd.epoch': did you mean 'epochs'"),
    ],
)
def test_a_wrong_configuration_ends_in_one_sentence(tmp_path, text, words):
    (tmp_path / "wrong.yaml").write_text(text)
    result = snakemake("-n", "--cores", "1", "--directory", tmp_path, "--configfile", tmp_path / "wrong.yaml")
    output = result.stdout + result.stderr
    assert result.returncode != 0 and words in output and "Traceback" not in output
    assert not (tmp_path / "results").exists()


def test_a_missing_file_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "here.yaml").write_text(
        "datasets: {retries: 0, timeout: 1}\n"
        "tables: {abalone: {url: 'http://127.0.0.1:9/abalone.zip'}}\ntabular: {datasets: [abalone]}\n"
    )
    result = snakemake("--cores", "1", "--directory", tmp_path, "--configfile", tmp_path / "here.yaml", "--", "data",
                       LEARNER_COLLUSION_MIRROR=str(tmp_path / "mirror"))  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode != 0 and "holds no abalone.data" in output and "Traceback" not in output
    assert not (tmp_path / "results/datasets").exists() or not list((tmp_path / "results/datasets").rglob("*.*"))


def test_the_four_tables_from_the_mirror(mirror, tmp_path):
    """The path of the full run, at the size of the ci preset."""
    (tmp_path / "four.yaml").write_text(
        "tabular: {datasets: [bioconcentration, weather, facebook, abalone], runs: 1, training: {max_epochs: 3},"
        " tuning: {iterations: 2, initial: 1}}\ndatasets: {retries: 0, timeout: 1}\n"
    )
    targets = [f"results/figures/{name}.pdf" for name in ("fig2_diversity", "fig3_debiased", "fig4_codependence")]
    presets = ("workflow/presets/ci.yaml", tmp_path / "four.yaml")
    result = snakemake("--cores", "2", "--directory", tmp_path, "--configfile", *presets, "--", *targets,
                       "results/claims/tabular.md", LEARNER_COLLUSION_MIRROR=os.path.relpath(mirror, ROOT))  # fmt: skip
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    text = (tmp_path / "results/claims/tabular.md").read_text()
    assert all(title in text for title in ("Bioconcentration", "Weather", "Facebook", "Abalone"))


def test_svhn_files_in_the_official_layout(tmp_path):
    """Figure 16 from two .mat files, as the archive serves them, at the size of the ci preset."""
    random = np.random.default_rng(0)
    (tmp_path / "mirror").mkdir()
    md5 = {}
    for part, count in (("train", 300), ("test", 150)):
        x, y = random.integers(0, 256, (32, 32, 3, count), dtype=np.uint8), random.integers(1, 11, (count, 1))
        savemat(tmp_path / f"mirror/{part}_32x32.mat", {"X": x, "y": y})
        md5[part] = hashlib.md5((tmp_path / f"mirror/{part}_32x32.mat").read_bytes()).hexdigest()
    (tmp_path / "svhn.yaml").write_text(
        f"images: {{make: [vgg], datasets: {{svhn: {{train: 300, test: 150, md5: {json.dumps(md5)}}}}}, "
        "experiments: {vgg: {datasets: [svhn]}}}\nparts: [images]\ndatasets: {retries: 0, timeout: 1}\n"
    )
    presets = ("workflow/presets/ci.yaml", tmp_path / "svhn.yaml")
    targets = ("results/figures/fig16_vgg_svhn.pdf", "results/claims/images.md")
    result = snakemake("--cores", "2", "--directory", tmp_path, "--configfile", *presets, "--", *targets,
                       LEARNER_COLLUSION_MIRROR=str(tmp_path / "mirror"))  # fmt: skip
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    assert "SVHN, VGG, M = 5" in (tmp_path / "results/claims/images.md").read_text()


def test_an_image_data_set_that_cannot_be_had(tmp_path):
    """By default one sentence and no partial output; with `leave_out` its panels say so."""
    (tmp_path / "away.yaml").write_text(
        "images: {make: [vgg], experiments: {vgg: {datasets: [svhn]}}}\nparts: [images]\n"
        "datasets: {retries: 0, timeout: 1}\n"
    )
    (tmp_path / "leave.yaml").write_text("images: {missing: leave_out}")
    base = ["--cores", "2", "--directory", tmp_path, "--configfile", "workflow/presets/ci.yaml", tmp_path / "away.yaml"]
    own = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"}  # no network, wherever this runs
    result = snakemake(*base, **own)
    output = result.stdout + result.stderr
    assert result.returncode != 0 and "svhn cannot be had: " in output and "LEARNER_COLLUSION_MIRROR" in output
    assert "Traceback" not in output and not list((tmp_path / "results").rglob("*.npz"))
    targets = ("results/figures/fig16_vgg_svhn.pdf", "results/claims/images.md")
    result = snakemake(*base, tmp_path / "leave.yaml", "--", *targets, **own)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    claims = (tmp_path / "results/claims/images.md").read_text()
    assert "left out: the data could not be had" in claims
    assert (tmp_path / "results/figures/fig16_vgg_svhn.pdf").exists()


def test_on_a_real_slurm(slurm):
    """The ci preset on the cluster's node, through the profile's literal path."""
    folder = ROOT / "runs" / "slurm-test"  # the nodes share the clone's file system, not /tmp
    cell = "results/images/cnn/digits/cnn/m5-probability/drop0/beta1/run0/history.parquet"
    shutil.rmtree(folder, ignore_errors=True)
    result = snakemake("--profile", "slurm", "--directory", folder, "--configfile", "workflow/presets/ci.yaml",
                       "--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "20",
                       "--", "results/figures/fig2_diversity.pdf", cell, timeout=400)  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-3000:]
    assert (folder / "results/figures/fig2_diversity.pdf").stat().st_size > 0 and (folder / cell).stat().st_size > 0
    assert "has been submitted with SLURM jobid" in output
    shutil.rmtree(folder)
