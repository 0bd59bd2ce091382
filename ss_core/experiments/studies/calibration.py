"""What a study will take: a few of its points are run with few updates, and the rest is reckoned.

References, scores and held-out days are done as in a whole run; of the learning, the time of one
update is measured and multiplied.
"""

import itertools
import json
import math
import shutil
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from sys import stderr
from tempfile import TemporaryDirectory
from typing import Any

import torch

from ss_core.config import from_dict, to_dict
from ss_core.errors import ResourceError, SimulatorError
from ss_core.experiments.studies.runs import (
    STDERR_LOG,
    Pool,
    StudyProgress,
    bytes_below,
    peak_bytes,
    state_of,
)
from ss_core.experiments.studies.spec import StudyRun
from ss_core.processes.child_tasks import Report, Stop, Task
from ss_core.processes.engines import carry_out_tasks
from ss_core.processes.pool import Stage
from ss_core.record.atomic import atomic_write, json_bytes
from ss_core.record.layout import TASKS
from ss_core.scenario.config import RunConfig
from ss_core.scenario.pilot import candidates_of, trial_updates
from ss_core.scenario.protocol import Scenario, load_scenario
from ss_core.scenario.request import MIN_FREE_BYTES
from ss_core.scenario.run import run_here
from ss_core.scenario.tasks import INPUTS

MOST_POINTS = 4
UPDATES = 6  # of a calibration run: the first is not timed, the last has an evaluation
TARGET = "ss_core.experiments.studies.calibration:measure"
MEASURED, EXPECTED_FILE = "measured.json", "expected.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a study is expected to take, from its beginning to its end."""

    runs: int
    complete: int  # of these, before it begins
    workers: int
    run_s: float  # one run, in one process, on average
    total_s: float  # all that are left
    memory_bytes: int  # all processes together
    disk_bytes: int  # all runs
    free_bytes: int  # on the disk of the study
    calibrated_on: int  # runs


@dataclass(slots=True)
class Watch:
    """When each sub-task of a run said that it was how far."""

    seen: dict[str, dict[int, float]] = field(default_factory=dict)

    def note(self, stage: str, done: float, total: float, note: str) -> None:
        """A report of a sub-task; the first of each state counts."""
        del total, note
        self.seen.setdefault(stage, {}).setdefault(int(done), time.perf_counter())

    def updates_s(self, row: str) -> tuple[float, float]:
        """Seconds of an update of that learner, and of an evaluation."""
        times = [at for _, at in sorted(self.seen.get(row, {}).items())]
        gaps = [after - before for before, after in itertools.pairwise(times)]
        if not gaps:
            return 0.0, 0.0
        each = statistics.median(gaps[1:-1] or gaps)
        return each, max(0.0, gaps[-1] - each)


def expect(
    plan: Sequence[StudyRun],
    scenario: Scenario,
    out: Path,
    workers: int,
    show: Callable[[StudyProgress], None],
    pool: Pool = carry_out_tasks,
) -> Expectation:
    """Run up to four points of the plan with few updates, and reckon what all will take.

    Raises:
        SimulatorError: a calibration run failed.
        Interrupted, ResourceError: as of any run.
    """
    chosen = spread(plan, MOST_POINTS)
    with TemporaryDirectory(prefix="ss-study-") as root:
        tasks = [_task(run, scenario, Path(root) / str(at)) for at, run in enumerate(chosen)]
        so_far = StudyProgress(tuple(task.name for task in tasks), set())

        def observe(name: str, stage: Stage, done: int, total: int, note: str) -> None:
            so_far.seen(name, stage, done, total, note)
            show(so_far)

        show(so_far)
        failures = pool(tasks, workers, observe)
        if failures:
            raise SimulatorError(f"calibration: {failures[0].task}: {failures[0].reason}")
        found = [json.loads((Path(task.folder) / MEASURED).read_bytes()) for task in tasks]
    complete = sum(state_of(out, run.name) == "complete" for run in plan)
    run_s = statistics.mean(one["run_s"] for one in found)
    at_a_time = min(workers, max(1, len(plan) - complete))
    return Expectation(
        runs=len(plan),
        complete=complete,
        workers=workers,
        run_s=run_s,
        total_s=run_s * math.ceil((len(plan) - complete) / at_a_time),
        memory_bytes=peak_bytes() + at_a_time * max(one["process_bytes"] for one in found),
        disk_bytes=round(len(plan) * statistics.mean(one["disk_bytes"] for one in found)),
        free_bytes=shutil.disk_usage(_existing(out)).free,
        calibrated_on=len(found),
    )


