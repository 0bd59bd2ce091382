"""What the sum of announced plans tells of whose turn it was: no message is needed for it.

The sum is public to the whole feeder after every turn. Whoever keeps it before and after a turn
and knows whose turn it was has the load curve planned by that household, on arrival and at every
revision. Where several decide at once only their sum is seen, and each stands for an equal part.
Nothing here knows plans, jobs, or what is private.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.game.in_turn import InTurnEnv
from gridsim.households.households import STEP_H, STEPS_PER_DAY, STEPS_PER_HOUR

LEAST_KWH = 0.05  # below: nothing changed
LARGE_KWH = 4.0  # an arrival that asks for more is hardly a washing machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """How the public sum changed, once for everyone whose turn it was."""

    kw: Float[np.ndarray, "seen step"]  # an equal part where several decided at once
    household: Int[np.ndarray, " seen"]
    now: Int[np.ndarray, " seen"]  # the quarter-hour of the turn
    num_days: int
    num_households: int

    @property
    def kwh(self) -> Float[np.ndarray, " seen"]:
        """Energy added: what came; 0 where plans were only moved."""
        return STEP_H * self.kw.sum(axis=1)

    @property
    def moved_kwh(self) -> Float[np.ndarray, " seen"]:
        """Energy that changed its time."""
        return STEP_H * (np.abs(self.kw).sum(axis=1) - np.abs(self.kw.sum(axis=1))) / 2.0

    @property
    def moment_kwh_h(self) -> Float[np.ndarray, " seen"]:
        """Energy added times hours after the turn."""
        hours = STEP_H * (np.arange(STEPS_PER_DAY) - self.now[:, None])
        return STEP_H * (self.kw * hours).sum(axis=1)


def differences_of(env: InTurnEnv) -> Differences:
    """The days just played, as somebody sees them who watches the sum and knows the turns."""
    turns, jobs = env.turns, env.days.jobs
    day = jobs.day[turns.job]
    _, group, count = np.unique(
        np.stack([day, turns.turn]), axis=1, return_inverse=True, return_counts=True
    )
    group = group.reshape(-1)
    sums = np.zeros((len(count), STEPS_PER_DAY))
    np.add.at(sums, group, env.changes_kw)
    return Differences(
        kw=(sums / count[:, None])[group],
        household=jobs.household[turns.job],
        now=turns.now,
        num_days=env.days.num_days,
        num_households=env.days.num_households,
    )


def described(seen: Differences) -> Float[np.ndarray, "N F"]:
    """Numbers about each household: its turns, what came, when it is to run, how it was moved."""
    came = seen.kwh > LEAST_KWH
    large = came & (seen.kwh > LARGE_KWH)
    changed = ~came & (seen.moved_kwh > LEAST_KWH)
    delay_h = np.where(came, seen.moment_kwh_h / np.where(came, seen.kwh, 1.0), 0.0)
    shift_h = np.where(changed, seen.moment_kwh_h / np.where(changed, seen.moved_kwh, 1.0), 0.0)
    share = _mean(seen, changed.astype(float), ~came)
    columns = [
        _per_day(seen, np.ones(len(came))),
        *(_per_day(seen, which.astype(float)) for which in (came, large, changed)),
        _per_day(seen, np.where(came, seen.kwh, 0.0)),
        _most(seen, np.where(came, seen.kwh, 0.0)),
        share,
        _mean(seen, shift_h, changed),
        _mean(seen, seen.moved_kwh, changed),
    ]
    of_arrivals = (seen.kwh, seen.kw.max(axis=1), STEP_H * seen.now, delay_h)
    for which in (came & ~large, large):
        columns += [_mean(seen, values, which) for values in of_arrivals]
    return np.concatenate([np.stack(columns, axis=1), _first_plans_kw(seen, came)], axis=1)


def _sum(seen: Differences, values: Float[np.ndarray, " seen"]) -> Float[np.ndarray, " N"]:
    return np.bincount(seen.household, weights=values, minlength=seen.num_households)


def _per_day(seen: Differences, values: Float[np.ndarray, " seen"]) -> Float[np.ndarray, " N"]:
    return _sum(seen, values) / seen.num_days


def _mean(
    seen: Differences, values: Float[np.ndarray, " seen"], which: Bool[np.ndarray, " seen"]
) -> Float[np.ndarray, " N"]:
    """Mean over those that count; 0 where there are none."""
    return _sum(seen, values * which) / np.maximum(_sum(seen, which.astype(float)), 1.0)


def _most(seen: Differences, values: Float[np.ndarray, " seen"]) -> Float[np.ndarray, " N"]:
    most = np.zeros(seen.num_households)
    np.maximum.at(most, seen.household, values)
    return most


def _first_plans_kw(
    seen: Differences, came: Bool[np.ndarray, " seen"]
) -> Float[np.ndarray, "N hour"]:
    """Mean load of first plans over the days, hour by hour."""
    hourly = seen.kw[came].reshape(-1, STEPS_PER_DAY // STEPS_PER_HOUR, STEPS_PER_HOUR).mean(axis=2)
    load = np.zeros((seen.num_households, hourly.shape[1]))
    np.add.at(load, seen.household[came], hourly)
    return load / seen.num_days
