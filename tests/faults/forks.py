"""Runs of jobs in forks of this process, which has imported everything: one after the other, as Snakemake would run them, at a
hundredth of its cost."""

import contextlib
import io
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from .study import Step

LONGEST = 300  # seconds of a run, after which it hangs
_STARTED, _MADE_BY = ".started", ".made_by"  # what Snakemake keeps in .snakemake


@dataclass(frozen=True)
class Ended:
    """How a run ended: "done", "refused" (one sentence), "killed", or "wrong": a traceback, several lines, or no end."""

    how: str
    said: str = ""


def load() -> None:
    """Import what jobs import, before they fork."""
    import importlib
    import pkgutil

    import learner_collusion

    heavy = ("figures", "live", "torch_learner", "gallery", "diagnos", "slurm", "predictions", "__main__", "_native")
    for module in pkgutil.walk_packages(learner_collusion.__path__, "learner_collusion."):
        if not any(word in module.name for word in heavy):
            importlib.import_module(module.name)
    for name in ("skopt", "sklearn.datasets", "torchvision.datasets", "scipy.io", "pyarrow.parquet", "pandas", "torch"):
        importlib.import_module(name)


def start(folder: Path, steps: Iterable[Step], before: Callable[[], None] | None = None, alone: bool = False) -> int:
    """Start a run in a fork, and return its process id. `before` is called there first. `alone`: a job without a main process."""
    sys.stdout.flush()
    if child := os.fork():
        return child
    try:
        os.setsid()
        os.chdir(folder)
        with open(os.devnull, "ab") as log:
            for descriptor in (1, 2):
                os.dup2(log.fileno(), descriptor)
        said = os.open(folder.parent / f"said.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        if before:
            before()
        ended = _do(*steps) if alone else _make(list(steps))
    except OSError as error:  # what Snakemake would not have been able to write
        ended = Ended("refused", f"the main process: {error}")
    except BaseException:
        ended = Ended("wrong", traceback.format_exc())
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.getrlimit(resource.RLIMIT_FSIZE)[1],) * 2)
    with contextlib.suppress(OSError):
        os.write(said, json.dumps([ended.how, ended.said]).encode())
    os._exit({"done": 0, "refused": 1}.get(ended.how, 2))


def wait(child: int, folder: Path, seconds: float = LONGEST) -> Ended:
    """How the run of a process ends; after so many seconds it is killed."""
    deadline = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            break
        if time.monotonic() > deadline:
            kill(child)
            return Ended("wrong", f"no end after {seconds} seconds") if seconds == LONGEST else Ended("killed")
        time.sleep(0.005)
    if os.WIFSIGNALED(status):
        return Ended("killed", signal.Signals(os.WTERMSIG(status)).name)
    try:
        said = folder.parent / f"said.{child}"
        found = Ended(*json.loads(said.read_text(encoding="utf-8")))
        said.unlink()
        return found
    except (OSError, ValueError):
        return Ended("refused" if os.waitstatus_to_exitcode(status) == 1 else "wrong", "(it could not write what)")


def kill(child: int) -> None:
    """End a run at once, and all that it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
        os.killpg(child, signal.SIGKILL)  # fails where it has not yet made a group of its own
    os.waitpid(child, 0)


def _make(steps: list[Step]) -> Ended:
    """Run the jobs that are to be run, in the folder where this process is, until one fails."""
    made_by = json.loads(Path(_MADE_BY).read_text()) if Path(_MADE_BY).exists() else {}
    remade: set[str] = set()
    for step in steps:
        if not _is_stale(step, made_by, remade):
            continue
        for path in map(Path, step.outputs):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        started = Path(f"{_STARTED}.{step.outputs[0].replace('/', '-')}")
        started.touch()
        ended = _do(step)
        if ended.how != "done":
            for path in step.outputs:
                Path(path).unlink(missing_ok=True)
            return ended
        made_by[step.outputs[0]] = [step.text, *step.arguments]
        _note(made_by)
        started.unlink(missing_ok=True)
        remade.update(step.outputs)
    return Ended("done")


def _note(made_by: dict) -> None:
    beside = Path(f"{_MADE_BY}.{os.getpid()}")
    beside.write_text(json.dumps(made_by))
    beside.replace(_MADE_BY)


def _is_stale(step: Step, made_by: dict, remade: set[str]) -> bool:
    if Path(f"{_STARTED}.{step.outputs[0].replace('/', '-')}").exists() or not all(map(os.path.exists, step.outputs)):
        return True
    if made_by.get(step.outputs[0]) != [step.text, *step.arguments] or remade & set(step.inputs):
        return True
    oldest = min(os.stat(path).st_mtime_ns for path in step.outputs)
    return any(os.path.exists(path) and os.stat(path).st_mtime_ns > oldest for path in step.inputs)


def _do(step: Step) -> Ended:
    """One job. It must end well, or with one sentence."""
    from learner_collusion import cli

    if step.text is not None:
        Path(step.outputs[0]).write_text(step.text, encoding="utf-8")
        return Ended("done")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            status = cli.main(list(step.arguments))
    except SystemExit as error:
        status = error.code
    except BaseException:
        return Ended("wrong", traceback.format_exc())
    lines = [
        line for line in said.getvalue().splitlines() if line and "Warning" not in line and not line.startswith("  ")
    ]
    if status == 0:
        missing = [path for path in step.outputs if not os.path.exists(path)]
        return Ended("refused", f"{step.rule}: {missing} is gone") if missing else Ended("done")
    return Ended("refused" if len(lines) == 1 else "wrong", "\n".join(lines))
