"""The results as one page, `results/report.html`: claims as a table that sorts and filters, a picture that moves, every figure
and table with what it lacks of the paper's settings. One file, which opens from disk with no network.

Every number comes from a record, a figure's file or a judged claim. What was not made is left out.
"""

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
import pandas as pd
from markdown_it import MarkdownIt
from markupsafe import Markup

from ..claims.catalogue import OWN_STUDY, PARTS
from ..claims.verdict import FAILS, HOLDS, LEFT_OUT, NO_VERDICT, REPORTED, UNDECIDED
from ..figures.registry import FIGURES
from ..files import write_text
from ..records import parquet
from ..records.claims import CLAIMS
from ..records.illustration import ILLUSTRATION
from ..records.tabular import RECORDS
from . import claims as judged
from . import study
from .gallery import description, is_empty, number, values
from .registry import TABLES
from .summary import findings

_TEMPLATES = Path(__file__).parent / "templates"
_KINDS = {
    ".pdf": "application/pdf",
    ".csv": "text/csv",
    ".parquet": "application/octet-stream",
    ".yaml": "text/yaml",
    ".md": "text/markdown",
}
# Sections in the order of a reader's interest: what was trained, then what it hangs on, then the identities.
_SECTIONS = {name: PARTS[name] for name in ("tabular", "images", "imagenet")}
_SECTIONS |= {"sensitivity": "Sensitivity to the open choices", "theory": PARTS["theory"]}
_ORDER = (HOLDS, FAILS, UNDECIDED, NO_VERDICT, REPORTED, LEFT_OUT)
_THINNING = 3  # of the points of a line that moves every third is drawn


@dataclass(frozen=True)
class Page:
    """What a page shows: names of figures and tables in their order, the name of the `fidelity`, and for a `study` of the
    user's the titles of its tables, and what was `read` of each, as `prepare` says it. What does not exist is left out."""

    fidelity: str
    figures: list[str] = field(default_factory=lambda: list(FIGURES))
    tables: list[str] = field(default_factory=lambda: list(TABLES))
    study: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


def write(results: Path, output: Path, page: Page) -> None:
    """Write the page of the results in a folder, which may be published ones without seals. Errors: UserError where a file is
    damaged."""
    files = claims_files(results)
    overviews = sorted(
        (one for file in files for one in judged.overview(file)), key=lambda one: list(_SECTIONS).index(one.part)
    )
    sections = list(_sections(results, page))
    notes = _notes(overviews, sections)
    raw = pd.DataFrame(
        [row for file in files for row in parquet.read(file, CLAIMS, published=True).to_dict("records")],
        columns=CLAIMS.names,
    )
    rows = list(_claims(raw, overviews, page))
    named = "what the paper says" if any(row["section"] for row in rows) else "claim"
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip
    text = environment.get_template("report.html").render(
        css=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        js=Markup((_TEMPLATES / "report.js").read_text(encoding="utf-8")),
        title=_title(page, overviews),
        study=page.study,
        read=[summary.partition("\n") for summary in page.read],
        answer=study.answer(rows, page.study, study.label(_own(notes)) == study.SMALL),
        rule=study.RULE,
        label=study.label(_own(notes)) if page.study else page.fidelity,
        reduced=_reduced(page, notes),
        findings=_findings(results, raw),
        notes=notes,
        claims=rows,
        counts=_counts(rows),
        columns=[named, *([] if page.study else ["section"]), "data", "value", "interval", "verdict", "effect",
                 "fidelity"],
        parts=[(one.part, _short(one.title)) for one in overviews],
        measured=[one for one in overviews if one.intervals or one.measures],
        legend=_legend(overviews),
        moving=_moving(results),
        sections=sections,
        files=[_file(path) for path in _others(results) if path.exists()],
        **_provenance(results, files),
    )  # fmt: skip
    write_text(output, text)


def claims_files(results: Path) -> list[Path]:
    """The judged claims: those of all parts together, or of single ones where these alone were judged."""
    whole = results / "claims.parquet"
    return [whole] if whole.exists() else sorted(results.glob("claims/*.parquet"))


def _title(page: Page, overviews: list) -> str:
    if page.study:
        return f"Does joint training collude on {', '.join(page.study)}?"
    return "Learner collusion in deep ensembles: the paper's claims, checked"


def _own(notes: list[tuple[str, str]]) -> str:
    """The note of a study; that which names changes, where there is one."""
    return max((note for _, note in notes), key=lambda note: len(study.changes(note)), default="")


def _reduced(page: Page, notes: list[tuple[str, str]]) -> str:
    if page.study:
        return study.described(_own(notes))
    return f"Made with the preset “{page.fidelity}”, so not all of it at the paper's settings."


