"""Fixtures of tests that start whole runs of the grid."""

import os
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.support.grid_runs import run_here


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run in an empty folder, without settings from outside, its tasks in this process."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)


@pytest.fixture
def no_tasks(own_folder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is tested must fail before anything is computed."""

    def refuse(*_: Any) -> NoReturn:
        raise AssertionError("tasks were started")

    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", refuse)
