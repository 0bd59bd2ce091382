"""Many tasks as Ray tasks, for machines with many cores and for clusters.

Needs the extra `ray`. Joins the cluster at an address, or that `RAY_ADDRESS` names, else starts one
here. All nodes must see the folders of the tasks under the same path. A task whose process or node
is lost is tried again by Ray and goes on from its last checkpoint.
"""

import importlib
import os
import re
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout, suppress
from typing import Any

from ss_core.errors import ConfigError, ResourceError
from ss_core.processes.child_tasks import Answer, Task, interruptible, perform
from ss_core.processes.pool import RETRIES, Failure, Observe, finished_well, write_failure
from ss_core.resources import install_command

POLL_S = 1.0
KNOCK_S = 5.0
ADDRESS = re.compile(r"(ray://)?(?P<host>[^:/]+):(?P<port>\d{1,5})")


def run_on_ray(
    tasks: Sequence[Task],
    workers: int,
    observe: Observe,
    *,
    address: str | None = None,
    retries: int = RETRIES,
    time_is_up: Callable[[], bool] = lambda: False,
) -> list[Failure]:
    """Carry out all tasks, at most `workers` at a time where the cluster is started here.

    Once `time_is_up` the others are ended; what they had committed is kept.

    Raises:
        ConfigError: Ray is not installed.
        Interrupted: SIGINT or SIGTERM; what the tasks had committed is kept.
        ResourceError: no cluster at the address, or disk or memory is exhausted; the other tasks
            are stopped.
    """
    with redirect_stdout(sys.stderr):  # Ray tells of lost workers on stdout, which is the result's
        return _run(tasks, workers, observe, address, retries, time_is_up)


def _run(
    tasks: Sequence[Task],
    workers: int,
    observe: Observe,
    address: str | None,
    retries: int,
    time_is_up: Callable[[], bool],
) -> list[Failure]:
    ray = _import_ray()
    started_here = not ray.is_initialized()
    if started_here:
        _join(ray, workers, address)
    body = ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=False)(carry_out)
    running: dict[Any, Task] = {}
    try:
        with interruptible():
            try:
                running.update((body.remote(task), task) for task in tasks)
                return _collect(ray, running, observe, time_is_up)
            finally:
                for reference in running:
                    with suppress(Exception):  # ended meanwhile, or the cluster is gone
                        ray.cancel(reference)
    finally:
        if started_here:
            ray.shutdown()


def carry_out(task: Task) -> Answer | None:
    """What a Ray worker does."""
    return perform(task, _tell_nobody, _is_never_asked)


def _tell_nobody(_done: int, _total: int, _note: str) -> None:
    pass


def _is_never_asked() -> bool:
    return False  # Ray interrupts by an exception


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # runs are nobody else's business
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        raise ConfigError(
            "--engine ray: Ray is not installed; install it with "
            f"`{install_command('ray')}`, or use --engine local"
        ) from error


def _join(ray: Any, workers: int, given: str | None) -> None:
    address = given or os.environ.get("RAY_ADDRESS")
    quiet = {"log_to_driver": False, "logging_level": "error"}
    try:
        if address:
            _knock(address)
            ray.init(address=address, **quiet)
        else:
            ray.init(address="local", num_cpus=workers, include_dashboard=False, **quiet)
    except (OSError, RuntimeError, ValueError) as error:
        place = f"a cluster at {address}" if address else "a local cluster"
        reason = " ".join(str(error).split())[:300]
        raise ResourceError(
            f"--engine ray: cannot reach {place}: {reason}; `ray start --head` starts one and says "
            "its address, --engine local needs none"
        ) from error


def _knock(address: str) -> None:
    """Fail in seconds where nobody listens; Ray would wait for minutes."""
    found = ADDRESS.fullmatch(address)
    if found is not None:
        with socket.create_connection((found["host"], int(found["port"])), timeout=KNOCK_S):
            return


def _collect(
    ray: Any, running: dict[Any, Task], observe: Observe, time_is_up: Callable[[], bool]
) -> list[Failure]:
    failures: list[Failure] = []
    while running and not time_is_up():
        ready, _ = ray.wait(list(running), timeout=POLL_S)
        for reference in ready:
            task = running.pop(reference)
            failure = _settle(task, *_answer(ray, reference))
            if failure is None:
                finished_well(task)
                observe(task.name, "done", 1, 1, "")
            else:
                failures.append(failure)
                observe(task.name, "failed", 0, 1, failure.reason)
    return failures


def _answer(ray: Any, reference: Any) -> tuple[str, str, str]:
    """Kind, text and traceback of what went wrong; nothing in them where nothing did."""
    try:
        answer: Answer | None = ray.get(reference)
    except ray.exceptions.RayError as error:  # the process was lost, and again when tried anew
        return type(error).__name__, " ".join(str(error).split()), ""
    match answer:
        case ("done",):
            return "", "", ""
        case ("error", kind, text, trace):
            return kind, text, trace
        case None:
            return "Stopped", "it ended before its end", ""
    raise RuntimeError("a task answered in an unknown form")


def _settle(task: Task, kind: str, text: str, trace: str) -> Failure | None:
    if not kind:
        return None
    if kind == ResourceError.__name__:
        raise ResourceError(text)
    return write_failure(task, f"{kind}: {text}", trace)
