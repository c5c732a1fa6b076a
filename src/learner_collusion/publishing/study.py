"""What a study of the user's own tables says of itself: whether it is a small run."""

import re

from ..claims.catalogue import OWN_STUDY

LABEL, CHANGED, SMALL = "a study of its own", "a study of its own, changed", "a small run of its own tables"
# Of these settings less makes a run small; of others, such as a learning rate, less is only something else.
_AMOUNTS = (
    "runs",
    "betas",
    "max epochs",
    "patience",
    "trials",
    "initial points",
    "acquisition points",
    "drop rates",
    "draws",
)


def label(note: str) -> str:
    """How the study with this note of its fidelity is called, in a few words."""
    changed = changes(note)
    return LABEL if not changed else SMALL if any(map(_is_smaller, changed)) else CHANGED


def described(note: str) -> str:
    """The same as a sentence with all that differs from the paper's protocol."""
    if not (changed := changes(note)):
        return "A study of its own tables, by the paper's protocol."
    if label(note) == SMALL:
        return f"A small run of its own tables: {'; '.join(changed)}."
    return f"A study of its own tables, by the paper's protocol but for: {'; '.join(changed)}."


def changes(note: str) -> list[str]:
    """What the note of a study says of its protocol, such as "runs 3 instead of 10"; nothing where it is the paper's."""
    found = re.match(rf"{OWN_STUDY}, .*?, by the paper's protocol but for: (.*?)\.(?=\s|$)", note, re.S)
    return found[1].split("; ") if found else []


def _is_smaller(change: str) -> bool:
    """Whether an amount is less than the paper's: a smaller number, or of several fewer."""
    ours, _, papers = change.partition(" instead of ")
    name = next((name for name in _AMOUNTS if ours.startswith(f"{name} ")), None)
    if name is None:
        return False
    ours, papers = ours.removeprefix(name).split(), papers.split()
    if name in ("betas", "drop rates"):
        return len(ours) < len(papers)
    try:
        return float(ours[0]) < float(papers[0])
    except ValueError:
        return False
