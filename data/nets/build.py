"""How the frozen road networks and trips of this folder were made, all but `grid_3x3.net.xml`.

Run from the repository root: `python -m data.nets.build`; it needs the `netconvert` of the SUMO
wheel. Using the files does not. What they are for, and what was measured on them: README.md.
"""

import hashlib
import re
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import sumo

FOLDER = Path(__file__).resolve().parent
STREET_MPS = 13.89  # 50 km/h
NECK_M = 20.0  # a neck lets one vehicle pass every 1 + 7.5/v seconds
GRID_COLUMNS = {"A": "south", "B": "north", "C": "north", "D": "south", "E": "north"}
GRID_ROWS = range(5)
GRID_OD_ROWS = (2, 3)  # drivers go from west to east in these rows
BLOCK_M = 120.0
SIDE_MPS = 8.33  # 30 km/h, in the columns
CAR = '<vType id="car" sigma="0" speedDev="0"/>'


@dataclass(frozen=True, slots=True, kw_only=True)
class Street:
    """One direction of a street; its drawing may be shorter than its `length_m`."""

    name: str
    start: str
    end: str
    length_m: float
    speed_mps: float = STREET_MPS
    num_lanes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Junctions by position, streets, and who may turn where; () leaves that to netconvert."""

    junctions: dict[str, tuple[float, float]]
    streets: tuple[Street, ...]
    turns: tuple[tuple[str, int, str, int], ...] = ()  # street and lane, street and lane
    zippers: frozenset[str] = frozenset()  # junctions where streams merge one by one


@dataclass(frozen=True, slots=True)
class Trip:
    """A driver who wants to leave at `depart_s`."""

    depart_s: float
    origin: str
    destination: str


def two_route() -> Plan:
    """A short way through a neck, and a long way round (Pigou, 1920; Vickrey, 1969)."""
    return Plan(
        junctions={
            "west": (0, 0),
            "fork": (50, 0),
            "jam": (100, 0),
            "gate": (120, 0),
            "merge": (150, 0),
            "east": (180, 0),
        },
        streets=(
            Street(name="entry", start="west", end="fork", length_m=50, num_lanes=2),
            Street(name="queue", start="fork", end="jam", length_m=200),
            Street(name="neck", start="jam", end="gate", length_m=NECK_M, speed_mps=1.5),
            Street(name="after", start="gate", end="merge", length_m=40),
            Street(name="detour", start="fork", end="merge", length_m=1000),
            Street(name="exit", start="merge", end="east", length_m=50, num_lanes=2),
        ),
        turns=(
            ("entry", 0, "queue", 0),
            ("entry", 1, "detour", 0),
            ("queue", 0, "neck", 0),
            ("neck", 0, "after", 0),
            ("after", 0, "exit", 0),
            ("detour", 0, "exit", 1),
        ),
    )


def braess(*, shortcut_m: float | None) -> Plan:
    """Two ways of a neck and a long street each, in opposite order (Braess, 1968).

    With `shortcut_m` a street leads from behind the first neck to before the second one.
    """
    shortcut = () if shortcut_m is None else (shortcut_m,)
    return Plan(
        junctions={
            "west": (0, 0),
            "fork": (50, 0),
            "jam_a": (100, 50),
            "north": (150, 50),
            "south": (150, -50),
            "jam_b": (200, -50),
            "merge": (250, 0),
            "east": (300, 0),
        },
        streets=(
            Street(name="entry", start="west", end="fork", length_m=50, num_lanes=2),
            Street(name="queue_a", start="fork", end="jam_a", length_m=150),
            Street(name="neck_a", start="jam_a", end="north", length_m=NECK_M, speed_mps=1.5),
            Street(name="long_a", start="north", end="merge", length_m=850),
            Street(name="long_b", start="fork", end="south", length_m=850),
            *(
                Street(name="shortcut", start="north", end="south", length_m=length_m)
                for length_m in shortcut
            ),
            Street(name="queue_b", start="south", end="jam_b", length_m=150),
            Street(name="neck_b", start="jam_b", end="merge", length_m=NECK_M, speed_mps=1.5),
            Street(name="exit", start="merge", end="east", length_m=50, num_lanes=2),
        ),
        turns=(
            ("entry", 1, "queue_a", 0),
            ("entry", 0, "long_b", 0),
            ("queue_a", 0, "neck_a", 0),
            ("neck_a", 0, "long_a", 0),
            *(("neck_a", 0, "shortcut", 0) for _ in shortcut),
            *(("shortcut", 0, "queue_b", 0) for _ in shortcut),
            ("long_b", 0, "queue_b", 0),
            ("queue_b", 0, "neck_b", 0),
            ("long_a", 0, "exit", 1),
            ("neck_b", 0, "exit", 0),
        ),
        zippers=frozenset({"south"} if shortcut else ()),
    )


def grid() -> Plan:
    """Five streets west to east cross five one-way streets; a river parts columns C and D.

    A narrow bridge in row 2 and a long one in row 0 cross it. No street leads from C1 to C2.
    """
    columns = list(GRID_COLUMNS)
    places = {
        f"{column}{row}": (at * BLOCK_M, row * BLOCK_M)
        for at, column in enumerate(columns)
        for row in GRID_ROWS
    }
    west_x, east_x = -BLOCK_M, len(columns) * BLOCK_M
    ends = {f"W{row}": (west_x, row * BLOCK_M) for row in GRID_OD_ROWS}
    ends |= {f"X{row}": (east_x, row * BLOCK_M) for row in GRID_OD_ROWS}
    near_x, far_x, row_y = places["C2"][0] + 50, places["C2"][0] + 70, places["C2"][1]
    banks = {
        "east_jam": (near_x, row_y),
        "east_gate": (far_x, row_y),
        "west_jam": (far_x, row_y + 10),
        "west_gate": (near_x, row_y + 10),
    }
    return Plan(
        junctions={**places, **ends, **banks},
        streets=(*grid_rows(columns), *grid_bridges(), *grid_columns()),
        zippers=frozenset(places),
    )


def grid_rows(columns: Sequence[str]) -> Iterator[Street]:
    """The two-way streets west to east on either side of the river, and the ways in and out."""
    for row in GRID_ROWS:
        for west, east in pairwise(columns):
            if (west, east) != ("C", "D"):
                yield from both_ways(f"{west}{row}", f"{east}{row}", BLOCK_M)
    for row in GRID_OD_ROWS:
        yield from both_ways(f"W{row}", f"A{row}", 200)
        yield from both_ways(f"E{row}", f"X{row}", 200)


def grid_bridges() -> Iterator[Street]:
    """The long bridge, and the narrow one with its banks."""
    yield from both_ways("C0", "D0", 300)
    for way, start, end in (("east", "C2", "D2"), ("west", "D2", "C2")):
        jam, gate = f"{way}_jam", f"{way}_gate"
        yield Street(name=f"{way}_approach", start=start, end=jam, length_m=50)
        yield Street(name=f"{way}_bridge", start=jam, end=gate, length_m=NECK_M, speed_mps=3)
        yield Street(name=f"{way}_bank", start=gate, end=end, length_m=50)


def grid_columns() -> Iterator[Street]:
    """The one-way streets, 30 km/h."""
    for column, way in GRID_COLUMNS.items():
        for low, high in pairwise(f"{column}{row}" for row in GRID_ROWS):
            start, end = (low, high) if way == "north" else (high, low)
            if (start, end) != ("C1", "C2"):
                yield Street(
                    name=f"{start}{end}", start=start, end=end, length_m=BLOCK_M, speed_mps=SIDE_MPS
                )


def both_ways(start: str, end: str, length_m: float) -> tuple[Street, Street]:
    """A street with a lane in each direction."""
    return (
        Street(name=f"{start}{end}", start=start, end=end, length_m=length_m),
        Street(name=f"{end}{start}", start=end, end=start, length_m=length_m),
    )


def grid_trips() -> list[Trip]:
    """A hundred drivers, row after row."""
    rows = [GRID_OD_ROWS[at % len(GRID_OD_ROWS)] for at in range(100)]
    return [Trip(2.0 * at, f"W{row}A{row}", f"E{row}X{row}") for at, row in enumerate(rows)]


def rush(num_drivers: int, headway_s: float) -> list[Trip]:
    """Drivers at equal headways from `entry` to `exit`."""
    return [Trip(at * headway_s, "entry", "exit") for at in range(num_drivers)]


def netconvert(plan: Plan, path: Path) -> None:
    """Freeze a plan: what netconvert makes of it, without its comment of date and paths."""
    with tempfile.TemporaryDirectory() as folder:
        files = {kind: Path(folder) / f"plain.{kind}.xml" for kind in ("nod", "edg", "con")}
        files["nod"].write_text(nodes_xml(plan), encoding="utf-8")
        files["edg"].write_text(edges_xml(plan.streets), encoding="utf-8")
        files["con"].write_text(connections_xml(plan), encoding="utf-8")
        made = Path(folder) / "made.net.xml"
        command = [str(Path(sumo.SUMO_HOME) / "bin" / "netconvert")]
        command += ["--node-files", str(files["nod"]), "--edge-files", str(files["edg"])]
        command += ["--connection-files", str(files["con"])] if plan.turns else []
        command += ["--no-turnarounds", "true", "--output-file", str(made)]
        subprocess.run(command, check=True)
        text = made.read_text(encoding="utf-8")
    path.write_text(re.sub(r"<!--.*?-->\s*", "", text, flags=re.DOTALL), encoding="utf-8")


def nodes_xml(plan: Plan) -> str:
    """The junctions in netconvert's words."""
    return document(
        "nodes",
        (
            f'<node id="{name}" x="{x:g}" y="{y:g}" '
            f'type="{"zipper" if name in plan.zippers else "priority"}"/>'
            for name, (x, y) in plan.junctions.items()
        ),
    )


