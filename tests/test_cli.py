"""The commands as a user meets them: one sentence, exit code 1, no traceback, nothing half written."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

from learner_collusion.cli import COMMANDS, STAGES

CONFIG = ("--config", ROOT / "config.yaml", ROOT / "workflow/presets/ci.yaml")


def run(*arguments, cwd=None):
    command = [sys.executable, "-m", "learner_collusion", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd or ROOT)


def one_sentence(result, words):
    assert result.returncode == 1
    assert words in result.stderr and "Traceback" not in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_the_list_and_the_version():
    text = run("--help").stdout
    for name in (*STAGES, *COMMANDS):
        assert re.search(rf"^    {name}\s+[A-Z]\w+ \w+", text, re.M), name
    from learner_collusion import __version__

    assert run("--version").stdout == f"learner-collusion {__version__}\n"


@pytest.mark.parametrize("command", [*STAGES, *COMMANDS])
def test_each_help_has_a_sentence_and_an_example(command):
    result = run(command, "--help")
    assert result.returncode == 0 and "Example: learner-collusion " + command in result.stdout
    text = result.stdout.split("\n\n")[1]
    assert text.rstrip().endswith(".") and len(text) > 30


def test_a_study_by_hand(tmp_path):
    """From the raw table to a figure and verdicts, command by command, with the files where the workflow has them."""
    for stage in ("fetch", "prepare", "tune", "train_tabular", "evaluate"):
        result = run(stage, "--dataset", "diabetes", *CONFIG, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    records = tmp_path / "results/records/tabular/diabetes.parquet"
    result = run("aggregate", "--family", "tabular", "--inputs", records, "--output", "results/records/tabular.parquet",
                 cwd=tmp_path)  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert run("figure", "--figure", "fig2_diversity", *CONFIG, cwd=tmp_path).returncode == 0
    assert run("claims", "--part", "tabular", *CONFIG, cwd=tmp_path).returncode == 0
    written = tmp_path / "results/claims/tabular.md"
    assert "**Fidelity 'ci', not the paper's:" in written.read_text()
    assert "The records were not made" not in written.read_text()
    assert run("claims", "--part", "tabular", "--config", ROOT / "config.yaml", cwd=tmp_path).returncode == 0
    assert "**The records were not made with this configuration: " in written.read_text()
    for path in ("figures/fig2_diversity.pdf", "claims/tabular.md"):
        assert (tmp_path / "results" / path).stat().st_size > 0


def test_a_cell_by_hand(tmp_path):
    for stage in ("fetch", "prepare"):
        assert run(stage, "--dataset", "digits", *CONFIG, cwd=tmp_path).returncode == 0
    result = run("train_images", *CONFIG, "--dataset", "digits", "--protocol", "cnn", "--model", "cnn", "--learners", "2",
                 "--beta", "1", "--run", "0", cwd=tmp_path)  # fmt: skip
    assert result.returncode == 0, result.stderr
    path = "results/images/cnn/digits/cnn/m2-probability/drop0/beta1/run0/history.parquet"
    assert (tmp_path / path).stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("prepare", "--dataset", "wine"), "'wine' is not declared in the configuration"),
        (("figure", "--figure", "fig9_gat_alpha", "--output", "f.png"), "must end in .pdf"),
        (("claims", "--part", "theory", "--output", "c.parquet"), "cannot be both Markdown and Parquet"),
        (
            (
                "train_images",
                "--dataset",
                "digits",
                "--protocol",
                "cnn",
                "--model",
                "cnn",
                "--learners",
                "2",
                "--beta",
                "1",
                "--run",
                "-1",
            ),
            "runs count from 0",
        ),
        (("tune", "--dataset", "diabetes"), "results/datasets/diabetes.parquet does not exist"),
        (("train_tabular", "--dataset", "diabetes"), "does not exist"),
        (("evaluate", "--dataset", "diabetes"), "does not exist"),
        (("figure", "--figure", "fig2_diversity"), "does not exist"),
        (("claims", "--part", "tabular"), "does not exist"),
    ],
)
def test_a_missing_input_is_one_sentence(tmp_path, arguments, words):
    one_sentence(run(*arguments, *CONFIG, cwd=tmp_path), words)
    assert not list(tmp_path.iterdir())


def test_a_missing_setting_is_one_sentence(tmp_path):
    (tmp_path / "tune.yaml").write_text("seed: 0\nruns: 1\n")
    one_sentence(run("tune", "--dataset", "diabetes", "--settings", tmp_path / "tune.yaml"), "lacks the key `split`")
    (tmp_path / "tune.yaml").write_text("- seed\n")
    one_sentence(run("tune", "--dataset", "diabetes", "--settings", tmp_path / "tune.yaml"), "holds no settings")
    (tmp_path / "c.yaml").write_text("tabular: {runs: many}\n")
    result = run("tune", "--dataset", "diabetes", "--config", ROOT / "config.yaml", tmp_path / "c.yaml")
    one_sentence(result, "tabular.runs is wrong: 'many' is not of type 'integer'")


def test_a_truncated_table(tmp_path):
    (tmp_path / "t.parquet").write_bytes(b"PAR1....")
    result = run("figure", "--figure", "fig2_diversity", "--records", tmp_path / "t.parquet", "--output",
                 tmp_path / "f.pdf", *CONFIG)  # fmt: skip
    one_sentence(result, "not a complete Parquet file: delete it")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["t.parquet"]


def test_no_room_or_no_permission(tmp_path):
    (tmp_path / "file").write_text("")
    result = run("figure", "--figure", "fig9_gat_alpha", "--output", tmp_path / "file" / "f.pdf", *CONFIG)
    one_sentence(result, "check the path")


def loaded(*arguments):
    """The packages that a command imports, by -X importtime."""
    command = [sys.executable, "-X", "importtime", "-m", "learner_collusion", *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True)
    return {line.rsplit("|", 1)[-1].strip().split(".")[0] for line in result.stderr.splitlines()}


def test_stages_import_what_they_use_and_no_more(tmp_path):
    heavy = {"torch", "pandas", "sklearn", "skopt", "matplotlib", "pyarrow", "snakemake"}
    assert not loaded("--help") & heavy
    assert not loaded("tune", "--help") & heavy
    output = tmp_path / "f.pdf"
    assert not loaded("figure", "--figure", "fig9_gat_alpha", "--output", output, *CONFIG) & {
        "torch",
        "skopt",
        "snakemake",
    }


def test_without_the_packages_of_the_workflow(tmp_path):
    """`pip install learner-collusion` brings torch and NumPy alone: the version shows, and a command names what is missing."""
    for name in ("yaml", "msgspec"):
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError('no {name}', name='{name}')")

    def without(*arguments):
        command = [
            sys.executable,
            "-c",
            "import sys; from learner_collusion.cli import main; sys.exit(main())",
            *arguments,
        ]
        path = f"{tmp_path}:{ROOT / 'src'}"
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": path})

    assert without("--version").stdout.startswith("learner-collusion ")
    one_sentence(without("tune", "--dataset", "diabetes"), "pip install 'learner-collusion[workflow,images]'")


@pytest.mark.parametrize(
    ("raised", "words"),
    [
        ("MemoryError()", "it needs more memory than there is"),
        (
            "RuntimeError('DefaultCPUAllocator: cannot allocate memory: 240 bytes')",
            "it needs more memory than there is",
        ),
        ("RuntimeError('CUDA out of memory. Tried to allocate 20 GiB')", "it needs more memory than there is"),
        (
            "UnicodeEncodeError('utf-8', 'a' + chr(0xdcff), 1, 2, 'surrogates')",
            "bytes that are no UTF-8 text: rename that file",
        ),
        ("RuntimeError('a mistake of ours')", "Traceback"),
    ],
)
def test_the_end_of_memory_and_odd_names_are_a_sentence(raised, words):
    code = f"""
from learner_collusion import cli
from learner_collusion.stages import evaluate
def run(options):
    raise {raised}
evaluate.run = run
raise SystemExit(cli.main(["evaluate", "--dataset", "x"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1 and words in done.stderr
    assert words == "Traceback" or done.stderr.count("\n") == 1


@pytest.mark.parametrize("option", ["--processes", "--threads"])
def test_there_are_not_more_processes_than_a_machine_survives(option):
    stage = {"--processes": "evaluate", "--threads": "train_images"}[option]
    done = subprocess.run(
        [sys.executable, "-m", "learner_collusion", stage, option, "1000000000"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "1000000000, but must be at least 1 and at most 4096" in done.stderr
