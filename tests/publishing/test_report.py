"""results/report.html: every number is a record's, one file without a network, whatever was made; and how it looks and works in
a browser, on a desk and on a phone."""

import base64
import re
import shutil
from html.parser import HTMLParser

import pytest
import yaml
from browser import browser as chromium
from conftest import ROOT

from learner_collusion import cli
from learner_collusion.publishing import report
from learner_collusion.publishing.claims import overview
from learner_collusion.records import parquet
from learner_collusion.records.illustration import ILLUSTRATION

GALLERY = ROOT / "docs/gallery"
WIDTHS = (1280, 390)


def results_of(gallery, folder) -> None:
    """The published files, as the workflow leaves them."""
    for name in ("claims.md", "claims.parquet", "config.yaml"):
        if (gallery / name).exists():
            shutil.copy(gallery / name, folder / name)
    shutil.copytree(gallery / "claims", folder / "claims")
    for kind, patterns in {
        "figures": ("*.png", "*.csv"), "tables": ("table*.md", "sensitivity.md"), "records": ("*.parquet",)
    }.items():  # fmt: skip
        (folder / kind).mkdir()
        for path in (path for pattern in patterns for path in gallery.glob(pattern)):
            if path.name not in ("times.csv", "claims.parquet"):
                shutil.copy(path, folder / kind / path.name)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The paper's theory and tabular half, with the small ensemble and the page."""
    folder = tmp_path_factory.mktemp("paper") / "results"
    folder.mkdir()
    results_of(GALLERY, folder)
    assert (
        cli.main(["illustrate", "--config", str(ROOT / "config.yaml"), "--output", f"{folder}/illustration.parquet"])
        == 0
    )
    assert cli.main(["report", "--results", str(folder)]) == 0
    return folder


