"""The one module that knows sumo-rl: its gaps are bridged here, in a child process of its own.

`SumoEnvironment` and libsumo keep one simulation per process, print to stdout, and read settings of
the process while they are imported; so nothing but `server` may import what is below.
"""

import contextlib
import functools
import importlib
import io
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from xml.etree.ElementTree import Element, iterparse

from trafficsim.signals.child.programs import (
    KINDS,
    NEMA,
    NOT_SWITCHED,
    Phase,
    actuated_program,
    with_pairs,
)
from trafficsim.sumo.progress import Progress
from trafficsim.sumo.server import die_with_parent

PROGRAM = "ss"  # of a light that agents switch; the net's own stay as they are
TRIPS, STATISTICS, PROGRAMS = "trips.xml", "statistics.xml", "actuated.add.xml"
BEAT_STEPS = 50  # between signs of life
LIBSUMO = "LIBSUMO_AS_TRACI"  # sumo-rl's and SUMO's own variable
SHOWN = 3  # lights that are named
TRIP_FIELDS = (
    *("depart", "arrival", "duration", "departDelay", "waitingTime", "timeLoss", "routeLength"),
)


class SignalInputError(Exception):
    """Net or demand is not usable; passed to the parent as an input error."""


def import_sumo_rl(*, over_traci: bool = False) -> ModuleType:
    """sumo-rl's environment module, working with current releases of PettingZoo and SUMO.

    - `LIBSUMO_AS_TRACI` and `SUMO_HOME` (set by importing SUMO) must be there before it is; with
      `over_traci` it starts SUMO's own program instead of libsumo, which ends with this process;
    - it takes `pettingzoo.utils.agent_selector` for a class, which is `AgentSelector` since 1.25;
    - it counts half as many greens as a program has phases, which is none where there is one phase;
    - it overwrites the net's program of a light, after which libsumo (1.28) never ends a step if
      that program is actuated or delay-based;
    - it switches signals of railways and their crossings, which trains rely on;
    - it takes phases of a NEMA program one by one, while SUMO shows two at a time;
    - pandas, which it needs only for a CSV that we never ask for, would import pyarrow, which
      libsumo warns about; neither is loaded.
    """
    os.environ.pop(LIBSUMO, None)
    if over_traci:
        subprocess.Popen = functools.partial(subprocess.Popen, preexec_fn=die_with_parent)  # type: ignore[misc]
    else:
        os.environ[LIBSUMO] = "1"
    sys.modules.setdefault("pandas", ModuleType("pandas"))
    with contextlib.redirect_stdout(io.StringIO()):  # traci says what it was told to be
        importlib.import_module("sumo" if find_spec("sumo") else "libsumo")
        module = importlib.import_module("sumo_rl.environment.env")
    selector = importlib.import_module("pettingzoo.utils").AgentSelector
    vars(module)["agent_selector"] = selector
    light = importlib.import_module("sumo_rl.environment.traffic_signal").TrafficSignal
    light._build_phases = _with_sound_programs(light._build_phases)
    _leave_railways_alone(importlib.import_module("traci").trafficlight, is_module=not over_traci)
    return module


def _with_sound_programs(build_phases: Callable[[Any], None]) -> Callable[[Any], None]:
    """The method of a light, after which it has a green at least, and the net's own programs."""

    def build(light: Any) -> None:
        sumo = light.sumo
        light.sumo = SimpleNamespace(trafficlight=_SoundPrograms(sumo.trafficlight))
        try:
            build_phases(light)
        finally:
            light.sumo = sumo
        if light.env.fixed_ts:
            light.num_green_phases = max(1, light.num_green_phases)

    return build


class _SoundPrograms:
    """What sumo-rl asks SUMO about programs; it adds one beside the net's and overwrites none."""

    def __init__(self, lights: Any) -> None:
        self._lights = lights
        self.Phase = lights.Phase
        self.setRedYellowGreenState = lights.setRedYellowGreenState

    def getAllProgramLogics(self, name: str) -> Any:  # noqa: N802 - TraCI's name
        logics = self._lights.getAllProgramLogics(name)
        logics[0].phases = [self.Phase(p.duration_s, p.state) for p in shown_phases(logics[0])]
        return logics

    def setProgramLogic(self, name: str, logic: Any) -> None:  # noqa: N802 - TraCI's name
        taken = {each.programID for each in self._lights.getAllProgramLogics(name)}
        names = (PROGRAM + "_" * more for more in range(len(taken) + 1))
        logic.programID = next(each for each in names if each not in taken)
        self._lights.setProgramLogic(name, logic)


