"""The runs of a study in processes that stay warm, each in a run directory of its own.

    STUDY/runs/NAME   the run, as its own command would have left it
    STUDY/logs/NAME   what its process said, and why it failed if it did
    STUDY/shared      references that runs of the same days have in common

A run that is complete is never touched again; one that was cut short goes on where it was.
"""

import contextlib
import json
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from ss_core.config import config_hash, from_dict, to_dict
from ss_core.errors import CorruptError, InputError, ResourceError
from ss_core.experiments.studies.spec import StudyRun
from ss_core.processes.child_tasks import Report, Stop, Task
from ss_core.processes.engines import carry_out_tasks
from ss_core.processes.pool import FAILURE_LOG, Failure, Observe, Stage
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.manifest import read_manifest
from ss_core.scenario.protocol import Scenario, load_scenario
from ss_core.scenario.request import MIN_FREE_BYTES
from ss_core.scenario.run import run_here

RUNS, LOGS, SHARED = "runs", "logs", "shared"
TARGET = "ss_core.experiments.studies.runs:carry_out"
STDERR_LOG, COST_FILE = "stderr.log", "cost.json"
THOUSANDTHS = 1000  # of a run, for progress

State = Literal["complete", "failed", "waiting"]
Pool = Callable[[Sequence[Task], int, Observe], list[Failure]]


@dataclass(slots=True)
class StudyProgress:
    """How far a study is; times are of runs that this process saw begin and end."""

    names: tuple[str, ...]
    done: set[str]
    share: dict[str, float] = field(default_factory=dict)  # of runs under way
    note: dict[str, str] = field(default_factory=dict)  # of these, what each is at
    failed: dict[str, str] = field(default_factory=dict)  # reason, by name
    started_s: float = field(default_factory=time.monotonic)
    at_start: int = 0  # runs that were complete before

    def seen(self, name: str, stage: Stage, done: int, total: int, note: str) -> None:
        """Take in one report of a run."""
        match stage:
            case "working":
                self.share[name], self.note[name] = done / max(1, total), note
                return
            case "done":
                self.done.add(name)
            case "failed":
                self.failed[name] = note
            case "again":
                self.note[name] = note
                return
        self.share.pop(name, None)
        self.note.pop(name, None)

    @property
    def behind(self) -> float:
        """Runs behind us, those under way by their share."""
        return len(self.done) + len(self.failed) + sum(self.share.values())

    def left_s(self) -> float | None:
        """Seconds left at the pace so far; None before there is one."""
        won = self.behind - self.at_start
        if won <= 0.0:
            return None
        return (time.monotonic() - self.started_s) * (len(self.names) - self.behind) / won


def carry_out_runs(
    plan: Sequence[StudyRun],
    scenario: Scenario,
    out: Path,
    workers: int,
    show: Callable[[StudyProgress], None],
    pool: Pool = carry_out_tasks,
) -> list[Failure]:
    """Carry out the runs that are not complete; those that failed, each with its log.

    Raises:
        Interrupted: a signal came; the same command continues.
        ResourceError: memory is exhausted, or there is less room on the disk than the rest needs.
    """
    waiting = [run for run in plan if state_of(out, run.name) != "complete"]
    done = {run.name for run in plan} - {run.name for run in waiting}
    so_far = StudyProgress(tuple(run.name for run in plan), done, at_start=len(done))
    check_room(out, so_far)
    show(so_far)

    def observe(name: str, stage: Stage, done: int, total: int, note: str) -> None:
        so_far.seen(name, stage, done, total, note)
        show(so_far)
        if stage == "done":
            check_room(out, so_far)

    sharing = who_shares(plan, scenario)
    tasks = [_task(run, scenario, out, shares=run.name in sharing) for run in waiting]
    return pool(tasks, workers, observe) if tasks else []


