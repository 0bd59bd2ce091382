"""The documentation as a site: built without a warning, searchable, whole without a network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.browser import WIDTHS
from tests.support.gallery import PAGES, write_gallery

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.slow
FETCHED = re.compile(r'<(?:script|img|link)[^>]*\s(?:src|href)="(?:https?:)?//')


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    command += ["--doctree-dir", str(out / "trees"), "--conf-dir", "docs/_site", ".", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr  # a dead link or anchor is a warning
    return out


def test_every_document_is_a_page(site: Path) -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "data" / "README.md"]
    documents += (ROOT / "docs" / "notebooks").glob("*.ipynb")
    pages = [site / path.relative_to(ROOT).with_suffix(".html") for path in documents]
    assert [page for page in pages if not page.is_file()] == []
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()


def test_every_page_is_reached_from_the_first(site: Path) -> None:
    first = (site / "index.html").read_text()
    pages = [path.relative_to(site).as_posix() for path in (site / "docs").rglob("*.html")]
    pages = [page for page in pages if not page.endswith("paper-quick.html")]
    assert len(pages) > 25
    assert [page for page in pages if f'href="{page}"' not in first] == []


def test_nothing_is_fetched(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert [page.name for page in pages if FETCHED.search(page.read_text())] == []


def test_search_knows_the_words_of_the_documents(site: Path) -> None:
    index = (site / "searchindex.js").read_text()
    assert all(f'"{word}"' in index or f"{word}:" in index for word in ("transform", "dilemma"))


def test_the_gallery_is_a_page_and_a_picture_of_its_first_screen(tmp_path: Path) -> None:
    small = ("--agents", "2", "--updates", "2", "--episodes-per-update", "2")
    less = ("--set", "evaluation_episodes=4", "--set", "learner.hidden=[8]")
    pages = {"game": ("ss", "train", "predation", *small, *less)}
    write_gallery(pages, tmp_path / "gallery", tmp_path / "pictures")
    assert b"<html" in (tmp_path / "gallery" / "game.html").read_bytes()
    with Image.open(tmp_path / "pictures" / "page-game.png") as picture:
        assert picture.size == WIDTHS["desktop"][:2]
        assert len(picture.getcolors() or []) > 10


def test_pictures_of_the_gallery_are_small_and_shown() -> None:
    text = (ROOT / "docs" / "gallery.md").read_text()
    for name in PAGES:
        path = ROOT / "docs" / "pictures" / f"page-{name}.png"
        assert f"pictures/{path.name}" in text
        assert path.stat().st_size < 300_000


def test_a_notebook_shows_its_pictures(site: Path) -> None:
    page = (site / "docs" / "notebooks" / "grid.html").read_text()
    assert page.count("data:image/png;base64,") >= 1
