"""The workflow on a real SLURM, through the profile's literal path: the bytes of a local run, undisturbed and through faults."""

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from workflows import ROOT, SNAKEMAKE, snakemake, without_mirror

FOLDER = ROOT / "runs/slurm-test"  # the nodes share the clone's file system, not /tmp
FIGURES = [f"results/figures/{name}.pdf" for name in ("fig2_diversity", "fig3_debiased", "fig4_codependence")]
CELLS = {beta: f"results/images/cnn/digits/cnn/m5-probability/drop0/beta{beta}/run0/history.parquet" for beta in "01"}
TARGETS = [*FIGURES, *CELLS.values()]
# Cells that take long enough to be hit; only one that SIGTERM ends writes a checkpoint.
SLOW = "images: {protocols: {cnn: {epochs: 120, patience: null}}, hardware: {checkpoint_minutes: 60}}"
COMMON = ("--configfile", "workflow/presets/ci.yaml", FOLDER / "slow.yaml")
PROFILE = ("--profile", "slurm", "--slurm-init-seconds-before-status-checks", "5", "--latency-wait", "20")


@pytest.fixture(scope="module")
def local(slurm, request):
    """Without SLURM, on two cores. The folders stay where a test fails."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    (FOLDER / "slow.yaml").write_text(SLOW)
    result = snakemake("--cores", "2", *COMMON, "--directory", FOLDER / "local", "--", *TARGETS)
    assert result.returncode == 0, result.stderr[-3000:]
    yield FOLDER / "local"
    if not request.session.testsfailed:
        shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="module")
def undisturbed(local):
    """On SLURM, asked by `sacct`, which needs no accounting data base here. One of the cells asks for the GPU, which may be a
    pretended one: it is told which, and trains on the CPU."""
    folder = FOLDER / "undisturbed"
    gpu = ("--set-resources", "train_images:gpu=1", "train_images:slurm_extra='--signal=TERM@60'")
    sacct = ("--slurm-status-command", "sacct")
    main = start(folder, *FIGURES, CELLS["0"], more=(*sacct, *gpu) if has_gpu() else sacct)
    if has_gpu():
        environment = Path(f"/proc/{wait_for(lambda: trained_by(folder, '0'), main)}/environ").read_text()
        assert "CUDA_VISIBLE_DEVICES=0" in environment.split("\0")
    output = main.communicate()[0]
    assert main.returncode == 0, output[-3000:]
    assert output.count("has been submitted with SLURM jobid") <= 6
    return folder


def test_the_bytes_of_a_local_run(local, undisturbed):
    names = [
        *(f"results/tabular/diabetes/{name}.parquet" for name in ("trials", "best", "history", "predictions")),
        *(figure.replace(".pdf", ".csv") for figure in FIGURES),
        "results/records/tabular.parquet",
        CELLS["0"],
    ]
    assert all((undisturbed / figure).stat().st_size > 0 for figure in FIGURES)
    for name in names:
        assert (local / name).read_bytes() == (undisturbed / name).read_bytes(), name


@pytest.mark.heavy  # it has to catch jobs at work, which a busy or a fast machine may not let it
def test_through_faults_to_the_same_bytes(local, undisturbed):
    """Two cells at once; on one a `scancel`, then its time limit, on the other what the kernel does when memory runs out; then
    a scheduler that goes down and comes back, and `kill -9` of the main process."""
    folder = FOLDER / "faults"
    shutil.copytree(undisturbed, folder)
    shutil.rmtree(folder / CELLS["0"].split("/drop0")[0])
    main = start(folder, *CELLS.values())

    first = wait_for(lambda: training(folder, "0"), main)
    subprocess.run(["scancel", first], check=True)
    os.kill(wait_for(lambda: training(folder, "1") and trained_by(folder, "1"), main), signal.SIGKILL)

    second = wait_for(lambda: training(folder, "0", after=first), main)
    assert epoch(folder, "0", "first") > 1, "it began anew, though SIGTERM gave it time for a checkpoint"
    subprocess.run(["scontrol", "update", f"JobId={second}", "EndTime=now"], check=True)  # its time limit is now
    wait_for(lambda: training(folder, "1", after="0"), main)
    if may_stop_the_scheduler():
        subprocess.run(["scontrol", "shutdown", "slurmctld"], check=True)
        time.sleep(25)  # a question for the state and a submission fall into it
        assert main.poll() is None
        subprocess.run(["slurmctld"], check=True)
        wait_for(answers, main)
    third = wait_for(lambda: training(folder, "0", after=second), main)
    assert "DUE TO TIME LIMIT" in "".join(p.read_text() for p in (folder / "results/logs/slurm").rglob(f"{second}.log"))

    main.kill()
    output = main.communicate()[0]
    again = start(folder, *CELLS.values())
    more = again.communicate()[0]
    assert again.returncode == 0, output[-3000:] + more[-3000:]
    assert "was killed" in more and "of its jobs cancelled" in more
    assert third not in jobs(folder).values()
    for beta, cell in CELLS.items():
        assert (local / cell).read_bytes() == (folder / cell).read_bytes(), beta


def start(folder: Path, *targets: str, more=()) -> subprocess.Popen:
    command = ["timeout", "-k", "5", "3000", SNAKEMAKE, *PROFILE, *COMMON, *more, "--directory", folder, "--", *targets]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=without_mirror({})
    )


def wait_for(found, main: subprocess.Popen, seconds=900):
    """What `found` returns as soon as that is something; fails with the output of the main process where that ends."""
    end = time.monotonic() + seconds
    while not (result := found()):
        if time.monotonic() > end:
            main.kill()
        assert main.poll() is None, main.communicate()[0][-4000:]
        time.sleep(0.2)
    return result


def jobs(folder: Path) -> dict[str, str]:
    """The running job of each cell, by its beta."""
    answer = subprocess.run(["squeue", "-h", "-t", "R", "-o", "%i|%Z|%k"], capture_output=True, text=True).stdout
    found = re.findall(r"^(\d+)\|(.*)\|rule_train_images_wildcards_\w+_0_(\d)_0$", answer, re.M)
    return {beta: job for job, place, beta in found if Path(place) == folder}


def training(folder: Path, beta: str, after: str | None = None) -> str | None:
    """The job that trains a cell, once it has finished some epochs; not the job `after`."""
    job = jobs(folder).get(beta)
    if job is None or job == after or not trained_by(folder, beta):
        return None
    return job if epoch(folder, beta, "last") > epoch(folder, beta, "first") + 2 else None


def epoch(folder: Path, beta: str, which: str) -> int:
    """The first or last epoch in the log of a cell, or 0."""
    log = folder / f"results/logs/train_images/cnn/digits/cnn/m5-probability/drop0/beta{beta}/run0.log"
    found = re.findall(r"^epoch (\d+) of", log.read_text() if log.exists() else "", re.M)
    return int(found[0 if which == "first" else -1]) if found else 0


def trained_by(folder: Path, beta: str) -> int | None:
    """The process that trains a cell."""
    answer = subprocess.run(["pgrep", "-f", f"learner_collusion train_images .*--beta {beta} "], capture_output=True)
    for process in map(int, answer.stdout.split()):
        try:
            if Path(os.readlink(f"/proc/{process}/cwd")) == folder and "python" in os.readlink(f"/proc/{process}/exe"):
                return process
        except OSError:
            continue
    return None


def has_gpu() -> bool:
    return "gpu" in subprocess.run(["sinfo", "-h", "-o", "%G"], capture_output=True, text=True).stdout


def answers() -> bool:
    return subprocess.run(["timeout", "10", "squeue"], capture_output=True).returncode == 0


def may_stop_the_scheduler() -> bool:
    """On this machine's own test cluster only."""
    config = subprocess.run(["scontrol", "show", "config"], capture_output=True, text=True).stdout
    local = re.search(r"^SlurmctldHost\S*\s*=\s*(\w+)", config, re.M)
    mine = local is not None and local[1] == os.uname().nodename.split(".")[0] and os.geteuid() == 0
    return mine and re.search(r"^ClusterName\s*=\s*test$", config, re.M) is not None
