"""Builds this folder as a site: `make docs`. The pages are plain Markdown, as a forge shows them; what a site needs beside is made here.

The contents at the side are those of index.md. Links to what is no page, such as config.yaml, lead to the repository.
"""

import re
import tomllib
from pathlib import Path

DOCS = Path(__file__).parent
ROOT = DOCS.parent
_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
_REPOSITORY = _PROJECT["urls"]["Repository"]

project, version = _PROJECT["name"], _PROJECT["version"]
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns: list[str] = []
myst_heading_anchors = 4
myst_fence_as_directive = ["mermaid"]
html_theme = "furo"
html_title = f"{project} {version}"
html_copy_source = False


def _contents(text: str) -> str:
    """A hidden table of contents for each section of index.md, of the pages that it lists."""
    made = []
    for section in text.split("\n## ")[1:]:
        pages = re.findall(r"^- \[[^\]]*\]\(([^)#]+)\.md\)", section, re.M)
        made.append(_tree(pages, section.splitlines()[0]))
    return "".join(made)


def _tree(pages: list[str], caption: str = "") -> str:
    head = f":caption: {caption}\n" if caption else ""
    return f"\n```{{toctree}}\n:hidden:\n{head}\n" + "\n".join(pages) + "\n```\n"


def _beside(folder: Path) -> list[str]:
    """The pages of a gallery, and the galleries in its folders."""
    pages = [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    pages += sorted(folder.glob("claims/*.md"))
    pages += [path / "README.md" for path in sorted(folder.iterdir()) if (path / "README.md").exists()]
    pages += [
        page for path in sorted(folder.iterdir()) if not (path / "README.md").exists() and path.name != "claims"
        for page in sorted(path.glob("*.md"))
    ]  # fmt: skip
    return [str(path.relative_to(folder).with_suffix("")) for path in pages]


def _absolute(link: re.Match, folder: Path) -> str:
    """A link to a file of the repository that is no page: where the repository has it."""
    path = (folder / link["path"]).resolve()
    if link["image"] or not path.exists() or (path.suffix == ".md" and path.is_relative_to(DOCS)):
        return link[0]
    return f"{link['before']}({_REPOSITORY}/blob/HEAD/{path.relative_to(ROOT.resolve())}{link['rest']})"


def _complete(app, name: str, source: list[str]) -> None:
    folder = (DOCS / name).parent
    text = re.sub(
        r"(?P<before>(?P<image>!\[[^\]]*)?\])\((?P<path>[^)#:\s]+)(?P<rest>[^)]*)\)",
        lambda link: _absolute(link, folder),
        source[0],
    )
    if name == root_doc:
        text += _contents(source[0])
    elif name.startswith("gallery/") and name.endswith("/README"):
        text += _tree(_beside(folder))
    source[0] = text


def setup(app) -> dict[str, bool]:
    """Completes each page before it is read."""
    app.connect("source-read", _complete)
    return {"parallel_read_safe": True}
