"""The configuration: read, overlaid, checked against its schema, and compared with the paper's.

Imported while Snakemake parses: the standard library, PyYAML and jsonschema alone.
"""

import copy
import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from ..claims.catalogue import OWN_STUDY
from ..data.registry import IMAGE_SOURCES, MIRROR_VARIABLE
from ..errors import UserError
from ..models.registry import DOTTED_PATH, MODELS, unknown
from ..wording import meant
from . import families, sensitivity, tables
from .compare import compare, marked
from .families import FAMILIES
from .parts import PARTS
from .plain import check_plain

_HERE = Path(__file__).parent
REPOSITORY = _HERE.parents[2]


def _shipped(path: str) -> Path:
    """A file of the repository: in a clone where it lies there, in an installed package beside this module."""
    inside = _HERE / Path(path).name
    return inside if inside.exists() else REPOSITORY / path


# setup.py puts copies of these two into the package that it builds.
SCHEMA = _shipped("workflow/schemas/config.schema.yaml")
PAPER = _shipped("config.yaml")

protocol = FAMILIES["images"].protocol  # how the image cells of a protocol are trained

# Of the MLPs; a class of the user's has options of its own.
_GRID = ("learning_rate", "batch_size", "weight_decay", "learners", "hidden_units", "layers")
# What else is compared with the paper's: not a part, but what some figures and claims depend on.
_OTHERS = {"claims": ("claims.confidence",), "illustration": ("illustration",)}


def load(path: str | Path) -> dict:
    """A YAML file, by the C parser where PyYAML has it: a dry run should not wait for it. UserError where it is not YAML, or
    has a key twice, of which YAML would take the last in silence."""
    try:
        return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except FileNotFoundError:
        raise UserError(f"{path} does not exist: check the path.") from None
    except (yaml.YAMLError, UnicodeDecodeError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"{path} is not valid YAML ({reason}): correct it there.") from None


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    def get_single_node(self):
        node = super().get_single_node()
        _refuse_twice(node)  # before `<<` puts the keys of another mapping beside those that replace them
        return node


def _refuse_twice(top: yaml.Node | None) -> None:
    waiting, known = [top], set()
    while waiting:
        node = waiting.pop()
        if id(node) in known or not isinstance(node, yaml.CollectionNode):
            continue
        known.add(id(node))
        lines: dict[str, int] = {}
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            waiting.append(value)
            line = key.start_mark.line + 1
            if key.tag != "tag:yaml.org,2002:str":
                continue
            if key.value in lines:
                raise yaml.YAMLError(f"the key {key.value!r} stands on line {lines[key.value]} and on line {line}")
            lines[key.value] = line
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value


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
        top = {} if (found := load(path)) is None else found
        if not isinstance(top, dict):
            raise UserError(
                f"{path} is a YAML list or text, but a configuration is a mapping of keys: correct it there."
            )
        config = overlay(config, top)
    check(config)
    return tables.complete(config, load(PAPER), paths, Path.cwd())


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

    check_plain(config)
    validator = jsonschema.Draft202012Validator(schema())
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        raise UserError(_sentence(errors[0]))
    families.check(config)
    if "sensitivity" in config["parts"]:
        _check_variants(config)
    tables.check(config["tables"])
    _check_learner(config["tabular"])


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
    for entry in config["sensitivity"]["variants"]:
        for name in entry["change"].get("tables", {}):
            if name not in config["tables"]:
                raise UserError(
                    f"The variant {entry['name']!r} of sensitivity.variants changes the table {name!r}, which is not declared: choose "
                    f"from {', '.join(config['tables'])}."
                )
    for variant in sensitivity.variants(config).values():
        if not variant.joint:
            try:
                check(overlay(alone, variant.change))
            except UserError as error:
                raise UserError(f"In the variant {variant.name!r} of sensitivity.variants: {error}") from None


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
    limits = {"minimum": "at least", "exclusiveMinimum": "above", "maximum": "at most", "exclusiveMaximum": "below"}
    if error.validator in limits:
        return (
            f"The configuration's {where} is wrong: it is {error.instance}, but must be {limits[error.validator]} "
            f"{error.validator_value}; see the comments in config.yaml."
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
    hint = meant(wrong, allowed) or f"allowed here: {', '.join(allowed)}."
    return f"The configuration has an unknown key {where!r}: {hint}"


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def differences(config: dict, paper: dict, *parts: str) -> list[str]:
    """What `config` changes of the paper's settings in some parts of the paper, such as "runs 2 instead of 10".

    A part is "tabular", "theory", "claims", "illustration", or "<family>.<experiment>", such as "images.cnn" with its protocol.
    """
    within: dict[str, list[str]] = {}
    for part in parts:
        name, _, experiment = part.partition(".")
        within.setdefault(name, []).extend([experiment] if experiment else [])
    found = []
    for part, experiments in within.items():
        for label, name, ours, papers in _compared(config, paper, part, experiments):
            lines = compare(name, ours, papers)
            found += [f"{label}: {', '.join(lines)}"] if label and lines else lines
    return list(dict.fromkeys(found))


def _compared(config: dict, paper: dict, part: str, experiments: list[str]) -> list[tuple]:
    """(label, name, our value, the paper's) of all that is compared of a part."""
    paths = PARTS[part].settings if part in PARTS else _OTHERS[part]
    if not paths and part in FAMILIES:
        return FAMILIES[part].compared(config, paper, experiments)
    return [("", path.split(".")[-1], _at(config, path), _at(paper, path)) for path in paths]


def _at(config: dict, path: str):
    *folders, last = path.split(".")
    for key in folders:
        config = config[key]
    return config.get(last)


def note(config: dict, paper: dict, *parts: str) -> str:
    """The line that marks reduced fidelity on a figure, table or claim; empty at the paper's settings.

    Of tables that are not the paper's it says that they are, and what else differs: a study of its own is no reduced paper.
    """
    found = differences(config, paper, *parts)
    if not own_study(config, paper, *parts):
        return marked(config, found)
    changed = [line for line in found if not line.startswith("datasets ")]
    but = f" but for: {'; '.join(changed)}" if changed else ""
    return f"{OWN_STUDY}, {config['fidelity']!r}, by the paper's protocol{but}."


def own_study(config: dict, paper: dict, *parts: str) -> bool:
    """Whether parts of the paper are made of tables that it does not have."""
    return bool({"tabular", "sensitivity"} & set(parts) and tables.own_names(config, paper))
