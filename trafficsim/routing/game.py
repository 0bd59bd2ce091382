"""The routing game as plain data: who chooses among which routes, and who has to do with whom.

A vehicle with a choice that takes part is a driver (an agent); all others are background traffic on
fixed routes. Routes are numbered across zone pairs, as in `Scene.routes`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from ss_core.errors import InputError
from trafficsim.demand.candidate_routes import (
    CandidateConfig,
    candidate_routes,
    route_time_s,
)
from trafficsim.demand.fastest_path import Route, fastest_path
from trafficsim.demand.trips import DEFAULT_TYPE, Demand, Trip, in_brackets
from trafficsim.link_model.model import FEW_VEHICLES
from trafficsim.nets.road_graph import RoadGraph
from trafficsim.routing.meetings import meetings
from trafficsim.sumo.simulation import Scene, SumoConfig

MAX_LINKS = 24  # contested links that routes are described by
MAX_WATCHED = 400  # edges whose speed is measured
PROBLEMS_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingGame:
    """One day's drivers and their alternatives."""

    scene: Scene
    od_pairs: tuple[tuple[str, str], ...]  # edge ids
    od: Int[ndarray, " vehicle"]  # zone pair of each vehicle
    options: Int[
        ndarray, "vehicle K"
    ]  # route numbers by free-flow time, a named one first; -1 pads
    option_count: Int[ndarray, " vehicle"]
    free_flow_s: Float[ndarray, " route"]
    drivers: Int[ndarray, " N"]  # vehicles that are agents
    usage: Bool[ndarray, "route link"]  # contested links that a route uses
    links: tuple[str, ...]  # an edge of each contested link
    route_edges: Int[ndarray, "route longest"]  # positions in `scene.watched`; -1 pads or unwatched
    unwatched_s: Float[ndarray, " route"]  # empty road's time on the edges nobody measures
    watched_free_s: Float[ndarray, " watched"]
    watched_length_m: Float[ndarray, " watched"]

    @property
    def num_drivers(self) -> int:
        """N."""
        return len(self.drivers)

    @property
    def num_options(self) -> int:
        """K: alternatives of the driver that has most."""
        return self.options.shape[1]

    @property
    def driver_options(self) -> Int[ndarray, "N K"]:
        """Route numbers of the drivers."""
        return self.options[self.drivers]

    @property
    def legal(self) -> Bool[ndarray, "N K"]:
        """Which alternatives a driver has."""
        return self.driver_options >= 0

    @property
    def fastest_s(self) -> Float[ndarray, " vehicle"]:
        """Of each vehicle's alternatives, the time of the fastest on an empty road."""
        times_s = self.free_flow_s[np.maximum(self.options, 0)]
        return np.where(self.options >= 0, times_s, np.inf).min(axis=1)

    @property
    def depart_s(self) -> Float[ndarray, " N"]:
        """Planned departures of the drivers."""
        return self.scene.depart_s[self.drivers]

    def routes_of(self, actions: Int[ndarray, "*batch N"]) -> Int[ndarray, "*batch vehicle"]:
        """Route numbers of all vehicles when drivers choose so and background traffic as ever."""
        chosen = np.broadcast_to(self.options[:, 0], (*actions.shape[:-1], len(self.od))).copy()
        taken = self.driver_options[np.arange(self.num_drivers), actions]
        chosen[..., self.drivers] = taken
        return chosen

    def shares(self) -> Bool[ndarray, "N N"]:
        """Pairs of drivers with the same zone pair or a contested link that both may use.

        In a town, which has more links than are described: whose routes meet on a road, and when.
        """
        if len(self.od) > FEW_VEHICLES:
            routes = self.scene.routes
            return meetings(routes, self.free_flow_s, self.driver_options, self.depart_s)
        od = self.od[self.drivers]
        used = self.usage[self.driver_options] & self.legal[..., None]
        may_use = np.asarray(used.any(axis=1), dtype=np.float32)
        together = may_use @ may_use.T > 0
        return ((od[:, None] == od) | together) & ~np.eye(len(od), dtype=bool)


