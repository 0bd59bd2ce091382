"""Settings of a training run, and how episodes are played and counted."""

import numpy as np
import pytest
import torch
from torch import Tensor

from paper_envs.presets import learner_config
from paper_envs.training.config import TrainingConfig, build_env, resolve
from paper_envs.training.learn import Episodes, play_episodes
from paper_envs.training.result import conclude
from ss_core.algorithms.build import build_learner
from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.record.checkpoint import save_checkpoint
from ss_core.testing import check_env

SPREAD = "mpe2.simple_spread_v3:parallel_env"


class UnequalEpisodes:
    """Copy e ends after e + 1 steps and starts anew; every step pays 1 and 3 to the two agents."""

    def __init__(self, num_envs: int) -> None:
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=2,
            num_actions=2,
            observation_size=1,
            horizon=6,
            agent_names=("a", "b"),
        )
        self._t = torch.zeros(num_envs, dtype=torch.long)

    def reset(self, seed: int) -> Step:
        self._t = torch.zeros_like(self._t)
        return Step.first(torch.zeros(len(self._t), 2, 1))

    def step(self, actions: Tensor) -> Step:
        self._t = self._t + 1
        over = self._t == torch.arange(len(self._t)) + 1
        self._t = torch.where(over, 0, self._t)
        seen = torch.zeros(len(over), 2, 1)
        return Step(
            observations=seen,
            rewards=torch.tensor([1.0, 3.0]).expand(len(over), 2),
            terminated=over,
            truncated=torch.zeros_like(over),
            next_observations=seen,
        )


def test_copies_that_end_at_different_times_pass_the_examiner() -> None:
    check_env(UnequalEpisodes(3))


def test_the_first_episode_of_each_copy_counts_to_its_end() -> None:
    env = UnequalEpisodes(3)
    learner = build_learner(LearnerConfig(hidden=(4,), critic_hidden=(4,)), env.spec, 0)
    played = play_episodes(env, learner.actors, episodes=5, seed=0)
    assert played.steps.tolist() == [1, 2, 3, 1, 2]  # two rounds of three copies, the last cut
    assert played.returns.tolist() == [[1, 3], [2, 6], [3, 9], [1, 3], [2, 6]]
    assert played.averaged.tolist() == [2.0] * 5  # (1 + 3) / 2 agents, per step


def test_the_averaged_return_is_per_agent_and_step() -> None:
    episodes = Episodes(returns=np.array([[-30.0, -10.0], [0.0, 5.0]]), steps=np.array([10, 5]))
    assert episodes.averaged.tolist() == [-2.0, 0.5]


def test_the_same_seed_plays_the_same_episodes_and_another_does_not() -> None:
    config, _ = resolve("navigation", {}, {})
    env = build_env(config, 4)
    learner = build_learner(config.learner, env.spec, 0)
    first, again, other = (
        play_episodes(env, learner.actors, episodes=4, seed=seed).returns for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_task_is_learnt_with_the_settings_of_the_benchmark() -> None:
    config, about = resolve("predation", {}, {"algorithm": "vs", "updates": 9, "preset": "paper"})
    expected = learner_config("predation", 8, "paper", "vs", num_updates=9)
    assert config.learner == expected
    assert (config.num_agents, config.horizon, config.options) == (8, 30, {"encoding": "state"})
    assert about == "Cooperative Predation: 8 agents, 30 steps"


def test_an_environment_of_ones_own_has_its_size_and_general_settings() -> None:
    config, about = resolve(SPREAD, {"N": 4}, {"episodes_per_update": 3})
    assert (config.num_agents, config.horizon, config.options) == (4, 25, {"N": 4})
    assert (config.learner.num_envs, config.learner.num_updates) == (3, 200)
    assert len(config.env_sha256) == 64
    assert "4 agents, 5 actions, observations of 24 numbers, 25 steps" in about
    literal, _ = resolve(SPREAD, {}, {"preset": "paper", "horizon": 5})
    assert (literal.learner.num_envs, literal.learner.architecture) == (1, "independent")
    assert literal.horizon == 5


@pytest.mark.parametrize("values", [{"preset": "best"}, {"algorithm": 3}, {"agents": True}])
def test_values_of_the_wrong_kind_are_named(values: dict) -> None:
    with pytest.raises(ConfigError, match=next(iter(values))):
        resolve("navigation", {}, values)


def saved(folder: object, before: list[float], after: list[float]) -> None:
    tensors = {
        f"{when}/{what}": torch.tensor(values)
        for when, returns in (("before", before), ("after", after))
        for what, values in (
            ("returns", [[value, value] for value in returns]),
            ("steps", [10] * len(returns)),
        )
    }
    state = {"num_updates": 5, "bytes_by_kind": {"suggestion": 4000, "own_policy": 0}}
    save_checkpoint(folder / "result", 5, tensors, state)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("after", "improved", "verdict"),
    [
        ([5.0, 5.5, 6.0], True, "better after training"),
        ([-3.0, -3.5, -4.0], False, "WORSE after training"),
        ([1.5, 0.5, 2.5], False, "no clear change"),
    ],
)
def test_the_verdict_follows_from_the_intervals(
    after: list[float], improved: bool, verdict: str, tmp_path: object
) -> None:
    saved(tmp_path, [1.0, 1.5, 2.0], after)
    config = TrainingConfig(env="navigation", num_agents=2, horizon=10, learner=LearnerConfig())
    result = conclude(config, tmp_path)  # type: ignore[arg-type]
    assert result["improved"] is improved
    assert verdict in result["notes"][0]
    figures = result["evaluation"]["before"]
    assert figures["averaged_return"] == pytest.approx(0.15)  # 4.5 / 3 episodes / 10 steps
    assert figures["averaged_return_low"] == pytest.approx(0.1)
    assert figures["episode_return_per_agent"] == pytest.approx(1.5)
    (row,) = result["tables"]["told to other agents while training"]
    assert row == {"kind": "suggestion", "MB": 0.004, "kB_per_agent_and_update": 0.4}
