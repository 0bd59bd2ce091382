"""The jobs of every household side by side, and what keeps their deadlines from step to step.

Feasibility alone: who decides in such small steps is in `quarter_hourly.py`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.households.households import MAX_CYCLE_STEPS, STEP_H, STEPS_PER_DAY, Days
from gridsim.households.schedules import EV_LEVELS
from ss_core.errors import ConfigError

NUM_ACTIONS = 2 * (EV_LEVELS + 1)  # 2 * level + start


@dataclass(frozen=True, slots=True)
class Workload:
    """The jobs of every household side by side; cycles in order of their latest start."""

    ev_arrival: Int[np.ndarray, "day household"]  # no car: the end of the day
    ev_end: Int[np.ndarray, "day household"]
    ev_units: Int[np.ndarray, "day household"]
    ev_delay_cost: Float[np.ndarray, "day household"]  # EUR per level-step and step
    arrival: Int[np.ndarray, "day household slot"]  # no cycle: the end of the day
    latest_start: Int[np.ndarray, "day household slot"]
    duration: Int[np.ndarray, "day household slot"]
    delay_cost: Float[np.ndarray, "day household slot"]  # EUR per step
    cycle_kw: Float[np.ndarray, "day household slot cycle"]
    job: Int[np.ndarray, "day household slot"]  # row of `Jobs`; -1: none


def lay_out(days: Days) -> Workload:
    """Jobs by household.

    Raises:
        ConfigError: a household has two car jobs on one day, or a job does not fit its window.
    """
    _check(days)
    jobs, shape = days.jobs, days.base_kw.shape[:2]
    latest = jobs.end_step - jobs.duration_steps
    is_ev = jobs.units > 0
    car, cycle = np.flatnonzero(is_ev), np.flatnonzero(~is_ev)
    where = (jobs.day[car], jobs.household[car])
    cycle = cycle[np.lexsort((latest[cycle], jobs.household[cycle], jobs.day[cycle]))]
    group = jobs.day[cycle] * shape[1] + jobs.household[cycle]
    slot = np.arange(len(cycle)) - np.searchsorted(group, group)
    at = (jobs.day[cycle], jobs.household[cycle], slot)
    slots = (*shape, int(slot.max(initial=0)) + 1)
    eur_per_unit = STEP_H * STEP_H * days.ev_level_kw
    return Workload(
        ev_arrival=_placed(shape, where, jobs.arrival_step[car], STEPS_PER_DAY),
        ev_end=_placed(shape, where, jobs.end_step[car], STEPS_PER_DAY),
        ev_units=_placed(shape, where, jobs.units[car], 0),
        ev_delay_cost=_placed(shape, where, eur_per_unit * jobs.delay_cost[car], 0.0),
        arrival=_placed(slots, at, jobs.arrival_step[cycle], STEPS_PER_DAY),
        latest_start=_placed(slots, at, latest[cycle], STEPS_PER_DAY),
        duration=_placed(slots, at, jobs.duration_steps[cycle], 0),
        delay_cost=_placed(slots, at, STEP_H * jobs.delay_cost[cycle], 0.0),
        cycle_kw=_placed((*slots, MAX_CYCLE_STEPS), at, jobs.cycle_kw[cycle], 0.0),
        job=_placed(slots, at, cycle, -1),
    )


def _check(days: Days) -> None:
    jobs = days.jobs
    is_ev = jobs.units > 0
    shortest = np.where(is_ev, -(-jobs.units // EV_LEVELS), jobs.duration_steps)
    window = jobs.end_step - jobs.arrival_step
    bad = (window < shortest) | (jobs.arrival_step < 0) | (jobs.end_step > STEPS_PER_DAY)
    if bad.any():
        j = int(bad.argmax())
        raise ConfigError(
            f"job {j}: {shortest[j]} steps do not fit between its arrival {jobs.arrival_step[j]} "
            f"and its end {jobs.end_step[j]} of a day of {STEPS_PER_DAY}; widen its window"
        )
    cars = np.zeros(days.base_kw.shape[:2], dtype=np.int64)
    np.add.at(cars, (jobs.day[is_ev], jobs.household[is_ev]), 1)
    if (cars > 1).any():
        day, household = np.argwhere(cars > 1)[0]
        raise ConfigError(
            f"day {day}, household {household}: {cars[day, household]} car jobs; "
            "15-minute steps know one car per household and day, merge them"
        )


def _placed(
    shape: tuple[int, ...], at: tuple[np.ndarray, ...], values: np.ndarray, empty: float | int
) -> np.ndarray:
    table = np.full(shape, empty, dtype=values.dtype)
    table[at] = values
    return table


@dataclass(frozen=True, slots=True)
class Choices:
    """What every household may and must do at one step."""

    lowest: Int[np.ndarray, "day household"]  # EV level
    highest: Int[np.ndarray, "day household"]
    waiting: Bool[np.ndarray, "day household slot"]  # cycles that arrived and have not started
    due: Bool[np.ndarray, "day household slot"]  # waiting cycles that must start now

    @property
    def following(self) -> Bool[np.ndarray, "day household slot"]:
        """The one waiting cycle that starts on "yes"."""
        return self.waiting & (self.waiting.cumsum(axis=-1) == 1)

    def legal(self) -> Bool[np.ndarray, "day household action"]:
        """Mask over 2 * level + start."""
        level = np.arange(EV_LEVELS + 1)
        charge = (level >= self.lowest[..., None]) & (level <= self.highest[..., None])
        start = np.stack([~self.due.any(axis=-1), self.waiting.any(axis=-1)], axis=-1)
        return (charge[..., :, None] & start[..., None, :]).reshape(*start.shape[:-1], NUM_ACTIONS)


def choices(
    work: Workload,
    step: int,
    ev_units: Int[np.ndarray, "day household"],
    started: Bool[np.ndarray, "day household slot"],
) -> Choices:
    """What keeps every deadline: full power and a start at the last step are the ways out."""
    connected = (work.ev_arrival <= step) & (step < work.ev_end)
    waiting = (work.arrival <= step) & ~started
    needed = ev_units - EV_LEVELS * (work.ev_end - step - 1)
    return Choices(
        lowest=np.where(connected, np.clip(needed, 0, EV_LEVELS), 0),
        highest=np.where(connected, np.minimum(ev_units, EV_LEVELS), 0),
        waiting=waiting,
        due=waiting & (work.latest_start <= step),
    )
