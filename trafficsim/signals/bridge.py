"""The one module that knows sumo-rl: its gaps are bridged here, in a child process of its own.

`SumoEnvironment` and libsumo keep one simulation per process, print to stdout, and read settings of
the process while they are imported; so nothing but `signal_server` may import what is below.
"""

import contextlib
import importlib
import io
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree.ElementTree import Element, iterparse
from xml.sax.saxutils import quoteattr

PROGRAM = "ss"  # of a light that agents switch; the net's own stay as they are
TRIPS, STATISTICS, PROGRAMS = "trips.xml", "statistics.xml", "actuated.add.xml"
LONGEST_GREEN_S = 50  # of SUMO's actuated programs, where the net's own green is shorter
BEAT_STEPS = 50  # between signs of life
TRIP_FIELDS = (
    *("depart", "arrival", "duration", "departDelay", "waitingTime", "timeLoss", "routeLength"),
)


class SignalInputError(Exception):
    """Net or demand is not usable; passed to the parent as an input error."""


def import_sumo_rl() -> ModuleType:
    """sumo-rl's environment module on libsumo, working with current releases of PettingZoo.

    - `LIBSUMO_AS_TRACI` and `SUMO_HOME` (set by importing `sumo`) must be there before it is;
    - it takes `pettingzoo.utils.agent_selector` for a class, which is `AgentSelector` since 1.25;
    - it counts half as many greens as a program has phases, which is none where there is one phase;
    - it overwrites the net's program of a light, after which libsumo (1.28) never ends a step if
      that program is actuated or delay-based;
    - pandas, which it needs only for a CSV that we never ask for, would import pyarrow, which
      libsumo warns about; neither is loaded.
    """
    os.environ["LIBSUMO_AS_TRACI"] = "1"
    sys.modules.setdefault("pandas", ModuleType("pandas"))
    with contextlib.redirect_stdout(io.StringIO()):  # traci says what it was told to be
        importlib.import_module("sumo")
        module = importlib.import_module("sumo_rl.environment.env")
    selector = importlib.import_module("pettingzoo.utils").AgentSelector
    vars(module)["agent_selector"] = selector
    light = importlib.import_module("sumo_rl.environment.traffic_signal").TrafficSignal
    light._build_phases = _with_a_green(light._build_phases)
    lights = importlib.import_module("traci").trafficlight
    lights.setProgramLogic = _beside_the_nets_own(lights)
    return module


def _with_a_green(build_phases: Callable[[Any], None]) -> Callable[[Any], None]:
    """The method of a light, after which a program of its own has a green at least."""

    def build(light: Any) -> None:
        build_phases(light)
        if light.env.fixed_ts:
            light.num_green_phases = max(1, light.num_green_phases)

    return build


def _beside_the_nets_own(lights: Any) -> Callable[[str, Any], None]:
    """`setProgramLogic` that adds a program and overwrites none."""
    add = lights.setProgramLogic

    def set_program(name: str, logic: Any) -> None:
        taken = {each.programID for each in lights.getAllProgramLogics(name)}
        names = (PROGRAM + "_" * more for more in range(len(taken) + 1))
        logic.programID = next(each for each in names if each not in taken)
        add(name, logic)

    return set_program


