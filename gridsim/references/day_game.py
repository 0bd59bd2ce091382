"""One day of the scheduling game as the compiled kernels take it: jobs, objectives, plans.

Conversions only; solving is in `search.py` and `relaxation.py`, the references in `references.py`.
"""

import numpy as np
from jaxtyping import Float

from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.households.schedules import Candidates
from gridsim.references.kernels import DayJobs, Objective, Plan
from gridsim.references.relaxation import Mix


def day_jobs(days: Days, d: int, candidates: Candidates | None = None) -> DayJobs:
    """The jobs of day `d` as the kernels take them."""
    rows, jobs = rows_of(days, d), days.jobs
    if candidates is None:
        plan_kw, plan_eur = np.zeros((0, 0, STEPS_PER_DAY)), np.zeros((0, 0))
    else:
        plan_kw = np.ascontiguousarray(candidates.load_kw[rows], dtype=np.float64)
        plan_eur = np.where(candidates.legal, candidates.delay_eur, np.inf)[rows]
        plan_eur = np.ascontiguousarray(plan_eur)  # one memory layout: kernels compile once
    return DayJobs(
        *(
            np.ascontiguousarray(column[rows], dtype=np.int64)
            for column in (jobs.household, jobs.arrival_step, jobs.end_step, jobs.duration_steps)
        ),
        cycle_kw=np.ascontiguousarray(jobs.cycle_kw[rows]),
        units=np.ascontiguousarray(jobs.units[rows], dtype=np.int64),
        delay_cost=np.ascontiguousarray(jobs.delay_cost[rows]),
        base_kw=np.ascontiguousarray(days.base_kw[d]),
        level_kw=float(days.ev_level_kw),
        battery_kwh=np.ascontiguousarray(jobs.battery_kwh[rows], dtype=np.float64),
        one_way=float(days.battery.one_way),
        kw_per_kwh=float(days.battery.kw_per_kwh),
        worth=float(days.battery.worth_eur_per_kwh),
        waiting=float(days.battery.delay_eur_per_kwh_h),
        plan_kw=plan_kw,
        plan_eur=plan_eur,
    )


def rows_of(days: Days, d: int) -> slice:
    """Which jobs are day `d`'s."""
    first, end = np.searchsorted(days.jobs.day, (d, d + 1))
    return slice(int(first), int(end))


def own_cost(tariff: Tariff, num_households: int) -> Objective:
    """Φ: what a household's own move changes is its own cost J_i."""
    q = tariff.beta / (2 * num_households)
    return _objective(tariff, num_households, total=q, own=q, charge=tariff.gamma)


def social_cost(tariff: Tariff, num_households: int) -> Objective:
    """C, the sum of all costs."""
    n = num_households
    return _objective(tariff, n, total=tariff.beta / n, charge=n * tariff.gamma)


def base_price_cost(tariff: Tariff, num_households: int) -> Objective:
    """The hourly shape a_t alone, as if nobody's demand mattered."""
    return _objective(tariff, num_households)


def marginal_price_cost(tariff: Tariff, num_households: int) -> Objective:
    """A selfish household that pays marginal social cost: a + 2 β l + 2 γ (l - κ)₊ per kWh."""
    q = tariff.beta / num_households
    return _objective(tariff, num_households, total=q, own=q, toll=2 * tariff.gamma)


def _objective(
    tariff: Tariff,
    num_households: int,
    *,
    total: float = 0.0,
    own: float = 0.0,
    charge: float = 0.0,
    toll: float = 0.0,
) -> Objective:
    price = np.ascontiguousarray(tariff.base_price, dtype=np.float64)
    lost = tariff.feed_in_loss
    return Objective(
        price,
        total,
        own,
        charge,
        toll,
        float(tariff.kappa),
        num_households,
        float(tariff.kappa_feed_in),
        np.zeros(STEPS_PER_DAY) if lost is None else np.ascontiguousarray(lost, dtype=np.float64),
    )


def plan_of(
    day: DayJobs, job_kw: Float[np.ndarray, "job step"], delay_eur: Float[np.ndarray, " job"]
) -> Plan:
    """A plan of given job loads with its sums."""
    own_kw = day.base_kw.copy()
    np.add.at(own_kw, day.household, job_kw)
    return Plan(own_kw.sum(axis=0), own_kw, job_kw.copy(), delay_eur.copy())


def empty_plan(day: DayJobs) -> Plan:
    """Base load only: no job placed yet."""
    count = len(day.household)
    return plan_of(day, np.zeros((count, STEPS_PER_DAY)), np.zeros(count))


def as_mix(day: DayJobs, plan: Plan) -> Mix:
    """A pure plan as a fractional one: weight 1 on a cycle's start, EV levels as they are."""
    weight = np.where((day.units > 0)[:, None], plan.job_kw / day.level_kw, 0.0)
    cycles = np.flatnonzero(day.units == 0)
    silent = (day.cycle_kw[cycles] > 0).argmax(axis=1)  # leading steps of a cycle without load
    weight[cycles, (plan.job_kw[cycles] > 0).argmax(axis=1) - silent] = 1.0
    return Mix(plan.total_kw.copy(), plan.own_kw.copy(), weight)


def rounded(day: DayJobs, mix: Mix) -> Plan:
    """A pure plan near a fractional one: heaviest start, EV levels by largest remainder."""
    job_kw = np.zeros_like(mix.weight)
    delay_h = np.zeros(len(job_kw))
    for j, weight in enumerate(mix.weight):
        if day.units[j] > 0:
            level = np.floor(weight + 1e-9)
            open_units = round(day.units[j] - level.sum())
            level[np.argsort(level - weight, kind="stable")[:open_units]] += 1
            job_kw[j] = level * day.level_kw
            energy_kwh = job_kw[j] * STEP_H
            delay_h[j] = energy_kwh @ (np.arange(STEPS_PER_DAY) - day.arrival[j]) * STEP_H
        else:
            start = weight.argmax()
            length = day.duration[j]
            job_kw[j, start : start + length] = day.cycle_kw[j, :length]
            delay_h[j] = (start - day.arrival[j]) * STEP_H
    return plan_of(day, job_kw, delay_h * day.delay_cost)
