"""Relative entropy as the anchor: maximisers in closed form, and mirror descent on the sum."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ss_core.objective.mirror import (
    LOWEST_LOG_PROB,
    MOST_PULL,
    geometric_suggestions,
    mirror_gain,
    mirror_step,
    pull_of,
)
from ss_core.objective.objective import ObjectiveWeights, ReceivedView

WEIGHTS = ObjectiveWeights(rho=0.5, rho_follow=0.5, anchor="kl")
numbers = st.floats(-3, 3)
threes = st.lists(numbers, min_size=3, max_size=3)


def log_of(*chances: float) -> torch.Tensor:
    return torch.tensor(chances).log()


def relative_entropy(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    return torch.special.xlogy(p, p / q).sum(-1)


def suggested(shared: torch.Tensor, advantages: list[float], rho: float) -> torch.Tensor:
    """To one neighbour, with κ = 1."""
    gains = torch.tensor(advantages).reshape(1, 1, 1, -1)
    found = geometric_suggestions(shared.reshape(1, 1, 1, -1), gains, torch.ones(1), rho)
    return found.flatten().exp()


def test_a_suggestion_worked_by_hand() -> None:
    # 1/2 · e^(ln 3) : 1/2 = 3 : 1
    found = suggested(log_of(0.5, 0.5), [0.5 * math.log(3.0), 0.0], rho=0.5)
    torch.testing.assert_close(found, torch.tensor([0.75, 0.25]))


def test_what_is_illegal_for_the_receiver_is_not_suggested() -> None:
    shared = torch.tensor([math.log(0.5), -1e9, math.log(0.5)])
    torch.testing.assert_close(
        suggested(shared, [0.0, 99.0, 0.0], 1.0), torch.tensor([0.5, 0.0, 0.5])
    )


@given(threes, threes)
def test_no_other_distribution_is_worth_more(logits: list[float], gains: list[float]) -> None:
    shared, advantages = torch.tensor(logits).softmax(0), torch.tensor(gains)

    def worth(q: torch.Tensor) -> torch.Tensor:
        return (q * advantages).sum(-1) - 0.7 * relative_entropy(q, shared)

    best = worth(suggested(shared.log(), gains, 0.7))
    others = torch.distributions.Dirichlet(torch.ones(3)).sample((200,))
    assert best >= worth(others).max() - 1e-5


@given(threes, threes)
def test_the_squared_distance_is_at_most_twice_the_relative_entropy(
    logits: list[float], gains: list[float]
) -> None:
    shared = torch.tensor(logits).softmax(0)
    found = suggested(shared.log(), gains, 0.7)
    # Pinsker: (Σ|p - q|)² <= 2 KL, and Σ(p - q)² <= (Σ|p - q|)²
    assert (found - shared).square().sum() <= 2.0 * relative_entropy(found, shared) + 1e-6


def received_from(suggestions: torch.Tensor, weight: torch.Tensor | None = None) -> ReceivedView:
    """`suggestions` [B, N, M, A]."""
    return ReceivedView(
        suggestions=suggestions, valid=torch.ones(suggestions.shape[:3]), weight=weight
    )


def test_with_one_unit_for_all_a_step_is_mirror_descent_on_the_sum() -> None:
    generator = torch.Generator().manual_seed(0)
    gains = 0.3 * torch.randn((4, 3), generator=generator)  # of agent j's actions, for each of four
    old = torch.randn((1, 1, 3), generator=generator).log_softmax(-1)
    shared = old.unsqueeze(2).expand(1, 1, 3, 3)
    factors = [
        geometric_suggestions(shared[:, :, :1], gains[i].reshape(1, 1, 1, 3), torch.ones(1), 0.5)
        for i in (1, 2, 3)
    ]
    pull = pull_of(
        gains[:1].unsqueeze(0),
        old,
        received_from(torch.cat(factors, dim=2)),
        torch.ones(1),
        WEIGHTS,
    )
    expected = (old + gains.sum(dim=0) / 0.5).log_softmax(-1)
    torch.testing.assert_close(mirror_step(old, pull), expected)


def test_the_step_maximises_its_gain() -> None:
    old, pull = log_of(0.2, 0.3, 0.5).reshape(1, 1, 3), torch.tensor([[[1.0, -0.5, 0.2]]])
    for ent_coef in (0.0, 0.4):
        best = mirror_step(old, pull, ent_coef)
        others = torch.distributions.Dirichlet(torch.ones(3)).sample((300, 1)).clamp_min(1e-6).log()
        reached = mirror_gain(best, old, pull, ent_coef)
        many = (others, old.expand_as(others), pull.expand_as(others))
        assert reached >= mirror_gain(*many, ent_coef).max() - 1e-6


def test_weights_and_shares_count_senders() -> None:
    old = log_of(0.5, 0.5).reshape(1, 1, 2)
    suggestions = log_of(0.8, 0.2).reshape(1, 1, 1, 2).expand(1, 1, 2, 2)
    nothing = torch.zeros((1, 1, 2))
    both = pull_of(nothing, old, received_from(suggestions), torch.ones(1), WEIGHTS)
    one = received_from(suggestions, torch.tensor([[1.0, 0.0]]))
    half = pull_of(nothing, old, one, torch.ones(1), WEIGHTS)
    torch.testing.assert_close(both, 2.0 * half)
    for_many = pull_of(nothing, old, one, torch.ones(1), WEIGHTS, follow_scale=3.0)
    torch.testing.assert_close(for_many, 3.0 * half)


def test_absurd_suggestions_stay_finite_and_actions_may_come_back() -> None:
    old = log_of(0.5, 0.5).reshape(1, 1, 2)
    absurd = torch.tensor([0.0, -1e4]).reshape(1, 1, 1, 2)
    pull = pull_of(torch.zeros((1, 1, 2)), old, received_from(absurd), torch.ones(1), WEIGHTS)
    assert float(pull.abs().max()) == MOST_PULL
    after = mirror_step(old, pull)
    assert torch.isfinite(after).all()
    assert after.min() == pytest.approx(LOWEST_LOG_PROB, abs=1e-3)
    masked = torch.tensor([[[0.0, -1e9]]])
    assert mirror_step(masked, torch.ones((1, 1, 2))).exp().tolist() == [[[1.0, 0.0]]]
