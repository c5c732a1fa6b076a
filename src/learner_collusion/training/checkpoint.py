"""Checkpoints of a training: written atomically, left alone where they belong to other settings."""

from pathlib import Path

import torch

from ..errors import UserError
from ..files import replacing


def save(path: Path, parts: dict, belongs: dict, device: torch.device) -> None:
    """Write the state of all `parts` (anything with `state_dict`) and of the random number generators; `belongs` (plain
    values) says which training they are of."""
    random = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        random["cuda"] = torch.cuda.get_rng_state(device)
    states = {name: part.state_dict() for name, part in parts.items()}
    with replacing(path) as beside:
        torch.save({"belongs": belongs, "random": random, **states}, beside)


def restore(path: Path, parts: dict, belongs: dict, device: torch.device) -> bool:
    """Load what `save` wrote into `parts`; False, and nothing loaded, where the file belongs to another training.

    Errors: UserError where the file is damaged.
    """
    try:
        stored = torch.load(path, map_location=device, weights_only=True)
        same = stored["belongs"] == belongs
    except Exception as error:  # torch raises a dozen kinds
        raise UserError(f"{path} is damaged ({type(error).__name__}): delete it to train this cell anew.") from None
    if not same:
        return False
    for name, part in parts.items():
        part.load_state_dict(stored[name])
    torch.set_rng_state(stored["random"]["cpu"].cpu())
    if "cuda" in stored["random"]:
        torch.cuda.set_rng_state(stored["random"]["cuda"].cpu(), device)
    return True
