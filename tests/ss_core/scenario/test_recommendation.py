"""What a run recommends: coordination only where it beats every way of going without."""

import numpy as np
import pytest

from ss_core.report.labels import Label
from ss_core.scenario.recommendation import recommendation

LABELS = {"by_rule": Label("by public rule", "selfish")}
DAYS = np.random.default_rng(0).normal(100.0, 10.0, 32)
NOISE = np.random.default_rng(1).normal(0.0, 1.0, 32)


def advised(ss: float, learned: float, by_rule: float):
    costs = {"ss": DAYS + NOISE + ss, "independent": DAYS + learned, "by_rule": DAYS + by_rule}
    return recommendation(costs, "ss", ("independent", "by_rule"), LABELS, "EUR")


def test_coordination_that_saves_against_both_is_recommended() -> None:
    found = advised(-5.0, 0.0, -1.0)
    assert found is not None
    assert found.row == "ss"
    assert found.is_coordinated
    assert found.against == "by_rule"  # the one that came closest
    assert "is recommended" in found.sentence
    assert found.adoption.gain.low > 0.0


def test_coordination_that_one_way_of_going_without_beats_is_not() -> None:
    found = advised(-5.0, 0.0, -9.0)
    assert found is not None
    assert found.row == "by_rule"
    assert not found.is_coordinated
    assert found.against == "by_rule"
    assert "not recommended" in found.sentence
    assert "Recommended instead: 'by public rule'" in found.sentence


def test_what_chance_could_explain_is_not_recommended() -> None:
    found = advised(-0.05, 0.0, 0.0)
    assert found is not None
    assert found.row != "ss"
    assert found.adoption.decision == "undecided"


def test_without_trial_days_nothing_is_said() -> None:
    assert recommendation({}, "ss", ("independent",), LABELS, "EUR") is None
    alone = {"independent": DAYS}
    assert recommendation(alone, "independent", ("independent",), LABELS, "EUR") is None


@pytest.mark.parametrize("seed", range(5))
def test_an_empty_gain_is_seldom_recommended(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = [
        recommendation(
            {"ss": rng.normal(size=32), "independent": rng.normal(size=32)},
            "ss", ("independent",), LABELS, "EUR",
        )
        for _ in range(100)
    ]  # fmt: skip
    assert sum(one is not None and one.is_coordinated for one in found) <= 12  # of 5 expected
