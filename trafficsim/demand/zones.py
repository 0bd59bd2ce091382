"""Traffic assignment zones (TAZ): which edges trips of an OD matrix start and end on."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trafficsim.nets.problems import Problems
from trafficsim.nets.safe_xml import SafeXml
from trafficsim.nets.sumo_text import number, shown

WHAT = "a SUMO file of zones (.taz.xml)"
MAX_ZONE_EDGES = 5_000_000  # of all zones together


@dataclass(slots=True)
class Zone:
    """Edges with weights; edges that cars cannot use are left out."""

    sources: list[tuple[str, float]] = field(default_factory=list)
    sinks: list[tuple[str, float]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Zones:
    """Where a name of the matrix lets trips start and end."""

    edges: Collection[str]
    by_id: dict[str, Zone] | None  # None: names are edges themselves

    def ends(self, name: str, end: str) -> Sequence[tuple[str, float]]:
        """Edges and weights; `end` is `sources` or `sinks`."""
        if self.by_id is None:
            return ((name, 1.0),)
        zone = self.by_id[name]
        return zone.sources if end == "sources" else zone.sinks


def read_zones(paths: Sequence[Path], edges: Collection[str]) -> dict[str, Zone]:
    """The zones of all files, by id.

    `tazSource` and `tazSink` count where there are any, else the attribute `edges`.

    Raises:
        InputError: a file is no plain XML, a zone is defined twice, a weight is no number.
    """
    zones: dict[str, Zone] = {}
    for path in paths:
        xml = SafeXml(path, WHAT)
        reader = _Reader(xml, zones, edges, Problems(path))
        xml.read(reader.take)
        reader.finish()
    return zones


class _Reader:
    """Zones may stand at any depth; what belongs to a zone follows it."""

    def __init__(
        self, xml: SafeXml, zones: dict[str, Zone], edges: Collection[str], problems: Problems
    ) -> None:
        self._xml = xml
        self._zones = zones
        self._edges = edges
        self._problems = problems
        self._zone: Zone | None = None
        self._depth = 0  # of the zone
        self._listed: list[tuple[str, float]] = []  # by its attribute `edges`
        self._total = 0

    def take(self, tag: str, attributes: dict[str, str], depth: int) -> None:
        if depth == 1 and tag == "net":
            self._xml.fail("starts with <net>: that is a network; give it with --net")
        if tag in ("taz", "district"):
            self._start_zone(attributes, depth)
        elif self._zone is not None and depth == self._depth + 1:
            if tag in ("tazSource", "dsource"):
                self._add(self._zone.sources, attributes)
            elif tag in ("tazSink", "dsink"):
                self._add(self._zone.sinks, attributes)

    def finish(self) -> None:
        self._complete()
        self._problems.raise_any()

    def _start_zone(self, attributes: dict[str, str], depth: int) -> None:
        self._complete()
        name = attributes.get("id", "")
        if not name or name in self._zones:
            self._problems.add(self._xml.line, f"taz {shown(name)}: no id, or defined before")
        listed = attributes.get("edges", "").split()
        self._total += len(listed)
        if self._total > MAX_ZONE_EDGES:
            self._xml.fail(f"more than {MAX_ZONE_EDGES} edges in zones")
        self._listed = [(edge, 1.0) for edge in listed if edge in self._edges]
        self._zone, self._depth = Zone(), depth
        self._zones[name] = self._zone

    def _complete(self) -> None:
        if self._zone is not None:
            self._zone.sources = self._zone.sources or self._listed
            self._zone.sinks = self._zone.sinks or self._listed

    def _add(self, into: list[tuple[str, float]], attributes: dict[str, str]) -> None:
        edge, text = attributes.get("id", ""), attributes.get("weight", "1")
        weight = number(text)
        if not 0 <= weight < 1e9:
            self._problems.add(self._xml.line, f"weight is {shown(text)}; give a number from 0")
        elif weight > 0 and edge in self._edges:
            into.append((edge, weight))
