"""`python -m learner_collusion <stage> ...`: what the rules call. Each stage imports what it needs, and no more."""

import argparse
import json
import os
import sys

from .errors import UserError


def main(arguments: list[str] | None = None) -> int:
    """Run one stage; 0, or 1 after one sentence on standard error where the user has something to mend."""
    parser = argparse.ArgumentParser(prog="learner_collusion", description=__doc__)
    stages = parser.add_subparsers(dest="stage", required=True)
    tabular = (_configuration, _fetch, _prepare, _tune, _train, _evaluate, _aggregate)
    for add in (*tabular, _images, _train_cell, _aggregate_cells, _figure, _table, _claims):
        add(stages)
    options = vars(parser.parse_args(arguments))
    stage, run = options.pop("stage"), options.pop("run_stage")
    try:
        run(**options)
    except UserError as error:
        print(f"{stage}: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(
            f"{stage}: {error.strerror or error}: {error.filename}; check the path and the room on the disk.",
            file=sys.stderr,
        )
        return 1
    return 0


def _stage(stages, name_: str, run_, /, *texts: str, **others: dict):
    """A subcommand: `texts` become required options, `others` options with argparse's keywords."""
    parser = stages.add_parser(name_, help=run_.__doc__, description=run_.__doc__)
    for text in texts:
        parser.add_argument(f"--{text}", required=True)
    for option, keywords in others.items():
        parser.add_argument(f"--{option}", **keywords)
    parser.set_defaults(run_stage=run_)


def _json(text: str) -> dict:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


_SETTINGS = {"settings": {"required": True, "type": _json, "help": "the configuration's part for this stage, as JSON"}}
_RUN = {"run": {"required": True, "type": int}, "threads": {"default": 1, "type": int}}
_MANY = {"nargs": "+", "required": True}
_NUMBER = {"required": True, "type": int}
_NOTE = {"note": {"default": "", "help": "marks reduced fidelity on the figure, table or claims"}}


def _configuration(stages):
    def run(output, settings):
        """Write the configuration that a workflow runs with."""
        import yaml

        from .files import write_text

        write_text(output, yaml.safe_dump(settings, sort_keys=False, allow_unicode=True))

    _stage(stages, "configuration", run, "output", **_SETTINGS)


def _fetch(stages):
    def run(dataset, output, settings):
        """Fetch the raw file of a data set from its origin, else from the mirror."""
        from .datasets import sources

        if settings["url"] is None:
            source = sources.export_diabetes(output)
        else:
            mirror = os.environ.get(sources.MIRROR_VARIABLE)
            source = sources.fetch(output, mirror=mirror, **settings)
        print(f"{dataset}: from {source}")

    _stage(stages, "fetch", run, "dataset", "output", **_SETTINGS)


def _prepare(stages):
    def run(dataset, raw, output, settings):
        """Parse, check and type a raw table."""
        from .datasets import tabular

        tabular.prepare(raw, output, dataset, settings["table"], settings["missing"])
        print(tabular.describe(output))

    _stage(stages, "prepare", run, "dataset", "raw", "output", **_SETTINGS)


def _tune(stages):
    def run(dataset, table, trials, best, settings, run, threads):
        """Tune the hyper-parameters of one run of a data set."""
        from .tuning import tune

        tune(table, dataset, run, settings, trials, best, threads)

    _stage(stages, "tune", run, "dataset", "table", "trials", "best", **_RUN, **_SETTINGS)


def _train(stages):
    def run(dataset, table, best, history, predictions, settings, runs, threads):
        """Train all betas of some runs with their tuned hyper-parameters."""
        from .tabular import sweep_runs

        sweep_runs(table, best, dataset, runs, settings, history, predictions, threads)

    files = {"best": _MANY, "history": _MANY, "predictions": _MANY, "runs": {**_MANY, "type": int}}
    _stage(stages, "train", run, "dataset", "table", **files, threads=_RUN["threads"], **_SETTINGS)


def _evaluate(stages):
    def run(dataset, predictions, histories, output, settings):
        """Compute the records of all runs of a data set."""
        from .evaluation import evaluate

        evaluate(dataset, predictions, histories, settings, output)

    _stage(stages, "evaluate", run, "dataset", "output", predictions=_MANY, histories=_MANY, **_SETTINGS)


