"""The feeder as a picture: where the voltage drops and lines fill, selfish beside suggested.

Nets without coordinates are laid out as the trees they nearly are: along the way from the
transformer to the right, house connections from top to bottom.
"""

from collections.abc import Mapping, Sequence

import networkx as nx
import numpy as np

from ss_core.analysis.run_data import Frame, RunData
from ss_core.report.network_map import Stretch, network_chart
from ss_core.report.page_model import Chart, Section, Table, Text

LOADING_BOUNDS = (25.0, 50.0, 75.0, 100.0)  # %
DROP_BOUNDS = (2.0, 4.0, 6.0, 8.0)  # % below the rated voltage
Places = dict[str, tuple[float, float]]


def feeder_section(data: RunData, rows: Mapping[str, str]) -> Section:
    """Voltages and loadings of `rows` (name → title), each when its transformer is loaded most."""
    buses, branches = data.table("bus"), data.table("feeder_branch")
    title = "The feeder at its worst minute"
    if buses.empty or branches.empty:
        text = "This run has no tables of buses and lines."
        return Section(slug="feeder", title=title, items=(Text(text),))
    places = bus_places(buses, branches)
    states = {name: _worst_state(data, name) for name in rows}
    known = {name: state for name, state in states.items() if state is not None}
    if not known:
        return Section(slug="feeder", title=title, items=(Text("No step was traced."),))
    return Section(
        slug="feeder",
        title=title,
        intro="Each policy in the quarter of an hour that loads its transformer most. Lines: "
        "loading in percent of the rated current. Points: buses, by how far the voltage is below "
        "the rated one; EN 50160 allows 10 %.",
        items=(_feeder_chart(places, branches, known, rows),),
    )


class _State:
    """The feeder in one step."""

    def __init__(
        self, day: int, time_s: float, vm_pu: dict[str, float], loading: dict[str, float]
    ) -> None:
        self.day, self.time_s, self.vm_pu, self.loading = day, time_s, vm_pu, loading

    @property
    def clock(self) -> str:
        minutes = round(self.time_s / 60.0)
        return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"


def _worst_state(data: RunData, algorithm: str) -> _State | None:
    where = {"algorithm": algorithm}
    trafo = data.table(
        "trafo_step", ["day", "step", "sim_time_s", "trafo_id", "loading_percent"], where
    )
    if trafo.empty:
        return None
    worst = trafo.loc[trafo["loading_percent"].idxmax()]
    at = {"day": int(worst["day"]), "step": int(worst["step"])}
    bus = data.table("bus_step", ["bus_id", "vm_pu"], where | at)
    line = data.table("line_step", ["line_id", "loading_percent"], where | at)
    now = trafo[(trafo["day"] == at["day"]) & (trafo["step"] == at["step"])]
    loading = dict(zip(line["line_id"], line["loading_percent"].astype(float), strict=True))
    loading |= dict(zip(now["trafo_id"], now["loading_percent"].astype(float), strict=True))
    vm_pu = dict(zip(bus["bus_id"], bus["vm_pu"].astype(float), strict=True))
    return _State(at["day"], float(worst["sim_time_s"]), vm_pu, loading)


def _feeder_chart(
    places: Places, branches: Frame, states: Mapping[str, _State], rows: Mapping[str, str]
) -> Chart:
    said = [
        f"{rows[name]}: lowest voltage {min(state.vm_pu.values()):.3f} p.u., highest loading "
        f"{max(state.loading.values()):.0f} % (day {state.day}, {state.clock})"
        for name, state in states.items()
    ]
    panels = tuple(_panel(places, branches, state, rows[name]) for name, state in states.items())
    return Chart(
        slug="feeder-worst",
        title="Where the feeder is strained",
        alt=f"The feeder, lines coloured by loading, buses by voltage drop. {'; '.join(said)}.",
        panels=panels,
        table=_table(branches, states, rows),
        note=f"{'; '.join(said)}. To scale where the net has coordinates, else a tree from the "
        "transformer on the left.",
        height_px=440,
    )


def _panel(places: Places, branches: Frame, state: _State, title: str) -> dict:
    stretches = []
    for branch in branches.itertuples():
        if branch.from_bus_id not in places or branch.to_bus_id not in places:
            continue
        (x0, y0), (x1, y1) = places[branch.from_bus_id], places[branch.to_bus_id]
        loading = state.loading.get(branch.branch_id, 0.0)
        is_trafo = branch.kind == "trafo"
        stretches.append(
            Stretch(
                name=f"{branch.branch_id}: {loading:.0f} %",
                x=(x0, x1), y=(y0, y1), value=loading, width=7.0 if is_trafo else 3.0,
            )
        )  # fmt: skip
    names = [name for name in places if name in state.vm_pu]
    drop = [100.0 * (1.0 - state.vm_pu[name]) for name in names]
    points = (
        [places[name][0] for name in names],
        [places[name][1] for name in names],
        [f"{name}: {state.vm_pu[name]:.4f} p.u." for name in names],
    )
    return network_chart(
        stretches, bounds=LOADING_BOUNDS, unit="%", title=title,
        points=points, point_values=drop, point_bounds=DROP_BOUNDS,
    )  # fmt: skip


def _table(branches: Frame, states: Mapping[str, _State], rows: Mapping[str, str]) -> Table:
    return Table(
        columns=(
            "line or transformer",
            *(f"{rows[name]}: loading, %" for name in states),
            *(f"{rows[name]}: voltage at its end, p.u." for name in states),
        ),
        rows=[
            (
                str(branch.branch_id),
                *(state.loading.get(branch.branch_id) for state in states.values()),
                *(state.vm_pu.get(branch.to_bus_id) for state in states.values()),
            )
            for branch in branches.itertuples()
        ],
    )


def bus_places(buses: Frame, branches: Frame) -> Places:
    """Where to draw each bus: by its coordinates if nearly all have some, else as a tree."""
    known = buses[buses["x"].notna() & buses["y"].notna()]
    if len(known) >= 0.9 * len(buses):
        degrees = known["y"].abs().max() <= 90.0
        stretch = np.cos(np.radians(known["y"].mean())) if degrees else 1.0
        spots = zip(known["bus_id"], known["x"] * stretch, known["y"], strict=True)
        return {name: (float(x), float(y)) for name, x, y in spots}
    slack = buses.loc[buses["is_slack"], "bus_id"]
    root = str(slack.iloc[0] if len(slack) else buses["bus_id"].iloc[0])
    return tree_places(
        root,
        list(buses["bus_id"]),
        list(zip(branches["from_bus_id"], branches["to_bus_id"], strict=True)),
    )


def tree_places(root: str, names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Places:
    """A tree from left (`root`) to right: depth across, leaves one below the other.

    Closed meshes are cut where the search meets a bus again; buses out of reach are left out. The
    long axis is scaled to twice the short one.
    """
    graph = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from(pairs)
    children = nx.bfs_tree(graph, root)
    depth = nx.single_source_shortest_path_length(children, root)
    height: dict[str, float] = {}
    leaves = 0
    for name in nx.dfs_postorder_nodes(children, root):
        below = [height[child] for child in children.successors(name)]
        if below:
            height[name] = float(np.mean(below))
        else:
            height[name], leaves = float(leaves), leaves + 1
    across, down = 2.0 / max(1, max(depth.values())), 1.0 / max(1, leaves)
    return {name: (across * depth[name], -down * at) for name, at in height.items()}
