"""Reads demand in SUMO's formats: trips, flows and vehicles with routes; OD matrices elsewhere.

Cars without stops on the way decide (`classes` widens that); everybody else is background, which
SUMO drives as the file has it, and draws anew for each day. What SUMO would draw of those who
decide (random flows, distributions of routes and of types) is drawn here, once, by the generator
given: they are the same drivers every day.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from ss_core.errors import InputError
from trafficsim.demand.background import ADDITIONAL, as_additional, copied, element, type_elements
from trafficsim.demand.flows import flow_departures_s, is_random
from trafficsim.demand.od_matrix import read_od_matrix
from trafficsim.demand.route_file import (
    MAX_TRIPS,
    PLACES,
    Departing,
    read_with_included,
)
from trafficsim.demand.trips import DEFAULT_TYPE, Demand, Trip, in_brackets
from trafficsim.demand.vehicle_types import VehicleTypes
from trafficsim.demand.ways import FROM, TO, Roads, Ways, draw
from trafficsim.nets.network import CAR
from trafficsim.nets.problems import Problems
from trafficsim.nets.road_graph import RoadGraph
from trafficsim.nets.sumo_text import FORBIDDEN_IN_IDS, shown, time_s

MAX_DEPART_S = 31 * 86_400.0
CARRIED = ("departLane", "departPos", "departSpeed", "arrivalLane", "arrivalPos", "arrivalSpeed")
WAITS = frozenset({"triggered", "containerTriggered", "split"})  # departures of SUMO's own making
USED = frozenset({"id", "type", "depart", "route", "via", *FROM, *TO, *CARRIED})
USED_BY_FLOWS = frozenset(
    {"begin", "end", "number", "period", "vehsPerHour", "perHour", "probability"}
)
WITHOUT_EFFECT = frozenset({"color", "arrival", "routeLength"})
ZONE_NAMED = 'Taz="'  # fromTaz, toTaz of who is driven by SUMO
DRAWN_SHOWN = 5  # random flows in a sentence
SAME_EDGE = "trip within one edge"
WRONG_EDGE = "trip over edges that cars may not use"

Kind = Literal["trips", "routes", "od"]


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
    graph: RoadGraph | None = None,
) -> Demand:
    """The demand of a file or of several; `edges` are the net's that who decides may use.

    `graph` is needed for trips between junctions or zones of several edges.

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
    return _Builder((additional, paths), taz, edges, rng, config, Roads(graph)).build()


def _vehicle(trip: Trip) -> str:
    """A vehicle or trip of SUMO's."""
    head = {"id": trip.trip_id, "type": trip.type_id, "depart": f"{trip.depart_s:.2f}"}
    head |= dict(trip.attributes)
    if trip.route:
        route = element("route", {"edges": " ".join(trip.route)})
        return element("vehicle", head)[:-2] + f">{route}</vehicle>"
    ends = {"from": trip.origin, "to": trip.destination}
    return element("trip", head | ends | ({"via": " ".join(trip.via)} if trip.via else {}))


