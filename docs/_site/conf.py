"""The documentation as a site with search, from the files as they lie in the repository.

    make site

Sphinx reads the repository's root, so that every relative link leads where it does there. Nothing
is fetched, and the pages can be read from disk.
"""

import base64
import shutil
from pathlib import Path
from typing import Any

import nbformat
from myst_parser.sphinx_ import Parser
from sphinx.application import Sphinx

project = "Suggestion Sharing"
html_title = "Suggestion Sharing"
author = copyright = ""
root_doc = "README"
source_suffix = {".md": "markdown", ".ipynb": "notebook"}
include_patterns = ["*.md", "data/README.md", "data/nets/README.md", "docs/**"]
exclude_patterns = ["docs/_site", "docs/images"]
extensions = ["myst_parser"]
myst_heading_anchors = 4
myst_enable_extensions = ["dollarmath"]
html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_copyright = html_show_sphinx = html_show_sourcelink = False
html_copy_source = False
highlight_language = "text"

CHAPTERS = {
    "Start": (
        *("docs/quickstart/analyst", "docs/quickstart/energy", "docs/quickstart/traffic"),
        *("docs/quickstart/researcher", "docs/gallery", "docs/howto", "docs/studies"),
        *("docs/notebooks/grid", "docs/notebooks/traffic"),
    ),
    "Results": (
        *("docs/results/grid", "docs/results/instruments", "docs/results/traffic"),
        *("docs/results/traffic-crosscheck", "docs/results/link-model", "docs/results/signals"),
        *("docs/results/games", "docs/results/paper", "docs/results/trust"),
        *("docs/results/privacy", "docs/results/speed"),
    ),
    "How it works": (
        *("docs/algorithms", "docs/theory", "docs/fidelity", "docs/architecture"),
        *("docs/privacy", "docs/reliability"),
    ),
    "Reference": (
        *(
            "docs/limits",
            "docs/cli",
            "docs/data-dictionary",
            "docs/replay",
            "docs/api",
            "data/README",
        ),
        *("data/nets/README", "CHANGELOG", "docs/moved", "CONTRIBUTING", "SECURITY"),
    ),
}


class NotebookParser(Parser):
    """A notebook with what it showed."""

    supported = ("notebook",)

    def parse(self, inputstring: str, document: Any) -> None:
        """Parse its cells as one page."""
        super().parse(notebook_page(inputstring), document)


def notebook_page(text: str) -> str:
    """Markdown of a notebook's cells and outputs."""
    parts = []
    for cell in nbformat.reads(text, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts.append(f"```python\n{cell.source}\n```")
            parts += [shown(output) for output in cell.outputs]
    return "\n\n".join(part for part in parts if part) + "\n"


def shown(output: Any) -> str:
    """The richest form of an output that a page can hold."""
    data = output.get("data", {})
    if "image/png" in data:
        return _picture("image/png", data["image/png"].strip())
    if "image/svg+xml" in data:
        drawn = "".join(data["image/svg+xml"]).encode()
        return _picture("image/svg+xml", base64.b64encode(drawn).decode())
    if "text/html" in data:
        return f"```{{raw}} html\n{data['text/html']}\n```"
    text = data.get("text/plain", output.get("text", ""))
    return f"```text\n{text.rstrip()}\n```" if text else ""


def _picture(kind: str, data: str) -> str:
    return f'```{{raw}} html\n<img alt="" src="data:{kind};base64,{data}">\n```'


def add_contents(_: Sphinx, page: str, source: list[str]) -> None:
    """The chapters of the site, below its first page."""
    if page != root_doc:
        return
    for chapter, pages in CHAPTERS.items():
        listed = "\n".join(pages)
        source[0] += f"\n\n```{{toctree}}\n:caption: {chapter}\n:hidden:\n\n{listed}\n```\n"


def first_page(app: Sphinx, error: Exception | None) -> None:
    """Browsers open `index.html`."""
    if error is None:
        folder = Path(app.outdir)
        shutil.copyfile(folder / f"{root_doc}.html", folder / "index.html")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_source_parser(NotebookParser)
    app.connect("source-read", add_contents)
    app.connect("build-finished", first_page)
