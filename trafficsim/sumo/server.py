"""The child process that holds SUMO: requests in on stdin, answers out on stdout, a line each.

Started by `process.SumoProcess`. It imports libsumo and the standard library only. libsumo
prints to stdout, so the answers go to a copy of that descriptor. The second that is being simulated
stands in memory that the parent reads, too.
One simulation at a time; each episode starts from the net anew.
"""

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any, TextIO

from trafficsim.sumo.progress import Progress

QUIET_S = 0.3  # at most, between signs of life; each of them wakes the parent, so not too often
CHUNK_BYTES = 1 << 16
SAMPLE_EVERY_S = 5.0  # speeds on watched edges
Request = dict[str, Any]


class Simulation:
    """One scene, simulated again and again."""

    def __init__(self, libsumo: Any, request: Request, progress: Progress) -> None:
        self.libsumo = libsumo
        self.progress = progress
        self.arguments: list[str] = request["arguments"]
        self.additional: str = request["additional"]  # file with the vehicle types
        self.routes: list[list[str]] = request["routes"]
        self.vehicles: list[list[Any]] = request["vehicles"]  # id, type, depart, attributes
        self.watched: list[str] = request["watched"]
        self.interval_s: float = request["interval_s"]
        self.begin_s: float = request["begin_s"]
        self.cap_s: float = request["cap_s"]
        self.state_file: str = request["state_file"]  # "" loads the net for every episode
        self.index = {row[0]: at for at, row in enumerate(self.vehicles)}
        self.started = self.saved = False

    def begin(self, choices: list[int], seed: int, extra: list[str]) -> None:
        """Put all vehicles on their routes; `extra` are further options of SUMO."""
        self._fresh(seed, extra)
        for number in sorted(set(choices)):
            self.libsumo.route.add(f"ss.{number}", self.routes[number])
        for (name, kind, depart_s, entry), choice in zip(self.vehicles, choices, strict=True):
            route = f"ss.{choice}"
            self.libsumo.vehicle.add(name, route, typeID=kind, depart=str(depart_s), **entry)
        self.choices = list(choices)
        self.arrival_s: list[float] = [-1.0] * len(choices)
        self.teleports = [0] * len(choices)
        self.collisions = 0
        self.moving = [[0.0, 0.0] for _ in self.watched]  # vehicles, vehicles times speed
        self.speeds: list[list[float]] = []
        self.counts: list[list[float]] = []
        self.time_s, self.left = self.begin_s, len(choices)
        self.next_sample_s = self.begin_s + SAMPLE_EVERY_S
        self.next_interval_s = self.begin_s + self.interval_s

    def _fresh(self, seed: int, extra: list[str]) -> None:
        if self.saved and not extra:
            self.libsumo.simulation.loadState(self.state_file)
            return
        arguments = self._options(seed, extra)
        if self.started:
            self.libsumo.load(arguments)
        else:
            self.libsumo.start(["sumo", *arguments])
            self.started = True
        if self.state_file and not extra:
            self.libsumo.simulation.saveState(self.state_file)
            self.saved = True

    def _options(self, seed: int, extra: list[str]) -> list[str]:
        files = [self.additional, *(word for word in extra if word.endswith(".add.xml"))]
        rest = [word for word in extra if not word.endswith(".add.xml")]
        options = ["--additional-files", ",".join(files), "--seed", str(seed)]
        return [*self.arguments, *options, *rest]

    def advance(self, until_s: float, beat: Any) -> None:
        """Simulate until then, or until everybody has arrived or the cap is reached."""
        simulation, until_s = self.libsumo.simulation, min(until_s, self.cap_s)
        step, arrived = simulation.step, simulation.getArrivedIDList  # called every second
        teleporting = simulation.getStartingTeleportIDList
        colliding = simulation.getCollidingVehiclesNumber
        begin_second = self.progress.begin_second
        while self.left and self.time_s < until_s:
            begin_second(self.time_s)
            step()
            for name in arrived():
                if name in self.index:  # others are background
                    self.arrival_s[self.index[name]] = self.time_s  # as SUMO's tripinfo counts
                    self.left -= 1
            self.time_s += 1.0
            for name in teleporting():
                if name in self.index:
                    self.teleports[self.index[name]] += 1
            self.collisions += colliding()
            if self.time_s >= self.next_sample_s:
                self._sample()
                beat()
        self.progress.rest()

    def _sample(self) -> None:
        self.next_sample_s += SAMPLE_EVERY_S
        count_on = self.libsumo.edge.getLastStepVehicleNumber
        mean_speed_on = self.libsumo.edge.getLastStepMeanSpeed
        for sums, name in zip(self.moving, self.watched, strict=True):
            count = count_on(name)
            if count:
                sums[0] += count
                sums[1] += count * mean_speed_on(name)
        if self.time_s >= self.next_interval_s:
            self.next_interval_s += self.interval_s
            self.speeds.append([s / n if n else -1.0 for n, s in self.moving])
            samples = self.interval_s / SAMPLE_EVERY_S
            self.counts.append([round(n / samples, 6) for n, _ in self.moving])
            self.moving = [[0.0, 0.0] for _ in self.watched]

    def on_the_way(self) -> list[list[Any]]:
        """Vehicle number and edge of everybody on an ordinary edge, in order of number."""
        found = []
        for name in self.libsumo.vehicle.getIDList():
            edge = self.libsumo.vehicle.getRoadID(name)
            if name in self.index and edge and not edge.startswith(":"):
                found.append([self.index[name], edge])
        return sorted(found)

    def steer(self, redirect: list[list[int]], until_s: float, beat: Any) -> None:
        """Send vehicles (number, route) elsewhere, then simulate until then."""
        for number, choice in redirect:
            self.redirect(number, choice)
        self.advance(until_s, beat)

    def redirect(self, number: int, choice: int) -> None:
        """Send a vehicle along another route, from the edge it is on or from its start."""
        name, route = self.vehicles[number][0], self.routes[choice]
        edge = self.libsumo.vehicle.getRoadID(name)
        self.libsumo.vehicle.setRoute(name, route[route.index(edge) :] if edge else route)
        self.choices[number] = choice

    def outcome(self) -> dict[str, Any]:
        """What is known so far."""
        return {
            "arrival_s": self.arrival_s,
            "teleports": self.teleports,
            "collisions": self.collisions,
            "speeds": self.speeds,
            "counts": self.counts,
            "choices": self.choices,
            "time_s": self.time_s,
            "left": self.left,
        }

    def flush(self) -> None:
        """Make SUMO write out the files of the episode: it does so when the next one begins."""
        self.libsumo.load(self._options(0, []))
        self.saved = False


