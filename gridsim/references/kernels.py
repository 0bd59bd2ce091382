"""Compiled kernels of the scheduling game: best responses, descent, placing jobs one by one.

One day at a time, plain arrays. Importing this module imports numba. What the objectives
mean is in `game.py`.

An objective is delay costs plus the sum over steps t of
    Δ [a L + q L² + s Σ_i x_i² + g ((L/N - κ)₊² + (-L/N - κ')₊²)
       + v Σ_i x_i ((L/N - κ)₊ - (-L/N - κ')₊) + w Σ_i (-x_i)₊];
each reference is a choice of (q, s, g, v). Loops copy rows, as array expressions compile slowly.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from numba import njit

from gridsim.households.battery_search import NUM_POWERS, cheapest_plan, fill_powers, kept
from gridsim.households.households import STEP_H, STEPS_PER_DAY
from gridsim.households.schedules import EV_LEVELS

TOLERANCE_EUR = 1e-9  # a move must gain more than this
NO_START = -1

kernel = njit(cache=True, error_model="numpy")


class DayJobs(NamedTuple):
    """The jobs of one day in any order; `Jobs` columns and the base load they come on top of."""

    household: np.ndarray
    arrival: np.ndarray
    end: np.ndarray
    duration: np.ndarray
    cycle_kw: np.ndarray  # (job, cycle)
    units: np.ndarray
    delay_cost: np.ndarray
    base_kw: np.ndarray  # (household, step)
    level_kw: float
    battery_kwh: np.ndarray  # (job,) usable capacity; 0: not a battery
    one_way: float
    kw_per_kwh: float
    worth: float  # EUR/kWh of what is left in a battery
    waiting: float  # EUR/kWh per hour that it is charged later
    plan_kw: np.ndarray  # (job, action, step): the only plans allowed; no action: all feasible ones
    plan_eur: np.ndarray  # (job, action), inf where illegal


class Objective(NamedTuple):
    """Coefficients of the formula in the module's first lines."""

    price: np.ndarray  # a_t
    total: float  # q
    own: float  # s
    charge: float  # g
    toll: float  # v
    kappa: float
    households: int
    kappa_feed_in: float  # κ'
    feed_in_loss: np.ndarray  # w_t


class Plan(NamedTuple):
    """A joint schedule, changed in place by the kernels."""

    total_kw: np.ndarray  # (step,)
    own_kw: np.ndarray  # (household, step)
    job_kw: np.ndarray  # (job, step)
    delay_eur: np.ndarray  # (job,)


@kernel
@no_type_check
def excess(goal, load):
    """kW/household beyond what the feeder carries; below 0 in reverse flow."""
    mean = load / goal.households
    if mean >= 0.0:
        return max(mean - goal.kappa, 0.0)
    return -max(-mean - goal.kappa_feed_in, 0.0)


@kernel
@no_type_check
def added_cost(goal, t, load, own, add):
    """EUR by which `add` kW in step t raise the objective when all draw `load`, the owner `own`."""
    before = excess(goal, load)
    after = excess(goal, load + add)
    energy = goal.price[t] + goal.total * (2.0 * load + add) + goal.own * (2.0 * own + add)
    charge = goal.charge * (after * after - before * before)
    toll = goal.toll * ((own + add) * after - own * before)
    fed_in = max(-own - add, 0.0) - max(-own, 0.0)
    return STEP_H * (energy * add + charge + toll + goal.feed_in_loss[t] * fed_in)


@kernel
@no_type_check
def shift_job(day, plan, j, sign):
    """Add (+1) or take out (-1) what job j draws."""
    h = day.household[j]
    for t in range(day.arrival[j], STEPS_PER_DAY):
        if plan.job_kw[j, t] != 0.0:
            plan.total_kw[t] += sign * plan.job_kw[j, t]
            plan.own_kw[h, t] += sign * plan.job_kw[j, t]


@kernel
@no_type_check
def job_cost(day, goal, plan, j):
    """Objective added by job j's present plan; the job must be taken out of the plan's sums."""
    own = plan.own_kw[day.household[j]]
    cost = plan.delay_eur[j]
    for t in range(day.arrival[j], STEPS_PER_DAY):
        if plan.job_kw[j, t] != 0.0:
            cost += added_cost(goal, t, plan.total_kw[t], own[t], plan.job_kw[j, t])
    return cost


@kernel
@no_type_check
def best_start(day, goal, plan, j):
    """Cheapest start step of a fixed cycle, and its cost."""
    own = plan.own_kw[day.household[j]]
    length = day.duration[j]
    best, best_cost = NO_START, np.inf
    for start in range(day.arrival[j], day.end[j] - length + 1):
        cost = day.delay_cost[j] * STEP_H * (start - day.arrival[j])
        for k in range(length):
            t = start + k
            cost += added_cost(goal, t, plan.total_kw[t], own[t], day.cycle_kw[j, k])
        if cost < best_cost:
            best, best_cost = start, cost
    return best, best_cost


