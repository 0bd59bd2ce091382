"""Reads demand in SUMO's formats: trips, flows and vehicles with routes; OD matrices elsewhere.

What SUMO would draw while it runs (random flows, distributions of routes and of types) is drawn
here, once, by the generator given. Persons, containers and stops are left out and counted.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from ss_core.errors import InputError
from trafficsim.demand.flows import flow_departures_s
from trafficsim.demand.od_matrix import read_od_matrix
from trafficsim.demand.route_file import MAX_TRIPS, Choice, Departing, RouteFile, read_route_file
from trafficsim.demand.trips import DEFAULT_TYPE, Demand, Trip, VehicleType
from trafficsim.nets.problems import Problems
from trafficsim.nets.sumo_text import FORBIDDEN_IN_IDS, number, shown, time_s, whole_number

MAX_DEPART_S = 31 * 86_400.0
MAX_ROUTE_EDGES = 10_000_000  # of all routes together
OWN_DEFAULT_TYPE = "given_" + DEFAULT_TYPE  # where a file defines SUMO's default type anew
BUILT_IN_TYPES = frozenset({DEFAULT_TYPE, "DEFAULT_BIKETYPE", "DEFAULT_TAXITYPE"})
USED = frozenset({"id", "type", "depart", "from", "to", "route"})
USED_BY_FLOWS = frozenset(
    {"begin", "end", "number", "period", "vehsPerHour", "perHour", "probability"}
)
WITHOUT_EFFECT = frozenset({"color", "fromTaz", "toTaz", "arrival", "routeLength"})
SAME_EDGE = "trip within one edge"

Kind = Literal["trips", "routes", "od"]
Item = TypeVar("Item")


def read_demand(
    path: Path,
    *,
    kind: Kind,
    edges: Collection[str],
    taz: Sequence[Path] = (),
    rng: np.random.Generator,
) -> Demand:
    """The demand of a file; `edges` are the net's that cars may use, `taz` the zones of a matrix.

    Departures are kept to a hundredth of a second. Of a `routeDistribution` the route is taken that
    `last` names, or else one is drawn by probability. Trips within one edge are left out.

    Raises:
        InputError: with a line for everything that is wrong, `file:line: sentence`.
    """
    if kind == "od":
        return read_od_matrix(path, edges=edges, taz=taz, rng=rng)
    return _Builder(path, read_route_file(path), edges, rng).build()


class Way(NamedTuple):
    """Where a trip goes, and how if that is given."""

    origin: str
    destination: str
    route: tuple[str, ...] = ()


def draw(options: Sequence[tuple[Item, float]], rng: np.random.Generator) -> Item:
    """One of them, by weight; a single one costs no random number."""
    if len(options) == 1:
        return options[0][0]
    weights = np.array([weight for _, weight in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))][0]


class _Builder:
    """Turns the records of a route file into trips, noting everything that is wrong."""

    def __init__(
        self, path: Path, file: RouteFile, edges: Collection[str], rng: np.random.Generator
    ) -> None:
        self._path = path
        self._file = file
        self._edges = edges
        self._rng = rng
        self._problems = Problems(path)
        self._types: dict[str, VehicleType] = {}
        self._mixtures: dict[str, list[tuple[str, float]]] = {}
        self._routes: dict[str, list[tuple[Way, float]]] = {}
        self._way_of: dict[str, Way | None] = {}  # by the text of its edges
        self._names: dict[str, str] = {}  # each edge's name once, however many routes have it
        self._route_edges = 0
        self._ids: dict[str, int] = {}  # and the line
        self._trips: list[Trip] = []
        self._unused: set[str] = set()

    def build(self) -> Demand:
        self._define_types()
        self._define_routes()
        for departing in self._file.departing:
            self._add(departing)
        self._problems.raise_any()
        if not self._trips:
            raise InputError(f"{self._path}: no trip in it{self._notes()}; give a demand")
        trips = tuple(sorted(self._trips, key=lambda trip: (trip.depart_s, trip.trip_id)))
        named = {trip.type_id for trip in trips}
        types = tuple(each for name, each in self._types.items() if name in named)
        return Demand(trips, types, f"{self._path}: {len(trips)} trips{self._notes()}")

    def _notes(self) -> str:
        counted = sorted(self._file.left_out.items())
        left_out = ", ".join(f"{count} x {what[:40]}" for what, count in counted[:12])
        unused = ", ".join(name[:40] for name in sorted(self._unused)[:12])
        return (f"; left out: {left_out}" if left_out else "") + (
            f"; not used: {unused}" if unused else ""
        )

    def _define_types(self) -> None:
        for name, attributes, line in self._file.types:
            own = OWN_DEFAULT_TYPE if name == DEFAULT_TYPE else name
            if not name or own in self._types:
                self._problems.add(line, f"vType {shown(name)}: no id, or defined before")
            for key, value in attributes.items():
                if value.strip().lower().lstrip("+-") in ("nan", "inf", "infinity"):
                    self._problems.add(line, f"vType {shown(name)}: {key} is {shown(value)}")
            self._types[own] = VehicleType(own, tuple(attributes.items()))
        mixtures = {}
        for mixture in self._file.type_mixtures:
            options = [
                (option.name, self._weight(option.weight, option.line))
                for option in mixture.options
                if self._known_type(option.name, option.line)
            ]
            if not sum(weight for _, weight in options) > 0:
                self._problems.add(mixture.line, "vTypeDistribution without a vType")
            mixtures[mixture.name] = options
        self._mixtures = mixtures  # only now: none is part of another

    def _known_type(self, name: str, line: int) -> bool:
        known = name in self._types or name in BUILT_IN_TYPES or name in self._mixtures
        if not known:
            self._problems.add(line, f"vehicle type {shown(name)} is not defined")
        return known

    def _weight(self, text: str, line: int) -> float:
        weight = number(text)
        if not 0 <= weight < 1e9:
            self._problems.add(line, f"probability is {shown(text)}; give a number from 0")
            return 0.0
        return weight

    def _define_routes(self) -> None:
        for choice in self._file.routes:
            if not choice.name or choice.name in self._routes:
                self._problems.add(choice.line, f"route {shown(choice.name)}: no id, or used")
            self._routes[choice.name] = self._ways(choice)

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
                ways.append((way, self._weight(option.weight, option.line)))
        if len(ways) == len(options) and not sum(weight for _, weight in ways) > 0:
            self._problems.add(choice.line, "no route to choose from")
        return ways

    def _way(self, edges: str, name: str, line: int) -> Way | None:
        if name:
            known = self._routes.get(name, [])
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
        self._problems.add(line, f"{what}: the net has no edge {shown(edge)} for cars")

    def _add(self, departing: Departing) -> None:
        """The trips of a trip, vehicle or flow."""
        used = USED | USED_BY_FLOWS if departing.tag == "flow" else USED
        self._unused |= departing.attributes.keys() - used - WITHOUT_EFFECT
        ways = self._ways_of(departing)
        type_name = departing.attributes.get("type", DEFAULT_TYPE)
        known = self._known_type(type_name, departing.line)
        departures = list(self._departures(departing))
        if not (ways and known):
            return
        types = self._mixtures.get(type_name, [(type_name, 1.0)])
        for trip_id, depart_s in departures:
            way, type_id = draw(ways, self._rng), draw(types, self._rng)
            if way.origin == way.destination:
                self._file.left_out[SAME_EDGE] += 1
                continue
            if type_id == DEFAULT_TYPE and OWN_DEFAULT_TYPE in self._types:
                type_id = OWN_DEFAULT_TYPE
            self._trips.append(Trip(trip_id, depart_s, *way[:2], type_id, way.route))

    def _ways_of(self, departing: Departing) -> list[tuple[Way, float]]:
        what, given = f"{departing.tag} {shown(departing.name)}", departing.attributes
        if departing.routes is not None:
            return self._ways(departing.routes)
        if "route" in given:
            ways = self._routes.get(given["route"])
            if ways is None:
                self._problems.add(
                    departing.line, f"{what}: route {shown(given['route'])} is not defined"
                )
            return ways or []
        return self._ends(given, departing.line, what)

    def _ends(self, given: Mapping[str, str], line: int, what: str) -> list[tuple[Way, float]]:
        sound = True
        for end in ("from", "to"):
            if end not in given:
                self._problems.add(line, f"{what} has neither a route nor an edge {end!r}")
            elif given[end] not in self._edges:
                self._unknown_edge(given[end], line, f"{what}, {end!r}")
            sound = sound and given.get(end) in self._edges
        return [(Way(given["from"], given["to"]), 1.0)] if sound else []

    def _departures(self, departing: Departing) -> Iterator[tuple[str, float]]:
        """Ids and departures."""
        given, line, name = departing.attributes, departing.line, departing.name
        what = f"{departing.tag} {shown(name)}"
        if not name or FORBIDDEN_IN_IDS.search(name):
            self._problems.add(line, f"{what}: no id, or one with characters that SUMO refuses")
        if departing.tag != "flow":
            depart_s = time_s(given.get("depart", ""))
            if not 0 <= depart_s <= MAX_DEPART_S:
                self._problems.add(
                    line,
                    f"{what}: depart is {shown(given.get('depart', ''))}; give seconds or "
                    f"hours:minutes:seconds, from 0 to {MAX_DEPART_S:.0f} s",
                )
            departures, names = [depart_s], [name]
        else:
            most = MAX_TRIPS - len(self._ids)
            try:
                departures = flow_departures_s(given, self._rng, most=most, latest_s=MAX_DEPART_S)
            except ValueError as error:
                self._problems.add(line, f"{what}: {error}")
                return
            names = [f"{name}.{number}" for number in range(len(departures))]
        for each, depart_s in zip(names, departures, strict=True):
            if each in self._ids:
                first = self._ids[each]
                self._problems.add(line, f"{what}: id {shown(each)} was used in line {first}")
            self._ids[each] = line
            yield each, round(depart_s, 2)
