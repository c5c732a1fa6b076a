"""How far a run of Snakemake is, from what it writes: jobs done, running, waiting and failed, and the time that is left.

Nothing here asks a process or a scheduler. Snakemake's log says which jobs started, ended and failed, and the log of a job at
which epoch its training is. So the same holds in another terminal, and on another node of a cluster.
"""

import contextlib
import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

_TIME = re.compile(r"^\s*\[(\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4})\]")
_TABLE = re.compile(r"^(\w+) +(\d+)$")
_STEPS = re.compile(r"^(\d+) of (\d+) steps \(\S+\) done")
_RULE = re.compile(r"^(\s*)(?:local)?(?:rule|checkpoint) (\w+):$")
_FIELD = re.compile(r"^\s+(jobid|log|input|wildcards): (.*)$")
_SUBMITTED = re.compile(
    r"^(?:Job|Submitted (?:group )?job) (\S+) (?:has been submitted with SLURM jobid|with external jobid) '?([\w.\[\]-]+)"
)
_GROUP = re.compile(r"\] Group job (\S+) \(jobs")
_FINISHED = re.compile(r"^Finished jobid: (\d+) ")
_ERROR = re.compile(r"^Error in (?:rule|group)\b|^    jobs:$")
_ROW = re.compile(r"^\s{8}rule \w+:$")  # of the jobs of a group that failed
_EPOCH = re.compile(r"epoch (\d+) of (\d+)(?:, batch (\d+))?")
_RUN = re.compile(r"^\S+, run \d+: ", re.M)
_SENTENCE = re.compile(r"^[a-z_]+: \S")  # of a command, on what the user has to mend: its name, and the sentence
_INTERRUPTED = "interrupted; run the same command again"
_TAIL_BYTES = 100_000  # of a job's log
_EARLY = 0.02  # below this share of its epochs a training says nothing of how long it will take


@dataclass
class Job:
    """A job that started, or was given to a scheduler: `began` in seconds since 1970, `submitted` the scheduler's number."""

    number: int
    rule: str
    began: float
    wildcards: str = ""
    logs: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    submitted: str = ""

    def __str__(self) -> str:
        rule = self.rule.replace("_", " ")
        return f"{rule} ({self.wildcards})" if self.wildcards else rule


@dataclass
class Run:
    """What a log told so far. `counts`: jobs by rule; `durations`: seconds of each that ended, by rule; `most`: how many ran at
    once; `idle`: there was nothing to do; `ended`: Snakemake wrote its last line; `interrupted`: by the user, so that the jobs that it
    stopped did not fail; `refused`: another main process works in the folder, and this one did nothing."""

    total: int = 0
    done: int = 0
    began: float = 0.0
    now: float = 0.0
    counts: dict[str, int] = field(default_factory=dict)
    running: dict[int, Job] = field(default_factory=dict)
    failed: dict[int, Job] = field(default_factory=dict)
    durations: dict[str, list[float]] = field(default_factory=dict)
    most: int = 0
    idle: bool = False
    ended: bool = False
    interrupted: bool = False
    refused: bool = False
    latest: Job | None = None  # that started last
    _seen: dict[int, Job] = field(default_factory=dict)
    _block: str = ""  # "table", "error" or "job", where the last lines belong
    _job: Job | None = None
    _group: str = ""
    _groups: dict[str, list[Job]] = field(default_factory=dict)
    _erring: list[int] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        """Jobs that did not start, those included that a failed one holds back."""
        return max(0, self.total - self.done - len(self.running) - len(self.failed))


@dataclass(frozen=True)
class Training:
    """How far a job is: in words, and as a share of its work where that is known."""

    words: str
    share: float | None = None


@dataclass(frozen=True)
class Left:
    """Seconds that are left, and the rules with jobs of which none tells how long it takes: then it is at least so long."""

    seconds: float
    unknown: list[str]


def read(lines: Iterable[str]) -> Run:
    """What the lines of a log tell."""
    run = Run()
    for line in lines:
        advance(run, line.rstrip("\n"))
    return run


