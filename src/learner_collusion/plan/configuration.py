"""The configuration: read, overlaid, checked against its schema, and compared with the paper's.

Imported while Snakemake parses: the standard library, PyYAML and jsonschema alone.
"""

import copy
import difflib
import math
import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from ..data.registry import IMAGE_SOURCES, MIRROR_VARIABLE
from ..errors import UserError
from ..figures.registry import FIGURES
from ..models.registry import DOTTED_PATH, MODELS, unknown
from . import sensitivity
from .parts import PARTS

_HERE = Path(__file__).parent
REPOSITORY = _HERE.parents[2]


def _shipped(path: str) -> Path:
    """A file of the repository: in a clone where it lies there, in an installed package beside this module."""
    inside = _HERE / Path(path).name
    return inside if inside.exists() else REPOSITORY / path


# setup.py puts copies of these two into the package that it builds.
SCHEMA = _shipped("workflow/schemas/config.schema.yaml")
PAPER = _shipped("config.yaml")

# Of the MLPs; a class of the user's has options of its own.
_GRID = ("learning_rate", "batch_size", "weight_decay", "learners", "hidden_units", "layers")
# What else is compared with the paper's: not a part, but what some figures and claims depend on.
_OTHERS = {"claims": ("claims.confidence",), "illustration": ("illustration",)}


def load(path: str | Path) -> dict:
    """A YAML file, by the C parser where PyYAML has it: a dry run should not wait for it. UserError where it is not YAML."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML ({reason}): correct it there.") from None


def use_mirror(config: dict, start: str | Path) -> None:
    """Tell all that fetches where the mirror is: the configuration's folder, else the environment variable's. A relative one
    counts from `start`, the folder in which the command was started.

    An environment variable and no setting, so that another mirror makes nothing stale.
    """
    mirror = config["datasets"]["mirror"] or os.environ.get(MIRROR_VARIABLE)
    if mirror:
        os.environ[MIRROR_VARIABLE] = str((Path(start) / mirror).resolve())


def overlay(base: dict, top: dict) -> dict:
    """`base` with the values of `top` laid over it, mapping by mapping, as Snakemake does with several configuration files."""
    merged = copy.copy(base)
    for key, value in top.items():
        below = merged.get(key)
        merged[key] = overlay(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return merged


def load_all(paths: list[str | Path]) -> dict:
    """Several files, each laid over those before it, checked. UserError where a file or a setting is wrong."""
    config: dict = {}
    for path in paths:
        top = load(path) or {}
        if not isinstance(top, dict):
            raise UserError(
                f"{path} is a YAML list or text, but a configuration is a mapping of keys: correct it there."
            )
        config = overlay(config, top)
    check(config)
    return config


def schema() -> dict:
    """The JSON schema, with the names that the registries declare."""
    found = load(SCHEMA)
    dotted = {"type": "string", "pattern": f"^{DOTTED_PATH.pattern}$"}
    found["$defs"]["dotted"] = dotted
    found["$defs"]["model"] = {"anyOf": [{"enum": list(MODELS)}, dotted]}
    found["$defs"]["part"] = {"enum": list(PARTS)}
    found["$defs"]["source"] = {"enum": list(IMAGE_SOURCES)}
    return found


def check(config: dict) -> None:
    """UserError, one sentence, at the first thing that the schema does not allow."""
    import jsonschema

    validator = jsonschema.Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        raise UserError(_sentence(errors[0]))
    unknown = [name for name in config["tabular"]["datasets"] if name not in config["tables"]]
    if unknown:
        raise UserError(
            f"The configuration's tabular.datasets names {unknown[0]!r}, which is not declared: declare it under "
            f"tables, or choose from {', '.join(config['tables'])}."
        )
    both = sorted(set(config["tables"]) & set(config["images"]["datasets"]))
    if both:
        raise UserError(
            f"The configuration has {both[0]!r} under tables and under images.datasets: rename one of them."
        )
    if 0 not in config["tabular"]["betas"] or 1 not in config["tabular"]["betas"]:
        raise UserError("The configuration's tabular.betas must hold 0 and 1, which the claims compare: add them.")
    _check_experiments(config["images"])
    if "sensitivity" in config["parts"]:
        _check_variants(config)
    _check_learner(config["tabular"])
    tuning = config["tabular"]["tuning"]
    if tuning["initial_points"] > tuning["trials"]:
        raise UserError(
            f"The configuration's tabular.tuning.initial_points is {tuning['initial_points']}, more than its "
            f"{tuning['trials']} trials: lower it."
        )


def _check_learner(tabular: dict) -> None:
    """Without a class of the user's the grid holds what the MLPs have, all of it."""
    where, grid = "tabular.tuning.grid", tabular["tuning"]["grid"]
    if tabular.get("learner"):
        return
    if tabular.get("learner_options"):
        raise UserError(
            "The configuration's tabular.learner_options needs tabular.learner, the dotted path of a class: add it."
        )
    if unknown := sorted(set(grid) - set(_GRID)):
        raise UserError(_unknown(f"{where}.{unknown[0]}", unknown[0], _GRID))


