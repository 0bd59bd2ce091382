"""SUMO's own assignment tool, `duaIterate.py`, on the same trips: a cross-check, no reference.

It routes by duarouter and simulates, again and again (Gawron, 1998). What its drivers do in the
last iteration is scored by our own simulation, so that its times are comparable with ours.
"""

import gzip
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.errors import InputError, SimulatorError
from ss_core.resources import install_command
from trafficsim.nets.catalogue import PROGRAMS
from trafficsim.routing.game import RoutingGame
from trafficsim.sumo.process import child_command
from trafficsim.sumo.simulation import Scene, types_xml

LOOKED_BACK = 10  # iterations whose means say how calm it has become
TRIPS = "trips"  # the tool names all its files after this one


@dataclass(frozen=True, slots=True, kw_only=True)
class DuaConfig:
    """Settings of the tool: what it has by default, too."""

    iterations: int = 50
    aggregation_s: int = 900  # over which it averages travel times of links
    time_limit_s: float = 1800.0

    def __post_init__(self) -> None:
        if self.iterations < 1 or self.aggregation_s < 1 or not self.time_limit_s > 0.0:
            raise ValueError("iterations and aggregation_s at least 1, time_limit_s above 0")


@dataclass(frozen=True, slots=True)
class Assignment:
    """What drivers do in the last iteration, and how the mean went."""

    scene: Scene  # with routes added that are none of the game's
    choices: Int[ndarray, " vehicle"]  # route numbers there
    actions: Int[ndarray, " N"]  # of drivers: the alternative taken, or the one most like it
    unmatched: int  # drivers on a route that is none of their alternatives
    mean_s: Float[ndarray, " iteration"]  # travel time, by the tool's own files

    def method(self, config: DuaConfig) -> str:
        """How it was found, in a line."""
        last_s = self.mean_s[-LOOKED_BACK:]
        other = f"; {self.unmatched} drivers on other routes" if self.unmatched else ""
        return (
            f"duaIterate, {config.iterations} iterations (Gawron, -a {config.aggregation_s}), "
            f"the last {len(last_s)} between {last_s.min():.1f} and {last_s.max():.1f} s{other}"
        )


def assign(
    game: RoutingGame, scene: Scene, folder: Path, seed: int, config: DuaConfig
) -> Assignment:
    """Run the tool on the scene's trips in `folder`, which is removed afterwards.

    All vehicles are routed, those too that have no part in the game.

    Raises:
        InputError: the tool is not installed.
        SimulatorError: it failed, or took too long.
    """
    shutil.rmtree(folder, ignore_errors=True)  # of one that was killed
    folder.mkdir(parents=True)
    try:
        (folder / f"{TRIPS}.xml").write_text(trips_xml(game, scene), encoding="utf-8")
        _run([*_command(scene, seed, config)], folder, config.time_limit_s)
        last = config.iterations - 1
        taken = _routes_taken(folder / f"{last:03d}" / f"{TRIPS}_{last:03d}.rou.xml.gz")
        means = [_mean_s(folder, number) for number in range(config.iterations)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return assignment(game, scene, [taken[name] for name in scene.vehicle_ids], np.array(means))


def trips_xml(game: RoutingGame, scene: Scene) -> str:
    """Who wants to go from where to where, and when; in order of departure."""
    head = types_xml(scene.types).replace("additional>", "routes>").removesuffix("</routes>\n")
    order = np.argsort(scene.depart_s, kind="stable").tolist()
    entries = scene.entries()
    lines = (_trip_line(game, scene, at, entries[at]) for at in order)
    return "".join([head, *lines, "</routes>\n"])


def _trip_line(game: RoutingGame, scene: Scene, at: int, entry: Mapping[str, str]) -> str:
    origin, destination = game.od_pairs[game.od[at]]
    attributes = {
        "id": scene.vehicle_ids[at],
        "type": scene.type_ids[at],
        "depart": f"{scene.depart_s[at]:.2f}",
        "from": origin,
        "to": destination,
        **entry,
    }
    return (
        f"<trip {' '.join(f'{name}={quoteattr(value)}' for name, value in attributes.items())}/>\n"
    )


def _command(scene: Scene, seed: int, config: DuaConfig) -> list[str]:
    command = child_command("trafficsim.references.duaiterate_child")
    command += [str(tool_home() / "tools/assign/duaIterate.py")]
    command += ["--net-file", scene.net, "--trips", f"{TRIPS}.xml", "--disable-warnings"]
    command += ["--begin", f"{scene.begin_s:.0f}", "--last-step", str(config.iterations)]
    command += ["--aggregation", str(config.aggregation_s), "--disable-summary"]
    command += ["--time-to-teleport", f"{scene.sumo.time_to_teleport_s:g}"]
    command += ["--mesosim"] if scene.sumo.meso else []
    return [*command, "sumo--seed", str(seed), "duarouter--seed", str(seed)]


def tool_home() -> Path:
    """Where the wheel with SUMO's programs and tools lies.

    Raises:
        InputError: it is not installed.
    """
    spec = importlib.util.find_spec("sumo")
    places = [] if spec is None else list(spec.submodule_search_locations or [])
    for place in places:
        if (Path(place) / "tools/assign/duaIterate.py").is_file():
            return Path(place)
    raise InputError(
        "duaIterate.py and duarouter are not installed (no package eclipse-sumo); "
        f"{install_command(PROGRAMS)}, or leave --cross-check out"
    )


def _run(command: Sequence[str], folder: Path, time_limit_s: float) -> None:
    environment = {**os.environ, "SUMO_HOME": str(tool_home())}
    log = folder / "said.txt"
    try:
        with log.open("wb") as said:
            subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                timeout=time_limit_s,
                check=True,
            )
    except subprocess.TimeoutExpired as error:
        raise SimulatorError(f"duaIterate: not ready after {time_limit_s:g} s") from error
    except subprocess.CalledProcessError as error:
        raise SimulatorError(f"duaIterate: {_last_words(folder)}") from error