def who_shares(plan: Sequence[StudyRun], scenario: Scenario) -> set[str]:
    """Runs that have a reference in common with another; the others keep no copy of theirs."""
    groups: dict[str, list[str]] = {}
    for run in plan:
        for one in scenario.references(run.config):
            if one.depends_on is not None:
                key = config_hash(to_dict(one.depends_on(run.config)))
                groups.setdefault(f"{one.name}-{key}", []).append(run.name)
    return {name for names in groups.values() if len(names) > 1 for name in names}


def _task(run: StudyRun, scenario: Scenario, out: Path, *, shares: bool) -> Task:
    logs = out / LOGS / run.name
    return Task(
        name=run.name,
        target=TARGET,
        arguments={
            "scenario": scenario.target,
            "config": to_dict(run.config),
            "run": str(out / RUNS / run.name),
            "logs": str(logs),
            "shared": str(out / SHARED) if shares else "",
        },
        folder=str(logs),
        log=STDERR_LOG,
    )


def carry_out(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """One run of a study, in a process that may have carried out others before."""
    torch.set_num_threads(1)
    started_s = time.perf_counter()
    scenario = load_scenario(arguments["scenario"])
    config = from_dict(scenario.config, arguments["config"], where="run")
    folder = Path(arguments["run"])
    stages = Stages(len(config.learners) + len(scenario.references(config)), report)
    with contextlib.redirect_stdout(sys.stderr):  # a library may print
        shared = Path(arguments["shared"]) if arguments["shared"] else None
        finished = run_here(scenario, config, folder, stages.report, stop, shared)
    if finished:
        cost = {
            "wall_s": round(time.perf_counter() - started_s, 2),
            "process_bytes": peak_bytes(),
        }
        atomic_write(Path(arguments["logs"]) / COST_FILE, json_bytes(cost))
    return finished


@dataclass(slots=True)
class Stages:
    """Progress of a whole run from that of its sub-tasks, each of which counts alike."""

    count: int
    tell: Report
    done: dict[str, float] = field(default_factory=dict)

    def report(self, stage: str, done: float, total: float, note: str) -> None:
        """Pass on where the run is."""
        self.done[stage] = min(1.0, done / max(total, 1))
        share = sum(self.done.values()) / (self.count + 2)  # with preparing and scoring
        self.tell(int(THOUSANDTHS * min(1.0, share)), THOUSANDTHS, f"{stage} {note}".strip())


def state_of(out: Path, name: str) -> State:
    """What became of a run so far."""
    try:
        complete = read_manifest(out / RUNS / name)["ss"]["status"] == "complete"
    except (InputError, CorruptError, OSError):
        complete = False
    if complete:
        return "complete"
    return "failed" if (out / LOGS / name / FAILURE_LOG).exists() else "waiting"


def cost_of(out: Path, name: str) -> Mapping[str, float]:
    """Seconds and memory that a run took; empty where that is not known."""
    try:
        found = json.loads((out / LOGS / name / COST_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def peak_bytes() -> int:
    """The most memory that this process has had."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def bytes_below(folder: Path) -> int:
    """What the files below a folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def check_room(out: Path, so_far: StudyProgress) -> None:
    """Refuse to go on where the disk would be full before the end, judged by runs that are done.

    Raises:
        ResourceError: there is too little room; what is done stays usable.
    """
    left = len(so_far.names) - len(so_far.done) - len(so_far.failed)
    sample = sorted(so_far.done)[-3:]
    each = max((bytes_below(out / RUNS / name) for name in sample), default=0)
    existing = next(path for path in (out.absolute(), *out.absolute().parents) if path.exists())
    free, needed = shutil.disk_usage(existing).free, left * each + MIN_FREE_BYTES
    if left and free < needed:
        raise ResourceError(
            f"{existing}: {free / 1e6:,.0f} MB free, the {left} runs that are left need about "
            f"{needed / 1e6:,.0f} MB; free some and run the same command again, or choose another "
            "folder with --out"
        )
