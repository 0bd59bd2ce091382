"""Reads demand in SUMO's formats: trips, flows and vehicles with routes; OD matrices elsewhere.

Cars without stops on the way decide (`classes` widens that); everybody else is background, which
SUMO drives as the file has it. What SUMO would draw of those who decide while it runs (random
flows, distributions of routes and of types) is drawn here, once, by the generator given.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import numpy as np

from ss_core.errors import InputError
from trafficsim.demand.background import ADDITIONAL, as_additional, copied, element, type_elements
from trafficsim.demand.flows import flow_departures_s
from trafficsim.demand.od_matrix import read_od_matrix
from trafficsim.demand.route_file import (
    MAX_TRIPS,
    PLACES,
    Choice,
    Departing,
    RouteFile,
    read_route_file,
)
from trafficsim.demand.trips import DEFAULT_TYPE, Demand, Trip, VehicleType
from trafficsim.demand.zones import Zone, read_zones
from trafficsim.nets.problems import Problems
from trafficsim.nets.sumo_text import FORBIDDEN_IN_IDS, number, shown, time_s, whole_number

MAX_DEPART_S = 31 * 86_400.0
MAX_ROUTE_EDGES = 10_000_000  # of all routes together
OWN_DEFAULT_TYPE = "given_" + DEFAULT_TYPE  # where a file defines SUMO's default type anew
CAR = "passenger"
BUILT_IN_TYPES = {  # of SUMO, and their classes
    DEFAULT_TYPE: CAR,
    "DEFAULT_BIKETYPE": "bicycle",
    "DEFAULT_TAXITYPE": "taxi",
    "DEFAULT_RAILTYPE": "rail",
    "DEFAULT_CONTAINERTYPE": "container",
    "DEFAULT_PEDTYPE": "pedestrian",
}
CARRIED = ("departLane", "departPos", "departSpeed", "arrivalLane", "arrivalPos", "arrivalSpeed")
WAITS = frozenset({"triggered", "containerTriggered", "split"})  # departures of SUMO's own making
USED = frozenset(
    {"id", "type", "depart", "from", "to", "route", "via", "fromTaz", "toTaz", *CARRIED}
)
USED_BY_FLOWS = frozenset(
    {"begin", "end", "number", "period", "vehsPerHour", "perHour", "probability"}
)
WITHOUT_EFFECT = frozenset({"color", "arrival", "routeLength"})
SAME_EDGE = "trip within one edge"
WRONG_EDGE = "trip over edges that cars may not use"

Kind = Literal["trips", "routes", "od"]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandConfig:
    """How a demand is read."""

    classes: tuple[str, ...] = (CAR,)  # vehicle classes that decide
    ignore_route_errors: bool = False  # leave trips out that cannot be driven, and count them


def read_demand(
    path: Path | Sequence[Path],
    *,
    kind: Kind,
    edges: Collection[str],
    taz: Sequence[Path] = (),
    additional: Sequence[Path] = (),
    rng: np.random.Generator,
    config: DemandConfig = DemandConfig(),
) -> Demand:
    """The demand of a file or of several; `edges` are the net's that who decides may use.

    `taz` are zones, `additional` SUMO's additional files: types, zones, stops, programs of lights.

    Departures are kept to a hundredth of a second. Of a `routeDistribution` the route is taken that
    `last` names, or else one is drawn by probability. Trips within one edge are left out.

    Raises:
        InputError: with a line for everything that is wrong, `file:line: sentence`.
    """
    paths = [path] if isinstance(path, Path) else [*path]
    if kind == "od":
        (matrix,) = paths
        return read_od_matrix(matrix, edges=edges, taz=(*taz, *additional), rng=rng)
    return _Builder([*additional, *paths], len(additional), taz, edges, rng, config).build()


class Way(NamedTuple):
    """Where a trip goes, and how if that is given."""

    origin: str
    destination: str
    route: tuple[str, ...] = ()
    via: tuple[str, ...] = ()


def _vehicle(trip: Trip) -> str:
    """A vehicle or trip of SUMO's."""
    head = {"id": trip.trip_id, "type": trip.type_id, "depart": f"{trip.depart_s:.2f}"}
    head |= dict(trip.attributes)
    if trip.route:
        route = element("route", {"edges": " ".join(trip.route)})
        return element("vehicle", head)[:-2] + f">{route}</vehicle>"
    ends = {"from": trip.origin, "to": trip.destination}
    return element("trip", head | ends | ({"via": " ".join(trip.via)} if trip.via else {}))


def draw(options: Sequence[tuple[Item, float]], rng: np.random.Generator) -> Item:
    """One of them, by weight; a single one costs no random number."""
    if len(options) == 1:
        return options[0][0]
    weights = np.array([weight for _, weight in options])
    return options[int(rng.choice(len(options), p=weights / weights.sum()))][0]