def _check_variants(config: dict) -> None:
    """The configuration that each variant of the sensitivity analysis makes."""
    alone = {**config, "parts": ["tabular"]}
    for variant in sensitivity.variants(config).values():
        if not variant.joint:
            try:
                check(overlay(alone, variant.change))
            except UserError as error:
                raise UserError(f"In the variant {variant.name!r} of sensitivity.variants: {error}") from None


def _check_experiments(images: dict) -> None:
    """Names that must be declared, and keys for which a figure has no axis: the schema cannot express these."""
    for name in images["enabled"]:
        if name not in images["experiments"]:
            raise UserError(
                f"The configuration's images.enabled names {name!r}: choose from {', '.join(images['experiments'])}."
            )
    for name in images["protocols"]:
        protocol({"images": images}, name)
    for name, experiment in images["experiments"].items():
        where = f"The configuration's images.experiments.{name}"
        for key, choices in (("protocol", images["protocols"]), ("datasets", images["datasets"])):
            named = [experiment[key]] if key == "protocol" else experiment[key]
            for wrong in sorted(set(named) - set(choices)):
                raise UserError(f"{where}.{key} names {wrong!r}: choose from {', '.join(choices)}.")
        shown = [figure for figure in FIGURES.values() if figure.experiment == name]
        single = {key for figure in shown for key in figure.single}
        for key, needed in (("betas", [1] if "betas" in single else [0, 1]), ("drop_rates", [0])):
            for number in needed:
                if number not in experiment[key]:
                    raise UserError(f"{where}.{key} lacks {number}, which the claims compare with: add it.")
        for key in sorted(single):
            if len(experiment[key]) != 1:
                raise UserError(
                    f"{where}.{key} must hold one value, as its figure has no axis for a second: choose one."
                )


def protocol(config: dict, name: str) -> dict:
    """How the cells of a protocol are trained: its keys over those of its `base`, with the `subset` of the images that it
    takes (that of all protocols unless it has one). UserError for a missing key."""
    protocols = config["images"]["protocols"]
    keys, seen = dict(protocols[name]), [name]
    while base := keys.pop("base", None):
        if base not in protocols or base in seen:
            raise UserError(
                f"The configuration's images.protocols.{name}.base names {base!r}: choose another of {', '.join(protocols)}."
            )
        seen.append(base)
        keys = protocols[base] | keys
    for key in protocols["sgd"]:
        if key not in keys:
            raise UserError(
                f"The configuration's images.protocols.{name} lacks {key!r}: add it, or name a protocol that has it as `base`."
            )
    return {"subset": config["images"]["subset"]} | keys


