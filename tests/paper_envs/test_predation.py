"""Cooperative Predation: numbers worked by hand, and what holds whatever happens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paper_envs.predation import (
    PredationEnv,
    approaches,
    moved,
    observed,
    payoffs,
    within_radius,
)
from ss_core.errors import ConfigError


@pytest.mark.parametrize(
    ("cooperates", "expected"),
    [
        ([True, True], [-1, -1]),
        ([False, False], [-3, -3]),
        ([True, False], [-4, 0]),
        ([True] * 8, [-1] * 8),
        ([False] * 8, [-15] * 8),
        ([True] + [False] * 7, [-16] + [0] * 7),
    ],
)
def test_payoffs_are_those_of_the_paper(cooperates: list[bool], expected: list[int]) -> None:
    assert payoffs(torch.tensor([cooperates]))[0].tolist() == expected


@given(st.lists(st.booleans(), min_size=2, max_size=12))
def test_defecting_always_pays_the_one_who_does_it(cooperates: list[bool]) -> None:
    helping, keeping = [True, *cooperates[1:]], [False, *cooperates[1:]]
    earned = payoffs(torch.tensor([helping, keeping]))[:, 0]
    assert earned[1] > earned[0]


def test_approaching_is_a_matter_of_direction_before_the_move() -> None:
    positions, prey = torch.tensor([[10.0, 10.4, 11.0]]), torch.tensor([10.2])
    right, left = torch.ones(1, 3, dtype=torch.long), torch.zeros(1, 3, dtype=torch.long)
    assert approaches(positions, prey, right).tolist() == [[True, False, False]]
    assert approaches(positions, prey, left).tolist() == [[False, True, True]]
    on_prey = torch.full((1, 3), 10.2)
    assert approaches(on_prey, prey, left).all()
    assert approaches(on_prey, prey, right).all()


def test_predators_move_by_one_and_stay_on_the_line() -> None:
    after = moved(torch.tensor([[0.4, 29.5, 7.0]]), torch.tensor([[0, 1, 1]]))
    assert after.tolist() == [[0.0, 30.0, 8.0]]


def test_neighbours_are_within_three_units_and_never_oneself() -> None:
    near = within_radius(torch.tensor([[0.0, 3.0, 6.5]]))[0].int().tolist()
    assert near == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_everybody_sees_the_state_of_all() -> None:
    seen = observed(torch.tensor([[3.0, 15.0]]), torch.tensor([9.0]), "state")
    assert seen.tolist() == [[[-6.0, 6.0], [-6.0, 6.0]]]
    sign = observed(torch.tensor([[3.0, 15.0]]), torch.tensor([9.0]), "sign")
    assert sign[0, 1].tolist() == pytest.approx([-0.2, 0.2, -1.0, 1.0])


def test_an_episode_has_thirty_steps_ends_truly_and_repeats_by_seed() -> None:
    first, second = PredationEnv(3, num_agents=4), PredationEnv(3, num_agents=4)
    one, other = first.reset(5), second.reset(5)
    assert torch.equal(one.observations, other.observations)
    draw = torch.Generator().manual_seed(1)
    for t in range(30):
        actions = torch.randint(0, 2, (3, 4), generator=draw)
        one, other = first.step(actions), second.step(actions)
        assert torch.equal(one.rewards, other.rewards)
        assert one.cooperative is not None
        assert torch.equal(one.rewards, payoffs(one.cooperative))
        assert bool(one.terminated.all()) == (t == 29)
        assert not one.truncated.any()
    assert not torch.equal(one.observations, one.next_observations)  # a new episode is shown
    assert torch.equal(one.observations, other.observations)


def test_an_encoding_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"encoding='foo': choose"):
        PredationEnv(1, encoding="foo")
