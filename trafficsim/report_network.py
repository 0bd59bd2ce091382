"""The road network as a picture: where it is slow, where traffic flows, and the day in time."""

from collections.abc import Callable

import numpy as np

from ss_core.report.cast import cast_name, cast_role
from ss_core.report.charts import Figure, Series, line_chart
from ss_core.report.network_map import Stretch, class_bounds, network_chart
from ss_core.report.parts import Chart, Item, Section, Table, Text
from ss_core.report.run_data import Frame, RunData
from trafficsim.cast import CAST

LARGEST_TABLE = 400  # edges
SIDE_M = 4.0  # directions of a road are drawn so far apart


def network_section(data: RunData, selfish: str, algorithm: str) -> Section:
    """Flow and delay on every edge, the day in time."""
    flow = roads_chart(data, selfish, algorithm, slug="flow", kind="flow")
    items: list[Item] = [*([flow] if flow else []), *_day_charts(data)]
    return Section(
        slug="network",
        title="The roads",
        intro="The recorded day, the first of the held-out ones: the same cars leave at the same "
        "times under every policy, only routes differ.",
        items=tuple(items) or (Text("No day was recorded in detail."),),
    )


def roads_chart(
    data: RunData, selfish: str, algorithm: str, *, slug: str, kind: str = "delay"
) -> Chart | None:
    """The net twice, equilibrium beside the learned row, by `delay` or by `flow`."""
    edges = data.table("edge")
    days = data.table(
        "edge_day",
        ["algorithm", "edge_id", "entered", "time_loss_s"],
        {"algorithm": [selfish, algorithm]},
    )
    rows = [name for name in (selfish, algorithm) if (days["algorithm"] == name).any()]
    if edges.empty or not rows:
        return None
    column = "time_loss_s" if kind == "delay" else "entered"
    unit = "s lost" if kind == "delay" else "cars"
    values = {
        name: days[days["algorithm"] == name].set_index("edge_id")[column].astype(float)
        for name in rows
    }
    bounds = class_bounds(np.concatenate([one.to_numpy() for one in values.values()]))
    totals = ", ".join(f"{cast_name(CAST, n)} {one.sum():,.0f} {unit}" for n, one in values.items())
    title = (
        "Where time is lost on the roads, before and after"
        if kind == "delay"
        else "How many cars each road carries"
    )
    by_flow = kind == "flow"
    return Chart(
        slug=slug,
        title=title,
        alt=f"The road network once per policy, coloured by {unit} per edge. In all: {totals}.",
        panels=tuple(
            _panel(edges, values[name], bounds, unit, cast_name(CAST, name), by_flow)
            for name in rows
        ),
        table=_edge_table(values, unit),
        note=f"Sums over all roads: {totals}." if kind == "delay" else "",
        height_px=400,
    )


def _panel(
    edges: Frame, values: Frame, bounds: list[float], unit: str, title: str, by_flow: bool
) -> Figure:
    most = max(1.0, float(values.max())) if len(values) else 1.0
    stretches = []
    for edge in edges.itertuples():
        x, y = course(edge.shape)
        value = float(values.get(edge.edge_id, 0.0))
        width = 1.5 + (6.0 * value / most if by_flow else 2.0 * (value > 0))
        name = f"{edge.edge_id}: {value:.0f} {unit}"
        stretches.append(Stretch(name=name, x=x, y=y, value=value, width=width))
    return network_chart(stretches, bounds=bounds, unit=unit, title=title)


def course(shape: str) -> tuple[list[float], list[float]]:
    """A lane's shape, `x,y x,y …`, as coordinates, a little to the right of its course."""
    points = np.array([one.split(",")[:2] for one in shape.split()], dtype=float).reshape(-1, 2)
    if len(points) < 2:
        return points[:, 0].tolist(), points[:, 1].tolist()
    along = np.asarray(np.gradient(points, axis=0))
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    right = np.stack([along[:, 1], -along[:, 0]], axis=1) / length
    moved = points + SIDE_M / 2 * right
    return moved[:, 0].tolist(), moved[:, 1].tolist()


def _edge_table(values: dict[str, Frame], unit: str) -> Table:
    names = sorted({edge for one in values.values() for edge in one.index})
    rows = [
        (name, *(float(one.get(name, 0.0)) for one in values.values()))
        for name in names
        if any(one.get(name, 0.0) > 0 for one in values.values())
    ]
    rows.sort(key=lambda row: -row[1])
    return Table(
        columns=("edge", *(f"{cast_name(CAST, name)}, {unit}" for name in values)),
        rows=rows[:LARGEST_TABLE],
        caption="Edges with traffic, the fullest first",
    )


def _day_charts(data: RunData) -> list[Item]:
    rows = data.table(
        "network_interval", ["algorithm", "begin_s", "vehicles", "speed_m_per_s", "time_loss_s"]
    )
    if rows.empty:
        return []
    return [
        _day_chart(
            rows, "vehicles", lambda v: v, "cars-in-net", "Cars under way over the day", "cars"
        ),
        _day_chart(
            rows, "speed_m_per_s", lambda v: 3.6 * v, "speed", "Mean speed over the day", "km/h"
        ),
    ]


def _day_chart(
    rows: Frame,
    column: str,
    convert: Callable[[np.ndarray], np.ndarray],
    slug: str,
    title: str,
    unit: str,
) -> Chart:
    series = [
        Series(
            name=cast_name(CAST, name),
            role=cast_role(CAST, name),
            x=group["begin_s"].to_numpy() / 60.0,
            y=convert(group[column].to_numpy(dtype=float)),
        )
        for name in CAST
        if len(group := rows[rows["algorithm"] == name].sort_values("begin_s"))
    ]
    highest = ", ".join(f"{one.name} {np.nanmax(one.y):.3g}" for one in series)
    lines = [
        (one.name, float(x), float(y)) for one in series for x, y in zip(one.x, one.y, strict=True)
    ]
    return Chart(
        slug=slug,
        title=title,
        alt=f"{title}, {unit}. Highest: {highest}.",
        panels=(line_chart(series, x_title="simulated time, min", y_title=unit),),
        table=Table(columns=("policy", "time, min", unit), rows=lines),
    )
