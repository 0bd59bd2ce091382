"""What each algorithm learns: values, its own task, and in a dilemma what its name promises."""

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import Regime, in_regime
from ss_core.objective.objective import ObjectiveWeights
from ss_core.policies.actors import Architecture
from ss_core.training.loop import Training
from tests.support.probe_envs import (
    HELP_COST,
    HELP_GAIN,
    ConstantReward,
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

ALONE = LearnerConfig(
    algorithm="independent",
    hidden=(16,),
    critic_hidden=(16,),
    actor_lr=0.02,
    critic_lr=0.05,
    num_updates=80,
    final_lr_fraction=0.1,
    gamma=0.5,
)
TOGETHER = replace(
    ALONE,
    algorithm="ss",
    zero_logits=True,
    suggestion_lr=0.05,
    num_updates=40,
    kappa="one",
    objective=ObjectiveWeights(rho=1.0, rho_follow=1.0, surrogate="additive", indicators=False),
)
ALL_HELP = HELP_GAIN - HELP_COST  # each agent's reward where everybody helps
OF_ONE: tuple[str, ...] = (
    "ss", "independent", "centralised", "vps", "vs", "ps", "reward_transfer", "svo"
)  # fmt: skip
PATHS = pytest.mark.parametrize("counterfactuals", [False, True], ids=["sampled", "what if"])
GAMES = pytest.mark.parametrize("game", ["two", "ring"])


def trained(env: VectorEnv, config: LearnerConfig) -> tuple[Training, list[float]]:
    """A learner after all its updates, and the mean reward of each episode."""
    learner = build_learner(config, env.spec, seed=0)
    channel = Channel(config.exchange, env.spec.num_agents, seed=0)
    training = Training(learner, env, channel, seed=0)
    rewards = []
    for _ in range(config.num_updates):
        training.advance()
        rewards.append(training.metrics["episode_reward"])
    return training, rewards


def dilemma(game: str, *, counterfactuals: bool) -> VectorEnv:
    env = mutual_help(num_envs=32) if game == "two" else ring_help(4, num_envs=32)
    return CounterfactualHelpingGame(env) if counterfactuals else env


@pytest.mark.parametrize(
    ("env", "observations", "values"),
    [
        (ConstantReward(8), [1.0], [1.0]),
        (EndlessReward(8), [1.0], [2.0]),  # 1 / (1 - γ): the time limit is no end
        (SignReward(8), [-1.0, 1.0], [-1.0, 1.0]),
        (DelayedReward(8), [0.0, 1.0], [0.5, 1.0]),
    ],
    ids=["constant", "endless", "sign", "delayed"],
)
@pytest.mark.parametrize("algorithm", OF_ONE)
def test_critics_learn_the_value_of_what_they_see(
    algorithm: str, env: VectorEnv, observations: list[float], values: list[float]
) -> None:
    training, _ = trained(env, replace(ALONE, algorithm=algorithm))
    shown = torch.tensor(observations).reshape(-1, 1, 1)
    learned = training.learner.critics.values(shown).flatten().tolist()
    assert learned == pytest.approx(values, abs=0.05)


def test_only_critics_that_see_the_time_know_what_is_left_of_an_episode() -> None:
    env, left = FiniteReward(num_envs=8, horizon=3), [1.75, 1.5, 1.0]  # γ = 1/2
    training, _ = trained(env, replace(ALONE, critic_sees_time=True, critic_hidden=(32,)))
    shown = torch.tensor([[1.0, 0.0], [1.0, 1 / 3], [1.0, 2 / 3]]).reshape(-1, 1, 2)
    learned = training.learner.critics.values(shown).flatten().tolist()
    assert learned == pytest.approx(left, abs=0.05)
    assert training.metrics["critic_loss"] < 0.01
    blind, _ = trained(env, ALONE)
    assert blind.metrics["critic_loss"] == pytest.approx(0.097, abs=0.01)  # variance of `left`


@pytest.mark.parametrize("algorithm", OF_ONE)
def test_a_single_agent_learns_to_act_on_what_it_sees(algorithm: str) -> None:
    _, rewards = trained(RightAction(num_envs=32), replace(ALONE, algorithm=algorithm))
    assert sum(rewards[-10:]) / 10 > 0.97


@pytest.mark.parametrize(
    ("game", "counterfactuals", "architecture"),
    [
        ("two", False, "independent"),
        ("two", True, "multihead"),
        ("ring", False, "shared"),
        ("ring", False, "multihead"),
        ("ring", True, "independent"),
        ("ring", True, "shared"),
    ],
)
def test_suggestion_sharing_reaches_the_collective_optimum(
    game: str, counterfactuals: bool, architecture: Architecture
) -> None:
    config = replace(
        TOGETHER,
        architecture=architecture,
        counterfactuals=counterfactuals,
        exchange=ExchangeConfig(protocol="graph"),
    )
    training, rewards = trained(dilemma(game, counterfactuals=counterfactuals), config)
    assert sum(rewards[-10:]) / 10 > 0.85 * ALL_HELP
    assert set(training.channel.ledger.totals) == {"own_policy", "suggestion"}


@GAMES
@PATHS
def test_independent_learners_reach_the_selfish_outcome(game: str, counterfactuals: bool) -> None:
    config = replace(TOGETHER, algorithm="independent", counterfactuals=counterfactuals)
    training, rewards = trained(dilemma(game, counterfactuals=counterfactuals), config)
    assert sum(rewards[-10:]) / 10 < 0.05 * ALL_HELP
    assert training.channel.ledger.num_bytes() == 0


@GAMES
@PATHS
def test_centralised_learning_reaches_the_collective_optimum(
    game: str, counterfactuals: bool
) -> None:
    config = replace(TOGETHER, algorithm="centralised", counterfactuals=counterfactuals)
    training, rewards = trained(dilemma(game, counterfactuals=counterfactuals), config)
    assert sum(rewards[-10:]) / 10 > 0.95 * ALL_HELP
    kinds = {"reward"} if counterfactuals else {"observation", "reward"}
    assert set(training.channel.ledger.totals) == kinds


@GAMES
@pytest.mark.parametrize("architecture", ["independent", "multihead"])
@pytest.mark.parametrize(
    ("change", "kinds"),
    [
        ({"algorithm": "vs"}, {"advantage"}),
        ({"algorithm": "ps"}, {"policy_parameters"}),
        (
            {"algorithm": "vps", "vps_reward_model": True},
            {"critic_parameters", "reward_parameters"},
        ),
        ({"algorithm": "imr"}, set()),
        ({"algorithm": "reward_transfer"}, {"reward"}),
        ({"algorithm": "svo", "svo_weight": 2.0}, {"reward"}),
    ],
    ids=["vs", "ps", "vps with a reward model", "imr", "reward transfer", "svo"],
)
def test_so_do_the_other_algorithms(
    game: str, architecture: Architecture, change: dict[str, Any], kinds: set[str]
) -> None:
    config = replace(
        TOGETHER, architecture=architecture, exchange=ExchangeConfig(protocol="graph"), **change
    )
    training, rewards = trained(dilemma(game, counterfactuals=False), config)
    assert sum(rewards[-10:]) / 10 > 0.8 * ALL_HELP
    assert set(training.channel.ledger.totals) == kinds


@pytest.mark.parametrize(
    ("self_interest", "reached"),
    [(0.25, 1.0), (0.5, 1.0), (0.95, 0.0), (1.0, 0.0)],  # help where s · 0.2 < (1 - s) · 1
)
def test_agents_give_to_a_public_good_where_they_give_away_enough_of_their_rewards(
    self_interest: float, reached: float
) -> None:
    public_good = HelpingGame(~torch.eye(4, dtype=torch.bool), num_envs=32)
    config = replace(TOGETHER, algorithm="reward_transfer", self_interest=self_interest)
    _, rewards = trained(public_good, config)
    optimum = 3 * HELP_GAIN - HELP_COST
    assert sum(rewards[-10:]) / 10 == pytest.approx(reached * optimum, abs=0.05 * optimum)


@pytest.mark.parametrize(("angle", "reached"), [(0.0, 0.0), (90.0, 1.0), (-90.0, 0.0)])
def test_who_cares_for_others_helps_and_who_cares_for_oneself_does_not(
    angle: float, reached: float
) -> None:
    config = replace(TOGETHER, algorithm="svo", svo_angle=angle)
    _, rewards = trained(mutual_help(num_envs=32), config)
    assert sum(rewards[-10:]) / 10 == pytest.approx(reached * ALL_HELP, abs=0.1 * ALL_HELP)


def test_a_bonus_below_the_cost_of_helping_leaves_agents_selfish() -> None:
    config = replace(TOGETHER, algorithm="imr", imr_bonus=0.5 * HELP_COST)
    _, rewards = trained(mutual_help(num_envs=32), config)
    assert sum(rewards[-10:]) / 10 < 0.05 * ALL_HELP


def test_common_critics_value_what_others_gain_later_not_what_they_gain_at_once() -> None:
    config = replace(TOGETHER, algorithm="vps", gae_lambda=0.0, gamma=0.9)
    _, later = trained(LaterHelp(num_envs=32), config)
    assert sum(later[-10:]) / 10 > 0.8 * ALL_HELP
    _, own_values = trained(LaterHelp(num_envs=32), replace(config, algorithm="independent"))
    _, at_once = trained(mutual_help(num_envs=32), config)
    assert max(sum(own_values[-10:]), sum(at_once[-10:])) / 10 < 0.05 * ALL_HELP


@pytest.mark.parametrize("algorithm", ["vs", "ps"])
@pytest.mark.parametrize(
    "exchange",
    [
        ExchangeConfig(every=2),
        ExchangeConfig(protocol="random", num_neighbours=2),
    ],
    ids=["every other update", "random neighbours"],
)
def test_with_less_exchange_they_still_reach_it(algorithm: str, exchange: ExchangeConfig) -> None:
    config = replace(
        TOGETHER, algorithm=algorithm, num_updates=80, exchange=exchange, architecture="multihead"
    )
    _, rewards = trained(HelpingGame(~torch.eye(4, dtype=torch.bool), num_envs=32), config)
    assert sum(rewards[-10:]) / 10 > 0.8 * (3 * HELP_GAIN - HELP_COST)


def test_exchanging_at_every_other_update_still_reaches_it() -> None:
    config = replace(TOGETHER, num_updates=60, exchange=ExchangeConfig(every=2))
    training, rewards = trained(mutual_help(num_envs=32), config)
    assert sum(rewards[-10:]) / 10 > 0.8 * ALL_HELP
    rows = training.channel.ledger.take_rows()
    assert {row.update for row in rows} == set(range(0, 60, 2))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("regime", ["paper", "gradient", "norm"])
@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_every_algorithm_runs_under_every_regime_and_repeats_by_seed(
    algorithm: str, regime: Regime, order: str
) -> None:
    config = in_regime(
        replace(ALONE, algorithm=algorithm, agent_order=order, num_updates=2), regime
    )
    runs = [trained(ring_help(3, num_envs=4, horizon=2), config)[0] for _ in range(2)]
    first, again = (run.learner.actors.params for run in runs)
    assert all(torch.isfinite(w).all() for w in first.values())
    assert all(torch.equal(w, again[k]) for k, w in first.items())
    assert runs[0].metrics == runs[1].metrics


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("architecture", get_args(Architecture))
def test_every_algorithm_runs_with_every_architecture_that_can_hold_it(
    algorithm: str, architecture: Architecture
) -> None:
    def config() -> LearnerConfig:
        return replace(ALONE, algorithm=algorithm, architecture=architecture, num_updates=2)

    if algorithm == "ps" and architecture in ("shared", "tilted", "table"):
        with pytest.raises(ValueError, match="no copies of others' policies"):
            config()
        return
    if algorithm == "ss" and architecture == "table":
        with pytest.raises(ValueError, match="has no suggestion networks"):
            config()
        return
    training, _ = trained(ring_help(3, num_envs=4, horizon=2), config())
    fresh = build_learner(config(), training.env.spec, seed=0)
    for now, before in (
        (training.learner.actors.params, fresh.actors.params),
        (training.learner.critics.params, fresh.critics.params),
    ):
        assert all(torch.isfinite(w).all() for w in now.values())
        assert any(not torch.equal(w, before[k]) for k, w in now.items())