@kernel
@no_type_check
def best_levels(day, goal, plan, j, levels):
    """Fill `levels` with the cheapest charging plan: greedy, exact as step costs are convex."""
    own = plan.own_kw[day.household[j]]
    first, end, p = day.arrival[j], day.end[j], day.level_kw
    unit_delay = day.delay_cost[j] * p * STEP_H * STEP_H
    marginal = np.empty(STEPS_PER_DAY)
    for t in range(first, end):
        marginal[t] = added_cost(goal, t, plan.total_kw[t], own[t], p) + unit_delay * (t - first)
    cost = 0.0
    for _ in range(day.units[j]):
        t = first
        for other in range(first + 1, end):
            if marginal[other] < marginal[t]:
                t = other
        cost += marginal[t]
        levels[t] += 1
        if levels[t] == EV_LEVELS:
            marginal[t] = np.inf
        else:
            drawn = levels[t] * p
            marginal[t] = added_cost(
                goal, t, plan.total_kw[t] + drawn, own[t] + drawn, p
            ) + unit_delay * (t - first)
    return cost


@kernel
@no_type_check
def best_battery(day, goal, plan, j, kw):
    """Fill `kw` with the cheapest plan of a battery that is found, and its cost."""
    own = plan.own_kw[day.household[j]]
    capacity = day.battery_kwh[j]
    powers = np.empty((STEPS_PER_DAY, NUM_POWERS))
    costs = np.empty((STEPS_PER_DAY, NUM_POWERS))
    fill_powers(powers, own, day.kw_per_kwh * capacity)
    for t in range(STEPS_PER_DAY):
        for k in range(NUM_POWERS):
            add = powers[t, k]
            costs[t, k] = added_cost(goal, t, plan.total_kw[t], own[t], add)
            costs[t, k] += battery_step_eur(day, j, t, add)
    cheapest_plan(costs, powers, day.arrival[j], 0.0, capacity, day.one_way, kw)
    cost = 0.0
    for t in range(STEPS_PER_DAY):
        if kw[t] != 0.0:
            cost += added_cost(goal, t, plan.total_kw[t], own[t], kw[t])
            cost += battery_step_eur(day, j, t, kw[t])
    return cost


@kernel
@no_type_check
def battery_step_eur(day, j, t, kw):
    """As `BatteryKind.step_eur`."""
    wear = STEP_H * day.delay_cost[j] * max(-kw, 0.0)
    waiting = day.waiting * STEP_H * t * STEP_H * max(kw, 0.0)
    return wear + waiting - day.worth * kept(kw, day.one_way)


@kernel
@no_type_check
def set_battery(day, plan, j, kw):
    """Write a battery's plan, without adding it to the sums."""
    plan.delay_eur[j] = 0.0
    for t in range(STEPS_PER_DAY):
        plan.job_kw[j, t] = kw[t]
        plan.delay_eur[j] += battery_step_eur(day, j, t, kw[t])


@kernel
@no_type_check
def store_at_once(day, plan, j, kw):
    """Self-consumption, as `batteries.self_consumption`."""
    own = plan.own_kw[day.household[j]]
    stored, capacity = 0.0, day.battery_kwh[j]
    most = day.kw_per_kwh * capacity
    for t in range(STEPS_PER_DAY):
        room = (capacity - stored) / (day.one_way * STEP_H)
        left = stored * day.one_way / STEP_H
        kw[t] = min(max(-own[t], -min(most, left)), min(most, room))
        if t < day.arrival[j]:
            kw[t] = 0.0
        stored += kept(kw[t], day.one_way)


@kernel
@no_type_check
def best_listed(day, goal, plan, j):
    """Cheapest of the listed plans of a job, and its cost."""
    own = plan.own_kw[day.household[j]]
    best, best_cost = 0, np.inf
    for a in range(day.plan_kw.shape[1]):
        cost = day.plan_eur[j, a]
        for t in range(day.arrival[j], STEPS_PER_DAY):
            if day.plan_kw[j, a, t] != 0.0:
                cost += added_cost(goal, t, plan.total_kw[t], own[t], day.plan_kw[j, a, t])
        if cost < best_cost:
            best, best_cost = a, cost
    return best, best_cost


@kernel
@no_type_check
def set_start(day, plan, j, start):
    """Write a cycle's plan, without adding it to the sums."""
    for t in range(STEPS_PER_DAY):
        plan.job_kw[j, t] = 0.0
    for k in range(day.duration[j]):
        plan.job_kw[j, start + k] = day.cycle_kw[j, k]
    plan.delay_eur[j] = day.delay_cost[j] * STEP_H * (start - day.arrival[j])


@kernel
@no_type_check
def set_levels(day, plan, j, levels):
    """Write an EV's plan, without adding it to the sums."""
    unit_delay = day.delay_cost[j] * day.level_kw * STEP_H * STEP_H
    plan.delay_eur[j] = 0.0
    for t in range(STEPS_PER_DAY):
        plan.job_kw[j, t] = levels[t] * day.level_kw
        plan.delay_eur[j] += unit_delay * levels[t] * (t - day.arrival[j])


