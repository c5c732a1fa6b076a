"""Where people find and run the project: the workflow catalogue, the citation, the container's definitions, the artifact appendix."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from documents import text_of
from workflows import plan, planned


def test_the_workflow_catalogue_finds_what_it_looks_for():
    """Its rules for workflows of standardised usage: the words, the places, and a file with known keys."""
    readme = text_of("README.md").lower()
    assert "snakemake" in readme and "workflow" in readme
    assert (ROOT / "workflow/Snakefile").exists() and list((ROOT / "workflow/rules").glob("*.smk"))
    assert "docs/configuration.md" in text_of("config/README.md")
    usage = yaml.safe_load(text_of(".snakemake-workflow-catalog.yml"))["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"} and usage["report"] is True
    deployed = usage["software-stack-deployment"]
    assert set(deployed) == {"conda", "apptainer", "apptainer+conda"}
    rules = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "workflow/rules").glob("*.smk"))
    assert deployed["conda"] is ("\n    conda:\n" in rules)
    assert deployed["apptainer"] is bool(re.search(r"^\s*container:", rules, re.M))


def test_the_main_file_of_the_catalogue_plans_what_ours_plans(tmp_path):
    preset = ("--cores", "1", "--configfile", ROOT / "workflow/presets/demo.yaml", "--directory", tmp_path)
    ours = plan(*preset)
    theirs = plan("--snakefile", ROOT / "workflow/Snakefile", *preset)
    assert planned(ours)["all"] == 1 and planned(theirs) == planned(ours), theirs.stdout + theirs.stderr


def test_the_citation_names_the_paper_as_the_readme_does():
    """The keys that CITATION.cff needs, and the paper's title, authors, venue and year in both. (cffconvert validates it, too.)"""
    cited = yaml.safe_load(text_of("CITATION.cff"))
    assert {"cff-version", "message", "title", "authors", "license", "version", "repository-code"} <= set(cited)
    paper = cited["preferred-citation"]
    assert [paper] == cited["references"]
    entry = text_of("README.md").split("```bibtex\n")[1].split("```")[0].replace("{\\'e}", "é")
    assert f"{{{paper['title']}}}" in entry and f"{{{paper['year']}}}" in entry and paper["collection-title"] in entry
    for author in paper["authors"]:
        family = " ".join(filter(None, [author.get("name-particle"), author["family-names"]]))
        assert f"{family}, {author['given-names']}" in entry
    assert paper["url"] in text_of("README.md")


def steps_of_docker() -> list[str]:
    """The commands of the Dockerfile; its base and its files are checked apart."""
    return re.findall(r"^RUN (.*)$", text_of("Dockerfile"), re.M)


def test_both_containers_are_made_by_the_same_steps():
    definition = text_of("apptainer.def")
    sections = dict(re.findall(r"^%(\w+)\n(.*?)(?=^%|\Z)", definition, re.M | re.S))
    post = [line.strip() for line in sections["post"].strip().splitlines()]
    outside = [line for line in post if not line.startswith(("export ", "cd "))]
    assert outside == steps_of_docker()
    docker = text_of("Dockerfile")
    assert re.search(r"^ARG BASE=(.*)$", docker, re.M)[1] == re.search(r"BASE=(.*)$", sections["arguments"], re.M)[1]
    for text in (docker, definition):
        assert ". /learner-collusion" in text and "/learner-collusion/.venv/bin:$PATH" in text
        paths = re.findall(r"/learner-collusion/([\w/.-]+\w)", text)
        assert all((ROOT / path).exists() for path in paths if not path.startswith(".venv"))


def test_an_image_takes_no_more_than_a_clone_has():
    """What git ignores the image leaves out: environments, results and compiled files of this machine."""
    left_out = [line for line in text_of(".dockerignore").splitlines() if line and line[0] not in "#!"]
    for line in text_of(".gitignore").splitlines():
        if not line.startswith("!"):
            assert any(line.rstrip("/") in pattern for pattern in left_out), line
    kept = [line[1:] for line in text_of(".dockerignore").splitlines() if line.startswith("!")]
    for path in ("envs/requirements.lock", "src/learner_collusion/native/machine.cpp", "Makefile", "config.yaml"):
        assert not any(fnmatch.fnmatch(path, pattern.rstrip("/")) for pattern in left_out)
    assert kept == ["results/README.md"]


def test_the_steps_call_targets_that_exist():
    [made] = [step for step in steps_of_docker() if step.startswith("make ")]
    done = subprocess.run(["make", "-n", *made.split()[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "heading",
    [
        "Abstract",
        "Artifact check-list",
        "How to access",
        "Hardware dependencies",
        "Software dependencies",
        "Data sets",
        "Installation",
        "Evaluation and expected results",
        "Experiment customization",
        "Methodology",
    ],
)
def test_the_artifact_appendix_has_the_parts_that_reviewers_expect(heading):
    assert re.search(rf"^##+ {heading}$", text_of("docs/artifact.md"), re.M)


def test_the_appendix_expects_what_is_published():
    """Its counts of verdicts and of numbers are those of the gallery."""
    from learner_collusion.publishing import verify
    from learner_collusion.records import parquet

    text, gallery = " ".join(text_of("docs/artifact.md").split()), ROOT / "docs/gallery"
    for part in ("theory", "tabular"):
        verdicts = parquet.read(gallery / f"claims/{part}.parquet", published=True)["verdict"].tolist()
        counts = " | ".join(str(verdicts.count(one)) for one in ("holds", "does not hold", "undecided"))
        assert f"| {part} | {counts} |" in text
    for folder in (gallery, gallery / "demo"):
        counted, _ = verify.compare(Path("none"), folder)
        assert f"{sum(counted.values()):,} of {sum(counted.values()):,}" in text
