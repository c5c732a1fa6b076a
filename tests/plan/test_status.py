"""`status`: what it says of a real run in another process, of one that was killed, of runs elsewhere, and of none."""

import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest
from conftest import ROOT
from workflows import SNAKEMAKE, snakemake, without_mirror

from learner_collusion import cli
from learner_collusion.errors import UserError
from learner_collusion.plan import owner, status

CELL = "results/images/cnn/digits/cnn/m2-probability/drop0/beta1/run0/history.parquet"
CI = ("--profile", "workflow/profiles/ci", "--configfile", "workflow/presets/ci.yaml")


def text_of(folder) -> str:
    command = [sys.executable, "-m", "learner_collusion", "status", str(folder)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    return result.stdout + result.stderr


@pytest.mark.slow
def test_a_real_run_from_another_process(tmp_path):
    (tmp_path / "long.yaml").write_text("images: {protocols: {cnn: {epochs: 5000, patience: null}}}\n")
    folder = tmp_path / "study"
    main = subprocess.Popen(
        [SNAKEMAKE, *CI, tmp_path / "long.yaml", "--directory", folder, "--", CELL], start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT, env=without_mirror({}),
    )  # fmt: skip
    try:
        said, end = "", time.monotonic() + 240
        while "of 5000" not in said and time.monotonic() < end:
            time.sleep(0.5)
            assert main.poll() is None
            if (folder / ".snakemake/log").exists():
                said = status.describe(folder)[0]
        assert f"{folder}: runs since " in said and f"(process {main.pid} on " in said, said
        assert " jobs done, 1 running" in said and "train images (protocol=cnn, dataset=digits, " in said
        assert re.search(r" (s|min), epoch ", said) and "Failed" not in said
        other = text_of(folder / "results")  # the folder of the results will do
        assert f"(process {main.pid} on " in other and "Traceback" not in other
    finally:
        os.killpg(main.pid, signal.SIGKILL)
        main.wait()
    said, _ = status.describe(folder)
    assert " and was killed (process " in said and "Stopped in:\n  train images (protocol=cnn" in said
    assert said.endswith("The same command goes on from here.") and "left" not in said
    for pid in owner.orphans(owner.read(folder / ".snakemake/main.json").key):  # it had left its group
        os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_run_that_failed_and_one_that_finished(tmp_path):
    (tmp_path / "bad.csv").write_text("a,price\n1,2\n")
    (tmp_path / "bad.yaml").write_text(
        f"fidelity: bad\nparts: [tabular]\ntables: {{bad: {{file: {tmp_path}/bad.csv, target: cost}}}}\n"
        "tabular: {datasets: [bad]}\n"
    )
    call = ("--cores", "1", "--directory", tmp_path / "study")
    result = snakemake(*call, "--configfile", tmp_path / "bad.yaml", "--", "results/datasets/bad.parquet")
    assert result.returncode != 0
    said, found = status.describe(tmp_path / "study")
    assert ": ended at " in said and "1 failed" in said and len(found.failed) == 1
    assert f"see {tmp_path}/study/results/logs/prepare/bad.parquet.log" in said
    assert "\nTo mend:\n  prepare: bad.csv has no column 'cost'" in said
    assert said.endswith("\nThen the same command goes on from here.")
    assert cli.main(["status", str(tmp_path / "study")]) == 1
    result = snakemake(*call, "--configfile", tmp_path / "bad.yaml", "--", "results/settings/tune.yaml")
    assert result.returncode == 0
    said, _ = status.describe(tmp_path / "study")
    assert ": finished at " in said and said.endswith("1 of 1 jobs done.")


LOG = """Job stats:
job             count
------------  -------
train_images        4
all                 1
total               5

[Fri Nov 27 00:00:00 2026]
rule train_images:
    log: results/logs/a.log
    jobid: 1
    wildcards: run=0
Job 1 has been submitted with SLURM jobid 71 (log: x).
[Fri Nov 27 00:00:00 2026]
rule train_images:
    log: results/logs/b.log
    jobid: 2
    wildcards: run=1
Job 2 has been submitted with SLURM jobid 72 (log: x).
"""


def on_a_cluster(folder):
    """A run whose main process is on another machine, with one job that trains and one in the queue."""
    (folder / ".snakemake/log").mkdir(parents=True)
    (folder / ".snakemake/log/2026-11-27T000000.1.snakemake.log").write_text(LOG)
    main = owner.Owner("login1", "another machine", 4242, "1", "2026-11-27 00:00:00", None)
    (folder / ".snakemake/main.json").write_text(json.dumps({"owner": dataclasses.asdict(main), "beat": 1}))
    (folder / "results/logs").mkdir(parents=True)
    (folder / "results/logs/a.log").write_text("epoch 20 of 80: ERR\n")
    began = time.mktime(time.strptime("2026-11-27", "%Y-%m-%d"))
    os.utime(folder / "results/logs/a.log", (began + 600, began + 600))
    return began


def test_on_a_cluster_files_alone_tell(tmp_path):
    began = on_a_cluster(tmp_path)
    said, _ = status.describe(tmp_path, now=began + 600)
    assert "runs since 2026-11-27 00:00 (process 4242 on login1, last sign of life " in said
    # by its epochs a cell takes 40 minutes: two at once, 30 minutes of each of these are left, and two more wait
    assert "0 of 5 jobs done, 2 running, 3 waiting; about 1 h 10 min left" in said, said
    assert "train images (run=0): 10 min, job 71, epoch 20 of 80" in said
    assert "train images (run=1): 10 min, in the queue as job 72" in said
    silent = time.time() - 2 * owner.SILENT_SECONDS
    os.utime(tmp_path / ".snakemake/main.json", (silent, silent))
    assert "was killed (process 4242 on login1" in status.describe(tmp_path)[0]


def test_it_sends_no_signal(tmp_path, monkeypatch):
    on_a_cluster(tmp_path)
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("a signal"))
    status.describe(tmp_path)
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_it_finds_the_runs_of_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["status"]) == 1
    assert capsys.readouterr().err.startswith("status: There is no run here: ")
    with pytest.raises(UserError, match="no run in nowhere: give the folder"):
        status.describe(status._folder(status.Path("nowhere")))
    for name in ("one", "two"):
        on_a_cluster(tmp_path / "runs" / name)
    assert cli.main(["status"]) == 0
    shown = capsys.readouterr().out
    assert "runs/one: runs since" in shown and "runs/two: runs since" in shown
    for name, age in (("one", 100), ("two", 200)):
        (tmp_path / "runs" / name / ".snakemake/main.json").unlink()
        log = next((tmp_path / "runs" / name / ".snakemake/log").iterdir())
        os.utime(log, (time.time() - age, time.time() - age))
    assert cli.main(["status"]) == 0
    shown = capsys.readouterr().out
    assert "runs/one: began at" in shown and "interrupted" in shown and "runs/two" not in shown


