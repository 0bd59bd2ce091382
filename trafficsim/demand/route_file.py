"""Reads a SUMO trips or route file into plain records; `demand_xml` makes a demand of them."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from ss_core.errors import InputError
from trafficsim.nets.safe_xml import SafeXml

MAX_TRIPS = 300_000
MOST_INCLUDED = 10  # files, one in the other
WHAT = "a SUMO trips or route file (.trips.xml, .rou.xml)"
DEPARTING = frozenset({"trip", "vehicle", "flow"})
OTHERS = frozenset({"person", "personFlow", "container", "containerFlow"})  # who depart, too
PLACES = frozenset(
    {"busStop", "trainStop", "containerStop", "parkingArea", "chargingStation", "rerouter"}
)
OTHER_ROOTS = {
    "net": "that is a network; give it with --net",
    "data": "that is an OD matrix; give it with --od",
    "tazs": "these are zones; give them with --taz",
    "configuration": "that is a configuration; give it with --sumocfg",
    "sumoConfiguration": "that is a configuration; give it with --sumocfg",
}


class Option(NamedTuple):
    """A route or a vehicle type among several, each with a weight as written."""

    name: str  # of one defined elsewhere; "": the route is given by `edges`
    edges: str
    weight: str
    line: int


@dataclass(slots=True)
class Choice:
    """A `route`, `routeDistribution` or `vTypeDistribution`; `options` grows while reading."""

    name: str
    line: int
    last: str | None = None  # number of the option chosen before
    stops: bool = False  # on the way
    options: list[Option] = field(default_factory=list)


class TypeElement(NamedTuple):
    """A `vType` as written."""

    name: str
    attributes: dict[str, str]
    line: int


@dataclass(slots=True)
class Departing:
    """A trip, vehicle or flow as written."""

    tag: str
    attributes: dict[str, str]
    line: int
    routes: Choice | None = None  # given inside the element
    number: int = 0  # of the elements at the top of its file
    stops: bool = False

    @property
    def name(self) -> str:
        """Its id."""
        return self.attributes.get("id", "")


@dataclass(frozen=True, slots=True)
class RouteFile:
    """What a demand is made of, in the order of the file."""

    types: list[TypeElement] = field(default_factory=list)
    type_mixtures: list[Choice] = field(default_factory=list)
    routes: list[Choice] = field(default_factory=list)
    departing: list[Departing] = field(default_factory=list)
    others: list[tuple[int, str, str]] = field(default_factory=list)  # number, tag, departure
    left_out: Counter[str] = field(default_factory=Counter)  # elements that mean nothing here
    included: list[tuple[str, int]] = field(default_factory=list)  # other files, and the lines


def read_route_file(path: Path) -> RouteFile:
    """The records of a file.

    Raises:
        InputError: missing, too large, not plain XML, or no demand at all.
    """
    xml = SafeXml(path, WHAT)
    reader = _Reader(xml)
    xml.read(reader.take)
    return reader.file


def read_with_included(path: Path, deeper: int = MOST_INCLUDED) -> Iterator[tuple[Path, RouteFile]]:
    """The records of a file, after those of the files that it includes.

    Raises:
        InputError: a file is not usable, or includes itself.
    """
    file = read_route_file(path)
    for href, line in file.included:
        if not href or not deeper:
            problem = "without href" if not href else "of a file that includes itself, or too many"
            raise InputError(f"{path}:{line}: <include> {problem}; take it out")
        yield from read_with_included(path.parent / href, deeper - 1)
    yield path, file


class _Reader:
    """Sorts elements into records; remembers which ones are open."""

    def __init__(self, xml: SafeXml) -> None:
        self.file = RouteFile()
        self._xml = xml
        self._parent = ""  # tag at depth 2
        self._number = -1  # of the element at depth 2
        self._routes: Choice | None = None  # open routeDistribution
        self._mixture: Choice | None = None  # open vTypeDistribution

    def take(self, tag: str, attributes: dict[str, str], depth: int) -> None:
        if tag == "include" and depth != 2:
            self._xml.fail("<include> within another element; put the other file's contents here")
        if depth == 1 and tag in OTHER_ROOTS:
            self._xml.fail(f"starts with <{tag}>: {OTHER_ROOTS[tag]}")
        if depth == 2:
            self._parent, self._routes, self._mixture = tag, None, None
            self._number += 1
            self._take_top(tag, attributes)
        elif depth == 3:
            self._take_inner(tag, attributes)
        elif depth == 4 and tag == "route" and self._routes is not None:
            self._routes.options.append(self._option(attributes))

    def _take_top(self, tag: str, attributes: dict[str, str]) -> None:
        if tag in DEPARTING:
            if len(self.file.departing) == MAX_TRIPS:
                self._xml.fail(f"more than {MAX_TRIPS} trips, vehicles and flows; take a part")
            departing = Departing(tag, attributes, self._xml.line, number=self._number)
            self.file.departing.append(departing)
        elif tag == "vType":
            self._add_type(attributes)
        elif tag == "vTypeDistribution":
            self._mixture = self._choice(attributes, names="vTypes")
            self.file.type_mixtures.append(self._mixture)
        elif tag == "route":
            route = Choice(attributes.get("id", ""), self._xml.line)
            route.options.append(self._option(attributes))
            self.file.routes.append(route)
        elif tag == "routeDistribution":
            self._routes = self._choice(attributes, names="routes")
            self.file.routes.append(self._routes)
        elif tag == "include":
            self.file.included.append((attributes.get("href", ""), self._xml.line))
        elif tag in OTHERS:
            departs = attributes.get("begin", attributes.get("depart", ""))
            self.file.others.append((self._number, tag, departs))
        elif tag not in PLACES and tag not in ("param", "taz"):
            self.file.left_out[tag] += 1

    def _take_inner(self, tag: str, attributes: dict[str, str]) -> None:
        if self._parent in DEPARTING and tag in ("route", "routeDistribution"):
            vehicle = self.file.departing[-1]
            if tag == "route":
                self._routes = None
                vehicle.routes = Choice("", self._xml.line, options=[self._option(attributes)])
            else:
                vehicle.routes = self._routes = self._choice(attributes, names="routes")
        elif self._parent == "routeDistribution" and tag == "route" and self._routes is not None:
            self._routes.options.append(self._option(attributes))
        elif self._parent == "vTypeDistribution" and tag == "vType" and self._mixture is not None:
            name, weight = attributes.get("id", ""), attributes.get("probability", "1")
            self._mixture.options.append(Option(name, "", weight, self._xml.line))
            self._add_type(attributes)
        elif tag == "stop" and self._parent in DEPARTING:
            self.file.departing[-1].stops = True
        elif tag == "stop" and self._parent == "route":
            self.file.routes[-1].stops = True
        elif tag != "param" and self._parent in (*DEPARTING, "route", "vType"):
            self.file.left_out[tag] += 1

    def _add_type(self, attributes: dict[str, str]) -> None:
        name = attributes.pop("id", "")
        self.file.types.append(TypeElement(name, attributes, self._xml.line))

    def _option(self, attributes: Mapping[str, str]) -> Option:
        get = attributes.get
        return Option(get("refId", ""), get("edges", ""), get("probability", "1"), self._xml.line)

    def _choice(self, attributes: Mapping[str, str], names: str) -> Choice:
        choice = Choice(attributes.get("id", ""), self._xml.line, attributes.get("last"))
        weights = attributes.get("probabilities", "").split()
        for name, weight in zip_longest(attributes.get(names, "").split(), weights):
            choice.options.append(Option(name or "", "", weight or "1", self._xml.line))
        return choice