def advance(run: Run, line: str) -> bool:
    """Take in one more line; whether it changed how far the run is."""
    if found := _TIME.match(line):
        run.now = time.mktime(time.strptime(found[1]))
        run.began = run.began or run.now
        run._block = ""
        if group := _GROUP.search(line):
            run._group = group[1]
            run._groups[run._group] = []
    elif line.startswith("Job stats:"):
        run._block, run.counts = "table", {}
    elif run._block == "table":
        return _counted(run, line)
    elif _ERROR.match(line):
        run._block, run._erring = "error", []
    elif run._block == "error" and _ROW.match(line):
        pass
    elif found := _RULE.match(line):
        run._block, run._job = "job", Job(-1, found[2], run.now)
        if found[1]:  # of the group that was named before
            run._groups.setdefault(run._group, []).append(run._job)
    elif found := _FIELD.match(line):
        return _described(run, found[1], found[2])
    elif found := _STEPS.match(line):
        run.done, run.total = int(found[1]), int(found[2])
        return True
    elif found := _FINISHED.match(line):
        return _finished(run, int(found[1]))
    elif found := _SUBMITTED.match(line):
        alone = [run._seen[int(found[1])]] if found[1].isdigit() and int(found[1]) in run._seen else []
        for job in run._groups.get(found[1], alone):
            job.submitted = found[2]
    elif line.startswith("Trying to restart job"):
        for number in run._erring:
            run.failed.pop(number, None)
        return True
    elif line.startswith("Nothing to be done"):
        run.idle = True
    elif line.startswith("Terminating processes on user request"):
        run.interrupted = True
    elif line.startswith("Snakemake already works in "):  # `plan.guard`
        run.refused = True
    elif line.startswith("Complete log(s):"):
        run.ended = True
        run.running.clear()
        return True
    return False


def _counted(run: Run, line: str) -> bool:
    """A line of the table of jobs."""
    if not line:
        run._block = ""
    elif found := _TABLE.match(line):
        if found[1] == "total":
            run.total = int(found[2])
            return True
        run.counts[found[1]] = int(found[2])
    return False


def _described(run: Run, name: str, text: str) -> bool:
    """A line of what Snakemake says of a job, when it starts it or when it failed."""
    if run._block == "error":
        if name == "jobid" and text.isdigit():
            number = int(text)
            run._erring.append(number)
            job = run.running.pop(number, None) or run._seen.get(number)
            if not run.interrupted:
                run.failed[number] = job or Job(number, "job", run.now)
            return True
    elif run._block == "job":
        job = run._job
        if name == "jobid" and text.isdigit():
            job.number = int(text)
            run._seen[job.number] = run.running[job.number] = job
            run.failed.pop(job.number, None)
            run.most, run.latest = max(run.most, len(run.running)), job
            return True
        if name == "wildcards":
            job.wildcards = text
            return True
        if name in ("log", "input"):
            setattr(job, f"{name}s", text.split(", "))
    return False


def _finished(run: Run, number: int) -> bool:
    job = run.running.pop(number, None)
    if job is not None:
        run.durations.setdefault(job.rule, []).append(run.now - job.began)
    return job is not None


def left(run: Run, now: float, trainings: dict[int, Training]) -> Left | None:
    """The time that is left at `now`, by the jobs of the run that ended; None before the first number is known.

    A rule's job takes as long as those of it that ended, on average, or else as long as its trainings will take by their epochs.
    Jobs run as many at once as did at most. `trainings`: what `training` says of those that run.
    """
    per_job = {rule: sum(known) / len(known) for rule, known in run.durations.items() if known}
    elapsed = {number: max(now - job.began, 0.0) for number, job in run.running.items()}
    shares = {number: told.share for number, told in trainings.items() if told.share and told.share >= _EARLY}
    for number, share in shares.items():
        if (rule := run.running[number].rule) not in run.durations:
            per_job[rule] = max(per_job.get(rule, 0.0), elapsed[number] / share)
    ends = {number: elapsed[number] * (1 - share) / share for number, share in shares.items()}
    for number, job in run.running.items():
        if number not in ends and job.rule in per_job:
            ends[number] = max(per_job[job.rule] - elapsed[number], 0.0)
    started = Counter(job.rule for job in run.running.values())
    started += Counter(job.rule for job in run.failed.values())
    started += Counter({rule: len(known) for rule, known in run.durations.items()})
    waiting = {rule: max(0, count - started[rule]) for rule, count in run.counts.items() if rule != "all"}
    unknown = {job.rule for number, job in run.running.items() if number not in ends}
    unknown |= {rule for rule, count in waiting.items() if count and rule not in per_job}
    work = sum(ends.values()) + sum(count * per_job.get(rule, 0.0) for rule, count in waiting.items())
    if not per_job or run.total == 0:
        return None
    return Left(max([work / max(run.most, 1), *ends.values()]), sorted(unknown - {"all"}))


