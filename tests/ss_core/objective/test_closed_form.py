"""Suggestions in closed form: projections worked by hand, and no better suggestion anywhere."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ss_core.learning.learner import LearnerConfig
from ss_core.objective.closed_form import best_suggestions, project_on_simplex
from ss_core.objective.objective import ObjectiveWeights

LEGAL = torch.ones(3, dtype=torch.bool)


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),  # a distribution stays
        ([0.5, 0.6, 0.2], [0.4, 0.5, 0.1]),  # 0.3 too much, taken from all alike
        ([2.0, 0.1, 0.1], [1.0, 0.0, 0.0]),  # a corner
        ([0.9, 0.5, -5.0], [0.7, 0.3, 0.0]),  # an edge
    ],
)
def test_the_nearest_distribution_worked_by_hand(point: list[float], nearest: list[float]) -> None:
    found = project_on_simplex(torch.tensor(point), LEGAL)
    torch.testing.assert_close(found, torch.tensor(nearest))


def test_illegal_actions_get_nothing() -> None:
    legal = torch.tensor([True, False, True])
    found = project_on_simplex(torch.tensor([0.3, 9.0, 0.3]), legal)
    torch.testing.assert_close(found, torch.tensor([0.5, 0.0, 0.5]))


def test_the_shift_is_the_advantage_over_two_kappa_rho() -> None:
    shared = torch.tensor([0.5, 0.5]).log().reshape(1, 1, 1, 2)
    advantages = torch.tensor([0.4, 0.0]).reshape(1, 1, 1, 2)
    # (0.5 + 0.4 / (2 · 2 · 1), 0.5) = (0.6, 0.5), of which the nearest distribution is (0.55, 0.45)
    found = best_suggestions(shared, advantages, torch.tensor([2.0]), 1.0).exp()
    torch.testing.assert_close(found.flatten(), torch.tensor([0.55, 0.45]))


def test_what_is_illegal_for_the_receiver_is_not_suggested() -> None:
    shared = torch.tensor([math.log(0.5), -1e9, math.log(0.5)]).reshape(1, 1, 1, 3)
    advantages = torch.tensor([0.0, 5.0, 0.0]).reshape(1, 1, 1, 3)
    found = best_suggestions(shared, advantages, torch.tensor([1.0]), 1.0).exp().flatten()
    torch.testing.assert_close(found, torch.tensor([0.5, 0.0, 0.5]))


numbers = st.floats(-3, 3)


@given(st.lists(numbers, min_size=3, max_size=3), st.lists(numbers, min_size=3, max_size=3))
def test_no_other_distribution_does_better(logits: list[float], gains: list[float]) -> None:
    own, advantages = torch.tensor(logits).softmax(0), torch.tensor(gains)

    def worth(q: torch.Tensor) -> torch.Tensor:
        return (q * advantages).sum(-1) - 0.7 * (q - own).square().sum(-1)

    shape = (1, 1, 1, 3)
    found = best_suggestions(
        own.log().reshape(shape), advantages.reshape(shape), torch.tensor([1.0]), 0.7
    )
    others = torch.distributions.Dirichlet(torch.ones(3)).sample((500,))
    assert worth(found.exp().flatten()) >= worth(others).max() - 1e-5


def test_the_closed_form_is_refused_where_it_is_not_the_answer() -> None:
    weights = ObjectiveWeights(rho=1.0, surrogate="product")
    with pytest.raises(ValueError, match="suggestions='best'"):
        LearnerConfig(suggestions="best", credit="model", architecture="shared", objective=weights)
