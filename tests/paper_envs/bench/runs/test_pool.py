"""Runs in other processes that die: the results are complete, and the same as without a death."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from paper_envs.bench.results.results import read_result
from paper_envs.bench.runs.run import train_run
from ss_core.config import to_dict
from ss_core.processes.pool import run_pool
from ss_core.processes.ray_pool import run_on_ray
from tests.support.small_bench import SMALL, small_spec, small_task

ROOT = Path(__file__).resolve().parents[4]
DYING = "tests.support.small_bench:die_once"


@pytest.mark.slow
def test_a_run_whose_process_is_killed_ends_as_if_nothing_had_been(tmp_path: Path) -> None:
    spec = small_spec(tmp_path / "killed")
    seen: list[tuple[str, str]] = []
    tasks = [small_task(spec, DYING), small_task(small_spec(tmp_path / "next", seed=101))]
    assert run_pool(tasks, 1, lambda name, stage, *_: seen.append((name, stage))) == []
    assert (tmp_path / "killed" / "died").exists()
    assert (f"{SMALL.slug}/seed100", "again") in seen
    assert seen[-1] == (f"{SMALL.slug}/seed101", "done")
    assert read_result(tmp_path / "next" / "result.json").seed == 101
    assert train_run(to_dict(small_spec(tmp_path / "whole")), lambda *_: None, lambda: False)
    for name in ("result.json", "metrics/part-000003.parquet"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


class FakeRay(ModuleType):
    """Carries out a task whenever somebody waits; a task is its own reference."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self) -> None:
        super().__init__("ray")
        self.cancelled: list[str] = []

    def is_initialized(self) -> bool:
        return True

    def remote(self, **_: object) -> Callable[[object], SimpleNamespace]:
        return lambda _body: SimpleNamespace(remote=lambda task: task.name)

    def wait(self, names: list[str], timeout: float) -> tuple[list[str], list[str]]:
        assert timeout > 0
        return names[:1], names[1:]

    def get(self, _name: str) -> tuple[str]:
        return ("done",)

    def cancel(self, name: str) -> None:
        self.cancelled.append(name)


def test_once_the_time_is_up_ray_is_asked_to_end_what_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = FakeRay()
    monkeypatch.setitem(sys.modules, "ray", ray)
    tasks = [small_task(small_spec(tmp_path / str(seed), seed=seed)) for seed in (100, 101)]
    done: list[str] = []
    failures = run_on_ray(
        tasks, 1, lambda name, *_: done.append(name), time_is_up=lambda: bool(done)
    )
    assert (failures, done, ray.cancelled) == ([], [tasks[0].name], [tasks[1].name])


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed")
def test_a_ray_cluster_that_loses_a_worker_completes_the_runs(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.ray_runs", str(tmp_path)],
        cwd=ROOT,
        env=environment | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *stages, log = done.stdout.splitlines()
    assert sorted(stages) == ["seed100 done", "seed101 done", "seed102 failed"]
    assert log == str(tmp_path / "c" / "failure.log")
    assert "has no attribute 'nothing'" in Path(log).read_text()
    assert (tmp_path / "a" / "died").exists()
    assert train_run(to_dict(small_spec(tmp_path / "whole")), lambda *_: None, lambda: False)
    result = (tmp_path / "whole" / "result.json").read_bytes()
    assert (tmp_path / "a" / "result.json").read_bytes() == result
    assert read_result(tmp_path / "b" / "result.json").seed == 101