def edges_xml(streets: Sequence[Street]) -> str:
    """The streets in netconvert's words."""
    return document(
        "edges",
        (
            f'<edge id="{street.name}" from="{street.start}" to="{street.end}" '
            f'numLanes="{street.num_lanes}" speed="{street.speed_mps:g}" '
            f'length="{street.length_m:g}"/>'
            for street in streets
        ),
    )


def connections_xml(plan: Plan) -> str:
    """The turns in netconvert's words."""
    return document(
        "connections",
        (
            f'<connection from="{source}" fromLane="{source_lane}" '
            f'to="{target}" toLane="{target_lane}"/>'
            for source, source_lane, target, target_lane in plan.turns
        ),
    )


def trips_xml(trips: Iterable[Trip]) -> str:
    """The drivers in SUMO's words, deterministic ones: they neither dawdle nor differ."""
    rows = (
        f'<trip id="{at}" type="car" depart="{trip.depart_s:.2f}" from="{trip.origin}" '
        f'to="{trip.destination}" departLane="best" departSpeed="0"/>'
        for at, trip in enumerate(trips)
    )
    return document("routes", (CAR, *rows))


def document(root: str, rows: Iterable[str]) -> str:
    """An XML file with a row a line."""
    return "\n".join([f"<{root}>", *(f"    {row}" for row in rows), f"</{root}>", ""])


def freeze(name: str, plan: Plan, trips: Iterable[Trip]) -> None:
    """Write `name`.net.xml and `name`.trips.xml."""
    netconvert(plan, FOLDER / f"{name}.net.xml")
    (FOLDER / f"{name}.trips.xml").write_text(trips_xml(trips), encoding="utf-8")


def write_checksums() -> None:
    """SHA-256 of every data file, in the format of `sha256sum`."""
    lines = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}"
        for file in sorted(FOLDER.glob("*.xml"))
    ]
    (FOLDER / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    freeze("two_route", two_route(), rush(60, 3.0))
    freeze("braess", braess(shortcut_m=None), rush(60, 3.2))
    freeze("braess_shortcut", braess(shortcut_m=20), rush(60, 3.2))
    freeze("grid", grid(), grid_trips())
    write_checksums()
