"""Short runs of any world: trained without checkpoints, measured once, left as one file."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from paper_envs.training.config import TrainingConfig
from paper_envs.training.scenario import SCENARIO, open_setting
from ss_core.errors import ConfigError
from ss_core.processes.child_tasks import Report
from ss_core.scenario.protocol import Setting
from ss_core.scenario.short_runs import RESULT_FILE, read_short_run, short_run

SMALL = {
    "env": "predation",
    "agents": 2,
    "updates": 2,
    "episodes_per_update": 2,
    "evaluation_episodes": 2,
    "learner.hidden": [4],
    "learner.critic_hidden": [4],
    "liars": 0.5,
    "lie": "selfish",
    "trust": True,
}


@contextmanager
def without_welfare(config: TrainingConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    with open_setting(config, inputs, processes) as setting:
        yield replace(setting, welfare=None)


SILENT = replace(SCENARIO, name="silent", open=without_welfare)


def asked(folder: Path, scenario: str = SCENARIO.target) -> dict[str, Any]:
    return {"scenario": scenario, "settings": SMALL, "folder": str(folder)}


def counted(updates: list[int]) -> Report:
    return lambda done, _total, _note: updates.append(done)


def test_a_short_run_trains_to_its_end_and_measures_each_agents_welfare(tmp_path: Path) -> None:
    updates: list[int] = []
    assert short_run(asked(tmp_path), counted(updates), lambda: False)
    found: Mapping[str, Any] = read_short_run(tmp_path)
    assert updates == [1, 2]
    assert found["liars"] == 1
    assert found["bytes"] > 0
    assert -2.0 * 9 <= found["welfare"] <= 0.0  # a reward of a step is a cost
    assert {"weight_of_liars", "weight_of_honest"} <= found.keys()
    assert not list(tmp_path.rglob("*.safetensors"))


def test_what_is_done_is_not_done_again_and_what_was_stopped_leaves_nothing(tmp_path: Path) -> None:
    updates: list[int] = []
    assert not short_run(asked(tmp_path), counted(updates), lambda: True)
    assert not (tmp_path / RESULT_FILE).exists()
    assert short_run(asked(tmp_path), counted(updates), lambda: False)
    assert short_run(asked(tmp_path), counted(updates), lambda: False)
    assert updates == [1, 2]


def test_a_world_without_welfare_is_refused(tmp_path: Path) -> None:
    silent = asked(tmp_path, f"{__name__}:SILENT")
    with pytest.raises(ConfigError, match="'silent' does not tell the welfare of its agents"):
        short_run(silent, counted([]), lambda: False)
