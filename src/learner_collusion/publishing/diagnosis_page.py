"""A diagnosis as JSON, as Markdown and as a page of 80 columns: the same numbers, and one sentence of reading."""

import json
import math
import textwrap
from importlib.metadata import PackageNotFoundError, version

from torch import Tensor

from ..bootstrap import Estimate
from ..diagnosis import Diagnosis, Sign
from ..predictions.meaning import Meaning
from ..predictions.predicted import Predicted
from ..wording import listed
from .markdown import table

_WIDTH = 80
_FEW = 12  # learners that the page shows all; of more the best and the worst
_ENDS = 4
_WORD = {True: "yes", False: "no", None: "undecided"}
_LOSS = {
    "squared_error": "squared error",
    "cross_entropy": "cross-entropy",
    "brier": "Brier's loss",
    "zero_one": "0-1 loss",
}
_QUANTITIES = {
    "err": "error of the ensemble",
    "err_bar": "mean error of the learners",
    "div": "diversity, ERR-bar - ERR",
}


def report(
    options,
    predicted: Predicted,
    meaning: Meaning,
    found: Diagnosis,
    correlations: Tensor,
    curve: list[tuple[int, Estimate]],
    curve_rows: int,
) -> dict:
    """All that was found, by name: what `as_json` writes, and what page and figure show."""
    names = predicted.learners
    at_chance = [names[j] for j in found.at_chance]
    try:
        ours = version("learner-collusion")
    except PackageNotFoundError:
        ours = "not installed"
    return {
        "file": str(options.predictions),
        "targets": str(options.targets) if options.targets else None,
        "reference": str(options.reference) if options.reference else None,
        "rows": found.rows,
        "learners": len(names),
        "classes": meaning.classes,
        "loss": meaning.loss,
        "averaging": meaning.averaging,
        "collusion": found.collusive,
        "reading": reading(found, at_chance),
        "err": _estimate(found.err),
        "err_bar": _estimate(found.err_bar),
        "div": _estimate(found.div),
        "signs": [
            {
                "sign": sign.name,
                "present": sign.present,
                **_estimate(sign.estimate),
                "collusive": f"{'below' if sign.below else 'above'} {sign.limit:.3g}",
                "limit": sign.limit,
                "meaning": sign.meaning,
            }
            for sign in found.signs
        ],
        "errors": [{"learner": name, **_estimate(e)} for name, e in zip(names, found.learner_err, strict=True)],
        "at_chance": at_chance,
        "correlations": [[_number(value) for value in row] for row in correlations.tolist()],
        "codependence": [{"left_out": count, "of": len(names), **_estimate(increase)} for count, increase in curve],
        "codependence_rows": curve_rows,
        "intervals": f"95 %, bootstrap over rows, {options.draws} draws, seed {options.seed}",
        "notes": [*predicted.notes, *meaning.notes],
        "version": ours,
    }


def reading(found: Diagnosis, at_chance: list[str]) -> str:
    """One sentence that says what was found, with the limits of docs/diagnosis.md."""
    if found.collusive:
        clauses = [_present(sign, at_chance) for sign in found.signs if sign.present]
        return f"This ensemble colludes: {'; '.join(clauses)}."
    if found.collusive is False:
        return f"No sign of collusion: {', '.join(map(_absent, found.signs))}."
    open_ = [sign for sign in found.signs if sign.present is None]
    if open_ and all(sign.name in found.reason for sign in open_):
        return f"Undecided, more rows would decide: {'; '.join(map(_open, open_))}."
    return f"Undecided: {found.reason[0].lower()}{found.reason[1:].rstrip('.')}."