class Requests:
    """The lines of a descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unread = b""

    def __iter__(self) -> Iterator[bytes]:
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                yield line
                continue
            chunk = os.read(self._descriptor, CHUNK_BYTES)
            if not chunk:
                return
            self._unread += chunk

    def waiting(self) -> bool:
        """Whether there is more to read."""
        return bool(self._unread or select.select([self._descriptor], [], [], 0.0)[0])


class Server:
    """Answers requests, one after the other."""

    def __init__(self, libsumo: Any, answers: TextIO, requests: Requests) -> None:
        self.libsumo = libsumo
        self.answers = answers
        self.requests = requests
        self.progress = Progress.of_this_process()
        self.simulation: Simulation | None = None
        self.last_sent_s = 0.0

    def run(self) -> None:
        """Until there are no more requests."""
        for line in self.requests:
            try:
                answer = self.handle(json.loads(line))
            except Exception as error:  # noqa: BLE001 - passed to the parent, which decides
                answer = {"error": f"{type(error).__name__}: {error}"}
                self.progress.rest()
            self.say(answer)
            if not self.requests.waiting():
                self.send()

    def say(self, answer: Request) -> None:
        """Answers wait until nothing else is to be done, but not for long."""
        with contextlib.suppress(BrokenPipeError):
            self.answers.write(json.dumps(answer, separators=(",", ":")) + "\n")
        if time.monotonic() - self.last_sent_s >= QUIET_S:
            self.send()

    def send(self) -> None:
        self.last_sent_s = time.monotonic()
        with contextlib.suppress(BrokenPipeError):
            self.answers.flush()

    def beat(self) -> None:
        if time.monotonic() - self.last_sent_s >= QUIET_S:
            self.say({"beat": True})

    def handle(self, request: Request) -> Request:
        command = request["do"]
        if command == "open":
            self.simulation = Simulation(self.libsumo, request, self.progress)
            return {"opened": True}
        simulation = self.simulation
        assert simulation is not None
        if command == "play":
            simulation.begin(request["choices"], request["seed"], request["extra"])
            for until_s, redirect in request["orders"]:
                simulation.steer(redirect, until_s, self.beat)
            simulation.advance(simulation.cap_s, self.beat)
            outcome = simulation.outcome()
            if request["extra"]:
                simulation.flush()
            return outcome
        if command == "begin":
            simulation.begin(request["choices"], request["seed"], [])
        else:
            simulation.steer(request["redirect"], request["until_s"], self.beat)
        return simulation.outcome() | {"on_the_way": simulation.on_the_way()}


def die_with_parent() -> None:
    """Ask Linux to end this process when its parent ends; elsewhere the end of stdin does."""
    set_parent_death_signal = 1  # PR_SET_PDEATHSIG in sys/prctl.h
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).prctl(set_parent_death_signal, signal.SIGKILL, 0, 0, 0)


def serve(load_libsumo: Callable[[], Any]) -> None:
    """Answer until stdin ends."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=CHUNK_BYTES)
    os.dup2(2, 1)
    Server(load_libsumo(), answers, Requests(0)).run()


def main() -> None:
    """Serve with SUMO's own library."""
    serve(lambda: importlib.import_module("libsumo"))


if __name__ == "__main__":
    main()
