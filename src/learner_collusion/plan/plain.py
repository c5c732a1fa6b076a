"""What the values of a configuration must be before its schema is asked: a tree of finite numbers and printable texts. Read while
Snakemake parses."""

import math

from ..errors import UserError

_MOST = 100_000  # values: aliases of YAML make a small file a large one, the paper's configuration has 1,500
_LONGEST = 10_000  # characters of a text
_UNPRINTABLE_AT = ("separator", "thousands")  # tabs part columns, and spaces of any kind thousands
_SEVERAL_LINES_AT = ("remark",)


def check_plain(config: dict) -> None:
    """UserError, one sentence, for a key that is no text, a number that is not finite, a text with a line break or another character
    that is not printed, and for values that hold themselves or are too many."""
    left = _MOST
    above: list[int] = []

    def look(value, where: str, key: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise UserError(f"The configuration has more than {_MOST:,} values: look for aliases (*) within aliases.")
        if isinstance(value, float) and not math.isfinite(value):
            raise UserError(f"The configuration's {where} is {value}, but must be a finite number: correct it there.")
        if isinstance(value, str):
            _check_text(value, where, key)
        if not isinstance(value, dict | list):
            return
        if id(value) in above or len(above) > 50:
            raise UserError(f"The configuration's {where} holds itself, or is nested too deeply: correct it there.")
        above.append(id(value))
        for name, inside in value.items() if isinstance(value, dict) else enumerate(value):
            if isinstance(value, dict):
                _check_key(name, where)
            look(inside, f"{where}.{name}" if where else str(name), name if isinstance(name, str) else key)
        above.pop()

    look(config, "", "")


def _check_key(name, where: str) -> None:
    place = f"The configuration's {where or 'top level'}"
    if not isinstance(name, str):
        raise UserError(f"{place} has the key {name!r}, which is no text: put it in quotes, or correct it.")
    if not name.isprintable() or len(name) > _LONGEST:
        raise UserError(
            f"{place} has the key {name[:40]!r}, with a character that is not printed, or too long: correct it."
        )


def _check_text(text: str, where: str, key: str) -> None:
    if len(text) > _LONGEST:
        raise UserError(f"The configuration's {where} has {len(text):,} characters: shorten it to {_LONGEST:,}.")
    if key in _UNPRINTABLE_AT:
        return
    for character in text.replace("\n", "") if key in _SEVERAL_LINES_AT else text:
        if not character.isprintable():
            raise UserError(
                f"The configuration's {where} is {text[:40]!r}, which has a line break or another character that is not printed: "
                "correct it there."
            )
