"""The faults: what happens to the small study, and what becomes of it. Each is `function(lab, random) -> (verdict, what was said)`."""

import contextlib
import ctypes
import os
import random as randoms
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .lab import Ended, Lab, run, wait
from .study import MOODS, Step

Verdict = tuple[str, str]
_TRAINS = ("tune_dataset", "train_tabular", "train_images", "train_imagenet", "sensitivity")
_PARTIAL = ("results/**/*.checkpoint", "results/tabular/*/tune/*.parquet", "results/tabular/*/train/*.parquet")


def undo(lab: Lab, random: randoms.Random, rules: tuple[str, ...] = ()) -> list[Step]:
    """Remove what one to three jobs made, of these rules; what depends on it is then to be made anew, too."""
    jobs = [step for step in lab.steps if step.text is None and (not rules or step.rule in rules)]
    chosen = random.sample(jobs, random.randint(1, 3))
    for path in (path for step in chosen for path in step.outputs):
        (lab.here / path).unlink(missing_ok=True)
    return chosen


def killed(lab: Lab, random: randoms.Random) -> Verdict:
    """SIGKILL at a random moment, up to three times."""
    lab.finished()
    undo(lab, random)
    for _ in range(random.randint(1, 3)):
        ended = wait(run(lab.here, lab.steps), lab.here, random.uniform(0, lab.seconds / 2))
        if ended.how != "killed":
            return lab.verdict(ended)
    return lab.verdict()


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
        ended = wait(run(lab.here, lab.steps, _limit(size, True)), lab.here)
        if ended.how != "killed":
            return lab.verdict(ended)
    return lab.verdict()


def full_disk(lab: Lab, random: randoms.Random) -> Verdict:
    """No room for more than so many bytes; then there is room."""
    if random.random() < 0.5 and (found := _on_a_small_disk(lab, random)):
        return found
    lab.finished()
    undo(lab, random)
    ended = wait(run(lab.here, lab.steps, _limit(int(10 ** random.uniform(0, 5.5)), False)), lab.here)
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
        ended = wait(run(lab.here, lab.steps), lab.here)
        subprocess.run([*resize[:2], "remount,size=1g", resize[-1]], check=True)
        return lab.verdict(ended)
    finally:
        subprocess.run(["umount", "-l", str(lab.here)], check=True)


def _damageable(lab: Lab) -> list[str]:
    return [path for path in lab.files() if lab.readers(path)]


def _damage(lab: Lab, random: randoms.Random, change: Callable[[bytes], bytes], most: int) -> Verdict:
    lab.finished()
    paths = random.sample(_damageable(lab), random.randint(1, most))
    for path in paths:
        _rewrite(lab.here / path, change, random.random() < 0.5)
    for path in paths:
        lab.forget_readers(path)
    verdict, said = lab.verdict()
    return verdict, f"{', '.join(paths)}: {said}"


def _rewrite(path: Path, change: Callable[[bytes], bytes], quietly: bool) -> None:
    """Change the bytes of a file; quietly, as a disk does it: its time stays."""
    state = path.stat()
    path.write_bytes(change(path.read_bytes()))
    if quietly:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def _flipped(random: randoms.Random) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(random.choice((1, 1, 2, 8))):
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        return bytes(changed)

    return change


def _cut(random: randoms.Random) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        place = random.choice((0, random.randrange(len(content)), len(content) - 1))
        return content[:place] + random.choice((b"", bytes(len(content) - place), b"", random.randbytes(20)))

    return change


def bits_flipped(lab: Lab, random: randoms.Random) -> Verdict:
    """One to eight bits in one to three files."""
    return _damage(lab, random, _flipped(random), 3)


def truncated(lab: Lab, random: randoms.Random) -> Verdict:
    """A file that ends early, is empty, or goes on with zeros or other bytes."""
    return _damage(lab, random, _cut(random), 2)


def exchanged(lab: Lab, random: randoms.Random) -> Verdict:
    """A file in another one's place, or both in each other's: another run's, beta's, cell's, data set's or stage's."""
    lab.finished()
    files = _damageable(lab)
    one = random.choice(files)
    alike = [path for path in files if path != one and Path(path).suffix == Path(one).suffix]
    close = [path for path in alike if Path(path).name == Path(one).name]
    other = random.choice(close if close and random.random() < 0.7 else alike or files)
    first, second = (lab.here / path for path in (one, other))
    content = first.read_bytes()
    shutil.copy2(second, first)
    if random.random() < 0.5:
        second.write_bytes(content)
    for path in (one, other):
        lab.forget_readers(path)
    verdict, said = lab.verdict()
    return verdict, f"{one}, {other}: {said}"


def of_other_settings(lab: Lab, random: randoms.Random) -> Verdict:
    """A file that a job of other settings wrote late, with all that belongs to it."""
    lab.finished()
    paths = [
        path for path in _damageable(lab) if (lab.root / "other" / path).read_bytes() != (lab.here / path).read_bytes()
    ]
    for path in random.sample(paths, random.randint(1, 2)):
        shutil.copyfile(lab.root / "other" / path, lab.here / path)
        lab.forget_readers(path)
    verdict, said = lab.verdict()
    return verdict, f"{path}: {said}"


def removed(lab: Lab, random: randoms.Random) -> Verdict:
    """Files that are gone, and a folder."""
    lab.finished()
    for path in random.sample(lab.files(), random.randint(1, 5)):
        lab.forget_readers(path)
        (lab.here / path).unlink(missing_ok=True)
    if random.random() < 0.3:
        shutil.rmtree(random.choice([path for path in (lab.here / "results").iterdir() if path.is_dir()]))
    return lab.verdict()


