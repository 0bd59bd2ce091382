"""The recorded day of a row as files that SUMO opens by itself: routes and a configuration."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Int
from numpy import ndarray

from ss_core.record.atomic import atomic_write
from trafficsim.results.rows import Row
from trafficsim.routing.game import RoutingGame
from trafficsim.sumo.recording import Recording
from trafficsim.sumo.simulation import Scene, travel_times_s, type_lines

BACKGROUND = "background.add.xml"


def repeatable(
    rows: Mapping[str, Row], recordings: Mapping[str, Recording], game: RoutingGame
) -> dict[str, Int[ndarray, " vehicle"]]:
    """Routes on the recorded day of the rows that are determined by routes alone.

    Not so where lights learned, nor where drivers changed their minds on the way, as those of the
    best found may have: with the same routes from the start, times are others.
    """
    return {
        name: game.routes_of(row.actions[0])
        for name, row in rows.items()
        if row.first_day is None
        and not row.orders
        and np.array_equal(travel_times_s(game.scene, recordings[name].outcome), row.times_s[0])
    }


def write_replay(
    folder: Path, scene: Scene, days: Mapping[str, Int[ndarray, " vehicle"]], seed: int
) -> None:
    """`<row>.rou.xml` and `<row>.sumocfg` for each row, and the net once beside them.

    `days[row]` are the routes of all vehicles, `seed` is SUMO's seed of that day. Paths inside are
    relative, so that the folder may be moved. `sumo -c` gives the traced travel times. Without
    days nothing is written.

    Raises:
        ResourceError: the disk refused.
    """
    net = Path(scene.net)
    if days:
        atomic_write(folder / net.name, net.read_bytes())
    if days and scene.background:
        types = "".join(type_lines(scene.types))  # the background may name them, and is read first
        text = scene.background.replace("<additional>\n", f"<additional>\n{types}", 1)
        atomic_write(folder / BACKGROUND, text.encode())
    for name, routes in days.items():
        atomic_write(folder / f"{name}.rou.xml", route_xml(scene, routes).encode())
        atomic_write(folder / f"{name}.sumocfg", config_xml(scene, name, net.name, seed).encode())


def route_xml(scene: Scene, routes: Int[ndarray, " vehicle"]) -> str:
    """A route file: types, the routes taken, vehicles by departure."""
    types = () if scene.background else scene.types
    lines = ["<routes>", *(line.rstrip("\n") for line in type_lines(types))]
    lines += [
        f'<route id="r{number}" edges={quoteattr(" ".join(scene.routes[number]))}/>'
        for number in sorted(set(routes.tolist()))
    ]
    entries = scene.entries()
    order = scene.depart_s.argsort(kind="stable").tolist()
    for at in order:
        head = f"id={quoteattr(scene.vehicle_ids[at])} type={quoteattr(scene.type_ids[at])}"
        when = f'depart="{float(scene.depart_s[at])}"'
        where = " ".join(f"{name}={quoteattr(value)}" for name, value in entries[at].items())
        lines.append(f'<vehicle {head} route="r{routes[at]}" {when} {where}/>')
    return "\n".join([*lines, "</routes>", ""])


def config_xml(scene: Scene, name: str, net: str, seed: int) -> str:
    """A configuration with every option that decides what happens."""
    background = (("additional-files", BACKGROUND),) if scene.background else ()
    lenient = "true" if scene.ignores_route_errors else "false"
    sections: Sequence[tuple[str, Sequence[tuple[str, str]]]] = (
        ("input", (("net-file", net), ("route-files", f"{name}.rou.xml"), *background)),
        ("time", (("begin", f"{scene.begin_s:.0f}"), ("end", f"{np.ceil(scene.cap_s):.0f}"))),
        (
            "processing",
            (
                ("time-to-teleport", f"{scene.sumo.time_to_teleport_s:g}"),
                ("mesosim", "true" if scene.sumo.meso else "false"),
                ("ignore-route-errors", lenient),
                ("junction-taz", "true" if scene.names_junctions else "false"),
            ),
        ),
        ("random_number", (("seed", str(seed)),)),
        ("report", (("xml-validation", "never"), ("xml-validation.net", "never"))),
    )
    lines = ["<configuration>"]
    for section, options in sections:
        lines.append(f"    <{section}>")
        lines += [f"        <{key} value={quoteattr(value)}/>" for key, value in options]
        lines.append(f"    </{section}>")
    return "\n".join([*lines, "</configuration>", ""])
