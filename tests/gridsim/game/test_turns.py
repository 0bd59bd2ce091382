"""Whose turn it is: one after the other, several at once, revisions, what does not fit."""

from dataclasses import replace

import numpy as np
import pytest

from gridsim.game.turns import Turns, decide_at_once, turns_of
from gridsim.households.households import Days
from tests.gridsim.game.in_turn_world import some_days

REVISE = (4, 8, 16)


def whose(days: Days, turns: Turns) -> tuple[np.ndarray, np.ndarray]:
    return days.jobs.day[turns.job], days.jobs.household[turns.job]


@pytest.mark.parametrize("most", [32, 48, 96])
def test_nobody_has_two_turns_at_once_and_time_goes_on(most: int) -> None:
    days = some_days(4, 6)
    turns = turns_of(days, REVISE, most)
    day, household = whose(days, turns)
    assert len({*zip(day, household, turns.turn, strict=True)}) == turns.num_events
    assert turns.is_first.sum() == days.jobs.num_jobs  # whoever arrives has a turn
    assert turns.turn.max() < most
    for d in range(4):
        assert (np.diff(turns.now[day == d]) >= 0).all()
        assert (np.diff(turns.turn[day == d]) >= 0).all()


def test_one_household_at_a_time_while_the_turns_suffice() -> None:
    days = some_days(4, 6)
    turns = turns_of(days, REVISE, 96)
    day, _ = whose(days, turns)
    assert len({*zip(day, turns.turn, strict=True)}) == turns.num_events
    assert decide_at_once(days, turns) == 1.0


def test_several_decide_at_once_where_they_do_not() -> None:
    days = some_days(4, 6)
    assert decide_at_once(days, turns_of(days, REVISE, 40)) > 1.0


def test_a_job_is_revised_while_its_window_is_open() -> None:
    days = some_days(4, 6)
    turns, jobs = turns_of(days, REVISE, 96), days.jobs
    later = ~turns.is_first
    waited = turns.now[later] - jobs.arrival_step[turns.job[later]]
    assert {*waited.tolist()} == {*REVISE}
    assert (turns.now[later] < jobs.end_step[turns.job[later]] - 1).all()
    open_ = sum(int((jobs.arrival_step + wait < jobs.end_step - 1).sum()) for wait in REVISE)
    assert later.sum() == open_


def test_who_arrives_is_before_those_who_revise_in_the_same_quarter_hour() -> None:
    days = some_days(16, 6)
    turns = turns_of(days, REVISE, 96)
    at = days.jobs.day[turns.job] * 96 + turns.now
    both = [at == each for each in np.unique(at) if len({*turns.is_first[at == each]}) == 2]
    assert both  # some quarter-hours hold both
    for same in both:
        assert turns.turn[same & turns.is_first].max() < turns.turn[same & ~turns.is_first].min()


def test_a_window_that_ends_before_the_next_turn_has_no_revision() -> None:
    days = some_days(2, 3)
    short = np.minimum(days.jobs.end_step, days.jobs.arrival_step + 4)
    turns = turns_of(replace(days, jobs=replace(days.jobs, end_step=short)), REVISE, 96)
    assert turns.is_first.all()


def test_a_day_without_jobs_has_no_turns() -> None:
    days = some_days(2, 3)
    none = {name: getattr(days.jobs, name)[:0] for name in days.jobs.__slots__}
    turns = turns_of(replace(days, jobs=replace(days.jobs, **none)), REVISE, 96)
    assert turns.num_events == 0
