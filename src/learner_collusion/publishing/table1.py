"""Table 1: top-1 and top-5 accuracy of the ensembles on ImageNet, with the paper's numbers beside them."""

import math

import pandas as pd
import pyarrow as pa

from ..files import write_text
from ..models.registry import builder
from ..records import parquet as records_of
from ..records.identity import with_beside
from ..records.imagenet import IMAGENET, at_best
from .markdown import table
from .registry import Table

# The paper's, in percent: top-1 and top-5 of independent training, then of joint training.
PAPER = {
    "imagenet_resnet18": (68.10, 88.43, 62.74, 84.03),
    "imagenet_resnet34": (73.11, 91.25, 68.91, 88.01),
    "imagenet_densenet121": (70.62, 89.51, 60.81, 81.35),
    "imagenet_shufflenet_x0_5": (61.00, 81.94, 53.41, 74.88),
    "imagenet_shufflenet_x1_0": (68.56, 87.64, 61.96, 81.56),
    "imagenet_squeezenet1_1": (56.25, 78.65, 42.69, 65.24),
    "imagenet_mobilenet_v3_small": (67.43, 86.82, 57.34, 78.30),
    "imagenet_mobilevit_xs": (61.29, 82.84, 54.69, 76.79),
}
_METRICS = {"top1": "accuracy", "top5": "top5"}
_TRAININGS = {"independent": 0.0, "joint": 1.0}
# A row per model and way of training; accuracies in percent, mean over the runs, NaN where there is none. `learners_top1`: the
# mean of the single learners. `difference`: ours minus the paper's, where the data set is the paper's.
ROWS = pa.schema(
    [("model", pa.string()), ("title", pa.string()), ("learners", pa.int32()), ("parameters", pa.int64())]
    + [("training", pa.string()), ("runs", pa.int32())]
    + [(f"{n}{of}", pa.float64()) for n in _METRICS for of in ("", "_paper", "_difference")]
    + [("learners_top1", pa.float64())]
)


def accuracies(settings, entry: Table, output: str, parquet: str, records: str) -> None:
    """Table 1. `settings.options`: experiments (by model its data set, learners and runs), classes, what each model is `built` with, and whether the
    data set is the paper's. Errors: UserError where the records are damaged."""
    options, metadata = settings.options, records_of.read_metadata(records, published=True)
    found = records_of.read(records, IMAGENET, published=True)
    rows = [row for model, one in options["experiments"].items() for row in _rows(found, settings, model, one)]
    written = {
        "options": options,
        "missing": metadata.get("missing", {}),
        "provenance": records_of.provenance("torch", "torchvision"),
    }
    title = entry.title if options["of_the_paper"] else entry.title.replace("ImageNet", _dataset(settings))
    text = f"# {title}\n\n" + f"**{settings.note}**\n\n" * bool(settings.note)
    for name, why in metadata.get("missing", {}).items():
        text += f"**{settings.titles.get(name, name)} is left out: {why}.**\n\n"
    text += f"{_caption(settings, rows)}\n\n{table(_line(row, settings.options['of_the_paper']) for row in rows)}\n{_gaps(rows)}"
    write_text(output, text)
    frame = pd.DataFrame(rows, columns=ROWS.names)
    records_of.write(parquet, frame, ROWS, written, with_beside(settings.origin, output))


def _rows(found: pd.DataFrame, settings, model: str, one: dict) -> list[dict]:
    """The two rows of a model."""
    options = settings.options
    where = {"model": model, "dataset": one["dataset"]}
    built = options["built"][model]
    module = builder(model)(options["classes"], built["width"], **built["options"])
    shared = {
        "model": model,
        "title": settings.titles.get(model, model),
        "learners": one["learners"],
        "parameters": sum(parameter.numel() for parameter in module.parameters()),
    }
    by_metric = {name: at_best(found, metric, [0.0, 1.0], **where) for name, metric in _METRICS.items()}
    alone = at_best(found, "accuracy", [0.0, 1.0], of_learners=True, **where)
    rows = []
    for training, beta in _TRAININGS.items():
        row = shared | {"training": training, "runs": int(by_metric["top1"][beta].notna().sum())}
        for number, name in enumerate(_METRICS):
            ours = 100 * by_metric[name][beta].mean()
            papers = PAPER[model][2 * int(beta) + number] if model in PAPER else math.nan
            row |= {name: ours, f"{name}_paper": papers}
            row[f"{name}_difference"] = ours - papers if options["of_the_paper"] else math.nan
        rows.append(row | {"learners_top1": 100 * alone[beta].mean()})
    return rows


def _dataset(settings) -> str:
    [dataset] = {one["dataset"] for one in settings.options["experiments"].values()}
    return settings.titles.get(dataset, dataset)


def _caption(settings, rows: list[dict]) -> str:
    options, name = settings.options, _dataset(settings)
    counts = sorted({row["runs"] for row in rows if row["runs"]})
    runs = "one run" if counts in ([], [1]) else f"mean over {' or '.join(map(str, counts))} runs"
    parameters = {row["title"]: row["parameters"] for row in rows}
    listed = ", ".join(f"{title} {count:,}" for title, count in parameters.items())
    text = (
        f"Accuracy of the ensembles on the validation pictures of {name} in percent, {runs}, at the evaluation of the lowest "
        "validation ERR; a dash: not trained. M: learners; *learners*: the mean top-1 accuracy of the single ones. "
    )
    if not options["of_the_paper"]:
        text += "The paper's numbers are of ImageNet, so they stand beside ours and no difference is taken. "
        if options["classes"] <= 20:
            text += f"Top-5 of {options['classes']} classes says little: a guess is right {min(1, 5 / options['classes']):.0%} of the time. "
    return text + f"Parameters of one learner, {options['classes']:,} classes: {listed}."


def _line(row: dict, of_the_paper: bool) -> dict[str, str]:
    shown = {"base learner": row["title"], "M": row["learners"], "training": row["training"]}
    for name, title in (("top1", "top-1"), ("top5", "top-5")):
        shown |= {title: _number(row[name]), f"{title}, paper": _number(row[f"{name}_paper"])}
        if of_the_paper:
            shown[f"{title}, difference"] = _number(row[f"{name}_difference"], sign=True)
    return shown | {"learners, top-1": _number(row["learners_top1"])}


def _gaps(rows: list[dict]) -> str:
    """What joint training loses, in points, beside what it loses in the paper."""
    lines = []
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        shown = {"base learner": first["title"]}
        for name, title in (("top1", "top-1"), ("top5", "top-5")):
            for key, label in ((name, title), (f"{name}_paper", f"{title}, paper")):
                shown[label] = _number(second[key] - first[key], sign=True)
        lines.append(shown)
    return f"Joint minus independent training, in points:\n\n{table(lines)}"


def _number(value: float, sign: bool = False) -> str:
    return "-" if math.isnan(value) else f"{value:{'+' if sign else ''}.2f}"
