"""The native library, one shared object that `pip install` compiles if it can, called through ctypes.

Three parts, each with its Python binding beside its C++: `native.engine` trains sweeps of MLPs, `native.process` is the
Gaussian process of their tuning, `native.convolution` is a layer for CNNs. ctypes releases the GIL while the library runs.
For tests and measurements: set LEARNER_COLLUSION_ISA to portable or avx2 to use less than the machine offers,
LEARNER_COLLUSION_NATIVE to the path of another build, or to none as if there were none.
"""

import ctypes
import functools
import importlib.machinery
import os
from pathlib import Path

_INSTRUCTION_SETS = {"auto": 0, "portable": 1, "avx2": 2, "avx512": 3}


@functools.cache
def compiled() -> ctypes.CDLL | None:
    """The compiled library, or None if the package was installed without a C++ compiler."""
    if path := os.environ.get("LEARNER_COLLUSION_NATIVE"):
        return None if path == "none" else ctypes.CDLL(path)
    for suffix in importlib.machinery.EXTENSION_SUFFIXES:
        path = Path(__file__).with_name("_native" + suffix)
        if path.exists():
            return ctypes.CDLL(str(path))
    return None


def instruction_set() -> str:
    """The instruction set that the library uses on this machine: portable, avx2 or avx512."""
    chosen = compiled().collusion_instruction_set(wanted())
    return next(name for name, number in _INSTRUCTION_SETS.items() if number == chosen)


def wanted() -> int:
    """The number of the requested instruction set, as the library counts them; 0 for the best of the machine."""
    name = os.environ.get("LEARNER_COLLUSION_ISA", "auto")
    if name not in _INSTRUCTION_SETS:
        raise ValueError(f"LEARNER_COLLUSION_ISA is {name!r}: set it to one of {', '.join(_INSTRUCTION_SETS)}.")
    return _INSTRUCTION_SETS[name]
