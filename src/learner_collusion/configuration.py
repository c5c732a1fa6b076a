"""The configuration: checked against its schema, and compared with the paper's. Imported while Snakemake parses, so
only the standard library, PyYAML and jsonschema."""

import difflib
from pathlib import Path

import jsonschema
import yaml

from .errors import UserError

# What counts as the same experiment run smaller, by the part of the paper that it belongs to.
_PARTS = {
    "tabular": [
        f"tabular.{key}"
        for key in ("datasets", "runs", "betas", "split", "preprocessing", "training", "tuning", "codependence")
    ],
    "theory": ["theory.cases"],
    "claims": ["claims.bootstrap", "claims.level"],
    "illustration": ["illustration"],
}

# Of what an image experiment has only one, since its figure has no axis for more.
_SINGLE = {
    "practical": ["learners", "dropped"],
    "curves": ["models", "learners", "dropped"],
    "larger": ["learners", "dropped"],
    "score": ["learners", "dropped"],
    "cnn": ["datasets", "models", "dropped"],
    "vgg": ["datasets", "models", "dropped"],
    "dropout": ["datasets", "models", "learners", "betas"],
}


def load(path: str | Path) -> dict:
    """A YAML file, by the C parser where PyYAML has it: a dry run should not wait for it."""
    return yaml.load(Path(path).read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def check(config: dict, schema_path: str | Path) -> None:
    """UserError, one sentence, at the first thing that the schema does not allow."""
    schema = load(schema_path)
    validator = jsonschema.Draft202012Validator(schema)
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        raise UserError(_sentence(errors[0]))
    unknown = [name for name in config["tabular"]["datasets"] if name not in config["tables"]]
    if unknown:
        raise UserError(
            f"The configuration's tabular.datasets names {unknown[0]!r}, which is not declared: declare it under "
            f"tables, or choose from {', '.join(config['tables'])}."
        )
    if 0 not in config["tabular"]["betas"] or 1 not in config["tabular"]["betas"]:
        raise UserError("The configuration's tabular.betas must hold 0 and 1, which the claims compare: add them.")
    _check_experiments(config["images"])
    tuning = config["tabular"]["tuning"]
    if tuning["initial"] > tuning["iterations"]:
        raise UserError(
            f"The configuration's tabular.tuning.initial is {tuning['initial']}, more than its iterations: lower it."
        )


def _check_experiments(images: dict) -> None:
    """What the schema cannot say of the image experiments: names that must be declared, and what their figures show."""
    for name, experiment in images["experiments"].items():
        where = f"The configuration's images.experiments.{name}"
        for key, choices in (("protocol", images["protocols"]), ("datasets", images["datasets"])):
            named = [experiment[key]] if key == "protocol" else experiment[key]
            for wrong in sorted(set(named) - set(choices)):
                raise UserError(f"{where}.{key} names {wrong!r}: choose from {', '.join(choices)}.")
        for key, needed in (("betas", [1] if name == "dropout" else [0, 1]), ("dropped", [0])):
            for number in needed:
                if number not in experiment[key]:
                    raise UserError(f"{where}.{key} lacks {number}, with which the claims compare: add it.")
        for key in _SINGLE[name]:
            if len(experiment[key]) != 1:
                raise UserError(f"{where}.{key} must name one, as its figure has no room for more: choose one.")


def _sentence(error: jsonschema.ValidationError) -> str:
    where = ".".join(str(p) for p in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema.get("properties", {}))
        wrong = sorted(set(error.instance) - set(known))[0]
        close = difflib.get_close_matches(wrong, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known)}."
        return f"The configuration has an unknown key {'.'.join(filter(None, [where, wrong]))!r}: {hint}"
    if error.validator == "required":
        return f"The configuration's {where or 'top level'} lacks a key: {error.message}; copy it from config.yaml."
    if "beta" in where and error.validator in ("minimum", "maximum"):
        return (
            f"The configuration's {where} is {error.instance}, but beta must lie in [0, 1]: beyond 1 the objective "
            "has no lower bound (Theorem 5.1)."
        )
    return f"The configuration's {where} is wrong: {error.message}; see the comments in config.yaml."


def differences(config: dict, paper: dict, *parts: str) -> list[str]:
    """What `config` changes of the paper's settings in some parts of the paper, such as "runs 2 instead of 10"."""
    several = sum(part.startswith("images.") for part in parts) > 1
    found = []
    for part in parts:
        for (name, ours), (_, theirs) in zip(_settings(config, part), _settings(paper, part), strict=True):
            own = _compare(name, ours, theirs)
            found += [f"{name}: {', '.join(own)}"] if several and own and part.startswith("images.") else own
    return list(dict.fromkeys(found))


def _settings(config: dict, part: str) -> list[tuple[str, object]]:
    """What a part rests on, each with its name; `images.<experiment>` is one experiment with its protocol."""
    if not part.startswith("images."):
        return [(path.split(".")[-1], _at(config, path)) for path in _PARTS[part]]
    name = part.removeprefix("images.")
    experiment = config["images"]["experiments"][name]
    return [(experiment["protocol"], image_protocol(config, experiment["protocol"])), (name, experiment)]


def _at(config: dict, path: str):
    for key in path.split("."):
        config = config[key]
    return config


def image_protocol(config: dict, name: str) -> dict:
    """How the cells of a protocol are trained, with the `subset` of the images that it takes: all protocols' unless it
    has one of its own."""
    return {"subset": config["images"]["subset"]} | config["images"]["protocols"][name]


def _compare(name: str, ours, theirs) -> list[str]:
    if ours == theirs:
        return []
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [line for key in ours for line in _compare(key, ours[key], theirs.get(key))]

    def show(value) -> str:
        if value is None:
            return "all" if name in ("train", "test") else "none"
        if isinstance(value, bool):
            return "on" if value else "off"
        return " ".join(map(str, value)) if isinstance(value, list) else str(value)

    return [f"{name.replace('_', ' ')} {show(ours)} instead of {show(theirs)}"]


def note(config: dict, paper: dict, *parts: str) -> str:
    """The line that marks reduced fidelity on a figure, table or claim; empty at the paper's settings."""
    found = differences(config, paper, *parts)
    return f"Fidelity {config['fidelity']!r}, not the paper's: {'; '.join(found)}." if found else ""
