"""What the workflow plans, how fast, and what it says of a wrong configuration. Nothing runs here."""

import re

import pytest
import yaml
from workflows import ROOT, plan, planned, processor_seconds, snakemake

from learner_collusion.plan import guard
from learner_collusion.plan.settings import take


def test_the_whole_paper_is_planned_in_seconds_without_torch(tmp_path):
    # processor time, beside that of a workflow of one rule: both vary with what else the machine does
    (tmp_path / "Snakefile").write_text('rule all:\n    output: "x"\n    shell: "touch x"\n')
    ratios = []
    for _ in range(2):
        result, ours = processor_seconds(lambda: snakemake("-n", "--cores", "2", "--directory", tmp_path))
        _, empty = processor_seconds(lambda: snakemake("-n", "-s", tmp_path / "Snakefile", "--cores", "2"))
        ratios.append(ours / empty)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "--forcerun" not in result.stderr  # nothing is made yet, so nothing can be another run's
    jobs = planned(result)
    assert (jobs["tune_dataset"], jobs["train_tabular"], jobs["evaluate"]) == (4, 4, 4)
    assert (jobs["fetch"], jobs["prepare"]) == (7, 7) and (jobs["figure"], jobs["table"]) == (18, 4)
    assert jobs["train_images"] == 345  # 350 less the 5 that Figures 6 and 18 share
    assert (jobs["prepare_pictures"], jobs["train_imagenet"]) == (1, 16)
    assert min(ratios) < 4  # about 2
    # a torch that cannot be imported
    (tmp_path / "torch.py").write_text("raise ImportError('the plan imports torch')")
    blocked = snakemake("-n", "--cores", "2", "--directory", tmp_path, PYTHONPATH=str(tmp_path))
    assert blocked.returncode == 0, blocked.stderr[-2000:]


def test_figure_2_is_few_jobs_on_a_cluster(tmp_path):
    """Local jobs are not submitted."""
    result = plan("--profile", "slurm", "--directory", tmp_path, "results/figures/fig2_diversity.pdf")
    jobs = planned(result)
    submitted = {rule: jobs[rule] for rule in ("prepare", "tune_dataset", "train_tabular", "evaluate")}
    local = {rule: jobs[rule] for rule in ("settings", "fetch", "aggregate", "figure")}
    assert sum(submitted.values()) <= 25 and sum(submitted.values()) + sum(local.values()) == jobs["total"]


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
    result = plan("--cores", "2", "--directory", tmp_path, *targets)
    jobs = planned(result)
    assert jobs["train_images"] == cells, result.stderr[-2000:]
    assert jobs.get("train_imagenet", 0) == (2 if "fig6_practical" in figures else 0)


def test_table_1_and_figure_6_are_16_cells_with_no_imagenet_on_disk(tmp_path):
    targets = ["results/tables/table1_imagenet.md", "results/figures/fig6_practical.pdf"]
    jobs = planned(plan("--cores", "2", "--directory", tmp_path, *targets))
    assert (jobs["train_imagenet"], jobs["prepare_pictures"], jobs["train_images"]) == (16, 1, 144)
    assert (jobs["table"], jobs["figure"]) == (1, 1)


def test_imagenet_that_is_not_there_is_one_sentence_before_any_job(tmp_path):
    cell = "results/imagenet/imagenet/imagenet_resnet18/m5/beta0/run0/history.parquet"
    result = snakemake("--cores", "1", "--directory", tmp_path, cell)
    output = result.stdout + result.stderr
    assert (
        result.returncode != 0
        and "ImageNet is not available: there is no imagenet here. Set imagenet.datasets" in output
    )
    assert "most recent call" not in output and not (tmp_path / "results").exists()


def test_a_key_that_stands_twice_is_told_and_braces_are_no_wildcards(tmp_path):
    preset = tmp_path / "mine.yaml"
    run = ("--cores", "1", "--directory", tmp_path / "run", "--configfile", "workflow/presets/ci.yaml", preset, "--")
    preset.write_text("tabular: {runs: 3, runs: 2}\n")
    refused = plan(*run, "all")
    assert refused.returncode != 0 and "the key 'runs' stands on line 1 and on line 1" in refused.stdout
    preset.write_text("tables: {diabetes: {title: 'a {b} {0}'}}\n")
    assert planned(plan(*run, "results/config.yaml")) == {"configuration": 1, "total": 1}


