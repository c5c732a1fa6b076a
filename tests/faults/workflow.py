"""The tabular half of the study under Snakemake itself: slower by far, so a few faults alone."""

import os
import random as randoms
import re
import signal
import subprocess
from collections.abc import Callable

from workflows import ROOT, SNAKEMAKE, without_mirror

from .forks import Ended
from .lab import Lab
from .study import Step

LONGEST = 600  # seconds of a run, after which it hangs


class Workflow(Lab):
    """A `Lab` whose runs are Snakemake's. What a run is planned from is the configuration, so `steps` only say which one it is."""

    targets = ("results/records/tabular.parquet", "results/claims/tabular.parquet", "results/claims/tabular.md")

    def start(self, steps: list[Step], before: Callable[[], None] | None = None, alone: bool = False) -> int:
        """As `Lab`; a job without a main process is none of Snakemake's."""
        assert not alone
        files = self.configuration if steps is self.other_steps else self.configuration[:1]
        forced = ["--forcerun", *self.forced] if self.forced else []
        self.forced = []
        command = [
            SNAKEMAKE,
            "--cores",
            "2",
            "--configfile",
            *files,
            "--directory",
            self.here,
            *forced,
            "--",
            *self.targets,
        ]
        environment = without_mirror(
            {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))}
        )
        log = open(self.root / "log", "wb")  # noqa: SIM115 (the process has it)
        self.process = subprocess.Popen(
            list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=ROOT, env=environment,
            preexec_fn=before, start_new_session=True,
        )  # fmt: skip
        return self.process.pid

    def interrupt(self, random: randoms.Random) -> Ended:
        """One to three times Ctrl-C, or SIGTERM, at random moments: to the main process alone, or to its jobs as well, as a terminal
        does."""
        kind, group = random.choice((signal.SIGINT, signal.SIGINT, signal.SIGTERM)), random.random() < 0.5
        pause = random.uniform(0, self.seconds)
        for _ in range(random.randint(1, 3)):
            try:
                self.process.wait(pause)
                break
            except subprocess.TimeoutExpired:
                (os.killpg if group else os.kill)(self.process.pid, kind)
                pause = 10 ** random.uniform(-2, 1)
        ended = self.wait(self.process.pid)
        return ended if ended.how == "done" or ended.said == "no end" else Ended("killed")

    def wait(self, child: int, seconds: float = LONGEST) -> Ended:
        """As `Lab`; the main process alone is killed, and its jobs outlive it."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return Ended("killed") if seconds != LONGEST else Ended("wrong", "no end")
        said = (self.root / "log").read_text(encoding="utf-8", errors="replace")
        if status == 0:
            return Ended("done")
        if status < 0:
            return Ended("killed", signal.Signals(-status).name)
        sentences = list(dict.fromkeys(re.findall(r"^=+\n([a-z_]+: [^\n]+)\n=+$", said, re.M)))
        sentences += re.findall(r"^WorkflowError:\n(results/[^\n]+ --forcerun [^\n]+)$", said, re.M)
        if "Traceback" in said or not sentences:
            return Ended("wrong", said[-3000:])
        return Ended("refused", sentences[0])