def as_json(found: dict) -> str:
    """The report as JSON; a number that does not exist is null."""
    return json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_text(found: dict) -> str:
    """The page, at most 80 columns wide."""
    head = f"Ensemble of {found['learners']:,} learners on {found['rows']:,} rows: {found['file']}"
    lines = [*textwrap.wrap(head, _WIDTH, break_long_words=True), f"{_settings(found)}; 95 % intervals", ""]
    for key, meaning in _QUANTITIES.items():
        lines.append(f"  {_symbol(key):<9}{_value(found[key]):<34} {meaning}")
    lines += ["", "signs of collusion"]
    for sign in found["signs"]:
        lines.append(f"  {sign['sign']:<9}{_value(sign):<34} {_WORD[sign['present']]} ({sign['collusive']}?)")
        lines.append(f"  {'':9}{sign['meaning']}")
    shown = _shown(found["errors"])
    lines += [
        "",
        "error of each learner" if len(shown) == len(found["errors"]) else "error of the best and the worst learners",
    ]
    width = min(max(len(one["learner"]) for one in shown if one), 30)
    for one in shown:
        if one is None:
            lines.append("  ...")
            continue
        name = one["learner"] if len(one["learner"]) <= width else one["learner"][: width - 3] + "..."
        lines.append(f"  {name:<{width}}  {_value(one)}{'  at chance' * (one['learner'] in found['at_chance'])}")
    if sentence := _correlation(found):
        lines += ["", *textwrap.wrap(sentence, _WIDTH)]
    lines += ["", "increase of ERR when learners are left out at random"]
    for one in found["codependence"]:
        share = f"{one['left_out']} ({one['left_out'] / one['of']:.0%})"
        lines.append(f"  {share:<12}{_value(one):<34} {_relative(found, one)}")
    if found["codependence_rows"] < found["rows"]:
        lines.append(f"  from {found['codependence_rows']:,} rows, drawn at random")
    for note in found["notes"]:
        lines += ["", *textwrap.wrap(f"Note: {note}", _WIDTH)]
    lines += ["", *textwrap.wrap(f"Reading: {found['reading']}", _WIDTH)]
    return "\n".join(line[:_WIDTH].rstrip() for line in lines)


def as_markdown(found: dict, figure: str) -> str:
    """The report as Markdown, with all learners; `figure` is the picture beside it."""
    quantities = [{"": _symbol(key), "value": _value(found[key]), "meaning": text} for key, text in _QUANTITIES.items()]
    signs = [
        {
            "sign": sign["sign"],
            "value": _value(sign),
            "collusive": sign["collusive"],
            "present": _WORD[sign["present"]],
            "what it is": sign["meaning"],
        }
        for sign in found["signs"]
    ]
    learners = [
        {
            "learner": one["learner"],
            "error": _value(one),
            "at chance": "yes" if one["learner"] in found["at_chance"] else "",
        }
        for one in found["errors"]
    ]
    curve = [
        {
            "left out": f"{one['left_out']} of {one['of']}",
            "increase of ERR": _value(one),
            "of ERR": _relative(found, one),
        }
        for one in found["codependence"]
    ]
    some = ""
    if found["codependence_rows"] < found["rows"]:
        some = f"\nFrom {found['codependence_rows']:,} rows, drawn at random.\n"
    beside = "".join(
        f", {what} `{found[key]}`" for key, what in (("targets", "targets"), ("reference", "reference")) if found[key]
    )
    parts = [
        f"# Diagnosis of {found['file']}",
        f"**{found['reading']}**",
        f"{found['learners']:,} learners, {found['rows']:,} rows{beside}; {_settings(found)}. Intervals: {found['intervals']}. "
        f"learner-collusion {found['version']}.",
        f"![Errors of the learners, their correlations, and the codependence curve]({figure})",
        table(quantities),
        "## Signs of collusion\n\n" + table(signs) if signs else "",
        "## Learners\n\n" + table(learners),
        _correlation(found),
        "## Codependence\n\nIncrease of ERR when so many learners are left out at random.\n\n" + table(curve) + some,
        "".join(f"- {note}\n" for note in found["notes"]),
    ]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def _present(sign: Sign, at_chance: list[str]) -> str:
    value, low, high, limit = _numbers(sign)
    if sign.name == "bias":
        return (
            f"constant biases that cancel are {value} of the ensemble's squared error [{low}, {high}], where those of "
            f"independent learners stay below {limit}"
        )
    if sign.name == "pairwise":
        return (
            f"the mean product of two learners' errors is {value} of the ensemble's squared error [{low}, {high}], where that "
            f"of independent learners is not below 0"
        )
    if sign.name == "diversity":
        return (
            f"diversity is {value} times that of the reference [{low}, {high}], where that of independent learners stays below "
            f"{limit} times"
        )
    named = listed(at_chance, 5)
    who = f"learner{'s' * (len(at_chance) > 1)} {named}" if named else "a learner"
    return f"{who} at chance, left behind or failed alone (covariance with the targets below {limit} of the ensemble's)"


