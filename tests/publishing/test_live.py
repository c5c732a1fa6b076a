"""`learner-collusion run`: how far a workflow is, what failed, and the results at the end."""

import os
import pty
import signal
import subprocess
import sys
import time

import pytest
from made_results import write_results

from learner_collusion import cli
from learner_collusion.errors import UserError
from learner_collusion.publishing import live

SNAKEMAKE = """
import time
print("localrule fetch:", flush=True)
print("    jobid: 1", flush=True)
time.sleep(0.5)
print("Finished jobid: 1 (Rule: fetch)")
print("rule train_tabular:")
print("    log: results/logs/train_tabular/abalone.log")
print("    jobid: 2")
print("    wildcards: dataset=abalone, run=3", flush=True)
import pathlib
log = pathlib.Path("results/logs/train_tabular/abalone.log")
log.parent.mkdir(parents=True)
log.write_text("epoch 3 of 80: ERR train 1\\nepoch 4 of 80, batch 7: ERR train 1\\n")
print("5 of 20 steps (25%) done", flush=True)
time.sleep(2)
"""


def command(code: str, *options: str) -> list[str]:
    """`learner-collusion run` of a Python program in place of Snakemake."""
    run = [sys.executable, "-m", "learner_collusion", "run", "--title", "The title", "--results", "results", *options]
    return [*run, "--", sys.executable, "-c", code]


def test_the_line_says_how_far_it_is():
    shown = []
    lines = [
        "localrule fetch:\n",
        "    jobid: 7\n",
        None,
        "Finished jobid: 7 (Rule: fetch)\n",
        "rule train_tabular:\n",
        "    jobid: 8\n",
        "    wildcards: dataset=abalone, run=3\n",
        "Some other output\n",
        "5 of 20 steps (25%) done\n",
    ]
    live.follow(lines, lambda run: shown.append((str(run.latest), sorted(run.running), run.done, run.total)))
    assert shown == [
        ("fetch", [7], 0, 0),
        ("fetch", [7], 0, 0),
        ("fetch", [], 0, 0),
        ("train tabular", [8], 0, 0),
        ("train tabular (dataset=abalone, run=3)", [8], 0, 0),
        ("train tabular (dataset=abalone, run=3)", [8], 5, 20),
    ]


