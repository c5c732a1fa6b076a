"""The command `figure`: every entry of the registry can be drawn; what it needs, it says."""

import copy
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml
from made_imagenet import write as write_imagenet
from made_images import EXPERIMENTS, TITLES, write

from learner_collusion import cli
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import settings as plan
from learner_collusion.records import parquet
from learner_collusion.records.tabular import RECORDS
from learner_collusion.stages.figure import Settings, default_records

FILES = (".pdf", ".png", ".csv")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settings(name: str, **others) -> dict:
    """What the plan writes for a figure of the made records."""
    figure = FIGURES[name]
    found = {
        "note": "Fidelity 'ci'.",
        "mark": "Fidelity 'ci'.",
        "titles": TITLES,
        "options": figure.options,
        "seed": 0,
        "illustration": None,
    }
    return found | {"experiment": EXPERIMENTS.get(figure.experiment)} | others


def write_tabular(path) -> None:
    metrics = ("err", "div", "bias_share", "increase_0.2", "learners")
    rows = [("tabular", "a", run, beta, m, 1.0 + run) for run in range(2) for beta in (0.0, 1.0) for m in metrics]
    parquet.write(path, pd.DataFrame(rows, columns=RECORDS.names), RECORDS)


@pytest.mark.parametrize("name", [name for name, figure in FIGURES.items() if figure.part == "theory"])
def test_theory_figures_need_no_records(folder, name, config):
    (folder / "s.yaml").write_text(yaml.safe_dump(settings(name, illustration=config["illustration"])))
    assert cli.main(["figure", "--figure", name, "--settings", "s.yaml"]) == 0
    assert all((folder / f"results/figures/{name}{suffix}").stat().st_size for suffix in FILES)


def test_records_are_where_the_workflow_writes_them(folder, random):
    write_tabular(folder / "results/records/tabular.parquet")
    (folder / "results/records/images").mkdir()
    Path(write(folder, random)).rename(folder / "results/records/images/practical.parquet")
    for name in ("fig3_debiased", "fig6_practical"):
        (folder / "s.yaml").write_text(yaml.safe_dump(settings(name)))
        assert cli.main(["figure", "--figure", name, "--settings", "s.yaml", "--output", f"out/{name}.pdf"]) == 0
        assert all((folder / f"out/{name}{suffix}").stat().st_size for suffix in FILES)


def test_default_records(config):
    def default(name, **changes):
        return default_records(name, plan.convert(plan.take(config | changes, config, "figure", name), Settings))

    left, right = "results/records/images/practical.parquet", "results/records/imagenet/imagenet_resnet18.parquet"
    assert default("fig1_collusion") == [] and default("fig2_diversity") == ["results/records/tabular.parquet"]
    assert default("fig17_ensemble_loss") == [left] and default("fig6_practical") == [left, right]
    assert (
        default("fig6_practical", parts=["theory", "images"]) == default("fig6_practical", parts=["theory"]) == [left]
    )
    assert default("fig6_practical", parts=["imagenet"]) == [right]


def test_figure_6_takes_the_records_of_both_sides(folder, random, config):
    left, right = write(folder, random), write_imagenet(folder)
    beside = {"model": "imagenet_resnet18", "dataset": "imagenette", "learners": 2, "betas": [0, 1], "runs": 1}
    found = settings("fig6_practical", beside=beside | {"evaluate_every": None})
    (folder / "s.yaml").write_text(yaml.safe_dump(found))
    arguments = ["figure", "--figure", "fig6_practical", "--settings", "s.yaml", "--output", "f.pdf", "--records"]
    assert cli.main([*arguments, left, right]) == 0
    assert {"accuracy", "validation accuracy"} == set(pd.read_csv("f.csv")["quantity"])


def test_too_few_records_are_told(folder, random, capsys):
    beside = {
        "model": "imagenet_resnet18",
        "dataset": "imagenette",
        "learners": 2,
        "betas": [0, 1],
        "runs": 1,
        "evaluate_every": 9,
    }
    (folder / "s.yaml").write_text(yaml.safe_dump(settings("fig6_practical", beside=beside)))
    path = write(folder, random)
    assert cli.main(["figure", "--figure", "fig6_practical", "--settings", "s.yaml", "--records", path]) == 1
    assert "reads 2 files of records, and --records names 1" in capsys.readouterr().err


def test_from_the_configuration_by_hand(folder, config):
    """With the configuration and a preset in place of the settings that the workflow writes."""
    write_tabular(folder / "r.parquet")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / "mine.yaml").write_text("fidelity: mine\ntabular: {runs: 2}\n")
    arguments = ["figure", "--figure", "fig2_diversity", "--records", "r.parquet", "--output", "f.pdf"]
    assert cli.main([*arguments, "--config", "config.yaml", "mine.yaml"]) == 0
    assert len(pd.read_csv(folder / "f.csv")) == 4