def test_jobs_that_need_a_gpu_are_told_before_the_first_one(tmp_path):
    if guard.has_gpu():
        pytest.skip("this machine has a GPU")
    cell = "results/images/sgd/digits/resnet18/m5-probability/drop0/beta0/run0/history.parquet"
    device = ("--config", "images={hardware: {device: cuda}}")
    result = snakemake(
        "--cores", "1", "--directory", tmp_path, "--configfile", "workflow/presets/ci.yaml", *device, "--", cell
    )
    output = result.stdout + result.stderr
    assert (
        result.returncode != 0
        and "This machine has no GPU, which train_images would need: set the device to cpu" in output
    )
    assert "most recent call" not in output and not (tmp_path / "results").exists()


def test_figure_6_takes_the_side_that_the_preset_makes(tmp_path):
    preset = ("--configfile", "workflow/presets/imagenette.yaml", "--")
    jobs = planned(plan("--cores", "2", "--directory", tmp_path, *preset, "results/figures/fig6_practical.pdf"))
    assert jobs["train_imagenet"] == 2 and "train_images" not in jobs
    jobs = planned(plan("--cores", "2", "--directory", tmp_path, *preset, "all"))
    assert (jobs["train_imagenet"], jobs["figure"], jobs["table"], jobs["claims_part"]) == (16, 1, 1, 1)


@pytest.mark.parametrize(
    ("hardware", "words"),
    [
        ("{}", ["gpu=1", "--processes 1", " python -m learner_collusion train_imagenet"]),
        ("{gpus_per_job: 4}", ["gpu=4", "--processes 4", "threads: 36"]),
        (
            "{gpus_per_job: 4, nodes: 2}",
            [
                "gpu=4",
                "mpi=srun, tasks=4, nodes=2, tasks_per_gpu=1",
                "srun --nodes=2 --ntasks=4 --ntasks-per-node=2 --cpus-per-task=9 --kill-on-bad-exit=1 python",
                "threads: 9",
            ],
        ),
        ("{device: cpu, workers: 0}", ["gpu=0", "--device cpu", "--workers 0"]),
    ],
)
def test_how_many_gpus_share_a_cell_is_no_setting(tmp_path, hardware, words):
    """In the command and the resources; the settings, and so the cells, stay as they are."""
    cell = "results/imagenet/imagenet/imagenet_resnet18/m5/beta0/run0/history.parquet"
    (tmp_path / "here.yaml").write_text(f"imagenet: {{hardware: {hardware}}}")
    result = plan("-p", "--cores", "64", "--directory", tmp_path, cell, "--configfile", tmp_path / "here.yaml")
    assert all(word in result.stdout for word in words), result.stdout[-3000:]
    assert "gpus_per_job" not in result.stdout and "workers: " not in result.stdout


def test_published_points_are_in_the_command_of_verify_alone(tmp_path):
    """A relative path from the clone, wherever the results go; the label of the figures stays that of the paper."""
    target = "results/tabular/abalone/best.parquet"
    base = ("-n", "-p", "--cores", "2", "--directory", tmp_path, "--configfile")
    for preset, told in (("verify", True), ("tabular", False)):
        result = snakemake(*base, f"workflow/presets/{preset}.yaml", "--", target)
        assert result.returncode == 0, result.stderr[-2000:]
        assert (f"--published {ROOT / 'docs/gallery/tabular.parquet'} " in result.stdout) is told
        assert ("--published" in result.stdout) is told
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    verify = config | {"tabular": config["tabular"] | {"published": "docs/gallery/tabular.parquet"}}
    for stage, part in (("tune", ""), ("train_tabular", ""), ("claims", "tabular"), ("figure", "fig2_diversity")):
        assert take(verify, config, stage, part) == take(config, config, stage, part)


