"""Sub-tasks of a run in child processes: started in order, at most so many at a time.

A task is a function named `module:function`, called with plain arguments, a `report` callback and a
`stop` question; it commits its own work and returns whether it reached its end. A signal to the
parent asks the children to stop; a child whose parent is gone stops by itself. A task's folder is
locked while a process works in it, so that a run started anew waits for a child that outlived the
old one.
"""

import ctypes
import faulthandler
import importlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from ss_core import errors
from ss_core.errors import (
    OUT_OF_MEMORY,
    Interrupted,
    ResourceError,
    RunLockedError,
    SuggestionSharingError,
    is_want_of_room,
)
from ss_core.record.atomic import disk_message, make_folder

if TYPE_CHECKING:
    from filelock import FileLock

GRACE_S = 15.0  # to commit after a stop was asked for
ORPHAN_GRACE_S = 10.0  # the same, when the parent is gone
LOCK_WAIT_S = 60.0  # for a process of an earlier run to let go of a task's folder
RESTARTS = 2  # of a child that died without a word

Report = Callable[[int, int, str], None]  # done, total, a word on how it goes
Stop = Callable[[], bool]
Progress = Callable[[str, float, float, str], None]  # task, done, total, note


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One sub-task."""

    name: str
    target: str  # module:function
    arguments: Mapping[str, Any]
    folder: str  # where it writes; one process at a time
    commits: bool = True  # has something to save when asked to stop; else it may be ended at once
    log: str = ""  # file in `folder` for what it writes to stderr; "" leaves it to the parent's


def run_tasks(tasks: Sequence[Task], workers: int, progress: Progress) -> None:
    """Run all tasks to their end.

    Raises:
        Interrupted: SIGINT or SIGTERM; what the tasks had done is committed.
        SuggestionSharingError: what a task raised; the others are stopped first.
        ResourceError: a child process died again and again.
    """
    waiting, running = list(tasks), dict[Connection, _Child]()
    deaths = dict.fromkeys((task.name for task in tasks), 0)
    with interruptible():
        try:
            while waiting or running:
                while waiting and len(running) < workers:
                    child = _start(waiting.pop(0))
                    running[child.pipe] = child
                for pipe in wait(list(running), timeout=1.0):
                    assert isinstance(pipe, Connection)
                    child = running[pipe]
                    match _read(child, progress):
                        case "working":
                            continue
                        case "died":
                            deaths[child.task.name] += 1
                            _give_up_after(deaths[child.task.name], child)
                            waiting.insert(0, child.task)
                    del running[pipe]
                    child.process.join()
                    pipe.close()
        finally:
            stop_all([child.process for child in running.values()])


@dataclass(frozen=True, slots=True)
class _Child:
    """A task at work."""

    task: Task
    process: SpawnProcess
    pipe: Connection


def _start(task: Task) -> _Child:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_work,
        args=(task, theirs, os.getpid()),
        daemon=True,  # ended with this process
    )
    with main_left_out():
        process.start()
    theirs.close()
    assert isinstance(ours, Connection)
    return _Child(task, process, ours)


@contextmanager
def main_left_out() -> Iterator[None]:
    """Processes that are spawned inside do not run the program again that spawns them.

    They need nothing of it: tasks are named by module. So a script that starts a run works without
    `if __name__ == "__main__":`.
    """
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _read(child: _Child, progress: Progress) -> Literal["working", "done", "died"]:
    """Read one message of a child."""
    try:
        message = child.pipe.recv()
    except (EOFError, OSError):  # the end of the pipe, or of half a message
        return "died"
    match message:
        case ("progress", int(done), int(total), str(note)):
            progress(child.task.name, done, total, note)
            return "working"
        case ("done",):
            return "done"
        case ("error", str(kind), str(text), str(trace)):
            _raise_again(child.task, kind, text, trace)
    raise RuntimeError(f"task {child.task.name!r} sent a message of unknown form")


def _give_up_after(deaths: int, child: _Child) -> None:
    if deaths > RESTARTS:
        child.process.join()
        raise ResourceError(
            f"task {child.task.name!r} died {deaths} times without a word (exit code "
            f"{child.process.exitcode}: killed, or out of memory); free some memory and run the "
            "same command again to continue"
        )


def _raise_again(task: Task, kind: str, text: str, trace: str) -> NoReturn:
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, SuggestionSharingError):
        raise known(text)
    raise RuntimeError(f"task {task.name!r} failed: {kind}: {text}\n{trace}")


def stop_all(children: Sequence[SpawnProcess]) -> None:
    """Ask every child to commit and stop; a second signal, or too long a wait, ends it at once."""
    for child in children:
        child.terminate()
    deadline_s = time.monotonic() + GRACE_S
    try:
        for child in children:
            child.join(max(0.0, deadline_s - time.monotonic()))
    finally:
        for child in children:
            if child.is_alive():
                child.kill()
                child.join()


@contextmanager
def interruptible() -> Iterator[None]:
    """SIGINT and SIGTERM raise `Interrupted` inside; outside all is as before."""

    def handle(number: int, _frame: FrameType | None) -> NoReturn:
        raise Interrupted(
            "stopped; what was committed is kept: run the same command to continue", number
        )

    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's to handle
        return
    before = {n: signal.signal(n, handle) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _work(task: Task, pipe: Connection, parent: int) -> None:
    """Body of a child process."""
    stop = prepare_child(parent, commits=task.commits)

    def report(done: int, total: int, note: str) -> None:
        pipe.send(("progress", done, total, note))

    answer = perform(task, report, stop)
    if answer is not None:
        with suppress(BrokenPipeError):
            pipe.send(answer)


def prepare_child(parent: int, *, commits: bool) -> Stop:
    """Set up signals and memory of a child process; says whether it is asked to stop."""
    asked: list[int] = []
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    if commits:
        signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    threading.Thread(target=_follow_parent, args=(parent,), daemon=True).start()
    _keep_memory()
    return lambda: bool(asked) or os.getppid() != parent


Answer = tuple[Literal["done"]] | tuple[Literal["error"], str, str, str]  # kind, text, traceback


def perform(task: Task, report: Report, stop: Stop) -> Answer | None:
    """Carry out a task in this process; None where it was stopped or nobody is left to ask."""
    try:
        module, _, name = task.target.partition(":")
        lock = _lock_folder(Path(task.folder), report)
        try:
            with _stderr_to(Path(task.folder) / task.log) if task.log else nullcontext():
                function = getattr(importlib.import_module(module), name)
                finished = function(task.arguments, report, stop)
        finally:
            lock.release()
        return ("done",) if finished else None
    except BrokenPipeError:
        return None  # the parent is gone
    except SuggestionSharingError as error:
        return "error", type(error).__name__, str(error), ""
    except Exception as error:  # noqa: BLE001 - reported in the parent
        return "error", *_described(task, error)


def perform_all(tasks: Sequence[Task], progress: Progress, stop: Stop) -> bool:
    """Carry out tasks in this process, one after the other; returns whether all reached their end.

    Raises:
        SuggestionSharingError: what a task raised.
    """
    for task in tasks:

        def report(done: int, total: int, note: str, name: str = task.name) -> None:
            progress(name, done, total, note)

        match perform(task, report, stop):
            case None:
                return False
            case ("error", kind, text, trace):
                _raise_again(task, kind, text, trace)
        progress(task.name, 1, 1, "")
    return True


@contextmanager
def _stderr_to(path: Path) -> Iterator[None]:
    """What this process writes to stderr goes to `path`, also what a dying interpreter writes."""
    sys.stderr.flush()
    before = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    faulthandler.enable(file=2)
    try:
        yield
    finally:
        faulthandler.disable()
        sys.stderr.flush()
        os.dup2(before, 2)
        os.close(before)
        if path.stat().st_size == 0:
            path.unlink()


def _keep_memory() -> None:
    """Ask glibc to keep freed memory, so that large temporary arrays are not zeroed each time.

    The learner's products run a fifth faster for it (`benchmarks/learner.py`); elsewhere than on
    glibc nothing happens.
    """
    mmap_max, trim_threshold, top_pad = -4, -1, -2  # M_… in malloc.h
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        for option, value in ((mmap_max, 0), (trim_threshold, 2**31 - 1), (top_pad, 1 << 26)):
            mallopt(option, value)


def _described(task: Task, error: Exception) -> tuple[str, str, str]:
    trace = traceback.format_exc()  # a library may have put the reason into another error
    if is_want_of_room(error) or any(words in trace for words in OUT_OF_MEMORY):
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        text = (
            f"task {task.name!r} is out of memory or disk ({reason[:300]}); free some and run again"
        )
        return ResourceError.__name__, text, ""
    return type(error).__name__, str(error), trace


def _follow_parent(parent: int) -> None:
    """End this process when its parent is gone and the time to commit is over."""
    while os.getppid() == parent:
        time.sleep(0.5)
    time.sleep(ORPHAN_GRACE_S)
    os._exit(1)  # as a kill would: what was committed is whole


def _lock_folder(folder: Path, report: Report) -> "FileLock":
    """Lock a task's folder, waiting for a process of an earlier run to stop.

    Raises:
        RunLockedError: it does not.
        ResourceError: the folder is not writable.
    """
    from filelock import FileLock, Timeout

    try:
        make_folder(folder)
        lock = FileLock(folder / ".lock", thread_local=False)
        try:
            lock.acquire(timeout=0.2)
        except Timeout:
            report(0, 1, "waiting for a process of the run before to stop")
            lock.acquire(timeout=LOCK_WAIT_S)
    except Timeout as error:
        raise RunLockedError(
            f"{folder}: a process of an earlier run still works here after {LOCK_WAIT_S:.0f} s; "
            "end it and run the same command again"
        ) from error
    except OSError as error:
        raise ResourceError(disk_message(folder / ".lock", 0, error)) from error
    return lock
