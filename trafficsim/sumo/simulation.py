"""Simulated days: a scene, the routes that drivers chose, what SUMO says of it.

`Simulator` keeps one SUMO in each of a few child processes and hands them days in any number; the
outcomes come back in the order asked for, whichever process played them. A process that dies or
hangs is replaced and plays the same day, with the same seed, again.
"""

import select
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.sax.saxutils import quoteattr

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from ss_core.errors import SimulatorError
from trafficsim.demand.trips import VehicleType
from trafficsim.sumo.process import LOOK_EVERY_S, SumoDied, SumoProcess, SumoStalled

RESTARTS = 3  # of the same day
JUNCTION_NAMED = 'Junction="'  # fromJunction, toJunction in the background
STALLS = 2  # on which a day is given up: a second that does not end mostly never does
DAYS_AHEAD = 8  # of one process: it need not wait for us, nor we wake up, between two days
Order = tuple[float, list[tuple[int, int]]]  # vehicles sent to routes, then on until a time in s
VEHICLES_AHEAD = 4000  # of those days, so that they fit in a pipe (64 kB)


@dataclass(frozen=True, slots=True, kw_only=True)
class SumoConfig:
    """How SUMO is run; a step is one second."""

    meso: bool = False  # the mesoscopic model: faster, and another model
    time_to_teleport_s: float = 300.0  # a vehicle that stands still longer is moved on, and charged
    longest_s: float = 3600.0  # after the last departure, what is still under way is charged that
    interval_s: float = 60.0  # over which public speeds, sampled every 5 s, are averaged
    depart_lane: str = "best_prob"  # of trips that do not say, as in SUMO 1.28
    depart_speed: str = "avg"  # likewise
    watchdog_s: float = 60.0  # without a sign of life of a SUMO process
    stall_s: float = 6.0  # of ours, in which SUMO does not end a second of its own

    def __post_init__(self) -> None:
        least = {"time_to_teleport_s": 1, "longest_s": 1, "interval_s": 5}
        least |= {"watchdog_s": 1, "stall_s": 1}
        for name, smallest in least.items():
            if not smallest <= getattr(self, name) <= 1e6:
                raise ValueError(f"{name}={getattr(self, name)}: between {smallest} and 1e6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """Everything about a day but the choices: net, vehicles in order, routes by number."""

    net: str
    types: tuple[VehicleType, ...]
    routes: tuple[tuple[str, ...], ...]  # edge ids
    vehicle_ids: tuple[str, ...]
    type_ids: tuple[str, ...]
    depart_s: Float[ndarray, " vehicle"]  # planned
    watched: tuple[str, ...]  # edges whose speed is public
    is_deterministic: bool
    sumo: SumoConfig = field(default_factory=SumoConfig)
    own_attributes: tuple[tuple[tuple[str, str], ...], ...] = ()  # of vehicles; (): nobody's
    background: str = ""  # an additional file: who else is on the road, and what is there
    background_begin_s: float = float("inf")
    ignores_route_errors: bool = False  # SUMO passes over what it cannot route

    @property
    def begin_s(self) -> float:
        """When a day begins: the whole second before the first departure."""
        return float(np.floor(min(self.depart_s.min(), self.background_begin_s)))

    @property
    def names_junctions(self) -> bool:
        """Whether somebody in the background goes from or to a junction."""
        return JUNCTION_NAMED in self.background

    def entries(self) -> list[dict[str, str]]:
        """How each vehicle departs and arrives, in SUMO's words.

        Where nothing else is drawn, no lane is either.
        """
        sumo = self.sumo
        draws = sumo.depart_lane == "best_prob"
        lane = "best" if self.is_deterministic and draws else sumo.depart_lane
        usual = {"departLane": lane, "departSpeed": sumo.depart_speed}
        own = self.own_attributes or ((),) * len(self.vehicle_ids)
        return [usual | dict(each) for each in own]

    @property
    def cap_s(self) -> float:
        """When a day ends at the latest."""
        return float(self.depart_s.max()) + self.sumo.longest_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a day."""

    arrival_s: Float[ndarray, " vehicle"]  # NaN: still under way, or waiting to depart, at the end
    teleports: Int[ndarray, " vehicle"]
    collisions: int
    link_speed_m_per_s: Float[ndarray, "interval link"]  # mean over vehicles; NaN: no vehicle
    link_vehicles: Float[ndarray, "interval link"]  # mean number at a time
    end_s: float

    @property
    def finished(self) -> Bool[ndarray, " vehicle"]:
        """Who arrived."""
        return np.isfinite(self.arrival_s)


def travel_times_s(scene: Scene, outcome: Outcome) -> Float[ndarray, " vehicle"]:
    """Arrival less planned departure, and what is charged on top.

    A trip that did not end is charged as if it had ended when the day was cut off; each teleport
    costs the time a vehicle has to stand still for it, since SUMO then moves it on for nothing.
    """
    arrival_s = np.where(outcome.finished, outcome.arrival_s, scene.cap_s)
    return arrival_s - scene.depart_s + scene.sumo.time_to_teleport_s * outcome.teleports


class Simulator:
    """A few SUMO processes at the service of one scene; a context manager."""

    def __init__(
        self, scene: Scene, processes: int = 1, *, server: str = "trafficsim.sumo.server"
    ) -> None:
        self.scene = scene
        self._server = server  # the module that the processes run
        self.restarts = 0  # processes replaced so far
        self._folder = tempfile.TemporaryDirectory(prefix="ss-sumo-")
        self._add = Path(self._folder.name) / "types.add.xml"
        self._add.write_text(types_xml(scene.types), encoding="utf-8")
        self._background = Path(self._folder.name) / "background.add.xml"
        self._background.write_text(scene.background, encoding="utf-8")
        self._count = max(1, processes)
        self._days_ahead = min(DAYS_AHEAD, VEHICLES_AHEAD // len(scene.vehicle_ids))
        self._idle: list[SumoProcess] = []
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for process in self._idle:
            process.close()
        self._idle.clear()
        self._folder.cleanup()

    def play(
        self, choices: Sequence[Int[ndarray, " vehicle"]], seeds: Sequence[int]
    ) -> list[Outcome]:
        """Simulate days; `choices[d]` are route numbers, `seeds[d]` is SUMO's seed.

        Raises:
            SimulatorError: SUMO refuses the scene, or dies again and again on the same day.
        """
        days = [
            {"do": "play", "choices": row.tolist(), "seed": int(seed), "extra": [], "orders": []}
            for row, seed in zip(choices, seeds, strict=True)
        ]
        return [self.outcome_of(answer) for answer in self._spread(days)]

    def record(
        self,
        choices: Int[ndarray, " vehicle"],
        seed: int,
        folder: Path,
        interval_s: float,
        orders: Sequence[Order] = (),
    ) -> Outcome:
        """Simulate a day with SUMO's own files of trips, edges and emissions in `folder`."""
        wanted = folder / "record.add.xml"
        wanted.write_text(_record_xml(folder, interval_s), encoding="utf-8")
        extra = [str(wanted), "--tripinfo-output", str(folder / "tripinfo.xml")]
        extra += ["--tripinfo-output.write-unfinished", "true"]
        extra += ["--device.emissions.probability", "1"]
        day = {"do": "play", "choices": choices.tolist(), "seed": int(seed), "extra": extra}
        (answer,) = self._spread([day | {"orders": [list(order) for order in orders]}])
        return self.outcome_of(answer)

    def _spread(self, days: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answers in order, from whichever process."""
        answers: dict[int, dict[str, Any]] = {}
        deaths = [0] * len(days)
        waiting, busy = deque(range(len(days))), dict[SumoProcess, list[int]]()
        try:
            while waiting or busy:
                self._hand_out(days, waiting, busy, deaths)
                for process in self._ready(list(busy)):
                    try:
                        answers[busy[process][0]] = process.receive()
                    except SumoDied as death:
                        self._lose(process, death, waiting, busy, deaths)
                        continue
                    del busy[process][0]
                    if not busy[process]:
                        del busy[process]
                        self._idle.append(process)
        finally:
            for process in busy:
                process.close()
        return [answers[day] for day in range(len(days))]

    def _hand_out(
        self,
        days: list[dict[str, Any]],
        waiting: deque[int],
        busy: dict[SumoProcess, list[int]],
        deaths: list[int],
    ) -> None:
        """A day to every process, then more to each, but not the last ones."""
        while waiting and len(busy) < self._count:
            day = waiting.popleft()
            try:
                busy[self._set_to_work(days[day])] = [day]
            except SumoDied as death:
                waiting.appendleft(day)
                self._count_death(death, deaths, day)
        for _ in range(self._days_ahead):
            for process, its_days in list(busy.items()):
                if len(its_days) > self._days_ahead or len(waiting) < self._count:
                    continue  # the last ones go to whoever is free first
                its_days.append(waiting.popleft())
                try:
                    process.send(days[its_days[-1]])
                except SumoDied as death:
                    self._lose(process, death, waiting, busy, deaths)

    def _lose(
        self,
        process: SumoProcess,
        death: SumoDied,
        waiting: deque[int],
        busy: dict[SumoProcess, list[int]],
        deaths: list[int],
    ) -> None:
        """Its days are played by another one; the first without an answer counts as the cause."""
        process.close()
        lost = busy.pop(process)
        waiting.extendleft(reversed(lost))
        self._count_death(death, deaths, lost[0])

    def _ready(self, busy: list[SumoProcess]) -> list[SumoProcess]:
        answered = [process for process in busy if process.has_unread]
        if answered or len(busy) <= 1:
            return answered or busy
        deadline_s = time.monotonic() + self.scene.sumo.watchdog_s
        while time.monotonic() < deadline_s:
            ready, _, _ = select.select(busy, [], [], LOOK_EVERY_S)
            found = [process for process in busy if process in ready or process.stalled]
            if found:
                return found
        return busy[:1]

    def _count_death(self, death: SumoDied, deaths: list[int], day: int) -> None:
        self.restarts += 1
        deaths[day] += 1
        give_up(self.scene, deaths[day], death)

    def _set_to_work(self, day: dict[str, Any]) -> SumoProcess:
        process = self._idle.pop() if self._idle else self.started()
        try:
            process.send(day)
        except BaseException:
            process.close()
            raise
        return process

    def started(self) -> SumoProcess:
        """A process with the scene open, for whoever asks; it is theirs to close.

        Raises:
            SumoDied: it does not come up.
        """
        sumo = self.scene.sumo
        process = SumoProcess(sumo.watchdog_s, self._server, stall_s=sumo.stall_s)
        try:
            process.ask(self.opening())
        except BaseException:
            process.close()
            raise
        return process

    def opening(self) -> dict[str, Any]:
        """What a process receives first."""
        scene, config = self.scene, self.scene.sumo
        self._number += 1
        quick = scene.is_deterministic and not config.meso
        state = str(Path(self._folder.name) / f"start-{self._number}.xml") if quick else ""
        departs = scene.depart_s.tolist()
        rows = zip(scene.vehicle_ids, scene.type_ids, departs, scene.entries(), strict=True)
        files = [self._add, *([self._background] if scene.background else [])]
        return {
            "do": "open",
            "arguments": sumo_arguments(scene),
            "additional": ",".join(map(str, files)),
            "routes": [list(route) for route in scene.routes],
            "vehicles": [list(row) for row in rows],
            "watched": list(scene.watched),
            "interval_s": config.interval_s,
            "begin_s": scene.begin_s,
            "cap_s": scene.cap_s,
            "state_file": state,
        }

    def outcome_of(self, answer: dict[str, Any]) -> Outcome:
        """What an answer of `sumo.server` says."""
        arrival_s = np.array(answer["arrival_s"], dtype=float)
        shape = (-1, len(self.scene.watched))
        speeds = np.array(answer["speeds"], dtype=float).reshape(shape)
        return Outcome(
            arrival_s=np.where(arrival_s < 0.0, np.nan, arrival_s),
            teleports=np.array(answer["teleports"], dtype=np.int64),
            collisions=int(answer["collisions"]),
            link_speed_m_per_s=np.where(speeds < 0.0, np.nan, speeds),
            link_vehicles=np.array(answer["counts"], dtype=float).reshape(shape),
            end_s=float(answer["time_s"]),
        )


def give_up(scene: Scene, deaths: int, death: SumoDied) -> None:
    """Raise if a day on which SUMO died that often is not to be played again.

    Raises:
        SimulatorError: says what is known of the cause.
    """
    if isinstance(death, SumoStalled) and deaths >= STALLS:
        time_s = death.mark.time_s
        raise SimulatorError(
            f"{scene.net}: SUMO makes no progress in second {time_s:g} of the day, {deaths} times "
            f"for {scene.sumo.stall_s:g} s; {_last_departed(scene, time_s)}, or, where the machine "
            "is merely slow, --set sumo.stall_s=60"
        ) from death
    if deaths > RESTARTS:
        raise SimulatorError(
            f"{scene.net}: SUMO died {deaths} times on the same day: {death or 'without a word'}; "
            "look at the demand, or try fewer drivers"
        ) from death


def _last_departed(scene: Scene, time_s: float) -> str:
    """Who was to depart last by then, and what to do about it."""
    gone = np.flatnonzero(scene.depart_s <= time_s)
    if not len(gone):
        return "only others than those who decide are on the road: look at them in the demand"
    last = int(gone[np.argmax(scene.depart_s[gone])])
    return (
        f"vehicle {scene.vehicle_ids[last]!r} was the last to depart, at {scene.depart_s[last]:g} "
        "s: take it out of the demand"
    )


def sumo_arguments(scene: Scene) -> list[str]:
    """Options of every episode but the seed."""
    arguments = ["--net-file", scene.net, "--begin", f"{scene.begin_s:.0f}"]
    arguments += ["--no-step-log", "true", "--no-warnings", "true"]
    arguments += ["--duration-log.disable", "true", "--xml-validation", "never"]
    arguments += ["--xml-validation.net", "never"]
    arguments += ["--time-to-teleport", f"{scene.sumo.time_to_teleport_s:g}"]
    arguments += ["--ignore-route-errors", "true"] if scene.ignores_route_errors else []
    arguments += ["--junction-taz", "true"] if scene.names_junctions else []
    return [*arguments, "--mesosim", "true"] if scene.sumo.meso else arguments


def types_xml(types: Sequence[VehicleType]) -> str:
    """An additional file that defines the vehicle types."""
    return "".join(["<additional>\n", *type_lines(types), "</additional>\n"])


def type_lines(types: Sequence[VehicleType]) -> Iterator[str]:
    """`vType` elements, a line each."""
    for each in types:
        rest = "".join(f" {name}={quoteattr(value)}" for name, value in each.attributes)
        yield f"<vType id={quoteattr(each.type_id)}{rest}/>\n"


def _record_xml(folder: Path, interval_s: float) -> str:
    kinds = {"edges.xml": "", "emissions.xml": ' type="emissions"'}
    lines = [
        f'<edgeData id="{name}"{kind} file={quoteattr(str(folder / name))} '
        f'period="{interval_s:g}" excludeEmpty="true"/>\n'
        for name, kind in kinds.items()
    ]
    return "".join(["<additional>\n", *lines, "</additional>\n"])
