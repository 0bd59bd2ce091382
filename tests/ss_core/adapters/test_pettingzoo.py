"""Both adapters: PettingZoo's own tests, padding and masks, auto-reset, agents who leave early."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from numpy import ndarray
from pettingzoo import ParallelEnv
from pettingzoo.test import parallel_api_test, parallel_seed_test

from ss_core.adapters.pettingzoo import ParallelFromVector, VectorFromParallel
from ss_core.env import EnvSpec, Step, VectorEnv
from ss_core.errors import ConfigError, InputError
from ss_core.testing import check_env
from tests.support.probe_envs import (
    ConstantReward,
    DelayedReward,
    EndlessReward,
    RightAction,
    SignReward,
    mutual_help,
    ring_help,
)

PROBES: dict[str, Callable[[], VectorEnv]] = {
    "constant": ConstantReward,
    "endless": EndlessReward,
    "sign": SignReward,
    "delayed": DelayedReward,
    "right_action": RightAction,
    "mutual_help": mutual_help,
    "ring_help": lambda: ring_help(4, horizon=3),
}


class CountingGame(ParallelEnv):
    """Three unlike agents count the steps; "short" leaves after step 2, the others after step 3.

    Observations: `box` a 2x2 Box filled with the count, `short` Discrete(4), `masked` a Dict whose
    MultiDiscrete shows (count, 1). Actions: 2, 3 (numbered from 5) and 4. Reward: the action
    received, plus a noise in [0, 1) drawn at reset.
    """

    metadata = {"name": "counting_v0"}  # noqa: RUF012 (PettingZoo's way)

    def __init__(self) -> None:
        self.possible_agents = ["box", "short", "masked"]
        self.agents: list[str] = []
        self.observation_spaces = {
            "box": spaces.Box(0, 9, (2, 2), dtype=np.float32),
            "short": spaces.Discrete(4),
            "masked": spaces.Dict(
                {
                    "observation": spaces.MultiDiscrete([4, 2]),
                    "action_mask": spaces.MultiBinary(4),
                }
            ),
        }
        self.action_spaces = {
            "box": spaces.Discrete(2),
            "short": spaces.Discrete(3, start=5),
            "masked": spaces.Discrete(4),
        }
        self.count = 0
        self.noise = 0.0
        self.received: list[dict[str, int]] = []

    def observation_space(self, agent: str) -> spaces.Space:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        return self.action_spaces[agent]

    def _observations(self) -> dict[str, object]:
        mask = np.array([1, 0, 1, 0], dtype=np.int8)
        everybody = {
            "box": np.full((2, 2), self.count, dtype=np.float32),
            "short": self.count,
            "masked": {"observation": np.array([self.count, 1]), "action_mask": mask},
        }
        return {agent: everybody[agent] for agent in self.agents}

    def reset(
        self, seed: int | None = None, options: dict[str, object] | None = None
    ) -> tuple[dict[str, object], dict[str, dict[str, ndarray]]]:
        self.noise = float(np.random.default_rng(seed).random())
        self.agents, self.count, self.received = list(self.possible_agents), 0, []
        return self._observations(), self._infos()

    def _infos(self) -> dict[str, dict[str, ndarray]]:
        infos: dict[str, dict[str, ndarray]] = {agent: {} for agent in self.agents}
        infos["box"]["action_mask"] = np.array([0, 1], dtype=np.int8)
        return infos

    def step(self, actions: dict[str, int]) -> tuple[dict, dict, dict, dict, dict]:
        self.received.append(actions)
        self.count += 1
        rewards = {agent: float(actions[agent]) + self.noise for agent in self.agents}
        terminations = {agent: self.count == 2 and agent == "short" for agent in self.agents}
        truncations = dict.fromkeys(self.agents, self.count == 3)
        outcome = (self._observations(), rewards, terminations, truncations, self._infos())
        ended = {agent for agent in self.agents if terminations[agent] or truncations[agent]}
        self.agents = [agent for agent in self.agents if agent not in ended]
        return outcome


def play(env: VectorEnv, seed: int, step_count: int) -> list[Step]:
    """First legal action of everybody, `step_count` times."""
    steps = [env.reset(seed)]
    for _ in range(step_count):
        mask = steps[-1].action_mask
        shape = (env.spec.num_envs, env.spec.num_agents)
        legal = torch.ones(*shape, 1) if mask is None else mask
        steps.append(env.step(legal.int().argmax(-1)))
    return steps


def same_step(first: Step, second: Step) -> bool:
    names = ("observations", "rewards", "terminated", "truncated", "next_observations")
    return all(torch.equal(getattr(first, name), getattr(second, name)) for name in names)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PROBES)
def test_every_probe_passes_pettingzoos_tests(name: str) -> None:
    parallel_api_test(ParallelFromVector(PROBES[name](), name), num_cycles=20)
    parallel_seed_test(lambda: ParallelFromVector(PROBES[name](), name), num_cycles=20)


def test_there_and_back_again_gives_the_same_steps() -> None:
    direct = VectorFromParallel(CountingGame, num_envs=1)
    detour = VectorFromParallel(
        lambda: ParallelFromVector(VectorFromParallel(CountingGame, num_envs=1), "counting_v0"), 1
    )
    first, second = play(direct, 3, 7), play(detour, 3, 7)
    assert detour.spec.num_agents == 3
    for before, after in zip(first, second, strict=True):
        assert torch.equal(before.observations, after.observations)
        assert torch.equal(before.truncated, after.truncated)
        assert torch.equal(before.rewards.floor(), after.rewards.floor())


def test_adapted_game_passes_our_examiner() -> None:
    check_env(VectorFromParallel(CountingGame, num_envs=2, horizon=12))


def test_adapted_game_passes_pettingzoos_tests() -> None:
    def make() -> ParallelFromVector:
        return ParallelFromVector(AllLegal(VectorFromParallel(CountingGame, 1)), "counting_v0")

    parallel_api_test(make(), num_cycles=10)
    parallel_seed_test(make, num_cycles=10)


class AllLegal:
    """PettingZoo's tests ignore masks in infos: bring every action into range first."""

    def __init__(self, env: VectorFromParallel) -> None:
        self.spec: EnvSpec = env.spec
        self._env = env

    def reset(self, seed: int) -> Step:
        return self._env.reset(seed)

    def step(self, actions: torch.Tensor) -> Step:
        return self._env.step(actions % 2 * 0)


