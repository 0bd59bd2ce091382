"""A page in headless Chromium, from the file system: what it says, requests and draws."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from tests.support.external_tools import tool

WIDTHS = {"desktop": (1280, 900, "light"), "phone": (390, 844, "dark")}
ALL_DRAWN_S = 30.0


@dataclass(slots=True)
class Visit:
    """A page that was opened, and all that happened meanwhile."""

    page: Page
    opened_s: float  # until the load event
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)  # of anything but the file itself
    dialogs: list[str] = field(default_factory=list)

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def draw_all(self) -> int:
        """Wait until every chart is drawn; returns how many there are."""
        deadline = time.monotonic() + ALL_DRAWN_S
        while self.count(".chart:not([data-drawn])"):
            assert time.monotonic() < deadline, "charts are not drawn"
            time.sleep(0.02)
        return self.count(".chart")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless browser without network; skipped, or failed, where there is none."""
    path = tool("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, path: Path, width: str = "desktop") -> Iterator[Visit]:
    """Open a file at a width, and close its page afterwards."""
    across, down, scheme = WIDTHS[width]
    page = browser.new_page(
        viewport={"width": across, "height": down},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    found = Visit(page, 0.0)

    def dismiss(dialog: Dialog) -> None:
        found.dialogs.append(dialog.message)
        dialog.dismiss()

    page.on("console", lambda message: found.console.append(message.text))
    page.on("pageerror", lambda error: found.console.append(str(error)))
    page.on("dialog", dismiss)
    page.on("request", lambda request: found.requests.append(request.url))
    started = time.monotonic()
    page.goto(path.absolute().as_uri())
    found.opened_s = time.monotonic() - started
    found.requests = [one for one in found.requests if one != path.absolute().as_uri()]
    yield found
    page.close()
