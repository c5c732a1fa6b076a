"""Each block and each command of each document is run, or tried in a short form, or stands in a list with the reason; links lead
somewhere; the index and docs/architecture.md name each page."""

import contextlib
import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from documents import DOCUMENTS, anchors, blocks, prose, text_of
from workflows import plan

from learner_collusion import cli
from learner_collusion.plan import configuration

# Documents whose Python, YAML and commands another test runs for real.
RUN_ELSEWHERE = {
    ("README.md", "python"): "tests/test_readme.py",
    ("docs/diagnose.md", "python"): "tests/test_diagnose_document.py",
    ("docs/diagnose.md", "console"): "tests/test_diagnose_document.py",
    ("docs/your-data.md", "console"): "tests/workflow/test_own_table.py",
    ("docs/your-data.md", "yaml"): "tests/workflow/test_own_table.py",
    ("docs/imagenet.md", "console"): "tests/data/test_imagenet_document.py",
    ("docs/your-learner.md", "python"): "tests/workflow/test_own_learner.py",
    ("docs/your-learner.md", "console"): "tests/workflow/test_own_learner.py",
    ("docs/architecture.md", "python"): "tests/workflow/test_recipe.py",
    ("docs/architecture.md", "yaml"): "tests/workflow/test_recipe.py",
    ("docs/architecture.md", "console"): "tests/workflow/test_recipe.py",
    ("docs/api.md", "pycon"): "tests/test_reference.py",
}
# Nothing in them can be run.
SHOWN = {"text", "mermaid", "bibtex"}
# Commands that are not run in any form, by how they begin.
NOT_RUN = {
    "git clone ": "needs the network",
    "snakemake --executor kubernetes ": "needs a cluster, and a plugin that is not installed",
    "docker ": "needs Docker; tests/packaging/test_published.py checks the file that it builds from",
    "apptainer ": "needs Apptainer; tests/packaging/test_published.py checks the file that it builds from",
    "tar -xzf dist/": "tests/publishing/test_archive.py unpacks an archive",
    "source ": "changes the shell alone",
    "cd ": "changes the shell alone",
}
# Names that documents use and their readers replace.
GIVEN = {"small.yaml": "fidelity: small\ntabular: {datasets: [diabetes]}\nparts: [tabular]\n"}
ALL = [block for document in DOCUMENTS for block in blocks(document)]


def name_of(block) -> str:
    return f"{block.document}: {block.code.splitlines()[0][:50]}" if block.code else block.document


def commands(code: str) -> list[str]:
    """The commands of a block, without comments: one a line, or several with && between."""
    joined = code.replace("\\\n", " ")
    lines = [re.sub(r"\s+#.*", "", line).strip() for line in joined.splitlines()]
    return [" ".join(command.split()) for line in lines for command in line.split(" && ") if command]


@pytest.mark.parametrize("block", ALL, ids=name_of)
def test_a_block_is_run(block, tmp_path):
    """Here, in another test, or not: then NOT_RUN says why."""
    elsewhere = RUN_ELSEWHERE.get((block.document, block.kind))
    if elsewhere:
        assert (ROOT / elsewhere).exists()
    elif block.kind == "console":
        for command in commands(block.code):
            try_short(command, tmp_path)
    elif block.kind == "yaml":
        (tmp_path / "mine.yaml").write_text(block.code)
        configuration.load_all([configuration.PAPER, tmp_path / "mine.yaml"])
    elif block.kind == "python":
        random = np.random.default_rng(0)
        scores = random.normal(size=(300, 3, 4))
        given = {"predictions": scores, "targets": random.integers(4, size=300), "independent": scores}
        exec(compile(block.code, block.document, "exec"), given)
    else:
        assert block.kind in SHOWN, f"name the language of this block, `text` where it is none: {block}"


