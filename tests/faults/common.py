"""What kinds of faults share."""

import os
import random as randoms
from collections.abc import Callable
from pathlib import Path

from .lab import Lab
from .study import Step

Verdict = tuple[str, str]
TRAINS = ("tune_dataset", "train_tabular", "train_images", "train_imagenet", "sensitivity")


def undo(lab: Lab, random: randoms.Random, rules: tuple[str, ...] = ()) -> list[Step]:
    """Remove what one to three jobs made, of these rules, and what was made of it."""
    jobs = [step for step in lab.steps if step.text is None and (not rules or step.rule in rules)]
    chosen = random.sample(jobs, random.randint(1, 3))
    lab.forget(*chosen)
    return chosen


def rewrite(path: Path, change: Callable[[bytes], bytes], quietly: bool) -> None:
    """Change the bytes of a file; quietly, as a disk does it: its time stays."""
    state = path.stat()
    path.write_bytes(change(path.read_bytes()))
    if quietly:
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def flipped(random: randoms.Random) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(random.choice((1, 1, 2, 8))):
            changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
        return bytes(changed)

    return change


def cut(random: randoms.Random) -> Callable[[bytes], bytes]:
    def change(content: bytes) -> bytes:
        place = random.choice((0, random.randrange(len(content)), len(content) - 1))
        return content[:place] + random.choice((b"", bytes(len(content) - place), b"", random.randbytes(20)))

    return change
