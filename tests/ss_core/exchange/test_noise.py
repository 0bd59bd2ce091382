"""Noise on what is sent: sensitivity, what comes out, and ε against an independent accountant."""

import json
import math
from itertools import combinations
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from paper_envs.predation import PredationEnv
from ss_core.algorithms.build import build_learner
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.noise import clipped_logits, delta_of, epsilon_of, noised
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.learning.presets import in_regime
from ss_core.objective.action_families import well_formed
from ss_core.training.loop import Training

GOLDEN = Path(__file__).parents[2] / "data" / "dp_accounting" / "epsilon.json"
LEGAL = torch.tensor([[True, True, True, False]])


def test_epsilon_is_that_of_dp_accounting() -> None:
    cases = json.loads(GOLDEN.read_text())
    assert len(cases) == 22
    for case in cases:
        ours = epsilon_of(case["releases"], case["multiplier"], case["delta"])
        assert ours == pytest.approx(case["epsilon"], rel=1e-3), case


@given(st.integers(1, 10**6), st.floats(0.05, 500.0), st.floats(1e-10, 0.1))
def test_epsilon_is_where_delta_is_reached(releases: int, multiplier: float, delta: float) -> None:
    epsilon = epsilon_of(releases, multiplier, delta)
    mu = math.sqrt(releases) / multiplier
    if epsilon == 0.0:
        assert delta_of(0.0, mu) <= delta
    else:
        assert delta_of(epsilon, mu) == pytest.approx(delta, rel=1e-3, abs=1e-12)
    assert epsilon_of(releases + 1, multiplier, delta) >= epsilon
    assert epsilon_of(releases, multiplier * 1.1, delta) <= epsilon


def test_without_noise_there_is_no_bound_and_without_release_no_loss() -> None:
    assert epsilon_of(1, 0.0, 1e-5) == math.inf
    assert epsilon_of(0, 1.0, 1e-5) == 0.0
    for delta in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match="between 0 and 1"):
            epsilon_of(1, 1.0, delta)


def any_policy(seed: int) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    scores = 30 * torch.randn((1, 4), generator=draw)
    return torch.log_softmax(scores.masked_fill(~LEGAL, -1e9), dim=-1)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0.1, 10.0))
def test_no_two_policies_differ_by_more_than_twice_the_radius(
    first: int, second: int, radius: float
) -> None:
    one, other = (clipped_logits(any_policy(seed), LEGAL, radius) for seed in (first, second))
    assert float((one - other).norm()) <= 2 * radius * (1 + 1e-5)
    assert float(one[0, 3]) == 0.0
    assert abs(float(one.sum())) < 1e-3 * radius


def test_what_is_released_is_a_distribution_with_noise_of_the_stated_size() -> None:
    policy = torch.tensor([[0.2, 0.3, 0.5, 0.0]]).log().clamp_min(-1e9).expand(20_000, 4)
    legal, draw = LEGAL.expand(20_000, 4), torch.Generator().manual_seed(0)
    released = noised(policy, legal, radius=2.0, multiplier=0.1, generator=draw)
    assert bool(well_formed(released, legal).all())
    between = released[:, 0] - released[:, 1]  # the normaliser falls out
    assert float(between.mean()) == pytest.approx(math.log(0.2 / 0.3), abs=0.01)
    assert float(between.std()) == pytest.approx(math.sqrt(2) * 2 * 2.0 * 0.1, rel=0.03)


def trained(updates: int, order: str = "simultaneous", noise: float = 0.5) -> Training:
    env = PredationEnv(2, num_agents=3)
    config = in_regime(
        LearnerConfig(
            architecture="multihead",
            hidden=(8,),
            critic_hidden=(8,),
            num_envs=2,
            agent_order=order,  # type: ignore[arg-type]
            exchange=ExchangeConfig(noise=noise),
        ),
        "gradient",
    )
    training = Training(build_learner(config, env.spec, 0), env, Channel(config.exchange, 3, 0), 0)
    for _ in range(updates):
        training.advance()
    return training


def test_every_distribution_told_counts() -> None:
    training = trained(2)
    decisions, passes = 30 * 2, training.learner.config.num_epochs
    each = 2 * passes * decisions * (1 + 2)  # own policy, and a suggestion for both others
    assert training.channel.ledger.releases.tolist() == [each] * 3
    privacy = training.channel.privacy()
    assert privacy is not None
    assert privacy["releases"] == each
    assert privacy["epsilon"] == epsilon_of(each, 0.5, 1e-5)
    assert trained(1, noise=0.0).channel.privacy() is None


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_a_run_that_is_continued_hears_the_same_noise(order: str) -> None:
    straight = trained(3, order)
    halfway = trained(2, order)
    state = halfway.channel.ledger.state()
    halfway.channel = Channel(halfway.channel.config, 3, 0)
    halfway.channel.ledger.restore(state)
    halfway.advance()
    for name, tensor in learner_tensors(straight.learner).items():
        assert torch.equal(tensor, learner_tensors(halfway.learner)[name]), name
    assert halfway.channel.privacy() == straight.channel.privacy()


def test_trials_of_a_pilot_and_the_training_have_noise_of_their_own() -> None:
    policies, everywhere = torch.full((2, 3, 4), 0.25).log(), torch.ones(2, 3, 4, dtype=torch.bool)
    released: list[Tensor] = []
    for trial in (0, 1, 2):
        channel = Channel(ExchangeConfig(noise=1.0), 3, seed=0)
        channel.trial = trial
        released.append(channel.released(policies, everywhere, everywhere[..., 0], update=5))
    assert not any(torch.equal(a, b) for a, b in combinations(released, 2))
