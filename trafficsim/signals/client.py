"""One simulation of traffic lights in a child process, replaced when it dies or hangs.

A new process is brought to where the old one was: the same seed and the same actions again, which
SUMO answers with the same numbers. Where libsumo makes no progress, the next process talks to
SUMO's own program over TraCI; where that makes none either, the light is named.
"""

from dataclasses import dataclass
from typing import Any

from ss_core.errors import InputError, SimulatorError
from trafficsim.signals.scene import Program, SignalScene
from trafficsim.sumo.process import SumoDied, SumoProcess, SumoStalled, has_programs

RESTARTS = 3  # within one episode
STALLS = 2  # within one episode: once in libsumo, once over TraCI
SERVER = "trafficsim.signals.child.server"
Request = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalLayout:
    """The lights of a net in SUMO's order."""

    agents: tuple[str, ...]
    observation_sizes: tuple[int, ...]
    action_counts: tuple[int, ...]  # green phases


class SignalClient:
    """Asks the process; the same requests bring the same answers, whatever dies in between."""

    def __init__(self, scene: SignalScene, program: Program = "agents") -> None:
        self._scene = scene
        self._program: Program = program
        self._open = {"do": "open", "scene": scene.as_request(program)}
        self._past: list[Request] = []  # of this episode, answered
        self._ahead: Request | None = None  # sent, answer not read yet
        self._process: SumoProcess | None = None
        self._deaths, self._stalls = 0, 0  # in this episode
        answer = self._ask(self._open)
        self.layout = SignalLayout(
            agents=tuple(answer["agents"]),
            observation_sizes=tuple(answer["observation_sizes"]),
            action_counts=tuple(answer["action_counts"]),
        )

    @property
    def pid(self) -> int:
        """Of the child process."""
        assert self._process is not None
        return self._process.pid

    def reset(self, seed: int, *, record: bool = False, routes: str = "") -> list[list[float]]:
        """Begin an episode; the observations of all lights.

        `routes` replaces the scene's file for this episode; it must stay as it is meanwhile, since
        a new process reads it again.

        Raises:
            SimulatorError: SUMO refuses net or demand, or dies again and again.
        """
        self._past, self._deaths, self._stalls = [], 0, 0
        answer = self._ask({"do": "reset", "seed": seed, "record": record, "routes": routes})
        return answer["observations"]

    def announce(self, actions: list[int]) -> None:
        """Hand over the actions of the next `step` already, so that copies work side by side."""
        request = {"do": "step", "actions": actions}
        try:
            if self._process is not None:
                self._process.send(request)
                self._ahead = request
        except SumoDied:
            self._bury()

    def step(self, actions: list[int]) -> dict[str, Any]:
        """Play one joint action: `observations`, `rewards` and whether the episode is `over`."""
        return self._ask({"do": "step", "actions": actions})

    def play(self) -> dict[str, Any]:
        """Play the episode under the lights' own programs and measure it."""
        return self._ask({"do": "play"})

    def measure(self) -> dict[str, Any]:
        """What SUMO wrote about the recorded episode that is over."""
        return self._ask({"do": "measure"})

    def close(self) -> None:
        """End the process."""
        self._bury()

    def _ask(self, request: Request) -> dict[str, Any]:
        if self._ahead is not None and self._ahead != request:
            self._bury()  # it went another way than announced
        while True:
            try:
                if self._process is None:
                    self._revive(request)
                answer = self._answer_to(request)
                break
            except SumoDied as death:
                self._bury()
                self._count(death)
        if request is not self._open:
            self._past.append(request)
        return answer

    def _count(self, death: SumoDied) -> None:
        """Whether to try again, and how.

        Raises:
            SimulatorError: it has been tried often enough.
        """
        if isinstance(death, SumoStalled):
            self._stalls += 1
            if self._stalls >= STALLS:
                raise SimulatorError(self._stalled(death)) from death
            over_traci = has_programs()  # else once more as before
            self._open["scene"] = self._scene.as_request(self._program, over_traci=over_traci)
            return
        self._deaths += 1
        if self._deaths > RESTARTS:
            raise SimulatorError(
                f"{self._scene.net}: SUMO died {self._deaths} times in one episode "
                f"({str(death) or 'without a word'}); free some memory, or raise watchdog_s"
            ) from death

    def _stalled(self, death: SumoStalled) -> str:
        """Where SUMO does not get on, and what to do."""
        mark, scene = death.mark, self._scene
        name = mark.words.split("'")[1] if "'" in mark.words else ""
        without = (
            f"take the light out (netconvert -s {scene.net} --tls.unset {name} -o without.net.xml)"
        )
        return (
            f"{scene.net}: SUMO makes no progress in second {mark.time_s:g}, neither in libsumo "
            f"nor over TraCI, each time for {scene.stall_s} s; lights about to change: "
            f"{mark.words or 'none'}; {without if name else 'look at the demand of that second'}, "
            "or, where the machine is merely slow, --set scene.stall_s=60 (beside drivers: "
            "--set sumo.stall_s=60)"
        )

    def _answer_to(self, request: Request) -> dict[str, Any]:
        process, ahead = self._process, self._ahead
        assert process is not None
        self._ahead = None
        answer = process.receive() if ahead == request else process.ask(request)
        if "refused" in answer:
            self.close()
            raise InputError(answer["refused"])
        return answer

    def _revive(self, request: Request) -> None:
        """A fresh process, led through what the old one went through."""
        self._ahead = None
        scene = self._scene
        self._process = SumoProcess(float(scene.watchdog_s), SERVER, stall_s=float(scene.stall_s))
        for past in [] if request is self._open else [self._open, *self._past]:
            self._answer_to(past)

    def _bury(self) -> None:
        self._ahead = None
        if self._process is not None:
            self._process.close()
            self._process = None
