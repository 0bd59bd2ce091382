"""Which traffic lights are neighbours: read off the net, without SUMO."""

from collections import defaultdict
from collections.abc import Collection

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from trafficsim.nets.read import NetRecords

DEEPEST = 4  # junctions without lights that a way from light to light may pass


def adjacency(
    records: NetRecords, lights: tuple[str, ...], *, deepest: int = DEEPEST
) -> Bool[ndarray, "N N"]:
    """Pairs with a way from one to the other that meets no further light; symmetric.

    A light stands at the junctions where the edges end whose connections it controls.
    """
    index = {name: n for n, name in enumerate(lights)}
    ends = {e.edge_id: e.to_junction for e in records.edges if e.is_road and e.to_junction}
    onward: dict[str, set[str]] = defaultdict(set)
    for edge in records.edges:
        if edge.is_road and edge.from_junction and edge.to_junction:
            onward[edge.from_junction].add(edge.to_junction)
    at: dict[str, set[int]] = defaultdict(set)
    for connection in records.connections:
        light, junction = connection.traffic_light, ends.get(connection.from_edge)
        if light in index and junction is not None:
            at[junction].add(index[light])
    near = np.zeros((len(lights), len(lights)), dtype=np.bool_)
    for junction in list(at):
        for reached in _lights_ahead(junction, onward, at, deepest):
            near[np.ix_(sorted(at[junction]), sorted(reached))] = True
    near |= near.T
    np.fill_diagonal(near, False)
    return near


def lights_on_the_way(
    records: NetRecords, lights: tuple[str, ...], routes: list[Collection[str]]
) -> Bool[ndarray, "R L"]:
    """Which lights control the end of an edge of each of R routes."""
    index = {name: n for n, name in enumerate(lights)}
    controlled: dict[str, set[int]] = defaultdict(set)
    for connection in records.connections:
        if connection.traffic_light in index:
            controlled[connection.from_edge].add(index[connection.traffic_light])
    passed = np.zeros((len(routes), len(lights)), dtype=np.bool_)
    for row, edges in enumerate(routes):
        for edge in edges:
            passed[row, sorted(controlled.get(edge, ()))] = True
    return passed


def _lights_ahead(
    start: str, onward: dict[str, set[str]], at: dict[str, set[int]], deepest: int
) -> list[set[int]]:
    """Lights of the first junctions with any, on all ways out of `start`."""
    found, seen, frontier = [at[start]], {start}, {start}
    for _ in range(deepest + 1):
        reached = {end for junction in frontier for end in onward.get(junction, ())} - seen
        seen |= reached
        found += [at[junction] for junction in reached if junction in at]
        frontier = {junction for junction in reached if junction not in at}
    return found
