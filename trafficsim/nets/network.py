"""Preflight of a SUMO road network: would a simulator accept it, and can cars get about in it?

SUMO itself is not started. Its own reader stops at the first problem, and a length that is not a
number can end it without any message; here every problem is found at once, with file and line.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trafficsim.nets.read import Connection, Edge, NetRecords, read_records
from trafficsim.nets.rules import problems
from trafficsim.nets.safe_xml import without_cycle_search

CAR = "passenger"
MAX_PROBLEMS = 1000  # looked for


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
    with without_cycle_search():
        return _examine(records, place)


def _examine(records: NetRecords, place: str) -> NetReport:
    roads = [edge for edge in records.edges if edge.is_road]
    car_edges = [edge for edge in roads if any(lane.permits(CAR) for lane in edge.lanes)]
    arcs = car_arcs(car_edges, records.connections)
    share = largest_part(len(car_edges), arcs)
    return NetReport(
        junctions=sum(junction.kind != "internal" for junction in records.junctions),
        edges=len(roads),
        lanes=sum(len(edge.lanes) for edge in roads),
        road_km=sum(_length_m(edge) for edge in roads) / 1000,
        traffic_lights=len({light.name for light in records.traffic_lights}),
        car_edges=len(car_edges),
        connected_percent=100 * share,
        problems=tuple(_found(records, place, len(car_edges), arcs)),
        notes=tuple(_notes(len(car_edges), share)),
    )


def _found(
    records: NetRecords, place: str, car_edges: int, arcs: Int[ndarray, "arc 2"]
) -> Iterator[str]:
    found = list(islice(problems(records), MAX_PROBLEMS + 1))
    if not car_edges:
        found.append((1, f"no edge has a lane that cars ({CAR}) may use"))
    elif not (arcs[:, 0] != arcs[:, 1]).any():
        found.append((1, "no connection leads cars from an edge to another; no trip is possible"))
    for line, sentence in sorted(found[:MAX_PROBLEMS]):
        yield f"{place}:{line}: {sentence}"
    if len(found) > MAX_PROBLEMS:
        yield f"{place}: more than {MAX_PROBLEMS} problems; the others are not listed"


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


def car_arcs(edges: list[Edge], connections: list[Connection]) -> Int[ndarray, "arc 2"]:
    """Positions in `edges` between which a connection leads that cars may use, one a connection."""
    position = {edge.edge_id: at for at, edge in enumerate(edges)}
    arcs = [
        (source, target)
        for connection in connections
        if (source := position.get(connection.from_edge)) is not None
        and (target := position.get(connection.to_edge)) is not None
        and _permits_car(edges[source], connection.from_lane)
        and _permits_car(edges[target], connection.to_lane)
    ]
    return np.array(arcs, dtype=np.int64).reshape(-1, 2)


def _permits_car(edge: Edge, lane: int | None) -> bool:
    return lane is not None and lane < len(edge.lanes) and edge.lanes[lane].permits(CAR)


def largest_part(size: int, arcs: Int[ndarray, "arc 2"]) -> float:
    """Share of `size` places in the largest set in which each is reached from every other."""
    if not size:
        return 0.0
    graph = coo_array((np.ones(len(arcs)), (arcs[:, 0], arcs[:, 1])), shape=(size, size))
    _, part = connected_components(graph, directed=True, connection="strong")
    return float(np.bincount(part).max()) / size
