"""What lies cost and what trust saves, worked by hand on made-up welfare."""

import numpy as np
import pytest

from ss_core.experiments.trust import (
    ALONE,
    Condition,
    conditions,
    gain,
    judge,
    premium,
    ratio,
)


def test_every_lie_is_tried_believed_and_with_trust_beside_silence() -> None:
    found = conditions("quick", ("grid",))
    assert len(found) == len(set(found)) == 14
    for each in found:
        if each.lie not in ("", ALONE, "silent"):
            assert Condition("grid", "silent", each.share, False) in found
            assert Condition("grid", each.lie, each.share, not each.trust) in found
    assert len({each.slug for each in conditions("full", ("grid", "traffic"))}) == 2 * 26


def test_shares_and_lies_that_are_named_are_the_only_ones() -> None:
    found = conditions("quick", ("grid",), shares=(0.2,), lies=("constant",))
    assert [each.slug for each in found] == [
        "grid-alone",
        "grid-honest",
        "grid-honest-trust",
        "grid-silent-20",
        "grid-constant-20",
        "grid-constant-20-trust",
    ]
    assert found[0].settings == {"algorithm": "independent"}


def test_a_verdict_worked_by_hand() -> None:
    seeds = np.array([0.0, 0.1, 0.2, 0.3])
    honest = Condition("grid", "", 0.0, False)
    welfare = {
        Condition("grid", ALONE, 0.0, False): 2.0 + seeds,
        honest: 10.0 + seeds,
        Condition("grid", "", 0.0, True): 9.9 + seeds,
        Condition("grid", "silent", 0.1, False): 9.0 + seeds,
        Condition("grid", "selfish", 0.1, False): 4.0 + seeds,
        Condition("grid", "selfish", 0.1, True): 8.5 + seeds,
    }
    weights = dict.fromkeys(welfare, (0.1, 0.9))
    (verdict,) = judge(welfare, weights)
    assert verdict.silent.estimate == pytest.approx(1.0)
    assert verdict.believed.estimate == pytest.approx(6.0)
    assert verdict.trusted.estimate == pytest.approx(1.5)
    assert verdict.kept is not None
    assert verdict.kept.estimate == pytest.approx(0.25)
    assert verdict.kept_of_words is not None
    assert verdict.kept_of_words.estimate == pytest.approx(0.1)
    assert verdict.believed_of_gain is not None
    assert verdict.believed_of_gain.estimate == pytest.approx(0.75)
    assert verdict.trusted_of_gain is not None
    assert verdict.trusted_of_gain.estimate == pytest.approx(1.5 / 8.0)
    assert gain(welfare, "grid").estimate == pytest.approx(8.0)
    assert (verdict.weight_of_liars, verdict.weight_of_honest) == (0.1, 0.9)
    assert premium(welfare, "grid").estimate == pytest.approx(0.1)


def test_where_lies_cost_nothing_there_is_nothing_to_divide_by() -> None:
    noise = np.array([-1.0, 1.0, -0.5, 0.6, 0.1])
    assert ratio(noise, noise) is None
    one = ratio(np.ones(5), np.ones(5))
    assert one is not None
    assert (one.estimate, one.low, one.high) == (1.0, 1.0, 1.0)
