"""Files that are damaged, gone, another one's, or of another time."""

import os
import random as randoms
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from .common import Verdict, cut, flipped, rewrite, undo
from .lab import Lab


def _damageable(lab: Lab) -> list[str]:
    return [path for path in lab.files() if lab.readers(path)]


def _damage(lab: Lab, random: randoms.Random, change: Callable[[bytes], bytes], most: int) -> Verdict:
    lab.finished()
    paths = random.sample(_damageable(lab), random.randint(1, most))
    for path in paths:
        rewrite(lab.here / path, change, random.random() < 0.5)
    for path in paths:
        lab.forget_readers(path)
    verdict, said = lab.verdict()
    return verdict, f"{', '.join(paths)}: {said}"


def bits_flipped(lab: Lab, random: randoms.Random) -> Verdict:
    """One to eight bits in one to three files."""
    return _damage(lab, random, flipped(random), 3)


def truncated(lab: Lab, random: randoms.Random) -> Verdict:
    """A file that ends early, is empty, or goes on with zeros or other bytes."""
    return _damage(lab, random, cut(random), 2)


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


def restored(lab: Lab, random: randoms.Random) -> Verdict:
    """All results of other settings in the place of the right ones, with their old times, or Snakemake's own notes lost as well: it
    finds nothing to do."""
    lab.finished()
    lost = random.random() < 0.5
    wanted = (lab.other_steps, lab.other) if lost else (lab.steps, lab.right)
    if lost:  # finished, and then other settings are asked for
        shutil.rmtree(lab.here / ".snakemake")
    else:
        shutil.copytree(lab.root / "other/results", lab.here / "results", dirs_exist_ok=True)
        when = time.time() - 1e5
        for path in sorted(lab.here.glob("results/**/*")):
            os.utime(path, (when, when))
    verdict, said = lab.verdict(steps=wanted[0], expected=wanted[1])
    return verdict, f"{'notes lost' if lost else 'other results'}: {said}"


def removed(lab: Lab, random: randoms.Random) -> Verdict:
    """Files that are gone, and a folder."""
    lab.finished()
    for path in random.sample(lab.files(), random.randint(1, 5)):
        lab.forget_readers(path)
        (lab.here / path).unlink(missing_ok=True)
    if random.random() < 0.3:
        shutil.rmtree(random.choice([path for path in (lab.here / "results").iterdir() if path.is_dir()]))
    return lab.verdict()


def clock(lab: Lab, random: randoms.Random) -> Verdict:
    """Files from the future or the past, as of a clock that was set."""
    lab.finished()
    undo(lab, random)
    now = time.time()
    for path in random.sample(lab.files(), random.randint(1, 8)):
        when = now + random.choice((-1, 1)) * 10 ** random.uniform(0, 8)
        os.utime(lab.here / path, (when, when))
    return lab.verdict()
