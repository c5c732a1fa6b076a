"""The kinds of faults: what happens to the small study, and what becomes of it. Each is `function(lab, random) -> (verdict, what was
said)`."""

import random as randoms
from collections.abc import Callable
from typing import NamedTuple

from . import damage, interruptions, stale
from .common import Verdict
from .lab import Lab


class Kind(NamedTuple):
    """`share` of all trials; `snakemake`: done to runs of Snakemake itself, which take ten times as long."""

    function: Callable[[Lab, randoms.Random], Verdict]
    share: int
    snakemake: bool = False


KINDS = {
    "killed at a random moment": Kind(interruptions.killed, 12),
    "killed inside a write": Kind(interruptions.killed_inside_a_write, 12),
    "full disk": Kind(interruptions.full_disk, 12),
    "bits flipped": Kind(damage.bits_flipped, 25),
    "truncated": Kind(damage.truncated, 16),
    "exchanged": Kind(damage.exchanged, 20),
    "written late by a job of other settings": Kind(damage.of_other_settings, 12),
    "removed": Kind(damage.removed, 8),
    "killed, then other settings": Kind(stale.after_other_settings, 10),
    "killed, then other code": Kind(stale.after_other_code, 10),
    "killed, then partial files damaged": Kind(stale.parts_damaged, 12),
    "a job that outlives its main process": Kind(stale.orphan, 10),
    "two main processes at once": Kind(stale.two_mains, 8),
    "read-only folder": Kind(interruptions.read_only, 6),
    "clock set": Kind(damage.clock, 8),
    "download interrupted or false": Kind(interruptions.download, 12),
    "under Snakemake: killed": Kind(interruptions.killed, 4, True),
    "under Snakemake: interrupted": Kind(interruptions.interrupted, 4, True),
    "under Snakemake: killed, then other settings": Kind(stale.after_other_settings, 3, True),
    "under Snakemake: bits flipped": Kind(damage.bits_flipped, 3, True),
    "under Snakemake: exchanged": Kind(damage.exchanged, 3, True),
    "under Snakemake: written late by a job of other settings": Kind(damage.of_other_settings, 2, True),
    "under Snakemake: restored with their times": Kind(damage.restored, 3, True),
    "under Snakemake: clock set": Kind(damage.clock, 2, True),
}
