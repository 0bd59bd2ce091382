"""Example pages of runs, and pictures of their first screens: `make gallery`.

Three small runs, their pages in `gallery/` (5 MB each, not kept in the repository), and pictures of
how they begin in `docs/pictures/`, which docs/gallery.md shows. Needs Chromium.
"""

import io
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from PIL import Image

from ss_core.record.atomic import atomic_write
from tests.support.browser import chromium, visit

ROOT = Path(__file__).parents[2]
COLOURS = 128  # of a picture
PAGES: Mapping[str, tuple[str, ...]] = {
    "households": ("grid", "run", "--households", "50"),
    "drivers": ("traffic", "run", "--net", str(ROOT / "data" / "nets" / "two_route.net.xml")),
    "game": ("ss", "train", "predation", "--agents", "2", "--set", "compare_selfish=true"),
}


def page_of(command: tuple[str, ...], out: Path) -> Path:
    """Carry a command out; where its page is."""
    words = [sys.executable, "-m", "cli", *command, "--out", str(out), "--quiet", "--json"]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    return Path(json.loads(done.stdout)["run_dir"]) / "report.html"


def picture_of(page: Path) -> bytes:
    """The first screen of a page as a small PNG."""
    with chromium() as browser, visit(browser, page) as opened:
        opened.draw_all()
        raw = opened.page.screenshot()
    small = io.BytesIO()
    Image.open(io.BytesIO(raw)).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


def write_gallery(pages: Mapping[str, tuple[str, ...]], folder: Path, pictures: Path) -> None:
    """Make the pages and their pictures."""
    for name, command in pages.items():
        page = folder / f"{name}.html"
        atomic_write(page, page_of(command, folder / "runs").read_bytes())
        atomic_write(pictures / f"page-{name}.png", picture_of(page))


if __name__ == "__main__":
    write_gallery(PAGES, ROOT / "gallery", ROOT / "docs" / "pictures")
