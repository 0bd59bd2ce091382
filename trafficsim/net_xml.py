"""Reads a SUMO network file into plain records: no entities; bounded size, depth and tokens.

Nothing is judged here beyond being readable; `network` checks that the records make sense.
"""

import math
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from ss_core.errors import InputError

MAX_FILE_BYTES = 256 * 2**20
MAX_TOKEN_BYTES = 2 * 2**20
MAX_DEPTH = 32
CHUNK_BYTES = 64 * 2**10
GZIP_MAGIC = b"\x1f\x8b"

ROAD = ""  # the function of an ordinary edge; others are internal, crossing, walkingarea, connector


@dataclass(frozen=True, slots=True)
class Lane:
    """One lane of an edge; a number that cannot be read is NaN."""

    lane_id: str
    length_m: float
    speed_m_per_s: float
    allow: frozenset[str] | None  # vehicle classes; None: the attribute is absent
    disallow: frozenset[str]
    line: int  # in the file

    def permits(self, vehicle_class: str) -> bool:
        """Whether vehicles of the class may use the lane."""
        if self.allow is not None:
            return bool(self.allow & {vehicle_class, "all"})
        return not self.disallow & {vehicle_class, "all"}


@dataclass(frozen=True, slots=True)
class Edge:
    """A directed edge; `lanes` grows while the file is read."""

    edge_id: str
    from_junction: str | None
    to_junction: str | None
    function: str
    line: int
    lanes: list[Lane] = field(default_factory=list)

    @property
    def is_road(self) -> bool:
        """Whether it is a street rather than the inside of a junction."""
        return self.function == ROAD


@dataclass(frozen=True, slots=True)
class Connection:
    """One lane leads to another, under the traffic light `traffic_light` if there is one."""

    from_edge: str
    to_edge: str
    from_lane: int | None  # None: absent or not a number
    to_lane: int | None
    traffic_light: str | None
    line: int


@dataclass(frozen=True, slots=True)
class Named:
    """A junction or a traffic light program: its id, its type and where it stands."""

    name: str
    kind: str
    line: int


@dataclass(frozen=True, slots=True)
class NetRecords:
    """Everything the checks look at, in the order of the file."""

    junctions: list[Named] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    traffic_lights: list[Named] = field(default_factory=list)


def read_records(path: Path) -> NetRecords:
    """The records of a `.net.xml` file.

    Raises:
        InputError: the file is missing, too large, not plain XML, or not a SUMO network.
    """
    _check_file(path)
    reader = _Reader(path)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                reader.feed(chunk)
        reader.close()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give a readable .net.xml file") from error
    return reader.records


def _check_file(path: Path) -> None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{path}: not a file; give a .net.xml file")
        if status.st_size > MAX_FILE_BYTES:
            raise InputError(
                f"{path}: {status.st_size} bytes, more than {MAX_FILE_BYTES}; cut the net"
            )
        with path.open("rb") as file:
            if file.read(len(GZIP_MAGIC)) == GZIP_MAGIC:
                raise InputError(f"{path}: compressed; unpack it with gunzip first")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give an existing .net.xml file") from error


class _Reader:
    """Expat, told to refuse what a network file never needs."""

    def __init__(self, path: Path) -> None:
        self.records = NetRecords()
        self._path = path
        self._depth = 0
        self._fed_bytes = 0
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.StartDoctypeDeclHandler = self._refuse_doctype

    def feed(self, chunk: bytes) -> None:
        self._parse(chunk, is_final=False)
        self._fed_bytes += len(chunk)
        if self._fed_bytes - max(self._parser.CurrentByteIndex, 0) > MAX_TOKEN_BYTES:
            self._fail(f"one tag is longer than {MAX_TOKEN_BYTES} bytes")

    def close(self) -> None:
        self._parse(b"", is_final=True)

    def _parse(self, chunk: bytes, *, is_final: bool) -> None:
        try:
            self._parser.Parse(chunk, is_final)
        except expat.ExpatError as error:
            self._fail(f"not well-formed XML: {expat.ErrorString(error.code)}", error.lineno)
        except (ValueError, LookupError) as error:  # an encoding that Python does not have
            self._fail(f"not readable: {error}")

    def _fail(self, message: str, line: int | None = None) -> NoReturn:
        raise InputError(f"{self._path}:{line or self._parser.CurrentLineNumber}: {message}")

    def _refuse_doctype(self, *_: object) -> None:
        self._fail("DOCTYPE and entities are refused; a SUMO network has none, remove it")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self._fail(f"nested deeper than {MAX_DEPTH} elements")
        if self._depth == 1 and tag != "net":
            self._fail(f"starts with <{tag}>; a SUMO network starts with <net>")
        line = self._parser.CurrentLineNumber
        if self._depth == 2:
            self._add_top_level(tag, attributes, line)
        elif self._depth == 3 and tag == "lane" and self.records.edges:
            self.records.edges[-1].lanes.append(_lane(attributes, line))

    def _end(self, _tag: str) -> None:
        self._depth -= 1

    def _add_top_level(self, tag: str, attributes: dict[str, str], line: int) -> None:
        records = self.records
        match tag:
            case "junction":
                records.junctions.append(_named(attributes, line))
            case "edge":
                records.edges.append(_edge(attributes, line))
            case "connection":
                records.connections.append(_connection(attributes, line))
            case "tlLogic":
                records.traffic_lights.append(_named(attributes, line))
            case _:
                pass


def _named(attributes: Mapping[str, str], line: int) -> Named:
    return Named(attributes.get("id", ""), attributes.get("type", ""), line)


def _edge(attributes: Mapping[str, str], line: int) -> Edge:
    function = attributes.get("function", ROAD)
    return Edge(
        attributes.get("id", ""),
        attributes.get("from"),
        attributes.get("to"),
        ROAD if function == "normal" else function,
        line,
    )


def _lane(attributes: Mapping[str, str], line: int) -> Lane:
    allow = attributes.get("allow")
    return Lane(
        attributes.get("id", ""),
        _number(attributes.get("length", "")),
        _number(attributes.get("speed", "")),
        None if allow is None else frozenset(allow.split()),
        frozenset(attributes.get("disallow", "").split()),
        line,
    )


def _connection(attributes: Mapping[str, str], line: int) -> Connection:
    return Connection(
        attributes.get("from", ""),
        attributes.get("to", ""),
        _index(attributes.get("fromLane", "")),
        _index(attributes.get("toLane", "")),
        attributes.get("tl"),
        line,
    )


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _index(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
