"""Say how far a run of the workflow is: jobs done, running, waiting and failed, the time that is left, and what trains now.

It reads files alone, so it works in another terminal and on another node of a cluster, and disturbs nothing.

Example: learner-collusion status runs/demo
"""

import time
from pathlib import Path

from ..errors import UserError
from ..publishing import progress
from ..wording import listed
from . import owner

_LOGS = ".snakemake/log"
_MOST = 20  # jobs that are listed
_NAMED = 4  # kinds of jobs of which nothing is known, and folders with a run
_DEPTHS = ("*", "*/*")  # below a folder, where runs are looked for
_PLANNING_SECONDS = 60  # in which a run has made its plan, or writes to its log


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument(
        "directory", nargs="?", type=Path,
        help="where Snakemake works: what --directory named, or the folder that holds results/ (default: this folder and those in "
        "runs/, each run that goes on, else the last one)",
    )  # fmt: skip


def run(options) -> int:
    """Print how far the runs are; 1 where jobs of one failed."""
    folders = [_folder(options.directory)] if options.directory else _found()
    failed = 0
    for folder in folders:
        text, found = describe(folder)
        print(text, flush=True)
        failed += len(found.failed)
    return int(failed > 0)


def describe(folder: Path, now: float | None = None) -> tuple[str, progress.Run]:
    """What there is to say of the last run in a folder, and what its log told. UserError where there is no run."""
    found, log = _last_run(folder)
    state, lives = _state(folder, log, found)
    lines = [f"{folder}: {state}"]
    if found.idle and not found.total:
        return "\n".join([*lines, "There was nothing to do: everything is made."]), found
    if not lives:
        stopped, found.running = list(found.running.values()), {}
    at = time.time() if now is None else now
    known = progress.trainings(found, folder)
    lines.append(_summary(found, known, at, lives))
    if found.running:
        lines += _listed(
            "Running", [_running(job, folder, known.get(number), at) for number, job in found.running.items()]
        )
    elif not lives and not found.ended and stopped:
        lines += _listed("Stopped in", [str(job) for job in stopped])
    if found.failed:
        lines += _listed("Failed", [_failed(job, folder) for job in found.failed.values()])
    mend = progress.to_mend(found, folder)
    lines += _listed("To mend", mend) if mend else []
    if not lives and found.done < found.total:
        lines.append(f"{'Then the' if mend else 'The'} same command goes on from here.")
    return "\n".join(lines), found


def _folder(given: Path) -> Path:
    """Where Snakemake works; of its results the folder above."""
    return given.parent if given.name == "results" and not (given / _LOGS).exists() else given


def _found() -> list[Path]:
    """The folders here that have a run: all that go on, else the one whose run was last."""
    folders = [path for path in [Path("."), *sorted(Path("runs").glob("*"))] if _last_log(path) is not None]
    if not folders:
        other = (
            _below(Path(".")) or "start one (make demo), or give its folder, such as learner-collusion status my-study."
        )
        raise UserError(f"There is no run here: {other}")
    going = [path for path in folders if _owner(path)[1]]
    return going or [max(folders, key=lambda path: _last_log(path).stat().st_mtime)]


def _last_run(folder: Path) -> tuple[progress.Run, Path]:
    """The last run in a folder, and its log. One that made no plan, such as `snakemake --report`, counts only while it is new."""
    for log in sorted((folder / _LOGS).glob("*.snakemake.log"), reverse=True):
        with open(log, encoding="utf-8", errors="replace") as file:
            found = progress.read(file)
        if found.refused:
            continue
        if found.total or found.idle or time.time() - log.stat().st_mtime < _PLANNING_SECONDS:
            return found, log
    other = _below(folder) or "give the folder where Snakemake works, such as learner-collusion status runs/demo."
    raise UserError(f"There is no run in {folder}: {other}")


def _below(folder: Path) -> str:
    """What to do about a folder without a run that holds others with one, the newest first; empty where there is none."""
    places = [path for depth in _DEPTHS for path in folder.glob(f"{depth}/{_LOGS}")]
    logs = {path.parent.parent: _last_log(path.parent.parent) for path in places}
    found = sorted(
        (place for place in logs if logs[place]), key=lambda place: logs[place].stat().st_mtime, reverse=True
    )
    if not found:
        return ""
    return f"give one of its folders that have: learner-collusion status {listed(found, _NAMED, ' or ')}."


def _last_log(folder: Path) -> Path | None:
    """Snakemake's newest log: their names begin with the time."""
    return max((folder / _LOGS).glob("*.snakemake.log"), default=None)


def _owner(folder: Path) -> tuple[owner.Owner | None, bool]:
    """The main process of a folder, and whether it lives: one on another machine by its heartbeat."""
    record = folder / ".snakemake/main.json"
    main = owner.read(record)
    if main is None:
        return None, False
    here = owner.lives_here(main)
    return main, _silent(record) < owner.SILENT_SECONDS if here is None else here


def _silent(record: Path) -> float:
    """Seconds since the last heartbeat."""
    try:
        return max(0.0, time.time() - record.stat().st_mtime)
    except OSError:
        return owner.SILENT_SECONDS


def _state(folder: Path, log: Path, found: progress.Run) -> tuple[str, bool]:
    """Whether the run goes on, in words and as a value."""
    main, lives = _owner(folder)
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.began or log.stat().st_mtime))
    if lives and not found.ended:
        remote = owner.lives_here(main) is None
        beat = f", last sign of life {progress.span(_silent(folder / '.snakemake/main.json'))} ago" if remote else ""
        return f"runs since {since} (process {main.pid} on {main.host}{beat})", True
    if found.interrupted and not lives:
        return (
            f"was interrupted at {time.strftime('%Y-%m-%d %H:%M', time.localtime(found.now or log.stat().st_mtime))}",
            False,
        )
    if found.ended:
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.now or log.stat().st_mtime))
        whole = found.done >= found.total and not found.failed
        return f"{'finished' if whole else 'ended'} at {until}", False
    if main is not None:
        return f"began at {since} and was killed ({main})", False
    return f"began at {since} and " + ("was interrupted" if found.total else "started no job so far"), False


def _summary(found: progress.Run, known: dict, now: float, lives: bool) -> str:
    parts = [progress.counted(found)]
    if lives:
        left = progress.left(found, now, known)
        parts.append(progress.remaining(left) or "the time left is not known yet")
        if left is not None and left.unknown:
            rules = listed([rule.replace("_", " ") for rule in left.unknown], _NAMED)
            parts[-1] += f" (none of these has ended so far: {rules})"
    return "; ".join(parts) + "."


def _running(job: progress.Job, folder: Path, told: progress.Training | None, now: float) -> str:
    words = [progress.span(max(now - job.began, 0.0))]
    if job.submitted and not progress.started(job, folder):
        words.append(f"in the queue as job {job.submitted}")
    elif job.submitted:
        words.append(f"job {job.submitted}")
    if told is not None:
        words.append(told.words)
    return f"{job}: {', '.join(words)}"


def _failed(job: progress.Job, folder: Path) -> str:
    logs = ", ".join(str(folder / name) for name in job.logs)
    return f"{job}" + f": see {logs}" * bool(logs)


def _listed(title: str, items: list[str]) -> list[str]:
    more = len(items) - _MOST
    return [f"{title}:", *(f"  {item}" for item in items[:_MOST]), *([f"  and {more} more"] if more > 0 else [])]
