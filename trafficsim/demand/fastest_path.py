"""The fastest way from edges to edges (Dijkstra, 1959), compiled: towns need thousands of them."""

import heapq
from collections.abc import Collection
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from numpy import ndarray

from trafficsim.nets.road_graph import RoadGraph

Route = tuple[int, ...]  # positions of edges


def fastest_path(
    graph: RoadGraph, origin: int, destination: int, cost_s: Float[ndarray, " edge"]
) -> Route | None:
    """The costs of both ends included; None where no way leads there."""
    return fastest_among(graph, (origin,), (destination,), cost_s)


def fastest_among(
    graph: RoadGraph,
    origins: Collection[int],
    destinations: Collection[int],
    cost_s: Float[ndarray, " edge"],
) -> Route | None:
    """The fastest path from one of some edges to one of others, as SUMO takes it between zones."""
    is_end = np.zeros(len(cost_s), dtype=np.bool_)
    is_end[list(destinations)] = True
    starts = np.array(list(origins), dtype=np.int64)
    came_from, end = _search(graph.first_arc, graph.arcs[:, 1].copy(), starts, is_end, cost_s)
    if end < 0:
        return None
    path = [int(end)]
    while came_from[path[-1]] >= 0:
        path.append(int(came_from[path[-1]]))
    return tuple(reversed(path))


@no_type_check
@njit(cache=True)
def _search(
    first_arc: Int[ndarray, " edges"],
    target: Int[ndarray, " arc"],
    origins: Int[ndarray, " start"],
    is_end: Bool[ndarray, " edge"],
    cost_s: Float[ndarray, " edge"],
) -> tuple[Int[ndarray, " edge"], int]:
    """The edge before each on the fastest way to it, -1 before a start; and the end, -1 if none."""
    best, came_from = np.full(len(cost_s), np.inf), np.full(len(cost_s), -1)
    heap = [(cost_s[origins[0]], origins[0])]
    best[origins[0]] = cost_s[origins[0]]
    for origin in origins[1:]:
        if best[origin] == np.inf:
            best[origin] = cost_s[origin]
            heapq.heappush(heap, (cost_s[origin], origin))
    while len(heap) > 0:
        cost, edge = heapq.heappop(heap)
        if is_end[edge]:
            return came_from, edge
        if cost > best[edge]:
            continue
        for arc in range(first_arc[edge], first_arc[edge + 1]):
            following = target[arc]
            through = cost + cost_s[following]
            if through < best[following]:
                best[following] = through
                came_from[following] = edge
                heapq.heappush(heap, (through, following))
    return came_from, -1
