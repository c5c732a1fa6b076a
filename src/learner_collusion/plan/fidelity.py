"""What records were made with, beside what a configuration asks for: figures and claims say where these differ.

The workflow makes stale records anew, so there they agree. By hand, any configuration can be given to draw any records.
"""

import dataclasses
from typing import TypeVar

from .compare import compare

T = TypeVar("T")
# They change no number beyond rounding.
_ELSEWHERE = ("engine", "device")


def recorded(settings: dict) -> dict:
    """The part of a stage's settings that its output keeps in the metadata: what decides the numbers."""
    mlps = ("learner", "learner_options") if not settings.get("learner") else ()
    return {key: value for key, value in settings.items() if key not in (*_ELSEWHERE, *mlps)}


def labelled(settings: T, metadata: dict) -> T:
    """A stage's settings with a `note` that also says how the records, by their metadata, differ from `settings.made`."""
    found = _differences(settings.made, metadata)
    if not found:
        return settings
    told = f"The records were not made with this configuration: {'; '.join(found)}."
    changes = {"note": " ".join(filter(None, [settings.note, told]))}
    if hasattr(settings, "mark"):
        changes["mark"] = settings.mark or "Records of another configuration (see this file's description)."
    return dataclasses.replace(settings, **changes)


def _differences(made: dict, metadata: dict) -> list[str]:
    if not made:
        return []
    parts = _of_images(made, metadata) if "cells" in made else _of_tables(made, metadata)
    if not parts:
        return ["they do not say what they were made with"]
    found = []
    for ours, theirs in parts:
        if ours is None:
            found.append("they do not say what they were made with")
        else:
            common = {key: ours.get(key) for key in theirs}
            found += compare("", common, theirs)
    return list(dict.fromkeys(found))


def _of_tables(made: dict, metadata: dict) -> list[tuple[dict | None, dict]]:
    """Pairs of what the records say and what the configuration says, by data set and stage."""
    if "training" in metadata:  # the records of one data set, as `evaluate` writes them
        metadata = {metadata["training"].get("dataset", ""): metadata}
    if not metadata:
        return []
    pairs = [({"datasets": sorted(metadata)}, {"datasets": sorted(made["datasets"])})]
    for of_one in metadata.values():
        training = of_one.get("training", {})
        found = {
            "tune": training.get("tuned"),
            "train_tabular": training.get("settings"),
            "evaluate": of_one.get("settings"),
        }
        pairs += [(found[stage], made[stage]) for stage in found]
    return pairs


def _of_images(made: dict, metadata: dict) -> list[tuple[dict | None, dict]]:
    found = metadata.get("settings", {})
    return [(ours, theirs) for name, theirs in made["cells"].items() for ours in found.get(name, [])]
