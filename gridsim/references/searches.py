"""Searches over the joint plans of one day: from a start down to a local minimum, and beyond.

The loops over jobs are kernels of `descent.py`; days and objectives come from `references.py`.
"""

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.households import STEPS_PER_DAY
from gridsim.references.day_game import empty_plan
from gridsim.references.kernels import (
    TOLERANCE_EUR,
    DayJobs,
    Objective,
    Plan,
    descend,
    place,
    place_randomly,
    shift_job,
    take_out,
)

NOTHING_TO_COME = np.zeros((STEPS_PER_DAY, STEPS_PER_DAY))


def start_plan(day: DayJobs, uniform: Float[np.ndarray, " job"] | None = None) -> Plan:
    """ASAP, or the random plan that `uniform` picks."""
    plan, count = empty_plan(day), len(day.household)
    place_randomly(day, plan, batteries_last(day), np.zeros(count) if uniform is None else uniform)
    return plan


def batteries_last(
    day: DayJobs, order: Int[np.ndarray, " job"] | None = None
) -> Int[np.ndarray, " job"]:
    """Jobs in their order or by `order`, and then batteries, which can take what jobs leave."""
    is_battery = day.battery_kwh > 0.0
    return np.lexsort((np.arange(len(is_battery)) if order is None else order, is_battery))


def descended(day: DayJobs, goal: Objective, plan: Plan, max_sweeps: int) -> Plan:
    """The local minimum that best responses of one job after another reach from `plan`."""
    descend(day, goal, plan, np.arange(len(day.household)), max_sweeps)
    return plan


def placed_in_order(
    day: DayJobs,
    goal: Objective,
    to_come_kw: Float[np.ndarray, "arrival step"] = NOTHING_TO_COME,
) -> Plan:
    """Jobs commit for good in order of arrival, knowing the base load and what is committed."""
    plan = empty_plan(day)
    place(day, goal, plan, batteries_last(day, day.arrival), to_come_kw)
    return plan


def locally_searched(
    day: DayJobs, goal: Objective, plan: Plan, picks: Int[np.ndarray, "round pick"], max_sweeps: int
) -> Plan:
    """Iterated local search: reinsert the jobs `picks[r]`, descend, keep if better."""
    everyone = np.arange(len(day.household))
    best = _copied(plan)
    for jobs in picks:
        gain = take_out(day, goal, plan, jobs)
        gain -= place(day, goal, plan, jobs, NOTHING_TO_COME)
        gain += descend(day, goal, plan, everyone, max_sweeps)[0]
        if gain > TOLERANCE_EUR:
            best = _copied(plan)
        else:
            plan = _copied(best)
    return best


def resettled(
    day: DayJobs,
    goal: Objective,
    plan: Plan,
    uniform: Float[np.ndarray, "start job"],
    max_rounds: int,
) -> Plan:
    """Let each household with a battery change all its jobs at once, until none of them gains.

    One job after another gets stuck where a battery and a car share a household's own sun.
    """
    households = np.unique(day.household[day.battery_kwh > 0.0])
    for _ in range(max_rounds):
        gained = 0.0
        for household in households:
            own = np.flatnonzero(day.household == household)
            gained += _resettle(day, goal, plan, own, uniform)
        if gained <= TOLERANCE_EUR:
            break
    return plan


def _resettle(
    day: DayJobs,
    goal: Objective,
    plan: Plan,
    jobs: Int[np.ndarray, " own"],
    uniform: Float[np.ndarray, "start job"],
) -> float:
    """Give one household the best plans found for all its jobs; what that gains."""
    kept_kw, kept_eur = plan.job_kw[jobs], plan.delay_eur[jobs]
    present = take_out(day, goal, plan, jobs)
    best = present
    for start in range(len(uniform) + 1):
        if start == 0:
            place(day, goal, plan, jobs, NOTHING_TO_COME)
        else:
            place_randomly(day, plan, jobs, uniform[start - 1])
        descend(day, goal, plan, jobs, 100)
        cost = take_out(day, goal, plan, jobs)
        if cost < best - TOLERANCE_EUR:
            best, kept_kw, kept_eur = cost, plan.job_kw[jobs], plan.delay_eur[jobs]
    plan.job_kw[jobs], plan.delay_eur[jobs] = kept_kw, kept_eur
    for j in jobs:
        shift_job(day, plan, j, 1.0)
    return present - best


def deviation_gain(
    day: DayJobs,
    goal: Objective,
    plan: Plan,
    jobs: Int[np.ndarray, " own"],
    uniform: Float[np.ndarray, "start job"],
) -> tuple[float, float]:
    """What the owner of `jobs` gains by changing all of them at once: found, and at most [EUR].

    Found by descent over these jobs from one greedy and some random starts. Bounded because step
    costs are convex, so that jobs together cost at least the sum of each alone. The plan ends as
    it began.
    """
    kept_kw, kept_eur = plan.job_kw[jobs], plan.delay_eur[jobs]
    kept_total, kept_own = plan.total_kw.copy(), plan.own_kw[day.household[jobs]]
    present = take_out(day, goal, plan, jobs)
    alone = 0.0
    for j in jobs[:, None]:
        alone += place(day, goal, plan, j, NOTHING_TO_COME)
        take_out(day, goal, plan, j)
    found = 0.0
    for start in range(len(uniform) + 1):
        if start == 0:
            place(day, goal, plan, jobs, NOTHING_TO_COME)
        else:
            place_randomly(day, plan, jobs, uniform[start - 1])
        descend(day, goal, plan, jobs, 100)
        found = max(found, present - take_out(day, goal, plan, jobs))
    if (day.battery_kwh[jobs] > 0.0).any():  # a battery makes jobs beside it cheaper
        alone = np.nan
    plan.job_kw[jobs], plan.delay_eur[jobs] = kept_kw, kept_eur
    plan.total_kw[:], plan.own_kw[day.household[jobs]] = kept_total, kept_own
    return found, present - alone


def _copied(plan: Plan) -> Plan:
    return Plan(*(part.copy() for part in plan))
