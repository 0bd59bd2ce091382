"""Whose turn it is: one household after the other, or several at once where many live.

A job has a turn when it arrives, and turns to revise what is left of it; a battery's come at the
same hours every day. Nothing here knows plans.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int

from gridsim.households.households import Days
from ss_core.errors import ConfigError

BATTERIES_REVISE_AFTER = (12, 24, 36, 48, 60)  # quarter-hours after the day's first
SPARE_TURNS = 6  # of the day's turns, for households that would have two at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Every decision of a batch of days, in order of day and turn."""

    job: Int[np.ndarray, " event"]
    now: Int[np.ndarray, " event"]  # the quarter-hour it falls in
    is_first: Bool[np.ndarray, " event"]  # on arrival, not a revision
    turn: Int[np.ndarray, " event"]

    @property
    def num_events(self) -> int:
        """How many decisions there are."""
        return len(self.job)


def turns_of(days: Days, revise_after: tuple[int, ...], most_turns: int) -> Turns:
    """Turns on arrival and `revise_after` quarter-hours later each, while the window is open.

    Up to `most_turns` decisions a day one household at a time, beyond that the fewest at once.
    Nobody has two turns at once; a revision that finds no turn before the day ends is left out.

    Raises:
        ConfigError: jobs that arrive find no turn of their own: `most_turns` is far too small.
    """
    jobs = days.jobs
    job, now = [np.arange(jobs.num_jobs)], [jobs.arrival_step]
    is_battery = jobs.battery_kwh > 0.0
    for waits, of_these in ((revise_after, ~is_battery), (BATTERIES_REVISE_AFTER, is_battery)):
        for wait in waits:
            at = jobs.arrival_step + wait
            is_open = np.flatnonzero((at < jobs.end_step - 1) & of_these)
            job.append(is_open)
            now.append(at[is_open])
    job, now = np.concatenate(job), np.concatenate(now)
    is_first = np.arange(len(job)) < jobs.num_jobs
    order = np.lexsort((job, ~is_first, now, jobs.day[job]))
    job, now, is_first = job[order], now[order], is_first[order]
    turn = _in_order(jobs.day[job], jobs.household[job], most_turns)
    if (is_first & (turn >= most_turns)).any():  # too much to revise: those days are not
        crowded = np.unique(jobs.day[job[turn >= most_turns]])
        kept = is_first | ~np.isin(jobs.day[job], crowded)
        job, now, is_first = job[kept], now[kept], is_first[kept]
        turn = _in_order(jobs.day[job], jobs.household[job], most_turns)
    fits = turn < most_turns
    if not fits[is_first].all():
        raise ConfigError(f"most_turns={most_turns}: too few for the jobs of a day; set it higher")
    return Turns(job=job[fits], now=now[fits], is_first=is_first[fits], turn=turn[fits])


def _in_order(
    day: Int[np.ndarray, " event"], household: Int[np.ndarray, " event"], most_turns: int
) -> Int[np.ndarray, " event"]:
    count = np.bincount(day, minlength=1)
    rank = np.arange(len(day)) - np.searchsorted(day, day)
    slots = max(1, most_turns - SPARE_TURNS)
    turn = np.where(count[day] > most_turns, rank * slots // count[day], rank)
    last_of_day, last_of_household = {}, {}
    for event in np.flatnonzero(count[day] > most_turns).tolist():
        d, who = day[event], (day[event], household[event])
        at = max(turn[event], last_of_day.get(d, 0), last_of_household.get(who, -1) + 1)
        turn[event] = last_of_day[d] = last_of_household[who] = at
    return turn


def decide_at_once(days: Days, turns: Turns) -> float:
    """Households that decide at once in the middle turn of these days; 1: one after the other."""
    each = np.stack([days.jobs.day[turns.job], turns.turn])
    return float(np.median(np.unique(each, axis=1, return_counts=True)[1]))
