"""The native library: native/*.cpp, which `pip install` compiles where there is a compiler, called through ctypes.

`training.native_engine` trains with it, `native.convolution` is its layer for CNNs. ctypes releases the GIL while it runs.
For tests and measurements: set LEARNER_COLLUSION_ISA to portable or avx2 to use less than the machine has,
LEARNER_COLLUSION_NATIVE to use another build of the library.
"""

import ctypes
import functools
import importlib.machinery
import os
from pathlib import Path

_INSTRUCTION_SETS = {"auto": 0, "portable": 1, "avx2": 2, "avx512": 3}


@functools.cache
def compiled() -> ctypes.CDLL | None:
    """The compiled library, or None where the package was installed without a compiler."""
    if own := os.environ.get("LEARNER_COLLUSION_NATIVE"):
        return ctypes.CDLL(own)
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = Path(__file__).with_name("_native" + suffix)
        if path.exists():
            return ctypes.CDLL(str(path))
    return None


def instruction_set() -> str:
    """What the library runs on here: portable, avx2 or avx512."""
    best = compiled().collusion_instruction_set()
    return next(name for name, number in _INSTRUCTION_SETS.items() if number == min(best, wanted() or best))


def wanted() -> int:
    """The instruction set asked for, as the library counts them; 0 for the best of the machine."""
    name = os.environ.get("LEARNER_COLLUSION_ISA", "auto")
    if name not in _INSTRUCTION_SETS:
        raise ValueError(f"LEARNER_COLLUSION_ISA is {name!r}: set it to one of {', '.join(_INSTRUCTION_SETS)}.")
    return _INSTRUCTION_SETS[name]