def _findings(results: Path, raw: pd.DataFrame) -> list[str]:
    records = results / "records/tabular.parquet"
    return findings(parquet.read(records, RECORDS, published=True), raw) if records.exists() else []


def _claims(raw: pd.DataFrame, overviews: list, page: Page) -> Iterator[dict]:
    """The rows of the table, as `Overview` shows them, with the numbers by which columns are sorted."""
    for part in overviews:
        exact = raw[raw["part"] == part.part].to_dict("records")
        pairs = zip(part.rows.to_dict("records"), exact, strict=True)
        for shown, exact in pairs:
            words, section = _sectioned(shown["claim"])
            yield shown | {
                "part": part.part,
                "claim": words if not page.study else shown["claim"],
                "section": section,
                "number": exact["value"],
                "low": exact["low"],
                "high": exact["high"],
                "order": _ORDER.index(exact["verdict"]),
                "fidelity": _fidelity(part.note),
            }


def _sectioned(claim: str) -> tuple[str, str]:
    """A claim's words, and the place in the paper that stands in brackets at their end."""
    found = re.fullmatch(r"(.*?) \(([^()]*)\)", claim, re.S)
    return (found[1], found[2]) if found else (claim, "")


def _fidelity(note: str) -> str:
    if not note:
        return "the paper's"
    if note.startswith(OWN_STUDY):
        return study.label(note)
    named = re.match(r"Fidelity '([^']+)'", note)
    return named[1] if named else "differs"


def _counts(rows: list[dict]) -> list[tuple[str, int]]:
    found = [row["verdict"] for row in rows]
    return [(verdict, found.count(verdict)) for verdict in _ORDER if verdict in found]


def _legend(overviews: list) -> str:
    survive = any((one.rows["mark"] == judged.SURVIVES).any() for one in overviews if len(one.rows))
    marked = f" {judged.SURVIVES}: survives the correction for all verdicts of its part." if survive else ""
    return f"“3 of 10” runs: so many lie on the claim's side by themselves.{marked}"


def _short(title: str) -> str:
    return title.partition(" (")[0]


def _notes(overviews: list, sections: list[dict]) -> list[tuple[str, str]]:
    """What of the paper's settings was changed, each once, with what it is about."""
    about: dict[str, list[str]] = {}
    for one in overviews:
        if one.note:
            about.setdefault(one.note, []).append(f"Claims: {_short(one.title)}")
    for shown in (shown for section in sections for shown in (*section["figures"], *section["tables"])):
        if shown["lacks"]:
            about.setdefault(shown["lacks"], []).append(shown["title"].partition(":")[0])
    return [(", ".join(titles), note) for note, titles in about.items()]


def _sections(results: Path, page: Page) -> Iterator[dict]:
    """The figures and tables of each part of the paper that has any."""
    for part, title in _SECTIONS.items():
        figures = [name for name in page.figures if FIGURES[name].part == part]
        tables = [name for name in page.tables if TABLES[name].part == part]
        figures = [_figure(results, name, page) for name in figures if (results / f"figures/{name}.png").exists()]
        tables = [_table(results, name) for name in tables if (results / f"tables/{name}.md").exists()]
        if figures or tables:
            title = _short(title) if page.study else title
            yield {"id": part, "title": title, "short": _short(title), "figures": figures, "tables": tables}


def _figure(results: Path, name: str, page: Page) -> dict:
    from PIL import Image

    figure, image = FIGURES[name], results / f"figures/{name}.png"
    caption = study.without_places(figure.caption) if page.study else figure.caption
    shows = figure.shows[0].upper() + figure.shows[1:]
    title = shows if page.study or number(name) == name.capitalize() else f"{number(name)}: {figure.shows}"
    with Image.open(image) as opened:
        width, height = opened.size
    drawn = not is_empty(image.with_suffix(".csv")) or FIGURES[name].part == "theory"
    files = (image.with_suffix(end) for end in (".pdf", ".csv"))
    return {
        "name": name,
        "title": title,
        "alt": f"{shows}. Its numbers are in the CSV below.",
        "caption": Markup(_markdown().renderInline(caption)),
        "lacks": description(image),
        "image": f"data:image/png;base64,{_encoded(image)}" if drawn else "",
        # of twice as many pixels as on paper: sharp on every screen
        "width": round(0.75 * width),
        "height": round(0.75 * height),
        "files": [_file(path) for path in files if path.exists()],
    }