def test_hardware_is_in_the_command_and_precision_in_the_settings(tmp_path):
    """A GPU in place of the CPU is no other experiment; bf16 is."""
    cell = "results/images/sgd/cifar10/resnet18/m5-probability/drop0/beta1/run0/history.parquet"
    written = {}
    for name, text in {"cpu": "cpu", "gpu": "cuda, threads: 4, compile: true", "bf16": "cuda, precision: bf16"}.items():
        (tmp_path / "here.yaml").write_text(f"images: {{hardware: {{device: {text}}}}}")
        result = plan("-p", "--cores", "8", "--resources", "gpu=2", "--directory", tmp_path, cell,
                           "--configfile", tmp_path / "here.yaml")  # fmt: skip
        assert f"gpu={0 if name == 'cpu' else 1}" in result.stdout
        command = result.stdout[result.stdout.index("learner_collusion train_images") :]
        assert f"--device {'cpu' if name == 'cpu' else 'cuda'}" in command
        assert ("--compile" in command) == (name == "gpu") and "--threads" in command
        written[name] = re.search(r"printf %s '(seed:.*?)' >", result.stdout, re.S)[1]
    assert written["cpu"] == written["gpu"] != written["bf16"]


@pytest.mark.parametrize("profile", ["slurm", "workflow/profiles/laptop", "workflow/profiles/demo"])
def test_every_profile_plans(profile, tmp_path):
    result = plan("--profile", profile, "--directory", tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]
    jobs = planned(result)
    assert jobs["tune_dataset"] == (1 if "demo" in profile else 4)
    assert jobs.get("train_images", 0) == {"slurm": 345, "workflow/profiles/laptop": 108}.get(profile, 0)
    assert "workflow specific profile" in result.stderr  # workflow/profiles/default


@pytest.mark.parametrize(
    ("target", "rule"),
    [("data", "prepare"), ("tune", "tune_dataset"), ("sweep", "aggregate"), ("figures", "figure"), ("tables", "table"),
     ("claims", "claims_part"), ("images", "train_images")],
)  # fmt: skip
def test_targets_by_name(tmp_path, target, rule):
    assert rule in planned(plan("--cores", "1", "--directory", tmp_path, target))


def test_data_fetches_every_data_set(tmp_path):
    jobs = planned(plan("--cores", "1", "--directory", tmp_path, "data"))
    assert jobs["fetch"] == jobs["prepare"] == 7 and jobs["prepare_pictures"] == 1


def test_every_rule_explains_itself(tmp_path):
    lines = snakemake("--list", "--directory", tmp_path).stdout.splitlines()
    found = [re.fullmatch(r"(\w+) \((.*)\)", line) for line in lines if line.strip()]
    assert found and all(match and match[2].endswith(".") for match in found), lines
    stages = {"fetch", "prepare", "tune_dataset", "train_tabular", "evaluate", "train_images", "aggregate", "figure"}
    assert stages <= {match[1] for match in found}


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
    result = plan("--cores", "1", "--directory", tmp_path, "--configfile", tmp_path / "wrong.yaml")
    output = result.stdout + result.stderr
    assert result.returncode != 0 and words in output and "Traceback" not in output
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("target", "right"),
    [("results/datasets/abalone.npz", "abalone.parquet"), ("results/datasets/digits.parquet", "digits.npz")],
)
def test_a_data_set_of_the_other_kind_is_told(tmp_path, target, right):
    result = plan("--cores", "1", "--directory", tmp_path, target)
    output = result.stdout + result.stderr
    assert result.returncode != 0 and f"is prepared as results/datasets/{right}: ask for that file." in output
    assert "most recent call" not in output


def test_a_model_beside_the_workflow_is_found(tmp_path):
    """Where Snakemake was started, not where it writes."""
    cell = "results/images/cnn/cifar10/{}/m5-probability/drop0/beta1/run0/history.parquet"
    start = tmp_path / "start"
    start.mkdir()
    (start / "my_nets.py").write_text("raise ImportError('read, not imported')\n")
    where = ("-n", "-s", ROOT / "Snakefile", "--cores", "1", "--directory", tmp_path / "out")
    result = snakemake(*where, cell.format("my_nets.Net"), clone=start)
    assert result.returncode == 0, (result.stdout + result.stderr)[-2000:]
    result = snakemake(*where, cell.format("no_such_nets.Net"), clone=start)
    assert result.returncode != 0 and "there is no module 'no_such_nets'" in result.stdout + result.stderr
