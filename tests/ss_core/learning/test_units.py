"""What advantages are measured in: own spreads, or one unit that is the same for all."""

from dataclasses import replace

import pytest
import torch

from ss_core.algorithms.build import build_learner
from ss_core.exchange.channel import Channel
from ss_core.learning.action_advantages import scaled_advantages
from ss_core.learning.decisions import all_decisions
from ss_core.learning.learner import AdvantageScale, Learner, LearnerConfig
from ss_core.learning.presets import REGIMES
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.objective.advantages import KappaKind
from ss_core.training.loop import Training
from tests.support.probe_envs import UnequalStakes, mutual_help

CONFIG = LearnerConfig(
    architecture="shared",
    hidden=(8,),
    critic_hidden=(8,),
    zero_logits=True,
    num_envs=256,
    num_updates=40,
    actor_lr=0.01,
    suggestion_lr=0.03,
    critic_lr=0.02,
    objective=replace(REGIMES["gradient"], rho=1.0, rho_follow=1.0),
)


def collected(config: LearnerConfig) -> tuple[Learner, Rollout]:
    env = mutual_help(num_envs=8)
    learner = build_learner(config, env.spec, 0)
    return learner, collect_rollout(env, learner.actors, seed=0, generator=learner.generator)


@pytest.mark.parametrize(
    ("scale", "kappa", "unit", "takes"),
    [
        ("per_agent", "mean", 1.0, True),
        ("common", "common", 1.0, False),
        ("unit", "one", 10.0, False),
    ],
)
def test_agents_serve_the_sum_of_rewards_only_in_one_unit(
    scale: AdvantageScale, kappa: KappaKind, unit: float, takes: bool
) -> None:
    config = replace(CONFIG, advantage_scale=scale, kappa=kappa, advantage_unit=unit)
    training = Training.begin(config, UnequalStakes(num_envs=256), seed=0)
    for _ in range(40):
        training.advance()
    step = training.env.reset(1)
    own = training.learner.actors.own(step.observations, None).detach()
    chance = float(own[:, 0, 1].exp().mean())
    assert (chance > 0.8) if takes else (chance < 0.2)


def test_a_unit_divides_what_is_left_of_the_own_mean() -> None:
    learner, rollout = collected(replace(CONFIG, advantage_scale="unit", advantage_unit=4.0))
    advantages = rollout.rewards * 3.0
    scaled = scaled_advantages(learner, advantages, all_decisions(rollout))
    expected = (advantages - advantages.mean(dim=(0, 1))) / 4.0
    torch.testing.assert_close(scaled, expected)


def test_a_common_scale_is_the_mean_spread_and_is_a_message() -> None:
    config = replace(CONFIG, advantage_scale="common", exchange=replace(CONFIG.exchange, every=2))
    learner, rollout = collected(config)
    channel = Channel(config.exchange, 2, 0)
    advantages = rollout.rewards * torch.tensor([1.0, 5.0])
    decisions = all_decisions(rollout)
    scaled = scaled_advantages(learner, advantages, decisions, channel, 0)
    centred = advantages - advantages.mean(dim=(0, 1))
    spread = centred.square().mean(dim=(0, 1)).sqrt()
    torch.testing.assert_close(scaled, centred / spread.mean())
    assert channel.ledger.bytes_by_kind() == {"scale_total": 2 * 4}  # a float from each
    in_a_gap = scaled_advantages(learner, advantages * 7.0, decisions, channel, 1)
    torch.testing.assert_close(in_a_gap, 7.0 * centred / spread.mean())  # the scale known before
    assert channel.ledger.bytes_by_kind() == {"scale_total": 2 * 4}


def test_in_a_gap_before_any_exchange_everybody_goes_by_its_own_spread() -> None:
    config = replace(CONFIG, advantage_scale="common", exchange=replace(CONFIG.exchange, every=2))
    learner, rollout = collected(config)
    channel, advantages = Channel(config.exchange, 2, 0), rollout.rewards * 3.0
    scaled = scaled_advantages(learner, advantages, all_decisions(rollout), channel, 1)
    torch.testing.assert_close(scaled.square().mean(dim=(0, 1)).sqrt(), torch.ones(2))
    assert channel.ledger.bytes_by_kind() == {}


def test_who_is_alone_goes_by_its_own_spread() -> None:
    learner, rollout = collected(replace(CONFIG, advantage_scale="common"))
    advantages = rollout.rewards * torch.tensor([1.0, 5.0])
    for channel in (None, Channel(CONFIG.exchange, 2, 0).closed()):
        scaled = scaled_advantages(learner, advantages, all_decisions(rollout), channel, 0)
        spread = scaled.square().mean(dim=(0, 1)).sqrt()
        torch.testing.assert_close(spread, torch.ones(2))