def _last_words(folder: Path) -> str:
    """SUMO's first error, or else the last line."""
    logs = [folder / "dua.log", folder / "said.txt"]
    text = "".join(log.read_text(errors="replace") for log in logs if log.exists())
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error")]
    return (errors or lines[-1:] or ["it ended without a word"])[0]


def _routes_taken(path: Path) -> dict[str, tuple[str, ...]]:
    """Edges by vehicle, from a route file that the tool wrote."""
    taken = {}
    with gzip.open(path) as file:
        for _, each in ElementTree.iterparse(file):
            if each.tag == "vehicle":
                route = each.find("route")
                assert route is not None
                taken[str(each.get("id"))] = tuple(str(route.get("edges")).split())
    return taken


def _mean_s(folder: Path, iteration: int) -> float:
    """Mean of arrival less planned departure over the vehicles that arrived."""
    path = folder / f"{iteration:03d}" / f"tripinfo_{iteration:03d}.xml"
    times = [
        float(each.get("duration", "nan")) + float(each.get("departDelay", "nan"))
        for _, each in ElementTree.iterparse(path)
        if each.tag == "tripinfo"
    ]
    return float(np.mean(times)) if times else float("nan")


def assignment(
    game: RoutingGame,
    scene: Scene,
    taken: Sequence[tuple[str, ...]],
    mean_s: Float[ndarray, " iteration"],
) -> Assignment:
    """The game's names for the routes taken, by vehicle; routes it does not have are added."""
    numbers = {route: number for number, route in reversed(list(enumerate(scene.routes)))}
    choices = np.array([numbers.setdefault(route, len(numbers)) for route in taken])
    actions, unmatched = np.zeros(game.num_drivers, dtype=np.int64), 0
    for driver, row in enumerate(game.driver_options):
        options = [scene.routes[number] for number in row[row >= 0]]
        route = taken[game.drivers[driver]]
        actions[driver] = int(np.argmax([_likeness(route, option) for option in options]))
        unmatched += route not in options
    return Assignment(
        scene=replace(scene, routes=tuple(sorted(numbers, key=lambda route: numbers[route]))),
        choices=choices,
        actions=actions,
        unmatched=unmatched,
        mean_s=mean_s,
    )


def _likeness(one: Sequence[str], other: Sequence[str]) -> float:
    """Shared edges over all edges (Jaccard, 1901): 1 for the same set."""
    return len(set(one) & set(other)) / len(set(one) | set(other))