def try_short(command: str, folder: Path) -> None:
    """A command in a form that takes seconds: planned, parsed, or looked up."""
    if any(command.startswith(start) for start in NOT_RUN):
        return
    first, *arguments = shlex.split(command)
    if first == "make":
        done = subprocess.run(["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    elif first == "learner-collusion":
        parsed(arguments)
    elif first == "python":
        assert (ROOT / arguments[0]).exists(), command
    elif first == "snakemake":
        for name, text in GIVEN.items():
            (folder / name).write_text(text)
        if "--report" in arguments:  # which needs finished results
            place = arguments.index("--report")
            del arguments[place : place + 2]
        if "--directory" in arguments:
            arguments[arguments.index("--directory") + 1] = str(folder / "planned")
        else:
            arguments = ["--directory", str(folder / "planned"), *arguments]
        done = plan(*(str(folder / one) if one in GIVEN else one for one in arguments))
        assert done.returncode == 0, done.stdout + done.stderr
    else:
        raise AssertionError(f"{command}: say in NOT_RUN why it is not run, or try it here")


def parsed(arguments: list[str]) -> None:
    """The options of `learner-collusion` are read; --help shows them."""
    with contextlib.ExitStack() as stack:
        if arguments[-1] in ("--help", "--version"):
            stack.enter_context(pytest.raises(SystemExit, match=r"^0$"))
        cli.parser(arguments).parse_args(arguments)


def test_what_another_test_runs_is_there():
    """An entry for a document that lost such blocks goes, and so does one for a command that no document has."""
    held = {(block.document, block.kind) for block in ALL}
    assert set(RUN_ELSEWHERE) <= held
    named = [command for block in ALL if block.kind == "console" for command in commands(block.code)]
    assert all(any(command.startswith(start) for command in named) for start in NOT_RUN)
    for document, test in {(document, test) for (document, _), test in RUN_ELSEWHERE.items()}:
        assert Path(document).name in text_of(test) or document == "docs/api.md", f"{test} does not read {document}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_a_command_within_a_sentence_exists(document):
    """Targets of make, commands of the package, scripts, profiles and presets."""
    targets = set(re.findall(r"^([a-z-]+):", text_of("Makefile"), re.M))
    known = {*cli.STAGES, *cli.COMMANDS}
    for code in re.findall(r"`([^`\n]+)`", prose(document)):
        for target in re.findall(r"(?:^|\s)make ([a-z-]+)", code):
            assert target in targets, code
        for command in re.findall(r"^learner-collusion ([a-z_-]+)", code):
            assert command in known or command.startswith("-"), code
        for script in re.findall(r"python ((?:benchmarks|docs|examples)/[\w/.]+)", code):
            assert (ROOT / script).exists(), code
        for path in re.findall(r"(?:workflow|docs)/(?:profiles|presets|gallery)/[\w/.]*\w", code):
            assert (ROOT / path).exists(), code


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    """To a file that exists, and to a heading of it where the link names one."""
    without_code = re.sub(r"`[^`]*`", "", prose(document))
    for link in re.findall(r"\]\(([^)\s]+)\)", without_code):
        if re.match(r"[a-z]+:", link):
            assert link.startswith("https://"), link
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        assert target.exists(), f"{document}: {link}"
        if anchor:
            assert anchor in anchors(str(target.resolve().relative_to(ROOT))), f"{document}: {link}"


def pages() -> set[str]:
    """The pages of docs/, without those of the gallery: its own README lists them."""
    return {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").glob("*.md")} | {
        path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs/notes").glob("*.md")
    }


@pytest.mark.parametrize("document", ["docs/index.md", "docs/architecture.md"])
def test_each_page_is_named(document):
    named = set(re.findall(r"\]\(([^)#]+\.md)", text_of(document)))
    assert not pages() - named - {Path(document).name}, "add a line for each of these"


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    for package in ("sphinx", "myst_parser", "furo", "sphinxcontrib.mermaid"):
        with contextlib.suppress(ModuleNotFoundError):
            if importlib.util.find_spec(package):
                continue
        pytest.skip(f"{package} is not installed: `make docs` installs it")
    options = ["--quiet", "--fail-on-warning", "--keep-going"]
    command = [sys.executable, "-m", "sphinx", *options, "docs", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    front = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert all(page.replace(".md", ".html") in front for page in pages())
    assert "blob/HEAD/config.yaml" in (tmp_path / "site/configuration.html").read_text(encoding="utf-8")
