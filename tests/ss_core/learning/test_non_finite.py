"""NaN and infinity in rewards, observations and gradients: skipped, told of, never learned."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec, Step
from ss_core.errors import SimulatorError
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.policies.optimiser import adam_step, init_adam
from ss_core.training.loop import MOST_NON_FINITE, Training
from tests.support.fault_counts import counted
from tests.support.probe_envs import mutual_help
from tests.support.small_learners import trained_to_the_end

BAD = (float("nan"), float("inf"), float("-inf"))


class Spoilt:
    """Mutual help in which chosen updates hold a value that is no number."""

    def __init__(self, bad: float, where: str, updates: range, agent: int = 1) -> None:
        self.game, self.bad, self.where = mutual_help(num_envs=2), bad, where
        self.updates, self.agent, self.played = updates, agent, -1

    @property
    def spec(self) -> EnvSpec:
        return self.game.spec

    def reset(self, seed: int) -> Step:
        self.played += 1
        return self._spoil(self.game.reset(seed))

    def step(self, actions: Tensor) -> Step:
        return self._spoil(self.game.step(actions))

    def _spoil(self, step: Step) -> Step:
        if self.played in self.updates:
            getattr(step, self.where)[0, self.agent] = self.bad
        return step


def training_on(env: Spoilt, updates: int) -> Training:
    config = LearnerConfig(hidden=(8,), critic_hidden=(8,), num_envs=2, num_updates=updates)
    learner = build_learner(config, env.spec, 0)
    return Training(learner, env, Channel(config.exchange, env.spec.num_agents, 0), 0)


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("where", ["rewards", "observations"])
@pytest.mark.parametrize("agent", [0, 1])
def test_an_update_of_no_numbers_is_skipped_and_told_of(
    tmp_path: Path, bad: float, where: str, agent: int
) -> None:
    training = training_on(Spoilt(bad, where, range(2, 4), agent), updates=6)
    trained_to_the_end(training, tmp_path, commit_every=3)
    assert all(bool(t.isfinite().all()) for t in learner_tensors(training.learner).values())
    rows = pq.read_table(tmp_path / "traces" / "incident").to_pylist()
    assert [(row["update"], row["code"]) for row in rows] == [(2, "SS-W120"), (3, "SS-W120")]
    assert where in rows[0]["detail"]
    assert f"agent_{agent}" in rows[0]["detail"]
    values = pq.read_table(tmp_path / "metrics").column("value").to_pylist()
    assert all(value == value and abs(value) < 1e30 for value in values)
    counted("F11", 2)


def test_too_many_in_a_row_end_the_run_with_what_to_do() -> None:
    training = training_on(Spoilt(float("nan"), "rewards", range(99)), updates=99)
    for _ in range(MOST_NON_FINITE):
        training.advance()
    with pytest.raises(SimulatorError, match="look at the environment"):
        training.advance()
    assert all(bool(t.isfinite().all()) for t in learner_tensors(training.learner).values())
    counted("F11", MOST_NON_FINITE + 1)


@pytest.mark.parametrize("bad", BAD)
def test_a_gradient_that_is_no_number_leaves_only_that_agent_where_it_was(bad: float) -> None:
    params = {"w": torch.ones(3, 2), "b": torch.ones(3, 1)}
    state = init_adam(params, 3)
    grads = {"w": torch.ones(3, 2), "b": torch.ones(3, 1)}
    grads["w"][1, 0] = bad
    skipped = adam_step(params, grads, state, lr={"w": 0.1, "b": 0.1})
    assert skipped is not None
    assert skipped.tolist() == [False, True, False]
    assert params["w"][1].tolist() == [1.0, 1.0]
    assert params["b"].flatten().tolist() == pytest.approx([0.9, 1.0, 0.9])
    assert state.steps.tolist() == [1.0, 0.0, 1.0]
    assert adam_step(params, {k: torch.ones_like(g) for k, g in grads.items()}, state,
                     lr={"w": 0.1, "b": 0.1}) is None  # fmt: skip
    counted("F11")
