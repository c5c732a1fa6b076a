"""Run Snakemake with one line that says how far it is, and show the results at the end.

Example: learner-collusion run --title Demo --results results -- snakemake --cores 2
"""

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

_STEPS = re.compile(r"(\d+) of (\d+) steps \((\d+)%\) done")
_RULE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):")
_WILDCARDS = re.compile(r"^    wildcards: (.*)")
_PLAIN_SECONDS = 15  # between two lines where there is no terminal
_TAIL = 25  # lines of the log that are shown after a failure
_GRACE_SECONDS = 10

# Called with what runs now, and how many of how many steps are done (0 of 0 before the first).
Show = Callable[[str, int, int], None]


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
    return execute(options.title, command, options.log, end)


def execute(title: str, command: list[str], log: Path, end: Callable[[], None]) -> int:
    """Run `command` with its output in `log`, print how far it is, and call `end` if it succeeds; returns its exit code.

    On a terminal the progress is one line that changes, elsewhere a line now and then.
    """
    print(title, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        with open(log, "w", encoding="utf-8") as file, _progress() as show:
            follow(_copied(process.stdout, file), show)
        code = process.wait()
    except KeyboardInterrupt:
        _stop(process)
        print("Interrupted; run the same command again to resume.", file=sys.stderr)
        return 130
    if code:
        print(*log.read_text(encoding="utf-8").splitlines()[-_TAIL:], sep="\n", file=sys.stderr)
        print(f"It failed; all of its output is in {log}. Run the same command again to resume.", file=sys.stderr)
        return code
    end()
    return 0


def _stop(process: subprocess.Popen) -> None:
    """Let the command end its jobs. A terminal has sent it the signal, too; otherwise it gets it here."""
    with contextlib.suppress(KeyboardInterrupt):
        try:
            process.communicate(timeout=_GRACE_SECONDS)  # reads on: a command that cannot print does not end
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            process.communicate()
    if process.poll() is None:
        process.terminate()


def follow(lines: Iterable[str], show: Show) -> None:
    """Read Snakemake's output, and call `show` with each job that starts and each step that is done."""
    done, total, rule = 0, 0, ""
    for line in lines:
        if found := _STEPS.search(line):
            done, total = int(found[1]), int(found[2])
        elif found := _RULE.match(line):
            rule = found[1].replace("_", " ")
        elif found := _WILDCARDS.match(line):
            rule = f"{rule.split(' (')[0]} ({found[1]})"
        else:
            continue
        show(rule, done, total)


def _copied(lines: Iterable[str], file) -> Iterator[str]:
    for line in lines:
        file.write(line)
        yield line


@contextlib.contextmanager
def _progress() -> Iterator[Show]:
    with _live_line() if sys.stdout.isatty() else contextlib.nullcontext(_plain_lines()) as show:
        yield show


@contextlib.contextmanager
def _live_line() -> Iterator[Show]:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.table import Column

    text = TextColumn(
        "{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"), markup=False
    )
    columns = (SpinnerColumn(), BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), text)
    with Progress(*columns, transient=True, expand=True) as progress:
        task = progress.add_task("starting", total=None)

        def show(rule: str, done: int, total: int) -> None:
            progress.update(task, description=rule or "starting", completed=done, total=total or None)

        yield show


def _plain_lines() -> Show:
    start, last = time.monotonic(), 0.0

    def show(rule: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > _PLAIN_SECONDS:
            last = now
            steps = f"{done} of {total} steps" if total else "starting"
            print(f"{steps}, {now - start:.0f} s: {rule}", flush=True)

    return show
