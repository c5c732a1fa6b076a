"""The source distribution is the repository, and the wheel that it builds is complete."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_bytes
from os import environ

import pytest
from conftest import ROOT
from packaging.requirements import Requirement

pytestmark = pytest.mark.slow
# What git ignores, and git's folder.
IGNORED = (".git", ".venv*", "runs", ".snakemake", "build", "dist", "*.egg-info", "*.so", "__pycache__", ".*_cache",
           ".hypothesis")  # fmt: skip
GXX = shutil.which("g++")


def unless_readme(folder, names):
    """Of results/, git keeps the README alone."""
    ignored = shutil.ignore_patterns(*IGNORED)(folder, names)
    return ignored | ({*names} - {"README.md"} if folder == str(ROOT / "results") else set())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """(files of the repository, source distribution, wheel), built from a copy of the repository."""
    folder = tmp_path_factory.mktemp("packaging")
    copy = folder / "repository"
    shutil.copytree(ROOT, copy, ignore=unless_readme)
    environment = dict(environ)
    if GXX:
        # the same compiler without optimisation, which is what takes the time
        compiler = folder / "g++"
        compiler.write_text(f'#!/bin/sh\nexec {GXX} "$@" -O0\n')
        compiler.chmod(0o755)
        environment |= {"CC": str(compiler), "CXX": str(compiler)}
    files = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder / "dist"), str(copy)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-2000:]
    [sdist], [wheel] = (folder / "dist").glob("*.tar.gz"), (folder / "dist").glob("*.whl")
    return files, sdist, wheel


def test_the_source_distribution_is_the_repository(built):
    files, sdist, _ = built
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {"workflow/rules/common.smk", "tests/conftest.py", "src/learner_collusion/native/machine.h"} <= packed
    assert files <= packed, sorted(files - packed)


def test_the_wheel_is_complete(built):
    files, _, wheel = built
    packed = set(zipfile.ZipFile(wheel).namelist())
    package = {name.removeprefix("src/") for name in files if name.startswith("src/")}
    assert package <= packed, sorted(package - packed)
    outside = {name for name in packed if not name.startswith("learner_collusion")}
    assert not outside
    if GXX:
        assert any(re.fullmatch(r"learner_collusion/native/_native\..*\.so", name) for name in packed)


def test_an_installed_package_has_the_papers_configuration(built, tmp_path):
    """Without the clone, too, a configuration is checked and compared with the paper's."""
    _, _, wheel = built
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    for name in ("config.yaml", "workflow/schemas/config.schema.yaml"):
        copy = tmp_path / "installed/learner_collusion/plan" / name.rsplit("/", 1)[-1]
        assert copy.read_bytes() == (ROOT / name).read_bytes()
    (tmp_path / "wrong.yaml").write_text("tabluar: {}\n")
    (tmp_path / "mine.yaml").write_text((ROOT / "config.yaml").read_text() + "\n")
    (tmp_path / "small.yaml").write_text("fidelity: small\ntheory: {cases: 20}\n")

    def table(*arguments):
        command = [sys.executable, "-m", "learner_collusion", "table", "--table", "table2_losses", *arguments]
        inherited = dict(environ) | {"PYTHONPATH": str(tmp_path / "installed")}
        return subprocess.run(command, cwd=tmp_path, env=inherited, capture_output=True, text=True)

    assert "did you mean 'tabular'" in table("--config", "mine.yaml", "wrong.yaml").stderr
    assert table("--config", "mine.yaml", "small.yaml").returncode == 0
    written = tmp_path / "results/tables/table2_losses.md"
    assert "**Fidelity 'small', not the paper's: cases 20 instead of 1000.**" in written.read_text()
    assert table().returncode == 0 and "Fidelity" not in written.read_text()  # the paper's, as none is given


def test_the_metadata(built):
    """Two dependencies, a console script, and a README whose links lead to the files of the repository."""
    files, _, wheel = built
    archive = zipfile.ZipFile(wheel)
    [info] = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" in name}
    assert b"learner-collusion = learner_collusion.cli:main" in archive.read(f"{info}/entry_points.txt")
    metadata = message_from_bytes(archive.read(f"{info}/METADATA"))
    required = [Requirement(line) for line in metadata.get_all("Requires-Dist")]
    assert {requirement.name for requirement in required if not requirement.marker} == {"numpy", "torch"}
    assert set(metadata.get_all("Provides-Extra")) == {"workflow", "images", "test"}
    repository = dict(url.split(", ") for url in metadata.get_all("Project-URL"))["Repository"]
    readme = metadata.get_payload(decode=True).decode()
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert not re.search(r"(src|href)=.(?!https?:)", readme)
    for image, link in re.findall(r"(!\[[^\]]*)?\]\(([^)#\s]+)", re.sub(r"```.*?```", "", readme, flags=re.S)):
        assert link.startswith("https://"), link
        if link.startswith(f"{repository}/"):
            kind, path = link.removeprefix(f"{repository}/").split("/HEAD/")
            assert kind == ("raw" if image else "blob"), link
            assert path in files or any(file.startswith(f"{path.rstrip('/')}/") for file in files), link