def _aggregate(stages):
    def run(records, output):
        """Put records together."""
        from . import records as files

        files.concatenate(records, output, files.RECORDS)

    _stage(stages, "aggregate", run, "output", records=_MANY)


def _images(stages):
    def run(dataset, output, settings):
        """Fetch, check and unpack an image data set."""
        from .datasets import images
        from .datasets.sources import MIRROR_VARIABLE

        where = images.prepare(dataset, settings, output, os.environ.get(MIRROR_VARIABLE))
        print(f"{dataset}: from {where}")

    _stage(stages, "images", run, "dataset", "output", **_SETTINGS)


def _train_cell(stages):
    def run(images, cell, settings, history, checkpoint, device, compile, threads, checkpoint_minutes):
        """Train one cell of the image experiments."""
        from .images import train_cell

        hardware = {"device": device, "compile": compile == "True", "threads": threads}
        hardware |= {"checkpoint_minutes": checkpoint_minutes, "precision": settings.pop("precision")}
        train_cell(images, cell, settings, hardware, history, checkpoint)

    cell = {"cell": {"required": True, "type": _json, "help": "what the cell is, as JSON"}}
    hardware = {
        "device": {"choices": ("cpu", "cuda"), "default": "cpu"},
        "compile": {"choices": ("True", "False"), "default": "False"},
        "threads": {"default": 1, "type": int},
        "checkpoint-minutes": {"default": 5, "type": float},
    }
    _stage(stages, "train-cell", run, "images", "history", "checkpoint", **cell, **hardware, **_SETTINGS)


def _aggregate_cells(stages):
    def run(histories, output):
        """Put the histories of cells together."""
        from .images import aggregate

        aggregate(histories, output)

    _stage(stages, "aggregate-cells", run, "output", histories=_MANY)


def _figure(stages):
    def run(name, output, records, settings, note):
        """Draw a figure."""
        settings = settings or {}
        if name in ("diversity", "debiased", "codependence"):
            from .figures import tabular

            getattr(tabular, name)(records, settings["titles"], note, output)
        elif name in images:
            from .figures import images as drawn

            getattr(drawn, name)(records, settings, note, output, **settings["options"])
        elif name == "collusion":
            from .figures.collusion import illustrate

            illustrate(settings["illustration"], settings["seed"], note, output)
        elif name == "summary":
            from .figures.summary import diagram

            diagram(output)
        else:
            from .figures import gat

            getattr(gat, name)(output)

    images = ("practical", "both_metrics", "gap", "losses", "parts", "dropout")
    names = ("diversity", "debiased", "codependence", "collusion", "summary", "gamma", "alpha", *images)
    choice, optional = {"choices": names, "required": True}, {"default": None, "type": _json}
    _stage(stages, "figure", run, "output", name=choice, records={"default": None}, settings=optional, **_NOTE)


def _table(stages):
    def run(name, output, parquet, cases, seed, note, options):
        """Write Table 2, verified, or the layers of a model (Tables 3 and 4)."""
        from . import tables

        if name == "losses":
            tables.losses(cases, seed, note, output, parquet)
        else:
            tables.layers(name, options or {}, output, parquet)

    names = {"name": {"choices": ("losses", "cnn", "vgg"), "required": True}}
    numbers = {"cases": {"type": int, "default": 1000}, "seed": {"type": int, "default": 0}}
    options = {"options": {"default": None, "type": _json}}
    _stage(stages, "table", run, "output", "parquet", **names, **numbers, **options, **_NOTE)


def _claims(stages):
    def run(part, records, settings, note, output, parquet):
        """Judge the claims of a part of the paper, or put all parts together."""
        from . import claims

        if part == "theory":
            claims.write(claims.judge_theory(settings["cases"], settings["seed"]), part, note, {}, output, parquet)
        elif part == "tabular":
            rows = claims.judge_tabular(records[0], settings)
            claims.write(rows, part, note, settings["titles"], output, parquet)
        elif part == "images":
            from .claims_images import judge

            claims.write(judge(records[0], settings), part, note, settings["titles"], output, parquet)
        else:
            claims.combine(records, output, parquet)

    choice = {"choices": ("theory", "tabular", "images", "all"), "required": True}
    many, optional = {"nargs": "*", "default": []}, {"default": None, "type": _json}
    _stage(stages, "claims", run, "output", "parquet", part=choice, records=many, settings=optional, **_NOTE)


if __name__ == "__main__":
    sys.exit(main())
