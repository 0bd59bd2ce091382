"""Reports of real runs in Chromium: open from disk, request nothing, draw everything."""

from pathlib import Path

import pytest

from cli import ss
from cli.app import run
from cli.commands.runs.report import write_report
from ss_core.report.page import MAX_BYTES
from tests.support.browser import WIDTHS, chromium, visit
from tests.support.external_tools import tool
from tests.support.grid_runs import only_run, ssgrid_run, tasks_here
from tests.support.traffic_runs import sstraffic_run

ROOT = Path(__file__).parents[3]
CHAPTERS = {
    "grid": {"day", "feeder", "bills", "gap", "learning", "exchange", "incidents", "made"},
    "traffic": {"network", "drivers", "routes", "gap", "learning", "exchange", "incidents", "made"},
    "train": {"learning", "exchange", "incidents", "made"},
    "bench": {"claims", "returns-tuned", "figures-tuned", "exchange", "made"},
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A report of each world, as its own command writes it."""
    tool("chromium")  # before any run is made for it
    out = tmp_path_factory.mktemp("reports")
    quiet = ["--quiet", "--budget", "2", "--days", "2"]
    net = str(ROOT / "data" / "nets" / "two_route.net.xml")
    train = ["train", "predation", "--agents", "2", "--updates", "2", "--quiet"]
    with tasks_here():
        assert ssgrid_run("--households", "6", "--out", str(out / "grid"), *quiet) == 0
        assert sstraffic_run("--net", net, "--out", str(out / "traffic"), *quiet) == 0
        assert run(ss.cli, "ss", [*train, "--out", str(out / "train")]) == 0
    bench = ["bench", "paper", "--profile", "smoke", "--quiet", "--env", "predation"]
    assert run(ss.cli, "ss", [*bench, "--out", str(out / "bench")]) == 0
    found = {world: only_run(out / world) / "report.html" for world in ("grid", "traffic", "train")}
    return found | {"bench": write_report([out / "bench"])}


@pytest.mark.slow
@pytest.mark.sumo
def test_a_report_opens_from_disk_and_draws_itself(
    reports: dict[str, Path], tmp_path: Path
) -> None:
    with chromium() as browser:
        for world, path in reports.items():
            assert path.stat().st_size < MAX_BYTES
            for width, (across, _, _) in WIDTHS.items():
                with visit(browser, path, width) as seen:
                    charts = seen.draw_all()
                    assert charts >= 4, world
                    assert seen.count(".chart svg.main-svg") >= charts, world
                    assert (seen.console, seen.requests, seen.dialogs) == ([], [], []), world
                    chapters = seen.page.locator("main > section")
                    ids = {chapters.nth(i).get_attribute("id") for i in range(chapters.count())}
                    assert ids >= CHAPTERS[world], world
                    wide = seen.page.evaluate("document.documentElement.scrollWidth")
                    assert wide <= across, f"{world} at {width} is wider than the screen"
                    picture = tmp_path / f"{world}-{width}.png"
                    seen.page.screenshot(path=picture, full_page=True)
                    assert picture.stat().st_size > 10_000


@pytest.mark.slow
@pytest.mark.sumo
def test_every_chart_has_a_title_a_table_and_words(reports: dict[str, Path]) -> None:
    with chromium() as browser:
        for world, path in reports.items():
            with visit(browser, path) as seen:
                pictures = seen.page.locator("figure.picture img")
                assert pictures.count() > 0 or world != "bench"
                for number in range(pictures.count()):
                    assert len(pictures.nth(number).get_attribute("alt") or "") > 20, world
                figures = seen.page.locator("figure:not(.picture)")
                for number in range(figures.count()):
                    figure = figures.nth(number)
                    title = figure.locator("figcaption h3").inner_text()
                    assert title, world
                    assert figure.locator("details table tbody tr").count(), f"{world}: {title}"
                    charts = figure.locator(".chart")
                    for at in range(charts.count()):
                        alt = charts.nth(at).get_attribute("aria-label") or ""
                        assert len(alt) > 20, f"{world}: {title}"


@pytest.mark.slow
def test_runs_lie_side_by_side_with_differences(tmp_path: Path) -> None:
    tool("chromium")
    words = ["train", "predation", "--agents", "2", "--quiet", "--no-report", "--out"]
    folders = []
    for updates in ("2", "3"):
        with tasks_here():
            assert run(ss.cli, "ss", [*words, str(tmp_path / updates), "--updates", updates]) == 0
        folders.append(only_run(tmp_path / updates))
    page = write_report(folders, tmp_path / "compare.html")
    with chromium() as browser, visit(browser, page, "phone") as seen:
        assert seen.draw_all() == 2
        assert (seen.console, seen.requests) == ([], [])
        assert "differs from A by" in seen.page.locator(".verdict").inner_text()
        assert "num_updates" in seen.page.locator("#settings").inner_text()
        assert "B (seed 0) less A (seed 0)" in seen.page.locator("#figures").inner_text()


@pytest.mark.slow
@pytest.mark.sumo
def test_it_prints_with_all_charts_on_white(reports: dict[str, Path], tmp_path: Path) -> None:
    with chromium() as browser, visit(browser, reports["grid"]) as seen:
        pdf = tmp_path / "report.pdf"
        seen.page.pdf(path=pdf)
        assert seen.count(".chart:not([data-drawn])") == 0
        assert pdf.read_bytes().startswith(b"%PDF")