class Page(HTMLParser):
    """What the tests ask of a page: its start tags, and the words of each cell of the table of claims."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self._cell, self._inside = False, False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append((tag, found))
        self._inside = self._inside or found.get("id") == "claims-table"
        if self._inside and tag == "tr" and "data-part" in found:
            self.rows.append([])
        if self._inside and tag in ("th", "td") and "data-label" in found:
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "table"
        self._cell = self._cell and tag not in ("th", "td")

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {data.strip()}".strip()

    def all(self, name: str) -> list[dict]:
        return [attributes for tag, attributes in self.tags if tag == name]


def page_of(folder) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_every_claim_is_a_row_with_the_numbers_of_its_record(results):
    rows = page_of(results).rows
    shown = [row for part in overview(results / "claims.parquet") for row in part.rows.to_dict("records")]
    assert len(rows) == len(shown) > 40
    found = {(row[0], row[2], row[3].split(" ")[0]): row for row in rows}
    for row in shown:
        words = re.sub(r" \([^()]*\)$", "", row["claim"])
        cells = found[words, row["data"], row["value"].split(" ")[0]]
        assert cells[1] == row["claim"].removeprefix(words).strip(" ()")
        assert row["statistic"] in cells[3] and cells[4].startswith(row["interval"]) and cells[6] == row["effect"]
        assert row["verdict"] in cells[5] and cells[7] == "the paper's"


def test_the_picture_that_moves_holds_what_was_trained(results):
    text = (results / "report.html").read_text(encoding="utf-8")
    moving = yaml.safe_load(re.search(r'id="moving-data">(.*?)</script>', text, re.S)[1])
    points = parquet.read(results / "illustration.parquet", ILLUSTRATION)
    wanted = yaml.safe_load((ROOT / "config.yaml").read_text())["report"]["betas"]
    assert moving["betas"] == wanted and len(moving["stops"]) == len(wanted)
    for beta, stop in zip(wanted, moving["stops"], strict=True):
        mine = points[(points["beta"] == beta) & (points["line"] == "f1")]
        assert stop["learners"][0] == [round(value, 3) for value in mine["value"].iloc[::3]]
        for name in ("err", "div"):
            value = points[(points["beta"] == beta) & (points["line"] == name)]["value"].item()
            assert stop[name] == pytest.approx(value, rel=1e-3)
    first, last = moving["stops"][0], moving["stops"][-1]
    assert (
        last["apart"] > 10 * first["apart"] and last["moved"] < 0.2 * last["apart"]
    )  # they part, and their mean stays
    drawn = (GALLERY / "fig1_collusion.csv").read_text().splitlines()  # Figure 1 is two stops of the slider
    ends = [line.split(",") for line in drawn[1:]]
    assert [round(float(line[3]), 3) for line in ends if float(line[0]) == 1][::3] == last["learners"][0]


def test_it_is_one_file_that_asks_nothing_of_a_network(results, tmp_path):
    page = page_of(results)
    for _, attributes in page.tags:
        for name in ("src", "href", "action", "data", "srcset"):
            assert attributes.get(name, "data:").startswith(("data:", "#")), attributes
    text = (results / "report.html").read_text(encoding="utf-8")
    assert "url(" not in text and "@import" not in text and "default-src 'none'" in text
    saved = {link["download"]: link["href"] for link in page.all("a") if "download" in link}
    for name in ("fig2_diversity.csv", "fig4_codependence.csv"):
        assert base64.b64decode(saved[name].partition(",")[2]) == (GALLERY / name).read_bytes()
    (tmp_path / "fig2_diversity.pdf").write_bytes(b"%PDF")
    assert "config.yaml" in saved and "claims.parquet" in saved and "fig2_diversity.pdf" not in saved  # not published
    before = (results / "report.html").read_bytes()
    assert cli.main(["report", "--results", str(results)]) == 0
    assert (results / "report.html").read_bytes() == before


def test_figures_and_tables_stand_under_their_part_with_what_they_lack(results, tmp_path):
    page, text = page_of(results), (results / "report.html").read_text(encoding="utf-8")
    sections = [found["id"] for found in page.all("section")]
    assert sections == ["claims", "moving", "tabular", "theory", "made"]
    assert [found["id"] for found in page.all("article")][:3] == [
        "fig2_diversity",
        "fig3_debiased",
        "fig4_codependence",
    ]
    assert all(image["alt"] and image["src"].startswith("data:image/png;base64,") for image in page.all("img"))
    assert "What differs" not in text and "Table 2: ensemble loss functions" in text and "cross-entropy at k*" in text
    for gallery, wanted in (
        ("demo", ["claims", "tabular", "theory", "differs", "made"]),
        ("laptop", ["claims", "images", "differs", "made"]),
        ("imagenette", ["claims", "images", "imagenet", "differs", "made"]),
        ("sensitivity", ["claims", "tabular", "sensitivity", "made"]),
    ):
        folder = tmp_path / gallery
        folder.mkdir()
        results_of(GALLERY / gallery, folder)
        # the configuration of that gallery is of an earlier schema
        given = ["--config", str(ROOT / "config.yaml"), str(ROOT / "workflow/presets/sensitivity.yaml")]
        assert cli.main(["report", "--results", str(folder), *(given if gallery == "sensitivity" else [])]) == 0
        page, text = page_of(folder), (folder / "report.html").read_text(encoding="utf-8")
        found = [one["id"] for one in page.all("section")]
        assert found == [name for name in wanted if name in found] and {"claims", "made"} < set(found), found
        if "differs" in wanted:
            name = yaml.safe_load((folder / "config.yaml").read_text())["fidelity"]
            assert f'<span class="badge reduced">{name}</span>' in text and f"Fidelity &#39;{name}&#39;" in text


def test_whatever_was_made_is_shown(results, tmp_path, capsys):
    (tmp_path / "one/figures").mkdir(parents=True)
    shutil.copy(results / "config.yaml", tmp_path / "one")
    assert cli.main(["report", "--results", str(tmp_path / "one")]) == 1
    assert "holds neither figures nor claims: run the workflow first" in capsys.readouterr().err
    shutil.copy(results / "figures/fig2_diversity.png", tmp_path / "one/figures")
    assert cli.main(["report", "--results", str(tmp_path / "one")]) == 0
    assert [found["id"] for found in page_of(tmp_path / "one").all("section")] == ["tabular", "made"]
    assert cli.main(["report", "--results", str(tmp_path / "nowhere")]) == 1
    assert "nowhere holds no results of the workflow: give their folder" in capsys.readouterr().err
    (tmp_path / "one/claims.parquet").write_bytes(b"PAR1....")
    before = (tmp_path / "one/report.html").read_bytes()
    assert cli.main(["report", "--results", str(tmp_path / "one")]) == 1
    assert "not a complete Parquet file" in capsys.readouterr().err
    assert (tmp_path / "one/report.html").read_bytes() == before


def test_a_study_has_its_own_names_and_they_are_text(results, tmp_path):
    page = report.Page("houses", study=["<script>alert(1)</script> & houses"])
    report.write(results, tmp_path / "page.html", page)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text and "Does joint training collude on &lt;script&gt;alert(1)" in text
    assert "Figure 2: test MSE" not in text and "Test MSE and diversity against beta</h3>" in text
    assert "This is an illustration, and not your data" in text


def test_a_study_says_what_was_read_of_its_tables(results, tmp_path):
    page = report.Page("houses", study=["houses"], read=["houses: 9 rows of <houses>.csv\n  numbers: a\n  not used: b"])
    report.write(results, tmp_path / "page.html", page)
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<summary>houses: 9 rows of &lt;houses&gt;.csv</summary>" in text
    assert "<li>numbers: a</li>\n      <li>not used: b</li>" in text


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


CUT = """[...document.querySelectorAll("body *")].filter(element => {
  if (element.closest(".unseen, .skip, script, option")) return false;
  const box = element.getBoundingClientRect(), style = getComputedStyle(element);
  if (!box.width || !box.height) return false;
  if (element.closest("svg") && element.tagName === "text") {
    const around = element.ownerSVGElement.getBoundingClientRect();
    return box.left < around.left - 1 || box.right > around.right + 1 || box.bottom > around.bottom + 1;
  }
  if (element.closest("svg")) return false;
  const hidden = style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1 && element.tagName !== "SELECT";
  return hidden || box.right > innerWidth + 1 || box.left < -1;
}).map(element => element.outerHTML.slice(0, 150))"""

# The lowest contrast of text with what is behind it (WCAG 2.2), and where.
CONTRAST = """(() => {
  const numbers = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = element => {
    for (; element; element = element.parentElement) {
      const found = numbers(getComputedStyle(element).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  let lowest = [21, ""];
  for (const element of document.querySelectorAll("body *")) {
    if (element.closest(".unseen, .skip, script, noscript")) continue;
    if (![...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim())) continue;
    const style = getComputedStyle(element), inside = element.closest("svg");
    const [a, b] = [numbers(inside ? style.fill : style.color), behind(element)].map(light).sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < lowest[0]) lowest = [ratio, element.outerHTML.slice(0, 150)];
  }
  return lowest;
})()"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_and_can_be_read(results, browser, width, scheme):
    browser.open(results / "report.html", width, scheme=scheme)
    browser.run("document.querySelectorAll('details').forEach(found => found.open = true)")
    assert browser.run("document.documentElement.scrollWidth") == browser.run("innerWidth") == width
    assert browser.run(CUT) == []
    ratio, where = browser.run(CONTRAST)
    assert ratio >= 4.5, where
    sizes = "Math.min(...[...document.querySelectorAll('p, td, th, a, button, select, label')].map(e => parseFloat(getComputedStyle(e).fontSize)))"
    assert browser.run(sizes) >= 14
    assert browser.run("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 24, 27)"
    )
    assert browser.problems == []


def test_headings_and_tables_say_what_they_are(results, browser):
    browser.open(results / "report.html", 1280)
    levels = browser.run("[...document.querySelectorAll('h1, h2, h3, h4, h5')].map(found => Number(found.tagName[1]))")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after - before <= 1 for before, after in zip(levels, levels[1:], strict=False))
    assert browser.run(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size === document.querySelectorAll('[id]').length"
    )
    assert browser.run(
        "[...document.querySelectorAll('nav a, .skip')].every(a => document.querySelector(a.getAttribute('href')))"
    )
    assert browser.run("[...document.querySelectorAll('input, select')].every(found => found.labels.length === 1)")
    assert browser.run("[...document.querySelectorAll('thead th')].every(found => found.scope === 'col')")


SHOWN = "[...document.querySelectorAll('#claims-table tbody tr')].filter(row => !row.hidden)"


def test_the_claims_are_filtered_and_sorted(results, browser):
    browser.open(results / "report.html", 1280)
    total = browser.run(f"{SHOWN}.length")
    choose = "(id, value) => { const found = document.getElementById(id); found.value = value; found.dispatchEvent(new Event('change')); }"
    browser.run(f"({choose})('filter-part', 'tabular')")
    assert 0 < browser.run(f"{SHOWN}.length") < total
    browser.run(f"({choose})('filter-verdict', 'undecided')")
    assert browser.run(f"{SHOWN}.map(row => row.dataset.verdict + row.dataset.part)") == ["undecidedtabular"]
    assert browser.run("document.getElementById('shown').textContent") == f"1 of {total} rows"
    browser.run(f"({choose})('filter-verdict', '')")
    # by keyboard: the button in the head of the column "value"
    values = f"{SHOWN}.map(row => Number(row.cells[3].dataset.sort))"
    browser.run("document.querySelectorAll('#claims-table thead button')[3].focus()")
    for direction in ("ascending", "descending"):
        browser.press("Enter", 13)
        assert browser.run("document.querySelectorAll('#claims-table thead th')[3].ariaSort") == direction
        found = browser.run(values)
        assert found == sorted(found, reverse=direction == "descending") and len(set(found)) > 20
    assert browser.run("document.getElementById('sort-by').value") == "3"
    browser.run(f"({choose})('sort-by', '')")
    assert browser.run(f"{SHOWN}[0].cells[0].textContent.trim()").startswith("Diversity explodes")
    assert browser.problems == []


STATE = "[Number(beta.value), beta.getAttribute('aria-valuetext'), document.querySelector('#functions .learner1').getAttribute('d')]"


def test_the_slider_moves_by_keyboard_by_touch_and_by_itself(results, browser):
    browser.open(results / "report.html", 1280)
    last = browser.run("Number(beta.max)")
    assert last == 24 and browser.run("document.getElementById('moving').querySelector('[hidden]') === null")
    before = browser.run(STATE)
    assert before[0] == 0 and before[1].startswith("beta 0: ERR 0.027, DIV 0.0001")
    browser.run("beta.focus()")
    browser.press("ArrowRight", 39)
    at = browser.run(STATE)
    assert at[0] == 1 and at[1].startswith("beta 0.1: ") and at[2] != before[2]
    browser.press("End", 35)
    at = browser.run(STATE)
    assert at[0] == last and at[1].startswith("beta 1: ERR 0.027, DIV 1.1")
    assert "the learners are up to" in browser.run("readout.textContent")
    browser.press("Home", 36)
    browser.run("play.click()")
    end = "new Promise(done => { const wait = () => Number(beta.value) === 24 ? done(play.textContent) : setTimeout(wait, 50); wait(); })"
    assert browser.run(end) == "Play"
    browser.open(results / "report.html", 390)
    browser.run("beta.scrollIntoView({block: 'center', behavior: 'instant'})")
    x, y = browser.run(
        "(() => { const box = beta.getBoundingClientRect(); return [box.left + 0.75 * box.width, box.top + box.height / 2]; })()"
    )
    browser.touch(x, y)
    browser.run("new Promise(done => setTimeout(done, 300))")
    assert 15 < browser.run(STATE)[0] < 21
    assert browser.problems == []


def test_who_wants_less_motion_gets_none(results, browser):
    browser.open(results / "report.html", 1280, motion="reduce")
    assert browser.run("getComputedStyle(play).display") == "none"
    browser.run("play.click()")
    browser.run("new Promise(done => setTimeout(done, 600))")
    assert browser.run("beta.value") == "0"
    browser.run("beta.focus()")
    browser.press("ArrowRight", 39)
    assert browser.run("beta.value") == "1"
