"""Run Snakemake with one line that says how far it is, one for each training, and show the results at the end.

Example: learner-collusion run --title Demo --results results -- snakemake --cores 2
"""

import contextlib
import fcntl
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TextIO

from ..errors import UserError
from . import progress

_PLAIN_SECONDS = 15.0  # between two lines where there is no terminal, at first
_PLAIN_SHARE = 0.05  # of the time so far: after an hour a line every three minutes
_REFRESH_SECONDS = 0.2  # of the lines of a terminal
_SILENT_SECONDS = 1.0  # without a line of Snakemake's, after which the trainings are looked at
_TAIL = 25  # lines of the log that are shown after a failure
_GRACE_SECONDS = 10
_MOST = 8  # trainings that are shown, and sentences of failed jobs
_SHOWN = ("report.html", "claims.md")  # of the results, what a reader opens
_END = object()

# Called with what is known of the run.
Show = Callable[[progress.Run], None]


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("--title", required=True, help="the first line")
    parser.add_argument(
        "--results", required=True, type=Path, help="the folder that the command writes; shown at the end"
    )
    parser.add_argument(
        "--log", type=Path, default=Path("runs/live.log"), help="where its output goes (default: runs/live.log)"
    )
    parser.add_argument("workflow", nargs="+", metavar="COMMAND", help="after --: snakemake with its options")


def run(options) -> int:
    """Run the command, and show its results."""

    def end() -> None:
        from .summary import show  # loads pandas: after the run

        show(options.results)

    command = options.workflow[1:] if options.workflow[0] == "--" else options.workflow
    return execute(options.title, command, options.log, end, options.results.parent, options.results)


def execute(
    title: str,
    command: list[str],
    log: Path,
    end: Callable[[], None],
    folder: Path = Path("."),
    results: Path | None = None,
) -> int:
    """Run `command` with its output in `log`, print how far it is, and call `end` if it succeeds; returns its exit code.

    On a terminal the progress is one line that changes, and one for each training; elsewhere a line now and then. `folder` is
    where the command works: there lie the logs of its jobs. After a failure it says what of an earlier run is left in `results`.
    Errors: UserError where another run writes this log.
    """
    shown = [results / name for name in _SHOWN] if results else []
    before = {path: path.stat().st_mtime_ns for path in shown if path.exists()}
    with _own(log) as file:
        print(title, flush=True)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            with _progress(folder) as show:
                known = follow(_copied(process.stdout, file), show)
            code = process.wait()
        except KeyboardInterrupt:
            _stop(process)
            print("Interrupted; run the same command again to resume.", file=sys.stderr)
            return 130
    if code:
        print(*log.read_text(encoding="utf-8").splitlines()[-_TAIL:], sep="\n", file=sys.stderr)
        left = [path for path, stamp in before.items() if path.exists() and path.stat().st_mtime_ns == stamp]
        print(*_failure(known, log, left, progress.to_mend(known, folder)), sep="\n", file=sys.stderr)
        return code
    end()
    return 0


