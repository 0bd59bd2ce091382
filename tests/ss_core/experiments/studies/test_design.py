"""Points of a study: axes from files, every combination, pairs, Latin hypercubes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import ConfigError
from ss_core.experiments.studies.design import (
    axis_of,
    column_names,
    count_points,
    points_of,
    seeds_in,
)

SHARE = axis_of("population.share", {"from": 0.0, "to": 1.0, "steps": 5})
COUNT = axis_of("count", {"from": 1, "to": 100, "steps": 3, "log": True})
NAME = axis_of("name", ["a", "b", "c"])


def test_a_range_has_its_ends_and_equal_steps() -> None:
    assert SHARE.values == (0.0, 0.25, 0.5, 0.75, 1.0)
    assert COUNT.values == (1, 10, 100)


def test_a_grid_is_every_combination_and_pairs_go_side_by_side() -> None:
    axes = [NAME, COUNT]
    grid = points_of(axes, "grid", 0, 0)
    assert len(grid) == count_points(axes, "grid", 0) == 9
    assert grid[1] == {"name": "a", "count": 10}
    assert points_of(axes, "paired", 0, 0) == [
        {"name": "a", "count": 1},
        {"name": "b", "count": 10},
        {"name": "c", "count": 100},
    ]


def test_pairs_of_unlike_length_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"population.share has 5, name has 3"):
        count_points([SHARE, NAME], "paired", 0)


@given(samples=st.integers(1, 40), seed=st.integers(0, 10**6))
def test_a_latin_hypercube_meets_each_part_of_each_axis_once(samples: int, seed: int) -> None:
    points = points_of([SHARE, axis_of("x", {"from": -1.0, "to": 3.0})], "latin-hypercube",
                       samples, seed)  # fmt: skip
    for key, low, width in (("population.share", 0.0, 1.0), ("x", -1.0, 4.0)):
        parts = sorted(
            min(samples - 1, int((point[key] - low) / width * samples + 1e-4)) for point in points
        )
        assert parts == list(range(samples))


def test_the_same_seed_gives_the_same_hypercube() -> None:
    axes = [SHARE, NAME, COUNT]
    assert points_of(axes, "latin-hypercube", 7, 3) == points_of(axes, "latin-hypercube", 7, 3)
    assert points_of(axes, "latin-hypercube", 7, 3) != points_of(axes, "latin-hypercube", 7, 4)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (3, "an axis has several values"),
        ([], "empty grid"),
        ([1, 2, 1], "1 stands there twice"),
        ({"from": 1, "to": 1}, "from below to"),
        ({"from": 0.0, "to": "x"}, "from below to"),
        ({"from": 0.0, "to": 1.0, "stops": 3}, "a range is"),
        ({"from": 0.0, "to": 1.0, "steps": 1}, "steps = 1"),
        ({"from": 0.0, "to": 1.0, "log": True}, "needs from above 0"),
    ],
)
def test_what_is_no_axis_is_refused_by_name(values: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=r"\[axes\] learner.rho") as refusal:
        axis_of("learner.rho", values)
    assert words in str(refusal.value)


def test_columns_have_the_ends_of_keys_where_these_are_their_own() -> None:
    axes = [axis_of(key, [1, 2]) for key in ("a.x", "b.x", "c.y", "d.seed")]
    names = column_names(axes, ("seed",))
    assert list(names.values()) == ["a_x", "b_x", "y", "d_seed"]
    assert column_names([axis_of("algorithm", ["ss", "vps"])], ("algorithm",)) == {
        "algorithm": "axis_algorithm"
    }


def test_seeds_are_a_count_or_a_list() -> None:
    assert seeds_in(3, 5, 10) == (0, 1, 2)
    assert seeds_in([4, 2], 5, 10) == (4, 2)
    for wrong in (0, 11, [], [1, 1], [-1], "3", 1.5, True):
        with pytest.raises(ConfigError, match=r"\[study\] seeds"):
            seeds_in(wrong, 5, 10)
