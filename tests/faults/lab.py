"""Where faults are tried: a folder with the small study, and forks of this process, which has imported everything, that run its jobs
one after the other as Snakemake would."""

import contextlib
import io
import json
import os
import re
import resource
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from . import study
from .study import FINALS, Step

LONGEST = 120  # seconds of a run, after which it hangs
_ROUNDS = 8  # repairs of one fault: one may damage several files
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


def run(folder: Path, steps: Iterable[Step], before: Callable[[], None] | None = None, alone: bool = False) -> int:
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
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
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


class Lab:
    """The folder `here`, in which each trial begins anew with a copy of what undisturbed runs made. It has one path: the list of
    pictures holds it."""

    def __init__(self, root: Path):
        self.root, self.here = root, root / "here"
        root.mkdir(parents=True, exist_ok=True)
        self.origin = study.Origin(root)
        configuration = study.write(root, self.origin.port)
        self.here.mkdir()
        self.steps = study.steps([configuration[0]], self.here)
        self.other_steps = study.steps(list(configuration), self.here)
        self.configuration = configuration
        self.other = self._undisturbed("other", self.other_steps)
        self.right = self._undisturbed("right", self.steps)
        assert all(self.other[name] != self.right[name] for name in FINALS), "the other settings change nothing"

    def close(self) -> None:
        self.origin.close()

    def _undisturbed(self, name: str, steps: list[Step]) -> dict[str, bytes]:
        self.empty()
        start = time.monotonic()
        ended = wait(run(self.here, steps), self.here)
        assert ended.how == "done", ended.said
        self.seconds = time.monotonic() - start
        shutil.copytree(self.here, self.root / name, symlinks=True)
        return self.finals()

    def empty(self) -> None:
        """Begin with nothing."""
        shutil.rmtree(self.here, ignore_errors=True)
        self.here.mkdir()

    def finished(self, name: str = "right") -> None:
        """Begin with all that an undisturbed run made."""
        shutil.rmtree(self.here, ignore_errors=True)
        shutil.copytree(self.root / name, self.here, symlinks=True)

    def finals(self) -> dict[str, bytes]:
        """The final records as they lie there."""
        paths = {name: self.here / name for name in FINALS}
        return {name: path.read_bytes() for name, path in paths.items() if path.exists()}

    def files(self) -> list[str]:
        """All files of results, but logs."""
        return sorted(
            str(path.relative_to(self.here))
            for path in (self.here / "results").rglob("*")
            if path.is_file() and "logs" not in path.parts
        )

    def readers(self, path: str) -> list[Step]:
        """The jobs that read a file, or the one that it lies beside."""
        named = path.removesuffix(".made.json")
        read = {named} | ({"results/datasets/shapes.pictures.parquet"} if named.endswith("pictures.tar") else set())
        return [step for step in self.steps if read & set(step.inputs)]

    def forget_readers(self, path: str) -> None:
        """Remove what was made of a file, so that the next run reads it."""
        for step in self.readers(path):
            for output in step.outputs:
                (self.here / output).unlink(missing_ok=True)

    def goes_on(self, steps: list[Step] | None = None) -> Ended:
        """The next run, undisturbed."""
        return wait(run(self.here, steps or self.steps), self.here)

    def verdict(
        self, ended: Ended | None = None, steps: list[Step] | None = None, expected: dict | None = None
    ) -> tuple[str, str]:
        """What became of a fault: (repaired, refused, lost or falsified; what was said). Without `ended` the next run says so."""
        expected = expected or self.right
        ended = ended or self.goes_on(steps)
        refused = ""
        for _ in range(_ROUNDS):
            if ended.how == "done":
                found = self.finals()
                if found != expected:
                    wrong = [name for name in FINALS if found.get(name) != expected[name]]
                    return "falsified" if not refused else "lost", f"other bytes in {', '.join(wrong)} {refused}"
                return ("refused", refused) if refused else ("repaired", "")
            if ended.how != "refused":
                return "lost", ended.said
            refused = ended.said
            self._as_told(ended.said)
            ended = self.goes_on(steps)
        return "lost", f"refused {_ROUNDS} times: {ended.said}"

    def _as_told(self, sentence: str) -> None:
        """Do what a refusal asks for."""
        named = r"(?:\./)?(results/[^\s:,;()']+|/[^\s:,;()']*/results/[^\s:,;()']+)"
        if told := re.search(rf"delete {named}", sentence) or ("delete" in sentence and re.search(named, sentence)):
            path = self.here / told[1].rstrip(".")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
