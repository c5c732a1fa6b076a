"""Say whether an ensemble colludes, from a file of its predictions.

A wide file has a row per example and a column per learner (per learner and class: LEARNER:CLASS), a long one the columns row,
learner, prediction (and class). The targets are a column, `target`, or a file of their own; rows are matched by their
names, in a column `row`. Give rows that no learner was trained on. docs/diagnose.md has each format with an example.

Example: learner-collusion diagnose predictions.parquet --target price
"""

import contextlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from ..errors import UserError

_MOST_DRAWS = 100_000

Show = Callable[[str, int, int | None], None]


def add_arguments(parser) -> None:
    """The options of the command."""
    parser.add_argument("predictions", type=Path, help="predictions: .parquet, .csv, .tsv, .csv.gz or .npz")
    parser.add_argument("--targets", type=Path, metavar="FILE", help="the targets, if they are in a file of their own")
    parser.add_argument(
        "--reference",
        type=Path,
        metavar="FILE",
        help="predictions of an ensemble of the same kind for the same rows, trained independently",
    )
    parser.add_argument(
        "--output", type=Path, metavar="NAME", help="writes NAME.md, .json and .png (default: FILE-diagnosis)"
    )
    columns = parser.add_argument_group("columns")
    columns.add_argument("--target", default="target", metavar="COLUMN", help="the target (default: target)")
    columns.add_argument("--row", metavar="COLUMN", help="the names of the rows (default: row, if there is one)")
    columns.add_argument("--learner", metavar="COLUMN", help="long files: the learner (default: learner)")
    columns.add_argument("--prediction", metavar="COLUMN", help="long files: the prediction (default: prediction)")
    columns.add_argument(
        "--class", dest="output_column", metavar="COLUMN", help="long files: the class (default: class, or output)"
    )
    columns.add_argument("--drop", nargs="+", default=[], metavar="COLUMN", help="columns that are no learners")
    columns.add_argument("--separator", help="of text files (default: found in the first line)")
    columns.add_argument("--decimal", default=".", help="the decimal mark of text files (default: .)")
    meaning = parser.add_argument_group("meaning")
    meaning.add_argument(
        "--kind",
        choices=("numbers", "scores", "probabilities"),
        help="what the predictions are (default: found for the whole file, and told)",
    )
    meaning.add_argument(
        "--loss",
        choices=("squared_error", "cross_entropy", "brier", "zero_one"),
        help="default: squared_error for numbers, cross_entropy for classes, brier where that is infinite",
    )
    meaning.add_argument(
        "--averaging",
        choices=("probability", "score"),
        help="of classes: what the ensemble averages (default: probability)",
    )
    meaning.add_argument("--draws", type=int, default=400, help="samples of the rows for the intervals (default: 400)")
    meaning.add_argument("--seed", type=int, default=0, help="of these samples (default: 0)")


def run(options) -> int:
    """Diagnose, print the page, and write it."""
    import pyarrow

    from ..files import replacing, write_text
    from .diagnosis_page import as_json, as_markdown, as_text

    threads = len(os.sched_getaffinity(0))
    pyarrow.set_cpu_count(threads)
    output = options.output or Path(f"{options.predictions.name.split('.')[0]}-diagnosis")
    if not output.name or output.name == ".." or (options.output and output.is_dir()):
        raise UserError(
            f"--output is {output}, a folder: add the name that the files shall have, such as {output / 'diagnosis'}."
        )
    paths = {end: output.with_name(f"{output.name}.{end}") for end in ("md", "json", "png")}
    with _progress() as show:
        report = examine(options, threads, show)
        show("drawing", 0, None)
        from ..figures.diagnosis import draw

        with replacing(paths["png"]) as beside:  # the picture first: where it fails, nothing is half written
            draw(report, beside)
        write_text(paths["json"], as_json(report))
        write_text(paths["md"], as_markdown(report, paths["png"].name))
    print(as_text(report))
    print("\nWritten: " + ", ".join(map(str, paths.values())))
    return 0


