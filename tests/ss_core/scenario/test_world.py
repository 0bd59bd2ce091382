"""A world of one file trains, is scored, traced, reported, resumed; broken ones are refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ss_core.analysis.run_data import open_run_data
from ss_core.errors import ConfigError, Interrupted
from ss_core.processes import child_tasks
from ss_core.report.assemble import run_page
from ss_core.scenario.page import plain_summary
from ss_core.scenario.protocol import load_scenario
from ss_core.scenario.run import run_scenario
from ss_core.testing import check_env
from tests.ss_core.scenario.toy import SCENARIO, GivingEnv
from tests.support.grid_runs import run_here

SETTINGS = {
    "learner.num_updates": 60,
    "learner.num_envs": 8,
    "learner.hidden": [8],
    "learner.critic_hidden": [8],
    "learner.actor_lr": 0.05,
    "learner.suggestion_lr": 0.05,
    "commit_every": 5,
    "evaluations": 3,
}


def request(out: Path, *, resume: str = "auto", **overrides: Any) -> dict[str, Any]:
    return {
        "preset": "tuned",
        "overrides": SETTINGS | overrides,
        "origins": {},
        "out": str(out),
        "resume": resume,
        "dry_run": False,
    }


def run(out: Path, **options: Any) -> dict[str, Any]:
    return run_scenario(SCENARIO.target, request(out, **options), lambda *_: None)


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)


def test_the_world_is_one_file_of_at_most_eighty_lines() -> None:
    source = Path(__file__).with_name("toy.py").read_text(encoding="utf-8")
    assert len(source.splitlines()) <= 80
    check_env(GivingEnv())


def test_it_trains_is_scored_and_traced_beside_its_references(tmp_path: Path) -> None:
    result = run(tmp_path)
    ((_, rows),) = result["tables"].items()
    titles = ["never give", "SS (suggestions only)", "give"]
    assert [row["policy"] for row in rows if row["policy"] != "selfish, learned"] == titles
    assert result["gap_closed"]["nash"][0] == 0.0
    assert result["gap_closed"]["optimum"][0] == 1.0
    assert 0.0 <= result["kpis"]["ss"]["forgone"] <= 1.0
    folder = Path(result["run_dir"])
    kpis = pq.read_table(folder / "traces" / "kpi").to_pylist()
    assert {row["algorithm"] for row in kpis} == {"nash", "ss", "independent", "optimum"}
    metrics = pq.read_table(folder / "tasks" / "ss" / "metrics").to_pylist()
    assert {row["name"] for row in metrics} >= {"held_out_given", "episode_reward"}


def test_it_is_reported_on_a_page(tmp_path: Path) -> None:
    data = open_run_data(Path(run(tmp_path)["run_dir"]))
    page = run_page(data, plain_summary(SCENARIO, data)).decode()
    assert "forgone" in page
    assert "never give" in page


def test_killed_between_updates_it_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Path(run(tmp_path / "whole")["run_dir"])

    def stopped(tasks: Any, workers: int, progress: Any) -> None:
        asked = iter(range(1000))
        for task in tasks:
            child_tasks.perform(task, lambda *_: None, lambda: next(asked) > 20)
        raise Interrupted("asked to stop")

    with monkeypatch.context() as patch:
        patch.setattr(child_tasks, "run_tasks", stopped)
        with pytest.raises(Interrupted):
            run(tmp_path / "cut")
    cut = Path(run(tmp_path / "cut")["run_dir"])
    for name in ("result.json", "tasks/ss/result/LATEST", "traces/kpi/part-000000.parquet"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes(), name
    done = run(tmp_path, resume=str(cut))
    assert "complete already" in done["notes"][-1]


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"target": "here"}, "names module:NAME"),
        ({"config": int}, "config derives from RunConfig"),
        ({"baseline": "absent"}, "baseline='absent' is one of its rows"),
        ({"best": "absent"}, "best='absent' is one of its rows"),
        ({"labels": {}}, "labels name every row"),
    ],
)
def test_a_record_that_breaks_the_contract_is_refused_with_the_rule(
    change: dict[str, Any], rule: str
) -> None:
    with pytest.raises(ConfigError, match=rule):
        replace(SCENARIO, **change)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere:SCENARIO", "cannot be loaded"),
        ("json:SCENARIO", "cannot be loaded"),
        ("json:dumps", "is function, not a Scenario"),
    ],
)
def test_a_scenario_that_is_not_there_is_refused(target: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_scenario(target)
