"""Eq. 17, Eq. 18 and κ by hand; episodes, environments and agents do not mix."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ss_core.objective.advantages import (
    KappaKind,
    discounted_returns,
    generalized_advantages,
    kappa,
)

NONE, FIRST, LAST = (False, False), (True, False), (False, True)

# rewards 1, 3 · values 1, 1 · values of successors 4, 4 · γ = λ = 1/2
ENDS = {
    "no end": (NONE, NONE, (2 + 0.25 * 4, 4.0), (1 + 0.5 * 5, 3 + 0.5 * 4)),
    "terminated": (FIRST, NONE, (0.0, 4.0), (1.0, 5.0)),  # nothing beyond the end
    "truncated": (NONE, FIRST, (2.0, 4.0), (1 + 0.5 * 4, 5.0)),  # bootstraps, does not accumulate
    "terminated last": (NONE, LAST, (3.0, 4.0), (3.5, 5.0)),  # a time limit is no end
    "ended last": (LAST, NONE, (2 + 0.25 * 2, 2.0), (1 + 0.5 * 3, 3.0)),
}


def column(*numbers: float) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1)


@pytest.mark.parametrize("case", ENDS)
def test_advantages_and_returns_match_the_hand_worked_case(case: str) -> None:
    terminated, truncated, advantages, returns = ENDS[case]
    ends = (torch.tensor(terminated)[:, None], torch.tensor(truncated)[:, None])
    rewards, values, following = column(1, 3), column(1, 1), column(4, 4)
    got = generalized_advantages(rewards, values, following, *ends, gamma=0.5, gae_lambda=0.5)
    assert got.flatten().tolist() == pytest.approx(advantages)
    got = discounted_returns(rewards, following, *ends, gamma=0.5)
    assert got.flatten().tolist() == pytest.approx(returns)


@given(seed=st.integers(0, 2**31), steps=st.integers(1, 6), gamma=st.floats(0.0, 1.0))
def test_with_lambda_one_advantages_are_returns_less_values(
    seed: int, steps: int, gamma: float
) -> None:
    draw = torch.Generator().manual_seed(seed)
    values = torch.randn((steps + 1, 2, 3), generator=draw, dtype=torch.float64)
    rewards = torch.randn((steps, 2, 3), generator=draw, dtype=torch.float64)
    ends = torch.randint(0, 3, (steps, 2), generator=draw)
    terminated, truncated = ends == 1, ends == 2
    advantages = generalized_advantages(
        rewards, values[:-1], values[1:], terminated, truncated, gamma=gamma, gae_lambda=1.0
    )
    returns = discounted_returns(rewards, values[1:], terminated, truncated, gamma=gamma)
    torch.testing.assert_close(advantages, returns - values[:-1])


def test_environments_and_agents_do_not_mix() -> None:
    draw = torch.Generator().manual_seed(0)
    rewards, values, following = (torch.randn((5, 3, 2), generator=draw) for _ in range(3))
    terminated = torch.rand((5, 3), generator=draw) < 0.3
    truncated = torch.rand((5, 3), generator=draw) < 0.3

    def judged(e: slice, n: slice) -> Tensor:
        return generalized_advantages(
            *(x[:, e, n] for x in (rewards, values, following)),
            *(x[:, e] for x in (terminated, truncated)),
            gamma=0.9,
            gae_lambda=0.8,
        )

    whole = judged(slice(None), slice(None))
    for e in range(3):
        for n in range(2):
            alone = judged(slice(e, e + 1), slice(n, n + 1))
            assert torch.equal(alone, whole[:, e : e + 1, n : n + 1])


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mean", [2.0, 1.0]), ("max", [3.0, 1.0]), ("ema", [2.0, 4.5]), ("one", [1.0, 1.0])],
)
def test_kappa_is_the_scale_its_kind_names(kind: KappaKind, expected: list[float]) -> None:
    advantages = torch.tensor([[-3.0, 1.0], [1.0, 100.0]])
    valid = torch.tensor([[True, True], [True, False]])  # the 100 is padding
    previous = torch.tensor([1.0, 5.0])
    assert kappa(advantages, valid, kind, previous, decay=0.9).tolist() == pytest.approx(expected)


def test_kappa_of_an_agent_without_decisions_is_zero() -> None:
    nothing = torch.zeros((2, 1), dtype=torch.bool)
    assert kappa(torch.ones(2, 1), nothing, "mean", torch.zeros(1)).tolist() == [0.0]
