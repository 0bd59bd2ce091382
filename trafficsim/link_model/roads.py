"""From a SUMO net and the routes on it to the link model's tables.

Everything is read from the net file: lengths, limits, which lanes lead where, who yields to whom
(the junctions' `request` rows), programs of lights. What the model does not know is named.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from trafficsim.link_model.tables import Roads
from trafficsim.nets.network import CAR
from trafficsim.nets.read import Connection, Edge, Lane, NetRecords, Phase, TrafficLight
from trafficsim.nets.sumo_text import time_s

LEAST_SPEED_M_PER_S = 0.1
KNOWN_JUNCTIONS = frozenset(
    (
        *("priority", "priority_stop", "right_before_left", "left_before_right", "allway_stop"),
        *("traffic_light", "traffic_light_right_on_red", "traffic_light_unregulated"),
        *("zipper", "unregulated", "dead_end", "internal"),
    )
)
KNOWN_LIGHTS = frozenset(("static", "actuated"))
YIELDS_TO_NOBODY = "zipper"  # one by one instead


@dataclass(frozen=True, slots=True)
class Movement:
    """From a lane, through a junction, to an edge."""

    lane: int
    from_edge: str
    to_edge: str
    wait_m: float  # length of the place inside the junction where one may wait; 0: none
    inside_m: float
    speed_m_per_s: float  # the least limit on the way through
    is_minor: bool
    light: str
    link: int  # place in the light's state
    junction: str
    index: int  # of the link in the junction's right of way; -1: unknown


def roads_of(
    records: NetRecords, routes: Sequence[Sequence[str]]
) -> tuple[Roads, tuple[str, ...], tuple[str, ...]]:
    """Tables of the edges that `routes` (edge ids) use, those edges' ids, what is not modelled.

    A route must be passable for cars: every edge leads to the next.
    """
    edges = {edge.edge_id: edge for edge in records.edges}
    used = tuple(sorted({edge for route in routes for edge in route}))
    lanes = {
        edge: [lane for lane in edges[edge].lanes if lane.permits(CAR)] or edges[edge].lanes
        for edge in used
    }
    number = {edge: at for at, edge in enumerate(used)}
    counts = [len(lanes[edge]) for edge in used]
    edge_lane = _starts(counts)
    lane_at = {
        (edge, lane.lane_index): int(edge_lane[number[edge]]) + at
        for edge in used
        for at, lane in enumerate(lanes[edge])
    }
    moves = _movements(records, edges, lane_at, _pairs(routes))
    lights = _programs(records, {move.light for move in moves})
    waiting = [at for at, move in enumerate(moves) if move.wait_m > 0.0]
    inner = np.full(len(moves), -1, dtype=np.int64)
    inner[waiting] = edge_lane[-1] + np.arange(len(waiting))
    lane_edge = np.repeat(np.arange(len(used)), counts)
    inside_m = [moves[at].wait_m for at in waiting]
    limits = {edge: max(_speed(lane) for lane in lanes[edge]) for edge in used}
    legs, between = _legs(routes, number, moves)
    roads = Roads(
        edge_length_m=np.array([lanes[edge][0].length_m for edge in used]),
        edge_speed_m_per_s=np.array([limits[edge] for edge in used]),
        edge_lane=edge_lane,
        lane_length_m=np.array([e.length_m for edge in used for e in lanes[edge]] + inside_m),
        lane_edge=np.append(lane_edge, lane_edge[[moves[at].lane for at in waiting]]),
        movement_inner=inner,
        route_first=_starts([len(route) for route in routes])[:-1],
        route_edge=_whole(legs),
        leg_first=_starts([len(row) for row in between]),
        leg_movement=_whole([move for row in between for move in row]),
        **_movement_tables(moves, limits, [light.name for light in lights]),
        **_conflict_tables(records, moves),
        **_light_tables(lights),
    )
    return roads, used, _unknown(records, moves, lights)


def _movement_tables(
    moves: Sequence[Movement], limits: Mapping[str, float], lights: Sequence[str]
) -> dict[str, ndarray]:
    numbers = {name: at for at, name in enumerate(lights)}
    speeds = [min(move.speed_m_per_s, limits[move.to_edge]) for move in moves]
    return {
        "movement_lane": _whole([move.lane for move in moves]),
        "movement_inside_m": np.array([move.inside_m for move in moves], dtype=float),
        "movement_speed_m_per_s": np.array(speeds, dtype=float),
        "movement_is_minor": np.array([move.is_minor for move in moves], dtype=bool),
        "movement_light": _whole([numbers.get(move.light, -1) for move in moves]),
        "movement_link": _whole([move.link for move in moves]),
    }


def _conflict_tables(records: NetRecords, moves: Sequence[Movement]) -> dict[str, ndarray]:
    foes, yields, merges = _conflicts(records, moves)
    return {
        "conflict_first": _starts([len(row) for row in foes]),
        "conflict_movement": _whole([other for row in foes for other in row]),
        "conflict_yields": np.array([flag for row in yields for flag in row], dtype=bool),
        "conflict_merges": np.array([flag for row in merges for flag in row], dtype=bool),
    }


def _light_tables(lights: Sequence[TrafficLight]) -> dict[str, ndarray]:
    rows = [_phases(light) for light in lights]
    phases = [phase for row in rows for phase in row]
    offsets_s = [_or_zero(time_s(light.offset)) for light in lights]
    return {
        "phase_first": _starts([len(row) for row in rows]),
        "phase_s": np.array([time_s(phase.duration) for phase in phases], dtype=float),
        "phase_shortest_s": np.array([_shortest_s(phase) for phase in phases], dtype=float),
        "phase_longest_s": np.array([_longest_s(phase) for phase in phases], dtype=float),
        "phase_state": _letters([phase.state for phase in phases]),
        "light_offset_s": np.array(offsets_s, dtype=float),
    }


def _movements(
    records: NetRecords,
    edges: dict[str, Edge],
    lane_at: dict[tuple[str, int | None], int],
    wanted: set[tuple[str, str]],
) -> list[Movement]:
    inner = {
        lane.lane_id: lane
        for edge in records.edges
        if edge.function == "internal"
        for lane in edge.lanes
    }
    onward = {
        f"{each.from_edge}_{each.from_lane}": each.via
        for each in records.connections
        if each.via and each.from_edge.startswith(":")
    }
    minor = _minor_links(records)
    found = []
    for each in records.connections:
        at = lane_at.get((each.from_edge, each.from_lane))
        if at is None or (each.from_edge, each.to_edge) not in wanted:
            continue
        parts_m, speed = _through(each, inner, onward)
        junction, index = _link(each.via)
        found.append(
            Movement(
                lane=at,
                from_edge=each.from_edge,
                to_edge=each.to_edge,
                wait_m=parts_m[0] if len(parts_m) > 1 else 0.0,
                inside_m=sum(parts_m),
                speed_m_per_s=min(speed, _speed(edges[each.from_edge].lanes[each.from_lane or 0])),
                is_minor=not each.traffic_light and (junction, index) in minor,
                light=each.traffic_light or "",
                link=each.link_index if each.link_index is not None else -1,
                junction=junction,
                index=index,
            )
        )
    return found


def _through(
    connection: Connection, inner: Mapping[str, Lane], onward: Mapping[str, str]
) -> tuple[list[float], float]:
    """Lengths of the lanes within the junction, one after the other, and their least limit."""
    parts_m, speed, via = list[float](), math.inf, connection.via or ""
    while via in inner and len(parts_m) < len(inner):
        parts_m.append(inner[via].length_m)
        speed = min(speed, _speed(inner[via]))
        via = onward.get(via, "")
    return parts_m, speed


def _link(via: str | None) -> tuple[str, int]:
    """Junction and link number that the name of an inner lane stands for, `:junction_edge_lane`."""
    parts = (via or "").removeprefix(":").rsplit("_", 2)
    if len(parts) < 3 or not (parts[1].isdigit() and parts[2].isdigit()):
        return "", -1
    return parts[0], int(parts[1]) + int(parts[2])


def _minor_links(records: NetRecords) -> set[tuple[str, int | None]]:
    """Links that yield to another one."""
    return {(each.junction, each.link) for each in records.requests if "1" in each.response}


def _conflicts(
    records: NetRecords, moves: Sequence[Movement]
) -> tuple[list[list[int]], list[list[bool]], list[list[bool]]]:
    """For each movement those that cross or meet it, whether it yields to them, whether they merge.

    Vehicles of one lane follow each other and are no conflict.
    """
    requests = {(each.junction, each.link): each for each in records.requests}
    kinds = {junction.name: junction.kind for junction in records.junctions}
    at_link: dict[tuple[str, int], list[int]] = {}
    for at, move in enumerate(moves):
        at_link.setdefault((move.junction, move.index), []).append(at)
    foes: list[list[int]] = [[] for _ in moves]
    yields: list[list[bool]] = [[] for _ in moves]
    merges: list[list[bool]] = [[] for _ in moves]
    for at, move in enumerate(moves):
        row = requests.get((move.junction, move.index))
        if row is None:
            continue
        response, crossing = row.response[::-1], row.foes[::-1]
        gives_way = kinds.get(move.junction) != YIELDS_TO_NOBODY
        for link in range(max(len(response), len(crossing))):
            must_yield = response[link : link + 1] == "1"
            if not must_yield and crossing[link : link + 1] != "1":
                continue
            for other in at_link.get((move.junction, link), ()):
                if moves[other].lane != move.lane:
                    foes[at].append(other)
                    yields[at].append(must_yield and gives_way)
                    merges[at].append(moves[other].to_edge == move.to_edge)
    return foes, yields, merges


def _programs(records: NetRecords, named: set[str]) -> list[TrafficLight]:
    """The program of each light that SUMO starts with: the last one in the file."""
    last = {light.name: light for light in records.traffic_lights if light.name in named}
    return [last[name] for name in sorted(last)]


def _phases(light: TrafficLight) -> list[Phase]:
    if light.kind == "actuated":
        return light.phases
    return [phase._replace(shortest="", longest="") for phase in light.phases]


def _shortest_s(phase: Phase) -> float:
    least_s = time_s(phase.shortest) if phase.shortest else math.nan
    return least_s if math.isfinite(least_s) else time_s(phase.duration)


def _longest_s(phase: Phase) -> float:
    most_s = time_s(phase.longest) if phase.longest else math.nan
    return max(most_s, _shortest_s(phase)) if math.isfinite(most_s) else _shortest_s(phase)


def _legs(
    routes: Sequence[Sequence[str]], number: dict[str, int], moves: Sequence[Movement]
) -> tuple[list[int], list[list[int]]]:
    """Edges of all routes end to end, and movements from each to the next of its route."""
    by_pair: dict[tuple[str, str], list[int]] = {}
    for at, move in enumerate(moves):
        by_pair.setdefault((move.from_edge, move.to_edge), []).append(at)
    legs, between = [], []
    for route in routes:
        legs += [number[edge] for edge in route]
        between += [*(by_pair[pair] for pair in pairwise(route)), []]
    return legs, between


def _pairs(routes: Sequence[Sequence[str]]) -> set[tuple[str, str]]:
    return {pair for route in routes for pair in pairwise(route)}


def _unknown(
    records: NetRecords, moves: Sequence[Movement], lights: Sequence[TrafficLight]
) -> tuple[str, ...]:
    """Junctions and lights on the routes that the model drives as if they were others."""
    kinds = {junction.name: junction.kind for junction in records.junctions}
    passed = sorted({move.junction for move in moves if move.junction})
    strange = [
        f"junction {name!r} of type {kinds.get(name, '')!r}"
        for name in passed
        if kinds.get(name, "") not in KNOWN_JUNCTIONS
    ]
    strange += [
        f"traffic light {light.name!r} of type {light.kind!r}"
        for light in lights
        if light.kind not in KNOWN_LIGHTS
    ]
    bare = sum(1 for move in moves if move.index < 0)
    if bare:
        strange.append(f"{bare} turns without inner lanes, whose right of way is not known")
    return tuple(strange)


def _speed(lane: Lane) -> float:
    return max(lane.speed_m_per_s, LEAST_SPEED_M_PER_S)


def _letters(states: Sequence[str]) -> Int[ndarray, "phase link"]:
    table = np.zeros((len(states), max(map(len, states), default=1)), dtype=np.int64)
    for row, state in enumerate(states):
        table[row, : len(state)] = [ord(letter) for letter in state]
    return table


def _starts(counts: Sequence[int]) -> Int[ndarray, " starts"]:
    return np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]).astype(np.int64)


def _whole(values: Sequence[int]) -> Int[ndarray, " value"]:
    return np.array(values, dtype=np.int64)


def _or_zero(value: float) -> float:
    return value if math.isfinite(value) else 0.0
