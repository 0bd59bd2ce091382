"""What selfish households reach and what planners reach on given days, with certificates.

All references but the restricted ones use every feasible schedule of a job. Days are independent.
Importing this module imports numba: do so where references are computed, not earlier.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEPS_PER_DAY, Days
from gridsim.households.schedules import Candidates
from gridsim.references.config import SearchConfig
from gridsim.references.day_game import (
    as_mix,
    base_price_cost,
    day_jobs,
    marginal_price_cost,
    own_cost,
    plan_of,
    rounded,
    rows_of,
    social_cost,
)
from gridsim.references.kernels import DayJobs, Objective, Plan
from gridsim.references.relaxation import relax
from gridsim.references.searches import (
    NOTHING_TO_COME,
    descended,
    deviation_gain,
    locally_searched,
    placed_in_order,
    resettled,
    start_plan,
)
from ss_core.random_streams import Stream, numpy_generator

MOST_ROUNDS = 12  # of households with batteries that change all their jobs at once


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """Reference schedules of a batch of days, and how good they are certified to be."""

    asap: Schedule
    herd: Schedule
    nash: Schedule  # the equilibrium that best responses reach from ASAP
    optimum: Schedule  # best found
    selfish_rolling: Schedule
    rolling_planner: Schedule
    rolling_planner_forecast: Schedule | None
    pigou: Schedule
    lower_bound_eur: Float[np.ndarray, " day"]  # no schedule costs less
    epsilon_eur: Float[np.ndarray, " day"]  # largest gain found of one household leaving `nash`
    epsilon_bound_eur: Float[np.ndarray, " day"]  # no household can gain more
    nash_cost_eur: Float[np.ndarray, "start day"]  # of equilibria from ASAP and random starts

    @property
    def schedules(self) -> tuple[Schedule, ...]:
        """All that were computed, from no control to best."""
        found = (
            self.asap,
            self.herd,
            self.selfish_rolling,
            self.nash,
            self.rolling_planner,
            self.rolling_planner_forecast,
            self.pigou,
            self.optimum,
        )
        return tuple(schedule for schedule in found if schedule is not None)


def compute_references(
    days: Days,
    tariff: Tariff,
    *,
    to_come_kw: Float[np.ndarray, "arrival step"] | None = None,
    config: SearchConfig | None = None,
) -> References:
    """Every reference of the given days; `to_come_kw` as made by `load_to_come`."""
    config = config or SearchConfig()
    equilibria = nash(days, tariff, config)
    epsilon, bound = deviation_gains(days, tariff, equilibria[0], config)
    best, lower_bound = optimum(days, tariff, config)
    return References(
        asap=asap(days),
        herd=herd(days, tariff),
        nash=equilibria[0],
        optimum=best,
        selfish_rolling=selfish_rolling(days, tariff),
        rolling_planner=rolling_planner(days, tariff),
        rolling_planner_forecast=(
            None if to_come_kw is None else rolling_planner(days, tariff, to_come_kw=to_come_kw)
        ),
        pigou=pigou(days, tariff, config),
        lower_bound_eur=lower_bound,
        epsilon_eur=epsilon.max(axis=1),
        epsilon_bound_eur=bound.max(axis=1),
        nash_cost_eur=np.stack([s.costs(tariff).social_cost_eur for s in equilibria]),
    )


def asap(days: Days) -> Schedule:
    """No control: every job at once, cars at full power."""
    return _each_day("asap", days, lambda d, day: start_plan(day))


def herd(days: Days, tariff: Tariff) -> Schedule:
    """Everybody follows the hourly price shape and the own delay cost only."""
    goal = base_price_cost(tariff, days.num_households)
    return _each_day("herd", days, lambda d, day: descended(day, goal, start_plan(day), 2))


def nash(
    days: Days, tariff: Tariff, config: SearchConfig, candidates: Candidates | None = None
) -> list[Schedule]:
    """Pure equilibria by best responses: from ASAP, then from `num_random_starts` random starts."""
    goal = own_cost(tariff, days.num_households)

    def solve(d: int, day: DayJobs) -> Plan:
        uniform = np.zeros(len(day.household))
        if start > 0:
            uniform = _day_rng(config, days, d, Stream.RANDOM_STARTS, start).random(
                len(day.household)
            )
        plan = descended(day, goal, start_plan(day, uniform), config.max_sweeps)
        return _resettled(day, goal, plan, config, days, d)

    equilibria = []
    for start in range(config.num_random_starts + 1):
        name = "nash" if start == 0 else f"nash_{start}"
        equilibria.append(_each_day(name, days, solve, candidates))
    return equilibria


def pigou(days: Days, tariff: Tariff, config: SearchConfig) -> Schedule:
    """Selfish best responses where the tariff charges marginal social cost."""
    goal = marginal_price_cost(tariff, days.num_households)
    return _each_day(
        "pigou",
        days,
        lambda d, day: descended(day, goal, start_plan(day), config.max_sweeps),
    )


def optimum(
    days: Days, tariff: Tariff, config: SearchConfig
) -> tuple[Schedule, Float[np.ndarray, " day"]]:
    """Best schedule found for C, and a lower bound on C for each day [EUR]."""
    goal = social_cost(tariff, days.num_households)
    bounds = np.empty(days.num_days)

    def solve(d: int, day: DayJobs) -> Plan:
        start = descended(day, goal, start_plan(day), config.max_sweeps)
        if (day.battery_kwh > 0.0).any():
            bounds[d] = np.nan  # the bound knows no batteries
        else:
            mix = as_mix(day, start)
            bounds[d] = relax(day, goal, mix, config.relaxation_sweeps, config.relative_gap)[0]
            start = descended(day, goal, rounded(day, mix), config.max_sweeps)
        rng = _day_rng(config, days, d, Stream.PERTURBATIONS)
        best = _perturbed(day, goal, start, config, rng)
        return _resettled(day, goal, best, config, days, d)

    return _each_day("optimum", days, solve), bounds


def restricted_optimum(
    days: Days, tariff: Tariff, candidates: Candidates, config: SearchConfig
) -> Schedule:
    """Best joint choice found among the candidate plans: what the learner's actions allow."""
    goal = social_cost(tariff, days.num_households)

    def solve(d: int, day: DayJobs) -> Plan:
        plan = descended(day, goal, start_plan(day), config.max_sweeps)
        return _perturbed(day, goal, plan, config, _day_rng(config, days, d, Stream.PERTURBATIONS))

    return _each_day("restricted_optimum", days, solve, candidates)


