"""`ss bench paper` from request to tables: plan, run what is missing, write every output, check.

Heavy imports happen inside functions, so that a command's first line appears at once.
"""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ss_core.errors import CheckFailedError, SimulatorError

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

DRY_RUN_NOTE = (
    "seeds {first} to {last}; {runs} runs, {done} of them finished; the others take very roughly "
    "{minutes:.0f} min with {workers} at a time; nothing was run"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a command line asks for."""

    profile: Literal["smoke", "quick", "full"] = "quick"
    envs: tuple[str, ...] = ()
    algorithms: tuple[str, ...] = ()
    preset: Literal["paper", "tuned", "both"] = "both"
    seeds: int | None = None
    workers: int = 2
    out: Path | None = None  # None: bench/paper-<profile>
    fresh: bool = False
    launcher: Literal["local", "ray"] = "local"
    device: str = "cpu"
    check: bool = False  # against the shipped reference
    reference: Path | None = None  # to check against instead
    write_reference: Path | None = None  # where to store these results as one
    dry_run: bool = False

    @property
    def folder(self) -> Path:
        """Where everything goes, before `fresh` is considered."""
        return Path("bench") / f"paper-{self.profile}" if self.out is None else self.out

    @property
    def command(self) -> str:
        """The command line as given."""
        words = ["ss", "bench", "paper", "--profile", self.profile]
        for name in self.envs:
            words += ["--env", name]
        for name in self.algorithms:
            words += ["--algorithm", name]
        if self.preset != "both":
            words += ["--preset", self.preset]
        if self.seeds is not None:
            words += ["--seeds", str(self.seeds)]
        if self.device != "cpu":
            words += ["--device", self.device]
        return shlex.join(words)


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
        return _dry_run(plan, specs, request, out)
    check_device(request.device)
    check_disk(out)
    with BenchFolder(out, conditions) as folder:
        folder.register(specs)
        folder.results()  # a damaged one is reported now, not after hours
        if request.write_reference is not None:
            check_writable(request.write_reference)
        failures = _carry_out(specs, request, show)
        results, missing = folder.results()
        written = _write_outputs(results, missing, request, out)
        outside = [] if reference is None else _outside(results, plan, reference)
        stored = _store_reference(results, missing, request)
    return {
        "tables": written["tables"],
        "notes": [*written["notes"], *_notes(missing), *stored],
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


def _preflight(
    request: Request, conditions: "Conditions", specs: Sequence["RunSpec"], out: Path
) -> Path | None:
    """Refuse what could only fail later; returns the reference to check against, if any."""
    from paper_envs.bench.runs.folder import joined, known_cells
    from paper_envs.bench.runs.preflight import check_storable, readable_reference

    cells = joined(out, known_cells(out, conditions), specs)
    if request.write_reference is not None:
        check_storable(out, cells, specs)
    if not request.check and request.reference is None:
        return None
    return readable_reference(request.reference, request.profile)


def _dry_run(plan: "Plan", specs: Sequence["RunSpec"], request: Request, out: Path) -> Result:
    from paper_envs.bench.runs.run_specs import weight_of

    why = {cell: name for name, cells in reversed(plan.experiments) for cell in cells}
    first = {spec.cell: spec for spec in reversed(specs)}
    records = [
        {
            "experiment": why[cell],
            "task": cell.task,
            "agents": cell.num_agents,
            "preset": cell.preset,
            "algorithm": cell.algorithm,
            "variant": cell.variant,
            "updates": first[cell].learner.num_updates,
            "episodes": first[cell].learner.num_updates * first[cell].learner.num_envs,
        }
        for cell in plan.cells
    ]
    waiting = [spec for spec in specs if not _is_finished(spec)]
    note = DRY_RUN_NOTE.format(
        first=plan.seeds[0],
        last=plan.seeds[-1],
        runs=len(specs),
        done=len(specs) - len(waiting),
        minutes=sum(map(weight_of, waiting)) / request.workers / 60,
        workers=request.workers,
    )
    return {
        "tables": {"conditions": records},
        "notes": [note],
        "run_dir": str(out),
        "num_runs": len(specs),
        "failures": [],
        "outside": [],
    }


def _carry_out(specs: Sequence["RunSpec"], request: Request, show: Show) -> list["Failure"]:
    from paper_envs.bench.runs.progress import Row, start_progress
    from paper_envs.bench.runs.run_specs import task_of, weight_of
    from ss_core.processes.pool import Stage

    rows = [Row(task_of(spec).name, spec.cell, weight_of(spec)) for spec in specs]
    pairs = sorted(zip(rows, specs, strict=True), key=lambda pair: -pair[0].weight)
    waiting = [task_of(spec) for _, spec in pairs if not _is_finished(spec)]
    finished = [row.name for row, spec in pairs if _is_finished(spec)]
    so_far = start_progress(rows, finished)

    def observe(name: str, stage: Stage, done: int, total: int, note: str) -> None:
        so_far.note(name, stage, done, total, note)
        show(so_far)

    show(so_far)
    failures = _launch(waiting, request, observe) if waiting else []
    so_far.message = "tables and figures"
    show(so_far)
    return failures


def _launch(tasks: Sequence["Task"], request: Request, observe: "Observe") -> list["Failure"]:
    if request.launcher == "ray":
        from paper_envs.bench.runs.ray import run_on_ray

        return run_on_ray(tasks, request.workers, observe)
    from ss_core.processes.pool import run_pool

    return run_pool(tasks, request.workers, observe)


def _is_finished(spec: "RunSpec") -> bool:
    from paper_envs.bench.runs.run import RESULT_FILE

    return (Path(spec.folder) / RESULT_FILE).exists()


def _write_outputs(
    results: Sequence["RunResult"], missing: Sequence[str], request: Request, out: Path
) -> Mapping[str, Any]:
    from paper_envs.bench.outputs import write_outputs

    if not results:
        return {"tables": {}, "notes": []}
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
    if missing:
        return [f"{path}: not written, for it needs every run; without a result: {len(missing)}"]
    write_reference(results, path, profile=request.profile, command=request.command)
    return []


def _outside(results: Sequence["RunResult"], plan: "Plan", reference: Path) -> list[str]:
    """What is outside of the reference, of the cells that were asked for."""
    from paper_envs.bench.results.reference import check_against

    asked = {cell.slug for cell in plan.cells}
    lines = check_against(results, reference)
    return [line for line in lines if line.partition(":")[0] in asked]


def _notes(missing: Sequence[str]) -> list[str]:
    if not missing:
        return []
    shown = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
    return [f"{len(missing)} runs of this folder have no result: {shown}"]
