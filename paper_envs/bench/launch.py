"""`ss bench paper` from request to tables: plan, run what is missing, write every output, check.

Heavy imports happen inside functions, so that a command's first line appears at once.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paper_envs.bench.runs.request import Request
from ss_core.errors import CheckFailedError, Interrupted, SimulatorError

if TYPE_CHECKING:
    from paper_envs.bench.results.results import RunResult
    from paper_envs.bench.runs.folder import Conditions
    from paper_envs.bench.runs.plan import Plan
    from paper_envs.bench.runs.progress import RunsProgress
    from paper_envs.bench.runs.run import RunSpec
    from ss_core.processes.child_tasks import Task
    from ss_core.processes.pool import Failure, Observe

Show = Callable[["RunsProgress"], None]
Result = dict[str, Any]


def run_from_cli(request: Request, show: Show) -> Result:
    """Run what was asked for; the result has `tables`, `notes`, `run_dir` and `failures`.

    Raises:
        ConfigError: something asked for does not make sense; nothing was written.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works in that folder.
        Interrupted: a signal came; the same command continues.
    """
    from ss_core.processes.child_tasks import interruptible

    with interruptible():
        return _run(request, show)


def verdict(result: Result) -> None:
    """End as the runs and the check did, once the outcome has been shown.

    Raises:
        SimulatorError: runs failed.
        CheckFailedError: results are outside of the reference.
    """
    if result["failures"]:
        first = result["failures"][0]
        raise SimulatorError(
            f"{len(result['failures'])} of {result['num_runs']} runs failed, the first of them "
            f"{first['run']}: {first['reason']} (see {first['log']}); the tables lack them; run "
            "the same command again to repeat only these"
        )
    if result["outside"]:
        raise CheckFailedError(
            "results differ from the reference:\n  " + "\n  ".join(result["outside"])
        )


def _run(request: Request, show: Show) -> Result:
    from paper_envs.bench.runs.dry_run import dry_run
    from paper_envs.bench.runs.folder import BenchFolder, Conditions, fresh_folder
    from paper_envs.bench.runs.preflight import check_writable
    from paper_envs.bench.runs.run_specs import specs_of
    from ss_core.record.provenance import installed_version
    from ss_core.scenario.request import check_device, check_disk

    plan = _plan(request)
    out = fresh_folder(request.folder) if request.fresh else request.folder
    specs = specs_of(plan, out, device=request.device)
    package = installed_version() or "not installed"
    conditions = Conditions(profile=request.profile, device=request.device, package=package)
    reference = _preflight(request, conditions, specs, out)
    if request.dry_run:
        return dry_run(plan, specs, request, out)
    check_device(request.device)
    check_disk(out)
    with BenchFolder(out, conditions) as folder:
        folder.register(specs)
        folder.results()  # a damaged one is reported now, not after hours
        if request.write_reference is not None:
            check_writable(request.write_reference)
        failures, stopped = _carry_out(specs, request, show)
        results, missing = folder.results()
        written = _write_outputs(results, missing, request, out)
        outside = [] if reference is None else _outside(results, plan, reference)
        stored = _store_reference(results, missing, request)
    if stopped is not None:
        raise Interrupted(
            f"stopped; {out / 'index.html'} tells how far every condition came: run the same "
            "command to continue",
            stopped.exit_code - 128,
        )
    return {
        "tables": written["tables"],
        "notes": [*written["notes"], *_notes(results, missing), *stored],
        "run_dir": str(out),
        "num_runs": len(specs),
        "failures": [
            {"run": each.task, "reason": each.reason, "log": each.log} for each in failures
        ],
        "outside": outside,
    }


def _plan(request: Request) -> "Plan":
    from paper_envs.bench.runs.plan import Selection, make_plan
    from paper_envs.presets import ABLATIONS

    selection = Selection(
        envs=request.envs,
        algorithms=request.algorithms,
        presets=() if request.preset == "both" else (request.preset,),
        num_seeds=request.seeds,
    )
    return make_plan(request.profile, selection, ABLATIONS)


def _whole(request: Request) -> "Plan":
    """All of the profile, with one seed."""
    from paper_envs.bench.runs.plan import Selection, make_plan
    from paper_envs.presets import ABLATIONS

    return make_plan(request.profile, Selection(num_seeds=1), ABLATIONS)


def _preflight(
    request: Request, conditions: "Conditions", specs: Sequence["RunSpec"], out: Path
) -> Path | None:
    """Refuse what could only fail later; returns the reference to check against, if any."""
    from paper_envs.bench.runs.folder import check_of_profile, joined, known_cells
    from paper_envs.bench.runs.preflight import check_storable, readable_reference
    from paper_envs.bench.runs.run_specs import specs_of

    known = known_cells(out, conditions)
    check_of_profile(
        out, known, specs_of(_whole(request), out, device=request.device), request.profile
    )
    cells = joined(out, known, specs)
    if request.write_reference is not None:
        check_storable(out, cells, specs)
    if not request.check and request.reference is None:
        return None
    return readable_reference(request.reference, request.profile)


def _carry_out(
    specs: Sequence["RunSpec"], request: Request, show: Show
) -> tuple[list["Failure"], Interrupted | None]:
    """Run what is not finished; what failed, and the signal that ended it early, if one did."""
    from paper_envs.bench.runs.plan import PROFILES
    from paper_envs.bench.runs.progress import Row, start_progress
    from paper_envs.bench.runs.run_specs import is_finished, task_of, weight_of
    from ss_core.processes.pool import Stage

    early = PROFILES[request.profile].may_end_early
    waiting = _waiting(specs, short_first=early)
    finished = [task_of(spec).name for spec in specs if is_finished(spec)]
    rows = [Row(task_of(spec).name, spec.cell, weight_of(spec)) for spec in specs]
    so_far = start_progress(rows, finished)

    def observe(name: str, stage: Stage, done: int, total: int, note: str) -> None:
        so_far.note(name, stage, done, total, note)
        show(so_far)

    so_far.message = _expected(waiting)
    show(so_far)
    failures, stopped = [], None
    try:
        failures = _launch([*map(task_of, waiting)], request, observe, _alarm(request.max_hours))
    except Interrupted as signal:
        if not early:
            raise
        stopped = signal
    if stopped is not None or request.max_hours is not None:
        so_far.message = "unfinished runs are evaluated"
        show(so_far)
        failures += _evaluate(waiting, request)
    so_far.message = "tables and figures"
    show(so_far)
    return failures, stopped


def _waiting(specs: Sequence["RunSpec"], *, short_first: bool) -> list["RunSpec"]:
    """Runs to be carried out, long ones first, so that no process idles at the end.

    Where the end will not be reached, short ones are first: then some claims are decided.
    """
    from paper_envs.bench.runs.run_specs import is_finished, weight_of

    sign = 1 if short_first else -1
    waiting = [spec for spec in specs if not is_finished(spec)]
    return sorted(waiting, key=lambda spec: sign * weight_of(spec))


def _expected(waiting: Sequence["RunSpec"]) -> str:
    from paper_envs.bench.runs.run_specs import core_hours, hours_shown

    return f"expected: {hours_shown(core_hours(waiting))} core-hours" if waiting else ""


def _alarm(hours: float | None) -> Callable[[], bool]:
    """Whether so many hours have passed since this call; None: they never have."""
    until_s = math.inf if hours is None else time.monotonic() + 3600 * hours
    return lambda: time.monotonic() >= until_s


def _evaluate(specs: Sequence["RunSpec"], request: Request) -> list["Failure"]:
    """Measure every unfinished run that has a checkpoint."""
    from paper_envs.bench.runs.run_specs import has_begun, is_finished, task_of

    begun = [spec for spec in specs if not is_finished(spec) and has_begun(spec)]
    tasks = [task_of(spec, of="evaluate_run") for spec in begun]
    return _launch(tasks, request, lambda *_: None, lambda: False)


def _launch(
    tasks: Sequence["Task"], request: Request, observe: "Observe", time_is_up: Callable[[], bool]
) -> list["Failure"]:
    if not tasks:
        return []
    if request.launcher == "ray":
        from paper_envs.bench.runs.ray import run_on_ray

        return run_on_ray(tasks, request.workers, observe, time_is_up=time_is_up)
    from ss_core.processes.pool import run_pool

    return run_pool(tasks, request.workers, observe, time_is_up=time_is_up)


def _write_outputs(
    results: Sequence["RunResult"], missing: Sequence[str], request: Request, out: Path
) -> Mapping[str, Any]:
    from paper_envs.bench.outputs import write_outputs

    return write_outputs(
        results, out, profile=request.profile, command=request.command, missing=missing
    )


def _store_reference(
    results: Sequence["RunResult"], missing: Sequence[str], request: Request
) -> list[str]:
    """Write the reference that was asked for; what to tell if that cannot be."""
    from paper_envs.bench.results.reference import write_reference

    path = request.write_reference
    if path is None:
        return []
    absent = len(missing) + sum(not run.finished for run in results)
    if absent:
        return [f"{path}: not written, for it needs every run; without a result: {absent}"]
    write_reference(results, path, profile=request.profile, command=request.command)
    return []


def _outside(results: Sequence["RunResult"], plan: "Plan", reference: Path) -> list[str]:
    """What is outside of the reference, of the cells that were asked for."""
    from paper_envs.bench.results.reference import check_against

    asked = {cell.slug for cell in plan.cells}
    lines = check_against(results, reference)
    return [line for line in lines if line.partition(":")[0] in asked]


def _notes(results: Sequence["RunResult"], missing: Sequence[str]) -> list[str]:
    notes = []
    unfinished = sum(not run.finished for run in results)
    if unfinished:
        notes.append(
            f"{unfinished} runs are not finished and were evaluated as far as they came; the same "
            "command continues them"
        )
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        notes.append(f"{len(missing)} runs of this folder have no result: {shown}")
    return notes
