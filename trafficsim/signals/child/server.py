"""The child process that holds sumo-rl: requests in on stdin, answers out on stdout, a line each.

Started as `trafficsim.signals.child.server` by `sumo.process.SumoProcess`. libsumo prints to
stdout, so the answers go to a copy of that descriptor. It ends when its parent does.
"""

import json
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from trafficsim.signals.child.bridge import SignalInputError, SignalSimulation
from trafficsim.sumo.progress import Progress
from trafficsim.sumo.server import die_with_parent

Message = dict[str, Any]


class SignalServer:
    """Answers requests, one after the other."""

    def __init__(self, folder: Path, answers: TextIO) -> None:
        self._folder = folder
        self._answers = answers
        self._simulation: SignalSimulation | None = None
        self._progress = Progress.of_this_process()

    def say(self, answer: Message) -> None:
        """One line to the parent."""
        self._answers.write(json.dumps(answer, separators=(",", ":")) + "\n")
        self._answers.flush()

    def handle(self, request: Message) -> Message:
        """Do what is asked."""
        if request["do"] == "open":
            self._simulation = SignalSimulation(request["scene"], self._folder, self._progress)
            return self._simulation.layout()
        simulation = self._simulation
        assert simulation is not None
        match request["do"]:
            case "reset":
                record, routes = request["record"], request["routes"]
                return simulation.reset(request["seed"], record=record, routes=routes)
            case "step":
                return simulation.step(request["actions"])
            case "play":
                return simulation.play(lambda: self.say({"beat": True}))
            case "measure":
                return simulation.measure()
        raise ValueError(f"no such request: {request['do']!r}")


def main() -> None:
    """Serve until stdin ends."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="ss-signals-") as folder:
        server = SignalServer(Path(folder), answers)
        for line in sys.stdin:
            try:
                answer = server.handle(json.loads(line))
            except SignalInputError as error:
                answer = {"refused": str(error)}
            except Exception as error:  # noqa: BLE001 - passed to the parent, which decides
                answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
            with suppress(BrokenPipeError):
                server.say(answer)


if __name__ == "__main__":
    main()
