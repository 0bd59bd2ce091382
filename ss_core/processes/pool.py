"""Many short tasks in a few child processes that stay: each carries out one task after the other.

Unlike `workers.run_tasks`, one failure does not end the rest: a task that raises is set aside with
a log in its folder, and one whose process died is tried again. Signals, orphans and locks are as
there.
"""

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Literal

from ss_core.errors import ResourceError
from ss_core.processes.child_tasks import (
    Report,
    Task,
    interruptible,
    main_left_out,
    perform,
    prepare_child,
    stop_all,
)
from ss_core.record.atomic import atomic_write

RETRIES = 1  # of a task whose process died
REPORT_EVERY_S = 0.2
IDLE_POLL_S = 0.2
LOG_TAIL_BYTES = 20_000
FAILURE_LOG = "failure.log"

Stage = Literal["working", "done", "again", "failed"]
Observe = Callable[[str, Stage, int, int, str], None]  # task, stage, done, total, note


@dataclass(frozen=True, slots=True)
class Failure:
    """A task that did not reach its end."""

    task: str
    reason: str  # one line
    log: str  # path of what is known


@dataclass(slots=True)
class _Server:
    """A child process and the task it is at."""

    process: SpawnProcess
    pipe: Connection
    task: Task | None = None


@dataclass(slots=True)
class _Pool:
    """The state of `run_pool`."""

    waiting: list[Task]
    observe: Observe
    retries: int
    servers: dict[Connection, _Server] = field(default_factory=dict)
    deaths: dict[str, int] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)

    @property
    def processes(self) -> list[SpawnProcess]:
        return [server.process for server in self.servers.values()]

    def busy(self) -> list[Connection]:
        return [pipe for pipe, server in self.servers.items() if server.task is not None]

    def hand_out(self, workers: int) -> None:
        """Give every idle process a task, starting processes while there are too few."""
        while self.waiting and len(self.servers) < workers:
            server = _start()
            self.servers[server.pipe] = server
            self._give(server)
        for server in self.servers.values():
            if self.waiting and server.task is None:
                self._give(server)

    def _give(self, server: _Server) -> None:
        server.task = self.waiting.pop(0)
        with suppress(BrokenPipeError):  # it has died: reading from it will tell
            server.pipe.send(server.task)

    def read(self, pipe: Connection) -> None:
        """Take in one message of a process at work.

        Raises:
            ResourceError: the disk is full or memory is exhausted: the next task would fare alike.
        """
        server = self.servers[pipe]
        task = server.task
        assert task is not None
        try:
            message = pipe.recv()
        except (EOFError, OSError):
            self._bury(server, task)
            return
        match message:
            case ("progress", int(done), int(total), str(note)):
                self.observe(task.name, "working", done, total, note)
                return
            case ("done",):
                finished_well(task)
                self.observe(task.name, "done", 1, 1, "")
            case ("error", "ResourceError", str(text), str()):
                raise ResourceError(text)
            case ("error", str(kind), str(text), str(trace)):
                self._fail(task, f"{kind}: {text}", trace)
            case _:
                raise RuntimeError(f"task {task.name!r} sent a message of unknown form")
        server.task = None

    def _bury(self, server: _Server, task: Task) -> None:
        server.process.join()
        server.pipe.close()
        del self.servers[server.pipe]
        self.deaths[task.name] = self.deaths.get(task.name, 0) + 1
        if self.deaths[task.name] <= self.retries:
            self.waiting.insert(0, task)
            self.observe(task.name, "again", 0, 1, "its process died")
            return
        reason = (
            f"its process died {self.deaths[task.name]} times (exit code "
            f"{server.process.exitcode}: killed, or out of memory)"
        )
        self._fail(task, reason, "")

    def _fail(self, task: Task, reason: str, trace: str) -> None:
        self.failures.append(write_failure(task, reason, trace))
        self.observe(task.name, "failed", 0, 1, reason)


def run_pool(
    tasks: Sequence[Task],
    workers: int,
    observe: Observe,
    *,
    retries: int = RETRIES,
    time_is_up: Callable[[], bool] = lambda: False,
) -> list[Failure]:
    """Carry out all tasks, in order, at most `workers` at a time; returns those that failed.

    Once `time_is_up` the tasks at work commit and stop, and no other begins.

    Raises:
        Interrupted: SIGINT or SIGTERM; what the tasks had done is committed.
        ResourceError: disk or memory is exhausted; the other tasks commit and stop.
    """
    pool = _Pool(list(tasks), observe, retries)
    with interruptible():
        try:
            while (pool.waiting or pool.busy()) and not time_is_up():
                pool.hand_out(workers)
                for pipe in wait(pool.busy(), timeout=1.0):
                    assert isinstance(pipe, Connection)
                    pool.read(pipe)
        finally:
            stop_all(pool.processes)
    return pool.failures


def finished_well(task: Task) -> None:
    """Take away what an earlier, unsuccessful try may have left."""
    (Path(task.folder) / FAILURE_LOG).unlink(missing_ok=True)


def write_failure(task: Task, reason: str, trace: str) -> Failure:
    """Leave a log of what went wrong in the task's folder: reason, traceback, end of its stderr."""
    folder, stderr = Path(task.folder), b""
    with suppress(OSError):
        stderr = (folder / task.log).read_bytes()[-LOG_TAIL_BYTES:] if task.log else b""
    parts = [f"{task.name}: {reason}\n".encode(), trace.encode(), stderr]
    atomic_write(folder / FAILURE_LOG, b"\n".join(part for part in parts if part))
    return Failure(task.name, " ".join(reason.split()), str(folder / FAILURE_LOG))


def _start() -> _Server:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
    with main_left_out():
        process.start()
    theirs.close()
    assert isinstance(ours, Connection)
    return _Server(process, ours)


def _serve(pipe: Connection, parent: int) -> None:
    """Body of a child process: a task after the other, until it is asked to stop."""
    stop = prepare_child(parent, commits=True)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):  # the parent is gone
        while not stop():
            if not pipe.poll(IDLE_POLL_S):
                continue
            answer = perform(pipe.recv(), _seldom(pipe), stop)
            if answer is None:
                return
            pipe.send(answer)


def _seldom(pipe: Connection) -> Report:
    """Reports of one task, no more of them than somebody can read."""
    last_s = -REPORT_EVERY_S

    def report(done: int, total: int, note: str) -> None:
        nonlocal last_s
        now_s = time.monotonic()
        if done == total or now_s - last_s >= REPORT_EVERY_S:
            last_s = now_s
            pipe.send(("progress", done, total, note))

    return report
