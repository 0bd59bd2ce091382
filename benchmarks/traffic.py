"""Time of a simulated day beside plain SUMO, and beside RouteRL's day, on the same choices.

    .venv/bin/python benchmarks/traffic.py [--nets two_route,grid] [--repeats 10] [--days 8]
        [--routerl-python PATH]

All pieces of work take turns, so that all of them meet the same noise. Figures are microseconds
per vehicle-trip, least / median over the repeats; CPU time is user and system time of this process
and of its children. "Bare SUMO" is libsumo in this process: load, add vehicles, and one call until
the day is over, with nothing read. "In SUMO" is the share of the wall time of `Simulator.play` that
passes inside SUMO's calls to load, add vehicles and step, by a clock in the child process; what is
read between the steps counts as ours.
RouteRL's environment: python -m venv E; E/bin/pip install routerl==2.0.0; E/bin/pip install
--no-deps eclipse-sumo==1.28.0 libsumo==1.28.0 sumo-data==1.28.0.
"""

import argparse
import contextlib
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.clocked_server import mapped
from benchmarks.timing import Spent, spent_in
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import checked_net, drawn_demand, game_of, given_demand
from trafficsim.sumo.progress import Progress
from trafficsim.sumo.server import Simulation
from trafficsim.sumo.simulation import (
    Scene,
    Simulator,
    SumoConfig,
    sumo_arguments,
    travel_times_s,
    types_xml,
)

ROOT = Path(__file__).resolve().parent.parent
NETS = {
    "two_route": "data/nets/two_route.net.xml",
    "grid": "data/nets/grid.net.xml",
    "grid_3x3": "data/nets/grid_3x3.net.xml",
    "resco_grid4x4": "resco:grid4x4",
}
ROUTERL = {  # its day by default, and with everything left out that it can leave out
    "RouteRL": {},
    "RouteRL, teleports by SUMO, no CSV": {
        "simulator_parameters": {"use_sumo_teleport": True},
        "environment_parameters": {"save_every": 1_000_000},
    },
}
Work = Callable[[], tuple[float, float]]  # CPU and wall seconds


@dataclass(frozen=True, slots=True)
class Case:
    """A game and the days that every piece of work plays."""

    game: RoutingGame
    actions: np.ndarray  # day, driver
    folder: Path

    @property
    def scene(self) -> Scene:
        return self.game.scene

    @property
    def choices(self) -> np.ndarray:
        """Route numbers by day and vehicle."""
        return self.game.routes_of(self.actions)


def case_of(net: str, days: int, folder: Path) -> Case:
    """Days on which everybody draws an alternative; demand beside the net, or else drawn.

    Vehicles depart on the first lane: RouteRL knows no other, and its day shall be the same.
    """
    config = resolve("tuned", {"net": NETS.get(net, net)})
    config = replace(config, sumo=SumoConfig(depart_lane="first"))
    checked = checked_net(config)
    demand = given_demand(config, checked) or drawn_demand(config, checked, lambda _: None)
    game = game_of(config, checked, demand)
    rng = np.random.default_rng(0)
    count = game.option_count[game.drivers]
    return Case(game, np.stack([rng.integers(count) for _ in range(days)]), folder)


# CPU and wall time


