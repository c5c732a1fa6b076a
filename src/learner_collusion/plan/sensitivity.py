"""The variants of the sensitivity analysis: one open choice of the tabular half changed, or several drawn at random."""

import random
import re
from typing import NamedTuple

from ..errors import UserError


class Variant(NamedTuple):
    """`shows` says in a few words what is changed, `change` is laid over the configuration; `joint`: several choices at once."""

    name: str
    shows: str
    change: dict
    joint: bool = False


def variants(config: dict) -> dict[str, Variant]:
    """The variants that concern the configuration's data sets, by name; the joint ones last.

    A joint variant takes each single one with probability one half, in random order, and leaves out those that change a key
    that another one has changed. Errors: UserError for a name that comes twice, or that could be a joint variant's.
    """
    datasets = config["tabular"]["datasets"]
    found: dict[str, Variant] = {}
    names: set[str] = set()
    for entry in config["sensitivity"]["variants"]:
        variant = Variant(**entry)
        if variant.name in names or re.fullmatch(rf"{_JOINT}\d+", variant.name):
            why = "twice" if variant.name in names else "that is kept for joint changes"
            raise UserError(f"The configuration's sensitivity.variants has the name {variant.name!r} {why}: rename it.")
        names.add(variant.name)
        if _concerns(variant.change, datasets):
            found[variant.name] = variant
    single = list(found.values())
    for number in range(1, config["sensitivity"]["joint"] + 1) if len(single) > 1 else ():
        variant = _joint(f"{_JOINT}{number}", single, random.Random(f"{config['seed']} {_JOINT}{number}"))
        found[variant.name] = variant
    return found


_JOINT = "joint"


def _joint(name: str, single: list[Variant], generator: random.Random) -> Variant:
    taken: list[Variant] = []
    changed: set[tuple[str, ...]] = set()
    for variant in generator.sample(single, len(single)):
        keys = set(_leaves(variant.change))
        if generator.random() < 0.5 and not keys & changed:
            taken.append(variant)
            changed |= keys
    taken.sort(key=single.index)
    change: dict = {}
    for variant in taken:
        for path, value in _leaves(variant.change).items():
            inner = change
            for key in path[:-1]:
                inner = inner.setdefault(key, {})
            inner[path[-1]] = value
    return Variant(name, ", ".join(variant.name for variant in taken) or "nothing", change, True)


def _leaves(mapping: dict, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """The values of nested mappings, by their paths."""
    found = {}
    for key, value in mapping.items():
        found |= _leaves(value, (*path, key)) if isinstance(value, dict) else {(*path, key): value}
    return found


def _concerns(change: dict, datasets: list[str]) -> bool:
    """Whether a change is about all data sets, or about one of these."""
    return bool(set(change) - {"tables"} or set(change["tables"]) & set(datasets))
