"""Road networks of a few streets, written by hand, and games on them. Not collected by pytest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trafficsim.demand.candidate_routes import CandidateConfig
from trafficsim.demand.trips import Demand, Trip, VehicleType
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import RoadGraph, build_road_graph
from trafficsim.routing.game import RoutingGame, build_game
from trafficsim.sumo.simulation import SumoConfig

QUIET = VehicleType("car", (("sigma", "0"), ("speedDev", "0")))
STANDING = (("departLane", "best"), ("departSpeed", "0"))
NOISY = VehicleType("car", (("sigma", "0.5"), ("speedDev", "0.1")))


@dataclass(frozen=True, slots=True)
class Street:
    """One direction of a street; 10 m/s makes free-flow times a tenth of lengths."""

    name: str
    start: str
    end: str
    length_m: float
    speed_m_per_s: float = 10.0
    lanes: int = 1
    rule: str = ""  # attributes of all its lanes


def net_text(streets: Sequence[Street], turns: Sequence[tuple[str, str]]) -> str:
    """A net that SUMO reads; lane 0 leads to lane 0, a second lane to a second one."""
    by_name = {street.name: street for street in streets}
    junctions = sorted({end for street in streets for end in (street.start, street.end)})
    place = {name: 100 * at for at, name in enumerate(junctions)}
    lines = ['<net version="1.20">', "<location netOffset='0,0' convBoundary='0,0,999,9'"]
    lines[1] += " origBoundary='0,0,999,9' projParameter='!'/>"
    for each in streets:
        lines.append(f'<edge id="{each.name}" from="{each.start}" to="{each.end}" priority="1">')
        shape = f"{place[each.start]},0 {place[each.end]},{1 + 0 * place[each.end]}"
        lines += [
            f'<lane id="{each.name}_{lane}" index="{lane}" speed="{each.speed_m_per_s}" '
            f'length="{each.length_m}" {each.rule} shape="{shape}"/>'
            for lane in range(each.lanes)
        ]
        lines.append("</edge>")
    for name in junctions:
        incoming = [f"{s.name}_{lane}" for s in streets if s.end == name for lane in range(s.lanes)]
        kind = "unregulated" if any(s.start == name for s in streets) else "dead_end"
        lines.append(
            f'<junction id="{name}" type="{kind}" x="{place[name]}" y="0" '
            f'incLanes="{" ".join(incoming)}" intLanes="" shape="{place[name]},0 {place[name]},1"/>'
        )
    for number, (source, target) in enumerate(turns):
        before = sum(turn[0] == source for turn in turns[:number])
        lane = min(before, by_name[source].lanes - 1)
        after = sum(turn[1] == target for turn in turns[:number])
        to = min(after, by_name[target].lanes - 1)
        lines.append(
            f'<connection from="{source}" to="{target}" fromLane="{lane}" toLane="{to}" '
            'dir="s" state="M"/>'
        )
    return "\n".join([*lines, "</net>", ""])


# a short way through a neck that lets a vehicle pass every 6 s, and a way round it:
# 5 + 10 + 13.3 + 5 s and 5 + 30 + 5 s on empty roads
TWO_ROUTE = net_text(
    [
        Street("entry", "a", "b", 50, lanes=2),
        Street("queue", "b", "c", 100),
        Street("neck", "c", "d", 20, 1.5),
        Street("detour", "b", "d", 300),
        Street("exit", "d", "e", 50, lanes=2),
    ],
    [
        ("entry", "queue"),
        ("entry", "detour"),
        ("queue", "neck"),
        ("neck", "exit"),
        ("detour", "exit"),
    ],
)
# one way only, where cars queue for the neck
ONE_ROUTE = net_text(
    [
        Street("entry", "a", "b", 250),
        Street("neck", "b", "c", 20, 1.5),
        Street("exit", "c", "d", 50),
    ],
    [("entry", "neck"), ("neck", "exit")],
)


def write_net(folder: Path, text: str, name: str = "small.net.xml") -> Path:
    """The file of a net."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text)
    return path


def graph_of(folder: Path, text: str) -> RoadGraph:
    """The graph of a net."""
    return build_road_graph(read_records(write_net(folder, text)))


def trips(count: int, headway_s: float = 3.0, kind: VehicleType = QUIET) -> Demand:
    """Drivers from `entry` to `exit`, one after the other."""
    drivers = tuple(
        Trip(f"d{number}", number * headway_s, "entry", "exit", kind.type_id, attributes=STANDING)
        for number in range(count)
    )
    return Demand(drivers, (kind,), "by hand")


def small_game(
    folder: Path,
    demand: Demand,
    *,
    net: str = TWO_ROUTE,
    sumo: SumoConfig | None = None,
    share: float = 1.0,
) -> RoutingGame:
    """The game on a small net."""
    path = write_net(folder, net)
    return build_game(
        str(path),
        build_road_graph(read_records(path)),
        demand,
        candidates=CandidateConfig(),
        sumo=sumo or SumoConfig(),
        share=share,
        rng=np.random.default_rng(0),
    )
