"""One door for many tasks: which engine is asked, and one clear error where it is not there."""

import socket
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ss_core.errors import ConfigError, ResourceError
from ss_core.processes import pool
from ss_core.processes.child_tasks import Task
from ss_core.processes.engines import carry_out_tasks


def task(folder: Path) -> Task:
    return Task(name="a", target="builtins:print", arguments={}, folder=str(folder))


def nobody(*_: object) -> None: ...


class NoCluster(ModuleType):
    """Ray, when nobody answers at an address."""

    def __init__(self) -> None:
        super().__init__("ray")
        self.asked: dict[str, Any] = {}

    def is_initialized(self) -> bool:
        return False

    def init(self, **given: Any) -> None:
        self.asked = given
        raise ConnectionError("Failed to connect\nto the cluster")


def test_processes_of_this_machine_are_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(
        pool, "run_pool", lambda tasks, workers, _, **__: asked.append((len(tasks), workers)) or []
    )
    assert carry_out_tasks([task(tmp_path)], 3, nobody) == []
    assert asked == [(1, 3)]


def test_ray_that_is_not_installed_is_one_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"--engine ray: Ray is not installed.*--engine local"):
        carry_out_tasks([task(tmp_path)], 1, nobody, engine="ray")


def test_no_cluster_at_the_address_is_one_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = NoCluster()
    monkeypatch.setitem(sys.modules, "ray", ray)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(ResourceError, match=rf"a cluster at {address}: Failed to connect to"):
            carry_out_tasks([task(tmp_path)], 1, nobody, engine="ray", address=address)
    assert ray.asked["address"] == address
    ray.asked.clear()
    with pytest.raises(ResourceError, match=rf"{address}: .*refused.*`ray start --head`"):
        carry_out_tasks([task(tmp_path)], 1, nobody, engine="ray", address=address)
    assert ray.asked == {}
