"""SIGTERM, which a scheduler sends some time before it kills: training ends after its next step, with a checkpoint.

The loop asks `asked()` after each step, saves, and calls `leave()`. Whoever never calls `listen()` ends at once, as ever.
"""

import contextlib
import signal
import sys

STATUS = 128 + signal.SIGTERM  # what a shell reports of a process that the signal ended
_received = False


def listen() -> None:
    """From now on SIGTERM only leaves a note; call it in the main thread, before what takes long."""
    global _received
    _received = False
    signal.signal(signal.SIGTERM, _note)


def asked() -> bool:
    """Whether this process is to end."""
    return _received


def leave(saved: bool, say: bool = True) -> None:
    """End this process, so that the scheduler or Snakemake starts it again; whoever read its output may be gone already."""
    if say:
        with contextlib.suppress(OSError):
            how = "its checkpoint is written" if saved else "it has no checkpoint"
            print(f"Ended by SIGTERM: {how}; the same command goes on.", flush=True)
    sys.exit(STATUS)


def _note(*_) -> None:
    global _received
    _received = True