class SignalSimulation:
    """One `SumoEnvironment`; there can be no second in this process."""

    def __init__(self, scene: Mapping[str, Any], folder: Path) -> None:
        self._folder, self._scene = folder, scene
        self._traci = None
        try:
            module = import_sumo_rl()
            self._traci = importlib.import_module("traci")
            self._env = self._make(module)
        except SystemExit as error:
            raise SignalInputError(f"SUMO does not start: {error}") from error
        if not self._env.ts_ids:
            raise SignalInputError(
                f"{scene['net']}: has no traffic lights; netconvert --tls.guess adds some"
            )
        self._queue: list[int] = []
        self._teleports, self._collisions = Counter[str](), 0
        self._record = False

    def _make(self, module: ModuleType) -> Any:
        scene = self._scene
        return module.SumoEnvironment(
            net_file=scene["net"],
            route_file=scene["routes"],
            begin_time=scene["begin_s"],
            num_seconds=scene["seconds"],
            delta_time=scene["step_s"],
            yellow_time=scene["yellow_s"],
            min_green=scene["min_green_s"],
            reward_fn=scene["reward"],
            time_to_teleport=scene["teleport_after_s"],
            fixed_ts=scene["program"] != "agents",
            sumo_seed=0,
            sumo_warnings=False,
            add_system_info=False,
            add_per_agent_info=False,
        )

    def layout(self) -> dict[str, Any]:
        """Names, sizes of observations and numbers of actions, in SUMO's order."""
        names = self._env.ts_ids
        signals = [self._env.traffic_signals[name] for name in names]
        blind = [name for name, s in zip(names, signals, strict=True) if not s.num_green_phases]
        if blind:
            raise SignalInputError(f"traffic light {blind[0]!r}: has no green phase")
        return {
            "agents": list(names),
            "observation_sizes": [int(s.observation_space.shape[0]) for s in signals],
            "action_counts": [int(s.num_green_phases) for s in signals],
        }

    def reset(self, seed: int, *, record: bool, routes: str) -> dict[str, Any]:
        """Begin an episode; with `record`, `measure` tells about it when it is over.

        `routes`: file of this episode's traffic; "" for the scene's.
        """
        words = [] if self._scene["program"] != "actuated" else self._actuated()
        if record:
            words += ["--tripinfo-output", str(self._folder / TRIPS)]
            words += ["--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted"]
            words += ["--statistic-output", str(self._folder / STATISTICS)]
            self._env._sumo_step = self._watched_second
        else:
            vars(self._env).pop("_sumo_step", None)
        self._record, self._queue = record, []
        self._teleports, self._collisions = Counter(), 0
        self._env._route = routes or self._scene["routes"]
        self._env.additional_sumo_cmd = _Words(words)
        return {"observations": self._rows(self._env.reset(seed=seed))}

    def _watched_second(self) -> None:
        """What sumo-rl does every second, and a look at what went wrong in it."""
        sumo = self._env.sumo
        sumo.simulationStep()
        self._teleports.update(sumo.simulation.getStartingTeleportIDList())
        self._collisions += sumo.simulation.getCollidingVehiclesNumber()

    def step(self, actions: list[int]) -> dict[str, Any]:
        """Play one joint action."""
        chosen = dict(zip(self._env.ts_ids, actions, strict=True))
        observations, rewards, dones, _ = self._env.step(chosen)
        if self._record:
            signals = self._env.traffic_signals.values()
            self._queue.append(sum(signal.get_total_queued() for signal in signals))
        return {
            "observations": self._rows(observations),
            "rewards": [float(rewards[name]) for name in self._env.ts_ids],
            "over": bool(dones["__all__"]),
        }

    def play(self, beat: Callable[[], None]) -> dict[str, Any]:
        """Play the episode to its end under the programs of the lights, then measure it."""
        nothing, steps = [0] * len(self._env.ts_ids), 0
        while not self.step(nothing)["over"]:
            steps += 1
            if steps % BEAT_STEPS == 0:
                beat()
        return self.measure()

    def measure(self) -> dict[str, Any]:
        """What SUMO itself wrote about the recorded episode, which is closed by this."""
        end_s = float(self._env.sim_step)
        self._env.close()
        trips = [element.attrib for element in _elements(self._folder / TRIPS, "tripinfo")]
        found = {name: [float(trip.get(name) or -1.0) for trip in trips] for name in TRIP_FIELDS}
        teleports = sum(
            int(element.get("total", 0))
            for element in _elements(self._folder / STATISTICS, "teleports")
        )
        return {
            "ids": [trip["id"] for trip in trips],
            "trips": found,
            "teleports": teleports,
            "teleported": [self._teleports[trip["id"]] for trip in trips],
            "collisions": self._collisions,
            "queue": self._queue,
            "begin_s": self._scene["begin_s"],
            "end_s": end_s,
        }

    def _rows(self, observations: Mapping[str, Any]) -> list[list[float]]:
        return [observations[name].tolist() for name in self._env.ts_ids]

    def _actuated(self) -> list[str]:
        """The net's own programs, made to follow their detectors."""
        path = self._folder / PROGRAMS
        if not path.exists():
            assert self._traci is not None
            self._traci.start(["sumo", "-n", self._scene["net"], "--no-warnings"])
            logics = {
                name: self._traci.trafficlight.getAllProgramLogics(name)[0]
                for name in self._env.ts_ids
            }
            self._traci.close()
            shortest_s = self._scene["min_green_s"]
            programs = (_actuated_program(n, logic, shortest_s) for n, logic in logics.items())
            path.write_text(f"<additional>\n{''.join(programs)}</additional>\n", encoding="utf-8")
        return ["--additional-files", str(path)]


class _Words(list[str]):
    """Further arguments for SUMO, which sumo-rl would split at spaces."""

    def split(self) -> list[str]:
        return self


def _actuated_program(name: str, logic: Any, shortest_s: int) -> str:
    lines = [f'<tlLogic id={quoteattr(name)} type="actuated" programID="actuated" offset="0">']
    for phase in logic.phases:
        longest_s = max(LONGEST_GREEN_S, phase.duration)
        is_green = "y" not in phase.state and set(phase.state) & {"G", "g"}
        bounds = f' minDur="{shortest_s}" maxDur="{longest_s:g}"' if is_green else ""
        lines.append(f'<phase duration="{phase.duration:g}"{bounds} state="{phase.state}"/>')
    return "\n".join([*lines, "</tlLogic>", ""])


def _elements(path: Path, tag: str) -> Iterator[Element]:
    for _, element in iterparse(path):
        if element.tag == tag:
            yield element
            element.clear()
