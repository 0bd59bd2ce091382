"""First come, first served: the operator admits flexible load in order of arrival below a limit.

What came later waits. Base load is never refused. The operator measures the present and knows what
it has admitted; it does not forecast. The limit is one on demand: what households feed in is not
limited, and counts as room. Batteries are not asked: they store and cover what their own household
has and needs, and draw nothing from the grid.
"""

import numpy as np
from jaxtyping import Float, Int

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.households.schedules import EV_LEVELS
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.outcome import VALUE_BYTES, Outcome, supply_eur, with_losses
from gridsim.instruments.storage import Batteries

ANNOUNCED = 3  # of a job: its kind, power and deadline


def admitted_kw(
    days: Days,
    d: int,
    base_kw: Float[np.ndarray, "household step"],
    limit_kw: Float[np.ndarray, " step"],
) -> Float[np.ndarray, "job step"]:
    """Loads of the jobs of day `d`, in order of arrival.

    A cycle starts when all of it fits beside the base load of now and what runs already. A car gets
    every quarter-hour the highest level that fits: whoever came last makes room first. Base load
    counts with what batteries do about it and about cycles that run.
    """
    jobs, rows = days.jobs, np.flatnonzero(days.jobs.day == d)
    load_kw = np.zeros((len(rows), STEPS_PER_DAY))
    queue = np.argsort(jobs.arrival_step[rows], kind="stable")
    queue = queue[jobs.battery_kwh[rows[queue]] == 0.0]
    left, waiting = jobs.units[rows].copy(), jobs.units[rows] == 0
    running_kw = np.zeros(STEPS_PER_DAY)  # cycles that have begun
    batteries, total_kw = Batteries.of(days, d), base_kw.sum(axis=0)
    stored_kwh = np.zeros(len(batteries.job))
    is_battery = np.searchsorted(rows, batteries.job)
    for t in range(STEPS_PER_DAY):
        own_kw = base_kw[:, t].copy()
        np.add.at(own_kw, jobs.household[rows], load_kw[:, t])
        measured_kw = total_kw[t] + batteries.covering_kw(own_kw, stored_kwh).sum()
        cars_kw = 0.0  # of this quarter-hour
        for k in queue:
            j = rows[k]
            if not jobs.arrival_step[j] <= t < jobs.end_step[j]:
                continue
            room_kw = limit_kw[t] - measured_kw - cars_kw
            if waiting[k]:
                steps = np.arange(t, t + int(jobs.duration_steps[j]))
                cycle_kw = jobs.cycle_kw[j, : len(steps)]
                late = steps[-1] >= jobs.end_step[j]
                if not late and (running_kw[steps] + cycle_kw <= room_kw + 1e-9).all():
                    load_kw[k, steps], waiting[k] = cycle_kw, False
                    running_kw[steps] += cycle_kw
            elif left[k] > 0:
                fits = int((room_kw - running_kw[t] + 1e-9) // days.ev_level_kw)
                level = min(int(left[k]), EV_LEVELS, max(fits, 0))
                load_kw[k, t] = level * days.ev_level_kw
                left[k] -= level
                cars_kw += load_kw[k, t]
        own_kw = base_kw[:, t].copy()
        np.add.at(own_kw, jobs.household[rows], load_kw[:, t])
        stores_kw = batteries.covering_kw(own_kw, stored_kwh)
        load_kw[is_battery, t] = stores_kw
        stored_kwh = batteries.after_kwh(stores_kw, stored_kwh)
    return load_kw


def first_come_outcome(
    days: Days, tariff: Tariff, limit_kw: Float[np.ndarray, "day step"], rules: InstrumentRules
) -> Outcome:
    """Everybody wants to start at once; what is not admitted by its deadline is lost."""
    job_kw = np.zeros((days.jobs.num_jobs, STEPS_PER_DAY))
    refused_h = np.zeros(days.num_days)
    for d in range(days.num_days):
        rows = np.flatnonzero(days.jobs.day == d)
        job_kw[rows] = admitted_kw(days, d, days.base_kw[d], limit_kw[d])
        asked = rows[days.jobs.battery_kwh[rows] == 0.0]
        refused_h[d] = _waiting_h(days, asked, job_kw[asked]) / days.num_households
    name = "first_come"
    schedule, missing, lost = with_losses(name, days, job_kw, rules.undelivered_eur_per_kwh)
    announced = days.jobs.day[days.jobs.battery_kwh == 0.0]
    jobs_each = np.bincount(announced, minlength=days.num_days) / days.num_households
    return Outcome.of(
        schedule,
        paid_eur=supply_eur(schedule.costs(tariff)),
        undelivered_kwh=missing,
        comfort_lost_eur=lost,
        dimmed_h=refused_h,
        revealed_bytes=ANNOUNCED * VALUE_BYTES * jobs_each,
    )


def _waiting_h(
    days: Days, rows: Int[np.ndarray, " k"], job_kw: Float[np.ndarray, "k step"]
) -> float:
    """Hours that jobs drew less than they wanted: cars below full power, cycles not begun."""
    jobs, steps = days.jobs, np.arange(STEPS_PER_DAY)
    is_open = (steps >= jobs.arrival_step[rows, None]) & (steps < jobs.end_step[rows, None])
    is_car = jobs.units[rows] > 0
    before = np.cumsum(job_kw, axis=1) - job_kw
    left = np.maximum(jobs.units[rows, None] - np.round(before / days.ev_level_kw), 0.0)
    wanted = days.ev_level_kw * np.minimum(left, EV_LEVELS)
    car = is_open & (job_kw < wanted - 1e-9)
    cycle = is_open & (np.cumsum(job_kw, axis=1) == 0.0)
    silent = (jobs.cycle_kw[rows] > 0).argmax(axis=1) * ~is_car  # a cycle has begun by then
    hours = STEP_H * np.where(is_car[:, None], car, cycle).sum(axis=1) - STEP_H * silent
    return float(np.maximum(hours, 0.0).sum())
