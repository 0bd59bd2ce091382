"""What a SUMO network must keep to: each rule broken is a line of the file and a sentence.

Some of what is found here ends SUMO without a message (no version, an element out of place, an
internal lane that nothing leads to or that leads nowhere, a phase of negative length); the rest it
reports one at a time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator

from trafficsim.nets.read import ROAD, Connection, Edge, Lane, NetRecords, TrafficLight
from trafficsim.nets.sumo_text import number, shown, time_s

MAX_LENGTH_M = 1e6
MAX_SPEED_M_PER_S = 1e3
FUNCTIONS = frozenset({ROAD, "internal", "connector", "crossing", "walkingarea"})
RAIL = frozenset({"rail_signal", "rail_crossing"})  # signals without phases, named by junctions
OFF = "off"  # a kind of program, and the name of one

Problem = tuple[int, str]  # line of the file, sentence


def problems(records: NetRecords) -> Iterator[Problem]:
    """Every rule that is broken, kind by kind."""
    if records.version is None or not math.isfinite(number(records.version)):
        yield 1, f"<net> has no version but {records.version!r}; netconvert writes one"
    junctions = {junction.name for junction in records.junctions}
    yield from _duplicates("junction", ((item.name, item.line) for item in records.junctions))
    yield from _duplicates("edge", ((edge.edge_id, edge.line) for edge in records.edges))
    yield from _duplicates(
        "lane", ((lane.lane_id, lane.line) for edge in records.edges for lane in edge.lanes)
    )
    for edge in records.edges:
        yield from _edge_problems(edge, junctions)
    for stray in records.strays:
        yield stray.line, f"<{stray.tag}> is out of place here"
    yield from _light_problems(records.traffic_lights)
    yield from _all_connection_problems(records)
    yield from _via_problems(records)


def _duplicates(kind: str, names: Iterable[tuple[str, int]]) -> Iterator[Problem]:
    first_line: dict[str, int] = {}
    for name, line in names:
        if not name:
            yield line, f"{kind} without an id"
        elif name in first_line:
            yield line, f"{kind} {shown(name)} was defined in line {first_line[name]} already"
        else:
            first_line[name] = line


def _edge_problems(edge: Edge, junctions: set[str]) -> Iterator[Problem]:
    if edge.function not in FUNCTIONS:
        yield edge.line, f"{_name(edge)}: function {shown(edge.function)} is unknown"
    if not edge.lanes:
        yield edge.line, f"{_name(edge)} has no lane"
    for position, lane in enumerate(edge.lanes):
        yield from _lane_problems(lane, position)
    if not edge.is_road:
        return
    if " " in edge.edge_id:
        yield edge.line, f"{_name(edge)}: no route can name an id with blanks"
    for end, junction in (("from", edge.from_junction), ("to", edge.to_junction)):
        if junction is None:
            yield edge.line, f"{_name(edge)} lacks the attribute {end!r}"
        elif junction not in junctions:
            yield edge.line, f"{_name(edge)}: {end} junction {shown(junction)} does not exist"


def _name(edge: Edge) -> str:
    return f"edge {shown(edge.edge_id)}"


def _lane_problems(lane: Lane, position: int) -> Iterator[Problem]:
    quantities = (
        ("length", lane.length_m, MAX_LENGTH_M),
        ("speed", lane.speed_m_per_s, MAX_SPEED_M_PER_S),
    )
    for name, value, most in quantities:
        if not 0 < value <= most:
            yield (
                lane.line,
                f"lane {shown(lane.lane_id)}: {name} is {value:g}; "
                f"it must be above 0 and at most {most:g}",
            )
    if lane.lane_index != position:
        has = "no index" if lane.lane_index is None else f"index {lane.lane_index}"
        yield (
            lane.line,
            f"lane {shown(lane.lane_id)} has {has} where {position} is due; "
            "lanes are numbered from 0 without gaps",
        )
    if not lane.has_shape:
        yield lane.line, f"lane {shown(lane.lane_id)}: its shape is no line of two points or more"


def _off_problems(lights: list[TrafficLight]) -> Iterator[Problem]:
    """Programs that switch a light off, at which SUMO (1.28) ends without a word."""
    off = [light for light in lights if light.kind == OFF]
    if off:
        names = ",".join(dict.fromkeys(light.name for light in off))
        yield (
            off[0].line,
            f"tlLogic {shown(off[0].name)} is of type 'off', at which SUMO ends without a word; "
            f"`netconvert -s NET --tls.unset {names} -o without.net.xml` takes such lights out, "
            "and priorities hold as they do where a light is off",
        )
    for light in lights:
        if light.program == OFF:
            yield (
                light.line,
                f"tlLogic {shown(light.name)} with program 'off', at which SUMO ends without a "
                "word where it stands in a net; move the element to an additional file",
            )


def _light_problems(lights: list[TrafficLight]) -> Iterator[Problem]:
    yield from _off_problems(lights)
    first_line: dict[tuple[str, str], int] = {}
    for light in lights:
        known = first_line.setdefault((light.name, light.program), light.line)
        if known != light.line:
            yield (
                light.line,
                f"tlLogic {shown(light.name)} with program {shown(light.program)} "
                f"was defined in line {known} already",
            )
        if not light.phases and light.kind not in RAIL and light.program != OFF:
            yield light.line, f"tlLogic {shown(light.name)} has no phase"
        for phase in light.phases:
            if not 0 < time_s(phase.duration) < math.inf:
                yield (
                    phase.line,
                    f"tlLogic {shown(light.name)}: duration is {shown(phase.duration)}; "
                    "it must be above 0",
                )


def _all_connection_problems(records: NetRecords) -> Iterator[Problem]:
    edges = {edge.edge_id: edge for edge in records.edges}
    states = {junction.name: math.inf for junction in records.junctions if junction.kind in RAIL}
    for light in records.traffic_lights:  # a connection must find its place in one of the programs
        length = min((len(phase.state) for phase in light.phases), default=math.inf)
        states[light.name] = max(states.get(light.name, 0), length)
    for connection in records.connections:
        yield from _end_problems(connection, edges)
        yield from _control_problems(connection, states)


def _end_problems(connection: Connection, edges: dict[str, Edge]) -> Iterator[Problem]:
    ends = (
        ("from", connection.from_edge, connection.from_lane),
        ("to", connection.to_edge, connection.to_lane),
    )
    for end, edge_id, lane in ends:
        edge = edges.get(edge_id)
        if edge is None:
            yield connection.line, f"connection {end} edge {shown(edge_id)}, which does not exist"
        elif edge.line > connection.line:
            yield connection.line, f"connection {end} {_name(edge)} of line {edge.line}, further on"
        elif lane is None or lane >= len(edge.lanes):
            which = "without a lane number" if lane is None else f"lane {lane}"
            yield (
                connection.line,
                f"connection {end} {_name(edge)} {which}; it has {len(edge.lanes)} lanes",
            )


def _control_problems(connection: Connection, states: dict[str, float]) -> Iterator[Problem]:
    light, index = connection.traffic_light, connection.link_index
    if light is None:
        return
    length = states.get(light)
    if length is None:
        yield (
            connection.line,
            f"connection under traffic light {shown(light)}, which has no tlLogic",
        )
    elif length < math.inf and (index is None or index >= length):
        which = "without a linkIndex" if index is None else f"with linkIndex {index}"
        yield (
            connection.line,
            f"connection under traffic light {shown(light)} {which}; its phases have {length:g}",
        )


def _via_problems(records: NetRecords) -> Iterator[Problem]:
    """Inside a junction each lane has one connection that leads to it, and goes on somewhere."""
    lanes = {lane.lane_id for edge in records.edges for lane in edge.lanes}
    used = Counter(each.via for each in records.connections if each.via)
    inner = {edge.edge_id for edge in records.edges if edge.function == "internal"}
    left = {
        (each.from_edge, each.from_lane) for each in records.connections if each.from_edge in inner
    }
    for each in records.connections:
        if each.via and each.via not in lanes:
            yield each.line, f"connection via lane {shown(each.via)}, which does not exist"
        elif each.via and used[each.via] > 1:
            yield each.line, f"connection via lane {shown(each.via)}, as another one is"
    for edge in records.edges:
        for at, lane in enumerate(edge.lanes if edge.function == "internal" else ()):
            if lane.lane_id not in used:
                yield lane.line, f"no connection leads via internal lane {shown(lane.lane_id)}"
            if (edge.edge_id, at) not in left:
                yield lane.line, f"internal lane {shown(lane.lane_id)} leads nowhere"