class _Builder:
    """Turns the records of route files into trips, noting everything that is wrong."""

    def __init__(
        self,
        paths: tuple[Sequence[Path], Sequence[Path]],  # additional files, and route files
        taz: Sequence[Path],
        edges: Collection[str],
        rng: np.random.Generator,
        config: DemandConfig,
        roads: Roads,
    ) -> None:
        extra, given = (
            [each for path in some for each in read_with_included(path)] for some in paths
        )
        self._named = paths[1]
        self._files = [file for _, file in (*extra, *given)]
        self._paths, self._additional = [path for path, _ in (*extra, *given)], len(extra)
        self._taz = taz
        self._config = config
        self._rng = rng
        self._types = VehicleTypes()
        self._ways = Ways(edges, [*taz, *self._paths], roads)
        self._ids: dict[str, int] = {}  # and the line
        self._trips: list[Trip] = []
        self._unused: set[str] = set()
        self._left_out: Counter[str] = Counter()
        self._wrong: list[str] = []  # ids of those whose edges are
        self._background: Counter[str] = Counter()  # who is in it
        self._drawn: list[str] = []  # random flows, and how many came of each
        self._others: list[set[int]] = [set() for _ in self._paths]  # elements of each file
        self._made: list[str] = []  # elements of vehicles drawn from mixtures
        self._background_begin_s = math.inf

    def build(self) -> Demand:
        for at, file in enumerate(self._files):
            self._at, self._problems = at, Problems(self._paths[at])
            self._types.define(file, self._problems)
            self._ways.read(self._paths[at], file.routes, self._problems)
            for departing in file.departing:
                self._add(departing)
            for place, tag, departs in file.others:
                self._leave_to_sumo(place, tag, departs)
            self._left_out += file.left_out
            self._problems.raise_any()
        source = ", ".join(map(str, self._named))
        if not self._trips:
            raise InputError(
                f"{source}: no trip of {' or '.join(self._config.classes)} in it"
                f"{self._notes()}; give a demand, or name classes that decide with --classes"
            )
        trips = tuple(sorted(self._trips, key=lambda trip: (trip.depart_s, trip.trip_id)))
        named = {trip.type_id for trip in trips}
        return Demand(
            trips,
            self._types.among(named),
            f"{source}: {len(trips)} trips{self._notes()}",
            self._background_file(named),
            self._background_begin_s,
        )

    def _background_file(self, named: Collection[str]) -> str:
        """Everything that SUMO drives by itself; nothing without somebody or some place in it."""
        lines: list[str] = []
        for at, path in enumerate(self._paths):
            extra = at < self._additional
            if extra or self._others[at]:
                tags = {"route", "routeDistribution"} | (ADDITIONAL if extra else PLACES)
                lines += copied(path, self._others[at], tags)
        if not lines and not self._made:
            return ""
        types = [line for file in self._files for line in type_elements(file, named)]
        between_zones = any(ZONE_NAMED in line for line in lines)
        zone_files = dict.fromkeys((*self._taz, *self._paths)) if between_zones else ()
        zones = [line for path in zone_files for line in copied(path, (), {"taz"})]
        return as_additional([*types, *zones, *lines, *self._made])

    def _leave_to_sumo(self, number: int, what: str, departs: str) -> None:
        """Element `number` of the file is background."""
        self._others[self._at].add(number)
        self._background[what] += 1
        depart_s = time_s(departs)
        if depart_s >= 0.0:
            self._background_begin_s = min(self._background_begin_s, depart_s)

    def _notes(self) -> str:
        counted = sorted(self._left_out.items())
        listed = [f"{count} x {what[:40]}" for what, count in counted[:12]]
        if self._wrong:
            listed.append(f"{len(self._wrong)} x {WRONG_EDGE}{in_brackets(self._wrong)}")
        left_out = ", ".join(listed)
        unused = ", ".join(name[:40] for name in sorted(self._unused)[:12])
        others = ", ".join(f"{n} x {what[:40]}" for what, n in sorted(self._background.items()))
        more = len(self._drawn) - DRAWN_SHOWN
        drawn = ", ".join(self._drawn[:DRAWN_SHOWN]) + (f" and {more} more" if more > 0 else "")
        return (
            (f"; driven by SUMO as the file has it: {others}" if others else "")
            + (f"; left out: {left_out}" if left_out else "")
            + (f"; not used: {unused}" if unused else "")
            + (f"; drawn once, the same on all days: {drawn}" if drawn else "")
        )

    def _add(self, departing: Departing) -> None:
        """The trips of a trip, vehicle or flow; who does not decide is background."""
        type_name = departing.attributes.get("type", DEFAULT_TYPE)
        known = self._types.is_known(type_name, departing.line, self._problems)
        types = self._types.options(type_name)
        why = self._why_background(departing, [name for name, _ in types]) if known else ""
        if why:
            departs = departing.attributes.get("begin", departing.attributes.get("depart", ""))
            self._leave_to_sumo(departing.number, why, departs)
            return
        used = USED | USED_BY_FLOWS if departing.tag == "flow" else USED
        self._unused |= departing.attributes.keys() - used - WITHOUT_EFFECT
        before, wrong_edges = self._problems.count, self._ways.wrong_edges
        ways = self._ways.of(departing)
        found = self._problems.count - before
        only_edges = found == self._ways.wrong_edges - wrong_edges
        if ways is None and only_edges and self._config.ignore_route_errors:
            self._problems.forget_since(before)
            self._wrong.append(departing.name)
            return
        departures = list(self._departures(departing))
        if ways is None or not known:
            return
        given = tuple((n, departing.attributes[n]) for n in CARRIED if n in departing.attributes)
        for trip_id, depart_s in departures:
            way, type_id = ways.draw(self._rng), draw(types, self._rng)
            if way.origin == way.destination and not way.via:
                self._left_out[SAME_EDGE] += 1
                continue
            type_id = self._types.defined_name(type_id)
            vehicle_class = self._types.class_of(type_id)
            trip = Trip(trip_id, depart_s, *way[:2], type_id, way.route, way.via, given)
            if vehicle_class in self._config.classes:
                self._trips.append(trip)
            else:
                self._made.append(_vehicle(trip))
                self._background[vehicle_class] += 1
                self._background_begin_s = min(self._background_begin_s, depart_s)

    def _why_background(self, departing: Departing, types: Sequence[str]) -> str:
        """What it is, if nobody decides about it."""
        if not {*map(self._types.class_of, types)} & {*self._config.classes}:
            return self._types.class_of(types[0])
        if self._ways.stops(departing):
            return "vehicle with stops"
        if departing.attributes.get("depart", "") in WAITS:
            return "vehicle that waits for somebody"
        return ""

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
            if is_random(given):
                self._drawn.append(f"{len(departures)} of random flow {shown(name)}")
        for each, depart_s in zip(names, departures, strict=True):
            if each in self._ids:
                first = self._ids[each]
                self._problems.add(line, f"{what}: id {shown(each)} was used in line {first}")
            self._ids[each] = line
            yield each, round(depart_s, 2)
