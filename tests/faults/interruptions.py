"""Kills, full disks, folders that cannot be written to, and downloads that end early or lie."""

import ctypes
import os
import random as randoms
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from .common import Verdict, undo
from .forks import Ended
from .lab import Lab
from .study import MOODS
from .workflow import Workflow


def killed(lab: Lab, random: randoms.Random) -> Verdict:
    """SIGKILL at a random moment, up to three times."""
    lab.finished()
    undo(lab, random)
    for _ in range(random.randint(1, 3)):
        ended = lab.wait(lab.start(lab.steps), random.uniform(0, lab.seconds / 2))
        if ended.how != "killed":
            return lab.verdict(ended)
    return lab.verdict()


def interrupted(lab: Workflow, random: randoms.Random) -> Verdict:
    """Ctrl-C or SIGTERM, by someone impatient."""
    lab.finished()
    undo(lab, random)
    lab.start(lab.steps)
    ended = lab.interrupt(random)
    return lab.verdict(ended if ended.how != "killed" else None)


def _limit(size: int, dies: bool) -> Callable[[], None]:
    def before() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if dies else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return before


def killed_inside_a_write(lab: Lab, random: randoms.Random) -> Verdict:
    """The process dies in the midst of a call that writes: it may write so many bytes to a file and no more."""
    lab.finished()
    undo(lab, random)
    for _ in range(random.randint(1, 2)):
        size = int(10 ** random.uniform(0, 5.5))
        ended = lab.wait(lab.start(lab.steps, _limit(size, True)))
        if ended.how != "killed":
            return lab.verdict(ended)
    return lab.verdict()


def full_disk(lab: Lab, random: randoms.Random) -> Verdict:
    """No room for more than so many bytes; then there is room."""
    if random.random() < 0.5 and (found := _on_a_small_disk(lab, random)):
        return found
    lab.finished()
    undo(lab, random)
    ended = lab.wait(lab.start(lab.steps, _limit(int(10 ** random.uniform(0, 5.5)), False)))
    return lab.verdict(ended)


def _on_a_small_disk(lab: Lab, random: randoms.Random) -> Verdict | None:
    """The same on a file system in memory; None where this process may mount none."""
    if os.geteuid() or not shutil.which("mount"):
        return None
    lab.empty()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1g", "tmpfs", str(lab.here)]
    if subprocess.run(mount, capture_output=True).returncode:
        return None
    try:
        shutil.copytree(lab.root / "right", lab.here, symlinks=True, dirs_exist_ok=True)
        undo(lab, random)
        free = os.statvfs(lab.here)
        used = (free.f_blocks - free.f_bfree) * free.f_frsize
        resize = ["mount", "-o", f"remount,size={used + random.randint(1, 100) * 4096}", str(lab.here)]
        subprocess.run(resize, check=True)
        ended = lab.wait(lab.start(lab.steps))
        subprocess.run([*resize[:2], "remount,size=1g", resize[-1]], check=True)
        return lab.verdict(ended)
    finally:
        subprocess.run(["umount", "-l", str(lab.here)], check=True)


def read_only(lab: Lab, random: randoms.Random) -> Verdict:
    """A folder that cannot be written to; then it can."""
    lab.finished()
    undo(lab, random)
    folder = lab.here / random.choice(("results", "results", "results/records", "results/tabular"))
    modes = {path: path.stat().st_mode for path in [folder, *folder.rglob("*")] if path.is_dir()}
    if os.geteuid():
        for path in modes:
            path.chmod(0o555)
    try:
        ended = lab.wait(lab.start(lab.steps, lambda: _remount(folder) if not os.geteuid() else None))
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    return lab.verdict(ended)


def _remount(folder: Path) -> None:
    """For this process alone; root may write everywhere else."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_namespace, read_only, remount, bind, recursive, private = 0x20000, 1, 32, 4096, 16384, 1 << 18
    place = str(folder).encode()
    steps = (
        lambda: libc.unshare(new_namespace),
        lambda: libc.mount(b"none", b"/", None, recursive | private, None),
        lambda: libc.mount(place, place, None, bind, None),
        lambda: libc.mount(place, place, None, bind | remount | read_only, None),
    )
    for step in steps:
        if step():
            return  # a container that may not: then the folder can be written to, and nothing happens
    os.chdir(Path.cwd())


def download(lab: Lab, random: randoms.Random) -> Verdict:
    """A download that is interrupted, late, or another file than it says."""
    lab.finished()
    mood = random.choice(MOODS)
    folder = lab.here / "results/datasets/raw/houses"
    for path in folder.iterdir():
        path.unlink()
    lab.origin.behave(f"{mood} {random.random()}" if mood == "one bit" else mood)
    try:
        ended = lab.wait(lab.start(lab.steps))
    finally:
        lab.origin.behave("well")
    if ended.how == "done":
        return "falsified", f"{mood} was taken"
    verdict, said = lab.verdict(Ended("refused", ended.said) if ended.how == "refused" else ended)
    return verdict, f"{mood}: {said}"
