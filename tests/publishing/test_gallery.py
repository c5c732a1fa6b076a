"""The gallery holds what finished results hold, says what they were made with, and links the other galleries."""

import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from made_images import TITLES, write
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from learner_collusion.claims.catalogue import Claim
from learner_collusion.claims.verdict import HOLDS, as_frame, row
from learner_collusion.errors import UserError
from learner_collusion.figures.registry import FIGURES
from learner_collusion.publishing import claims, gallery
from learner_collusion.records import parquet
from learner_collusion.records.images import CELL
from learner_collusion.records.tabular import RECORDS

NOTE = "Fidelity 'laptop'."
WORST = Claim("C9", "images", "Accuracy is lowest at beta = 1", "Figure 6", "worst_at_one", above=0)


@pytest.fixture
def results(tmp_path, random):
    """Finished results of the images: records, claims, a figure, a table, the configuration, a benchmark file."""
    return make(tmp_path / "results", random)


def make(folder: Path, random, fidelity: str = "laptop", note: str = NOTE, remark: str = "") -> Path:
    for name in ("records", "figures", "tables", "benchmarks/train_images"):
        (folder / name).mkdir(parents=True)
    write(folder / "records", random)
    rows = as_frame([row(WORST, "cifar10", "margin", 1, 0.5, 2, HOLDS)])
    files = folder / "claims/images.md", folder / "claims/images.parquet"
    claims.write(rows, "images", note, TITLES, *files, remark=remark)
    (folder / "tables/table3_cnn.md").write_text("x")
    write_figure(folder / "figures/fig15_cnn", "x\n1\n", note)
    (folder / "config.yaml").write_text(f"fidelity: {fidelity}\n")
    (folder / "benchmarks/train_images/one.tsv").write_text("s\tcpu_time\n12.0\t10.0\n")
    return folder


def write_figure(path: Path, numbers: str, description: str) -> None:
    metadata = PngInfo()
    metadata.add_text("Description", description)
    Image.new("L", (1, 1)).save(f"{path}.png", pnginfo=metadata)
    Path(f"{path}.csv").write_text(numbers)


def test_a_figure_that_is_not_the_papers_has_its_name_as_title(results, tmp_path):
    write_figure(results / "figures/sensitivity", "variant\nrefit\n", "")
    gallery.build(results, tmp_path / "gallery", 2)
    text = (tmp_path / "gallery/README.md").read_text()
    assert "## Sensitivity: the tabular verdicts under other open choices\n\n![Sensitivity: " in text
    assert "## Figure 15: small CNNs\n" in text


def test_everything_is_copied_and_named(results, tmp_path):
    target = tmp_path / "gallery"
    gallery.build(results, target, 2)
    names = {str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()}
    assert names == {
        "README.md", "times.csv", "claims/images.md", "claims/images.parquet", "config.yaml", "fig15_cnn.csv", "fig15_cnn.png",
        "images.parquet", "table3_cnn.md",
    }  # fmt: skip
    text = (target / "README.md").read_text()
    for words in (
        "# Results: the preset `laptop`\n",
        f"**{NOTE}**",
        "## Figure 15: small CNNs\n\n![Figure 15: small CNNs](fig15_cnn.png)\n\n**Small CNNs.**",
        f"Numbers: [fig15_cnn.csv](fig15_cnn.csv)\n\n*{NOTE}*\n",
        "- Claims: Images (Sections 6.2 and 6.3, Figures 5, 6 and 10-18): [claims/images.md](claims/images.md)",
        "- Table 3: the convolutional network: [table3_cnn.md](table3_cnn.md)",
        "torch ",
        "2 cores",
        "| train_images | 1 | 12 | 10 |\n| all | 1 | 12 | 10 |",
    ):
        assert words in text, words


def test_a_remark_stands_at_the_head_with_links_to_the_documents_that_it_names(tmp_path, random):
    """Of those that the repository has; others stay words."""
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/statistics.md").write_text("# Statistics\n")
    remark = "Chosen in sight of verdicts (docs/statistics.md, docs/no_such.md)."
    gallery.build(make(tmp_path / "results", random, remark=remark), tmp_path / "docs/gallery/laptop", 2)
    text = (tmp_path / "docs/gallery/laptop/README.md").read_text()
    linked = "**Chosen in sight of verdicts ([docs/statistics.md](../../statistics.md), docs/no_such.md).**"
    assert f"**{NOTE}**\n\n{linked}\n\n" in text


