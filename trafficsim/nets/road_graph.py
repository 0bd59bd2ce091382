"""A road network as a graph of car edges: who leads to whom, and how long a free road takes.

Nodes are edges of the net, arcs are connections that cars may use. Nothing here knows demand.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from trafficsim.nets.network import CAR
from trafficsim.nets.read import Edge, Lane, NetRecords


@dataclass(frozen=True)
class RoadGraph:
    """Car edges by position, in the order of the file."""

    edge_ids: tuple[str, ...]
    length_m: Float[ndarray, " edge"]
    speed_m_per_s: Float[ndarray, " edge"]  # limit of the fastest car lane
    lane_count: Int[ndarray, " edge"]  # that cars may use
    arcs: Int[ndarray, "arc 2"]  # (from, to), each once
    on_fringe_in: Bool[ndarray, " edge"]  # nothing leads there: cars enter the net here
    on_fringe_out: Bool[ndarray, " edge"]  # leads nowhere: cars leave the net here
    leaves: tuple[str, ...] = ()  # the junction that each edge leaves
    enters: tuple[str, ...] = ()  # the junction that each edge leads to

    @cached_property
    def position(self) -> dict[str, int]:
        """Where an edge id stands."""
        return {edge_id: at for at, edge_id in enumerate(self.edge_ids)}

    @cached_property
    def successors(self) -> tuple[tuple[int, ...], ...]:
        """Edges that a car on an edge may go on to."""
        following: list[list[int]] = [[] for _ in self.edge_ids]
        for source, target in self.arcs.tolist():
            following[source].append(target)
        return tuple(map(tuple, following))

    @cached_property
    def first_arc(self) -> Int[ndarray, " edges"]:
        """Where the arcs of an edge begin, which are sorted; one more entry than edges."""
        return np.searchsorted(self.arcs[:, 0], np.arange(len(self.edge_ids) + 1))

    @property
    def free_flow_s(self) -> Float[ndarray, " edge"]:
        """Time on the empty edge at the limit."""
        return self.length_m / self.speed_m_per_s

    @cached_property
    def part(self) -> Int[ndarray, " edge"]:
        """Number of the strongly connected part an edge lies in."""
        size = len(self.edge_ids)
        ones = np.ones(len(self.arcs))
        graph = coo_array((ones, (self.arcs[:, 0], self.arcs[:, 1])), shape=(size, size))
        _, part = connected_components(graph, directed=True, connection="strong")
        return np.asarray(part, dtype=np.int64)


def build_road_graph(records: NetRecords, classes: Sequence[str] = (CAR,)) -> RoadGraph:
    """The graph of a net that passed the preflight, of lanes that all these classes may use."""
    edges = [e for e in records.edges if e.is_road and _car_lanes(e, classes)]
    position = {edge.edge_id: at for at, edge in enumerate(edges)}
    pairs: set[tuple[int, int]] = set()
    for link in records.connections:
        source, target = position.get(link.from_edge), position.get(link.to_edge)
        if source is None or target is None:
            continue
        here, there = (edges[source], link.from_lane), (edges[target], link.to_lane)
        if _permits(*here, classes) and _permits(*there, classes):
            pairs.add((source, target))
    arcs = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    car_lanes = [_car_lanes(edge, classes) for edge in edges]
    turns_round = _opposite(edges)
    goes_on = np.array([(s, t) for s, t in arcs.tolist() if turns_round.get(s) != t], dtype=int)
    entered, left = goes_on.reshape(-1, 2)[:, 1], goes_on.reshape(-1, 2)[:, 0]
    everything = np.arange(len(edges))
    return RoadGraph(
        edge_ids=tuple(edge.edge_id for edge in edges),
        length_m=np.array([lanes[0].length_m for lanes in car_lanes], dtype=float),
        speed_m_per_s=np.array([max(x.speed_m_per_s for x in lanes) for lanes in car_lanes]),
        lane_count=np.array([len(lanes) for lanes in car_lanes], dtype=np.int64),
        arcs=arcs,
        on_fringe_in=~np.isin(everything, entered),
        on_fringe_out=~np.isin(everything, left),
        leaves=tuple(edge.from_junction or "" for edge in edges),
        enters=tuple(edge.to_junction or "" for edge in edges),
    )


def _car_lanes(edge: Edge, classes: Sequence[str]) -> list[Lane]:
    return [lane for lane in edge.lanes if all(map(lane.permits, classes))]


def _permits(edge: Edge, lane: int | None, classes: Sequence[str]) -> bool:
    if lane is None or lane >= len(edge.lanes):
        return False
    return all(map(edge.lanes[lane].permits, classes))


def _opposite(edges: list[Edge]) -> dict[int, int]:
    """For each edge the one that leads back, if there is one: turning round is no way on."""
    by_ends = {(edge.from_junction, edge.to_junction): at for at, edge in enumerate(edges)}
    found = {}
    for at, edge in enumerate(edges):
        back = by_ends.get((edge.to_junction, edge.from_junction))
        if back is not None:
            found[at] = back
    return found
