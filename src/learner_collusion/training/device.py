"""The device that a cell trains on: threads and precision, and one GPU of several for each process."""

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeVar

import torch

from .. import native
from ..errors import UserError
from .protocol import Hardware

T, R = TypeVar("T"), TypeVar("R")


def prepare_device(hardware: Hardware, own: bool = False) -> torch.device:
    """Set threads and precision, and choose a device; of several GPUs one that no other cell of this machine holds, or the first
    where all are held.

    Errors: UserError where PyTorch sees no GPU, or no free one for a process that needs its `own`, as each of a team does.
    """
    torch.set_num_threads(hardware.threads)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    set_precision(hardware.precision)
    if hardware.device == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            "The device is 'cuda', but PyTorch sees no GPU here: set `device` of images.hardware or imagenet.hardware, or "
            "--device, to cpu."
        )
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    position = lock_free_gpu(names)
    if position is None and own:
        raise UserError(
            f"Each process of a cell needs a GPU of its own, and none of {len(names)} here is free: set imagenet.hardware.gpus_per_job to "
            "as many as there are, or end what uses them."
        )
    position = position or 0
    torch.cuda.set_device(position)  # where streams and graphs are made
    return torch.device("cuda", position)


def set_precision(precision: str) -> None:
    """Whether products of float32 may be rounded to tf32; bf16 is for `autocast`."""
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"


def aside(step: Callable[[T], R], argument: T) -> R:
    """`step(argument)` on a CUDA stream of its own, as a step before the capture of a graph has to run."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        result = step(argument)
    torch.cuda.current_stream().wait_stream(stream)
    return result


# What users set so that a processor computes as a smaller one would.
_LIMITS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "LEARNER_COLLUSION_ISA")


def described(hardware: Hardware, device: torch.device) -> dict:
    """What the last bits of a cell depend on, beside the versions of packages (docs/reproducibility.md)."""
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "compile": hardware.compile,
        "threads": hardware.threads,
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "native": native.instruction_set() if native.compiled() is not None else None,
        "limits": {name: os.environ[name] for name in _LIMITS if name in os.environ},
    }


_locks: list = []  # holds open lock files; closed, and so released, when the process ends


def lock_free_gpu(names: list[str], folder: Path | None = None) -> int | None:
    """The position of the first name that no other process has locked, locked until this process ends; None if all are."""
    folder = folder or Path(tempfile.gettempdir())
    for position, name in enumerate(names):
        # an error where it is held, or where another user makes it at this moment
        with contextlib.ExitStack() as opened, contextlib.suppress(OSError):
            file = opened.enter_context(_opened(folder / f"learner-collusion-gpu-{name}.lock"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _locks.append(opened.pop_all())
            return position
    return None


def _opened(path: Path) -> IO:
    """To be locked. Another user's file can be read, and in a folder such as /tmp neither written nor opened as a new one."""
    try:
        return open(path, "rb")
    except FileNotFoundError:
        return open(path, "xb")


def autocast(hardware: Hardware, device: torch.device):
    """The context in which a forward pass runs at the precision of `hardware`."""
    if hardware.precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