def trainings(run: Run, folder: Path) -> dict[int, Training]:
    """How far the running jobs are whose logs tell it. `folder`: where Snakemake works."""
    found = {number: training(job, folder) for number, job in run.running.items()}
    return {number: told for number, told in found.items() if told is not None}


def training(job: Job, folder: Path) -> Training | None:
    """How far a job is by its log: the epoch of a training that prints it, or how many runs of a table are finished."""
    for name in job.logs:
        path = folder / name
        if not started(job, folder):
            continue
        text = _tail(path)
        epochs = list(_EPOCH.finditer(text))
        if epochs:
            epoch, of, batch = epochs[-1].groups()
            share = (int(epoch) - bool(batch)) / int(of)
            return Training(f"epoch {epoch} of {of}" + f", batch {batch}" * bool(batch), share)
        if runs := len(_RUN.findall(text)):
            total = _runs(job, folder)
            return (
                Training(f"{runs} of {total} runs", runs / total)
                if total and runs <= total
                else Training(f"{runs} runs")
            )
    return None


def started(job: Job, folder: Path) -> bool:
    """Whether a job has written to its log; one that was submitted, and has not, waits in the queue."""
    for name in job.logs:
        with contextlib.suppress(OSError):
            if (folder / name).stat().st_mtime >= job.began - 2:  # the stamps of Snakemake's log are whole seconds
                return True
    return False


def to_mend(run: Run, folder: Path) -> list[str]:
    """What the failed jobs say that the user has to mend, each sentence once. A job that was killed or interrupted says nothing."""
    found = {}
    for job in run.failed.values():
        for name in job.logs:
            lines = _tail(folder / name).strip().splitlines() if started(job, folder) else []
            if lines and _SENTENCE.match(lines[-1]) and _INTERRUPTED not in lines[-1]:
                found[lines[-1]] = None
    return list(found)


def _runs(job: Job, folder: Path) -> int | None:
    """How many runs a job of a table makes, by its settings."""
    for name in job.inputs:
        if name.endswith(".yaml"):
            with contextlib.suppress(OSError):
                if found := re.search(r"^runs: (\d+)$", (folder / name).read_text(encoding="utf-8"), re.M):
                    return int(found[1])
    return None


def _tail(path: Path) -> str:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return file.read().decode("utf-8", errors="replace")
    return ""


def counted(run: Run) -> str:
    """How many jobs are done, run, wait and failed, in words."""
    parts = [f"{run.done} of {run.total} jobs done" if run.total else "starting"]
    parts += [f"{len(run.running)} running"] * bool(run.running)
    parts += [f"{run.waiting} waiting"] * bool(run.waiting)
    parts += [f"{len(run.failed)} failed"] * bool(run.failed)
    return ", ".join(parts)


def remaining(found: Left | None) -> str:
    """The time that is left, in words; empty where nothing is known of it."""
    if found is None:
        return ""
    if found.unknown and found.seconds < 1:
        return ""
    return f"{'at least' if found.unknown else 'about'} {span(found.seconds)} left"


def span(seconds: float) -> str:
    """A time in words, such as "40 s", "12 min" or "3 h 20 min"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{hours / 24:.0f} days"
