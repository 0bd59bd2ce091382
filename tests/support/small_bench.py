"""Tiny runs of the benchmark for its tests, and a run whose process dies once on the way."""

import os
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from paper_envs.bench.results.results import Cell, PresetName
from paper_envs.bench.runs.run import RunSpec, train_run
from paper_envs.presets import env_options, learner_config
from ss_core.config import to_dict
from ss_core.processes.child_tasks import Report, Stop, Task

SMALL = Cell(task="predation", num_agents=2, preset="tuned", algorithm="ss")
DIES_AT = 3  # updates


def small_spec(
    folder: Path,
    cell: Cell = SMALL,
    *,
    seed: int = 100,
    updates: int = 4,
    num_envs: int = 2,
    **changes: Any,
) -> RunSpec:
    algorithm: str = cell.algorithm  # type: ignore[assignment]
    preset: PresetName = cell.preset
    learner = learner_config(
        cell.task, cell.num_agents, preset, algorithm, cell.variant, num_updates=updates
    )
    learner = replace(learner, hidden=(8,), critic_hidden=(8,), num_envs=num_envs)
    return RunSpec(
        cell=cell,
        seed=seed,
        learner=learner,
        env_options=dict(env_options(cell.task, preset)),
        evaluation_episodes=8,
        folder=str(folder),
        **changes,
    )


def small_task(spec: RunSpec, target: str = "paper_envs.bench.runs.run:train_run") -> Task:
    return Task(
        name=f"{spec.cell.slug}/seed{spec.seed}",
        target=target,
        arguments=to_dict(spec),
        folder=spec.folder,
        log="stderr.log",
    )


def die_once(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """`train_run` in a process that is killed in the middle of the first try."""
    died = Path(arguments["folder"]) / "died"

    def report_or_die(done: int, total: int, note: str) -> None:
        report(done, total, note)
        if done == DIES_AT and not died.exists():
            died.touch()
            os.kill(os.getpid(), signal.SIGKILL)

    return train_run(arguments, report_or_die, stop)