def shown_phases(logic: Any) -> list[Phase]:
    """The phases that a program shows."""
    phases = [Phase(p.duration, p.state, p.name) for p in logic.phases]
    return with_pairs(phases, dict(logic.subParameter)) if logic.type == NEMA else phases


def _leave_railways_alone(lights: Any, *, is_module: bool) -> None:
    """List lights of roads only, whoever asks; connections of TraCI share a class."""
    owner = lights if is_module else type(lights)
    listed = owner.getIDList

    def road_lights(*connection: Any) -> list[str]:
        asked = connection[0] if connection else lights
        return [name for name in listed(*connection) if kind_of(asked, name) not in NOT_SWITCHED]

    owner.getIDList = road_lights


def kind_of(lights: Any, name: str) -> int:
    """SUMO's number of the kind of a light's own program."""
    return int(lights.getAllProgramLogics(name)[0].type)


class SignalSimulation:
    """One `SumoEnvironment`; there can be no second in this process."""

    def __init__(self, scene: Mapping[str, Any], folder: Path, progress: Progress) -> None:
        self._folder, self._scene, self._progress = folder, scene, progress
        self._traci = None
        try:
            module = import_sumo_rl(over_traci=scene["over_traci"])
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
        self._env._sumo_step = self._second
        self._record = False
        self._odd = ""  # lights of other kinds than static, in words

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
        self._record, self._queue = record, []
        self._teleports, self._collisions = Counter(), 0
        self._env._route = routes or self._scene["routes"]
        self._env.additional_sumo_cmd = _Words(words)
        rows = self._rows(self._env.reset(seed=seed))
        self._odd = self._odd or self._kinds()
        self._time_s = self._scene["begin_s"]
        return {"observations": rows}

    def _kinds(self) -> str:
        """Lights whose own programs are not static, in words."""
        lights = self._env.sumo.trafficlight
        kinds = {name: KINDS.get(kind_of(lights, name), "?") for name in self._env.ts_ids}
        return ", ".join(_named([f"{n!r} ({k})" for n, k in kinds.items() if k != "static"]))

    def _second(self) -> None:
        """What sumo-rl does every second; what goes wrong in it is looked at if recorded."""
        sumo = self._env.sumo
        self._progress.begin_second(self._time_s)
        sumo.simulationStep()
        self._time_s += 1
        if self._record:
            self._teleports.update(sumo.simulation.getStartingTeleportIDList())
            self._collisions += sumo.simulation.getCollidingVehiclesNumber()

    def step(self, actions: list[int]) -> dict[str, Any]:
        """Play one joint action."""
        chosen = dict(zip(self._env.ts_ids, actions, strict=True))
        self._progress.tell(self._doing(chosen))
        observations, rewards, dones, _ = self._env.step(chosen)
        self._progress.rest()
        if self._record:
            signals = self._env.traffic_signals.values()
            self._queue.append(sum(signal.get_total_queued() for signal in signals))
        return {
            "observations": self._rows(observations),
            "rewards": [float(rewards[name]) for name in self._env.ts_ids],
            "over": bool(dones["__all__"]),
        }

    def _doing(self, chosen: Mapping[str, int]) -> str:
        """Which lights are about to change; else those that SUMO switches by rules of its own."""
        signals = self._env.traffic_signals
        changed = [] if self._env.fixed_ts else [n for n in chosen if _turns(signals[n], chosen[n])]
        return ", ".join(_named([repr(name) for name in changed])) or self._odd

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
            scene, sumo = self._scene, self._env._sumo_binary
            self._traci.start([sumo, "-n", scene["net"], "--no-warnings"])
            logics = {
                name: self._traci.trafficlight.getAllProgramLogics(name)[0]
                for name in self._env.ts_ids
            }
            self._traci.close()
            times = {"shortest_s": scene["min_green_s"], "yellow_s": scene["yellow_s"]}
            programs = (actuated_program(n, shown_phases(x), **times) for n, x in logics.items())
            path.write_text(f"<additional>\n{''.join(programs)}</additional>\n", encoding="utf-8")
        return ["--additional-files", str(path)]


class _Words(list[str]):
    """Further arguments for SUMO, which sumo-rl would split at spaces."""

    def split(self) -> list[str]:
        return self


def _turns(light: Any, green: int) -> bool:
    """Whether a light will change to this green."""
    shown_s = light.yellow_time + light.min_green
    return light.green_phase != green and light.time_since_last_phase_change >= shown_s


def _named(names: list[str]) -> list[str]:
    more = len(names) - SHOWN
    return names if more <= 0 else [*names[:SHOWN], f"{more} more"]


def _elements(path: Path, tag: str) -> Iterator[Element]:
    for _, element in iterparse(path):
        if element.tag == tag:
            yield element
            element.clear()
