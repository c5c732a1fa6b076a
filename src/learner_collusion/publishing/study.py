"""What a study of the user's own tables says of itself: the answer to its title, and whether it is a small run."""

import re

from ..claims.catalogue import CLAIMS, OWN_STUDY
from ..claims.verdict import FAILS, HOLDS

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

_GROWTH = next(claim for claim in CLAIMS if claim.id == "C1a")
_LOW = next(claim for claim in CLAIMS if claim.id == "C1b").below
RULE = (
    f"The answer is that of one claim, “{_GROWTH.neutral}”. Yes: it holds. No sign of it: all of its interval lies below "
    f"{_LOW:g} times. A little: it does not hold, and the interval reaches further than {_LOW:g}. Undecided: all else."
)


def answer(rows: list[dict], titles: list[str], small: bool = False) -> str:
    """One sentence on whether joint training colludes on the tables with these titles, by `RULE`; empty where nothing of it was
    judged. `rows`: the claims as the page shows them, with the number `high`."""
    found = []
    for title in titles:
        mine = {row["id"]: row for row in reversed(rows) if row["data"] == title}
        if "C1a" in mine:
            words = _answer(mine["C1a"], mine.get("C5a"), small)
            found.append(f"on {title}, {words}" if len(titles) > 1 else words)
    text = "; ".join(found)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _answer(growth: dict, dropped: dict | None, small: bool) -> str:
    where = ", in this small run" if small else ""
    if growth["value"] == "-":
        return f"no answer{where}: {growth['note']}"
    interval = f" (interval {growth['interval']})" if growth["interval"] != "-" else ""
    told = f"diversity at beta = 1 is {growth['value']} times that of independent training{interval}"
    if growth["verdict"] == HOLDS:
        return f"yes{where}: {told}{_cost(dropped)}"
    if growth["verdict"] == FAILS:
        return f"{'no sign of it' if growth['high'] < _LOW else 'a little'}{where}: {told}"
    runs = growth["runs"].split()[-1]
    return f"undecided with {runs} run{'s' * (runs != '1')}{where}: {told}"


def _cost(dropped: dict | None) -> str:
    """What dropping learners costs at beta = 1, where the claim on it holds."""
    share = re.search(r"[\d.]+%(?= dropped)", dropped["statistic"]) if dropped else None
    costs = re.search(r"grows by ([\d.]+%)", dropped["effect"]) if dropped else None
    if not share or not costs or dropped["verdict"] != HOLDS:
        return ""
    return f", and dropping {share[0]} of the learners raises the test error by {costs[1]}"


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


def without_places(text: str) -> str:
    """The text without the places in the paper that stand in brackets, which a study does not have."""
    return re.sub(r" \((?:Sections?|Figures?|Appendix|erratum)\b[^()]*\)", "", text)


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
