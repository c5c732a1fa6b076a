"""The device that a cell trains on: threads and precision, and one GPU of several for each process."""

import contextlib
import fcntl
import tempfile
from pathlib import Path

import torch

from ..errors import UserError
from .protocol import Hardware


def prepare_device(hardware: Hardware) -> torch.device:
    """Set threads and precision, and choose a device; of several GPUs one that no other cell of this machine holds.

    Errors: UserError where PyTorch sees no GPU.
    """
    torch.set_num_threads(hardware.threads)
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = hardware.precision == "tf32"
    if hardware.device == "cpu":
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError(
            "The device is 'cuda', but PyTorch sees no GPU here: set images.hardware.device, or --device, to cpu."
        )
    names = [str(torch.cuda.get_device_properties(i).uuid) for i in range(torch.cuda.device_count())]
    return torch.device("cuda", lock_free_gpu(names))


_locks: list = []  # open lock files; closed, and so released, when the process ends


def lock_free_gpu(names: list[str], folder: Path | None = None) -> int:
    """The position of the first name that no other process has locked, locked until this process ends; 0 if all are."""
    folder = folder or Path(tempfile.gettempdir())
    for position, name in enumerate(names):
        file = open(folder / f"learner-collusion-gpu-{name}.lock", "w")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            continue
        _locks.append(file)
        return position
    return 0


def autocast(hardware: Hardware, device: torch.device):
    """The context in which a forward pass runs at the precision of `hardware`."""
    if hardware.precision == "bf16":
        return torch.autocast(device.type, torch.bfloat16)
    return contextlib.nullcontext()
