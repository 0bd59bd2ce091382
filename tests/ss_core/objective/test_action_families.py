"""Families of distributions: what torch and numerical integration say of them, and their bounds."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, kl_divergence
from torch.distributions import Normal as TorchNormal

from ss_core.env import EnvSpec
from ss_core.objective.action_families import Finite, Normal, Parts, family_of

OPTIONS = (3, 2, 4)
PARTS, NORMAL = Parts(OPTIONS), Normal(2)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some_policies(family: Parts | Normal, size: int, count: int = 5, seed: int = 0) -> Tensor:
    raw = torch.randn((count, size), generator=generator(seed))
    return family.normalised(raw, None)


def torch_normal(policies: Tensor) -> Independent:
    mean, log_std = policies.chunk(2, dim=-1)
    return Independent(TorchNormal(mean, log_std.exp()), 1)


def torch_parts(policies: Tensor) -> list[Categorical]:
    return [Categorical(logits=part) for part in policies.split(OPTIONS, dim=-1)]


def test_several_choices_have_the_log_probability_and_entropy_of_independent_ones() -> None:
    policies = some_policies(PARTS, sum(OPTIONS))
    actions = PARTS.sample(policies, generator(1))
    parts = torch_parts(policies)
    each = torch.stack([part.log_prob(actions[:, k]) for k, part in enumerate(parts)])
    torch.testing.assert_close(PARTS.at_taken(policies, actions), each.sum(dim=0))
    torch.testing.assert_close(PARTS.at_actions(policies, actions), each.sum(dim=0)[:, None])
    entropies = torch.stack([part.entropy() for part in parts]).sum(dim=0)
    torch.testing.assert_close(PARTS.entropy(policies), entropies)


def test_the_sum_of_total_variations_bounds_that_of_the_joint_distribution() -> None:
    p, q = (some_policies(PARTS, sum(OPTIONS), seed=seed) for seed in (2, 3))

    def joint(policies: Tensor) -> Tensor:
        a, b, c = (part.probs for part in torch_parts(policies))
        return (a[:, :, None, None] * b[:, None, :, None] * c[:, None, None, :]).flatten(1)

    exact = 0.5 * (joint(p) - joint(q)).abs().sum(dim=1)
    bound = PARTS.distance(p, q, "tv")
    assert bool((exact <= bound).all())
    assert bool((PARTS.distance(p, p, "tv") == 0).all())


def test_masked_options_are_never_chosen() -> None:
    mask = torch.tensor([[True, False, True, False, True, True, False, False, True]])
    policies = PARTS.normalised(torch.zeros(1, 9), mask).expand(200, -1)
    actions = PARTS.sample(policies, generator())
    assert set(actions[:, 0].tolist()) == {0, 2}
    assert set(actions[:, 1].tolist()) == {1}
    assert set(actions[:, 2].tolist()) == {0, 3}
    assert bool(PARTS.well_formed(policies, mask.expand(200, -1)).all())
    assert not bool(PARTS.well_formed(PARTS.normalised(torch.zeros(1, 9), None), mask))


def test_real_numbers_have_the_density_entropy_and_divergence_that_torch_gives() -> None:
    p, q = some_policies(NORMAL, 4, seed=4), some_policies(NORMAL, 4, seed=5)
    actions = NORMAL.sample(p, generator(1))
    torch.testing.assert_close(NORMAL.at_taken(p, actions), torch_normal(p).log_prob(actions))
    torch.testing.assert_close(NORMAL.entropy(p), torch_normal(p).entropy())
    expected = kl_divergence(torch_normal(p), torch_normal(q))
    torch.testing.assert_close(NORMAL.distance(p, q, "l2"), expected)


def test_both_distances_bound_the_total_variation_of_normal_distributions() -> None:
    family = Normal(1)
    p, q = (some_policies(family, 2, 50, seed=seed).double() for seed in (6, 7))
    x = torch.linspace(-60.0, 60.0, 100_001, dtype=torch.float64)[:, None, None]
    density_p, density_q = (torch_normal(each).log_prob(x).exp() for each in (p, q))
    width = float(x[1] - x[0])
    variation = 0.5 * (density_p - density_q).abs().sum(dim=0) * width
    overlap = (density_p * density_q).sqrt().sum(dim=0) * width
    hellinger = (2.0 * (1.0 - overlap)).sqrt()
    tv = family.distance(p, q, "tv")
    torch.testing.assert_close(tv, hellinger, atol=1e-5, rtol=0)
    assert bool((variation <= tv + 1e-4).all())
    assert bool((2.0 * variation.square() <= family.distance(p, q, "l2") + 1e-4).all())
    assert float(tv.max()) <= math.sqrt(2.0)


def test_deviations_stay_in_their_range_and_absurd_messages_are_refused() -> None:
    wild = NORMAL.normalised(torch.tensor([[0.0, 0.0, 90.0, -90.0]]), None)
    assert wild[0, 2:].tolist() == [2.0, -4.0]
    bad = torch.tensor([[0.0, math.nan, 0, 0], [0, 0, 0, 3.0], [1e9, 0, 0, 0], [1.0, 2.0, 0, -4]])
    found = NORMAL.well_formed(bad, torch.ones(4, 4, dtype=torch.bool))
    assert found.tolist() == [False, False, False, True]


@pytest.mark.parametrize("family", [PARTS, NORMAL])
def test_samples_are_distributed_as_the_policy_says(family: Parts | Normal) -> None:
    size = 9 if family is PARTS else 4
    policies = some_policies(family, size, 1).expand(40_000, -1)
    drawn = family.as_inputs(family.sample(policies, generator(3))).double().mean(dim=0)
    if family is PARTS:
        expected = policies[0].exp().double()
    else:
        grid = torch.randn((200_000, 2), generator=generator(4)) * policies[0, 2:].exp()
        expected = (grid + policies[0, :2]).tanh().double().mean(dim=0)
    torch.testing.assert_close(drawn, expected, atol=0.02, rtol=0)


def test_a_world_says_which_family_it_has() -> None:
    def spec(**kind: object) -> EnvSpec:
        return EnvSpec(
            num_envs=1,
            num_agents=2,
            num_actions=4,
            observation_size=1,
            horizon=1,
            agent_names=("a", "b"),
            **kind,  # type: ignore[arg-type]
        )

    assert family_of(spec()) == Finite(4)
    assert family_of(spec(action_parts=(2, 2))) == Parts((2, 2))
    assert family_of(spec(action_dimensions=2)) == Normal(2)
