"""Reads a SUMO network file into plain records.

Nothing is judged here beyond being readable; `net_rules` checks that the records make sense. What a
city has by the hundred thousand is a named tuple: quicker to make than a frozen dataclass.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from trafficsim.nets.safe_xml import SafeXml
from trafficsim.nets.sumo_text import number, whole_number

MAX_CLASSES_CHARS = 4096  # of one `allow` or `disallow`; SUMO knows some thirty classes

ROAD = ""  # the function of an ordinary edge; others are internal, crossing, walkingarea, connector
DEPTHS = {"connection": 2, "edge": 2, "junction": 2, "tlLogic": 2}
SHAPE = re.compile(r"[-+0-9.eE,]+(?: +[-+0-9.eE,]+)+")  # two points at least


class Lane(NamedTuple):
    """One lane of an edge; a number that cannot be read is NaN."""

    lane_id: str
    length_m: float
    speed_m_per_s: float
    allow: frozenset[str] | None  # vehicle classes; None: the attribute is absent
    disallow: frozenset[str]
    line: int  # in the file
    lane_index: int | None = 0  # as written; None: absent or not a number
    has_shape: bool = True  # a line of two points or more
    shape: str = ""  # as written

    def permits(self, vehicle_class: str) -> bool:
        """Whether vehicles of the class may use the lane."""
        if self.allow is not None:
            return vehicle_class in self.allow or "all" in self.allow
        return not (vehicle_class in self.disallow or "all" in self.disallow)


class Edge(NamedTuple):
    """A directed edge; `lanes` grows while the file is read."""

    edge_id: str
    from_junction: str | None
    to_junction: str | None
    function: str
    line: int
    lanes: list[Lane]

    @property
    def is_road(self) -> bool:
        """Whether it is a street rather than the inside of a junction."""
        return self.function == ROAD


class Connection(NamedTuple):
    """One lane leads to another, under the traffic light `traffic_light` if there is one."""

    from_edge: str
    to_edge: str
    from_lane: int | None  # None: absent or not a number
    to_lane: int | None
    traffic_light: str | None
    line: int
    via: str | None = None  # lane inside the junction
    link_index: int | None = 0  # place in the traffic light's state


class Named(NamedTuple):
    """A junction: its id, its type and where it stands."""

    name: str
    kind: str
    line: int


class Request(NamedTuple):
    """Right of way of one link through a junction; in both words link 0 stands last."""

    junction: str
    link: int | None  # its number; None: absent or not a number
    response: str  # 1: yields to that link
    foes: str  # 1: crosses or meets that link


class Phase(NamedTuple):
    """A phase of a traffic light program."""

    duration: str  # as written: seconds, or hours:minutes:seconds
    state: str
    line: int
    shortest: str = ""  # minDur and maxDur of actuated lights, as written
    longest: str = ""


@dataclass(frozen=True, slots=True)
class TrafficLight:
    """A traffic light program; `phases` grows while the file is read."""

    name: str
    kind: str
    program: str
    line: int
    phases: list[Phase] = field(default_factory=list)
    offset: str = "0"  # as written


class Stray(NamedTuple):
    """An element where it has no meaning, such as a lane outside an edge."""

    tag: str
    line: int


@dataclass(slots=True)
class NetRecords:
    """Everything the checks look at, in the order of the file."""

    junctions: list[Named] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    traffic_lights: list[TrafficLight] = field(default_factory=list)
    version: str | None = "1.0"  # of the format, as written; None: absent
    strays: list[Stray] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


def read_records(path: Path) -> NetRecords:
    """The records of a `.net.xml` file.

    Raises:
        InputError: the file is missing, too large, not plain XML, or not a SUMO network.
    """
    xml = SafeXml(path, "a SUMO network (.net.xml)", roots=frozenset({"net"}))
    reader = _Reader(xml)
    xml.read(reader.take)
    return reader.records


class _Reader:
    """Sorts elements into records; what a record does not need is passed over."""

    def __init__(self, xml: SafeXml) -> None:
        self.records = NetRecords()
        self._xml = xml
        self._edge: Edge | None = None  # that the element being read lies in
        self._light: TrafficLight | None = None
        self._junction: str | None = None
        self._top: dict[str, Callable[[Mapping[str, str]], None]] = {
            "connection": self._add_connection,
            "edge": self._add_edge,
            "junction": self._add_junction,
            "tlLogic": self._add_light,
        }

    def take(self, tag: str, attributes: dict[str, str], depth: int) -> None:
        if depth == 2:
            self._edge = self._light = self._junction = None
            add = self._top.get(tag)
            if add is not None:
                add(attributes)
        elif depth == 3:
            if tag == "lane" and self._edge is not None:
                self._edge.lanes.append(self._lane(attributes))
                return
            if tag == "phase" and self._light is not None:
                self._light.phases.append(self._phase(attributes))
            elif tag == "request" and self._junction is not None:
                self._add_request(self._junction, attributes)
        elif depth == 1:
            self.records.version = attributes.get("version")
        if tag == "lane" or depth != DEPTHS.get(tag, depth):
            self.records.strays.append(Stray(tag, self._xml.line))

    def _add_connection(self, attributes: Mapping[str, str]) -> None:
        get = attributes.get
        self.records.connections.append(
            Connection(
                get("from", ""),
                get("to", ""),
                whole_number(get("fromLane", "")),
                whole_number(get("toLane", "")),
                get("tl"),
                self._xml.line,
                get("via"),
                whole_number(get("linkIndex", "")),
            )
        )

    def _add_edge(self, attributes: Mapping[str, str]) -> None:
        get = attributes.get
        function = get("function", ROAD)
        self._edge = Edge(
            get("id", ""),
            get("from"),
            get("to"),
            ROAD if function == "normal" else function,
            self._xml.line,
            [],
        )
        self.records.edges.append(self._edge)

    def _add_junction(self, attributes: Mapping[str, str]) -> None:
        named = Named(attributes.get("id", ""), attributes.get("type", ""), self._xml.line)
        self._junction = named.name
        self.records.junctions.append(named)

    def _add_request(self, junction: str, attributes: Mapping[str, str]) -> None:
        get = attributes.get
        link = whole_number(get("index", ""))
        self.records.requests.append(Request(junction, link, get("response", ""), get("foes", "")))

    def _add_light(self, attributes: Mapping[str, str]) -> None:
        get = attributes.get
        self._light = TrafficLight(
            get("id", ""),
            get("type", ""),
            get("programID", ""),
            self._xml.line,
            offset=get("offset", "0"),
        )
        self.records.traffic_lights.append(self._light)

    def _phase(self, attributes: Mapping[str, str]) -> Phase:
        get = attributes.get
        return Phase(
            get("duration", ""),
            get("state", ""),
            self._xml.line,
            get("minDur", ""),
            get("maxDur", ""),
        )

    def _lane(self, attributes: Mapping[str, str]) -> Lane:
        get = attributes.get
        allow, disallow = get("allow"), get("disallow", "")
        if len(allow or "") + len(disallow) > MAX_CLASSES_CHARS:
            self._xml.fail(f"lane {get('id', '')[:40]!r}: more vehicle classes than there are")
        return Lane(
            get("id", ""),
            number(get("length", "")),
            number(get("speed", "")),
            None if allow is None else _classes(allow),
            _classes(disallow),
            self._xml.line,
            whole_number(get("index", "")),
            SHAPE.fullmatch(get("shape", "")) is not None,
            get("shape", ""),
        )


@lru_cache(maxsize=1024)
def _classes(text: str) -> frozenset[str]:
    return frozenset(text.split())
