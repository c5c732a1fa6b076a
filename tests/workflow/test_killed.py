"""The same command goes on after `kill -9` of the main process and of a job, with the bytes of an undisturbed run."""

import json
import os
import signal
import subprocess
import time

import pytest
from workflows import ROOT, SNAKEMAKE, plan, snakemake, without_mirror

COMMAND = ("--profile", "workflow/profiles/ci", "--configfile", "workflow/presets/ci.yaml")
TARGET = "results/records/tabular.parquet"


@pytest.fixture(scope="module")
def preset(tmp_path_factory):
    """Enough trials that a kill hits in the midst of them."""
    path = tmp_path_factory.mktemp("preset") / "preset.yaml"
    path.write_text("tabular: {tuning: {trials: 12}}")
    return path


def test_a_killed_run_goes_on(preset, tmp_path):
    command = (*COMMAND, preset, "--directory", tmp_path / "killed", "--", TARGET)
    main = start(command)
    record, locks = tmp_path / "killed/.snakemake/main.json", tmp_path / "killed/.snakemake/locks"
    wait_for(lambda: any((tmp_path / "killed/results/tabular/diabetes/tune").glob("*.parquet")))

    main.send_signal(signal.SIGSTOP)  # so that it is still there

    refused = snakemake(*command)
    assert refused.returncode == 1 and "Traceback" not in refused.stderr
    assert f"already works in {tmp_path / 'killed'}: process {main.pid} on" in refused.stderr
    assert plan(*command).returncode == 0  # who only looks needs no lock

    main.kill()
    main.wait()
    assert any(locks.iterdir())
    again = start(command)  # a job is killed, too: Snakemake says so, and the same command goes on once more
    wait_for(lambda: record.exists() and json.loads(record.read_text())["owner"]["pid"] == again.pid)
    os.kill(wait_for(lambda: job_of(again)), signal.SIGKILL)
    output = again.communicate()[0]
    assert again.returncode == 1 and "its lock removed" in output
    last = snakemake(*command)
    assert last.returncode == 0 and "was killed" not in last.stderr, last.stderr[-3000:]
    assert not record.exists()

    calm = snakemake(*COMMAND, preset, "--directory", tmp_path / "calm", "--", TARGET)
    assert calm.returncode == 0, calm.stderr[-3000:]
    for name in (TARGET, "results/tabular/diabetes/best.parquet", "results/tabular/diabetes/predictions.parquet"):
        assert (tmp_path / "calm" / name).read_bytes() == (tmp_path / "killed" / name).read_bytes(), name


def start(command) -> subprocess.Popen:
    return subprocess.Popen(
        [SNAKEMAKE, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=ROOT,
        env=without_mirror({}),
    )


def wait_for(found, seconds=240):
    """What `found` returns as soon as that is something."""
    end = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return result


def job_of(main: subprocess.Popen) -> int | None:
    """The process of a job that this main process runs."""
    command = ["pgrep", "-P", str(main.pid), "-f", "python -m learner_collusion tune"]
    answer = subprocess.run(command, capture_output=True, text=True).stdout.split()
    return int(answer[0]) if answer else None
