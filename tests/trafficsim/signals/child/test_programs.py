"""Greens of a light's own program: two rings of a NEMA light together, yellow in between."""

import pytest

from trafficsim.signals.child.programs import (
    Phase,
    actuated_program,
    between,
    is_green,
    with_pairs,
    with_yellow,
)

# eight movements, one link each: 1 to 4 in the first ring, 5 to 8 in the second
EIGHT = [Phase(30.0, "".join("G" if n == at else "r" for n in range(8)), str(at + 1)) for at in
         range(8)]  # fmt: skip
RINGS = {"ring1": "1,2,3,4", "ring2": "5,6,7,8"}
BARRIERS = {"barrierPhases": "4,8", "barrier2Phases": "2,6"}


def names(shown: list[Phase]) -> set[str]:
    return {phase.name for phase in shown}


def test_a_nema_light_shows_a_phase_of_each_ring_from_one_side_of_the_barrier() -> None:
    shown = with_pairs(EIGHT, RINGS | BARRIERS)
    assert names(shown) == {"1+5", "1+6", "2+5", "2+6", "3+7", "3+8", "4+7", "4+8"}
    assert {phase.state for phase in shown if phase.name == "2+6"} == {"rGrrrGrr"}


def test_rings_that_begin_behind_a_barrier_and_have_gaps_are_read_alike() -> None:
    turned = {"ring1": "3,4,0,2", "ring2": "7,8,0,6"} | BARRIERS
    phases = [phase for phase in EIGHT if phase.name in "234678"]
    assert names(with_pairs(phases, turned)) == {"3+7", "3+8", "4+7", "4+8", "2+6"}


def test_phases_without_partner_or_rings_stay_alone() -> None:
    assert with_pairs(EIGHT[:2], {}) == EIGHT[:2]
    one_ring = {"ring1": "1,2,3,4", "ring2": "0,0,0,0"} | BARRIERS
    assert with_pairs(EIGHT[:4], one_ring) == EIGHT[:4]


def test_the_better_right_of_way_of_two_phases_holds() -> None:
    phases = [Phase(20.0, "Ggr", "2"), Phase(30.0, "rGg", "6")]
    (both,) = with_pairs(phases, {"ring1": "2", "ring2": "6"} | BARRIERS)
    assert both == Phase(30.0, "GGg", "2+6")


@pytest.mark.parametrize(
    ("now", "then", "yellow"), [("GGrr", "rrGG", "yyrr"), ("Gg", "gG", "Gg"), ("Gr", "rr", "yr")]
)
def test_who_loses_green_sees_yellow(now: str, then: str, yellow: str) -> None:
    assert between(now, then) == yellow


def test_programs_without_yellow_get_it_and_others_stay_as_they_are() -> None:
    bare = [Phase(30.0, "Gr"), Phase(30.0, "rG")]
    whole = with_yellow(bare, 3.0)
    assert [phase.state for phase in whole] == ["Gr", "yr", "rG", "ry"]
    assert with_yellow(whole, 3.0) == whole
    assert [is_green(phase.state) for phase in whole] == [True, False, True, False]
    text = actuated_program("a&b", bare, shortest_s=5, yellow_s=3)
    assert text.splitlines()[:3] == [
        '<tlLogic id="a&amp;b" type="actuated" programID="actuated" offset="0">',
        '<phase duration="30" minDur="5" maxDur="50" state="Gr"/>',
        '<phase duration="3" state="yr"/>',
    ]
