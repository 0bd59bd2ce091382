"""A pilot keeps the better settings, on training episodes alone; what follows is as set by hand."""

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from ss_core.env import Step
from ss_core.errors import Interrupted
from ss_core.exchange import channel
from ss_core.exchange.ring_sum import draw_mask
from ss_core.learning.learner import LearnerConfig
from ss_core.processes import child_tasks
from ss_core.record.checkpoint import load_latest, result_of, save_checkpoint
from ss_core.record.manifest import verify_run
from ss_core.scenario import pilot
from ss_core.scenario.config import RunConfig
from ss_core.scenario.protocol import Setting
from ss_core.scenario.run import run_scenario
from ss_core.training.loop import Training
from ss_core.training.saved_learner import SavedLearner, read_learner_file
from tests.ss_core.scenario import toy
from tests.support.grid_runs import run_here

UPDATES, TRIAL = 40, 10
SETTINGS = {
    "learner.num_updates": UPDATES,
    "learner.num_envs": 8,
    "learner.hidden": [8],
    "learner.critic_hidden": [8],
    "learner.actor_lr": 0.05,
    "learner.suggestion_lr": 0.05,
    "commit_every": 4,
    "evaluations": 3,
    "compare_selfish": False,
}
OBEYING = {"surrogate": "additive", "rho": 1.0, "rho_follow": 1.0, "indicators": False}


def candidates(learner: LearnerConfig) -> dict[str, LearnerConfig]:
    obeying = replace(learner, objective=replace(learner.objective, **OBEYING))
    return {
        "deaf": replace(learner, objective=replace(learner.objective, rho_follow=0.0)),
        "obeying": obeying,
    }


@contextmanager
def open_setting(config: RunConfig, inputs: Path, processes: int) -> Iterator[Setting]:
    with toy.open_setting(config, inputs, processes) as setting:
        yield replace(
            setting,
            candidates=candidates,
            saved_learner=lambda learner: SavedLearner(
                task="giving", num_agents=2, config=learner, seed=config.seed
            ),
        )


SCENARIO = replace(toy.SCENARIO, target=f"{__name__}:SCENARIO", open=open_setting)


def run(out: Path, target: str = SCENARIO.target, **overrides: Any) -> dict[str, Any]:
    request = {
        "preset": "tuned",
        "overrides": SETTINGS | overrides,
        "origins": {},
        "out": str(out),
        "resume": "auto",
        "dry_run": False,
    }
    return run_scenario(target, request, lambda *_: None)


def policies(task: Path) -> dict[str, Tensor]:
    checkpoint = load_latest(task)
    assert checkpoint is not None
    return {k: w for k, w in checkpoint.tensors.items() if not k.startswith("ledger/")}


def files_of(folder: Path) -> dict[str, bytes]:
    volatile = ("environment.json", "timing.json", "events.jsonl", "manifest.json")
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in volatile and ".lock" not in path.name
    }


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child_tasks, "run_tasks", run_here)
    monkeypatch.setattr(pilot, "FEWEST", 5)


def test_the_better_settings_are_kept_and_trained_as_if_set_by_hand(tmp_path: Path) -> None:
    result = run(tmp_path / "pilot")
    facts = result["pilot"]["ss"]
    assert facts["kept"] == "obeying"
    assert (facts["num_updates"], facts["scored_updates"]) == (TRIAL, 2)
    earned = facts["collective_return"]
    assert earned["obeying"] > earned["deaf"]
    by_hand = {f"learner.objective.{key}": value for key, value in OBEYING.items()}
    plain = run(tmp_path / "plain", toy.SCENARIO.target, **by_hand)
    piloted, alone = (Path(each["run_dir"]) / "tasks" / "ss" for each in (result, plain))
    assert policies(piloted).keys() == policies(alone).keys()
    for name, tensor in policies(alone).items():
        assert torch.equal(policies(piloted)[name], tensor), name
    assert result["kpis"] == plain["kpis"]
    assert "pilot" not in plain
    kept = read_learner_file(piloted).config
    assert kept.objective.rho_follow == 1.0
    assert kept.num_updates == UPDATES