class _Builder:
    """Turns the records of route files into trips, noting everything that is wrong."""

    def __init__(
        self,
        paths: Sequence[Path],
        additional: int,  # so many of them, the first ones, are additional files
        taz: Sequence[Path],
        edges: Collection[str],
        rng: np.random.Generator,
        config: DemandConfig,
    ) -> None:
        self._paths, self._additional, self._taz = paths, additional, taz
        self._config = config
        self._edges = edges
        self._rng = rng
        self._types: dict[str, VehicleType] = {}
        self._mixtures: dict[str, list[tuple[str, float]]] = {}
        self._named: dict[str, Choice] = {}  # routes
        self._routes: dict[str, list[tuple[Way, float]]] = {}  # those that were looked at
        self._stopping: set[str] = set()  # routes with stops on the way
        self._way_of: dict[str, Way | None] = {}  # by the text of its edges
        self._names: dict[str, str] = {}  # each edge's name once, however many routes have it
        self._route_edges = 0
        self._ids: dict[str, int] = {}  # and the line
        self._trips: list[Trip] = []
        self._unused: set[str] = set()
        self._left_out: Counter[str] = Counter()
        self._background: Counter[str] = Counter()  # who is in it
        self._others: list[set[int]] = [set() for _ in paths]  # elements of each file
        self._made: list[str] = []  # elements of vehicles drawn from mixtures
        self._background_begin_s = math.inf
        self._zones: dict[str, Zone] | None = None

    def build(self) -> Demand:
        files = [read_route_file(path) for path in self._paths]
        for at, file in enumerate(files):
            self._at, self._path, self._file = at, self._paths[at], file
            self._problems = Problems(self._path)
            self._define_types()
            self._define_routes()
            for departing in file.departing:
                self._add(departing)
            for place, tag, departs in file.others:
                self._leave_to_sumo(place, tag, departs)
            self._left_out += file.left_out
            self._problems.raise_any()
        source = ", ".join(map(str, self._paths[self._additional :]))
        if not self._trips:
            raise InputError(
                f"{source}: no trip of {' or '.join(self._config.classes)} in it"
                f"{self._notes()}; give a demand, or name classes that decide with --classes"
            )
        trips = tuple(sorted(self._trips, key=lambda trip: (trip.depart_s, trip.trip_id)))
        named = {trip.type_id for trip in trips}
        types = tuple(each for name, each in self._types.items() if name in named)
        return Demand(
            trips,
            types,
            f"{source}: {len(trips)} trips{self._notes()}",
            self._background_file(files, named),
            self._background_begin_s,
        )

    def _background_file(self, files: Sequence[RouteFile], named: Collection[str]) -> str:
        """Everything that SUMO drives by itself; nothing without somebody or some place in it."""
        lines: list[str] = []
        for at, path in enumerate(self._paths):
            extra = at < self._additional
            if extra or self._others[at]:
                tags = {"route", "routeDistribution"} | (ADDITIONAL if extra else PLACES)
                lines += copied(path, self._others[at], tags)
        if not lines and not self._made:
            return ""
        types = [line for file in files for line in type_elements(file, named)]
        return as_additional([*types, *lines, *self._made])

    def _leave_to_sumo(self, number: int, what: str, departs: str) -> None:
        """Element `number` of the file is background."""
        self._others[self._at].add(number)
        self._background[what] += 1
        depart_s = time_s(departs)
        if depart_s >= 0.0:
            self._background_begin_s = min(self._background_begin_s, depart_s)

    def _notes(self) -> str:
        counted = sorted(self._left_out.items())
        left_out = ", ".join(f"{count} x {what[:40]}" for what, count in counted[:12])
        unused = ", ".join(name[:40] for name in sorted(self._unused)[:12])
        others = ", ".join(f"{n} x {what[:40]}" for what, n in sorted(self._background.items()))
        return (
            (f"; driven by SUMO as the file has it: {others}" if others else "")
            + (f"; left out: {left_out}" if left_out else "")
            + (f"; not used: {unused}" if unused else "")
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
        mixtures = dict(self._mixtures)
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
            if not choice.name or choice.name in self._named:
                self._problems.add(choice.line, f"route {shown(choice.name)}: no id, or used")
            self._named[choice.name] = choice
            if choice.stops:
                self._stopping.add(choice.name)

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
                ways.append((way, self._weight(option.weight, option.line)))
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
        self._problems.add(
            line,
            f"{what}: the net has no edge {shown(edge)} for cars; --ignore-route-errors leaves "
            "such trips out",
        )

    def _add(self, departing: Departing) -> None:
        """The trips of a trip, vehicle or flow; who does not decide is background."""
        type_name = departing.attributes.get("type", DEFAULT_TYPE)
        known = self._known_type(type_name, departing.line)
        types = self._mixtures.get(type_name, [(type_name, 1.0)])
        why = self._why_background(departing, [name for name, _ in types]) if known else ""
        if why:
            departs = departing.attributes.get("begin", departing.attributes.get("depart", ""))
            self._leave_to_sumo(departing.number, why, departs)
            return
        used = USED | USED_BY_FLOWS if departing.tag == "flow" else USED
        self._unused |= departing.attributes.keys() - used - WITHOUT_EFFECT
        errors = self._problems.count
        ways = self._ways_of(departing)
        if not ways and self._config.ignore_route_errors:
            self._problems.forget_since(errors)
            self._left_out[WRONG_EDGE] += 1
            return
        departures = list(self._departures(departing))
        if not (ways and known):
            return
        given = tuple((n, departing.attributes[n]) for n in CARRIED if n in departing.attributes)
        for trip_id, depart_s in departures:
            way, type_id = draw(ways, self._rng), draw(types, self._rng)
            if way.origin == way.destination and not way.via:
                self._left_out[SAME_EDGE] += 1
                continue
            if type_id == DEFAULT_TYPE and OWN_DEFAULT_TYPE in self._types:
                type_id = OWN_DEFAULT_TYPE
            trip = Trip(trip_id, depart_s, *way[:2], type_id, way.route, way.via, given)
            if self._class_of(type_id) in self._config.classes:
                self._trips.append(trip)
            else:
                self._made.append(_vehicle(trip))
                self._background[self._class_of(type_id)] += 1
                self._background_begin_s = min(self._background_begin_s, depart_s)

    def _class_of(self, type_id: str) -> str:
        known = self._types.get(type_id)
        built_in = BUILT_IN_TYPES.get(type_id, CAR)
        return built_in if known is None else dict(known.attributes).get("vClass", built_in)

    def _why_background(self, departing: Departing, types: Sequence[str]) -> str:
        """What it is, if nobody decides about it."""
        if not {self._class_of(name) for name in types} & {*self._config.classes}:
            return self._class_of(types[0])
        if departing.stops or departing.attributes.get("route") in self._stopping:
            return "vehicle with stops"
        if departing.attributes.get("depart", "") in WAITS:
            return "vehicle that waits for somebody"
        return ""

    def _ways_of(self, departing: Departing) -> list[tuple[Way, float]]:
        what, given = f"{departing.tag} {shown(departing.name)}", departing.attributes
        if departing.routes is not None:
            return self._ways(departing.routes)
        if "route" in given:
            ways = self._named_ways(given["route"])
            if ways is None:
                self._problems.add(
                    departing.line, f"{what}: route {shown(given['route'])} is not defined"
                )
            return ways or []
        return self._ends(given, departing.line, what)

    def _ends(self, given: Mapping[str, str], line: int, what: str) -> list[tuple[Way, float]]:
        sides = [
            self._side(given, end, zone, kind, line, what)
            for end, zone, kind in (("from", "fromTaz", "sources"), ("to", "toTaz", "sinks"))
        ]
        via = tuple(given.get("via", "").split())
        for edge in via:
            if edge not in self._edges:
                self._unknown_edge(edge, line, f"{what}, 'via'")
        if not all(sides) or any(edge not in self._edges for edge in via):
            return []
        return [
            (Way(origin, destination, via=via), at * to)
            for origin, at in sides[0]
            for destination, to in sides[1]
            if origin != destination or len(sides[0]) * len(sides[1]) == 1
        ]

    def _side(
        self, given: Mapping[str, str], end: str, zone: str, kind: str, line: int, what: str
    ) -> Sequence[tuple[str, float]]:
        """Edges where a trip may start or end, with weights."""
        if end in given:
            if given[end] in self._edges:
                return [(given[end], 1.0)]
            self._unknown_edge(given[end], line, f"{what}, {end!r}")
        elif zone in given:
            found = self._known_zones().get(given[zone])
            edges = [] if found is None else (found.sources if kind == "sources" else found.sinks)
            if edges:
                return edges
            self._problems.add(
                line,
                f"{what}: {zone} {shown(given[zone])} has no {kind} that cars can use here"
                if found is not None
                else f"{what}: zone {shown(given[zone])} is not defined; give its file with --taz",
            )
        else:
            self._problems.add(line, f"{what} has neither a route nor an edge {end!r}")
        return []

    def _known_zones(self) -> dict[str, Zone]:
        """Of the files of zones, and of those that hold trips."""
        if self._zones is None:
            self._zones = read_zones([*self._taz, *self._paths], self._edges)
        return self._zones

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