def build_game(
    net: str,
    graph: RoadGraph,
    demand: Demand,
    *,
    candidates: CandidateConfig,
    sumo: SumoConfig,
    share: float = 1.0,
    ignores_route_errors: bool = False,
    rng: np.random.Generator,
) -> RoutingGame:
    """Candidate routes of every zone pair, and which vehicles are agents.

    `share` of the vehicles that have a choice take part, drawn by `rng`; the others and those
    without a choice drive the route that the demand names, or else the fastest empty one.

    Raises:
        InputError: trips between edges that no way connects; one line lists them.
    """
    pairs = sorted(demand.od_pairs)
    found = [_routes_of_pair(graph, pair, candidates) for pair in pairs]
    _refuse_unconnected(demand, pairs, found)
    at_pair = {pair: at for at, pair in enumerate(pairs)}
    numbers: dict[Route, int] = {}
    rows = []
    for trip in demand.trips:
        alternatives = _alternatives(graph, trip, found[at_pair[trip.origin, trip.destination]])
        rows.append([numbers.setdefault(route, len(numbers)) for route in alternatives])
    options = np.full((len(rows), max(map(len, rows))), -1, dtype=np.int64)
    for at, row in enumerate(rows):
        options[at, : len(row)] = row
    count = np.array([len(row) for row in rows], dtype=np.int64)
    with_choice = np.flatnonzero(count > 1)
    taking_part = rng.random(len(with_choice)).argsort()[: round(share * len(with_choice))]
    drivers = np.sort(with_choice[taking_part])
    routes = list(numbers)
    od = np.array([at_pair[trip.origin, trip.destination] for trip in demand.trips])
    parting = parting_edges(routes, [row for at, row in enumerate(rows) if count[at] > 1])
    usage, links = contested_links(routes, parting)
    watched = watched_edges(parting, MAX_WATCHED)
    return RoutingGame(
        scene=_scene(
            net, graph, demand, routes, watched, sumo, ignores_route_errors=ignores_route_errors
        ),
        od_pairs=tuple(pairs),
        od=od,
        options=options,
        option_count=count,
        free_flow_s=np.array([route_time_s(route, graph.free_flow_s) for route in routes]),
        drivers=drivers,
        usage=usage,
        links=tuple(graph.edge_ids[edge] for edge in links),
        route_edges=_route_edges(routes, watched),
        unwatched_s=np.array(
            [graph.free_flow_s[sorted(set(route) - set(watched))].sum() for route in routes]
        ),
        watched_free_s=graph.free_flow_s[watched],
        watched_length_m=graph.length_m[watched],
    )


def _routes_of_pair(
    graph: RoadGraph, pair: tuple[str, str], config: CandidateConfig
) -> tuple[Route, ...]:
    origin, destination = (graph.position.get(edge) for edge in pair)
    if origin is None or destination is None:
        return ()
    return candidate_routes(graph, origin, destination, config)


def _refuse_unconnected(
    demand: Demand, pairs: list[tuple[str, str]], found: list[tuple[Route, ...]]
) -> None:
    lost = [pair for pair, routes in zip(pairs, found, strict=True) if not routes]
    if lost:
        shown = ", ".join(f"{origin} -> {destination}" for origin, destination in lost[:5])
        more = f" and {len(lost) - 5} more" if len(lost) > 5 else ""
        raise InputError(
            f"{demand.source}: no way for cars between {shown}{more}; "
            "leave these trips out with --ignore-route-errors, or fix the connections of the net"
        )


def _alternatives(graph: RoadGraph, trip: Trip, found: tuple[Route, ...]) -> tuple[Route, ...]:
    """The route that the demand names comes first where it names one.

    Raises:
        InputError: cars cannot get from one of its edges to the next.
    """
    if trip.via:
        return _by_way_of(graph, trip)
    if not trip.route:
        return found
    named = tuple(graph.position[edge] for edge in trip.route)
    for edge, following in pairwise(named):
        if following not in graph.successors[edge]:
            raise InputError(
                f"{trip.trip_id}: no way for cars from {graph.edge_ids[edge]} to "
                f"{graph.edge_ids[following]} on its route; fix the route, or give only its ends"
            )
    return (named, *(route for route in found if route != named))[: max(len(found), 1)]


def _by_way_of(graph: RoadGraph, trip: Trip) -> tuple[Route, ...]:
    """The fastest empty way through the edges that the demand names: no choice is left.

    Raises:
        InputError: there is none.
    """
    places = [graph.position[edge] for edge in (trip.origin, *trip.via, trip.destination)]
    costs, way = graph.free_flow_s, places[:1]
    for start, end in pairwise(places):
        part = fastest_path(graph, start, end, costs)
        if part is None:
            raise InputError(
                f"{trip.trip_id}: no way for cars from {graph.edge_ids[start]} to "
                f"{graph.edge_ids[end]}, which it is to pass (via); take it out, or leave it to "
                "--ignore-route-errors"
            )
        way += part[1:]
    return (tuple(way),)


def drivable(demand: Demand, graph: RoadGraph) -> Demand:
    """Without trips that cannot be driven; the source says how many were left out.

    Raises:
        InputError: none is left.
    """
    ways: dict[tuple[str, ...], bool] = {}
    costs = graph.free_flow_s

    def is_way(start: str, end: str) -> bool:
        if (start, end) not in ways:
            ends = graph.position[start], graph.position[end]
            ways[start, end] = fastest_path(graph, *ends, costs) is not None
        return ways[start, end]

    def fits(trip: Trip) -> bool:
        places = [graph.position[edge] for edge in trip.route]
        broken = any(b not in graph.successors[a] for a, b in pairwise(places))
        return not broken and all(
            is_way(*ends) for ends in pairwise((trip.origin, *trip.via, trip.destination))
        )

    can = [fits(trip) for trip in demand.trips]
    kept = tuple(trip for trip, driven in zip(demand.trips, can, strict=True) if driven)
    lost = [trip.trip_id for trip, driven in zip(demand.trips, can, strict=True) if not driven]
    if not kept:
        raise InputError(f"{demand.source}: no trip of it can be driven on this net")
    if not lost:
        return demand
    words = f"{len(lost)} x trip that no way leads through{in_brackets(lost)}"
    source = f"{demand.source}; left out: {words}"
    return replace(demand, trips=kept, source=source)


