"""Valley filling by exchanged load profiles: day-ahead rounds until nobody changes its plan.

Gan, Topcu and Low, "Optimal decentralized protocol for electric vehicle charging", IEEE Trans.
Power Systems 28 (2013): the operator sends a signal that rises with the load of all, households
answer with profiles, again and again. Here in turn (Gauss-Seidel) and on power levels, so that no
step size is needed and no profile is rounded; heat pumps and wet appliances take part. The signal
steers and is not billed; households weigh it against their own waiting.
"""

import math

import numpy as np
from jaxtyping import Int

from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEPS_PER_DAY, Days
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.outcome import METER_BYTES, Outcome, supply_eur
from gridsim.references.day_game import day_jobs
from gridsim.references.kernels import Objective, descend
from gridsim.references.searches import start_plan


def filled_valleys(
    days: Days, eur_per_kwh_per_kw: float, most_rounds: int
) -> tuple[Schedule, Int[np.ndarray, " day"]]:
    """Plans when nobody changes its own any more, and after how many rounds that was.

    With the signal v l_t a household minimises what it adds to Σ_t Δ v/(2N) L_t², and its waiting.
    """
    n = days.num_households
    total = eur_per_kwh_per_kw / (2 * n)
    nothing = np.zeros(STEPS_PER_DAY)
    goal = Objective(nothing, total, 0.0, 0.0, 0.0, 0.0, n, math.inf, nothing)
    plans, rounds = [], np.zeros(days.num_days, dtype=np.int64)
    for d in range(days.num_days):
        day = day_jobs(days, d)
        plan = start_plan(day)
        rounds[d] = descend(day, goal, plan, np.arange(len(day.household)), most_rounds)[1]
        plans.append(plan)
    job_kw = np.concatenate([plan.job_kw for plan in plans])
    delay = np.concatenate([plan.delay_eur for plan in plans])
    return Schedule.of_jobs("valley_filling", days, job_kw, delay), rounds


def valley_filling_outcome(days: Days, tariff: Tariff, rules: InstrumentRules) -> Outcome:
    """A profile of 96 numbers per round of every household with jobs."""
    schedule, rounds = filled_valleys(days, rules.valley_eur_per_kwh_per_kw, rules.valley_rounds)
    answers = np.zeros(days.base_kw.shape[:2], dtype=bool)
    answers[days.jobs.day, days.jobs.household] = True
    return Outcome.of(
        schedule,
        paid_eur=supply_eur(schedule.costs(tariff)),
        revealed_bytes=METER_BYTES * rounds * answers.mean(axis=1),
    )
