"""The strength of a dilemma, from welfare written by hand."""

import numpy as np
import pytest

from ss_core.experiments.strength import (
    conclude,
    condition,
    in_words,
    settings,
    shares_handed_over,
    strength_of,
)


def welfare(*means: float) -> dict[float, np.ndarray]:
    levels = shares_handed_over(4, len(means) - 1)
    return {
        share: mean + np.array([-0.01, 0.0, 0.01])
        for share, mean in zip(levels, means, strict=True)
    }


def test_levels_go_from_nothing_to_equal_sharing() -> None:
    assert shares_handed_over(4, 3) == (0.0, 0.25, 0.5, 0.75)
    assert settings(0.25)["learner.self_interest"] == 0.75


def test_they_cooperate_from_the_first_level_that_stays_near_equal_sharing() -> None:
    found = strength_of(welfare(0.0, 0.2, 0.95, 1.0))
    assert found.share == 0.5
    np.testing.assert_allclose(list(found.of_the_way.values()), [0.0, 0.2, 0.95, 1.0], atol=1e-9)
    assert "from 50 % of each reward handed over" in in_words(found)


def test_a_level_that_falls_back_does_not_count() -> None:
    assert strength_of(welfare(0.0, 0.95, 0.5, 1.0)).share == 0.75


@pytest.mark.parametrize("means", [(1.0, 1.0, 1.0), (1.0, 0.9, 0.8)])
def test_where_sharing_brings_nothing_there_is_no_dilemma(means: tuple[float, ...]) -> None:
    found = strength_of(welfare(*means))
    assert found.share is None
    assert found.of_the_way == {}
    assert "no dilemma for these learners" in in_words(found)


def test_the_table_has_a_row_per_level() -> None:
    shares, seeds = shares_handed_over(2, 2), (100, 101)
    results = {
        (condition(share), seed): {"welfare": share + 0.001 * seed}
        for share in shares
        for seed in seeds
    }
    result = conclude("a game", shares, seeds, results)
    (rows,) = result["tables"].values()
    assert [row["handed_over_percent"] for row in rows] == [0.0, 25.0, 50.0]
    assert [row["of_the_way_percent"] for row in rows] == [0, 50, 100]
    assert result["strength"] == 0.5
