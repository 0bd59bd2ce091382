"""Diagrams of games small enough to know: numbers by hand, verdicts, words."""

from dataclasses import replace

import numpy as np
import pytest

from paper_envs.dilemma.schelling import Diagram, schelling_diagram, verdict_of
from paper_envs.dilemma.words import answer, conclusion, csv_of, numbers_of, rows_of, shown
from ss_core.statistics import Interval


def diagram_of(*plays: list[float], noise: float = 0.0) -> Diagram:
    """Plays with 0, 1, … N cooperators, who come first; twelve episodes each."""
    rng = np.random.default_rng(0)
    returns = [np.array([play] * 12) + noise * rng.normal(size=(12, len(play))) for play in plays]
    return schelling_diagram(returns, rng=np.random.default_rng(1))


PRISONERS = ([1.0, 1.0], [0.0, 5.0], [3.0, 3.0])
STAG_HUNT = ([1.0, 1.0], [0.0, 2.0], [4.0, 4.0])
CHICKEN = ([0.0, 0.0], [1.0, 4.0], [3.0, 3.0])
HARMONY = ([0.0, 0.0], [2.0, 1.0], [3.0, 3.0])
ALONE_BEST = ([0.0, 0.0], [4.0, 5.0], [3.0, 3.0])  # greed, but one cooperator earns more than two
USELESS = ([3.0, 3.0], [0.0, 5.0], [1.0, 1.0])  # defecting pays, and is best for all


def test_a_point_is_what_one_earns_beside_k_others_who_cooperate() -> None:
    found = diagram_of([0.0, 0.0, 0.0], [-1.0, 2.0, 4.0], [1.0, 3.0, 8.0], [5.0, 6.0, 7.0])
    assert [point.others for point in found.points] == [0, 1, 2]
    assert [point.cooperates.estimate for point in found.points] == [-1.0, 2.0, 6.0]
    assert [point.defects.estimate for point in found.points] == [0.0, 3.0, 8.0]
    assert [point.temptation.estimate for point in found.points] == [1.0, 1.0, 2.0]
    means = [point.all_agents.estimate for point in found.points]
    assert means == pytest.approx([0.0, 5 / 3, 4.0])
    assert found.efficiency.estimate == 6.0
    assert found.company.estimate == 7.0


@pytest.mark.parametrize(
    ("plays", "verdicts", "tempted", "dilemma"),
    [
        (PRISONERS, ["yes", "yes", "yes"], (0, 1), True),
        (STAG_HUNT, ["yes", "no", "yes"], (0,), True),
        (CHICKEN, ["no", "yes", "yes"], (1,), True),
        (HARMONY, ["no", "no", "yes"], (), False),
        (USELESS, ["yes", "yes", "no"], (0, 1), False),
        (ALONE_BEST, ["no", "yes", "yes"], (1,), False),
    ],
)
def test_games_of_two_are_told_apart_by_fear_greed_and_efficiency(
    plays, verdicts, tempted, dilemma
) -> None:
    found = diagram_of(*plays)
    assert [question.name for question in found.questions] == ["fear", "greed", "efficiency"]
    assert [question.verdict for question in found.questions] == verdicts
    assert (found.tempted_at, found.is_dilemma) == (tempted, dilemma)


def test_what_noise_hides_is_undecided_and_no_dilemma() -> None:
    found = diagram_of(*PRISONERS, noise=50.0)
    assert {question.verdict for question in found.questions} == {"undecided"}
    assert not found.is_dilemma
    assert conclusion(found) == (
        "undecided between these two ways to play: intervals include 0; play more --episodes"
    )
    assert answer(found.questions[0]).startswith("fear: does defecting pay if nobody else")
    assert "cooperates? undecided: " in answer(found.questions[0])


def test_a_condition_that_fails_for_certain_decides_whatever_the_others_are() -> None:
    zero = Interval(estimate=0.0, low=-1.0, high=1.0)
    below = Interval(estimate=-2.0, low=-3.0, high=-1.0)
    unsure = diagram_of(*PRISONERS, noise=50.0)
    for failed, why in (("efficiency", "if all defect"), ("company", "than alone")):
        given = {"efficiency": zero, "company": zero} | {failed: below}
        assert conclusion(replace(unsure, **given)).endswith(why)
    tempted = replace(diagram_of(*PRISONERS), efficiency=zero)
    assert conclusion(tempted).startswith("undecided")


def test_intervals_hold_their_estimate_and_narrow_with_less_noise() -> None:
    wide, narrow = (diagram_of(*PRISONERS, noise=noise).points[0] for noise in (1.0, 0.1))
    for point in (wide, narrow):
        for interval in (point.cooperates, point.defects, point.all_agents, point.temptation):
            assert interval.low < interval.estimate < interval.high
    assert narrow.defects.high - narrow.defects.low < 0.3 * (wide.defects.high - wide.defects.low)


@pytest.mark.parametrize("plays", [[[1.0, 1.0], [2.0, 2.0]], [[1.0], [1.0]]])
def test_a_diagram_needs_a_play_for_every_number_of_cooperators(plays) -> None:
    with pytest.raises(ValueError, match=r"N \+ 1 plays"):
        diagram_of(*plays)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.1, 2.0, "yes"), (-2.0, -0.1, "no"), (0.0, 0.0, "no"), (-1.0, 0.5, "undecided")],
)
def test_a_verdict_is_where_the_interval_lies(low, high, verdict) -> None:
    assert verdict_of(Interval(estimate=0.0, low=low, high=high)) == verdict


def test_a_diagram_speaks() -> None:
    found = diagram_of(*PRISONERS)
    assert [answer(question) for question in found.questions] == [
        "fear: does defecting pay if nobody else cooperates? yes, by 1.0",
        "greed: does defecting pay if all others cooperate? yes, by 2.0",
        "efficiency: are all together better off if all cooperate than if all defect? yes, by 2.0",
    ]
    assert conclusion(found) == (
        "a social dilemma: defecting pays while 0 or 1 of the others cooperate, "
        "and all together are better off if all cooperate"
    )
    assert conclusion(diagram_of(*HARMONY)).endswith("defecting never pays")
    assert conclusion(diagram_of(*USELESS)).endswith("if all cooperate than if all defect")
    assert conclusion(diagram_of(*ALONE_BEST)).endswith("among cooperators than alone")


def test_small_numbers_are_shown_without_a_minus_before_zero() -> None:
    assert shown(Interval(estimate=-0.01, low=-0.04, high=0.2)) == "0.0 [0.0, 0.2]"
    assert shown(Interval(estimate=-30.0, low=-30.0, high=-30.0)) == "-30.0"


def test_rows_are_for_people_and_columns_for_programs() -> None:
    found = diagram_of(*PRISONERS)
    assert rows_of(found)[1] == {
        "others_cooperating": 1,
        "one_cooperates": "3.0",
        "one_defects": "5.0",
        "defecting_gains": "2.0",
        "mean_of_all": "2.5",
    }
    lines = csv_of(numbers_of(found)).decode().splitlines()
    assert lines[0].startswith("others_cooperating,one_cooperates,one_cooperates_low,")
    assert lines[2].split(",")[:3] == ["1", "3.0", "3.0"]