def parting_edges(routes: Sequence[Route], alternatives: Sequence[Sequence[int]]) -> dict[int, int]:
    """For each edge of `routes`, how many drivers' alternatives it parts: some use it, not all."""
    parting: Counter[int] = Counter()
    for row, many in Counter(map(tuple, alternatives)).items():
        uses = Counter(edge for number in row for edge in set(routes[number]))
        parting.update({edge: many for edge, used in uses.items() if used < len(row)})
    return {edge: parting[edge] for edge in sorted(_users(routes))}


def _users(routes: Sequence[Route]) -> dict[int, set[int]]:
    """Numbers of the routes that use an edge."""
    users: dict[int, set[int]] = {}
    for number, route in enumerate(routes):
        for edge in route:
            users.setdefault(edge, set()).add(number)
    return users


def contested_links(
    routes: Sequence[Route], parting: Mapping[int, int], most: int = MAX_LINKS
) -> tuple[Bool[ndarray, "route link"], list[int]]:
    """Edges that part drivers' alternatives; one of each set that the same routes use.

    Those that part most drivers' alternatives come first; `most` are kept.
    """
    users, seen = _users(routes), dict[frozenset[int], int]()
    for edge in sorted(parting, key=lambda edge: (-parting[edge], edge)):
        if parting[edge] > 0:
            seen.setdefault(frozenset(users[edge]), edge)
    kept = list(seen.items())[:most]
    usage = np.zeros((len(routes), len(kept)), dtype=bool)
    for link, (by, _) in enumerate(kept):
        usage[sorted(by), link] = True
    return usage, [edge for _, edge in kept]


def watched_edges(parting: Mapping[int, int], most: int) -> list[int]:
    """Edges whose speed is measured: `most` of those on routes, ones that part drivers first."""
    return sorted(sorted(parting, key=lambda edge: (-parting[edge], edge))[:most])


def _route_edges(routes: Sequence[Route], watched: Sequence[int]) -> Int[ndarray, "route longest"]:
    at = {edge: position for position, edge in enumerate(watched)}
    table = np.full((len(routes), max(map(len, routes))), -1, dtype=np.int64)
    for number, route in enumerate(routes):
        table[number, : len(route)] = [at.get(edge, -1) for edge in route]
    return table


def _scene(
    net: str,
    graph: RoadGraph,
    demand: Demand,
    routes: Sequence[Route],
    watched: Sequence[int],
    sumo: SumoConfig,
    *,
    ignores_route_errors: bool,
) -> Scene:
    return Scene(
        net=net,
        types=tuple(each for each in demand.types if each.type_id != DEFAULT_TYPE),
        routes=tuple(tuple(graph.edge_ids[edge] for edge in route) for route in routes),
        vehicle_ids=tuple(trip.trip_id for trip in demand.trips),
        type_ids=tuple(trip.type_id for trip in demand.trips),
        depart_s=np.array([trip.depart_s for trip in demand.trips], dtype=float),
        watched=tuple(graph.edge_ids[edge] for edge in watched),
        is_deterministic=demand.is_deterministic,
        sumo=sumo,
        own_attributes=tuple(trip.attributes for trip in demand.trips),
        background=demand.background,
        background_begin_s=demand.background_begin_s,
        ignores_route_errors=ignores_route_errors,
    )


def expected_route_times_s(
    game: RoutingGame,
    link_speed_m_per_s: Float[ndarray, "interval watched"],
    depart_s: Float[ndarray, " driver"],
    routes: Int[ndarray, "driver K"],
) -> Float[ndarray, "driver K"]:
    """Time of each route when its links are entered one after the other at the speeds measured.

    NaN speeds (nobody was there) mean the limit, and so do edges nobody measures.
    """
    interval_s = game.scene.sumo.interval_s
    free_s, length_m = game.watched_free_s, game.watched_length_m
    slow_s = length_m / np.maximum(link_speed_m_per_s, 0.1)
    table_s = np.where(np.isfinite(slow_s), np.maximum(slow_s, free_s), free_s)
    if not len(table_s):
        table_s = free_s[None]
    clock_s = np.broadcast_to(depart_s[:, None], routes.shape).copy()
    for edges in np.moveaxis(game.route_edges[routes], -1, 0):
        row = np.clip(
            ((clock_s - game.scene.begin_s) // interval_s).astype(np.int64), 0, len(table_s) - 1
        )
        clock_s += np.where(edges >= 0, table_s[row, edges], 0.0)
    return clock_s - depart_s[:, None] + game.unwatched_s[routes]
