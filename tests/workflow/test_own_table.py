"""A study of the user's own table: what docs/your-data.md says, to the letter, and what becomes of it when the table changes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from own_tables import PLAIN, ROWS, text
from workflows import NO_NETWORK, ROOT, plan, planned, snakemake, without_mirror

from learner_collusion.data import tabular
from learner_collusion.data.declared import Table
from learner_collusion.plan import configuration, settings
from learner_collusion.records import parquet

DOCUMENT = (ROOT / "docs/your-data.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"```console\n(.*?)```", DOCUMENT, re.S)
PRESETS = [block for block in re.findall(r"```yaml\n(.*?)```", DOCUMENT, re.S)]
SMALL = PRESETS[1]


def run(command: str, folder: Path) -> subprocess.CompletedProcess:
    """A command of the documentation, from another folder than the clone."""
    command = command.replace("snakemake ", f"snakemake --snakefile {shlex.quote(str(ROOT / 'Snakefile'))} ")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    source = os.pathsep.join(filter(None, [str(ROOT / "src"), os.environ.get("PYTHONPATH")]))
    environment = without_mirror({"PATH": path, "PYTHONPATH": source} | NO_NETWORK)
    return subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, cwd=folder, env=environment, timeout=1500
    )


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """The folder in which the documentation's commands were run: `new-study`, the small run, and a plan of the whole one."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "houses.csv").write_text(PLAIN)
    new, whole, small = COMMANDS
    found = run(new, folder)
    assert found.returncode == 0, found.stderr
    printed = found.stdout.split("To tune, train, plot and judge, run\n\n")[1]
    printed = printed.split("\nor at first a small run, with what houses/small.yaml makes smaller:\n\n")
    snakefile = f"--snakefile {shlex.quote(str(ROOT / 'Snakefile'))} "
    assert printed == [command.replace("snakemake ", f"snakemake {snakefile}") for command in (whole, small)]
    assert (folder / "houses/small.yaml").read_text() == SMALL
    assert "houses: 120 rows of houses.csv, 3 features to learn price from" in found.stdout
    preset = (folder / "houses/study.yaml").read_text()
    assert "\n".join(line for line in preset.splitlines() if line[0] != "#") + "\n" == PRESETS[0]
    planned_all = run(whole.split("-- \\\n")[1].replace("snakemake ", "snakemake -n "), folder)
    assert planned_all.returncode == 0 and "tune_dataset" in planned_all.stdout, planned_all.stderr
    found = run(small, folder)
    assert found.returncode == 0, (found.stdout + found.stderr)[-3000:]
    return folder


def test_the_documented_commands_end_with_figures_and_verdicts_under_the_users_names(study):
    results = study / "houses/small/results"
    for name in ("fig2_diversity", "fig3_debiased", "fig4_codependence"):
        for suffix in ("pdf", "png", "csv"):
            assert (results / f"figures/{name}.{suffix}").stat().st_size > 0
    assert set(parquet.read(results / "records/tabular.parquet")["dataset"]) == {"houses"}
    claims = (results / "claims.md").read_text()
    assert "**A study of its own, 'houses', by the paper's protocol but for: runs 3 instead of 10; " in claims
    assert claims.count("| houses |") == 9 and re.search(r"\| (holds|undecided)", claims)
    for word in ("Fidelity", "not the paper's", "Figure 2)", "Appendix", "Facebook", "ImageNet", "datasets houses"):
        assert word not in claims, word
    drawn = (results / "figures/fig2_diversity.png").read_bytes()
    assert b"A study of its own, 'houses'" in drawn
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "<h1>Does joint training collude on houses?</h1>" in page and page.count('data-part="tabular"') == 9
    rows = len(ROWS)
    assert re.search(rf"<summary>houses: {rows} rows of houses\.csv, \d+ features to learn price from</summary>", page)
    assert "Fidelity" not in page and "Facebook" not in page and "what the paper says" not in page
    log = (results / "logs/prepare/houses.parquet.log").read_text()
    assert "categories: city (3: north, 'old town, east', south)" in log
    config = yaml.safe_load((results / "config.yaml").read_text())
    assert config["tables"]["houses"]["missing"][0] == "NA" and config["tables"]["houses"]["drop"] == []


def test_an_edit_of_the_table_makes_what_depends_on_it_anew_and_nothing_is_done_without_one(study):
    command = COMMANDS[2].split("-- \\\n")[1].replace("snakemake ", "snakemake -n ")
    assert "Nothing to be done" in run(command, study).stdout
    table = study / "houses.csv"
    state = table.stat()
    table.write_text(text(rows=ROWS[:-1]))
    jobs = planned(run(command, study))
    table.write_text(PLAIN)
    os.utime(table, ns=(state.st_atime_ns, state.st_mtime_ns))  # the tests after this one share the study
    rules = {
        "fetch",
        "prepare",
        "tune_dataset",
        "train_tabular",
        "evaluate",
        "aggregate",
        "figure",
        "claims_part",
        "claims",
        "report",
    }
    assert set(jobs) - {"total", "all"} == rules
    table.rename(study / "moved.csv")  # what is made stays, and can be drawn again
    assert "Nothing to be done" in run(command, study).stdout
    (study / "moved.csv").rename(table)


def dry(folder, table: str, *targets):
    (folder / "mine.yaml").write_text(
        f"fidelity: mine\nparts: [tabular]\ntables: {{mine: {table}}}\ntabular: {{datasets: [mine]}}"
    )
    return plan("--cores", "1", "--directory", folder / "out", "--configfile", folder / "mine.yaml", "--", *targets)


