"""Tables and links in Markdown."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """A Markdown table with a line per row; the keys of the first row head it. Empty where there are no rows."""
    rows = list(rows)
    if not rows:
        return ""
    names = list(rows[0])
    lines = [_line(names), "|---" * len(names) + "|\n"]
    return "".join(lines + [_line(row[name] for name in names) for row in rows])


def linked(text: str, beside: Path) -> str:
    """The same with links, as from the folder `beside`, where it names documents of the repository, such as docs/statistics.md;
    elsewhere than in the repository they stay words."""

    def link(found: re.Match) -> str:
        for folder in beside.resolve().parents:
            if (folder / found[0]).exists():
                return f"[{found[0]}]({Path(os.path.relpath(folder / found[0], beside)).as_posix()})"
        return found[0]

    return re.sub(r"\bdocs/[\w/]+\.md\b", link, text)


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"
