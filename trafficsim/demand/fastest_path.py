"""The fastest way from edge to edge (Dijkstra, 1959), compiled: towns need thousands of them."""

import heapq
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit
from numpy import ndarray

from trafficsim.nets.road_graph import RoadGraph

Route = tuple[int, ...]  # positions of edges


def fastest_path(
    graph: RoadGraph, origin: int, destination: int, cost_s: Float[ndarray, " edge"]
) -> Route | None:
    """The costs of both ends included; None where no way leads there."""
    came_from = _search(graph.first_arc, graph.arcs[:, 1].copy(), origin, destination, cost_s)
    if origin != destination and came_from[destination] < 0:
        return None
    path = [destination]
    while path[-1] != origin:
        path.append(int(came_from[path[-1]]))
    return tuple(reversed(path))


@no_type_check
@njit(cache=True)
def _search(
    first_arc: Int[ndarray, " edges"],
    target: Int[ndarray, " arc"],
    origin: int,
    destination: int,
    cost_s: Float[ndarray, " edge"],
) -> Int[ndarray, " edge"]:
    """The edge before each on the fastest way to it; -1 where none was found before the end was."""
    best, came_from = np.full(len(cost_s), np.inf), np.full(len(cost_s), -1)
    best[origin] = cost_s[origin]
    heap = [(cost_s[origin], origin)]
    while len(heap) > 0:
        cost, edge = heapq.heappop(heap)
        if edge == destination:
            break
        if cost > best[edge]:
            continue
        for arc in range(first_arc[edge], first_arc[edge + 1]):
            following = target[arc]
            through = cost + cost_s[following]
            if through < best[following]:
                best[following] = through
                came_from[following] = edge
                heapq.heappush(heap, (through, following))
    return came_from
