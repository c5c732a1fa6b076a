"""Where faults are tried: a folder with the small study, and what is asked after each."""

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from . import forks, study
from .forks import Ended
from .study import FINALS, Step

_ROUNDS = 8  # repairs of one fault: one may damage several files


class Lab:
    """The folder `here`, in which each trial begins anew with a copy of what undisturbed runs made. It has one path: the list of
    pictures holds it."""

    targets = FINALS

    def __init__(self, root: Path):
        self.root, self.here = root, root / "here"
        self.forced: list[str] = []  # what a sentence said that the next run has to make anew
        root.mkdir(parents=True, exist_ok=True)
        self.origin = study.Origin(root)
        self.configuration = study.write(root, self.origin.port)
        self.here.mkdir()
        self.steps = study.steps([self.configuration[0]], self.here, self.targets)
        self.other_steps = study.steps(list(self.configuration), self.here, self.targets)
        self.other = self._undisturbed("other", self.other_steps)
        self.right = self._undisturbed("right", self.steps)
        assert all(self.other[name] != self.right[name] for name in self.targets), "the other settings change nothing"

    def start(self, steps: list[Step], before: Callable[[], None] | None = None, alone: bool = False) -> int:
        """Start a run; its process id. `before` is called in it first; `alone`: one job without a main process."""
        return forks.start(self.here, steps, before, alone)

    def wait(self, child: int, seconds: float = forks.LONGEST) -> Ended:
        """How a run ends; after so many seconds it is killed."""
        return forks.wait(child, self.here, seconds)

    def close(self) -> None:
        self.origin.close()

    def _undisturbed(self, name: str, steps: list[Step]) -> dict[str, bytes]:
        self.empty()
        start = time.monotonic()
        ended = self.wait(self.start(steps))
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
        paths = {name: self.here / name for name in self.targets}
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
        self.forget(*self.readers(path))

    def forget(self, *jobs: Step) -> None:
        """Remove what these jobs made, and all that was made of it: Snakemake misses nothing whose targets are there."""
        waiting, seen = list(jobs), set()
        while waiting:
            step = waiting.pop()
            for output in set(step.outputs) - seen:
                seen.add(output)
                (self.here / output).unlink(missing_ok=True)
                waiting += self.readers(output)

    def goes_on(self, steps: list[Step] | None = None) -> Ended:
        """The next run, undisturbed."""
        return self.wait(self.start(steps or self.steps))

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
                    wrong = [name for name in self.targets if found.get(name) != expected[name]]
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
        self.forced = sentence.partition(" --forcerun ")[2].split()
        named = r"(?:\./)?(results/[^\s:,;()']+|/[^\s:,;()']*/results/[^\s:,;()']+)"
        if told := re.search(rf"delete {named}", sentence) or ("delete" in sentence and re.search(named, sentence)):
            path = self.here / told[1].rstrip(".")
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