def test_unequal_agents_are_padded_and_masked() -> None:
    env = VectorFromParallel(CountingGame, num_envs=2)
    assert (env.spec.num_agents, env.spec.num_actions, env.spec.observation_size) == (3, 4, 6)
    assert env.spec.agent_names == ("box", "short", "masked")
    start = env.reset(0)
    expected = [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1]]
    assert start.observations.tolist() == [expected] * 2
    assert start.rewards.tolist() == [[0.0] * 3] * 2
    assert start.action_mask is not None
    legal = [
        [False, True, False, False],  # from infos
        [True, True, True, False],  # three actions of four
        [True, False, True, False],  # from the observation
    ]
    assert start.action_mask.tolist() == [legal] * 2


def test_actions_are_counted_from_the_first_of_each_space() -> None:
    game = CountingGame()
    env = VectorFromParallel(lambda: game, num_envs=1)
    env.reset(0)
    env.step(torch.tensor([[1, 2, 3]]))
    assert game.received == [{"box": 1, "short": 7, "masked": 3}]


def test_an_agent_that_leaves_early_sees_nothing_earns_nothing_and_has_one_action() -> None:
    game = CountingGame()
    env = VectorFromParallel(lambda: game, num_envs=1)
    _, _, leaving, _ = play(env, 0, 3)
    assert leaving.observations[0, 1].tolist() == [0, 0, 1, 0, 0, 0]  # its last observation
    assert leaving.action_mask is not None
    assert leaving.action_mask[0, 1].tolist() == [True, False, False, False]
    assert leaving.terminated.tolist() == [False]
    env.reset(0)
    for _ in range(2):
        env.step(torch.tensor([[1, 0, 0]]))
    alone = env.step(torch.tensor([[1, 3, 0]]))  # whatever the absent agent "does"
    assert alone.rewards[0, 1].item() == 0.0
    assert alone.next_observations[0, 1].tolist() == [0.0] * 6
    assert alone.truncated.tolist() == [True]


def test_an_ended_copy_restarts_and_keeps_its_last_observation_apart() -> None:
    env = VectorFromParallel(CountingGame, num_envs=2)
    last = play(env, 0, 3)[-1]
    assert last.truncated.tolist() == [True, True]
    assert last.terminated.tolist() == [False, False]
    assert last.next_observations[:, 0, 0].tolist() == [3.0, 3.0]
    assert last.observations[:, 0, 0].tolist() == [0.0, 0.0]


