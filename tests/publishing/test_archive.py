"""The archive of the published results: its checksums, its bytes, and figures drawn from it again."""

import shutil
import subprocess
import tarfile

import pytest
from conftest import ROOT

from learner_collusion import cli
from learner_collusion.figures.registry import FIGURES
from learner_collusion.plan import configuration
from learner_collusion.publishing import archive, redraw

GALLERY = ROOT / "docs/gallery"
FIGURE = "gallery/demo/fig2_diversity"


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    path = tmp_path_factory.mktemp("archive") / "results.tar.gz"
    archive.write(GALLERY, ROOT / "config.yaml", path)
    return path


@pytest.fixture
def unpacked(packed, tmp_path):
    with tarfile.open(packed) as opened:
        opened.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.2 has no argument for it
        opened.extractall(tmp_path)
    return tmp_path / archive.NAME


def test_it_holds_all_published_results_with_their_checksums(unpacked):
    files = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    published = {path.relative_to(GALLERY).as_posix() for path in GALLERY.rglob("*") if path.is_file()}
    assert files == {f"gallery/{name}" for name in published} | {"README.md", "config.yaml", "SHA256SUMS"}
    lines = (unpacked / "SHA256SUMS").read_text().splitlines()
    assert {line.split("  ")[1] for line in lines} == files - {"SHA256SUMS"}
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    assert subprocess.run(check, cwd=unpacked, capture_output=True).returncode == 0
    (unpacked / "gallery/tabular.parquet").write_bytes(b"")
    assert b"gallery/tabular.parquet: FAILED" in subprocess.run(check, cwd=unpacked, capture_output=True).stdout


def test_the_same_results_give_the_same_bytes(packed, tmp_path, monkeypatch, capsys):
    copy = tmp_path / "gallery"
    shutil.copytree(GALLERY, copy, copy_function=shutil.copyfile)  # with other times
    monkeypatch.chdir(ROOT)
    assert cli.main(["archive", str(copy), str(tmp_path / "again.tar.gz")]) == 0
    assert (tmp_path / "again.tar.gz").read_bytes() == packed.read_bytes()
    assert " files, " in capsys.readouterr().out


def test_it_has_the_records_of_each_figure(unpacked):
    figures = list(redraw.published(unpacked))
    assert {path.stem for path in GALLERY.rglob("*.png") if path.stem in FIGURES} == {one.name for one in figures}
    for figure in figures:
        if FIGURES[figure.name].part in ("tabular", "images"):
            assert list(figure.folder.glob("*.parquet")), figure.place


@pytest.mark.parametrize("path", sorted(GALLERY.rglob("config.yaml")), ids=lambda path: path.parent.name)
def test_the_configuration_of_each_gallery_is_valid_today(path):
    """With the paper's below, as `redraw` and the scorecard's commands read it; a renamed key is renamed there, too."""
    assert configuration.load_all([configuration.PAPER, path])["fidelity"]


@pytest.mark.slow
def test_a_figure_is_drawn_from_it_again_and_a_changed_one_is_told(unpacked, tmp_path, capsys):
    order = ["redraw", str(unpacked), str(tmp_path / "new"), "--figures", FIGURE]
    assert cli.main(order) == 0
    printed = capsys.readouterr().out
    assert f"{FIGURE}: the same" in printed and "1 of 1 figures are the same" in printed
    assert (tmp_path / "new" / f"{FIGURE}.csv").read_bytes() == (GALLERY / "demo/fig2_diversity.csv").read_bytes()
    shutil.copyfile(GALLERY / "fig2_diversity.csv", unpacked / f"{FIGURE}.csv")
    shutil.copyfile(GALLERY / "fig2_diversity.png", unpacked / f"{FIGURE}.png")
    assert cli.main(order) == 1
    assert f"{FIGURE}: other numbers, other pixels" in capsys.readouterr().out
    (unpacked / "gallery/demo/tabular.parquet").unlink()
    assert cli.main(order) == 1 and "not drawn. figure: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["archive", "GALLERY", "results.zip"], "must end in .tar.gz"),
        (["archive", "empty", "results.tar.gz"], "is no gallery"),
        (["archive", "GALLERY", "results.tar.gz", "--config", "none.yaml"], "none.yaml does not exist"),
        (["redraw", "empty", "new"], "is no unpacked archive"),
    ],
)
def test_mistakes_end_in_a_sentence(arguments, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    assert cli.main([str(GALLERY) if one == "GALLERY" else one for one in arguments]) == 1
    assert words in capsys.readouterr().err and not list(tmp_path.glob("*.tar.gz")) and not list(tmp_path.glob(".*"))


def test_a_figure_that_is_not_there_is_told(unpacked, tmp_path, capsys):
    assert cli.main(["redraw", str(unpacked), str(tmp_path / "new"), "--figures", "gallery/fig99"]) == 1
    assert "has no figure gallery/fig99" in capsys.readouterr().err
