"""Preflight of a SUMO road network: would a simulator accept it, and can cars get about in it?

SUMO itself is not started. Its own reader stops at the first problem, and a length that is not a
number can end it without any message; here every problem is found at once, with file and line.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trafficsim.net_xml import Connection, Edge, Lane, NetRecords, read_records

CAR = "passenger"


@dataclass(frozen=True, slots=True, kw_only=True)
class NetReport:
    """What a network consists of, and what is wrong with it."""

    junctions: int
    edges: int  # streets by direction; the inside of junctions is not counted
    lanes: int
    road_km: float  # sum over edges
    traffic_lights: int
    car_edges: int  # edges with a lane that cars may use
    connected_percent: float  # of car edges in the largest part where each reaches each
    problems: tuple[str, ...]  # `file:line: sentence`, in the order of the file
    notes: tuple[str, ...]  # unusual, yet no reason to refuse

    def summary(self) -> dict[str, int | float]:
        """The quantities by name."""
        return {
            "junctions": self.junctions,
            "edges": self.edges,
            "lanes": self.lanes,
            "road_km": round(self.road_km, 3),
            "traffic_lights": self.traffic_lights,
            "car_edges": self.car_edges,
            "connected_percent": round(self.connected_percent, 1),
        }

    def as_record(self) -> dict[str, Any]:
        """Everything, as plain data."""
        return {**self.summary(), "problems": list(self.problems), "notes": list(self.notes)}


def preflight(path: Path) -> NetReport:
    """Check the network at `path`.

    Raises:
        InputError: the file cannot be read as a SUMO network at all.
    """
    return examine(read_records(path), str(path))


def examine(records: NetRecords, place: str) -> NetReport:
    """Check records that were read from `place`."""
    roads = [edge for edge in records.edges if edge.is_road]
    car_edges = [edge for edge in roads if any(lane.permits(CAR) for lane in edge.lanes)]
    share = strongly_connected_share(car_edges, records.connections)
    found = sorted(_problems(records, has_car_edge=bool(car_edges)))
    return NetReport(
        junctions=sum(junction.kind != "internal" for junction in records.junctions),
        edges=len(roads),
        lanes=sum(len(edge.lanes) for edge in roads),
        road_km=sum(_length_m(edge) for edge in roads) / 1000,
        traffic_lights=len({light.name for light in records.traffic_lights}),
        car_edges=len(car_edges),
        connected_percent=100 * share,
        problems=tuple(f"{place}:{line}: {sentence}" for line, sentence in found),
        notes=tuple(_notes(len(car_edges), share)),
    )


def _length_m(edge: Edge) -> float:
    length_m = edge.lanes[0].length_m if edge.lanes else 0.0
    return length_m if math.isfinite(length_m) else 0.0


def _notes(car_edge_count: int, share: float) -> Iterator[str]:
    outside = round((1 - share) * car_edge_count)
    if outside:
        yield (
            f"{outside} of {car_edge_count} car edges lie outside the largest part in which every "
            "edge reaches every other; trips from or to them may have no route"
        )


Problem = tuple[int, str]  # line of the file, sentence


def _problems(records: NetRecords, *, has_car_edge: bool) -> Iterator[Problem]:
    junctions = {junction.name for junction in records.junctions}
    lanes_of = {edge.edge_id: edge.lanes for edge in records.edges}
    lights = {light.name for light in records.traffic_lights}
    yield from _duplicates("junction", ((item.name, item.line) for item in records.junctions))
    yield from _duplicates("edge", ((edge.edge_id, edge.line) for edge in records.edges))
    yield from _duplicates(
        "lane", ((lane.lane_id, lane.line) for edge in records.edges for lane in edge.lanes)
    )
    for edge in records.edges:
        yield from _edge_problems(edge, junctions)
    for connection in records.connections:
        yield from _connection_problems(connection, lanes_of, lights)
    if not has_car_edge:
        yield 1, f"no edge has a lane that cars ({CAR}) may use"


def _duplicates(kind: str, names: Iterable[tuple[str, int]]) -> Iterator[Problem]:
    first_line: dict[str, int] = {}
    for name, line in names:
        if not name:
            yield line, f"{kind} without an id"
        elif name in first_line:
            yield line, f"{kind} {name!r} was defined in line {first_line[name]} already"
        else:
            first_line[name] = line


def _edge_problems(edge: Edge, junctions: set[str]) -> Iterator[Problem]:
    if not edge.lanes:
        yield edge.line, f"edge {edge.edge_id!r} has no lane"
    for lane in edge.lanes:
        yield from _lane_problems(lane)
    if not edge.is_road:
        return
    for end, junction in (("from", edge.from_junction), ("to", edge.to_junction)):
        if junction is None:
            yield edge.line, f"edge {edge.edge_id!r} lacks the attribute {end!r}"
        elif junction not in junctions:
            yield edge.line, f"edge {edge.edge_id!r}: {end} junction {junction!r} does not exist"


def _lane_problems(lane: Lane) -> Iterator[Problem]:
    for name, value in (("length", lane.length_m), ("speed", lane.speed_m_per_s)):
        if not (math.isfinite(value) and value > 0):
            yield (
                lane.line,
                f"lane {lane.lane_id!r}: {name} is {value:g}; it must be a number above 0",
            )


def _connection_problems(
    connection: Connection, lanes_of: dict[str, list[Lane]], lights: set[str]
) -> Iterator[Problem]:
    ends = (
        ("from", connection.from_edge, connection.from_lane),
        ("to", connection.to_edge, connection.to_lane),
    )
    for end, edge_id, lane in ends:
        if edge_id not in lanes_of:
            yield connection.line, f"connection {end} edge {edge_id!r}, which does not exist"
        elif lane is None or lane >= len(lanes_of[edge_id]):
            shown = "without a lane number" if lane is None else f"lane {lane}"
            yield (
                connection.line,
                f"connection {end} edge {edge_id!r} {shown}; it has {len(lanes_of[edge_id])} lanes",
            )
    light = connection.traffic_light
    if light is not None and light not in lights:
        yield connection.line, f"connection under traffic light {light!r}, which has no tlLogic"


def strongly_connected_share(edges: list[Edge], connections: list[Connection]) -> float:
    """Share of `edges` in the largest set in which cars get from every edge to every other."""
    if not edges:
        return 0.0
    position = {edge.edge_id: index for index, edge in enumerate(edges)}
    arcs = [
        (position[connection.from_edge], position[connection.to_edge])
        for connection in connections
        if connection.from_edge in position
        and connection.to_edge in position
        and _permits_car(edges[position[connection.from_edge]], connection.from_lane)
        and _permits_car(edges[position[connection.to_edge]], connection.to_lane)
    ]
    sources, targets = np.array(arcs, dtype=np.int64).reshape(-1, 2).T
    size = len(edges)
    graph = coo_array((np.ones(len(arcs)), (sources, targets)), shape=(size, size))
    _, part = connected_components(graph, directed=True, connection="strong")
    return float(np.bincount(part).max()) / size


def _permits_car(edge: Edge, lane: int | None) -> bool:
    return lane is not None and lane < len(edge.lanes) and edge.lanes[lane].permits(CAR)