def _sentence(error) -> str:
    where = ".".join(str(p) for p in error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = list(error.schema.get("properties", {}))
        wrong = sorted(set(error.instance) - set(allowed))[0]
        return _unknown(".".join(filter(None, [where, wrong])), wrong, allowed)
    if error.validator == "required":
        return f"The configuration's {where or 'top level'} lacks a key: {error.message}; copy it from config.yaml."
    if "beta" in where and error.validator in ("minimum", "maximum"):
        return (
            f"The configuration's {where} is {error.instance}, but beta must lie in [0, 1]: beyond 1 the objective "
            "has no lower bound (Theorem 5.1)."
        )
    if error.validator == "anyOf" and isinstance(error.instance, str):  # a model is a registered name or a dotted path
        return f"The configuration's {where} is wrong: {unknown(error.instance)}"
    if error.validator == "type" and isinstance(error.instance, str) and _is_number(error.instance):
        return (
            f"The configuration's {where} is {error.instance!r}, which YAML reads as text: write the number with a point, such "
            f"as {float(error.instance):.1e}, and without quotes."
        )
    return f"The configuration's {where} is wrong: {error.message}; see the comments in config.yaml."


def _unknown(where: str, wrong: str, allowed: Sequence[str]) -> str:
    close = difflib.get_close_matches(wrong, allowed, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"allowed here: {', '.join(allowed)}."
    return f"The configuration has an unknown key {where!r}: {hint}"


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def differences(config: dict, paper: dict, *parts: str) -> list[str]:
    """What `config` changes of the paper's settings in some parts of the paper, such as "runs 2 instead of 10".

    A part is "tabular", "theory", "claims", "illustration", or "images.<experiment>" with its protocol.
    """
    experiments = sum(part.startswith("images.") for part in parts)
    several = experiments > 1
    precision, papers = (_at(one, "images.hardware.precision") for one in (config, paper))
    found = compare("precision", precision, papers) if experiments else []
    for part in parts:
        for (name, ours), (_, theirs) in zip(_settings(config, part), _settings(paper, part), strict=True):
            mine = compare(name, ours, theirs)
            found += [f"{name}: {', '.join(mine)}"] if several and mine and part.startswith("images.") else mine
    return list(dict.fromkeys(found))


def _settings(config: dict, part: str) -> list[tuple[str, object]]:
    if not part.startswith("images."):
        paths = PARTS[part].settings if part in PARTS else _OTHERS[part]
        return [(path.split(".")[-1], _at(config, path)) for path in paths]
    name = part.removeprefix("images.")
    # an experiment that a preset adds has no counterpart in the paper
    experiment = config["images"]["experiments"].get(name)
    if experiment is None:
        return [(name, {}), (name, {})]
    return [(experiment["protocol"], protocol(config, experiment["protocol"])), (name, experiment)]


def _at(config: dict, path: str):
    *folders, last = path.split(".")
    for key in folders:
        config = config[key]
    return config.get(last)


def compare(name: str, ours, theirs) -> list[str]:
    """What differs between two values of a setting, or between the keys of two mappings: "runs 2 instead of 10"."""
    if ours == theirs:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [line for key in ours for line in compare(key, ours[key], theirs.get(key))]

    def show(value) -> str:
        if value is None:
            return "all" if name in ("train", "test") else "none"
        if isinstance(value, bool):
            return "on" if value else "off"
        return " ".join(map(str, value)) if isinstance(value, list) else str(value)

    return [f"{name.replace('_', ' ')} {show(ours)} instead of {show(theirs)}"]


def note(config: dict, paper: dict, *parts: str) -> str:
    """The line that marks reduced fidelity on a figure, table or claim; empty at the paper's settings."""
    return marked(config, differences(config, paper, *parts))


def marked(config: dict, found: list[str]) -> str:
    """The line that says what differs from the paper's settings; empty where nothing does."""
    return f"Fidelity {config['fidelity']!r}, not the paper's: {'; '.join(found)}." if found else ""
