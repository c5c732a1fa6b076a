"""Tables in Markdown."""

from collections.abc import Iterable, Mapping


def table(rows: Iterable[Mapping[str, object]]) -> str:
    """A Markdown table with a line per row; the keys of the first row head it. Empty where there are no rows."""
    rows = list(rows)
    if not rows:
        return ""
    names = list(rows[0])
    lines = [_line(names), "|---" * len(names) + "|\n"]
    return "".join(lines + [_line(row[name] for name in names) for row in rows])


def _line(cells: Iterable[object]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"
