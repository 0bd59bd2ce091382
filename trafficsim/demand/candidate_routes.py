"""Candidate routes of a trip: different ways that a driver might sensibly take.

Found by link penalties (de la Barra et al., 1993): the fastest path is searched, its edges are made
slower, and so again; a path too slow or too like one that was found before is passed over.
"""

from dataclasses import dataclass

from jaxtyping import Float
from numpy import ndarray

from trafficsim.demand.fastest_path import Route, fastest_path
from trafficsim.nets.road_graph import RoadGraph


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateConfig:
    """How many routes, and how different."""

    num_routes: int = 4  # K, at most
    penalty: float = 1.5  # factor on the edges of a path that was found
    longest: float = 2.5  # times the fastest path's free-flow time
    most_overlap: float = 0.9  # share of a path's free-flow time on edges of one found before
    searches: int = 12  # paths looked at

    def __post_init__(self) -> None:
        if not 1 <= self.num_routes <= 64:
            raise ValueError(f"num_routes={self.num_routes}: between 1 and 64")
        if not self.penalty > 1.0 or not self.longest >= 1.0:
            raise ValueError(
                f"penalty={self.penalty}, longest={self.longest}: above 1 and at least 1"
            )
        if not 0.0 < self.most_overlap <= 1.0:
            raise ValueError(f"most_overlap={self.most_overlap}: above 0, at most 1")
        if not self.num_routes <= self.searches <= 1000:
            raise ValueError(f"searches={self.searches}: from num_routes to 1000")


def candidate_routes(
    graph: RoadGraph, origin: int, destination: int, config: CandidateConfig
) -> tuple[Route, ...]:
    """Different routes by free-flow time, the fastest first; () where no way leads there."""
    free_s = graph.free_flow_s
    costs = free_s.copy()
    found: list[Route] = []
    for _ in range(config.searches):
        path = fastest_path(graph, origin, destination, costs)
        if path is None:
            return ()
        if not found or _is_new(path, found, free_s, config):
            found.append(path)
        if len(found) == config.num_routes:
            break
        for edge in path[1:-1] or path:
            costs[edge] *= config.penalty
    return tuple(sorted(found, key=lambda path: (route_time_s(path, free_s), path)))


def _is_new(
    path: Route, found: list[Route], free_s: Float[ndarray, " edge"], config: CandidateConfig
) -> bool:
    fastest_s = min(route_time_s(other, free_s) for other in found)
    if route_time_s(path, free_s) > config.longest * fastest_s or len(set(path)) < len(path):
        return False
    return all(overlap(path, other, free_s) <= config.most_overlap for other in found)


def route_time_s(path: Route, time_s: Float[ndarray, " edge"]) -> float:
    """Sum over the edges of a route."""
    return float(time_s[list(path)].sum())


def overlap(path: Route, other: Route, time_s: Float[ndarray, " edge"]) -> float:
    """Share of the inner part of `path`, by time, that lies on `other`; 1 for the same route.

    Origin and destination, which all routes of a trip share, do not count.
    """
    inner = list(path[1:-1])
    if path == other or not inner:
        return 1.0
    shared = [edge for edge in inner if edge in set(other)]
    return float(time_s[shared].sum() / time_s[inner].sum())