def test_runs_below_a_folder_without_one_are_named(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    on_a_cluster(tmp_path / "houses/small")
    assert cli.main(["status", "houses"]) == 1
    said = "There is no run in houses: give one of its folders that have: learner-collusion status houses/small."
    assert capsys.readouterr().err == f"status: {said}\n"
    assert cli.main(["status"]) == 1
    assert (
        "no run here: give one of its folders that have: learner-collusion status houses/small."
        in capsys.readouterr().err
    )
    assert cli.main(["status", "houses/small"]) == 0
    capsys.readouterr()
    for number in range(5):
        on_a_cluster(tmp_path / f"houses/b{number}")
        log = next((tmp_path / f"houses/b{number}/.snakemake/log").iterdir())
        os.utime(log, (number, number))
    assert cli.main(["status", "houses"]) == 1
    assert "status houses/small or houses/b4 or houses/b3 or houses/b2 and 2 more." in capsys.readouterr().err
    (tmp_path / "empty/sub/.snakemake/log").mkdir(parents=True)
    with pytest.raises(UserError, match="no run in empty: give the folder where Snakemake works"):
        status.describe(status.Path("empty"))


def test_what_made_no_plan_is_no_run(tmp_path):
    on_a_cluster(tmp_path)
    (tmp_path / ".snakemake/log/2026-11-28T000000.1.snakemake.log").write_text("Report created.\n")
    assert "starting; the time left is not known yet" in status.describe(tmp_path)[0]
    os.utime(tmp_path / ".snakemake/log/2026-11-28T000000.1.snakemake.log", (1, 1))
    assert "runs since 2026-11-27 00:00" in status.describe(tmp_path)[0]


def test_nothing_to_do_is_said(tmp_path):
    (tmp_path / ".snakemake/log").mkdir(parents=True)
    (tmp_path / ".snakemake/log/1.snakemake.log").write_text(
        "Nothing to be done (all files present).\nComplete log(s): x\n"
    )
    said, _ = status.describe(tmp_path)
    assert said.endswith("There was nothing to do: everything is made.") and "finished at" in said


def test_who_was_refused_is_no_run(tmp_path):
    on_a_cluster(tmp_path)
    (tmp_path / ".snakemake/log/2026-11-28T000000.1.snakemake.log").write_text(
        f"WorkflowError:\nSnakemake already works in {tmp_path}: process 7 on a node.\n"
    )
    assert "runs since 2026-11-27 00:00" in status.describe(tmp_path)[0]


def test_what_the_user_interrupted_did_not_fail(tmp_path):
    (tmp_path / ".snakemake/log").mkdir(parents=True)
    (tmp_path / ".snakemake/log/1.snakemake.log").write_text(
        "Job stats:\njob       count\n------  -------\nfigure        1\nall           1\ntotal         2\n\n"
        "[Fri Nov 27 01:48:10 2026]\nlocalrule figure:\n    jobid: 14\n    wildcards: figure=fig3_debiased\n"
        "Terminating processes on user request, this might take some time.\n"
        "[Fri Nov 27 01:48:13 2026]\nError in rule figure:\n    jobid: 14\nComplete log(s): x\n"
    )
    said, found = status.describe(tmp_path)
    assert "was interrupted at 2026-11-27 01:48" in said and "failed" not in said and not found.failed
    assert said.endswith("The same command goes on from here.")
