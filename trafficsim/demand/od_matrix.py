"""Reads OD matrices, SUMO's O format or its XML of `tazRelation`s, and draws trips from them.

Departures are uniform over the interval of a relation; where a count is not whole, the rest is the
probability of one more trip.
"""

import codecs
import math
from collections.abc import Collection, Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ss_core.errors import InputError
from trafficsim.demand.route_file import MAX_TRIPS
from trafficsim.demand.trips import Demand, Trip
from trafficsim.demand.zones import Zones, read_zones
from trafficsim.nets.problems import Problems
from trafficsim.nets.safe_xml import SafeXml, check_file, opened
from trafficsim.nets.sumo_text import number, shown, time_s, whole_number

WHAT = "an OD matrix ($OR format, or XML with <tazRelation>)"
MAX_LATEST_S = 31 * 86_400.0
MAX_RELATIONS = 300_000
MAX_LINE_CHARS = 10_000


class Relation(NamedTuple):
    """So many trips from a zone to another within an interval."""

    begin_s: float
    end_s: float
    origin: str
    destination: str
    trips: float
    line: int


def read_od_matrix(
    path: Path, *, edges: Collection[str], taz: Sequence[Path] = (), rng: np.random.Generator
) -> Demand:
    """Trips drawn from the matrix; without zone files its zones are edges of the net.

    Raises:
        InputError: with a line for everything that is wrong.
    """
    problems = Problems(path)
    relations = _read(path, problems)
    zones = Zones(edges, read_zones(taz, edges) if taz else None)
    for relation in relations:
        _check(relation, problems)
        _check_zone(relation.origin, "sources", relation.line, zones, problems)
        _check_zone(relation.destination, "sinks", relation.line, zones, problems)
    expected = sum(relation.trips for relation in relations if relation.trips > 0)
    if expected > MAX_TRIPS:
        problems.add(1, f"{expected:g} trips, more than {MAX_TRIPS}; scale the matrix down")
    problems.raise_any()
    found = [trip for relation in relations for trip in _trips(relation, zones, rng)]
    trips = [trip for trip in found if trip[1] != trip[2]]
    if not trips:
        raise InputError(f"{path}: no trip from an edge to another in it; give a demand")
    left_out = len(found) - len(trips)
    words = f"; left out: {left_out} x trip within one edge" if left_out else ""
    return Demand(_named(trips), (), f"{path}: {len(trips)} trips drawn{words}")


def _named(trips: list[tuple[float, str, str]]) -> tuple[Trip, ...]:
    """By departure; numbers are padded, so that ids are in the same order."""
    width = len(str(len(trips) - 1))
    return tuple(
        Trip(f"od_{at:0{width}d}", depart_s, origin, destination)
        for at, (depart_s, origin, destination) in enumerate(sorted(trips))
    )


def _check(relation: Relation, problems: Problems) -> None:
    begin_s, end_s = relation.begin_s, relation.end_s
    if not 0 <= begin_s < end_s <= MAX_LATEST_S:
        problems.add(
            relation.line,
            f"interval from {begin_s:g} s to {end_s:g} s; it must have a length, begin at 0 or "
            f"later and end by {MAX_LATEST_S:.0f} s",
        )
    if not 0 <= relation.trips < math.inf:
        problems.add(relation.line, f"count is {relation.trips:g}; give a number from 0")


def _check_zone(name: str, end: str, line: int, zones: Zones, problems: Problems) -> None:
    if zones.by_id is None:
        if name not in zones.edges:
            problems.add(line, f"zone {shown(name)} is no edge for cars; give zones with --taz")
    elif name not in zones.by_id:
        problems.add(line, f"zone {shown(name)} is in none of the zone files")
    elif not zones.ends(name, end):
        problems.add(line, f"zone {shown(name)} has no {end} that cars can use here")


def _trips(
    relation: Relation, zones: Zones, rng: np.random.Generator
) -> Iterator[tuple[float, str, str]]:
    whole = math.floor(relation.trips)
    count = whole + int(rng.random() < relation.trips - whole)
    length_s = relation.end_s - relation.begin_s
    departures_s = relation.begin_s + length_s * np.sort(rng.random(count))
    sinks = zones.ends(relation.destination, "sinks")
    origins = _drawn(zones.ends(relation.origin, "sources"), count, rng)
    destinations = _drawn(sinks, count, rng)
    for depart_s, origin, drawn in zip(departures_s.tolist(), origins, destinations, strict=True):
        destination = drawn
        others = [each for each in sinks if each[0] != origin] if drawn == origin else []
        if others:
            destination = _drawn(others, 1, rng)[0]
        yield math.floor(depart_s * 100) / 100, origin, destination


