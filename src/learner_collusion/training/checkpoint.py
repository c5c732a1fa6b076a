"""Checkpoints of a training: written atomically and sealed; only one that is whole and of this training is used."""

import errno
from pathlib import Path

import torch

from .. import seals
from ..files import replacing


def save(path: Path, parts: dict, belongs: dict, device: torch.device) -> None:
    """Write the state of all `parts` (anything with `state_dict`) and of the random number generators; `belongs` (plain
    values) says which training they are of. Errors: OSError where it cannot be written, as on a full disk."""
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    states = {name: part.state_dict() for name, part in parts.items()}
    with replacing(path) as beside:
        try:
            torch.save({"belongs": belongs, "random": random, **states}, beside)
        except RuntimeError:  # what torch makes of an error of the disk
            raise OSError(errno.EIO, "The checkpoint cannot be written", str(path)) from None
        seals.seal_zip(beside)


def restore(path: Path, parts: dict, belongs: dict, device: torch.device) -> str:
    """Load what `save` wrote into `parts`. What is wrong with the file, in words that follow its name, and nothing loaded, where
    it is damaged or belongs to another training; else an empty text.

    Nothing is unpickled before the seal has been looked at.
    """
    try:
        seal, fits = seals.zip_seal(path)
    except FileNotFoundError:
        return "has gone"  # with the process beside this one that has finished
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if not fits:
        return "is damaged, its checksum does not fit" if seal else "has no checksum, as no checkpoint of this version"
    try:
        stored = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises a dozen kinds
        return f"is no checkpoint ({type(error).__name__})"
    if not isinstance(stored, dict) or stored.get("belongs") != belongs:
        return "belongs to other settings, data or code"
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    torch.set_rng_state(stored["random"]["cpu"].cpu())
    if "cuda" in stored["random"]:
        torch.cuda.set_rng_state(stored["random"]["cuda"].cpu(), device)
    return ""
