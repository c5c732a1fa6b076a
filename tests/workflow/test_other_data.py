"""The workflow with other data: the four tables, SVHN's files, and data that are not available."""

import hashlib
import json
import os

import numpy as np
from scipy.io import savemat
from workflows import NO_NETWORK, ROOT, snakemake


def test_a_missing_file_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "here.yaml").write_text(
        "datasets: {retries: 0, timeout: 1}\nparts: [tabular]\n"
        "tables: {abalone: {url: 'http://127.0.0.1:9/abalone.zip'}}\ntabular: {datasets: [abalone]}\n"
    )
    result = snakemake("--cores", "1", "--directory", tmp_path, "--configfile", tmp_path / "here.yaml", "--", "data",
                       LEARNER_COLLUSION_MIRROR=str(tmp_path / "mirror"))  # fmt: skip
    output = result.stdout + result.stderr
    assert result.returncode != 0 and "does not contain abalone.data" in output and "Traceback" not in output
    assert not [p for p in (tmp_path / "results/datasets").rglob("*") if p.is_file()]


def test_the_four_tables_from_the_mirror(mirror, tmp_path):
    """The path of the full run, at the size of the ci preset."""
    (tmp_path / "four.yaml").write_text(
        "tabular: {datasets: [bioconcentration, weather, facebook, abalone], runs: 1, training: {max_epochs: 3},"
        " tuning: {trials: 2, initial_points: 1}}\ndatasets: {retries: 0, timeout: 1}\n"
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
        f"images: {{enabled: [vgg], datasets: {{svhn: {{train: 300, test: 150, md5: {json.dumps(md5)}}}}}, "
        "experiments: {vgg: {datasets: [svhn]}}}\nparts: [images]\ndatasets: {retries: 0, timeout: 1}\n"
    )
    presets = ("workflow/presets/ci.yaml", tmp_path / "svhn.yaml")
    targets = ("results/figures/fig16_vgg_svhn.pdf", "results/claims/images.md")
    result = snakemake("--cores", "2", "--directory", tmp_path, "--configfile", *presets, "--", *targets,
                       LEARNER_COLLUSION_MIRROR=str(tmp_path / "mirror"), **NO_NETWORK)  # fmt: skip
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    assert "svhn" in (tmp_path / "results/figures/fig16_vgg_svhn.csv").read_text()


def test_data_that_are_not_available_fail_or_are_left_out(tmp_path):
    (tmp_path / "away.yaml").write_text(
        "parts: [images]\nimages: {enabled: [vgg], experiments: {vgg: {datasets: [svhn]}}}\ndatasets: {retries: 0, timeout: 1}\n"
    )
    (tmp_path / "leave.yaml").write_text("images: {missing: leave_out}")
    base = ["--cores", "2", "--directory", tmp_path, "--configfile", "workflow/presets/ci.yaml", tmp_path / "away.yaml"]
    result = snakemake(*base, **NO_NETWORK)
    output = result.stdout + result.stderr
    assert result.returncode != 0 and "svhn is not available: " in output and "LEARNER_COLLUSION_MIRROR" in output
    assert "Traceback" not in output and not list((tmp_path / "results").rglob("*.npz"))
    targets = ("results/figures/fig16_vgg_svhn.pdf", "results/claims/images.md")
    result = snakemake(*base, tmp_path / "leave.yaml", "--", *targets, **NO_NETWORK)
    assert result.returncode == 0, (result.stdout + result.stderr)[-3000:]
    assert "left out" in (tmp_path / "results/claims/images.md").read_text()
    assert (tmp_path / "results/figures/fig16_vgg_svhn.pdf").exists()
