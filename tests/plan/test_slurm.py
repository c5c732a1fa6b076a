"""Patience with SLURM, with stand-ins for its commands: what is waited for, and what is known of a job without SLURM."""

import io
import os
import subprocess
import time
from pathlib import Path

import pytest
from conftest import ROOT

from learner_collusion.plan import slurm

RUN = "0000-run"
SUBMISSION = ["--parsable", "--job-name", RUN, "--comment", "rule_tune"]


@pytest.fixture
def cluster(tmp_path, monkeypatch):
    """A folder to work in, and one for the commands of a pretended SLURM; `workflow/slurm` comes first, as in a run."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", f"{slurm.COMMANDS}:{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(slurm, "WAITS", (0.01,))
    monkeypatch.setattr(slurm, "LATE_SECONDS", 0.3)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(cluster: Path, name: str, text: str) -> None:
    path = cluster / "bin" / name
    path.write_text(f"#!/bin/sh\ncd {cluster}\n{text}\n")
    path.chmod(0o755)


def failing(times: int, error: str) -> str:
    """Lines of a command that fails so often with this error, and goes on."""
    return f'echo . >> tries\nif [ $(wc -l < tries) -le {times} ]; then echo "{error}" >&2; exit 1; fi'


@pytest.mark.parametrize("error", [
    "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
    "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
    "sbatch: error: Batch job submission failed: Resource temporarily unavailable",
    "sbatch: error: QOSMaxSubmitJobPerUserLimit",
])  # fmt: skip
def test_a_submission_that_is_refused_for_now_waits(cluster, capsys, error):
    command(cluster, "squeue", "exit 1")
    command(cluster, "sbatch", failing(3, error) + '\ncat > script; echo "$@" > arguments; echo 17')
    assert slurm.main("sbatch", [*SUBMISSION, "--wrap=echo done"]) == 0
    assert capsys.readouterr().out == "17\n"
    assert (cluster / "arguments").read_text() == " ".join(SUBMISSION) + "\n"
    assert (slurm.STATE / RUN / "17").exists() and len((cluster / "tries").read_text()) == 8


def test_one_that_is_refused_for_good_is_told_at_once(cluster, capsys):
    command(cluster, "sbatch", failing(9, "sbatch: error: invalid partition specified: none"))
    assert slurm.main("sbatch", [*SUBMISSION, "--wrap=true"]) == 1
    assert "invalid partition" in capsys.readouterr().err and (cluster / "tries").read_text() == ".\n"


def test_one_whose_answer_was_lost_is_not_made_twice(cluster, capsys):
    (slurm.STATE / RUN).mkdir(parents=True)
    (slurm.STATE / RUN / "4").touch()  # an earlier job of the same comment, such as the attempt before
    command(cluster, "squeue", "echo '4|rule_tune'; echo '5|rule_tune'; echo '6|rule_other'")
    command(cluster, "sbatch", failing(9, "Socket timed out on send/recv operation"))
    assert slurm.main("sbatch", [*SUBMISSION, "--wrap=true"]) == 0
    assert capsys.readouterr().out == "5\n" and (slurm.STATE / RUN / "5").exists()


@pytest.mark.parametrize(("text", "code"), [("true", "0"), ("exit 3", "3"), ("#!/bin/sh\nsh -c 'kill -9 $$'", "137")])
def test_a_job_writes_how_it_ends(cluster, monkeypatch, text, code):
    command(cluster, "sbatch", "cat > script; echo 17")
    assert slurm.main("sbatch", [*SUBMISSION, f"--wrap={text}"]) == 0
    job = subprocess.run(["sh", "script"], env=os.environ | {"SLURM_JOB_ID": "17"}, cwd=cluster)
    assert str(job.returncode) == code and (slurm.STATE / RUN / "17.status").read_text() == f"{code}\n"


def test_a_script_from_standard_input(cluster, monkeypatch):
    command(cluster, "sbatch", "cat > script; echo 17")
    monkeypatch.setattr(slurm.sys, "stdin", io.StringIO("#!/bin/sh\necho here > there"))
    assert slurm.main("sbatch", [*SUBMISSION, "/dev/stdin"]) == 0
    subprocess.run(["sh", "script"], env=os.environ | {"SLURM_JOB_ID": "17"}, cwd=cluster, check=True)
    assert (cluster / "there").read_text() == "here\n" and (slurm.STATE / RUN / "17.status").read_text() == "0\n"


def test_arrays_and_other_clusters_go_to_slurm_as_they_are(cluster):
    command(cluster, "sbatch", 'echo "$@" > arguments; echo 17')
    for more in ("--array=1-3", "--clusters"):
        assert slurm.main("sbatch", [*SUBMISSION, more, "--wrap=true"]) == 0
        assert (cluster / "arguments").read_text() == " ".join([*SUBMISSION, more, "--wrap=true"]) + "\n"
    assert not slurm.STATE.exists()


@pytest.fixture
def jobs(cluster):
    """Four jobs: 1 has written success, 2 failure, 3 and 4 nothing."""
    folder = slurm.STATE / RUN
    folder.mkdir(parents=True)
    for job, status in (("1", "0"), ("2", "143"), ("3", None), ("4", None)):
        (folder / job).touch()
        if status is not None:
            (folder / f"{job}.status").write_text(f"{status}\n")
    return cluster


@pytest.mark.parametrize("asked", ["squeue", "sacct"])
def test_while_slurm_is_silent_jobs_run_on(jobs, capsys, asked):
    command(jobs, "squeue", "exit 1")
    assert slurm.main(asked, ["--states=all", "--name", RUN]) == 0
    assert sorted(capsys.readouterr().out.split()) == ["1|COMPLETED", "2|RUNNING", "3|RUNNING", "4|RUNNING"]


def test_what_slurm_says_counts_but_for_success(jobs):
    command(jobs, "squeue", "echo '1|COMPLETING'; echo '2|PENDING'; echo '3|TIMEOUT'; echo '4|RUNNING'")
    assert slurm.states(RUN) == {"1": "COMPLETED", "2": "PENDING", "3": "TIMEOUT", "4": "RUNNING"}  # 2: queued again


def test_a_job_that_slurm_has_forgotten_has_failed(jobs):
    command(jobs, "squeue", "echo '4|RUNNING'")
    assert slurm.states(RUN) == {"1": "COMPLETED", "2": "FAILED", "3": "RUNNING", "4": "RUNNING"}
    time.sleep(0.4)  # its status might have been late
    assert slurm.states(RUN)["3"] == "FAILED"


def test_questions_of_other_runs_go_to_slurm(jobs, capsys):
    command(jobs, "squeue", failing(2, "slurm_load_jobs error: Unable to contact slurm controller") + '\necho "$@"')
    assert slurm.main("squeue", ["--name", "another"]) == 0
    assert capsys.readouterr().out == "--name another\n"


def test_jobs_of_an_earlier_run_are_cancelled(jobs):
    command(jobs, "squeue", "[ -e cancelled ] || echo 4")
    command(jobs, "scancel", 'echo "$@" > cancelled')
    assert slurm.cancel_left() == 1
    assert (jobs / "cancelled").read_text() == "4\n" and not any(slurm.STATE.iterdir())
    assert slurm.cancel_left() == 0


def test_they_are_kept_in_mind_while_slurm_is_silent(jobs):
    command(jobs, "squeue", "exit 1")
    assert slurm.cancel_left() == 0 and (slurm.STATE / RUN / "4").exists()


def test_the_commands_of_the_folder_are_these(cluster):
    command(cluster, "sinfo", failing(1, "Unable to contact slurm controller") + '\necho "$@"')
    environment = os.environ | {
        "PATH": f"{slurm.COMMANDS}:{cluster / 'bin'}:{Path(os.sys.executable).parent}:/usr/bin:/bin"
    }
    environment |= {"PYTHONPATH": str(ROOT / "src")}
    for name in ("sbatch", "squeue", "sacct", "sshare"):
        text = (slurm.COMMANDS / name).read_text()
        assert f"slurm {name} " in text and os.access(slurm.COMMANDS / name, os.X_OK)
    answer = subprocess.run(["sinfo", "-o", "%P"], env=environment, capture_output=True, text=True, cwd=cluster)
    assert (answer.returncode, answer.stdout) == (0, "-o %P\n")
