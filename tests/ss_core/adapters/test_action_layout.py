"""Actions of somebody's own game: masks, what the environment is given, and what is refused."""

from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

from ss_core.adapters.action_layout import ActionLayout, action_layout, squashed
from ss_core.adapters.pettingzoo import ParallelFromVector, VectorFromParallel
from ss_core.errors import ConfigError
from ss_core.testing import check_env
from tests.support.own_games import Contributions, Pledges

CHOICES = spaces.MultiDiscrete([3, 2], start=[0, 5])
SWITCHES = spaces.MultiBinary((2, 2))


def layout(**named: spaces.Space) -> ActionLayout:
    return action_layout("game_v0", named)


def test_unlike_choices_are_padded_by_what_is_masked() -> None:
    found = layout(a=CHOICES, b=SWITCHES, c=spaces.Discrete(4, start=1))
    assert found.parts == (4, 2, 2, 2)
    a, b, c = (found.legal(n).astype(int).tolist() for n in range(3))
    assert a == [1, 1, 1, 0, 1, 1, 1, 0, 1, 0]
    assert b == [1, 1, 0, 0, 1, 1, 1, 1, 1, 1]
    assert c == [1, 1, 1, 1, 1, 0, 1, 0, 1, 0]
    assert found.native(0, "a", [2, 1, 0, 0]).tolist() == [2, 6]
    assert found.native(1, "b", [1, 0, 1, 1]).tolist() == [[1, 0], [1, 1]]
    assert found.native(2, "c", [3, 0, 0, 0]) == 4
    assert all(
        space.contains(found.native(n, n, [1, 1, 0, 0])) for n, space in enumerate(found.spaces)
    )


def test_masks_are_taken_choice_by_choice_or_side_by_side() -> None:
    found = layout(a=CHOICES)
    expected = [True, False, True, False, True]
    tuple_of_masks = (np.array([1, 0, 1], np.int8), np.array([0, 1], np.int8))
    for given in (tuple_of_masks, np.array([1, 0, 1, 0, 1])):
        assert found.masked(0, "a", {}, {"action_mask": given}).tolist() == expected
        assert found.masked(0, "a", {"action_mask": given}, {}).tolist() == expected
    assert found.masked(0, "a", {}, {}).all()


@pytest.mark.parametrize("given", [np.ones(4), (np.ones(3), np.zeros(2)), "all"])
def test_a_mask_that_does_not_fit_is_refused(given: Any) -> None:
    with pytest.raises(ConfigError, match=r"mask of 'a' is .*; it needs 3 and 2 entries"):
        layout(a=CHOICES).masked(0, "a", {}, {"action_mask": given})


def test_numbers_are_squashed_into_their_bounds() -> None:
    inf = np.inf
    space = spaces.Box(np.array([-2, 0, -inf, -inf]), np.array([4, inf, 1, inf]), dtype=np.float64)
    at_0 = squashed(space, np.zeros(4))
    np.testing.assert_allclose(at_0, [1.0, np.log(2), 1 - np.log(2), 0.0])
    for far in (-50.0, 50.0):
        assert space.contains(squashed(space, np.full(4, far)))
    single = spaces.Box(0, 1, (2, 1), np.float32)
    assert squashed(single, np.array([9.0, -9.0, 3.0])).shape == (2, 1)
    assert single.contains(squashed(single, np.array([40.0, -40.0, 3.0])))


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"a": spaces.Box(0, 5, (1,), np.int64)}, "action space of 'a' is Box.*; use Discrete"),
        ({"a": spaces.Text(3)}, "use Discrete, MultiDiscrete, MultiBinary, or a Box of floats"),
        ({"a": spaces.Discrete(2), "b": spaces.Box(0, 1)}, "'b' acts by real numbers .* and 'a'"),
    ],
)
def test_spaces_that_do_not_go_together_are_refused(
    named: dict[str, spaces.Space], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        action_layout("game_v0", named)


def test_numbers_take_no_mask() -> None:
    with pytest.raises(ConfigError, match="which no mask fits; leave it out"):
        layout(a=spaces.Box(0, 1)).masked(0, "a", {}, {"action_mask": np.ones(2)})


@pytest.mark.parametrize("game", [Contributions, Pledges])
def test_such_games_hold_together_as_worlds(game: type) -> None:
    check_env(VectorFromParallel(game, num_envs=2, horizon=4))
    with pytest.raises(ConfigError, match="Discrete actions alone"):
        ParallelFromVector(VectorFromParallel(game, num_envs=1), "game_v0")
