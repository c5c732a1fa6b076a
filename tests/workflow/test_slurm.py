"""The workflow on a real SLURM, through the profile's literal path."""

import shutil

from workflows import ROOT, snakemake


def test_on_a_real_slurm(slurm):
    """The ci preset on the cluster's node."""
    folder = ROOT / "runs" / "slurm-test"  # the nodes share the clone's file system, not /tmp
    cell = "results/images/cnn/digits/cnn/m5-probability/drop0/beta1/run0/history.parquet"
    shutil.rmtree(folder, ignore_errors=True)
    result = snakemake("--profile", "slurm", "--directory", folder, "--configfile", "workflow/presets/ci.yaml",
                       "--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "20",
                       "--", "results/figures/fig2_diversity.pdf", cell, timeout=900)  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode == 0, output[-3000:]
    assert (folder / "results/figures/fig2_diversity.pdf").stat().st_size > 0 and (folder / cell).stat().st_size > 0
    assert output.count("has been submitted with SLURM jobid") <= 6
    shutil.rmtree(folder)