def test_records_of_another_configuration_are_told(folder, config, monkeypatch):
    """Reduced records, drawn by hand with the paper's configuration, are not labelled as the paper's."""
    from learner_collusion.figures import tabular

    notes = []
    monkeypatch.setattr(tabular, "diversity", lambda settings, records, output: notes.append(settings.note))
    write_tabular(folder / "r.parquet")
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    assert cli.main(["figure", "--figure", "fig2_diversity", "--records", "r.parquet", "--output", "f.pdf"]) == 0
    assert notes == ["The records were not made with this configuration: they do not say what they were made with."]


def test_missing_records_are_told_before_anything_is_drawn(folder, capsys):
    (folder / "s.yaml").write_text(yaml.safe_dump(settings("fig2_diversity")))
    assert cli.main(["figure", "--figure", "fig2_diversity", "--settings", "s.yaml"]) == 1
    assert "results/records/tabular.parquet does not exist: run the workflow" in capsys.readouterr().err
    assert not (folder / "results").exists()


@pytest.mark.parametrize(("key", "value"), [("note", None), ("options", "accuracy"), ("experiment", ["a"])])
def test_wrong_settings_are_told(folder, capsys, key, value):
    (folder / "s.yaml").write_text(yaml.safe_dump(settings("fig2_diversity", **{key: value})))
    assert cli.main(["figure", "--figure", "fig2_diversity", "--settings", "s.yaml"]) == 1
    assert f"at {key}" in capsys.readouterr().err


def test_a_missing_setting_is_told(folder, capsys):
    given = settings("fig2_diversity")
    del given["titles"]
    (folder / "s.yaml").write_text(yaml.safe_dump(given))
    assert cli.main(["figure", "--figure", "fig2_diversity", "--settings", "s.yaml"]) == 1
    assert "lacks the key `titles`" in capsys.readouterr().err


def test_every_entry_names_a_documented_function():
    for figure in FIGURES.values():
        module, _, function = figure.draw.partition(":")
        drawing = getattr(importlib.import_module(f"learner_collusion.figures.{module}"), function)
        expected = ["settings", "records", "output", *["beside"] * bool(figure.beside)]
        found = [
            p.name for p in inspect.signature(drawing).parameters.values() if p.name in expected or p.default is p.empty
        ]
        assert drawing.__doc__ and found == expected


def test_the_configuration_gives_the_settings_of_every_figure(config):
    from learner_collusion.stages.figure import Settings

    for name, figure in FIGURES.items():
        found = plan.convert(plan.take(config, config, "figure", name), Settings)
        assert found.note == "" and found.options == figure.options, name
        assert (found.experiment is not None) == (figure.part == "images"), name


def test_reduced_fidelity_is_marked_in_one_line_and_the_steps_of_the_curves_are_known(config):
    small = copy.deepcopy(config)
    small["fidelity"] = "mine"
    small["images"]["protocols"]["curves"] |= {"epochs": 2, "evaluate_every": 50}
    found = plan.take(small, config, "figure", "fig10_loss_curves")
    assert found["note"].startswith("Fidelity 'mine', not the paper's: ") and "epochs 2 instead of 100" in found["note"]
    assert found["mark"] == "Fidelity 'mine', not the paper's: see this file's metadata."
    assert found["evaluate_every"] == 50
    unchanged = plan.take(small, config, "figure", "fig2_diversity")
    assert unchanged["mark"] == unchanged["note"] == "" and unchanged["evaluate_every"] is None


@pytest.mark.parametrize("name", ["fig8_gat_gamma", "fig9_gat_alpha"])
def test_formulas_are_drawn_without_pytorch(folder, name):
    (folder / "s.yaml").write_text(yaml.safe_dump(settings(name)))
    code = (
        "import sys; from learner_collusion import cli; "
        f"code = cli.main(['figure', '--figure', {name!r}, '--settings', 's.yaml']); "
        "print(sorted(m for m in ('torch', 'sklearn', 'skopt') if m in sys.modules)); sys.exit(code)"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, cwd=folder)
    assert result.returncode == 0 and result.stdout == "[]\n", result.stderr


def test_the_help_needs_no_library_for_drawing():
    code = (
        "import sys\nfrom learner_collusion import cli\ntry:\n    cli.main(['figure', '--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('matplotlib', 'seaborn', 'pandas', 'torch') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Example: learner-collusion figure" in result.stdout and result.stdout.endswith("[]\n")
