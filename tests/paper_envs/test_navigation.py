"""Cooperative Navigation: numbers worked by hand, and what holds whatever happens."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from paper_envs.navigation import NavigationEnv, collides, moved, observed, payoffs
from ss_core.errors import ConfigError

STAY, UP, DOWN, LEFT, RIGHT = range(5)


def places(*cells: tuple[int, int]) -> torch.Tensor:
    return torch.tensor([cells])


def test_agents_move_one_cell_and_stay_on_the_board() -> None:
    start = places((0, 0), (4, 4), (2, 2), (2, 2), (2, 2))
    after = moved(start, torch.tensor([[UP, DOWN, LEFT, RIGHT, STAY]]))
    assert after[0].tolist() == [[0, 0], [4, 4], [2, 1], [2, 3], [2, 2]]


def test_who_shares_a_cell_collides_and_pays_one() -> None:
    at, landmarks = places((1, 1), (1, 1), (4, 0)), places((1, 1), (3, 2), (4, 1))
    assert collides(at).tolist() == [[True, True, False]]
    assert payoffs(at, landmarks).tolist() == [[-1.0, -4.0, -1.0]]


def test_agents_that_swap_cells_do_not_collide() -> None:
    after = moved(places((2, 2), (2, 3)), torch.tensor([[RIGHT, LEFT]]))
    assert not collides(after).any()


def test_everybody_sees_the_board_and_who_it_is() -> None:
    seen = observed(places((0, 4), (2, 0)), places((4, 4), (1, 0)), "places")
    board = [0, 1, 0.5, 0, 1, 1, 0.25, 0]
    assert seen[0].tolist() == [[*board, 1, 0], [*board, 0, 1]]


def test_the_relative_encoding_tells_ways_directions_and_the_others() -> None:
    seen = observed(places((0, 4), (2, 0)), places((4, 4), (1, 0)), "relative")
    own_way, other_apart, other_way, own_place = [1, 0], [0.5, -1], [-0.25, 0], [0, 1]
    assert seen[0, 0].tolist() == [*own_way, *other_apart, *other_way, *own_place, 1, 0]
    assert seen[0, 1].tolist() == [-0.25, 0, -0.5, 1, 1, 0, 0.5, 0, -1, 0]


@given(st.integers(0, 2**31 - 1), st.integers(1, 8))
def test_starts_and_landmarks_are_distinct_and_repeat_by_seed(seed: int, agents: int) -> None:
    env = NavigationEnv(4, num_agents=agents)
    first = env.reset(seed)
    assert not collides(env.places).any()
    assert not collides(env.landmarks).any()
    assert torch.equal(first.observations, env.reset(seed).observations)


def test_neighbours_are_a_chain_and_an_episode_has_a_hundred_steps() -> None:
    env = NavigationEnv(2)
    step = env.reset(0)
    assert step.neighbours is not None
    assert step.neighbours[1].int().tolist() == [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    ends = [bool(env.step(torch.zeros(2, 3, dtype=torch.long)).terminated[0]) for _ in range(100)]
    assert ends == [False] * 99 + [True]


def test_random_play_earns_what_the_board_says() -> None:
    env = NavigationEnv(400)
    env.reset(3)
    draw = torch.Generator().manual_seed(3)
    rewards = torch.stack(
        [env.step(torch.randint(0, 5, (400, 3), generator=draw)).rewards for _ in range(100)]
    )
    assert rewards.mean().item() == pytest.approx(-3.23, abs=0.08)  # 0.078 of it collisions


def test_an_encoding_that_there_is_not_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"encoding='foo': choose"):
        NavigationEnv(1, encoding="foo")
