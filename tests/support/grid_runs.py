"""Small runs of the real command line inside this process, for tests. Not collected by pytest."""

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.app import run
from cli.commands import grid as ssgrid
from ss_core.processes.child_tasks import Progress, Task

QUICK = (
    *("--set", "evaluations=1", "--set", "policy_samples=2", "--set", "learner.num_envs=2"),
    *("--set", "audit_steps=3", "--set", "search.num_perturbations=2"),
    *("--set", "search.num_random_starts=1", "--set", "search.relaxation_sweeps=20"),
    *("--set", "trial_days=2", "--set", "most_turns=64"),
)


def run_here(tasks: Sequence[Task], workers: int, progress: Progress) -> None:
    """In place of `child_tasks.run_tasks`: one task after the other, in this process."""
    assert workers >= 1
    for task in tasks:
        module, _, name = task.target.partition(":")
        target = getattr(importlib.import_module(module), name)
        assert target(
            task.arguments,
            lambda done, total, note, who=task.name: progress(who, done, total, note),
            lambda: False,
        )


@contextmanager
def tasks_here() -> Iterator[None]:
    """Runs whose tasks stay in this process, since another takes longer to start than they do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
        yield


def ssgrid_run(*options: str, quick: bool = True) -> int:
    """Exit code of `ssgrid run` with these options."""
    return run(ssgrid.cli, "ssgrid", ["run", *(QUICK if quick else ()), *options])


def only_run(out: Path) -> Path:
    """The one run below a folder."""
    (folder,) = out.iterdir()
    return folder
