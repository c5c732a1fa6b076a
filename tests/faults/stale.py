"""What other settings, other code or another process have left, whole or in parts, early or late."""

import contextlib
import os
import random as randoms
import shutil
import signal
import sys
import time
from pathlib import Path

from . import forks
from .common import TRAINS, Verdict, cut, flipped, rewrite, undo
from .lab import Lab
from .study import Step

_PARTIAL = ("results/**/*.checkpoint", "results/tabular/*/tune/*.parquet", "results/tabular/*/train/*.parquet")


def _killed_with_parts(lab: Lab, random: randoms.Random, steps: list[Step], before=None, at_once: bool = False) -> None:
    """Run until partial files are there, or a random moment, and kill it."""
    until = time.monotonic() + (lab.seconds if at_once else random.uniform(0, lab.seconds))
    child = lab.start(steps, before)
    ended = 0
    while not ended and time.monotonic() < until and not (at_once and _parts(lab)):
        time.sleep(0.002)
        ended, _ = os.waitpid(child, os.WNOHANG)
    if not ended:
        forks.kill(child)


def _parts(lab: Lab) -> list[Path]:
    try:
        return sorted(path for pattern in _PARTIAL for path in lab.here.glob(pattern))
    except FileNotFoundError:  # a folder went while its parent was listed, which Python before 3.13 does not pass over
        return []


def after_other_settings(lab: Lab, random: randoms.Random) -> Verdict:
    """Killed, and then the settings are changed: partial files and finished ones of the old ones lie there."""
    lab.finished("other")
    undo(lab, random, TRAINS)
    _killed_with_parts(lab, random, lab.other_steps, at_once=random.random() < 0.7)
    return lab.verdict()


def after_other_code(lab: Lab, random: randoms.Random) -> Verdict:
    """Killed, and then the code is changed: what the old code left lies there, whole and in parts."""
    lab.finished()
    undo(lab, random, TRAINS)
    _killed_with_parts(lab, random, [_of_other_code(step) for step in lab.steps], _other_code, random.random() < 0.7)
    return lab.verdict()


_OTHER = "f" * 12


def _of_other_code(step: Step) -> Step:
    """The same job as it is planned where the code of the stages that train is another one."""
    stages = ("tune", "train_tabular", "train_images", "train_imagenet", "sensitivity")

    def other(word: str) -> str:
        key, _, digest = word.rpartition("/")
        return (
            f"{key}/{_OTHER}"
            if "=" in key and key.partition("=")[0].partition("/")[0] in stages and len(digest) == 12
            else word
        )

    return Step(step.rule, step.inputs, step.outputs, tuple(map(other, step.arguments)), step.text)


def _other_code() -> None:
    """In the process of a run: the stages that train draw other random numbers, and have another fingerprint."""
    import numpy as np

    from learner_collusion import seeds
    from learner_collusion.plan import provenance

    known, drawn = provenance.fingerprint, seeds.generator

    def fingerprint(*roots: str) -> str:
        trains = any(root.startswith(("stages.tune", "stages.train", "stages.sensitivity")) for root in roots)
        return _OTHER if trains else known(*roots)

    def generator(*identity) -> np.random.Generator:
        data = {"drawn", "sample", "dropped"} & set(map(str, identity))  # of stages that are as they were
        return drawn(*identity) if data else drawn(*identity, "other")

    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("learner_collusion"):
            for name, old, new in (("fingerprint", known, fingerprint), ("generator", drawn, generator)):
                if getattr(module, name, None) is old:
                    setattr(module, name, new)


def parts_damaged(lab: Lab, random: randoms.Random) -> Verdict:
    """Killed in the midst, and what it left for the next run is damaged, or another one's."""
    lab.finished()
    undo(lab, random, TRAINS[:-1])
    _killed_with_parts(lab, random, lab.steps, at_once=True)
    found = _parts(lab)
    if not found:
        return lab.verdict()
    path = random.choice(found)
    kind = random.choice(("flip", "cut", "other"))
    if kind == "other" and len(found) > 1:
        shutil.copyfile(random.choice([one for one in found if one != path]), path)
    else:
        rewrite(path, cut(random) if kind == "cut" else flipped(random), False)
    verdict, said = lab.verdict()
    return verdict, f"{kind} {path.relative_to(lab.here)}: {said}"


def orphan(lab: Lab, random: randoms.Random) -> Verdict:
    """A job of other settings outlives its main process, and writes late: while or after the next one works."""
    lab.finished("other")
    (late,) = random.sample([step for step in lab.other_steps if step.rule in TRAINS], 1)
    for path in late.outputs:
        (lab.here / path).unlink()
    child = lab.start([late], alone=True)
    time.sleep(random.uniform(0, lab.seconds / 20))
    os.kill(child, signal.SIGSTOP)
    if random.random() < 0.5:
        ended = lab.goes_on()
        os.kill(child, signal.SIGCONT)
        _end(child)
    else:
        main = lab.start(lab.steps)
        time.sleep(random.uniform(0, lab.seconds / 2))
        os.kill(child, signal.SIGCONT)
        ended = lab.wait(main)
        _end(child)
    if ended.how == "wrong":
        return "lost", ended.said
    lab.forget_readers(random.choice(late.outputs))
    return lab.verdict()


def _end(child: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, 0)


def two_mains(lab: Lab, random: randoms.Random) -> Verdict:
    """Two main processes at once in one folder, as with --nolock."""
    lab.finished()
    undo(lab, random)
    first = lab.start(lab.steps)
    time.sleep(random.uniform(0, lab.seconds / 10))
    second = lab.start(lab.steps)
    for child in (first, second):
        ended = lab.wait(child)
        if ended.how == "wrong":
            return "lost", ended.said
    return lab.verdict()