@contextlib.contextmanager
def _own(log: Path) -> Iterator[TextIO]:
    """The log, emptied, for this process alone: a second run must not write over what the first one still writes."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(
                f"Another run writes {log}: wait for its end, ask `learner-collusion status` how far it is, or give another --log."
            ) from None
        file.truncate(0)
        yield file


def _failure(known: progress.Run, log: Path, left: list[Path], mend: list[str]) -> list[str]:
    """The last lines after a failure: where all is, what of an earlier run is left, and at the end what the user has to mend."""
    lines = [f"It failed; all of its output is in {log}."]
    if left:
        named = " and ".join(map(str, left))
        lines.append(f"Results of an earlier run are still there, unchanged: {named}.")
    if mend:
        return [*lines, "Mend what the end says, then run the same command again:", *mend[:_MOST]]
    if not known.total:
        return [*lines, "It failed before its first job: mend what it says above, then run the same command again."]
    return [*lines, "Run the same command again to resume."]


def _stop(process: subprocess.Popen) -> None:
    """Let the command end its jobs. A terminal has sent it the signal, too; otherwise it gets it here."""
    with contextlib.suppress(KeyboardInterrupt):
        try:
            process.wait(timeout=_GRACE_SECONDS)  # `_copied` reads on: a command that cannot print does not end
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.wait()
    if process.poll() is None:
        process.terminate()


def follow(lines: Iterable[str | None], show: Show) -> progress.Run:
    """Read Snakemake's output, and call `show` whenever it tells how far the run is, and where nothing came for a while (None).
    Returns what it told in all."""
    run = progress.Run()
    for line in lines:
        if line is None or progress.advance(run, line.rstrip("\n")):
            show(run)
    return run


def _copied(stream, file) -> Iterator[str | None]:
    """The lines of a stream, as they come, also written to a file; None where none came for a while."""
    lines: queue.SimpleQueue = queue.SimpleQueue()

    def read() -> None:
        for line in stream:
            lines.put(line)
        lines.put(_END)

    threading.Thread(target=read, daemon=True).start()
    while True:
        try:
            line = lines.get(timeout=_SILENT_SECONDS)
        except queue.Empty:
            yield None
            continue
        if line is _END:
            return
        file.write(line)
        file.flush()
        yield line


@contextlib.contextmanager
def _progress(folder: Path) -> Iterator[Show]:
    with _live_lines(folder) if sys.stdout.isatty() else contextlib.nullcontext(_plain_lines(folder)) as show:
        yield show


def told(run: progress.Run, folder: Path) -> tuple[str, list[str]]:
    """Where a run stands, in a line, and a line for each training that says how far it is."""
    known, now = progress.trainings(run, folder), time.time()
    parts = [progress.counted(run), progress.remaining(progress.left(run, now, known))]
    trainings = [
        f"{run.running[number]}: {one.words}, {progress.span(max(now - run.running[number].began, 0.0))}"
        for number, one in known.items()
    ]
    return ", ".join(filter(None, parts)), trainings


@contextlib.contextmanager
def _live_lines(folder: Path) -> Iterator[Show]:
    """One line for the run, and one for each training that says how far it is."""
    from rich.console import Group
    from rich.live import Live
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column
    from rich.text import Text

    text = TextColumn(
        "{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"), markup=False
    )
    bar = Progress(SpinnerColumn(), BarColumn(16), TimeElapsedColumn(), text, expand=True)
    task = bar.add_task("starting", total=None)
    with Live(Group(bar), transient=True, refresh_per_second=4) as live:
        last = 0.0

        def show(run: progress.Run) -> None:
            nonlocal last
            if time.monotonic() - last < _REFRESH_SECONDS and not run.ended:
                return  # the next line, or the silence after this one, shows it
            last = time.monotonic()
            line, trainings = told(run, folder)
            latest = f": {run.latest}" if run.latest and not trainings else ""
            bar.update(task, description=line + latest, completed=run.done, total=run.total or None)
            shown = [Text(f"  {one}", no_wrap=True, overflow="ellipsis") for one in trainings[:_MOST]]
            live.update(Group(bar, *shown))

        yield show


def _plain_lines(folder: Path) -> Show:
    """A line now and then, less often the longer the run takes: a log is read later."""
    start, last, before = time.monotonic(), -_PLAIN_SECONDS, ""

    def show(run: progress.Run) -> None:
        nonlocal last, before
        now = time.monotonic()
        if now - last < max(_PLAIN_SECONDS, _PLAIN_SHARE * (now - start)) or not run.latest:
            return
        line, trainings = told(run, folder)
        text = f"{line}, {progress.span(now - start)} so far: {'; '.join(trainings[:_MOST]) or run.latest}"
        if text != before:
            last, before = now, text
            print(text, flush=True)

    return show
