"""Patience with SLURM: stand-ins for `sbatch`, `squeue`, `sacct`, `sinfo` and `sshare`, as Snakemake's plugin calls them.

Snakemake gives a job up when its submission is refused, and forgets all jobs when the question for their state fails. So
the main process has the folder `workflow/slurm` first on its PATH, and its commands

- wait while the controller does not answer, or takes no more jobs of this user;
- let each job write its exit status to `.snakemake/slurm/<run>/`, so that the end of a job is known while the controller
  is silent, after it has forgotten the job, and without an accounting data base;
- know a submission again that was taken although its answer was lost.

Each is called as `python -m learner_collusion.plan.slurm COMMAND ARGUMENTS...` and needs the standard library alone.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .owner import VARIABLE

COMMANDS = Path(__file__).parents[3] / "workflow/slurm"
STATE = Path(".snakemake/slurm")  # of the folder where the main process works
# What SLURM says of a trouble that passes: no answer, or a limit on how many jobs may wait.
PASSING = re.compile(
    r"unable to contact slurm|timed out|connection (refused|reset)|not connected|zero bytes|temporarily|try again"
    r"|in standby mode|communication|MaxSubmit|talking to the database|slurm_persist_conn",
    re.IGNORECASE,
)
WAITS = (5, 10, 20, 40, 60)  # seconds before trying again; the last one from then on
DAYS = 3  # after which a command gives up
ANSWER_SECONDS = 30  # for a question about states; the plugin itself waits 60
LATE_SECONDS = (
    60  # in which the exit status of a job that SLURM no longer knows may still show up in a shared file system
)
# SIGTERM may reach each process of a job: all wait for the one that has a checkpoint to write.
JOB = """#!/bin/sh
trap : TERM
rm -f {status}
(
trap : TERM
{script}
)
code=$?
echo $code > {status}.part && mv {status}.part {status}
exit $code
"""


def main(command: str, arguments: list[str]) -> int:
    """Do what the command of this name does, patiently; its exit status."""
    if command == "sbatch" and (text := script(arguments)) is not None:
        return submit([a for a in arguments if not a.startswith("--wrap=") and a != "/dev/stdin"], text)
    run = option(arguments, "--name")
    if command in ("squeue", "sacct") and run and (STATE / run).is_dir():
        print("".join(f"{job}|{state}\n" for job, state in states(run).items()), end="")
        return 0
    answer = patiently(lambda: call(command, arguments))
    sys.stdout.write(answer.stdout)
    sys.stderr.write(answer.stderr)
    return answer.returncode


def script(arguments: list[str]) -> str | None:
    """The script of a submission; None of an array's or another cluster's, which go to SLURM as they are."""
    if option(arguments, "--job-name") is None or any(a.startswith(("--array", "--clusters", "-M")) for a in arguments):
        return None
    wrapped = [a.removeprefix("--wrap=") for a in arguments if a.startswith("--wrap=")]
    if wrapped:
        return wrapped[0]
    return sys.stdin.read() if arguments[-1:] == ["/dev/stdin"] else None


def submit(arguments: list[str], text: str) -> int:
    """`sbatch` a job that writes down how it ends; prints its id, as `--parsable` does."""
    run, comment = option(arguments, "--job-name"), option(arguments, "--comment")
    folder = (STATE / run).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    # $SLURM_JOB_ID is the shell's, of the job
    status = f'{shlex.quote(str(folder))}/"$SLURM_JOB_ID".status'
    stdin = JOB.format(status=status, script=text.removeprefix("#!/bin/sh\n"))

    def once() -> subprocess.CompletedProcess:
        answer = call("sbatch", arguments, stdin)
        if answer.returncode and PASSING.search(answer.stderr) and (job := taken(run, comment, folder)):
            return subprocess.CompletedProcess([], 0, f"{job}\n", "")
        return answer

    answer = patiently(once)
    if answer.returncode == 0:
        (folder / answer.stdout.strip().split(";")[0]).touch()
    sys.stdout.write(answer.stdout)
    sys.stderr.write(answer.stderr)
    return answer.returncode


def taken(run: str, comment: str | None, folder: Path) -> str | None:
    """The job of this run and comment that SLURM has, although it answered the submission with an error."""
    answer = call("squeue", ["--noheader", "--format=%A|%k", "--name", run])
    for line in answer.stdout.splitlines():
        job, _, said = line.partition("|")
        if said == comment and not (folder / job).exists():
            return job
    return None


def states(run: str) -> dict[str, str]:
    """The state of each job of a run, by what it wrote and what `squeue` says; where that is silent, as it was: running.

    A job that neither knows, and that has written nothing for `LATE_SECONDS`, has failed: it was cancelled or killed.
    """
    known = listed(["--name", run])
    found = dict(known or {})
    for path in (STATE / run).glob("*[0-9]"):
        job, code = path.name, _text(path.with_name(f"{path.name}.status"))
        if code == "0":
            found[job] = "COMPLETED"
        elif known is None:
            found[job] = "RUNNING"
        elif job not in known:
            found[job] = "RUNNING" if code is None and not _long_gone(path) else "FAILED"
    return found


def _long_gone(path: Path) -> bool:
    """Whether a job is no longer known since `LATE_SECONDS`."""
    gone = path.with_name(f"{path.name}.gone")
    if not gone.exists():
        gone.touch()
    return time.time() - gone.stat().st_mtime >= LATE_SECONDS


def listed(arguments: list[str]) -> dict[str, str] | None:
    """State by job, as `squeue` says; None where it does not answer."""
    answer = call("squeue", ["--noheader", "--states=all", "--format=%i|%T", *arguments])
    if answer.returncode:
        return None
    return dict(line.strip().split("|") for line in answer.stdout.splitlines() if "|" in line)


def cancel_left() -> int:
    """Cancel the jobs that an earlier main process of this folder left in the queue, and wait until they have ended; how
    many there were. Where SLURM does not answer they stay, and the next main process tries."""
    runs = [path for path in STATE.glob("*") if path.is_dir()]
    ended = all(_text(job.with_name(f"{job.name}.status")) for run in runs for job in run.glob("*[0-9]"))
    left = set() if ended else active(runs)
    if left:
        call("scancel", sorted(left))
        end = time.monotonic() + ANSWER_SECONDS
        while active(runs) and time.monotonic() < end:
            time.sleep(1)
    if left is not None:
        for run in runs:
            shutil.rmtree(run, ignore_errors=True)
    return len(left or ())


def active(runs: list[Path]) -> set[str] | None:
    """The jobs of these runs that are waiting or running; None where SLURM does not answer."""
    answer = call("squeue", ["--noheader", "--format=%i", "--name", ",".join(run.name for run in runs)])
    return None if answer.returncode else set(answer.stdout.split())


def call(command: str, arguments: list[str], stdin: str | None = None) -> subprocess.CompletedProcess:
    """Run SLURM's own command; no answer in time counts as an error that passes."""
    places = [place for place in os.environ["PATH"].split(os.pathsep) if Path(place).resolve() != COMMANDS]
    real = shutil.which(command, path=os.pathsep.join(places))
    if real is None:
        return subprocess.CompletedProcess([], 127, "", f"{command}: command not found\n")
    seconds = None if command == "sbatch" else ANSWER_SECONDS
    try:
        return subprocess.run([real, *arguments], input=stdin, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 1, "", f"{command}: timed out\n")


