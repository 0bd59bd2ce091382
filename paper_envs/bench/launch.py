"""`ss bench paper` from request to tables: plan, run what is missing, write every output, check.

Heavy imports happen inside functions, so that a command's first line appears at once.
"""

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

Show = Callable[["RunsProgress"], None]
Result = dict[str, Any]


def run_from_cli(request: Request, show: Show) -> Result:
    """Run what was asked for.

    The result has `tables`, `notes`, `run_dir`, `failures` and `again`, the words for the command
    that continues it.

    Raises:
        ConfigError: something asked for does not make sense; nothing was written.
        ResourceError: the disk is full or not writable; what was written stays usable.
        RunLockedError: another process works in that folder.
        Interrupted: a signal came; its message says which command continues.
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
            f"{first['run']}: {first['reason']} (see {first['log']}); no claim rests on them; run "
            f"{result['again']} again to repeat only these"
        )
    if result["outside"]:
        raise CheckFailedError(
            "results differ from the reference:\n  " + "\n  ".join(result["outside"])
        )


def _run(request: Request, show: Show) -> Result:
    from paper_envs.bench.runs.dry_run import dry_run
    from paper_envs.bench.runs.folder import Conditions, fresh_folder
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
    return _fill(out, conditions, specs, request, show, reference)


def _fill(
    out: Path,
    conditions: "Conditions",
    specs: Sequence["RunSpec"],
    request: Request,
    show: Show,
    reference: Path | None,
) -> Result:
    """Run what is missing in the folder `out`, write every output, compare with a reference."""
    from paper_envs.bench.runs.execution import carry_out
    from paper_envs.bench.runs.folder import BenchFolder
    from paper_envs.bench.runs.preflight import check_writable

    again = _again(request, out)
    try:
        with BenchFolder(out, conditions) as folder:
            folder.register(specs)
            folder.results()  # a damaged one is reported now, not after hours
            if request.write_reference is not None:
                check_writable(request.write_reference)
            failures, stopped = carry_out(specs, request, show)
            results, missing = folder.results()
            written = _write_outputs(results, missing, request, out)
            stored = _store_reference(results, missing, request)
    except Interrupted as signal:
        raise _with_remedy(signal, "what was committed is kept", again) from None
    if stopped is not None:
        page = out / "index.html"
        raise _with_remedy(stopped, f"{page} tells how far every condition came", again)
    return {
        "tables": written["tables"],
        "notes": [*written["notes"], *_notes(results, missing, again), *stored],
        "run_dir": str(out),
        "num_runs": len(specs),
        "failures": [
            {"run": each.task, "reason": each.reason, "log": each.log} for each in failures
        ],
        "outside": [] if reference is None else _outside(results, specs, reference),
        "again": again,
    }


def _again(request: Request, out: Path) -> str:
    """The command that continues what is in `out`: with --fresh it would begin once more."""
    if request.fresh:
        return f"the same command with --out {out} instead of --fresh"
    return "the same command"


def _with_remedy(signal: Interrupted, kept: str, again: str) -> Interrupted:
    """The same signal, with what is left and how to continue."""
    return Interrupted(f"stopped; {kept}: run {again} to continue", signal.exit_code - 128)


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
    from paper_envs.bench.runs.preflight import check_storable, comparable_reference
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
    return comparable_reference(request.reference, request.profile, specs)


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
    """Write the reference that was asked for; notes if that cannot be."""
    from paper_envs.bench.results.reference import write_reference

    path = request.write_reference
    if path is None:
        return []
    absent = len(missing) + sum(not run.finished for run in results)
    if absent:
        return [f"{path}: not written, for it needs every run; not finished: {absent}"]
    write_reference(results, path, profile=request.profile, command=request.command)
    return []


def _outside(
    results: Sequence["RunResult"], specs: Sequence["RunSpec"], reference: Path
) -> list[str]:
    """What is outside of the reference, of the cells that were asked for."""
    from paper_envs.bench.results.reference import check_against

    asked = {spec.cell.slug for spec in specs}
    lines = check_against(results, reference)
    return [line for line in lines if line.partition(":")[0] in asked]


def _notes(results: Sequence["RunResult"], missing: Sequence[str], again: str) -> list[str]:
    notes = []
    unfinished = sum(not run.finished for run in results)
    if unfinished:
        notes.append(
            f"{unfinished} runs are not finished and were evaluated as far as they came; {again} "
            "continues those it asks for"
        )
    if missing:
        shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        notes.append(f"{len(missing)} runs of this folder have no result: {shown}")
    return notes