def test_failure_shows_the_tail_and_the_log_and_keeps_the_exit_code(tmp_path):
    code = "import sys; [print('line', i) for i in range(100)]; print('what went wrong'); sys.exit(3)"
    result = subprocess.run(command(code), capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 3 and "The title" in result.stdout
    assert "what went wrong" in result.stderr and "line 90" in result.stderr and "line 50" not in result.stderr
    assert "runs/live.log" in result.stderr and "Traceback" not in result.stderr
    assert (tmp_path / "runs/live.log").read_text().startswith("line 0\n")


FAILED = """
import pathlib, sys
log = pathlib.Path("results/logs/prepare/houses.log")
log.parent.mkdir(parents=True, exist_ok=True)
print("Job stats:\\njob  count\\n---  ---\\ntotal    4\\n")
print("rule prepare:\\n    log: results/logs/prepare/houses.log\\n    jobid: 3")
log.write_text(sys.argv[1])
print("Error in rule prepare:\\n    jobid: 3\\n    log: results/logs/prepare/houses.log (check log file(s) for details)")
print("At least one job did not complete successfully.")
sys.exit(1)
"""


def failed(folder, said: str) -> list[str]:
    """The lines that `run` ends with where a job's log holds `said`."""
    result = subprocess.run([*command(FAILED), said], capture_output=True, text=True, cwd=folder)
    assert result.returncode == 1 and "Traceback" not in result.stderr
    return result.stderr.split("did not complete successfully.\n")[1].splitlines()


def test_after_a_failure_the_last_line_is_what_the_job_says(tmp_path):
    sentence = "prepare: houses.csv, line 11, column 'area': 'oops' is not a number; correct it."
    lines = failed(tmp_path, f"reading\n{sentence}\n")
    assert lines == [
        "It failed; all of its output is in runs/live.log.",
        "Mend what the end says, then run the same command again:",
        sentence,
    ]
    # nothing for the user to mend
    for said in (
        "epoch 3 of 80\n",
        "ValueError: x\n",
        "prepare: interrupted; run the same command again to resume.\n",
        "",
    ):
        assert failed(tmp_path, said)[1:] == ["Run the same command again to resume."], said


def test_after_a_failure_results_of_an_earlier_run_are_named(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results/report.html").write_text("old")
    lines = failed(tmp_path, "prepare: wrong.\n")
    assert lines[1] == "Results of an earlier run are still there, unchanged: results/report.html."
    assert lines[-1] == "prepare: wrong." and not any("resume" in line for line in lines)
    code = "import sys; open('results/report.html', 'w').write('new'); sys.exit(1)"
    result = subprocess.run(command(code), capture_output=True, text=True, cwd=tmp_path)
    assert "earlier run" not in result.stderr
    assert result.stderr.endswith("before its first job: mend what it says above, then run the same command again.\n")


def test_success_shows_the_results(tmp_path):
    write_results(tmp_path / "results")
    result = subprocess.run(command(SNAKEMAKE, "--log", "my.log"), capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert (
        lines[0] == "The title"
        and lines[1].endswith(": fetch")
        and lines[1].startswith("starting, 1 running")
        and "Open first: results/figures/fig2" in result.stdout
    )
    assert "5 of 20 steps" in (tmp_path / "my.log").read_text() and "5 of 20 steps" not in result.stdout


def test_the_end_page_is_for_finished_runs_alone(tmp_path):
    ended = []
    for code in (1, 0):
        python = [sys.executable, "-c", f"raise SystemExit({code})"]
        assert live.execute("T", python, tmp_path / "log", lambda: ended.append(1)) == code
        assert len(ended) == 1 - code


def test_a_terminal_has_one_line_that_changes(tmp_path):
    write_results(tmp_path / "results")
    main, terminal = pty.openpty()
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "100"}
    process = subprocess.Popen(
        command(SNAKEMAKE), stdin=terminal, stdout=terminal, stderr=terminal, cwd=tmp_path, env=environment
    )
    os.close(terminal)
    shown = b""
    while True:
        try:
            chunk = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(main)
    text = shown.decode()
    assert process.wait() == 0
    assert "5 of 20 jobs done, 1 running, 14 waiting" in text and "\x1b[2K" in text
    assert "train tabular (dataset=abalone, run=3): epoch 4 of 80, batch 7" in text
    assert "steps" not in text and "Open first" in text


def test_interrupted_by_ctrl_c(tmp_path):
    """The terminal sends the signal to the command and to the workflow, which may take a moment to end."""
    code = """
import time
print("rule train:", flush=True)
open("started", "w").close()
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.5)
    print("x" * 200_000)
    open("ended", "w").close()
"""
    process = subprocess.Popen(
        command(code), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it, and pass that on
    )  # fmt: skip
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and (tmp_path / "ended").exists()
    assert errors.strip() == "Interrupted; run the same command again to resume."


def test_results_without_claims_are_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["run", "--title", "T", "--results", "nowhere", "--", sys.executable, "-c", ""]
    assert cli.main(arguments) == 1
    assert "nowhere/claims.parquet does not exist" in capsys.readouterr().err


def test_a_command_that_does_not_exist_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["run", "--title", "T", "--results", "r", "--", "no-such-program"]) == 1
    assert "no-such-program" in capsys.readouterr().err


def test_a_second_run_leaves_the_log_of_the_first_alone(tmp_path):
    log = tmp_path / "run.log"
    code = f"""
import sys
from pathlib import Path
from learner_collusion.publishing import live
live.execute("one", ["sh", "-c", "echo begun; sleep 30; echo ended"], Path({str(log)!r}), lambda: None)
"""
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not (log.exists() and "begun" in log.read_text()):
            assert time.monotonic() < end and first.poll() is None
            time.sleep(0.05)
        with pytest.raises(UserError, match=r"Another run writes .*run\.log: wait for its end"):
            live.execute("two", ["echo", "never"], log, lambda: None)
        assert log.read_text() == "begun\n"
    finally:
        first.kill()
        first.wait()