def patiently(once: Callable[[], subprocess.CompletedProcess]) -> subprocess.CompletedProcess:
    """The answer of `once`, called again while its error is one that passes."""
    end, waits, told = time.monotonic() + DAYS * 86400, list(WAITS), False
    while True:
        answer = once()
        if not answer.returncode or not PASSING.search(answer.stderr) or time.monotonic() > end:
            return answer
        if not told:
            tell(f"SLURM: {answer.stderr.strip().splitlines()[-1]}; waiting until this passes.")
            told = True
        time.sleep(waits.pop(0) if len(waits) > 1 else waits[0])


def tell(line: str) -> None:
    """A line on the terminal of the main process: the plugin shows what its commands print only when they have failed."""
    _, _, rest = os.environ.get(VARIABLE, "").partition("/")
    with contextlib.suppress(OSError), open(f"/proc/{rest.partition('/')[0]}/fd/2", "a", encoding="utf-8") as terminal:
        print(line, file=terminal, flush=True)


def option(arguments: list[str], name: str) -> str | None:
    """The value of an option that is an argument of its own."""
    return arguments[arguments.index(name) + 1] if name in arguments[:-1] else None


def _text(path: Path) -> str | None:
    with contextlib.suppress(OSError):
        return path.read_text().strip()
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
