"""Where trips of route files go: along routes, or from edge, zone or junction to another.

Between zones and junctions SUMO takes the fastest way from any edge of the one to any of the other;
which edges these are on an empty road is found here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from ss_core.errors import InputError
from trafficsim.demand.fastest_path import fastest_among
from trafficsim.demand.route_file import Choice, Departing
from trafficsim.demand.vehicle_types import weight_of
from trafficsim.demand.zones import Zone, read_zones
from trafficsim.nets.problems import Problems
from trafficsim.nets.road_graph import RoadGraph
from trafficsim.nets.sumo_text import shown, whole_number

MAX_ROUTE_EDGES = 10_000_000  # of all routes together
Item = TypeVar("Item")


class Side(NamedTuple):
    """Attributes of a trip, any of which says where it starts, or ends."""

    edge: str
    zone: str
    junction: str


FROM = Side("from", "fromTaz", "fromJunction")
TO = Side("to", "toTaz", "toJunction")


class Way(NamedTuple):
    """Where a trip goes, and how if that is given."""

    origin: str
    destination: str
    route: tuple[str, ...] = ()
    via: tuple[str, ...] = ()


def draw(options: Sequence[tuple[Item, float]], rng: np.random.Generator) -> Item:
    """One of them, by weight; a single one costs no random number."""
    if len(options) == 1:
        return options[0][0]
    weights = np.array([weight for _, weight in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))][0]


@dataclass(frozen=True, slots=True)
class Routes:
    """One of several routes, by weight."""

    options: Sequence[tuple[Way, float]]

    def draw(self, rng: np.random.Generator) -> Way:
        """One of them."""
        return draw(self.options, rng)


class Roads:
    """What lies between edges: junctions, and the fastest ways on empty roads."""

    def __init__(self, graph: RoadGraph | None) -> None:
        self._graph = graph
        self._found: dict[tuple[tuple[str, ...], tuple[str, ...]], tuple[str, str] | None] = {}

    @cached_property
    def leaving(self) -> dict[str, list[str]]:
        """Edges that leave each junction."""
        return self._at_junctions(self._known.leaves)

    @cached_property
    def entering(self) -> dict[str, list[str]]:
        """Edges that lead to each junction."""
        return self._at_junctions(self._known.enters)

    def nearest(
        self, origins: Sequence[str], destinations: Sequence[str]
    ) -> tuple[str, str] | None:
        """Where the fastest way from one of the first to one of the second begins and ends."""
        if len(origins) == len(destinations) == 1:
            return origins[0], destinations[0]
        key = tuple(origins), tuple(destinations)
        if key not in self._found:
            graph = self._known
            starts, ends = ([graph.position[name] for name in each] for each in key)
            path = fastest_among(graph, starts, ends, graph.free_flow_s)
            ids = graph.edge_ids
            self._found[key] = (ids[path[0]], ids[path[-1]]) if path else None
        return self._found[key]

    @property
    def _known(self) -> RoadGraph:
        if self._graph is None:
            raise ValueError("zones of several edges and junctions need the graph of the net")
        return self._graph

    def _at_junctions(self, junctions: Sequence[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for edge, junction in zip(self._known.edge_ids, junctions, strict=True):
            found.setdefault(junction, []).append(edge)
        return found


class Ways:
    """Routes by name and zones, as far as files have been read; `read` says which is next."""

    def __init__(self, edges: Collection[str], zone_files: Sequence[Path], roads: Roads) -> None:
        self.wrong_edges = 0  # problems about edges that the net has not, so far
        self._edges, self._zone_files, self._roads = edges, zone_files, roads
        self._zones: dict[str, Zone] | None = None  # read when a trip names one
        self._named: dict[str, Choice] = {}
        self._routes: dict[str, list[tuple[Way, float]]] = {}  # named ones that were looked at
        self._way_of: dict[str, Way | None] = {}  # by the text of its edges
        self._names: dict[str, str] = {}  # each edge's name once, however many routes have it
        self._route_edges = 0

    def read(self, path: Path, routes: Sequence[Choice], problems: Problems) -> None:
        """Go on to this file, which defines these routes."""
        self._path, self._problems = path, problems
        for choice in routes:
            if not choice.name or choice.name in self._named:
                problems.add(choice.line, f"route {shown(choice.name)}: no id, or used")
            self._named[choice.name] = choice

    def stops(self, departing: Departing) -> bool:
        """Whether it stops on the way."""
        named = self._named.get(departing.attributes.get("route", ""))
        return departing.stops or (named is not None and named.stops)

    def of(self, departing: Departing) -> Routes | None:
        """Where a trip, vehicle or flow goes; None where something is wrong."""
        what, given = f"{departing.tag} {shown(departing.name)}", departing.attributes
        options: Sequence[tuple[Way, float]] | None
        if departing.routes is not None:
            options = self._ways(departing.routes)
        elif "route" in given:
            options = self._named_ways(given["route"])
            if options is None:
                self._problems.add(
                    departing.line, f"{what}: route {shown(given['route'])} is not defined"
                )
        else:
            return self._ends(given, departing.line, what)
        return Routes(options) if options else None

    def _named_ways(self, name: str) -> list[tuple[Way, float]] | None:
        """Of a route defined by name, looked at when somebody who decides takes it; None: none."""
        if name not in self._routes and name in self._named:
            self._routes[name] = []  # so that none leads to itself
            self._routes[name] = self._ways(self._named[name])
        return self._routes.get(name)

    def _ways(self, choice: Choice) -> list[tuple[Way, float]]:
        """What a vehicle may be given, with weights; nothing where something is wrong."""
        options = choice.options
        if choice.last is not None:
            last = whole_number(choice.last)
            if last is None or last >= len(options):
                self._problems.add(choice.line, f"last is {shown(choice.last)}: no such route")
                return []
            options = [options[last]._replace(weight="1")]
        ways = []
        for option in options:
            way = self._way(option.edges, option.name, option.line)
            if way is not None:
                ways.append((way, weight_of(option.weight, option.line, self._problems)))
        if len(ways) == len(options) and not sum(weight for _, weight in ways) > 0:
            self._problems.add(choice.line, "no route to choose from")
        return ways

    def _way(self, edges: str, name: str, line: int) -> Way | None:
        if name:
            known = self._named_ways(name) or []
            if len(known) != 1:
                self._problems.add(line, f"route {shown(name)} is not defined before")
            return known[0][0] if len(known) == 1 else None
        if edges not in self._way_of:
            self._way_of[edges] = self._new_way(edges, line)
        return self._way_of[edges]

    def _new_way(self, text: str, line: int) -> Way | None:
        edges = tuple(self._names.setdefault(edge, edge) for edge in text.split())
        self._route_edges += len(edges)
        if self._route_edges > MAX_ROUTE_EDGES:
            raise InputError(f"{self._path}:{line}: more than {MAX_ROUTE_EDGES} edges in routes")
        if not edges:
            self._problems.add(line, "route without edges")
            return None
        unknown = dict.fromkeys(edge for edge in edges if edge not in self._edges)
        for edge in unknown:
            self._unknown_edge(edge, line, "route")
        return None if unknown else Way(edges[0], edges[-1], edges)

    def _unknown_edge(self, edge: str, line: int, what: str) -> None:
        self.wrong_edges += 1
        self._problems.add(
            line,
            f"{what}: the net has no edge {shown(edge)} for cars; --ignore-route-errors leaves "
            "such trips out",
        )

    def _ends(self, given: Mapping[str, str], line: int, what: str) -> Routes | None:
        origins = self._side(given, FROM, line, what)
        destinations = self._side(given, TO, line, what)
        via = tuple(given.get("via", "").split())
        unknown = [edge for edge in via if edge not in self._edges]
        for edge in unknown:
            self._unknown_edge(edge, line, f"{what}, 'via'")
        if not (origins and destinations) or unknown:
            return None
        first = self._roads.nearest(origins, via[:1] or destinations)
        last = self._roads.nearest(via[-1:] or origins, destinations)
        if first is None or last is None:
            self.wrong_edges += 1
            self._problems.add(
                line,
                f"{what}: no way for cars leads there; --ignore-route-errors leaves such trips out",
            )
            return None
        return Routes([(Way(first[0], last[1], via=via), 1.0)])

    def _side(self, given: Mapping[str, str], names: Side, line: int, what: str) -> Sequence[str]:
        """Edges where a trip may start or end."""
        if names.edge in given:
            if given[names.edge] in self._edges:
                return [given[names.edge]]
            self._unknown_edge(given[names.edge], line, f"{what}, {names.edge!r}")
            return []
        if names.junction in given:
            return self._at_junction(given[names.junction], names, line, what)
        if names.zone in given:
            return self._in_zone(given[names.zone], names, line, what)
        self._problems.add(line, f"{what} has neither a route nor an edge {names.edge!r}")
        return []

    def _at_junction(self, junction: str, names: Side, line: int, what: str) -> Sequence[str]:
        starts = names is FROM
        edges = (self._roads.leaving if starts else self._roads.entering).get(junction, [])
        if not edges:
            self.wrong_edges += 1
            verb = "leaves" if starts else "leads to"
            self._problems.add(
                line,
                f"{what}: no edge for cars {verb} junction {shown(junction)} "
                f"({names.junction}); --ignore-route-errors leaves such trips out",
            )
        return edges

    def _in_zone(self, zone: str, names: Side, line: int, what: str) -> Sequence[str]:
        if self._zones is None:
            self._zones = read_zones(self._zone_files, self._edges)
        found = self._zones.get(zone)
        if found is None:
            problem = f"zone {shown(zone)} is not defined; give its file with --taz"
            self._problems.add(line, f"{what}: {problem}")
            return []
        edges, kind = (found.sources, "sources") if names is FROM else (found.sinks, "sinks")
        if not edges:
            problem = f"{names.zone} {shown(zone)} has no {kind} that cars can use here"
            self._problems.add(line, f"{what}: {problem}")
        return [edge for edge, _ in edges]