def _table(results: Path, name: str) -> dict:
    entry, path = TABLES[name], results / f"tables/{name}.md"
    # the title and, where the settings are not the paper's, a line in bold
    _, note, text = re.fullmatch(
        r"(# [^\n]*\n\s*)?(?:\*\*([^\n]*)\*\*\n\n)?(.*)", path.read_text(encoding="utf-8"), re.S
    ).groups()
    files = (path, path.with_suffix(".parquet"))
    return {
        "name": name,
        "title": entry.title,
        "caption": Markup(_markdown().renderInline(entry.caption)),
        "lacks": note or "",
        "html": Markup(_html(text)),
        "files": [_file(file) for file in files if file.exists()],
    }


def _markdown() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def _html(text: str) -> str:
    """Markdown below a heading of the third level; each cell of a table knows its column, so that on a phone a row is a card."""
    parser = _markdown()
    parser.add_render_rule(
        "td_open", lambda self, tokens, i, options, _: f"{self.renderToken(tokens, i, options, _)}<div>"
    )
    parser.add_render_rule("td_close", lambda *_: "</div></td>\n")
    tokens = parser.parse(text)
    roles = {
        "thead_open": "rowgroup",
        "tbody_open": "rowgroup",
        "tr_open": "row",
        "th_open": "columnheader",
        "td_open": "cell",
    }
    labels: list[str] = []
    column = 0
    for token, inside in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type == "table_open":
            token.attrs |= {"class": "cards", "role": "table"}
            labels = []
        elif token.type in roles:
            token.attrs |= {"role": roles[token.type]}
        if token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            token.attrs |= {"scope": "col"}
            labels.append(inside.content)
        elif token.type == "td_open":
            token.attrs |= {"data-label": labels[column]} | ({"class": "none"} if inside.content == "-" else {})
            column += 1
        elif token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(int(token.tag[1]) + 2, 6)}"
    return parser.renderer.render(tokens, parser.options, {})


def _moving(results: Path) -> dict | None:
    """The small ensemble at each beta, as the page's script draws it."""
    path = results / "illustration.parquet"
    if not path.exists():
        return None
    points = parquet.read(path, ILLUSTRATION, published=True)
    data = points[points["line"] == "data"]
    of_data = {"x": _rounded(data["x"]), "y": _rounded(data["value"])}
    names = sorted(name for name in points["line"].unique() if re.fullmatch(r"f\d+", name))
    stops, betas, first, x = [], [], None, []
    for beta, mine in points[points["line"] != "data"].groupby("beta"):
        fits = mine[mine["x"].isna()].set_index("line")["value"]
        drawn = mine[mine["x"].notna()].pivot(index="x", columns="line", values="value").iloc[::_THINNING]
        learners, x = drawn[names], _rounded(drawn.index)
        first = drawn["ensemble"] if first is None else first
        betas.append(int(beta) if beta == int(beta) else beta)
        stops.append(
            {
                "learners": [_rounded(learners[name]) for name in names],
                "ensemble": _rounded(drawn["ensemble"]),
                "err": float(f"{fits['err']:.4g}"),
                "div": float(f"{fits['div']:.4g}"),
                "apart": float(f"{(learners.max(axis=1) - learners.min(axis=1)).max():.4g}"),
                "moved": float(f"{(drawn['ensemble'] - first).abs().max():.4g}"),
            }
        )
    words = {2: "Two", 3: "Three", 4: "Four", 5: "Five", 6: "Six"}
    return {"betas": betas, "x": x, "stops": stops, "data": of_data, "names": names,
            "learners": words.get(len(names), str(len(names)))}  # fmt: skip


def _rounded(values) -> list[float]:
    return [round(float(value), 3) for value in values]


def _provenance(results: Path, files: list[Path]) -> dict:
    """Engines, devices and versions that the records and claims name."""
    known = [
        parquet.read_metadata(path, published=True) for path in [*sorted(results.glob("records/*.parquet")), *files]
    ]
    versions: dict[str, set[str]] = {}
    for found in (provenance for metadata in known for provenance in values(metadata, "provenance")):
        for name, version in found.items():
            versions.setdefault(name, set()).add(version)
    return {
        "engines": sorted({engine for metadata in known for engine in values(metadata, "engine")}),
        "devices": sorted({one["device"] for metadata in known for one in values(metadata, "hardware")}),
        "versions": [f"{name} {' and '.join(sorted(found))}" for name, found in sorted(versions.items())],
    }


def _others(results: Path) -> list[Path]:
    return [results / "config.yaml", results / "claims.md", results / "claims.parquet"]


def _file(path: Path) -> dict:
    """A file that the page carries, to be saved from it."""
    kind = path.suffix[1:].upper() if path.parent.name in ("figures", "tables") else path.name
    return {"kind": kind, "name": path.name, "href": f"data:{_KINDS[path.suffix]};base64,{_encoded(path)}"}


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode("ascii")
