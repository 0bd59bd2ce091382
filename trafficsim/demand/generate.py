"""Demand for a bare net: few zone pairs that have a choice, in a window short enough to meet.

Traffic spread thinly over a plain net leaves nothing to coordinate. So pairs are picked that share
contested links, and departures are moved together until all drivers on their shortest roads need
noticeably longer than on empty ones. All of it is a function of net, settings and seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from ss_core.errors import InputError
from trafficsim.demand.candidate_routes import (
    CandidateConfig,
    Route,
    candidate_routes,
    route_time_s,
)
from trafficsim.demand.trips import Demand, Trip
from trafficsim.nets.road_graph import RoadGraph

MAX_DRAWS = 400  # zone pairs looked at
POOL = 60  # of which so many that have a choice are compared
STANDING = (("departLane", "best"), ("departSpeed", "0"))  # drawn drivers leave a parking place
HEADWAYS_S = (8.0, 4.0, 2.0, 1.0, 0.5)  # between two departures anywhere in the net


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorConfig:
    """How demand is drawn where none is given."""

    drivers: int = 60
    zone_pairs: int = 4
    headway_s: float | None = None  # None: the level is looked for
    congestion: float = 1.5  # mean time of all on their shortest roads over that on empty ones
    shortest_trip_s: float = 20.0  # on an empty road

    def __post_init__(self) -> None:
        for name, most in (("drivers", 20_000), ("zone_pairs", 1000)):
            if not 1 <= getattr(self, name) <= most:
                raise ValueError(f"{name}={getattr(self, name)}: between 1 and {most}")
        if self.headway_s is not None and not 0.01 <= self.headway_s <= 3600.0:
            raise ValueError(f"headway_s={self.headway_s}: between 0.01 and 3600")
        if not self.congestion > 1.0:
            raise ValueError(f"congestion={self.congestion}: above 1")


@dataclass(frozen=True, slots=True)
class ZonePair:
    """Where a trip may go, and the ways to get there."""

    origin: int  # position of the edge
    destination: int
    routes: tuple[Route, ...]


Ends = tuple[Int[ndarray, " entry"], Int[ndarray, " exit"]]  # edges where trips begin and end
Congestion = Callable[[Demand], float]  # all on their shortest roads, over empty roads


def generate_demand(
    graph: RoadGraph,
    config: GeneratorConfig,
    candidates: CandidateConfig,
    rng: np.random.Generator,
    congestion: Congestion,
) -> Demand:
    """Trips of SUMO's default vehicle, with driver noise; `source` says what was found.

    Raises:
        InputError: no way for cars from any edge drawn to another.
    """
    pairs = choose_pairs(draw_pairs(graph, config, candidates, rng), config.zone_pairs, graph)
    choice = all(len(pair.routes) > 1 for pair in pairs)
    headways = HEADWAYS_S if config.headway_s is None else (config.headway_s,)
    level, demand, headway_s = float("nan"), Demand(()), headways[0]
    for headway_s in headways:
        demand = Demand(_trips(graph, pairs, config.drivers, headway_s))
        if not choice:  # nothing to coordinate, at whatever level
            break
        level = congestion(demand)
        if level >= config.congestion:
            break
    words = (
        f"drawn: {len(pairs)} zone pairs, {config.drivers} drivers, one every {headway_s:g} s, "
        + (
            f"all on their shortest roads need {level:.2f} x the empty road's time"
            if choice
            else "no zone pair has two ways worth taking"
        )
    )
    return Demand(demand.trips, demand.types, words)


def entries_and_exits(graph: RoadGraph) -> list[Ends]:
    """Edges where cars may enter and leave the net: its fringe, or else its largest part."""
    entries = np.flatnonzero(graph.on_fringe_in & ~graph.on_fringe_out)
    exits = np.flatnonzero(graph.on_fringe_out & ~graph.on_fringe_in)
    inside = np.flatnonzero(graph.part == np.bincount(graph.part).argmax())
    return [(entries, exits), (inside, inside)]


def draw_pairs(
    graph: RoadGraph,
    config: GeneratorConfig,
    candidates: CandidateConfig,
    rng: np.random.Generator,
) -> list[ZonePair]:
    """Connected pairs, those with a choice if there are any.

    Between edges of the fringe where that gives enough of them with a choice; else where there are
    more.

    Raises:
        InputError: none of the pairs drawn is connected.
    """
    several: list[ZonePair] = []
    single: list[ZonePair] = []
    for ends in entries_and_exits(graph):
        connected = _connected_pairs(graph, ends, config, candidates, rng)
        with_choice = [pair for pair in connected if len(pair.routes) > 1]
        several = max(several, with_choice, key=len)
        single = single or connected
        if len(several) >= config.zone_pairs:
            break
    if not single:
        raise InputError(
            f"no way for cars of {config.shortest_trip_s:g} s or more between {MAX_DRAWS} pairs of "
            "edges looked at; give demand with --trips, or mend the net's connections"
        )
    return several or single


def _connected_pairs(
    graph: RoadGraph,
    ends: Ends,
    config: GeneratorConfig,
    candidates: CandidateConfig,
    rng: np.random.Generator,
) -> list[ZonePair]:
    entries, exits = ends
    found: list[ZonePair] = []
    seen: set[tuple[int, int]] = set()
    for _ in range(MAX_DRAWS if len(entries) and len(exits) else 0):
        origin, destination = int(rng.choice(entries)), int(rng.choice(exits))
        if origin == destination or (origin, destination) in seen:
            continue
        seen.add((origin, destination))
        routes = candidate_routes(graph, origin, destination, candidates)
        if routes and route_time_s(routes[0], graph.free_flow_s) >= config.shortest_trip_s:
            found.append(ZonePair(origin, destination, routes))
        if sum(len(pair.routes) > 1 for pair in found) == POOL:
            break
    return found


def choose_pairs(pairs: Sequence[ZonePair], count: int, graph: RoadGraph) -> list[ZonePair]:
    """Pairs that meet: each next one shares most contested time with those chosen before."""
    contested = [_contested(pair) for pair in pairs]
    time_s = graph.free_flow_s
    first = max(range(len(pairs)), key=lambda at: (len(pairs[at].routes), -at))
    chosen = [first]
    while len(chosen) < min(count, len(pairs)):
        taken = set().union(*(contested[at] for at in chosen))

        def shared(at: int, taken: set[int] = taken) -> float:
            return float(sum(time_s[edge] for edge in contested[at] & taken))

        left = [at for at in range(len(pairs)) if at not in chosen]
        chosen.append(max(left, key=lambda at: (shared(at), -at)))
    return [pairs[at] for at in sorted(chosen)]


def _contested(pair: ZonePair) -> set[int]:
    """Edges on some of its routes but not on all."""
    sets = [set(route) for route in pair.routes]
    return set().union(*sets) - set.intersection(*sets)


def _trips(
    graph: RoadGraph, pairs: Sequence[ZonePair], drivers: int, headway_s: float
) -> tuple[Trip, ...]:
    width = len(str(drivers - 1))
    return tuple(
        Trip(
            f"driver_{number:0{width}d}",
            number * headway_s,
            graph.edge_ids[pairs[number % len(pairs)].origin],
            graph.edge_ids[pairs[number % len(pairs)].destination],
            attributes=STANDING,
        )
        for number in range(drivers)
    )