def test_a_horizon_truncates() -> None:
    env = VectorFromParallel(CountingGame, num_envs=1, horizon=1)
    last = play(env, 0, 1)[-1]
    assert (last.truncated.tolist(), last.terminated.tolist()) == ([True], [False])
    assert last.next_observations[0, 0, 0].item() == 1.0
    assert last.observations[0, 0, 0].item() == 0.0


def test_the_same_seed_repeats_all_episodes_and_copies_differ() -> None:
    first = play(VectorFromParallel(CountingGame, num_envs=3), 5, 9)
    second = play(VectorFromParallel(CountingGame, num_envs=3), 5, 9)
    assert all(same_step(a, b) for a, b in zip(first, second, strict=True))
    noise = torch.stack([step.rewards[:, 0] for step in first[1:]]).unique()
    assert len(noise) == 9  # three copies, three episodes, no two alike


def test_tensors_handed_out_are_never_written_again() -> None:
    env = VectorFromParallel(CountingGame, num_envs=1)
    start = env.reset(0)
    before = start.observations.clone()
    env.step(torch.tensor([[1, 0, 0]]))
    assert torch.equal(start.observations, before)


def test_arrays_handed_out_are_fresh_and_spaces_are_not() -> None:
    env = ParallelFromVector(ring_help(3), "ring_v0")
    observations, infos = env.reset(seed=1)
    observations["agent_0"][:] = 7
    infos["agent_0"]["action_mask"][:] = 0
    again, infos_again = env.reset(seed=1)
    assert again["agent_0"].tolist() == [1.0]
    assert infos_again["agent_0"]["action_mask"].tolist() == [1, 1]
    assert env.action_space("agent_1") is env.action_space("agent_1")


def test_rewards_reach_the_agent_they_belong_to() -> None:
    env = ParallelFromVector(ring_help(3), "ring_v0")
    env.reset(seed=0)
    _, rewards, terminations, _, _ = env.step({"agent_2": 0, "agent_0": 1, "agent_1": 0})
    assert rewards == pytest.approx({"agent_0": -0.2, "agent_1": 1.0, "agent_2": 0.0})
    assert all(terminations.values())
    assert env.agents == []


def test_misuse_is_refused_in_words() -> None:
    with pytest.raises(ConfigError, match="needs num_envs=1; this env has 2"):
        ParallelFromVector(mutual_help(num_envs=2), "help_v0")
    with pytest.raises(ConfigError, match="must both be at least 1"):
        VectorFromParallel(CountingGame, num_envs=0)
    env = ParallelFromVector(mutual_help(), "help_v0")
    with pytest.raises(ConfigError, match="call reset first"):
        env.step({"agent_0": 0, "agent_1": 0})
    env.reset(seed=0)
    with pytest.raises(ConfigError, match="no action for \\['agent_1'\\]"):
        env.step({"agent_0": 0})
    vector = VectorFromParallel(CountingGame, num_envs=1)
    vector.reset(0)
    with pytest.raises(ConfigError, match=r"action 2 of 'box' is not in 0\.\.1"):
        vector.step(torch.tensor([[2, 0, 0]]))


def continuous() -> CountingGame:
    game = CountingGame()
    game.action_spaces["box"] = spaces.Box(0, 1, (1,))
    return game


