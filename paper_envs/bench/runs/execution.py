"""The runs of a benchmark carried out: in which order, where, until when, and how far they came."""

import math
import time
from collections.abc import Callable, Sequence

from paper_envs.bench.runs import run_specs
from paper_envs.bench.runs.plan import PROFILES
from paper_envs.bench.runs.progress import Row, RunsProgress, start_progress
from paper_envs.bench.runs.request import Request
from paper_envs.bench.runs.run import RunSpec
from ss_core.errors import Interrupted
from ss_core.processes import pool
from ss_core.processes.child_tasks import Task
from ss_core.processes.engines import carry_out_tasks


def carry_out(
    specs: Sequence[RunSpec], request: Request, show: Callable[[RunsProgress], None]
) -> tuple[list[pool.Failure], Interrupted | None]:
    """Run what is not finished; what failed, and the signal that ended it early, if one did.

    Raises:
        Interrupted: a signal came, in a profile that is meant to be finished.
        ResourceError: disk or memory is exhausted.
    """
    early = PROFILES[request.profile].may_end_early
    waiting = _waiting(specs, short_first=early or request.max_hours is not None)
    so_far = _progress(specs)

    def observe(name: str, stage: pool.Stage, done: int, total: int, note: str) -> None:
        so_far.note(name, stage, done, total, note)
        show(so_far)

    so_far.message = _expected(waiting)
    show(so_far)
    tasks = [run_specs.task_of(spec) for spec in waiting]
    failures, stopped = [], None
    try:
        failures = _launch(tasks, request, observe, _alarm(request.max_hours))
    except Interrupted as signal:
        if not early:
            raise
        stopped = signal
    if stopped is not None or request.max_hours is not None:
        begun = _begun(waiting, failures)
        so_far.message = f"{len(begun)} unfinished runs are evaluated"
        show(so_far)
        failures += _launch(begun, request, lambda *_: None, lambda: False)
    so_far.message = "tables and figures"
    show(so_far)
    return failures, stopped


def _waiting(specs: Sequence[RunSpec], *, short_first: bool) -> list[RunSpec]:
    """Runs to be carried out, long ones first, so that no process idles at the end.

    Where the end may not be reached, short ones are first: then some claims are decided.
    """
    sign = 1 if short_first else -1
    waiting = [spec for spec in specs if not run_specs.is_finished(spec)]
    return sorted(waiting, key=lambda spec: sign * run_specs.weight_of(spec))


def _progress(specs: Sequence[RunSpec]) -> RunsProgress:
    """Progress of all runs, before any of them is carried out."""
    names = [run_specs.task_of(spec).name for spec in specs]
    rows = [
        Row(name, spec.cell, run_specs.weight_of(spec))
        for name, spec in zip(names, specs, strict=True)
    ]
    done = [name for name, spec in zip(names, specs, strict=True) if run_specs.is_finished(spec)]
    return start_progress(rows, done)


def _expected(waiting: Sequence[RunSpec]) -> str:
    hours = run_specs.hours_shown(run_specs.core_hours(waiting))
    return f"expected: {hours} core-hours" if waiting else ""


def _alarm(hours: float | None) -> Callable[[], bool]:
    """Whether so many hours have passed since this call; None: they never have."""
    until_s = math.inf if hours is None else time.monotonic() + 3600 * hours
    return lambda: time.monotonic() >= until_s


def _begun(specs: Sequence[RunSpec], failures: Sequence[pool.Failure]) -> list[Task]:
    """Tasks that measure unfinished runs as their checkpoints have them; not those that failed."""
    failed = {each.task for each in failures}
    tasks = [
        run_specs.task_of(spec, of="evaluate_run")
        for spec in specs
        if not run_specs.is_finished(spec) and run_specs.has_begun(spec)
    ]
    return [task for task in tasks if task.name not in failed]


def _launch(
    tasks: Sequence[Task], request: Request, observe: pool.Observe, time_is_up: Callable[[], bool]
) -> list[pool.Failure]:
    if not tasks or time_is_up():
        return []
    return carry_out_tasks(
        tasks,
        request.workers,
        observe,
        engine=request.engine,
        address=request.address,
        time_is_up=time_is_up,
    )