def _killed_with_parts(lab: Lab, random: randoms.Random, steps: list[Step], before=None, at_once: bool = False) -> None:
    """Run until partial files are there, or a random moment, and kill it."""
    until = time.monotonic() + (lab.seconds if at_once else random.uniform(0, lab.seconds))
    child = run(lab.here, steps, before)
    ended = 0
    while not ended and time.monotonic() < until and not (at_once and _parts(lab)):
        time.sleep(0.002)
        ended, _ = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)


def _parts(lab: Lab) -> list[Path]:
    return sorted(path for pattern in _PARTIAL for path in lab.here.glob(pattern))


def after_other_settings(lab: Lab, random: randoms.Random) -> Verdict:
    """Killed, and then the settings are changed: partial files and finished ones of the old ones lie there."""
    lab.finished("other")
    undo(lab, random, _TRAINS)
    _killed_with_parts(lab, random, lab.other_steps, at_once=random.random() < 0.7)
    return lab.verdict()


def after_other_code(lab: Lab, random: randoms.Random) -> Verdict:
    """Killed, and then the code is changed: what the old code left lies there, whole and in parts."""
    lab.finished()
    undo(lab, random, _TRAINS)
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
        return drawn(*identity, "other") if "optimiser" in identity or "train" in str(identity) else drawn(*identity)

    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("learner_collusion"):
            for name, old, new in (("fingerprint", known, fingerprint), ("generator", drawn, generator)):
                if getattr(module, name, None) is old:
                    setattr(module, name, new)


def parts_damaged(lab: Lab, random: randoms.Random) -> Verdict:
    """Killed in the midst, and what it left for the next run is damaged, or another one's."""
    lab.finished()
    undo(lab, random, _TRAINS[:-1])
    _killed_with_parts(lab, random, lab.steps, at_once=True)
    found = _parts(lab)
    if not found:
        return lab.verdict()
    path = random.choice(found)
    kind = random.choice(("flip", "cut", "other"))
    if kind == "other" and len(found) > 1:
        shutil.copyfile(random.choice([one for one in found if one != path]), path)
    else:
        _rewrite(path, _cut(random) if kind == "cut" else _flipped(random), False)
    verdict, said = lab.verdict()
    return verdict, f"{kind} {path.relative_to(lab.here)}: {said}"


def orphan(lab: Lab, random: randoms.Random) -> Verdict:
    """A job of other settings outlives its main process, and writes late: while or after the next one works."""
    lab.finished("other")
    (late,) = random.sample([step for step in lab.other_steps if step.rule in _TRAINS], 1)
    for path in late.outputs:
        (lab.here / path).unlink()
    child = run(lab.here, [late], alone=True)
    time.sleep(random.uniform(0, lab.seconds / 20))
    os.killpg(child, signal.SIGSTOP)
    if random.random() < 0.5:
        ended = lab.goes_on()
        os.killpg(child, signal.SIGCONT)
        _end(child)
    else:
        main = run(lab.here, lab.steps)
        time.sleep(random.uniform(0, lab.seconds / 2))
        os.killpg(child, signal.SIGCONT)
        ended = wait(main, lab.here)
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
    first = run(lab.here, lab.steps)
    time.sleep(random.uniform(0, lab.seconds / 10))
    second = run(lab.here, lab.steps)
    for child in (first, second):
        ended = wait(child, lab.here)
        if ended.how == "wrong":
            return "lost", ended.said
    return lab.verdict()


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
        ended = wait(run(lab.here, lab.steps, lambda: _remount(folder) if not os.geteuid() else None), lab.here)
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


def clock(lab: Lab, random: randoms.Random) -> Verdict:
    """Files from the future or the past, as of a clock that was set."""
    lab.finished()
    undo(lab, random)
    now = time.time()
    for path in random.sample(lab.files(), random.randint(1, 8)):
        when = now + random.choice((-1, 1)) * 10 ** random.uniform(0, 8)
        os.utime(lab.here / path, (when, when))
    return lab.verdict()


def download(lab: Lab, random: randoms.Random) -> Verdict:
    """A download that is interrupted, late, or another file than it says."""
    lab.finished()
    mood = random.choice(MOODS)
    folder = lab.here / "results/datasets/raw/houses"
    for path in folder.iterdir():
        path.unlink()
    lab.origin.behave(f"{mood} {random.random()}" if mood == "one bit" else mood)
    try:
        ended = wait(run(lab.here, lab.steps), lab.here)
    finally:
        lab.origin.behave("well")
    if ended.how == "done":
        return "falsified", f"{mood} was taken"
    verdict, said = lab.verdict(Ended("refused", ended.said) if ended.how == "refused" else ended)
    return verdict, f"{mood}: {said}"


# By name: the function, and its share of all trials.
KINDS: dict[str, tuple[Callable[[Lab, randoms.Random], Verdict], int]] = {
    "killed at a random moment": (killed, 3),
    "killed inside a write": (killed_inside_a_write, 3),
    "full disk": (full_disk, 3),
    "bits flipped": (bits_flipped, 6),
    "truncated": (truncated, 4),
    "exchanged": (exchanged, 5),
    "written late by a job of other settings": (of_other_settings, 3),
    "removed": (removed, 2),
    "killed, then other settings": (after_other_settings, 3),
    "killed, then other code": (after_other_code, 3),
    "killed, then partial files damaged": (parts_damaged, 3),
    "a job that outlives its main process": (orphan, 3),
    "two main processes at once": (two_mains, 2),
    "read-only folder": (read_only, 2),
    "clock set": (clock, 2),
    "download interrupted or false": (download, 3),
}