def test_the_result_tells_what_was_tried_spent_and_sent(tmp_path: Path) -> None:
    result = run(tmp_path)
    facts, folder = result["pilot"]["ss"], Path(result["run_dir"])
    (note,) = [note for note in result["notes"] if "pilot" in note]
    assert note.startswith("ss: obeying kept after a pilot of 10 updates under each of deaf and")
    assert "20 updates and" in note
    assert "on top of the training's 40 updates" in note
    assert json.loads((folder / "result.json").read_text())["pilot"] == result["pilot"]
    assert verify_run(folder) == []
    root = folder / "tasks" / "ss" / "pilot"
    tables = [*root.glob("**/traces/message/*.parquet")]
    rows = [row for path in tables for row in pq.read_table(path).to_pylist()]
    sent = dict.fromkeys(facts["bytes_by_kind"], 0)
    for row in rows:
        sent[row["kind"]] += row["n_bytes"]
    assert sent == facts["bytes_by_kind"]
    sums = [row for row in rows if row["kind"] == "return_total"]
    ring = [("a", "b", 2), ("b", "a", 2)]  # a number for each candidate
    assert [(r["src_agent_id"], r["dst_agent_id"], r["n_float"]) for r in sums] == ring
    assert "return_total" not in result_of(folder / "tasks" / "ss").state["bytes_by_kind"]


def test_returns_are_of_the_last_quarter_of_training_episodes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []
    reset = toy.GivingEnv.reset

    def listening(self: toy.GivingEnv, seed: int) -> Step:
        seeds.append(seed)
        return reset(self, seed)

    monkeypatch.setattr(toy.GivingEnv, "reset", listening)
    result = run(tmp_path)
    assert seeds[:TRIAL] == seeds[TRIAL : 2 * TRIAL] == seeds[2 * TRIAL : 3 * TRIAL]
    task = Path(result["run_dir"]) / "tasks" / "ss"
    for name, total in result["pilot"]["ss"]["collective_return"].items():
        metrics = pq.read_table(task / "pilot" / name / "metrics").to_pylist()
        rewards = [m["value"] for m in metrics if m["name"] == "episode_reward"]
        assert total == pytest.approx(2 * sum(rewards[-2:]) / 2, rel=1e-5)  # agents; updates
        assert not [m for m in metrics if m["name"].startswith("held_out")]


def test_a_return_is_of_one_episode_where_several_fit_below_the_horizon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = toy.GivingEnv.step

    def paying(self: toy.GivingEnv, actions: Tensor) -> Step:
        played = step(self, actions)  # ends the episode
        return replace(played, rewards=torch.ones_like(played.rewards))

    monkeypatch.setattr(toy.GivingEnv, "spec", replace(toy.GivingEnv.spec, horizon=3))
    monkeypatch.setattr(toy.GivingEnv, "step", paying)
    facts = run(tmp_path, **FEW)["pilot"]["ss"]
    assert facts["collective_return"] == {"deaf": 2.0, "obeying": 2.0}  # 1 for each of two agents


FEW: dict[str, Any] = {"learner.num_updates": 20, "evaluations": 1}  # trials of 5 updates


def test_no_two_sums_of_trials_and_training_have_the_same_mask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []

    def noted(width: int, rng: np.random.Generator) -> Tensor:
        mask = draw_mask(width, rng)
        drawn.append(float(mask[0]))
        return mask

    monkeypatch.setattr(channel, "draw_mask", noted)
    scale: dict[str, Any] = {"learner.advantage_scale": "common"}
    facts = run(tmp_path, **FEW, **scale)["pilot"]["ss"]
    assert facts["bytes_by_kind"]["scale_total"] > 0
    assert len(drawn) > 2 * facts["num_updates"] + 20
    assert len({*drawn}) == len(drawn)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Files of a run that nobody interrupted."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child_tasks, "run_tasks", run_here)
        patch.setattr(pilot, "FEWEST", 5)
        return files_of(Path(run(tmp_path_factory.mktemp("whole"), **FEW)["run_dir"]))


def cut_and_continued(out: Path) -> dict[str, bytes]:
    """Files of a run that is interrupted, and continued when nothing interrupts it any more."""
    with pytest.raises(Interrupted):
        run(out, **FEW)
    (cut,) = out.iterdir()
    assert load_latest(cut / "tasks" / "ss" / "result") is None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(child_tasks, "run_tasks", run_here)
        patch.setattr(pilot, "save_checkpoint", save_checkpoint)
        return files_of(Path(run(out, **FEW)["run_dir"]))