def selfish_rolling(days: Days, tariff: Tariff, candidates: Candidates | None = None) -> Schedule:
    """Jobs commit on arrival, each minimising its owner's cost given what is committed."""
    goal = own_cost(tariff, days.num_households)
    name = "selfish_rolling" if candidates is None else "restricted_selfish_rolling"
    return _each_day(name, days, lambda d, day: placed_in_order(day, goal), candidates)


def rolling_planner(
    days: Days,
    tariff: Tariff,
    *,
    to_come_kw: Float[np.ndarray, "arrival step"] | None = None,
    candidates: Candidates | None = None,
) -> Schedule:
    """Jobs commit on arrival, each minimising C given what is committed and what is expected."""
    goal = social_cost(tariff, days.num_households)
    name = "rolling_planner" if to_come_kw is None else "rolling_planner_forecast"
    name = name if candidates is None else f"restricted_{name}"
    total_kw = NOTHING_TO_COME if to_come_kw is None else to_come_kw * days.num_households
    return _each_day(name, days, lambda d, day: placed_in_order(day, goal, total_kw), candidates)


def load_to_come(schedule: Schedule, days: Days) -> Float[np.ndarray, "arrival step"]:
    """Mean load [kW per household] in each step of the jobs that arrive after step `arrival`.

    Made from past days (best: their optimum), it is what a planner may expect of a new day.
    """
    by_arrival = np.zeros((STEPS_PER_DAY, STEPS_PER_DAY))
    np.add.at(by_arrival, days.jobs.arrival_step, schedule.job_kw)
    up_to = np.cumsum(by_arrival, axis=0)
    return (up_to[-1] - up_to) / (days.num_days * days.num_households)


def deviation_gains(
    days: Days, tariff: Tariff, schedule: Schedule, config: SearchConfig
) -> tuple[Float[np.ndarray, "day household"], Float[np.ndarray, "day household"]]:
    """Own cost each household could save by revising all its jobs: found, and a bound [EUR]."""
    goal = own_cost(tariff, days.num_households)
    found = np.zeros(days.base_kw.shape[:2])
    bound = np.zeros_like(found)
    for d in range(days.num_days):
        day, rows = day_jobs(days, d), rows_of(days, d)
        plan = plan_of(day, schedule.job_kw[rows], schedule.delay_eur[rows])
        shape = (config.num_deviation_starts, len(day.household))
        uniform = _day_rng(config, days, d, Stream.DEVIATIONS).random(shape)
        for h in np.unique(day.household):
            own = np.flatnonzero(day.household == h)
            found[d, h], bound[d, h] = deviation_gain(day, goal, plan, own, uniform)
    return found, bound


def _each_day(
    name: str,
    days: Days,
    solve: Callable[[int, DayJobs], Plan],
    candidates: Candidates | None = None,
) -> Schedule:
    plans = [solve(d, day_jobs(days, d, candidates)) for d in range(days.num_days)]
    job_kw = np.concatenate([plan.job_kw for plan in plans])
    return Schedule.of_jobs(name, days, job_kw, np.concatenate([plan.delay_eur for plan in plans]))


def _day_rng(
    config: SearchConfig, days: Days, d: int, stream: Stream, *index: int
) -> np.random.Generator:
    """Seeded by the day itself, so that a day's references are the same in any batch."""
    jobs = rows_of(days, d)
    known = (int(days.calendar_day[d]), jobs.stop - jobs.start)
    return numpy_generator(config.seed, stream, *index, *known)


def _resettled(
    day: DayJobs, goal: Objective, plan: Plan, config: SearchConfig, days: Days, d: int
) -> Plan:
    """Of days with batteries only."""
    if not (day.battery_kwh > 0.0).any():
        return plan
    shape = (config.num_deviation_starts, len(day.household))
    uniform = _day_rng(config, days, d, Stream.DEVIATIONS).random(shape)
    return resettled(day, goal, plan, uniform, MOST_ROUNDS)


def _perturbed(
    day: DayJobs, goal: Objective, plan: Plan, config: SearchConfig, rng: np.random.Generator
) -> Plan:
    count = len(day.household)
    everyone = np.tile(np.arange(count), (config.num_perturbations, 1))
    picks = rng.permuted(everyone, axis=1)[:, : min(config.perturbation_jobs, count)]
    return locally_searched(day, goal, plan, np.ascontiguousarray(picks), config.max_sweeps)


def random_schedule(days: Days, rng: np.random.Generator) -> Schedule:
    """Every job at a random feasible time, as the random starts of the equilibria."""
    return _each_day("random", days, lambda d, day: start_plan(day, rng.random(len(day.household))))
