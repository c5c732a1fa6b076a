"""Random numbers that depend on what a thing is, and on nothing that ran before it."""

import hashlib

import numpy as np


def generator(*identity) -> np.random.Generator:
    """A generator for the thing named by `identity`, such as (seed, "abalone", run, "split"); beta is never part of it,
    so that all betas of a run share their split, initial weights and batches."""
    digest = hashlib.sha256(repr(identity).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