@pytest.mark.parametrize("asked_after", [3, 5, 8, 10])
def test_stopped_in_the_pilot_it_ends_with_the_same_bytes(
    whole: dict[str, bytes], asked_after: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ss_core.training.loop.STOP_WITHIN_S", 0.0)

    def stopped(tasks: Any, workers: int, progress: Any) -> None:
        asked = iter(range(1000))
        for task in tasks:
            child_tasks.perform(task, lambda *_: None, lambda: next(asked) >= asked_after)
        raise Interrupted("asked to stop")

    monkeypatch.setattr(child_tasks, "run_tasks", stopped)
    assert cut_and_continued(tmp_path) == whole


@pytest.mark.parametrize("place", ["deaf/result", "pilot/result"])
def test_killed_before_something_is_kept_it_ends_with_the_same_bytes(
    whole: dict[str, bytes], place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(folder: Path, *arguments: Any) -> None:
        if folder.as_posix().endswith(place):
            raise Interrupted("killed")
        save_checkpoint(folder, *arguments)

    monkeypatch.setattr(pilot, "save_checkpoint", dying)
    assert cut_and_continued(tmp_path) == whole


def test_too_few_updates_are_trained_without_a_pilot_and_a_note_says_so(tmp_path: Path) -> None:
    fewer: dict[str, Any] = {"learner.num_updates": 19}
    result = run(tmp_path, **fewer)
    facts = {"kept": "deaf", "num_updates": 0, "candidates": ["deaf", "obeying"]}
    assert result["pilot"]["ss"] == facts
    (note,) = [note for note in result["notes"] if "pilot" in note]
    assert note == (
        "ss: trained under deaf without a pilot; it takes 20 updates or more, and 5 on top under "
        "each of deaf and obeying"
    )
    assert not (Path(result["run_dir"]) / "tasks" / "ss" / "pilot").exists()


def test_a_budget_of_seconds_pays_for_pilot_and_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ss_core.scenario.tasks.affordable_updates", lambda *_: 60)
    result = run(tmp_path, budget_seconds=9.0)
    task = Path(result["run_dir"]) / "tasks" / "ss"
    assert result_of(task).state["num_updates"] == 40
    assert result["pilot"]["ss"]["num_updates"] == 10


@pytest.mark.parametrize("trials", [0, 2, 3])
def test_pilot_and_training_use_what_is_affordable(trials: int) -> None:
    for affordable in range(1, 400):
        updates, each = pilot.shares_of(affordable, trials)
        assert 1 <= updates <= updates + trials * each <= affordable
        assert affordable - updates - trials * each <= trials + 1
        assert each in (0, updates // pilot.SHARE)


@pytest.mark.parametrize(
    ("earned", "kept"),
    [
        ({"deaf": 1.0, "obeying": 1.0}, "deaf"),  # the first of equals
        ({"deaf": -2.0, "obeying": -1.0}, "obeying"),
        ({"deaf": math.nan, "obeying": -1.0}, "obeying"),
        ({"deaf": math.nan, "obeying": math.nan}, "deaf"),
    ],
)
def test_updates_that_were_no_numbers_do_not_count(
    earned: dict[str, float], kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid = {0.0: earned["deaf"], 1.0: earned["obeying"]}  # by ρ' of the candidate
    step = toy.GivingEnv.step
    playing = [0.0]

    def begin(config: LearnerConfig, env: Any, seed: int, device: str = "cpu") -> Training:
        playing[0] = config.objective.rho_follow
        return begun(config, env, seed, device)

    def paying(self: toy.GivingEnv, actions: Tensor) -> Step:
        played = step(self, actions)
        return replace(played, rewards=torch.full_like(played.rewards, paid[playing[0]]))

    begun = Training.begin
    monkeypatch.setattr(toy, "Training", type("Begins", (), {"begin": staticmethod(begin)}))
    monkeypatch.setattr(toy.GivingEnv, "step", paying)
    monkeypatch.setattr("ss_core.training.loop.MOST_NON_FINITE", 10**6)
    facts = run(tmp_path, **FEW)["pilot"]["ss"]
    assert facts["kept"] == kept
    totals = [None if math.isnan(each) else 2 * each for each in earned.values()]
    assert [*facts["collective_return"].values()] == totals
