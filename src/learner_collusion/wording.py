"""Words that the sentences of several rooms share."""

import difflib
from collections.abc import Callable, Sequence


def listed(names: Sequence, most: int = 10, mark: str = ", ", show: Callable[[object], str] = str) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return mark.join(map(show, names[:most])) + more


def counted(number: int, what: str) -> str:
    """A number of things: "1 picture", "2 classes"."""
    return f"{number:,} {what}" + ("es" if what.endswith("ss") else "s") * (number != 1)


def meant(wrong: str, names: Sequence[str]) -> str:
    """The question whether the name that looks most like the wrong one was meant; empty where none does."""
    close = difflib.get_close_matches(wrong, names, 1)
    return f"did you mean {close[0]!r}?" if close else ""