def cpu_s() -> float:
    """Processor time of this process, of children that ended and of those that live."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(map(_of_process, _living()))


def _living() -> Iterator[int]:
    for path in Path("/proc/self/task").glob("*/children"):
        yield from map(int, path.read_text().split())


def _of_process(pid: int) -> float:
    on_processor_ns = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
    return int(on_processor_ns) * 1e-9


def measured(work: Callable[[], object]) -> tuple[float, float]:
    """CPU and wall seconds of one call."""
    started = cpu_s(), time.perf_counter()
    work()
    return cpu_s() - started[0], time.perf_counter() - started[1]


# plain SUMO


def route_file(case: Case, day: int) -> Path:
    """A day as a route file of `<vehicle>`s."""
    scene = case.scene
    path = case.folder / f"day{day}.rou.xml"
    head = types_xml(scene.types).replace("additional>", "routes>").removesuffix("</routes>\n")
    order = np.argsort(scene.depart_s, kind="stable").tolist()
    entries = scene.entries()
    vehicles = [_vehicle(scene, at, case.choices[day, at], entries[at]) for at in order]
    path.write_text("".join([head, *vehicles, "</routes>\n"]))
    return path


def _vehicle(scene: Scene, at: int, route: int, entry: Mapping[str, str]) -> str:
    words = " ".join(f"{name}={quoteattr(value)}" for name, value in entry.items())
    return (
        f"<vehicle id={quoteattr(scene.vehicle_ids[at])} type={quoteattr(scene.type_ids[at])} "
        f'depart="{scene.depart_s[at]}" {words}>'
        f'<route edges="{" ".join(scene.routes[route])}"/></vehicle>\n'
    )


def binary(case: Case, day: int, *extra: str) -> list[str]:
    """The command line of the wheel's `sumo` for a day."""
    program = Path(importlib.import_module("sumo").SUMO_HOME) / "bin" / "sumo"
    routes = case.folder / f"day{day}.rou.xml"
    options = ["--route-files", str(routes), "--seed", str(day), *extra]
    return [str(program), *sumo_arguments(case.scene), *options]


def run_binary(case: Case, *extra: str) -> None:
    """All days, each by a `sumo` started anew."""
    for day in range(len(case.actions)):
        subprocess.run(binary(case, day, *extra), check=True, capture_output=True)


def largest_difference_s(case: Case, simulator: Simulator) -> float:
    """Between travel times of `sumo`'s own trip file and ours, on the first day."""
    trips = case.folder / "trips.xml"
    subprocess.run(binary(case, 0, "--tripinfo-output", str(trips)), check=True)
    theirs = {
        str(each.get("id")): float(each.get("arrival", "nan"))
        for each in ElementTree.parse(trips).getroot().iter("tripinfo")
    }
    arrival_s = np.array([theirs[name] for name in case.scene.vehicle_ids])
    return float(np.abs(arrival_s - simulator.play([case.choices[0]], [0])[0].arrival_s).max())


# SUMO in this process


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """libsumo prints to the descriptor of stdout."""
    sys.stdout.flush()
    kept, nothing = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    try:
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nothing)


class InProcess:
    """The server's simulation in this process."""

    def __init__(self, case: Case) -> None:
        with silent():
            self.libsumo = importlib.import_module("libsumo")
        types = case.folder / "types.add.xml"
        types.write_text(types_xml(case.scene.types))
        self.case = case
        self.simulation = Simulation(self.libsumo, opening(case, types), Progress.new())
        self.ends_s = [self._whole_day(day) for day in range(len(case.actions))]

    def _whole_day(self, day: int) -> float:
        simulation = self.simulation
        with silent():
            simulation.begin(self.case.choices[day].tolist(), day, [])
        simulation.advance(simulation.cap_s, lambda: None)
        return simulation.time_s

    def bare(self) -> None:
        """Each day by as few calls as can be, with nothing read."""
        with silent():
            for day, end_s in enumerate(self.ends_s):
                self.simulation.begin(self.case.choices[day].tolist(), day, [])
                self.libsumo.simulation.step(end_s)


def opening(case: Case, types: Path) -> dict[str, Any]:
    """What `Simulator` tells its processes first."""
    with Simulator(case.scene) as simulator:
        request = simulator.opening()
    state = str(case.folder / "start.xml") if request["state_file"] else ""
    return request | {"additional": str(types), "state_file": state}


class Timed:
    """A simulator whose process counts the time inside SUMO in a file that both have mapped."""

    def __init__(self, case: Case, simulator: Simulator, seconds: Any) -> None:
        self._case, self._simulator, self._seconds = case, simulator, seconds
        self.shares: list[float] = []  # of the wall time, turn by turn

    def play(self) -> None:
        """All days."""
        before_s, started = self._seconds[0], time.perf_counter()
        self._simulator.play(list(self._case.choices), list(range(len(self._case.actions))))
        passed_s = time.perf_counter() - started
        self.shares.append((self._seconds[0] - before_s) / passed_s)


