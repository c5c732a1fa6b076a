"""The ci preset, made once: every rule runs, a second call does nothing, and only what changed is made again."""

import pandas as pd
import pytest
from workflows import copy_of_the_clone, plan, planned, processor_seconds, snakemake

from learner_collusion.figures.registry import FIGURES
from learner_collusion.publishing.registry import TABLES

BYTES = (
    "trials.parquet",
    "best.parquet",
    "history.parquet",
    "predictions.parquet",
    "tabular.parquet",
    "claims.parquet",
)
CI = ("--profile", "workflow/profiles/ci")
# What runs after a change, by stage.
RESULTS = {"figure", "claims_part", "claims", "report"}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The ci preset, made on two cores."""
    folder = tmp_path_factory.mktemp("ci")
    result, seconds = processor_seconds(lambda: snakemake(*CI, "--directory", folder))
    assert result.returncode == 0, result.stderr[-3000:]
    assert seconds < 2 * 8 * 60, "more than eight minutes of two cores"
    return folder


def test_everything_is_made(made):
    for name in (name for name, figure in FIGURES.items() if figure.part != "sensitivity"):
        for suffix in (".pdf", ".png", ".csv"):
            assert (made / "results/figures" / f"{name}{suffix}").stat().st_size > 0
    for name in (name for name, table in TABLES.items() if table.part != "sensitivity"):
        assert (made / f"results/tables/{name}.md").stat().st_size > 0
    claims = (made / "results/claims.md").read_text()
    assert "Fidelity 'ci', not the paper's" in claims
    assert all(
        f"| {name} |" in claims for name in ("C15", "C5b", "C6", "C7", "C8", "C9", "C10", "C11", "C12", "C13", "C14")
    )
    table = (made / "results/tables/table1_imagenet.md").read_text()
    assert (
        table.count("| independent |") == table.count("| joint |") == 8
        and "on the validation pictures of drawn shapes" in table
    )
    sides = set(pd.read_csv(made / "results/figures/fig6_practical.csv")["quantity"])
    assert sides == {"accuracy", "validation accuracy"}
    table = (made / "results/tables/table3_cnn.md").read_text()
    assert "Conv2d" in table and "docs/" not in table
    assert "fidelity: ci" in (made / "results/config.yaml").read_text()
    page = (made / "results/report.html").read_text(encoding="utf-8")
    for name in (name for name, figure in FIGURES.items() if figure.part != "sensitivity"):
        assert f'<article id="{name}"' in page, name
    assert all(f'id="table-{name}"' in page for name in TABLES if name != "sensitivity") and 'id="moving-data"' in page


def nothing_to_do(result):
    return result.returncode == 0 and "Nothing to be done" in result.stdout + result.stderr


def test_a_second_call_does_nothing(made, tmp_path):
    assert nothing_to_do(snakemake(*CI, "--directory", made))
    assert nothing_to_do(snakemake(*CI, "--directory", made, LEARNER_COLLUSION_MIRROR=str(tmp_path)))


def jobs_after(made, *texts, folder, targets=()):
    """What a dry run plans in the finished directory with more presets laid over ci."""
    presets = []
    for number, text in enumerate(texts):
        presets.append(folder / f"{number}.yaml")
        presets[-1].write_text(text)
    result = plan("--cores", "2", "--directory", made, "--configfile", "workflow/presets/ci.yaml", *presets,
                       *(["--", *targets] if targets else []))  # fmt: skip
    assert result.returncode == 0, result.stderr[-2000:]
    return {rule: count for rule, count in planned(result).items() if rule not in ("total", "all")}


def test_a_title_redraws_and_does_not_retrain(made, tmp_path):
    jobs = jobs_after(made, "tables: {diabetes: {title: Sugar}}", folder=tmp_path)
    assert jobs == {"settings": 4, "figure": 3, "claims_part": 1, "claims": 1, "configuration": 1, "report": 1}


def test_a_tuning_key_tunes_again(made, tmp_path):
    jobs = jobs_after(made, "tabular: {tuning: {beta: 1}}", folder=tmp_path)
    assert {"tune_dataset", "train_tabular", "evaluate", "aggregate"} < set(jobs)
    assert jobs["figure"] == 3 and not {"train_images", "prepare", "table"} & set(jobs)


def test_where_cells_run_retrains_nothing(made, tmp_path):
    jobs = jobs_after(
        made, "images: {hardware: {threads: 2, checkpoint_minutes: 1}}\ntabular: {threads: 1}", folder=tmp_path
    )
    assert set(jobs) == {"configuration", "report"}  # the page has the configuration to save


TUNED = {"tune_dataset", "train_tabular", "evaluate", "aggregate", *RESULTS}
CELLS = {"train_images", "aggregate", *RESULTS}
PICTURES = {"train_imagenet", "aggregate", "table", *RESULTS}


# Edits (file, old text or None to append, new text), and the rules that run after all of them together.
CHANGES = {
    "additions and comments make nothing stale": ([
        ("records/tabular.py", None, '\nEXTRA = pa.schema([("x", pa.int32())])\n'),
        ("models/cifar.py", None, "\n\ndef tiny(classes, width=1):\n    return nn.Flatten()\n"),
        ("models/registry.py", None, '\nMODELS["tiny"] = Model("cifar:tiny", "Tiny")\n'),
        ("data/registry.py", None, '\nIMAGE_SOURCES["mine"] = "mine"\n'),
        ("stages/tune.py", '"""Tune the', '"""Now tune the'),
    ], set()),
    "a figure is made, and a claim is judged with the others of its part": ([
        ("figures/registry.py", None, '\nFIGURES["fig19_mine"] = FIGURES["fig2_diversity"]\n'),
        ("claims/catalogue/__init__.py", None,
         '\nCLAIMS += (Claim("C99", "theory", "Mine", "Nowhere", "lemma_d2", below=1),)\n'),
    ], {"figure", "claims_part", "claims", "settings", "report"}),
    "a line of the MLP kernel concerns the tabular half":
        ([("native/engine/kernel.h", "(T)0.999 * square[p]", "(T)0.99 * square[p]")], TUNED | {"illustrate"}),
    "a line of the convolution concerns all image cells":
        ([("native/convolution/kernel.h", "best = best <= 0 ?", "best = best <= 1 ?")],
         CELLS | PICTURES),
    "a line of the batches of pictures concerns ImageNet": ([("training/pictures.py", "_AHEAD = 2", "_AHEAD = 3")], PICTURES),
    "fetch": ([("stages/fetch.py", "def fetch_table(", "def fetch_table(*_, ")], {"fetch", "prepare", *TUNED}),
    "prepare": ([("stages/prepare.py", "def prepare_images(", "def prepare_images(*_, ")], {"prepare", *CELLS}),
    "tune": ([("stages/tune.py", "DIVERGED = 10.0", "DIVERGED = 20.0")], TUNED),
    "train_tabular": ([("stages/train_tabular.py", "lines = []", "lines = list()")], TUNED - {"tune_dataset"}),
    "evaluate": ([("stages/evaluate.py", "1e-9 * max", "1e-8 * max")], {"evaluate", "aggregate", *RESULTS}),
    "table": ([("stages/table.py", "def run(options", "def run(options, *_")], {"table", "report"}),
    "figure": ([("stages/figure.py", "def run(options", "def run(options, *_")], {"figure", "report"}),
    "claims": ([("stages/claims.py", "def judge_images(", "def judge_images(*_, ")], {"claims_part", "claims", "report"}),
    "a word of the page": ([("publishing/templates/report.html", "A picture that moves:", "A picture that can be moved:")], {"report"}),
}  # fmt: skip


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_change_of_code_makes_again(made, tmp_path, change):
    edits, expected = CHANGES[change]
    clone = copy_of_the_clone(tmp_path)
    for file, old, new in edits:
        path = clone / "src/learner_collusion" / file
        text = path.read_text()
        assert old is None or old in text, f"{file} no longer holds {old!r}: mend this test"
        path.write_text(text + new if old is None else text.replace(old, new, 1))
    # the jobs' code comes from the changed copy; its start script sets PYTHONPATH itself
    result = plan(*CI, "--directory", made, clone=clone)
    assert result.returncode == 0, (result.stdout + result.stderr)[-2000:]
    assert set(planned(result)) - {"total", "all"} == expected
    if expected >= {"train_images"}:
        assert "train_tabular" not in planned(result)


def test_one_core_gives_the_same_bytes(made, tmp_path):
    targets = ("results/claims/tabular.md", "results/records/images/cnn.parquet")
    result = snakemake(*CI, "--cores", "1", "--directory", tmp_path, *targets)
    assert result.returncode == 0, result.stderr[-3000:]
    paths = [p.relative_to(made) for p in made.rglob("*") if p.name in BYTES and p.is_file()]
    common = [path for path in paths if (tmp_path / path).exists()]
    assert len(common) >= 8
    for path in common:
        assert (made / path).read_bytes() == (tmp_path / path).read_bytes(), path


def test_the_report(made):
    result = snakemake(*CI, "--directory", made, "--report", made / "report.zip")
    assert result.returncode == 0, result.stderr[-3000:]
    assert (made / "report.zip").stat().st_size > 100_000
