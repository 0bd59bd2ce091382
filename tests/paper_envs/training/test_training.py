"""Settings of a training run, and how episodes are played and counted."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from paper_envs.presets import learner_config
from paper_envs.training.config import TrainingConfig, build_env, resolve
from paper_envs.training.episodes import Episodes, play_episodes
from paper_envs.training.scenario import SCENARIO, about, check
from ss_core.algorithms.build import build_learner
from ss_core.config import to_dict
from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.record.checkpoint import Checkpoint, load_latest, save_checkpoint
from ss_core.record.run_directory import RunDirectory
from ss_core.scenario.protocol import Prepared
from ss_core.scenario.result import conclude

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
        return self._step(torch.zeros_like(self._t, dtype=torch.bool))

    def step(self, actions: Tensor) -> Step:
        self._t = self._t + 1
        over = self._t == torch.arange(len(self._t)) + 1
        self._t = torch.where(over, 0, self._t)
        return self._step(over)

    def _step(self, over: Tensor) -> Step:
        seen = torch.zeros(len(over), 2, 1)
        return Step(
            observations=seen,
            rewards=torch.tensor([1.0, 3.0]).expand(len(over), 2),
            terminated=over,
            truncated=torch.zeros_like(over),
            next_observations=seen,
        )


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
    config = resolve("tuned", {"env": "navigation"})
    env = build_env(config, 4)
    learner = build_learner(config.learner, env.spec, 0)
    first, again, other = (
        play_episodes(env, learner.actors, episodes=4, seed=seed).returns for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_a_task_is_learnt_with_the_settings_of_the_benchmark() -> None:
    config = resolve("paper", {"env": "predation", "algorithm": "vs", "updates": 9})
    expected = learner_config("predation", 8, "paper", "vs", num_updates=9)
    assert config.learner == expected
    assert (config.num_agents, config.horizon, config.options) == (8, 30, {"encoding": "state"})
    assert about(config, check(config)) == "Cooperative Predation: 8 agents, 30 steps"


def test_an_environment_of_ones_own_has_its_size_and_general_settings() -> None:
    config = resolve("tuned", {"env": SPREAD, "env_args": {"N": 4}, "episodes_per_update": 3})
    assert (config.num_agents, config.horizon, config.options) == (4, 25, {"N": 4})
    assert (config.learner.num_envs, config.learner.num_updates) == (3, 200)
    assert len(config.env_sha256) == 64
    sentence = about(config, check(config))
    seen = "observations of 24 numbers (24 unbounded entries standardised by running moments)"
    assert f"4 agents, 5 actions, {seen}, 25 steps" in sentence
    assert "the length of every random episode" in sentence
    literal = resolve("paper", {"env": SPREAD, "horizon": 5})
    assert (literal.learner.num_envs, literal.learner.architecture) == (1, "independent")
    assert literal.horizon == 5


@pytest.mark.parametrize(
    ("preset", "values", "named"),
    [
        ("best", {}, "preset"),
        ("tuned", {"algorithm": 3}, "algorithm"),
        ("tuned", {"agents": True}, "agents"),
        ("tuned", {"env_args": 3}, "env_args"),
        ("tuned", {"updates": 3, "budget": {"updates": 3}}, "--updates and --budget"),
        ("tuned", {"regime": "best"}, "regime"),
    ],
)
def test_values_of_the_wrong_kind_are_named(preset: str, values: dict, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        resolve(preset, {"env": "navigation", **values})


def test_a_budget_of_seconds_and_a_selfish_rival_are_settings_as_in_every_world() -> None:
    asked = {"env": "predation", "budget": {"seconds": 9.0}, "compare_selfish": True}
    config = resolve("tuned", asked)
    assert (config.budget_seconds, [*config.learners]) == (9.0, ["ss", "independent"])
    assert [*resolve("tuned", {"env": "predation"}).learners] == ["ss"]


def saved(folder: Path, before: list[float], after: list[float]) -> Checkpoint:
    tensors = {
        f"{when}/{what}": torch.tensor(values)
        for when, returns in (("before", before), ("after", after))
        for what, values in (
            ("returns", [[value, value] for value in returns]),
            ("steps", [10] * len(returns)),
        )
    }
    state = {"num_updates": 5, "bytes_by_kind": {"suggestion": 4000, "own_policy": 0}}
    save_checkpoint(folder, 5, tensors, state)
    result = load_latest(folder)
    assert result is not None
    return result


@pytest.mark.parametrize(
    ("after", "improved", "verdict"),
    [
        ([5.0, 5.5, 6.0], True, "better after training"),
        ([-3.0, -3.5, -4.0], False, "WORSE after training"),
        ([1.5, 0.5, 2.5], False, "or --set evaluation_episodes=512"),
    ],
)
def test_the_verdict_follows_from_the_intervals(
    after: list[float], improved: bool, verdict: str, tmp_path: Path
) -> None:
    results = {"ss": saved(tmp_path / "ss", [1.0, 1.5, 2.0], after)}
    config = TrainingConfig(env="navigation", num_agents=2, horizon=10)
    place = {"task": "navigation", "size": "n2", "seed": 0, "config": to_dict(config)}
    with RunDirectory.create(tmp_path / "run", **place) as run:
        result = conclude(SCENARIO, run, config, Prepared(sentence=""), results)
    assert result["improved"] is improved
    assert verdict in result["notes"][0]
    figures = result["evaluation"]["before"]
    assert figures["averaged_return"] == pytest.approx(0.15)  # 4.5 / 3 episodes / 10 steps
    assert figures["averaged_return_low"] == pytest.approx(0.1)
    assert figures["episode_return_per_agent"] == pytest.approx(1.5)
    rows = result["tables"]["3 held-out episodes (means; 95 % bootstrap intervals)"]
    assert rows[0]["low"] == figures["averaged_return_low"]
    assert (rows[0]["steps"], rows[1]["kB exchanged/agent"]) == (10.0, 2.0)
    (row,) = result["tables"]["sent to other agents while training"]
    assert row == {"kind": "suggestion", "MB": 0.004, "kB_per_agent_and_update": 0.4}