def sequential() -> CountingGame:
    game = CountingGame()
    game.observation_spaces["box"] = spaces.Sequence(spaces.Discrete(2))
    return game


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (continuous, "'box' acts by real numbers .* and 'short' by choices"),
        (sequential, "observation space of 'box'"),
    ],
)
def test_unsupported_spaces_are_refused(make: Callable[[], CountingGame], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        VectorFromParallel(make, num_envs=1)


def test_a_mask_without_a_legal_action_is_refused() -> None:
    class Stuck(CountingGame):
        def _infos(self) -> dict[str, dict[str, ndarray]]:
            return {agent: {"action_mask": np.zeros(2, dtype=np.int8)} for agent in self.agents}

    with pytest.raises(ConfigError, match="action mask of 'box'"):
        VectorFromParallel(Stuck, num_envs=1).reset(0)


# what other people's environments get wrong: one error that names environment, step and agent

Change = Callable[[CountingGame, list[dict[str, Any]]], Any]


class Broken(CountingGame):
    """The counting game, whose answer to its second step is changed."""

    def __init__(self, change: Change) -> None:
        super().__init__()
        self._change = change

    def step(self, actions: dict[str, int]) -> Any:
        answer = list(super().step(actions))
        return self._change(self, answer) or tuple(answer) if self.count == 2 else tuple(answer)


def put(part: int, agent: str, value: Any) -> Change:
    def change(game: CountingGame, answer: list[dict[str, Any]]) -> None:
        answer[part][agent] = value

    return change


def without(part: int, agent: str) -> Change:
    def change(game: CountingGame, answer: list[dict[str, Any]]) -> None:
        del answer[part][agent]

    return change


def a_stranger_joins(game: CountingGame, answer: list[dict[str, Any]]) -> None:
    game.agents.append("stranger")


def a_list_of_rewards(game: CountingGame, answer: list[dict[str, Any]]) -> None:
    answer[1] = [1.0, 2.0]  # type: ignore[call-overload]


def raising(game: CountingGame, answer: list[dict[str, Any]]) -> None:
    raise RuntimeError("the engine\nstalled")


OBSERVED, EARNED = 0, 1
nan, inf = float("nan"), float("inf")
BROKEN: dict[str, tuple[Change, str]] = {
    "reward is NaN": (put(EARNED, "short", nan), "reward of 'short' is nan; it must be finite"),
    "reward is infinite": (put(EARNED, "box", -inf), "reward of 'box' is -inf"),
    "reward is too large": (put(EARNED, "box", 1e300), "reward of 'box' is 1e\\+300"),
    "reward is text": (put(EARNED, "box", "high"), "reward of 'box' is 'high', not a number"),
    "reward is missing": (without(EARNED, "box"), "no reward of agent 'box', which acted"),
    "reward of a stranger": (put(EARNED, "me", 1.0), "agent 'me' is rewarded but is not among"),
    "observation is NaN": (
        put(OBSERVED, "box", np.array([[0, 0], [nan, 0]], dtype=np.float32)),
        "observation of 'box' is nan at position 2",
    ),
    "observation is missing": (
        without(OBSERVED, "masked"),
        "no observation of agent 'masked', which still plays",
    ),
    "observation is short": (
        put(OBSERVED, "box", np.zeros(3, dtype=np.float32)),
        "observation of 'box' has 3 numbers, its space Box.* has 4",
    ),
    "observation outside its space": (
        put(OBSERVED, "masked", {"observation": np.array([9, 9])}),
        "observation of 'masked' does not fit its space",
    ),
    "observation of a stranger": (
        put(OBSERVED, "me", 1),
        "agent 'me' is observed but is not among",
    ),
    "stranger plays": (a_stranger_joins, "agent 'stranger' is in `agents` but is not among"),
    "rewards are a list": (a_list_of_rewards, "rewards are a list, not a dict by agent"),
    "step returns four values": (
        lambda _game, answer: tuple(answer[:4]),
        "step returned 4 values, not the 5 dicts",
    ),
    "step raises": (raising, "the environment's step raised RuntimeError: the engine stalled; "),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_wrong_answer_is_named_with_its_step(name: str) -> None:
    change, message = BROKEN[name]
    env = VectorFromParallel(lambda: Broken(change), num_envs=1)
    env.reset(0)
    env.step(torch.tensor([[1, 0, 0]]))
    with pytest.raises(InputError, match=f"counting_v0, step 2: .*{message}"):
        env.step(torch.tensor([[1, 0, 0]]))


def test_a_wrong_reset_is_named() -> None:
    class OldStyle(CountingGame):
        def reset(self, seed: int | None = None, options: dict | None = None) -> Any:
            return super().reset(seed)[0]

    with pytest.raises(InputError, match="counting_v0, reset: reset returned dict, not the 2"):
        VectorFromParallel(OldStyle, num_envs=1).reset(0)


def test_an_environment_without_possible_agents_is_refused() -> None:
    def nobody() -> CountingGame:
        game = CountingGame()
        game.possible_agents = []
        return game

    with pytest.raises(InputError, match="has no `possible_agents`"):
        VectorFromParallel(nobody, num_envs=1)


def test_copies_that_differ_are_refused() -> None:
    games = [CountingGame(), CountingGame()]
    games[1].action_spaces["box"] = spaces.Discrete(3)
    with pytest.raises(InputError, match="two copies differ in their agents or spaces"):
        VectorFromParallel(lambda: games.pop(), num_envs=2)