def examine(options, threads: int = 1, show: Show = lambda what, done, total: None) -> dict:
    """The report of `diagnosis_page.report`. Errors: UserError for input that does not fit."""
    from ..predictions.meaning import interpret
    from ..predictions.read import Layout, joined, read_predictions, read_targets, total_rows

    if not 1 <= options.draws <= _MOST_DRAWS:
        raise UserError(f"--draws is {options.draws}: give 1 to {_MOST_DRAWS}.")
    if abs(options.seed) >= 2**63:
        raise UserError(f"--seed is {options.seed}: give a whole number below 2^63.")
    _check_marks(options.separator, options.decimal)
    layout = Layout(
        options.row,
        options.learner,
        options.prediction,
        options.output_column,
        options.target,
        tuple(options.drop),
        options.separator,
        options.decimal,
    )

    def reading(path: Path):
        done, total = 0, total_rows(path)
        show(f"reading {path.name}", done, total)

        def tell(rows: int) -> None:
            nonlocal done
            done += rows
            show(f"reading {path.name}", done, total)

        return tell

    predicted = read_predictions(
        options.predictions, layout, reading(options.predictions), with_targets=options.targets is None
    )
    targets = joined(predicted, read_targets(options.targets, layout) if options.targets else None)
    meaning = interpret(predicted, targets, options.kind, options.loss, options.averaging)
    reference = None
    if options.reference:
        other = read_predictions(options.reference, layout, reading(options.reference))
        reference = _as_ours(predicted, targets, meaning, other)
    return _diagnosed(options, predicted, meaning, reference, threads, show)


def _check_marks(separator: str | None, decimal: str) -> None:
    if len(decimal) != 1 or (separator is not None and len(separator) != 1):
        raise UserError("--separator and --decimal take one character each.")
    if decimal not in ".,":
        raise UserError(f"--decimal is {decimal!r}: give a point or a comma.")
    if separator is not None and (separator.isalnum() or separator in '"\n\r\0+-'):
        raise UserError(f"--separator is {separator!r}, which parts no columns: give another one.")
    if separator == decimal:
        raise UserError(f"--separator and --decimal are both {decimal!r}: correct one of them.")


def _as_ours(predicted, targets, meaning, other):
    """Predictions of the reference, its rows and classes in our order."""
    import numpy as np

    from ..predictions.meaning import interpret
    from ..predictions.predicted import order_of, positions

    place = positions(predicted, other, "predictions")
    if (predicted.outputs is None) != (other.outputs is None):
        raise UserError(f"{other.path} and {predicted.path} do not have the same classes: give both a column for each.")
    if predicted.outputs:
        order = order_of(other.outputs, predicted.outputs, other.path, "classes or outputs")
        if order != sorted(order):
            other.values, other.outputs = other.values[:, :, order], predicted.outputs
    if place is not None:
        other.values = other.values[place]
        other.rows = predicted.rows
        other.targets = None if other.targets is None else other.targets[place]
    if other.targets is not None and not np.array_equal(other.targets, targets):
        raise UserError(f"{other.path} has other targets than {predicted.path}: give predictions of the same rows.")
    return interpret(
        other, targets, meaning.inputs or "numbers", meaning.loss, meaning.averaging if meaning.classes else None
    ).values


def _diagnosed(options, predicted, meaning, reference, threads: int, show: Show) -> dict:
    import torch

    from ..dependence import codependence_by_count, error_correlations
    from ..diagnosis import diagnose
    from .diagnosis_page import report

    arguments = (meaning.values, meaning.targets, meaning.loss, meaning.averaging)
    torch.set_num_threads(1)  # each thread of diagnose has a block of rows
    show("checking", 0, None)
    try:
        found = diagnose(
            *arguments,
            reference=reference,
            draws=options.draws,
            seed=options.seed,
            inputs=meaning.inputs,
            threads=threads,
            progress=lambda done, total: show("drawing rows", done, total),
        )
        torch.set_num_threads(threads)
        show("correlations", 0, None)
        correlations = error_correlations(*arguments, inputs=meaning.inputs, check=False)
        curve = codependence_by_count(
            *arguments[:2],
            found.div,
            *arguments[2:],
            draws=options.draws,
            seed=options.seed,
            inputs=meaning.inputs,
            check=False,
        )
    except (ValueError, TypeError) as error:  # a sentence of the core's
        raise UserError(str(error)) from None
    if not math.isfinite(found.err.value) or not math.isfinite(found.err_bar.value):
        raise UserError(
            f"The errors of {options.predictions} are too large for its type of numbers: divide predictions and targets by the "
            "same number."
        )
    return report(options, predicted, meaning, found, correlations, *curve)


@contextlib.contextmanager
def _progress() -> Iterator[Show]:
    """A bar on standard error, which disappears; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading", total=None)

        def show(what: str, done: int, total: int | None) -> None:
            progress.update(task, description=what, completed=done, total=total)

        yield show
