"""What the report of a traffic run says, from small real runs; how it looks is tested elsewhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ss_core.analysis.run_data import RunData
from ss_core.report.assemble import RunSummary, run_page
from ss_core.report.page_model import Chart, Table, Text
from tests.support.grid_runs import run_here
from tests.support.small_nets import ONE_ROUTE, trips, write_net
from tests.support.traffic_runs import only_run, sstraffic_run, two_routes
from trafficsim.demand.trips import demand_file
from trafficsim.report.network import Streets, delay_chart, read_streets
from trafficsim.report.page import run_summary

pytestmark = [pytest.mark.sumo, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def own_settings() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SS_")]:
            patch.delenv(name)
        patch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
        yield


def run_in(folder: Path, *options: str, count: int = 24) -> RunData:
    """A run on two routes where the queue costs much, half of the vehicles background."""
    net = folder / two_routes(folder, count=count, headway_s=1.0)
    assert sstraffic_run("--net", str(net), "--out", str(folder / "runs"), *options) == 0
    return RunData(only_run(folder / "runs"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RunData:
    return run_in(tmp_path_factory.mktemp("run"), "--share", "0.5", "--trace", "agent")


@pytest.fixture(scope="module")
def told(data: RunData) -> RunSummary:
    return run_summary(data)


def charts_of(told: RunSummary) -> dict[str, Chart]:
    items = [item for section in told.part.sections for item in section.items]
    found = [told.part.picture, *items]
    return {one.slug: one for one in found if isinstance(one, Chart)}


def test_the_first_screen_has_a_question_a_verdict_a_picture_and_four_figures(
    told: RunSummary, data: RunData
) -> None:
    assert told.part.question.startswith("12 drivers choose their routes through two")
    ended = data.result["gap_closed"]["ss"]
    if ended is None:
        assert told.part.verdict.startswith("No dilemma here")
    else:
        low, high = (f"{100 * one:.0f}" for one in ended[1:])
        assert f"[{low}, {high}]" in told.part.verdict
    mean_s = data.result["kpis"]["ss"]["mean_travel_time_s"]
    assert f"{mean_s:.1f} s instead of" in told.part.verdict
    assert told.part.figures[0].value == f"{mean_s:.1f} s"
    assert len(told.part.figures) == 4
    assert told.part.picture is not None
    assert len(told.part.picture.panels) == 2


def test_every_chart_says_what_to_see_in_title_words_and_table(told: RunSummary) -> None:
    charts = charts_of(told)
    assert charts.keys() == {
        *("before-after", "flow", "cars-in-net", "speed"),
        *("travel-times", "drivers-gain", "route-shares"),
    }
    for slug, chart in charts.items():
        assert any(letter.isdigit() for letter in chart.title), slug
        assert any(letter.isdigit() for letter in chart.alt), slug
        assert chart.table.rows, slug
        assert all(len(row) == len(chart.table.columns) for row in chart.table.rows), slug


def test_roads_are_drawn_as_the_trace_has_them(told: RunSummary, data: RunData) -> None:
    charts = charts_of(told)
    days = data.table("edge_day").set_index(["algorithm", "edge_id"])
    for row in charts["before-after"].table.rows:
        assert row[1] == pytest.approx(days["time_loss_s"]["user_equilibrium", row[0]])
    cars = {row[0]: float(row[1] or 0.0) for row in charts["flow"].table.rows}
    assert cars["entry"] == cars["exit"] == 24.0  # those who set out there, and who came there
    assert cars["queue"] + cars["detour"] == 24.0
    for slug in ("before-after", "flow"):
        legends = [
            [trace["name"] for trace in panel["data"] if trace["showlegend"]]
            for panel in charts[slug].panels
        ]
        assert legends[0] == legends[1]
        for panel in charts[slug].panels:
            texts = {text.split(":")[0] for trace in panel["data"] for text in trace["text"]}
            assert {"queue", "neck", "detour"} <= texts


def test_losers_and_winners_add_up(told: RunSummary, data: RunData) -> None:
    chart = charts_of(told)["drivers-gain"]
    choosing, others, _ = chart.panels[0]["data"]
    assert (choosing["name"], len(choosing["x"])) == ("drivers who choose", 12)
    assert (others["name"], len(others["x"])) == ("other traffic", 12)
    trip = data.table("trip")
    at = trip["vehicle_id"] == choosing["text"][0]
    mean_s = trip[at].groupby("algorithm")["travel_time_s"].mean()
    point = choosing["x"][0], choosing["y"][0]
    assert point == pytest.approx((mean_s["user_equilibrium"], mean_s["ss"]), rel=1e-3)
    saved = [float(row[3] or 0.0) for row in chart.table.rows]
    assert saved == sorted(saved)  # who loses most comes first
    section = next(one for one in told.part.sections if one.slug == "drivers")
    (pairs,) = (item for item in section.items if isinstance(item, Table))
    ((name, drivers, gain, lose, before, after, gained),) = pairs.rows
    assert (name, drivers) == ("entry → exit", 24)
    assert gain == sum(one > 0.5 for one in saved)
    assert lose == sum(one < -0.5 for one in saved)
    assert float(gained or 0) == pytest.approx(float(before or 0) - float(after or 0))


def test_shares_of_routes_are_blocks_of_whole_days(told: RunSummary) -> None:
    chart = charts_of(told)["route-shares"]
    whole = pytest.approx([100.0] * 4, abs=1e-3)  # each share has five digits in a chart
    for panel in chart.panels:
        layers = [trace["y"] for trace in panel["data"]]
        assert [sum(shares) for shares in zip(*layers, strict=True)] == whole
        assert panel["data"][0]["x"] == [-0.5, 0.5, 0.5, 1.5]


def test_the_page_is_made_and_equal_runs_have_equal_pages(told: RunSummary, data: RunData) -> None:
    page = run_page(data, told)
    assert page == run_page(data, run_summary(data))
    shown = page.decode().replace("\u202f", " ").replace("\u00a0", " ")
    assert told.part.verdict.split(":")[0] in shown


def test_a_row_without_figures_of_edges_leaves_the_equilibrium_alone(data: RunData) -> None:
    """As where lights learned: their days are not recorded edge by edge."""
    streets = read_streets(data, "user_equilibrium", "vps")
    assert isinstance(streets, Streets)
    chart = delay_chart(streets, "user_equilibrium", "vps")
    assert chart is not None
    assert len(chart.panels) == 1
    assert "VPS, learned has no figures of edges" in chart.note


def test_where_nobody_has_a_choice_the_page_says_so(tmp_path: Path) -> None:
    net = write_net(tmp_path, ONE_ROUTE, "one.net.xml")
    (tmp_path / "one.trips.xml").write_text(demand_file(trips(4)))
    assert sstraffic_run("--net", str(net), "--out", str(tmp_path / "runs")) == 0
    data = RunData(only_run(tmp_path / "runs"))
    told = run_summary(data)
    assert "Fewer than two drivers have a choice" in told.part.verdict
    assert told.part.picture is not None
    assert len(told.part.picture.panels) == 1
    assert run_page(data, told)


@pytest.mark.parametrize("level", ["kpi", "off"])
def test_a_run_that_kept_little_tells_what_is_missing(level: str, tmp_path: Path) -> None:
    data = run_in(tmp_path, "--trace", level, count=6)
    told = run_summary(data)
    texts = {
        section.slug: [one.text for one in section.items if isinstance(one, Text)]
        for section in told.part.sections
    }
    assert texts["drivers"] == ["Trips of single drivers need trace level agent or full."]
    assert texts["routes"] == ["Route choices need trace level agent or full."]
    assert (told.part.picture is None) == (level == "off")
    assert ("kept no traces" in told.part.verdict) == (level == "off")
    assert run_page(data, told)