def spread(plan: Sequence[StudyRun], most: int) -> list[StudyRun]:
    """So many runs of different points, from the first to the last."""
    by_point = {json.dumps(run.point, default=str): run for run in reversed(plan)}
    points = list(reversed(by_point.values()))
    if len(points) <= most:
        return points
    return [points[round(at * (len(points) - 1) / (most - 1))] for at in range(most)]


def _existing(folder: Path) -> Path:
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())


def check_expected(expected: Expectation, out: Path) -> None:
    """Refuse a study that its disk has no room for.

    Raises:
        ResourceError: it has not.
    """
    left = expected.disk_bytes * (1 - expected.complete / max(1, expected.runs)) + MIN_FREE_BYTES
    if expected.free_bytes < left:
        raise ResourceError(
            f"{_existing(out)}: {expected.free_bytes / 1e6:,.0f} MB free, the study needs about "
            f"{left / 1e6:,.0f} MB for {expected.runs - expected.complete} runs; free some, choose "
            "another folder with --out, or set [base] trace = 'kpi'"
        )


def write_expected(expected: Expectation, out: Path) -> None:
    """Keep what was expected beside the study, to be compared with what it took."""
    atomic_write(out / EXPECTED_FILE, json_bytes(asdict(expected)))


def read_expected(out: Path) -> Mapping[str, Any]:
    """What was expected; empty where nobody asked."""
    try:
        found = json.loads((out / EXPECTED_FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _task(run: StudyRun, scenario: Scenario, folder: Path) -> Task:
    return Task(
        name=f"calibration {run.name}",
        target=TARGET,
        arguments={
            "scenario": scenario.target,
            "config": to_dict(run.config),
            "folder": str(folder),
        },
        folder=str(folder),
        log=STDERR_LOG,
    )


def measure(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """One calibration run: what a whole run of these settings will take."""
    torch.set_num_threads(1)
    scenario = load_scenario(arguments["scenario"])
    config = from_dict(scenario.config, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    watch = Watch()

    def note(stage: str, done: float, total: float, words: str) -> None:
        watch.note(stage, done, total, words)
        report(int(done), max(1, int(total)), f"{stage} {words}")

    with redirect_stdout(stderr):
        _warm_up(scenario, config, folder / "warm")
        started_s = time.perf_counter()
        if not run_here(scenario, shortened(config), folder / "run", note, stop):
            return False
        took_s = time.perf_counter() - started_s
        found = {
            "run_s": took_s + _left_out_s(scenario, config, folder / "run", watch),
            "process_bytes": peak_bytes(),
            "disk_bytes": _disk_bytes(config, folder / "run"),
        }
    atomic_write(folder / MEASURED, json_bytes(found))
    return True


def shortened(config: RunConfig) -> RunConfig:
    """The configuration with as few updates as tell how long one takes."""
    updates = min(UPDATES, config.learner.num_updates)
    learner = replace(config.learner, num_updates=updates)
    return replace(config, learner=learner, evaluations=1, budget_seconds=None)


def _warm_up(scenario: Scenario, config: RunConfig, folder: Path) -> None:
    """Import what runs of this process will have imported after the first."""
    checked = scenario.check(config)
    if scenario.prepare is not None:
        prepared = scenario.prepare(config, checked, folder, lambda _: None)
        if prepared.meanwhile is not None:
            prepared.meanwhile()


def _left_out_s(scenario: Scenario, config: RunConfig, run: Path, watch: Watch) -> float:
    """Seconds of a whole run that the short one had not."""
    short, whole = shortened(config), config.learner.num_updates
    pilots = _pilot_updates(scenario, config, run)
    total = 0.0
    for row in config.learners:
        each_s, evaluation_s = watch.updates_s(row)
        if config.budget_seconds is not None:
            total += config.budget_seconds
            continue
        total += (whole - short.learner.num_updates + pilots) * each_s
        total += max(0, min(whole, config.evaluations) - 1) * evaluation_s
    return total


def _pilot_updates(scenario: Scenario, config: RunConfig, run: Path) -> int:
    """Updates of a learner's trials, before its training."""
    each = trial_updates(config.learner.num_updates)
    if not each:
        return 0
    with scenario.open(config, run / INPUTS, 1) as setting:
        return each * len(candidates_of(setting, config.learner))


def _disk_bytes(config: RunConfig, run: Path) -> int:
    """What a whole run takes: its learners' tables grow with updates, all else is as it is."""
    tables = sum(
        bytes_below(run / TASKS / row / part)
        for row in config.learners
        for part in ("metrics", "traces")
    )
    share = config.learner.num_updates / shortened(config).learner.num_updates
    return round(bytes_below(run) + (share - 1) * tables)
