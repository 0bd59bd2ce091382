"""One SUMO in a child process: starts it, asks it, notices when it dies or hangs.

`simulation.Simulator` decides what to do then. Requests and answers are lines of JSON; what SUMO
itself says goes to a log that is read only when something went wrong.
"""

import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from typing import Any

from ss_core.errors import InputError, SimulatorError
from ss_core.resources import install_command
from trafficsim.nets.catalogue import TRAFFIC
from trafficsim.sumo.progress import VARIABLE, Mark, Progress

START = (  # finds what this process finds, not what happens to lie where it is started
    "import runpy, sys; sys.path[:] = {paths!r}; "
    "runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
)
LOG_TAIL_BYTES = 4000
CHUNK_BYTES = 1 << 16
LOOK_EVERY_S = 0.5  # at the progress of a child that is waited for


class SumoDied(Exception):  # noqa: N818 - what happened, for `Simulator` to judge
    """The child process ended or said nothing for too long."""


class SumoStalled(SumoDied):
    """The child process is there, but a second that it simulates does not end."""

    def __init__(self, mark: Mark, stall_s: float) -> None:
        super().__init__(f"no progress for {stall_s:g} s in second {mark.time_s:g}")
        self.mark = mark


def check_installed() -> None:
    """Refuse early where SUMO is missing.

    Raises:
        InputError: no libsumo here.
    """
    if find_spec("libsumo") is None:
        raise InputError(f"SUMO is not installed (no package libsumo); {install_command(TRAFFIC)}")


def has_programs() -> bool:
    """Whether SUMO's own programs are here, too."""
    return find_spec("sumo") is not None


def child_command(module: str) -> list[str]:
    """What runs a module in a process of its own."""
    paths = [path or os.getcwd() for path in sys.path]
    return [sys.executable, "-P", "-c", START.format(paths=paths, module=module)]


class SumoProcess:
    """A child process with a simulation; `busy` from `send` to `receive`.

    It is given up after `watchdog_s` without a sign of life, or `stall_s` in one simulated second.
    """

    def __init__(
        self,
        watchdog_s: float,
        module: str = "trafficsim.sumo.server",
        *,
        stall_s: float = math.inf,
    ) -> None:
        self._watchdog_s, self._stall_s = watchdog_s, stall_s
        self._progress = Progress.new()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._process = subprocess.Popen(
            child_command(module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            bufsize=0,
            env={
                **os.environ,
                "PYTHONUNBUFFERED": "1",
                VARIABLE: str(self._progress.descriptor),
            },
            pass_fds=(self._progress.descriptor,),
        )
        assert self._process.stdin is not None
        os.set_blocking(self._process.stdin.fileno(), False)  # who does not read must not hold us
        self._unread = b""
        self.busy = False

    @property
    def pid(self) -> int:
        """Of the child."""
        return self._process.pid

    def fileno(self) -> int:
        """Readable when there is an answer."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    @property
    def has_unread(self) -> bool:
        """Whether another answer, or a part of it, came along with the last one."""
        return bool(self._unread)

    def send(self, request: dict[str, Any]) -> None:
        """Hand over a request; `receive` brings the answer.

        Raises:
            SumoDied: nobody takes it.
        """
        self.busy = True
        stdin = self._process.stdin
        assert stdin is not None
        unsent = memoryview(json.dumps(request).encode() + b"\n")
        deadline_s = time.monotonic() + self._watchdog_s
        try:
            while unsent:
                _, ready, _ = select.select([], [stdin], [], self._look_s(deadline_s))
                if ready:
                    unsent = unsent[os.write(stdin.fileno(), unsent) :]
                else:
                    self._refuse_to_wait(deadline_s)
        except OSError as error:
            raise SumoDied(self.last_words()) from error

    def receive(self) -> dict[str, Any]:
        """The answer to the request.

        Raises:
            SumoDied: there will be none.
            SimulatorError: SUMO refused what was asked.
        """
        deadline_s = time.monotonic() + self._watchdog_s
        while True:
            line, newline, rest = self._unread.partition(b"\n")
            if newline:
                self._unread = rest
                answer = json.loads(line)
                if "beat" in answer:
                    deadline_s = time.monotonic() + self._watchdog_s
                    continue
                self.busy = False
                if "error" in answer:
                    raise SimulatorError(
                        f"SUMO: {answer['error']}; {self.last_words()}".rstrip("; ")
                    )
                return answer
            self._unread += self._more(deadline_s)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send and receive."""
        self.send(request)
        return self.receive()

    @property
    def stalled(self) -> Mark | None:
        """Where it is, if it does not get on."""
        mark = self._progress.mark()
        late = mark is not None and time.monotonic() - mark.since_s >= self._stall_s
        return mark if late else None

    def _more(self, deadline_s: float) -> bytes:
        while True:
            ready, _, _ = select.select([self], [], [], self._look_s(deadline_s))
            if ready:
                break
            self._refuse_to_wait(deadline_s)
        chunk = os.read(self.fileno(), CHUNK_BYTES)
        if not chunk:
            raise SumoDied(self.last_words())
        return chunk

    def _look_s(self, deadline_s: float) -> float:
        """How long to wait until the next look at the child's progress."""
        return min(LOOK_EVERY_S, max(0.0, deadline_s - time.monotonic()))

    def _refuse_to_wait(self, deadline_s: float) -> None:
        """Raise if the child has been waited for long enough."""
        if mark := self.stalled:
            raise SumoStalled(mark, self._stall_s)
        if time.monotonic() >= deadline_s:
            raise SumoDied(f"no sign of life for {self._watchdog_s:g} s")

    def last_words(self) -> str:
        """What SUMO wrote last, its errors before anything else; one line."""
        with suppress(OSError, ValueError):
            size = self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, size - LOG_TAIL_BYTES))
            lines = self._log.read().decode(errors="replace").splitlines()
            errors = [line for line in lines if line.startswith("Error")]
            chosen = errors or [line for line in lines if line.strip()][-1:]
            return " ".join(" ".join(chosen[:3]).split())
        return ""

    def close(self) -> None:
        """End the child; nothing of it is left."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._log.close()
        self._progress.close()
