"""The kinds of faults: what happens to the small study, and what becomes of it. Each is `function(lab, random) -> (verdict, what was
said)`."""

import random as randoms
from collections.abc import Callable

from . import damage, interruptions, stale
from .common import Verdict
from .lab import Lab

# By name: the function, and its share of all trials.
KINDS: dict[str, tuple[Callable[[Lab, randoms.Random], Verdict], int]] = {
    "killed at a random moment": (interruptions.killed, 3),
    "killed inside a write": (interruptions.killed_inside_a_write, 3),
    "full disk": (interruptions.full_disk, 3),
    "bits flipped": (damage.bits_flipped, 6),
    "truncated": (damage.truncated, 4),
    "exchanged": (damage.exchanged, 5),
    "written late by a job of other settings": (damage.of_other_settings, 3),
    "removed": (damage.removed, 2),
    "killed, then other settings": (stale.after_other_settings, 3),
    "killed, then other code": (stale.after_other_code, 3),
    "killed, then partial files damaged": (stale.parts_damaged, 3),
    "a job that outlives its main process": (stale.orphan, 3),
    "two main processes at once": (stale.two_mains, 2),
    "read-only folder": (interruptions.read_only, 2),
    "clock set": (damage.clock, 2),
    "download interrupted or false": (interruptions.download, 3),
}
