"""Order-independent seeding: each generator derives from the name of what it is for."""

import hashlib

import numpy as np


def generator(*identity) -> np.random.Generator:
    """A generator for the thing named by `identity`, such as (seed, "abalone", run, "split"); beta is never part of it,
    so that all betas of a run share their split, initial weights and batches."""
    digest = hashlib.sha256(repr(identity).encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))


def torch_seed(*identity) -> int:
    """A seed for PyTorch's generators, for the thing named by `identity`."""
    return int(generator(*identity).integers(2**62))