@contextlib.contextmanager
def timed_simulator(case: Case) -> Iterator[Timed]:
    """With `clocked_server` in the child."""
    path = case.folder / "clock"
    path.write_bytes(bytes(8))
    os.environ["SUMO_CLOCK"] = str(path)
    with Simulator(case.scene, server="benchmarks.clocked_server") as simulator:
        yield Timed(case, simulator, mapped(path))


# RouteRL


class RouteRL:
    """RouteRL in its own environment, with our net, routes, departures and choices."""

    def __init__(self, python: str, case: Case, settings: dict[str, Any]) -> None:
        folder = Path(tempfile.mkdtemp(dir=case.folder))
        write_setup(case, settings, folder)
        self.means_s: list[float] = []
        self._process = subprocess.Popen(
            [python, str(ROOT / "benchmarks" / "routerl_day.py"), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(folder / "log.txt").open("w"),
            text=True,
        )

    def drive(self) -> tuple[float, float]:
        """CPU and wall seconds of all days, by its own account."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write("days\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        self.means_s = answer["means_s"]
        return tuple(answer["spent"])

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


def write_setup(case: Case, settings: dict[str, Any], folder: Path) -> None:
    """The files of a scenario as RouteRL names them."""
    game, scene = case.game, case.game.scene
    origins = sorted({origin for origin, _ in game.od_pairs})
    destinations = sorted({destination for _, destination in game.od_pairs})
    ends = [(origins.index(o), destinations.index(d)) for o, d in game.od_pairs]
    (folder / "scene.net.xml").symlink_to(scene.net)
    agents = ["id,origin,destination,start_time,kind"]
    for at, (pair, depart_s) in enumerate(zip(game.od, scene.depart_s.tolist(), strict=True)):
        agents.append(f"{at},{ends[pair][0]},{ends[pair][1]},{int(depart_s)},Human")
    (folder / "agents.csv").write_text("\n".join(agents) + "\n")
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in _one_type(scene))
    routes = [f'<vType id="Human" {attributes}/>', '<vType id="AV"/>']
    paths = ["origins,destinations,path,free_flow_time"]
    for pair, (origin, destination) in enumerate(ends):
        options = game.options[int(np.argmax(game.od == pair))]
        for at, route in enumerate(options[options >= 0].tolist()):
            edges = " ".join(scene.routes[route])
            routes.append(f'<route id="{origin}_{destination}_{at}" edges="{edges}"/>')
            paths.append(f"{origin},{destination},{edges},{game.free_flow_s[route] / 60.0}")
    (folder / "route.rou.xml").write_text("\n".join(["<routes>", *routes, "</routes>\n"]))
    (folder / "routes.csv").write_text("\n".join(paths) + "\n")
    setup = {
        "origins": origins,
        "destinations": destinations,
        "num_paths": game.num_options,
        "days": _alternatives(case).tolist(),
        "settings": settings,
    }
    (folder / "setup.json").write_text(json.dumps(setup))


def _one_type(scene: Scene) -> tuple[tuple[str, str], ...]:
    (name,) = set(scene.type_ids)
    return next((each.attributes for each in scene.types if each.type_id == name), ())


def _alternatives(case: Case) -> np.ndarray:
    taken = np.zeros((len(case.actions), len(case.game.od)), dtype=np.int64)
    taken[:, case.game.drivers] = case.actions
    return taken


def fits_routerl(scene: Scene) -> bool:
    """It knows whole seconds and one type of vehicle, and starts at second 0."""
    whole = np.array_equal(scene.depart_s, np.floor(scene.depart_s))
    return whole and len(set(scene.type_ids)) == 1 and scene.begin_s == 0.0


# the comparison


def compare(net: str, case: Case, repeats: int, routerl_python: str | None) -> None:
    """One net, all pieces of work in turn."""
    for day in range(len(case.actions)):
        route_file(case, day)
    rivals: dict[str, RouteRL] = {}
    if routerl_python and fits_routerl(case.scene):
        rivals = {name: RouteRL(routerl_python, case, each) for name, each in ROUTERL.items()}
    seeds = list(range(len(case.actions)))
    bare = InProcess(case)
    with timed_simulator(case) as timed, Simulator(case.scene) as simulator:
        difference_s = largest_difference_s(case, simulator)
        begin = f"{case.scene.begin_s:.0f}"
        work: dict[str, Work] = {
            "sumo, started for each day": lambda: measured(lambda: run_binary(case)),
            "- of which start and net": lambda: measured(lambda: run_binary(case, "--end", begin)),
            "bare SUMO": lambda: measured(bare.bare),
            "our day, with a clock": lambda: measured(timed.play),
            "our day (Simulator.play)": lambda: measured(
                lambda: simulator.play(list(case.choices), seeds)
            ),
        }
        work |= {name: rival.drive for name, rival in rivals.items()}
        rounds = [[piece() for piece in work.values()] for _ in range(repeats + 1)]
        outcomes = simulator.play(list(case.choices), seeds)
    ours_s = [float(travel_times_s(case.scene, each).mean()) for each in outcomes]
    _print(net, case, dict(zip(work, spent_in(rounds), strict=True)), timed.shares[1:])
    print(f"  sumo's trip file and ours: largest difference {difference_s:g} s")
    for name, rival in rivals.items():
        apart = np.array(rival.means_s) - ours_s
        print(f"  {name}: mean travel times {apart.min():+.2f} to {apart.max():+.2f} s from ours")
        rival.close()
    if routerl_python and not rivals:
        print("  RouteRL: left out, it knows neither fractions of seconds nor several types")


def _print(net: str, case: Case, spent: dict[str, Spent], shares: list[float]) -> None:
    trips = case.choices.size
    print(
        f"\n{net}: {len(case.scene.vehicle_ids)} trips a day, {len(case.scene.watched)} watched "
        f"edges, {'no driver noise' if case.scene.is_deterministic else 'driver noise'}, "
        f"{len(case.actions)} days a turn\n  {'µs per vehicle-trip':38s}{'wall':>16s}{'CPU':>16s}"
    )
    for name, each in spent.items():
        wall, cpu = (_least_and_median(1e6 * s / trips) for s in (each.wall_s, each.cpu_s))
        print(f"  {name:38s}{wall:>16s}{cpu:>16s}")
    ours, bare = spent["our day (Simulator.play)"], spent["bare SUMO"]
    print(
        f"  bare SUMO / our day: wall {_ratio(bare.wall_s, ours.wall_s)} %, "
        f"CPU {_ratio(bare.cpu_s, ours.cpu_s)} %; in SUMO: "
        f"{100 * max(shares):.0f} / {100 * np.median(shares):.0f} %"
    )
    for name, each in spent.items():
        if name.startswith("RouteRL"):
            wall, cpu = _times(each.wall_s, ours.wall_s), _times(each.cpu_s, ours.cpu_s)
            over_bare = _times(each.cpu_s, bare.cpu_s)
            print(f"  {name} / our day: wall {wall} x, CPU {cpu} x; / bare SUMO: CPU {over_bare} x")


def _least_and_median(values: np.ndarray) -> str:
    return f"{values.min():.0f} / {np.median(values):.0f}"


def _ratio(part: np.ndarray, whole: np.ndarray) -> str:
    return f"{100 * part.min() / whole.min():.0f} / {100 * np.median(part) / np.median(whole):.0f}"


def _times(one: np.ndarray, other: np.ndarray) -> str:
    return f"{one.min() / other.min():.2f} / {np.median(one) / np.median(other):.2f}"


def main() -> None:
    """Parse the options and print the tables."""
    as_written = argparse.RawTextHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=as_written)
    parser.add_argument("--nets", default=",".join(NETS), help="names, files, or nets of sumo-rl")
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--days", type=int, default=8, help="at a time, as in training")
    parser.add_argument("--routerl-python", help="python of an environment with RouteRL")
    args = parser.parse_args()
    if not args.routerl_python:
        print("RouteRL: left out; name its interpreter with --routerl-python")
    for net in args.nets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            case = case_of(net, args.days, Path(folder))
            compare(net, case, args.repeats, args.routerl_python)


if __name__ == "__main__":
    main()
