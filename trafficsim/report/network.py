"""The road network as a picture: where it is slow, where traffic flows, and the day in time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.charts import Figure, Series, line_chart
from ss_core.report.labels import role_of, title_of
from ss_core.report.network_map import Stretch, class_bounds, network_chart
from ss_core.report.page_model import Chart, Item, Section, Table, Text
from trafficsim.report.road_shapes import Course, Road, road_courses
from trafficsim.results.labels import LABELS, under

LARGEST_TABLE = 400  # edges
THINNEST_PX, WIDEST_PX = 1.0, 7.0
KMH = 3.6  # of a metre per second
WIDTHS = (
    "One recorded day; the wider a road, the more cars. Travel times count longer ways and the "
    "wait to enter the net, too."
)


@dataclass(frozen=True, slots=True)
class Streets:
    """What the pictures of the roads are drawn from."""

    courses: Mapping[str, Course]
    flow: Mapping[str, Frame]  # by row of the trace: cars on each edge
    delay_s: Mapping[str, Frame]
    left_out: int  # edges of the net that the pictures do not show


def read_streets(data: RunData, selfish: str, algorithm: str) -> Streets | None:
    """Edges and the recorded day on them; None without one.

    Raises:
        CorruptError: a table cannot be read.
    """
    edges = data.table("edge", ["edge_id", "shape", "length_m"])
    days = data.table(
        "edge_day",
        ["algorithm", "edge_id", "entered", "departed", "time_loss_s"],
        {"algorithm": [selfish, algorithm]},
    )
    if edges.empty or days.empty:
        return None
    days = days.assign(cars=(days["entered"] + days["departed"]).astype(float))
    of_row = {
        name: days[days["algorithm"] == name].set_index("edge_id")
        for name in (selfish, algorithm)
        if (days["algorithm"] == name).any()
    }
    traffic = days.groupby("edge_id")["cars"].sum().to_dict()
    roads = [Road(*row) for row in edges.itertuples(index=False, name=None)]
    courses = road_courses(roads, traffic)
    return Streets(
        courses=courses,
        flow={name: rows["cars"] for name, rows in of_row.items()},
        delay_s={name: rows["time_loss_s"].astype(float) for name, rows in of_row.items()},
        left_out=len(edges) - len(courses),
    )


def delay_chart(streets: Streets | None, selfish: str, algorithm: str) -> Chart | None:
    """The first picture: the net at the equilibrium and beside it as learned, coloured by delay."""
    if streets is None:
        return None
    totals = {name: float(values.sum()) for name, values in streets.delay_s.items()}
    title = "Where time is lost on the roads at the equilibrium"
    note = f" {title_of(LABELS, algorithm)} has no figures of edges."
    if len(totals) == 2:
        title = (
            f"Traffic loses {totals[algorithm]:,.0f} s on the roads under "
            f"{title_of(LABELS, algorithm)}, {totals[selfish]:,.0f} s at the equilibrium"
        )
        note = ""
    return Chart(
        slug="before-after",
        title=title,
        alt=f"The road network once per policy, coloured by time lost. {_said(totals, 's lost')}",
        panels=_panels(streets, streets.delay_s, "s lost"),
        table=_edge_table(streets.delay_s, "s lost"),
        note=" ".join([f"{WIDTHS}{note}", _cut(streets)]).strip(),
        height_px=400,
    )


def _flow_chart(streets: Streets, selfish: str, algorithm: str) -> Chart:
    totals = {name: float(values.max()) for name, values in streets.flow.items()}
    title = "How many cars each road carries at the equilibrium"
    if len(totals) == 2:
        moved = streets.flow[algorithm].sub(streets.flow[selfish], fill_value=0.0)
        title = (
            f"{int((moved > 0).sum())} roads carry more cars under {title_of(LABELS, algorithm)} "
            f"than at the equilibrium, {int((moved < 0).sum())} fewer"
        )
    said = _said(totals, "cars on the fullest road")
    return Chart(
        slug="flow",
        title=title,
        alt=f"The road network once per policy, coloured by cars per edge. {said}",
        panels=_panels(streets, streets.flow, "cars"),
        table=_edge_table(streets.flow, "cars"),
        note=_cut(streets),
        height_px=400,
    )


def _said(figures: Mapping[str, float], what: str) -> str:
    return (
        ", ".join(f"{title_of(LABELS, n)}: {one:,.0f} {what}" for n, one in figures.items()) + "."
    )


def _cut(streets: Streets) -> str:
    if not streets.left_out:
        return ""
    return f"{streets.left_out:,} roads with little or no traffic are not drawn."


def _panels(streets: Streets, values: Mapping[str, Frame], unit: str) -> tuple[Figure, ...]:
    """A map per row, all with the same classes of colour and the same scale of widths."""
    bounds = class_bounds(np.concatenate([one.to_numpy() for one in values.values()]))
    most = max(1.0, *(float(one.max()) for one in streets.flow.values()))
    return tuple(
        network_chart(
            _stretches(streets, name, shown, most, bounds),
            bounds=bounds,
            unit=unit,
            title=title_of(LABELS, name),
        )
        for name, shown in values.items()
    )


def _one_of_each_class(bounds: list[float]) -> list[Stretch]:
    """Nothing to be seen, but the same legend, and so the same scale, in every panel."""
    nowhere = [float("nan")]
    return [Stretch(name="", x=nowhere, y=nowhere, value=at) for at in (bounds[0] - 1.0, *bounds)]


def _stretches(
    streets: Streets, name: str, values: Frame, most: float, bounds: list[float]
) -> list[Stretch]:
    flow, delay_s = streets.flow[name].to_dict(), streets.delay_s[name].to_dict()
    shown = values.to_dict()
    found = _one_of_each_class(bounds)
    for edge, course in streets.courses.items():
        cars, lost_s = flow.get(edge, 0.0), delay_s.get(edge, 0.0)
        label = f"{edge}: {cars:.0f} cars, {lost_s:.0f} s lost" if cars or lost_s else ""
        found.append(
            Stretch(
                name=label,
                x=course[:, 0].tolist(),
                y=course[:, 1].tolist(),
                value=shown.get(edge, 0.0),
                width=THINNEST_PX + (WIDEST_PX - THINNEST_PX) * cars / most,
            )
        )
    return found


def _edge_table(values: Mapping[str, Frame], unit: str) -> Table:
    names = sorted({edge for one in values.values() for edge in one.index})
    rows = [(name, *(float(one.get(name, 0.0)) for one in values.values())) for name in names]
    rows = [row for row in rows if any(value > 0 for value in row[1:])]
    rows.sort(key=lambda row: -row[1])
    return Table(
        columns=("edge", *(f"{title_of(LABELS, name)}, {unit}" for name in values)),
        rows=rows[:LARGEST_TABLE],
        caption="Edges with traffic, the fullest first",
    )


def network_section(
    data: RunData, streets: Streets | None, selfish: str, algorithm: str, shown: tuple[str, ...]
) -> Section:
    """Flow on every edge, and the day in time for the rows `shown`.

    Raises:
        CorruptError: a table cannot be read.
    """
    items: list[Item] = [] if streets is None else [_flow_chart(streets, selfish, algorithm)]
    items += _day_charts(data, selfish, algorithm, shown)
    return Section(
        slug="network",
        title="The roads",
        intro="The recorded day, the first of the held-out ones: the same cars leave at the same "
        "times under every policy, only routes differ.",
        items=tuple(items) or (Text("No day was recorded in detail."),),
    )


def _day_charts(data: RunData, selfish: str, algorithm: str, shown: tuple[str, ...]) -> list[Item]:
    columns = ["algorithm", "begin_s", "end_s", "vehicles", "speed_m_per_s"]
    rows = data.table("network_interval", columns, {"algorithm": list(shown)})
    if rows.empty:
        return []
    days = {
        name: rows[rows["algorithm"] == name].sort_values("begin_s")
        for name in shown
        if (rows["algorithm"] == name).any()
    }
    fullest = {name: float(day["vehicles"].max()) for name, day in days.items()}
    speed_kmh = {name: _mean_speed_kmh(day) for name, day in days.items()}
    pair = [name for name in (selfish, algorithm) if name in days]
    most = ", ".join(f"{fullest[name]:.0f} {under(name, selfish)}" for name in pair)
    fast = ", ".join(f"{speed_kmh[name]:.0f} km/h {under(name, selfish)}" for name in pair)
    return [
        _day_chart(days, "vehicles", 1.0, fullest, "cars-in-net", "cars",
                   f"Cars under way at the fullest time: {most}"),
        _day_chart(days, "speed_m_per_s", KMH, speed_kmh, "speed", "km/h",
                   f"Mean speed of all cars: {fast}"),
    ]  # fmt: skip


def _mean_speed_kmh(day: Frame) -> float:
    weights = (day["vehicles"] * (day["end_s"] - day["begin_s"])).to_numpy(dtype=float)
    speeds = np.nan_to_num(day["speed_m_per_s"].to_numpy(dtype=float))
    return KMH * float(weights @ speeds) / max(float(weights.sum()), 1e-9)


def _day_chart(
    days: Mapping[str, Frame],
    column: str,
    factor: float,
    figures: Mapping[str, float],
    slug: str,
    unit: str,
    title: str,
) -> Chart:
    """Means over intervals, which hold until the interval ends."""
    series = []
    for name, day in days.items():
        values = factor * day[column].to_numpy(dtype=float)
        ends_s = np.append(day["begin_s"].to_numpy(), day["end_s"].iloc[-1])
        series.append(
            Series(
                name=title_of(LABELS, name),
                role=role_of(LABELS, name),
                x=ends_s / 60.0,
                y=np.append(values, values[-1]),
                steps=True,
            )
        )
    lines = [
        (one.name, float(x), float(y))
        for one in series
        for x, y in zip(one.x[:-1], one.y[:-1], strict=True)
    ]
    return Chart(
        slug=slug,
        title=title,
        alt=f"{title}. {_said(figures, unit)}",
        panels=(line_chart(series, x_title="simulated time, min", y_title=unit),),
        table=Table(columns=("policy", "from, min", unit), rows=lines),
    )
