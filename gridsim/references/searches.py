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
    take_out,
)

NOTHING_TO_COME = np.zeros((STEPS_PER_DAY, STEPS_PER_DAY))


def start_plan(day: DayJobs, uniform: Float[np.ndarray, " job"] | None = None) -> Plan:
    """ASAP, or the random plan that `uniform` picks."""
    plan, count = empty_plan(day), len(day.household)
    place_randomly(day, plan, np.arange(count), np.zeros(count) if uniform is None else uniform)
    return plan


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
    place(day, goal, plan, np.argsort(day.arrival, kind="stable"), to_come_kw)
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
    plan.job_kw[jobs], plan.delay_eur[jobs] = kept_kw, kept_eur
    plan.total_kw[:], plan.own_kw[day.household[jobs]] = kept_total, kept_own
    return found, present - alone


def _copied(plan: Plan) -> Plan:
    return Plan(*(part.copy() for part in plan))