def _absent(sign: Sign) -> str:
    value, _, _, limit = _numbers(sign)
    return {
        "bias": f"constant biases that cancel are {value} of the ensemble's squared error (limit {limit})",
        "pairwise": f"the mean product of two learners' errors is {value} of it (limit 0)",
        "chance": "no learner is at chance",
        "diversity": f"diversity is {value} times that of the reference (limit {limit})",
    }[sign.name]


def _open(sign: Sign) -> str:
    _, low, high, limit = _numbers(sign)
    what = {
        "bias": "constant biases that cancel are {} of the ensemble's squared error",
        "pairwise": "the mean product of two learners' errors is {} of the ensemble's squared error",
        "chance": "a learner's covariance with the targets is {} of the ensemble's",
        "diversity": "diversity is {} times that of the reference",
    }[sign.name]
    return f"{what.format(f'{low} to {high}')}, around the limit of {limit}"


def _numbers(sign: Sign) -> tuple[str, ...]:
    """Value, ends of the interval and limit in words."""
    show = "{:.3g}".format if sign.name == "diversity" else _percent
    return tuple(show(value) for value in (*sign.estimate, sign.limit))


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if abs(share) >= 0.1 or share == 0 else f"{100 * share:.2g} %"


def _settings(found: dict) -> str:
    text = _LOSS[found["loss"]]
    if found["classes"]:
        text += f", {len(found['classes'])} classes, {'probabilities' if found['averaging'] == 'probability' else 'scores'} averaged"
    return text


def _correlation(found: dict) -> str:
    pairs = [
        (value, found["errors"][j]["learner"], found["errors"][k]["learner"])
        for j, row in enumerate(found["correlations"])
        for k, value in enumerate(row[:j])
        if value is not None
    ]
    if not pairs:
        return ""
    mean = sum(value for value, *_ in pairs) / len(pairs)
    (low, *least), (high, *most) = min(pairs), max(pairs)
    text = f"Correlation of two learners' errors: {mean:.2g} on average"
    return text + (
        f", {low:.2g} ({' and '.join(least)}) to {high:.2g} ({' and '.join(most)})." if len(pairs) > 1 else "."
    )


def _shown(errors: list[dict]) -> list[dict | None]:
    """Learners from best to worst; of many those at the ends, with None between."""
    ordered = sorted(errors, key=lambda one: math.inf if one["value"] is None else one["value"])
    return ordered if len(ordered) <= _FEW else [*ordered[:_ENDS], None, *ordered[-_ENDS:]]


def _relative(found: dict, one: dict) -> str:
    err = found["err"]["value"]
    return f"{one['value'] / err:+.2%} of ERR" if err and one["value"] is not None else ""


def _symbol(key: str) -> str:
    return key.upper().replace("_", "-").replace("BAR", "bar")


def _estimate(estimate: Estimate) -> dict:
    return {name: _number(value) for name, value in estimate._asdict().items()}


def _number(value: float) -> float | None:
    """Nine digits, which the order of a sum does not change; None for what is no number."""
    return float(f"{value:.9g}") if math.isfinite(value) else None


def _value(one: dict) -> str:
    value, low, high = ("-" if one[k] is None else f"{one[k]:.4g}" for k in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"
