"""Sub-tasks of a run in child processes: started in order, at most so many at a time.

A task is a function named `module:function`, called with plain arguments, a `report` callback and a
`stop` question; it commits its own work and returns whether it reached its end. A signal to the
parent asks the children to stop; a child whose parent is gone stops by itself.
"""

import importlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from types import FrameType
from typing import Any, NoReturn

from ss_core import errors
from ss_core.errors import Interrupted, SimulatorError, SuggestionSharingError

GRACE_S = 20.0  # to commit after a stop was asked for

Report = Callable[[int, int, str], None]  # done, total, a word on how it goes
Stop = Callable[[], bool]
Progress = Callable[[str, float, float, str], None]  # task, done, total, note


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One sub-task."""

    name: str
    target: str  # module:function
    arguments: Mapping[str, Any]


def run_tasks(tasks: Sequence[Task], workers: int, progress: Progress) -> None:
    """Run all tasks to their end.

    Raises:
        Interrupted: SIGINT or SIGTERM; what the tasks had done is committed.
        SuggestionSharingError: what a task raised; the others are stopped first.
        SimulatorError: a child process died.
    """
    context = multiprocessing.get_context("spawn")
    waiting, running = list(tasks), dict[Connection, tuple[Task, SpawnProcess]]()
    with _signals_interrupt():
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    task = waiting.pop(0)
                    ours, theirs = context.Pipe(duplex=False)
                    child = context.Process(target=_child, args=(task, theirs, os.getpid()))
                    child.start()
                    theirs.close()
                    running[ours] = (task, child)
                for pipe in wait(list(running), timeout=1.0):
                    assert isinstance(pipe, Connection)
                    if _finished(pipe, running[pipe][0], progress):
                        _, child = running.pop(pipe)
                        child.join()
                        pipe.close()
        finally:
            _stop_all([child for _, child in running.values()])


def _finished(pipe: Connection, task: Task, progress: Progress) -> bool:
    """Read one message; whether it was the last of this task."""
    try:
        message = pipe.recv()
    except EOFError:
        raise SimulatorError(
            f"task {task.name!r} died without a word (killed, or out of memory); "
            "run the same command again to continue"
        ) from None
    match message:
        case ("progress", int(done), int(total), str(note)):
            progress(task.name, done, total, note)
            return False
        case ("done",):
            return True
        case ("error", str(kind), str(text), str(trace)):
            _raise_again(task, kind, text, trace)
    raise SimulatorError(f"task {task.name!r} sent a message of unknown form")


def _raise_again(task: Task, kind: str, text: str, trace: str) -> NoReturn:
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, SuggestionSharingError):
        raise known(text)
    raise RuntimeError(f"task {task.name!r} failed: {kind}: {text}\n{trace}")


def _stop_all(children: Sequence[SpawnProcess]) -> None:
    for child in children:
        child.terminate()
    for child in children:
        child.join(GRACE_S)
        if child.is_alive():
            child.kill()
            child.join()


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Interrupted` inside; outside all is as before."""

    def handle(number: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted(
            "stopped; everything up to the last update is kept: run the same command to continue",
            number,
        )

    before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _child(task: Task, pipe: Connection, parent: int) -> None:
    """Body of a child process."""
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda n, _frame: asked.append(n))

    def stop() -> bool:
        return bool(asked) or os.getppid() != parent

    def report(done: int, total: int, note: str) -> None:
        pipe.send(("progress", done, total, note))

    try:
        module, _, name = task.target.partition(":")
        if getattr(importlib.import_module(module), name)(task.arguments, report, stop):
            pipe.send(("done",))
    except BrokenPipeError:
        pass  # the parent is gone
    except SuggestionSharingError as error:
        pipe.send(("error", type(error).__name__, str(error), ""))
    except Exception as error:  # noqa: BLE001 - reported in the parent
        pipe.send(("error", type(error).__name__, str(error), traceback.format_exc()))