def test_a_file_that_is_not_there_is_told_before_anything_runs(tmp_path):
    result = dry(tmp_path, "{file: diabetes.csv, target: target}", "data")
    output = result.stdout + result.stderr
    assert result.returncode != 0 and f"{tmp_path}/diabetes.csv does not exist, which tables.mine.file names" in output
    assert "Traceback" not in output and not (tmp_path / "out/results").exists()
    result = dry(tmp_path, "{file: mine.csv}", "data")
    assert result.returncode != 0 and "tables.mine lacks a key: 'target'" in result.stdout + result.stderr


def test_a_study_does_not_mix_with_the_papers_results(tmp_path):
    (tmp_path / "houses.csv").write_text(PLAIN)
    (tmp_path / "mine.yaml").write_text(PRESETS[0].replace("../", ""))
    result = plan("--cores", "1", "--configfile", tmp_path / "mine.yaml", "--", "data")
    assert result.returncode != 0 and "add --directory and its name" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("\n".join(PLAIN.splitlines()[:13]), "12 rows, too few to split"),
        (text(price=lambda i: 1), "holds 1 in every row, so there is nothing to learn"),
    ],
)
def test_where_nothing_can_be_learnt_there_are_no_verdicts(tmp_path, content, words):
    (tmp_path / "houses.csv").write_text(content)
    (tmp_path / "mine.yaml").write_text(PRESETS[0].replace("../", ""))
    (tmp_path / "small.yaml").write_text(SMALL)
    presets = ("--configfile", tmp_path / "mine.yaml", tmp_path / "small.yaml")
    result = snakemake("--cores", "2", "--directory", tmp_path / "out", *presets, **NO_NETWORK)
    output = result.stdout + result.stderr
    assert result.returncode != 0 and words in output and "most recent call" not in output
    assert not list((tmp_path / "out/results").rglob("claims*.md"))


def test_the_documented_presets_are_read_as_they_say(tmp_path):
    sales, two = PRESETS[2:]
    (tmp_path / "sales").mkdir()
    fields = "{sold};{area};{zone};{city};{price};{note}"
    content = text(
        fields, "sold;area;zone;city;price;note", sold=lambda i: f"{1 + i % 28:02d}.02.2021", zone=lambda i: i % 3,
        area=lambda i: "k.A." if i == 4 else ROWS[i][0].replace(".", ","), note=lambda i: "übrig" if i % 2 else "",
        price=lambda i: f"{int(ROWS[i][3]):,}".replace(",", "."),
    )  # fmt: skip
    (tmp_path / "sales.csv").write_bytes(content.encode("latin-1"))
    (tmp_path / "sales/study.yaml").write_text(sales)
    config = configuration.load_all([configuration.PAPER, tmp_path / "sales/study.yaml"])
    declared = settings.take(config, config, "prepare", "sales")
    assert settings.take(config, config, "fetch", "sales")["path"] == str(tmp_path / "sales.csv")
    table = settings.convert({key: value for key, value in declared.items() if key != "kind"}, Table)
    tabular.prepare(tmp_path / "sales.csv", tmp_path / "sales.parquet", "sales", table)
    found = parquet.read(tmp_path / "sales.parquet")
    assert list(found) == ["sold", "area", "zone", "city", "price"] and len(found) == 120
    assert found["price"].tolist() == [float(row[3]) for row in ROWS] and set(found["zone"]) == {"0", "1", "2"}
    (tmp_path / "two.yaml").write_text(two)
    config = configuration.load_all([configuration.PAPER, tmp_path / "two.yaml"])
    assert settings.take(config, config, "claims", "tabular")["titles"] == {"vienna": "Vienna", "graz": "Graz"}


def test_the_documented_keys_are_those_of_the_schema():
    rows = re.findall(r"^\| (`.*?) \|", DOCUMENT, re.M)
    documented = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    known = set(configuration.schema()["properties"]["tables"]["additionalProperties"]["properties"])
    assert documented == known - {"source"}


def test_results_of_another_table_or_other_settings_are_told_where_snakemake_finds_nothing_to_do(study, tmp_path):
    """It knows times, and what it has noted in .snakemake."""
    shutil.copytree(study, tmp_path / "study")
    folder, table = tmp_path / "study/houses", tmp_path / "study/houses.csv"
    shutil.rmtree(folder / "small/.snakemake")
    (folder / "study.yaml").write_text((folder / "study.yaml").read_text().replace(str(study), str(tmp_path / "study")))
    raw = "results/datasets/raw/houses/houses.csv"

    def run_small(*options):
        files = ("--configfile", folder / "study.yaml", folder / "small.yaml")
        return snakemake(
            "--cores", 2, *files, "--directory", folder / "small", "results/records/tabular.parquet", *options
        )

    def told(result):
        found = re.search(r"^WorkflowError:\n(results/.*)$", result.stdout + result.stderr, re.M)
        assert result.returncode == 1 and found, result.stdout + result.stderr
        return found[1]

    def told_nothing(result):
        return result.returncode == 0 and "Nothing to be done" in result.stdout + result.stderr

    state = table.stat()
    table.write_text(table.read_text().replace("1", "2"))
    os.utime(table, ns=(state.st_atime_ns, state.st_mtime_ns))
    said = told(run_small())  # its table is at another place now, too
    assert "holds other settings than this run's" in said
    assert "results/settings/fetch/houses.yaml" in said.partition(" --forcerun ")[2].split()
    assert said in run_small("-n").stdout
    assert run_small("--forcerun", *said.partition(" --forcerun ")[2].split()).returncode == 0
    assert (folder / "small" / raw).read_bytes() == table.read_bytes() and told_nothing(run_small())