def test_cells_without_a_time_are_counted(results, tmp_path):
    """As of histories that were trained elsewhere."""
    cells = len(parquet.read(results / "records/images.parquet")[[*CELL]].drop_duplicates())
    gallery.build(results, tmp_path / "gallery", 2)
    text = (tmp_path / "gallery/README.md").read_text()
    assert cells > 1 and f"Times are those of 1 of {cells} cells; those of the others were not kept." in text
    one = results / "benchmarks/train_images/one.tsv"
    for number in range(1, cells):
        shutil.copy(one, one.with_name(f"{number}.tsv"))
    gallery.build(results, tmp_path / "gallery", 2)
    assert "Times are those" not in (tmp_path / "gallery/README.md").read_text()


def test_a_figure_without_numbers_is_said_in_one_line(results, tmp_path):
    """Also where an earlier build had it."""
    gallery.build(results, tmp_path / "gallery", 2)
    write_figure(results / "figures/fig15_cnn", "x\n", "SVHN is left out: no answer.")
    gallery.build(results, tmp_path / "gallery", 2)
    text = (tmp_path / "gallery/README.md").read_text()
    assert "\nFigure 15: small CNNs: not drawn. SVHN is left out: no answer.\n" in text
    assert "fig15_cnn" not in text and not list((tmp_path / "gallery").glob("fig15*"))


def test_at_the_papers_settings(tmp_path, random):
    gallery.build(make(tmp_path / "results", random, "paper", ""), tmp_path / "gallery", 2)
    text = (tmp_path / "gallery/README.md").read_text()
    assert text.startswith("# Results: the paper's settings\n") and "was run at the paper's settings." in text


def test_the_engine_and_versions_are_those_of_the_records(results, tmp_path):
    metadata = {
        "abalone": {"training": {"engine": "native", "provenance": {"gcc": "13"}}, "provenance": {"numpy": "2"}}
    }
    parquet.write(results / "records/tabular.parquet", {name: [] for name in RECORDS.names}, RECORDS, metadata)
    gallery.build(results, tmp_path / "gallery", 2)
    text = (tmp_path / "gallery/README.md").read_text()
    assert "Engine that trained the tabular models: native." in text and "gcc 13" in text


def test_galleries_link_each_other(tmp_path, random):
    """Whichever is built last; a folder of something else is no gallery."""
    docs = tmp_path / "docs"
    (docs / "other").mkdir(parents=True)
    (docs / "other/README.md").write_text("# Something else\n")
    for name, fidelity in (("", "paper"), ("one", "laptop"), ("two", "digits"), ("", "paper")):
        results = make(tmp_path / "results", random, fidelity)
        gallery.build(results, docs / name, 2)
        shutil.rmtree(results)
    links = {
        "": "Other galleries: [the preset `laptop`](one/README.md), [the preset `digits`](two/README.md).",
        "one": "Other galleries: [the paper's settings](../README.md), [the preset `digits`](../two/README.md).",
        "two": "Other galleries: [the paper's settings](../README.md), [the preset `laptop`](../one/README.md).",
    }
    for name, line in links.items():
        text = (docs / name / "README.md").read_text()
        assert line in text and text.count("Other galleries") == 1, name
    assert (docs / "other/README.md").read_text() == "# Something else\n"


def test_a_gallery_alone_links_nothing(results, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/README.md").write_text("# Documentation\n")
    gallery.build(results, tmp_path / "docs/gallery", 2)
    assert "Other galleries" not in (tmp_path / "docs/gallery/README.md").read_text()
    assert (tmp_path / "docs/README.md").read_text() == "# Documentation\n"


@pytest.mark.parametrize("gone", ["figures/fig15_cnn.png", "config.yaml", "records/images.parquet", "claims/images.md"])
def test_unfinished_results_are_told(results, tmp_path, gone):
    (results / gone).unlink()
    with pytest.raises(UserError, match="run the workflow to its end first"):
        gallery.build(results, tmp_path / "gallery", 2)
    assert not (tmp_path / "gallery").exists()


PUBLISHED = sorted(path.parent for path in (ROOT / "docs/gallery").rglob("config.yaml"))


@pytest.mark.parametrize("folder", PUBLISHED, ids=lambda folder: folder.name)
def test_what_is_published_is_what_its_files_give_today(folder):
    """The pages of claims, and the captions: when a sentence changes, so do the galleries."""
    for path in folder.glob("claims/*.parquet"):
        assert claims.page(claims.overview(path)[0]) == path.with_suffix(".md").read_text(encoding="utf-8"), path
    if (folder / "claims.md").exists():
        assert claims.pages(claims.overview(folder / "claims.parquet")) == (folder / "claims.md").read_text(
            encoding="utf-8"
        )
    text = (folder / "README.md").read_text(encoding="utf-8")
    for name, figure in FIGURES.items():
        assert not (folder / f"{name}.png").exists() or f"\n{figure.caption} Numbers: [{name}.csv]" in text, name