def _drawn(edges: Sequence[tuple[str, float]], count: int, rng: np.random.Generator) -> list[str]:
    if len(edges) == 1:
        return [edges[0][0]] * count
    weights = np.array([weight for _, weight in edges])
    picked = rng.choice(len(edges), size=count, p=weights / weights.sum())
    return [edges[at][0] for at in picked.tolist()]


def _read(path: Path, problems: Problems) -> list[Relation]:
    check_file(path, WHAT)
    try:
        with opened(path) as file:
            start = file.read(64).removeprefix(codecs.BOM_UTF8).lstrip()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; give {WHAT} that can be read") from error
    if start.startswith(b"$"):
        return list(_o_format(path, problems))
    relations: list[Relation] = []
    xml = SafeXml(path, WHAT, roots=frozenset({"data"}))
    xml.read(_RelationReader(xml, relations).take)
    return relations


class _RelationReader:
    """`<data><interval begin end><tazRelation from to count/>`; `edgeRelation` names edges."""

    def __init__(self, xml: SafeXml, relations: list[Relation]) -> None:
        self._xml = xml
        self._relations = relations
        self._interval_s = (math.nan, math.nan)

    def take(self, tag: str, attributes: dict[str, str], depth: int) -> None:
        get = attributes.get
        if depth == 2 and tag == "interval":
            self._interval_s = (time_s(get("begin", "")), time_s(get("end", "")))
        elif depth == 3 and tag in ("tazRelation", "edgeRelation"):
            if len(self._relations) == MAX_RELATIONS:
                self._xml.fail(f"more than {MAX_RELATIONS} relations")
            count = number(get("count", ""))
            ends = get("from", ""), get("to", "")
            self._relations.append(Relation(*self._interval_s, *ends, count, self._xml.line))


def _o_format(path: Path, problems: Problems) -> Iterator[Relation]:
    """`$OR`, then `begin end` in hours.minutes, a factor, and lines `origin destination count`."""
    lines = _lines(path)
    number_of_line, header = next(lines)
    kind = header[1:].split(";")[0].strip().upper()
    if not kind.startswith("O") or "M" in kind:
        raise InputError(
            f"{path}:{number_of_line}: {shown(header)} is not supported; give the O format "
            "without vehicle types, $OR"
        )
    times, factor = next(lines, (0, "")), next(lines, (0, ""))
    interval = times[1].replace(",", " ").split()
    scale = number(factor[1])
    if len(interval) != 2 or not math.isfinite(scale):
        problems.add(
            times[0] or number_of_line, "after $OR: a line `begin end`, then one with a factor"
        )
        return
    begin_s, end_s = map(_hours_minutes_s, interval)
    for at, line in lines:
        fields = line.split()
        if len(fields) == 3:
            yield Relation(begin_s, end_s, fields[0], fields[1], number(fields[2]) * scale, at)
        else:
            problems.add(at, f"{shown(line)}: give origin, destination and count")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines without comments, with their numbers."""
    try:
        with opened(path) as packed, TextIOWrapper(packed, encoding="utf-8-sig") as file:
            at = 0
            while line := file.readline(MAX_LINE_CHARS):
                at += 1
                if len(line) == MAX_LINE_CHARS or at > 2 * MAX_RELATIONS:
                    raise InputError(f"{path}:{at}: longer than an OD matrix may be")
                line = line.strip()
                if line and not line.startswith("*"):
                    yield at, line
    except (UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: {error}; give {WHAT} as text in UTF-8") from error


def _hours_minutes_s(text: str) -> float:
    """`7.30` is half past seven."""
    hours, _, minutes = text.partition(".")
    whole = whole_number(hours), whole_number(minutes)
    if whole[0] is None or whole[1] is None or whole[1] > 59:
        return math.nan
    return whole[0] * 3600.0 + whole[1] * 60.0