@kernel
@no_type_check
def set_listed(day, plan, j, action):
    """Write a listed plan, without adding it to the sums."""
    for t in range(STEPS_PER_DAY):
        plan.job_kw[j, t] = day.plan_kw[j, action, t]
    plan.delay_eur[j] = day.plan_eur[j, action]


@kernel
@no_type_check
def respond(day, goal, plan, j, present_cost):
    """Give job j (taken out) its best plan if cheaper than now; returns what it then costs."""
    if day.plan_kw.shape[1] > 0:
        action, cost = best_listed(day, goal, plan, j)
        if cost < present_cost - TOLERANCE_EUR:
            set_listed(day, plan, j, action)
            return cost
    elif day.battery_kwh[j] > 0.0:
        kw = np.empty(STEPS_PER_DAY)
        cost = best_battery(day, goal, plan, j, kw)
        if cost < present_cost - TOLERANCE_EUR:
            set_battery(day, plan, j, kw)
            return cost
    elif day.units[j] > 0:
        levels = np.zeros(STEPS_PER_DAY, np.int64)
        cost = best_levels(day, goal, plan, j, levels)
        if cost < present_cost - TOLERANCE_EUR:
            set_levels(day, plan, j, levels)
            return cost
    else:
        start, cost = best_start(day, goal, plan, j)
        if cost < present_cost - TOLERANCE_EUR:
            set_start(day, plan, j, start)
            return cost
    return present_cost


@kernel
@no_type_check
def descend(day, goal, plan, jobs, max_sweeps):
    """Best responses of `jobs` in turn until none gains; returns the total gain and the sweeps."""
    gained = 0.0
    for sweep in range(max_sweeps):
        gained_now = 0.0
        for j in jobs:
            shift_job(day, plan, j, -1.0)
            present = job_cost(day, goal, plan, j)
            gained_now += present - respond(day, goal, plan, j, present)
            shift_job(day, plan, j, 1.0)
        gained += gained_now
        if gained_now == 0.0:
            return gained, sweep + 1
    return gained, max_sweeps


@kernel
@no_type_check
def take_out(day, goal, plan, jobs):
    """Take `jobs` out of the plan's sums one by one; returns what they cost together."""
    cost = 0.0
    for j in jobs:
        shift_job(day, plan, j, -1.0)
        cost += job_cost(day, goal, plan, j)
    return cost


@kernel
@no_type_check
def place(day, goal, plan, jobs, forecast_kw):
    """Put `jobs` (taken out) in one by one, each at its best; returns what they cost together.

    Job j counts with the plan's sums and `forecast_kw[s]` on top, where s is the step it arrives.
    """
    cost = 0.0
    for j in jobs:
        last = STEPS_PER_DAY - 1  # batteries come after all jobs: nothing is still to come
        arrival = last if day.battery_kwh[j] > 0.0 else day.arrival[j]
        for t in range(STEPS_PER_DAY):
            plan.total_kw[t] += forecast_kw[arrival, t]
        cost += respond(day, goal, plan, j, np.inf)
        for t in range(STEPS_PER_DAY):
            plan.total_kw[t] -= forecast_kw[arrival, t]
        shift_job(day, plan, j, 1.0)
    return cost


@kernel
@no_type_check
def set_random(day, plan, j, uniform):
    """Write a feasible plan picked by `uniform` in [0, 1); 0 starts at once, EVs at full power.

    A battery covers what its household draws, or does nothing.
    """
    if day.plan_kw.shape[1] > 0:
        action = int(uniform * day.plan_eur.shape[1])
        while not np.isfinite(day.plan_eur[j, action]):  # action 0 is always legal
            action -= 1
        set_listed(day, plan, j, action)
    elif day.battery_kwh[j] > 0.0:
        kw = np.zeros(STEPS_PER_DAY)
        if uniform < 0.5:
            store_at_once(day, plan, j, kw)
        set_battery(day, plan, j, kw)
    elif day.units[j] > 0:
        window = day.end[j] - day.arrival[j]
        first, left = int(uniform * window), day.units[j]
        levels = np.zeros(STEPS_PER_DAY, np.int64)
        for k in range(window):  # from `first` on, around the end of the window
            level = min(left, EV_LEVELS)
            levels[day.arrival[j] + (first + k) % window] = level
            left -= level
        set_levels(day, plan, j, levels)
    else:
        starts = day.end[j] - day.duration[j] - day.arrival[j] + 1
        set_start(day, plan, j, day.arrival[j] + int(uniform * starts))


@kernel
@no_type_check
def place_randomly(day, plan, jobs, uniform):
    """Put `jobs` (taken out) in, each with the plan that `uniform[j]` picks."""
    for j in jobs:
        set_random(day, plan, j, uniform[j])
        shift_job(day, plan, j, 1.0)
