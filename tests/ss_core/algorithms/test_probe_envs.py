"""The probes are what their names say: optima, gradients of selfishness, counterfactuals."""

import itertools

import pytest
import torch

from ss_core.env import CounterfactualEnv
from tests.support.probe_envs import (
    HELP_COST,
    HELP_GAIN,
    CounterfactualHelpingGame,
    DelayedReward,
    EndlessReward,
    FiniteReward,
    HelpingGame,
    LaterHelp,
    RightAction,
    SignReward,
    mutual_help,
    ring_help,
)


def test_delayed_reward_shows_zero_then_one_and_pays_at_the_end() -> None:
    env = DelayedReward(num_envs=2)
    actions = torch.zeros(2, 1, dtype=torch.int64)
    steps = [env.reset(0), env.step(actions), env.step(actions), env.step(actions)]
    assert [step.observations[0].item() for step in steps] == [0, 1, 0, 1]
    assert [step.rewards[1].item() for step in steps] == [0, 0, 1, 0]
    assert [step.terminated[0].item() for step in steps] == [False, False, True, False]


def test_endless_reward_is_truncated_never_terminated() -> None:
    env = EndlessReward(horizon=2)
    env.reset(0)
    steps = [env.step(torch.zeros(1, 1)) for _ in range(4)]
    assert [step.truncated.item() for step in steps] == [False, True, False, True]
    assert not any(step.terminated.item() for step in steps)


def test_finite_reward_looks_the_same_until_it_ends() -> None:
    env = FiniteReward(horizon=2)
    steps = [env.reset(0), *(env.step(torch.zeros(1, 1)) for _ in range(3))]
    assert [step.terminated.item() for step in steps] == [False, False, True, False]
    assert all(step.observations.item() == 1.0 for step in steps)
    assert [step.rewards.item() for step in steps] == [0, 1, 1, 1]


def test_help_is_paid_for_at_once_and_received_later() -> None:
    env = LaterHelp()
    assert env.reset(0).observations[0, 0].tolist() == [0, 0, 0]
    paid = env.step(torch.tensor([[1, 0]]))
    assert paid.rewards[0].tolist() == pytest.approx([-HELP_COST, 0])
    assert paid.observations[0].tolist() == [[1, 1, 0], [1, 1, 0]]
    received = env.step(torch.tensor([[0, 1]]))
    assert received.rewards[0].tolist() == [0, HELP_GAIN]
    assert received.terminated.tolist() == [True]
    assert received.observations[0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("make", [SignReward, RightAction])
def test_random_probes_pay_by_the_observation_shown_and_repeat_by_seed(
    make: type[SignReward] | type[RightAction],
) -> None:
    first, second = make(num_envs=64), make(num_envs=64)
    before, same = first.reset(7), second.reset(7)
    assert torch.equal(before.observations, same.observations)
    assert set(before.observations.unique().tolist()) == {-1.0, 1.0}
    after = first.step(torch.ones(64, 1, dtype=torch.int64))
    assert torch.equal(after.rewards, before.observations[:, :, 0])
    assert torch.equal(after.next_observations, before.observations)
    wrong = second.step((before.observations[:, :, 0] < 0).long())
    assert set(wrong.rewards.unique().tolist()) <= ({1.0, -1.0})


@pytest.mark.parametrize("game", [mutual_help(), ring_help(4)])
def test_keeping_dominates_and_helping_is_best_for_all(game: HelpingGame) -> None:
    count = game.spec.num_agents
    game.reset(0)
    for actions in itertools.product((0, 1), repeat=count):
        outcome = game.step(torch.tensor([actions])).rewards[0]
        for i in range(count):
            other = [1 - a if n == i else a for n, a in enumerate(actions)]
            gain = game.step(torch.tensor([other])).rewards[0, i] - outcome[i]
            assert gain.item() == pytest.approx(0.2 if actions[i] else -0.2)
        assert outcome.sum().item() == pytest.approx(0.8 * sum(actions))


def test_ring_lets_only_adjacent_agents_talk() -> None:
    neighbours = ring_help(4, num_envs=2).reset(0).neighbours
    assert neighbours is not None
    ring = [[0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0]]
    assert neighbours.int().tolist() == [ring, ring]


def test_counterfactuals_are_what_replaying_gives() -> None:
    game = CounterfactualHelpingGame(ring_help(3, num_envs=2, horizon=2))
    assert isinstance(game, CounterfactualEnv)
    assert not isinstance(ring_help(3), CounterfactualEnv)
    played = torch.tensor([[[0, 1, 1], [1, 1, 0]], [[1, 0, 0], [0, 0, 1]]])  # T E N

    def returns(actions: torch.Tensor) -> torch.Tensor:
        game.reset(0)
        return sum((game.step(row).rewards for row in actions), start=torch.zeros(2, 3))

    neighbours = torch.tensor([[1, 2], [0, 2], [0, 1]])
    happened = returns(played)
    answers = game.counterfactual_rewards(neighbours)
    assert answers.peers.shape == (2, 2, 3, 2, 2)
    for t, e, i, a in itertools.product(range(2), range(2), range(3), range(2)):
        changed = played.clone()
        changed[t, e, i] = a
        difference = returns(changed)[e] - happened[e]
        assert answers.own[t, e, i, a].item() == pytest.approx(difference[i].item(), abs=1e-6)
        for k, m in itertools.product(range(3), range(2)):
            if neighbours[k, m] == i:
                assert answers.peers[t, e, k, m, a].item() == pytest.approx(
                    difference[k].item(), abs=1e-6
                )
