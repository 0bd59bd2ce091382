"""One run of the benchmark: what it measures, by hand; the same bytes however it is killed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from paper_envs.bench.results.comparisons import by_cell
from paper_envs.bench.results.curves import (
    curve_point,
    joint_action_rates,
    read_curve,
    suggested_cooperation,
    window_means,
)
from paper_envs.bench.results.results import Cell, RunResult, read_result
from paper_envs.bench.results.tables import curve_rows, run_rows
from paper_envs.bench.results.timing import Timing, read_timing
from paper_envs.bench.runs.clock import RunClock
from paper_envs.bench.runs.plan import ALGORITHMS
from paper_envs.bench.runs.run import RunSpec, evaluate_run, evaluation_seed, train_run
from ss_core.config import to_dict
from ss_core.errors import CorruptError
from ss_core.exchange.neighbourhood import all_to_all
from ss_core.learning.learner import LastRound
from ss_core.learning.rollout import Rollout
from ss_core.random_streams import Stream, drawn_seed
from ss_core.record.checkpoint import load_latest
from ss_core.training.saved_learner import read_learner_file
from tests.support.small_bench import SMALL, small_spec

VOLATILE = {"timing.json", ".lock"}


class Killed(BaseException):
    """Stands for a SIGKILL: nobody catches it."""


def never() -> bool:
    return False


def run(spec: RunSpec, report: Callable[[int, int, str], None] | None = None) -> RunResult:
    assert train_run(to_dict(spec), report or (lambda *_: None), never)
    return read_result(Path(spec.folder) / "result.json")


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in VOLATILE
    }


# what is measured


def rollout_of(actions: Tensor, cooperative: Tensor | None, num_actions: int = 2) -> Rollout:
    t, e, n = actions.shape
    return Rollout(
        observations=torch.zeros(t, e, n, 1),
        next_observations=None,
        actions=actions,
        log_probs=torch.zeros(t, e, n, num_actions),
        rewards=torch.arange(float(t * e * n)).reshape(t, e, n),
        terminated=torch.zeros(t, e, dtype=torch.bool),
        truncated=torch.zeros(t, e, dtype=torch.bool),
        action_mask=None,
        neighbours=None,
        cooperative=cooperative,
    )


def test_joint_actions_are_counted_by_who_cooperates() -> None:
    steps = torch.tensor([[[1, 1], [1, 0]], [[0, 0], [0, 1]]], dtype=torch.bool)
    assert joint_action_rates(steps) == {"rate_all": 0.25, "rate_mixed": 0.5, "rate_none": 0.25}


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 5), st.integers(0, 9))
def test_joint_action_rates_are_shares_of_one(t: int, e: int, n: int, seed: int) -> None:
    drawn = torch.rand((t, e, n), generator=torch.Generator().manual_seed(seed)) < 0.7
    rates = joint_action_rates(drawn)
    assert sum(rates.values()) == pytest.approx(1.0)
    assert all(-1e-12 <= rate <= 1.0 for rate in rates.values())


def test_suggested_cooperation_is_what_suggestions_give_to_the_cooperative_action() -> None:
    # one step of two copies; agent 0 hears 1 and 1 hears 0; in copy 1 agent 1 says nothing to 0
    actions = torch.tensor([[[0, 1], [1, 1]]])
    cooperative = torch.tensor([[[True, False], [False, True]]])
    # so the cooperative actions are [[0, 0], [0, 1]]
    probs = [[[[0.9, 0.1]], [[0.3, 0.7]]], [[[0.2, 0.8]], [[0.5, 0.5]]]]
    sent = LastRound(
        rows=torch.tensor([[0, 0], [1, 1]]),
        links=all_to_all(2),
        valid=torch.tensor([[[True], [True]], [[True], [False]]]),
        suggestions=torch.tensor(probs).log(),
        policies=torch.zeros(2, 2, 1, 2),
    )
    # sender 0 to receiver 1: 0.9 then 0.8; sender 1 to receiver 0: 0.3 then silence
    rates = suggested_cooperation(rollout_of(actions, cooperative), sent)
    assert rates == {"suggested_cooperation": pytest.approx((0.9 + 0.8 + 0.3) / 3)}
    silent = replace(sent, valid=torch.zeros_like(sent.valid))
    assert suggested_cooperation(rollout_of(actions, cooperative), silent) == {}


def test_a_task_without_cooperation_tells_only_returns() -> None:
    actions = torch.zeros(1, 2, 2, dtype=torch.long)
    assert curve_point(rollout_of(actions, None), None) == {"averaged_return": 1.5}


def test_a_point_of_the_curve_is_the_mean_since_the_one_before() -> None:
    values = np.array([1.0, 3.0, np.nan, np.nan, 8.0])
    assert window_means(values, np.array([2, 4, 5])) == [2.0, None, 8.0]


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=30), st.integers(1, 12))
def test_points_of_a_curve_weigh_up_to_the_mean_of_all_updates(
    values: list[float], points: int
) -> None:
    count = min(points, len(values))
    ends = np.arange(1, count + 1) * len(values) // count
    means = window_means(np.array(values), ends)
    weights = np.diff(ends, prepend=0)
    assert float(np.dot(weights, np.array(means, dtype=float))) == pytest.approx(
        sum(values), abs=1e-9
    )


def test_no_update_trains_on_the_evaluation_episodes() -> None:
    for seed in (100, 101):
        trained = {drawn_seed(seed, Stream.TRAINING_EPISODES, update) for update in range(3000)}
        assert evaluation_seed(seed) not in trained
    assert evaluation_seed(100) != evaluation_seed(101)


# a whole run


def test_a_result_holds_curve_evaluation_and_what_was_exchanged(tmp_path: Path) -> None:
    result = run(small_spec(tmp_path, updates=5, curve_points=2))
    assert (result.cell, result.seed, result.num_updates, result.num_envs) == (SMALL, 100, 5, 2)
    assert result.curve["update"] == [2.0, 5.0]
    assert result.curve["episode"] == [4.0, 10.0]
    rates = [result.curve[f"rate_{name}"] for name in ("all", "mixed", "none")]
    assert np.sum(np.array(rates, dtype=float), axis=0) == pytest.approx([1.0, 1.0])
    assert set(result.curve) >= {"averaged_return", "suggestion_mse", "suggested_cooperation"}
    assert len(result.evaluation_returns) == 8
    assert result.final_return == pytest.approx(np.mean(result.evaluation_returns))
    assert result.final_return == pytest.approx(np.mean(result.agent_returns))
    assert result.cooperators is not None
    neither, one, both = result.cooperators
    assert neither + one + both == 8 * 30  # episodes × steps
    # with two predators: -1 if both approach, -3 if neither does, else (-4 + 0) / 2
    assert result.final_return == pytest.approx((-both - 3 * neither - 2 * one) / (8 * 30))
    assert result.bytes_by_kind["suggestion"] > 0


def test_what_is_not_exchanged_or_not_told_is_not_there(tmp_path: Path) -> None:
    alone = run(small_spec(tmp_path / "a", replace(SMALL, algorithm="independent"), updates=2))
    assert alone.bytes_by_kind == {}
    assert "suggestion_mse" not in alone.curve
    navigation = Cell(task="navigation", num_agents=2, preset="tuned", algorithm="independent")
    result = run(small_spec(tmp_path / "b", navigation, updates=2))
    assert result.cooperators is None
    assert set(result.curve) == {"update", "episode", "averaged_return"}


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_returns_are_what_the_task_pays_whatever_the_algorithm_learns_from(
    tmp_path: Path, algorithm: str
) -> None:
    curve = run(small_spec(tmp_path, replace(SMALL, algorithm=algorithm), updates=3)).curve
    every, some, none, paid = (
        np.array(curve[name], dtype=float)
        for name in ("rate_all", "rate_mixed", "rate_none", "averaged_return")
    )
    assert paid == pytest.approx(-every - 2 * some - 3 * none)


def test_conditions_that_share_a_seed_are_evaluated_on_the_same_episodes(tmp_path: Path) -> None:
    def untaught(name: str, seed: int) -> tuple[float, ...]:
        spec = small_spec(
            tmp_path / f"{name}-{seed}", replace(SMALL, algorithm=name), seed=seed, updates=1
        )
        learner = replace(spec.learner, actor_lr=0.0)  # policies stay uniform
        return run(replace(spec, learner=learner)).evaluation_returns

    assert untaught("ss", 100) == untaught("independent", 100)
    assert untaught("ss", 100) != untaught("ss", 101)


@pytest.mark.parametrize("updates", [1, 5])
@pytest.mark.parametrize("preset", ["paper", "tuned"])
def test_a_run_that_is_killed_anywhere_leaves_the_same_bytes(
    tmp_path: Path, updates: int, preset: str
) -> None:
    cell = replace(SMALL, preset=preset)
    whole = small_spec(tmp_path / "whole", cell, updates=updates, num_envs=1)
    run(whole)
    killed = replace(whole, folder=str(tmp_path / "killed"))
    for at in range(1, updates + 1):

        def die(done: int, _total: int, _note: str, at: int = at) -> None:
            if done == at:
                raise Killed

        with pytest.raises(Killed):
            train_run(to_dict(killed), die, never)
        assert not (tmp_path / "killed" / "result.json").exists()
    run(killed)
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_a_run_asked_to_stop_goes_on_later(tmp_path: Path) -> None:
    spec = small_spec(tmp_path, updates=6)
    asked = [False]

    def report(done: int, _total: int, _note: str) -> None:
        asked[0] = done == 3

    assert not train_run(to_dict(spec), report, lambda: asked[0])
    stopped = load_latest(tmp_path)
    assert stopped is not None
    assert 3 <= stopped.update < 6
    assert run(spec).num_updates == 6


def test_an_unfinished_run_is_evaluated_as_its_checkpoint_has_it(tmp_path: Path) -> None:
    spec = small_spec(tmp_path / "run", updates=6, curve_points=3)
    asked = [False]

    def report(done: int, _total: int, _note: str) -> None:
        asked[0] = done == 4

    assert evaluate_run(to_dict(spec), lambda *_: None, never)  # nothing is there yet
    assert not (tmp_path / "run/partial.json").exists()
    assert not train_run(to_dict(spec), report, lambda: asked[0])
    assert evaluate_run(to_dict(spec), lambda *_: None, never)
    partial = read_result(tmp_path / "run/partial.json")
    assert (partial.num_updates, partial.planned_updates, partial.finished) == (4, 6, False)
    assert (partial.episodes, partial.planned_episodes) == (8, 12)
    whole = run(replace(small_spec(tmp_path / "four", updates=4, curve_points=2)))
    assert partial.final_return == whole.final_return  # as if it had been planned so short
    assert partial.bytes_by_kind == whole.bytes_by_kind
    finished = run(spec)
    assert {name: values[:2] for name, values in finished.curve.items()} == partial.curve
    assert not (tmp_path / "run/partial.json").exists()
    untouched = run(replace(spec, folder=str(tmp_path / "straight")))
    assert finished == untouched


def test_a_run_stopped_before_the_first_point_of_its_curve_is_evaluated(tmp_path: Path) -> None:
    spec = small_spec(tmp_path, updates=6, curve_points=2)
    asked = [False]

    def report(done: int, _total: int, _note: str) -> None:
        asked[0] = done == 1

    assert not train_run(to_dict(spec), report, lambda: asked[0])
    assert evaluate_run(to_dict(spec), lambda *_: None, never)
    partial = read_result(tmp_path / "partial.json")
    assert (partial.num_updates, partial.curve["update"]) == (1, [])
    assert len(partial.evaluation_returns) == 8
    cells = by_cell([partial])
    assert run_rows(cells)[0]["training_return"] is None
    assert curve_rows(cells) == []


def test_processor_time_stands_beside_the_curve_and_adds_up_over_starts(tmp_path: Path) -> None:
    spec = small_spec(tmp_path, updates=6, curve_points=3)
    asked = [False]

    def report(done: int, _total: int, _note: str) -> None:
        asked[0] = done == 3

    assert not train_run(to_dict(spec), report, lambda: asked[0])
    first = read_timing(tmp_path / "timing.json")
    assert set(first.cpu_s_at) == {2}
    run(spec)
    timing = read_timing(tmp_path / "timing.json")
    assert list(timing.cpu_s_at) == [2, 4, 6] == run(spec).curve["update"]
    assert timing.cpu_s_at[2] == first.cpu_s_at[2] <= timing.cpu_s_at[4] <= timing.cpu_s_at[6]
    assert first.cpu_s <= timing.cpu_s_at[4]
    assert timing.cpu_s_at[6] <= timing.cpu_s
    assert "cpu" not in (tmp_path / "result.json").read_text()


def test_a_clock_begins_where_the_file_ends(tmp_path: Path) -> None:
    now = [10.0]
    path = tmp_path / "timing.json"
    for update, seconds in ((5, 3.0), (9, 4.0)):
        clock = RunClock(path, cpu=lambda: now[0], wall=lambda: 2 * now[0])
        now[0] += seconds
        clock.mark(update)
        clock.write()
    assert read_timing(path) == Timing(wall_s=14.0, cpu_s=7.0, cpu_s_at={5: 3.0, 9: 7.0})
    path.write_text('{"wall_s": 2.5}')
    assert read_timing(path) == Timing(wall_s=2.5)
    for broken in ("{", "[]", '{"wall_s": null}'):
        path.write_text(broken)
        assert read_timing(path) == Timing()


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    spec = small_spec(tmp_path, updates=2)
    run(spec)
    before = files_of(tmp_path)
    run(spec, lambda *_: pytest.fail("it trains"))
    assert files_of(tmp_path) == before


@pytest.mark.parametrize("keep_policies", [True, False])
def test_a_damaged_result_that_is_deleted_comes_back_the_same(
    tmp_path: Path, keep_policies: bool
) -> None:
    spec = small_spec(tmp_path, updates=3, keep_policies=keep_policies)
    before = run(spec)
    path = tmp_path / "result.json"
    path.write_text("{")
    with pytest.raises(CorruptError, match="delete it and run the benchmark again"):
        read_result(path)
    path.unlink()
    assert run(spec) == before


def test_policies_are_kept_or_dropped_as_ordered(tmp_path: Path) -> None:
    run(small_spec(tmp_path / "kept", updates=3))
    assert len(list((tmp_path / "kept" / "checkpoints").iterdir())) == 1
    assert read_learner_file(tmp_path / "kept").task == "predation"
    run(small_spec(tmp_path / "dropped", updates=3, keep_policies=False))
    left = {path.parts[0] for path in map(Path, files_of(tmp_path / "dropped"))}
    assert left == {"result.json", "metrics", "traces"}


def test_a_trace_that_lacks_updates_is_a_clear_error(tmp_path: Path) -> None:
    run(small_spec(tmp_path, updates=3))
    with pytest.raises(CorruptError, match="not one averaged_return for each of 4 updates"):
        read_curve(tmp_path, 4, 2, 50)
    with pytest.raises(CorruptError, match="delete the run's folder"):
        read_curve(tmp_path / "nothing", 4, 2, 50)


def test_the_condition_of_a_run_is_all_but_its_seed_and_place(tmp_path: Path) -> None:
    spec = small_spec(tmp_path)
    same = replace(spec, seed=7, folder="elsewhere", device="cuda", keep_policies=False)
    assert same.condition_sha256 == spec.condition_sha256
    assert small_spec(tmp_path, updates=5).condition_sha256 != spec.condition_sha256
    assert replace(spec, evaluation_episodes=9).condition_sha256 != spec.condition_sha256
