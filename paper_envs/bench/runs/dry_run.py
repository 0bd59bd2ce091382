"""What `--dry-run` shows: every condition, and what each profile costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paper_envs.bench.runs.plan import PROFILES, Plan, ProfileName, Selection, make_plan
from paper_envs.bench.runs.request import Request
from paper_envs.bench.runs.run import RunSpec
from paper_envs.bench.runs.run_specs import core_hours, hours_shown, is_finished, specs_of
from paper_envs.presets import ABLATIONS

NOTE = (
    "seeds {first} to {last}; {runs} runs, {done} of them finished; the others take very roughly "
    "{hours} core-hours, {wall} hours with {workers} at a time; nothing was run"
)


def dry_run(plan: Plan, specs: Sequence[RunSpec], request: Request, out: Path) -> dict[str, Any]:
    """The result of a dry run, shaped like that of a real one."""
    waiting = [spec for spec in specs if not is_finished(spec)]
    hours = core_hours(waiting)
    note = NOTE.format(
        first=plan.seeds[0],
        last=plan.seeds[-1],
        runs=len(specs),
        done=len(specs) - len(waiting),
        hours=hours_shown(hours),
        wall=hours_shown(hours / request.workers),
        workers=request.workers,
    )
    return {
        "tables": {
            "conditions": _conditions(plan, specs),
            "profiles, all of each": [_profile(name) for name in PROFILES],
        },
        "notes": [note],
        "run_dir": str(out),
        "num_runs": len(specs),
        "failures": [],
        "outside": [],
        "again": "the same command without --dry-run",
    }


def _conditions(plan: Plan, specs: Sequence[RunSpec]) -> list[dict[str, Any]]:
    why = {cell: name for name, cells in reversed(plan.experiments) for cell in cells}
    first = {spec.cell: spec for spec in reversed(specs)}
    return [
        {
            "experiment": why[cell],
            "task": cell.task,
            "agents": cell.num_agents,
            "preset": cell.preset,
            "algorithm": cell.algorithm,
            "variant": cell.variant,
            "seeds": len(plan.seeds_of(cell)),
            "updates": first[cell].learner.num_updates,
            "episodes": first[cell].learner.num_updates * first[cell].learner.num_envs,
        }
        for cell in plan.cells
    ]


def _profile(name: ProfileName) -> dict[str, Any]:
    specs = specs_of(make_plan(name, Selection(), ABLATIONS), Path(), device="cpu")
    return {
        "profile": name,
        "presets": ", ".join(PROFILES[name].presets),
        "runs": len(specs),
        "core-hours": hours_shown(core_hours(specs)),
    }
