"""A certified lower bound on the social cost of one day, and the fractional schedule behind it.

Every job may mix its schedules (the convex hull). The social cost is convex there, so pairwise
Frank-Wolfe steps, one job at a time, approach its minimum, and at any point
C(x) - max_y <∇C(x), x - y> bounds the optimum of the real game from below. Kernels as there.
Batteries are not in it.
"""

from typing import NamedTuple, no_type_check

import numpy as np

from gridsim.households.households import STEP_H, STEPS_PER_DAY
from gridsim.households.schedules import EV_LEVELS
from gridsim.references.kernels import excess, kernel

LINE_SEARCH_HALVINGS = 24
SMOOTH_KW = 0.02  # of feeding in, at the edge; what is bounded lies below the cost, and is smooth
TRANSFERS_PER_VISIT = 8


class Mix(NamedTuple):
    """A fractional joint schedule, changed in place."""

    total_kw: np.ndarray  # (step,)
    own_kw: np.ndarray  # (household, step)
    weight: np.ndarray  # (job, step): share of the start in that step; EVs: level 0..3


@kernel
@no_type_check
def fed_in(own):
    """kW fed in, rounded off at 0 from below."""
    if own >= 0.0:
        return 0.0
    if own > -SMOOTH_KW:
        return own * own / (2.0 * SMOOTH_KW)
    return -own - 0.5 * SMOOTH_KW


@kernel
@no_type_check
def slope(goal, t, load, own):
    """∂C/∂x_it, EUR/kW, of a household that draws `own`."""
    over = excess(goal, load)
    energy = goal.price[t] + 2.0 * goal.total * load
    energy -= goal.feed_in_loss[t] * min(max(-own / SMOOTH_KW, 0.0), 1.0)
    return STEP_H * (energy + 2.0 * goal.charge / goal.households * over)


@kernel
@no_type_check
def set_slopes(goal, mix, household, slopes):
    """∂C/∂x of every step, for one household."""
    own = mix.own_kw[household]
    for t in range(STEPS_PER_DAY):
        slopes[t] = slope(goal, t, mix.total_kw[t], own[t])


@kernel
@no_type_check
def line_search(goal, total_kw, own_kw, direction, first, end, extra, longest):
    """Step length in [0, longest] along `direction` (kW) at which C stops falling."""
    low, high = 0.0, longest
    for k in range(LINE_SEARCH_HALVINGS):
        length = longest if k == 0 else 0.5 * (low + high)
        rise = extra
        for t in range(first, end):
            if direction[t] != 0.0:
                moved = length * direction[t]
                rise += slope(goal, t, total_kw[t] + moved, own_kw[t] + moved) * direction[t]
        if rise <= 0.0:
            low = length
            if k == 0:
                return longest
        else:
            high = length
    return low


@kernel
@no_type_check
def start_scores(day, slopes, j, scores):
    """Linearised cost of every start of a cycle."""
    for start in range(day.arrival[j], day.end[j] - day.duration[j] + 1):
        scores[start] = day.delay_cost[j] * STEP_H * (start - day.arrival[j])
        for k in range(day.duration[j]):
            scores[start] += slopes[start + k] * day.cycle_kw[j, k]


@kernel
@no_type_check
def improve_cycle(day, goal, mix, slopes, j, scores, direction):
    """Move weight from the worst start in use to the best one."""
    first, end = day.arrival[j], day.end[j]
    last = end - day.duration[j] + 1
    start_scores(day, slopes, j, scores)
    best, worst = first, -1
    for s in range(first, last):
        if scores[s] < scores[best]:
            best = s
        if mix.weight[j, s] > 0.0 and (worst < 0 or scores[s] > scores[worst]):
            worst = s
    if scores[worst] - scores[best] <= 1e-12:
        return
    for t in range(first, end):
        direction[t] = 0.0
    for k in range(day.duration[j]):
        direction[best + k] += day.cycle_kw[j, k]
        direction[worst + k] -= day.cycle_kw[j, k]
    extra = day.delay_cost[j] * STEP_H * (best - worst)
    own = mix.own_kw[day.household[j]]
    longest = mix.weight[j, worst]
    moved = line_search(goal, mix.total_kw, own, direction, first, end, extra, longest)
    if moved >= mix.weight[j, worst]:
        mix.weight[j, best] += mix.weight[j, worst]
        mix.weight[j, worst] = 0.0
    else:
        mix.weight[j, best] += moved
        mix.weight[j, worst] -= moved
    for t in range(first, end):
        if direction[t] != 0.0:
            mix.total_kw[t] += moved * direction[t]
            own[t] += moved * direction[t]
            slopes[t] = slope(goal, t, mix.total_kw[t], own[t])


@kernel
@no_type_check
def improve_ev(day, goal, mix, slopes, j, direction):
    """Move charge from the dearest step in use to the cheapest with room, a few times."""
    first, end, p = day.arrival[j], day.end[j], day.level_kw
    hourly = day.delay_cost[j] * STEP_H * STEP_H
    own = mix.own_kw[day.household[j]]
    for _ in range(TRANSFERS_PER_VISIT):
        best, worst = -1, -1
        for t in range(first, end):
            score = slopes[t] + hourly * t
            if mix.weight[j, t] < EV_LEVELS and (best < 0 or score < slopes[best] + hourly * best):
                best = t
            if mix.weight[j, t] > 0.0 and (worst < 0 or score > slopes[worst] + hourly * worst):
                worst = t
        if best < 0 or slopes[worst] - slopes[best] + hourly * (worst - best) <= 1e-12:
            return
        for t in range(first, end):
            direction[t] = 0.0
        direction[best], direction[worst] = p, -p
        longest = min(mix.weight[j, worst], EV_LEVELS - mix.weight[j, best])
        extra = hourly * p * (best - worst)
        moved = line_search(goal, mix.total_kw, own, direction, first, end, extra, longest)
        mix.weight[j, best] += moved
        mix.weight[j, worst] -= moved
        for t in (best, worst):
            mix.total_kw[t] += moved * direction[t]
            own[t] += moved * direction[t]
            slopes[t] = slope(goal, t, mix.total_kw[t], own[t])


@kernel
@no_type_check
def job_gap(day, slopes, mix, j, scores):
    """Linearised cost of job j's mix above that of its best schedule."""
    first, end = day.arrival[j], day.end[j]
    mixed, best = 0.0, 0.0
    if day.units[j] == 0:
        start_scores(day, slopes, j, scores)
        last = end - day.duration[j] + 1
        best = scores[first]
        for s in range(first + 1, last):
            best = min(best, scores[s])
        for s in range(first, last):
            mixed += mix.weight[j, s] * (scores[s] - best)
        return mixed
    for t in range(first, end):
        delay = day.delay_cost[j] * STEP_H * STEP_H * (t - first)
        scores[t] = day.level_kw * (slopes[t] + delay)
        mixed += mix.weight[j, t] * scores[t]
    left = day.units[j]
    while left > 0:
        cheapest = first
        for t in range(first + 1, end):
            if scores[t] < scores[cheapest]:
                cheapest = t
        level = min(left, EV_LEVELS)
        best += level * scores[cheapest]
        scores[cheapest] = np.inf
        left -= level
    return mixed - best


@kernel
@no_type_check
def mix_delay(day, mix, j):
    """Discomfort of job j's mix, EUR."""
    per_step = day.delay_cost[j] * STEP_H
    if day.units[j] > 0:
        per_step *= day.level_kw * STEP_H
    delay = 0.0
    for t in range(day.arrival[j], day.end[j]):
        delay += mix.weight[j, t] * per_step * (t - day.arrival[j])
    return delay


@kernel
@no_type_check
def mix_cost(day, goal, mix):
    """Social cost of the fractional schedule, EUR."""
    cost = 0.0
    for t in range(STEPS_PER_DAY):
        load = mix.total_kw[t]
        over = excess(goal, load)
        cost += STEP_H * (goal.price[t] * load + goal.total * load**2 + goal.charge * over**2)
        for own_kw in mix.own_kw[:, t]:
            cost += STEP_H * goal.feed_in_loss[t] * fed_in(own_kw)
    for j in range(len(day.household)):
        cost += mix_delay(day, mix, j)
    return cost


@kernel
@no_type_check
def relax(day, goal, mix, max_sweeps, relative_gap):
    """Approach the fractional optimum in place; returns the best lower bound on C, and sweeps."""
    scores, direction = np.zeros(STEPS_PER_DAY), np.zeros(STEPS_PER_DAY)
    slopes = np.empty(STEPS_PER_DAY)
    bound = -np.inf
    for sweep in range(max_sweeps):
        gap = 0.0
        for j in range(len(day.household)):
            set_slopes(goal, mix, day.household[j], slopes)
            gap += job_gap(day, slopes, mix, j, scores)
        cost = mix_cost(day, goal, mix)
        bound = max(bound, cost - gap)
        if cost - bound <= relative_gap * abs(cost):
            return bound, sweep
        for j in range(len(day.household)):
            set_slopes(goal, mix, day.household[j], slopes)
            if day.units[j] > 0:
                improve_ev(day, goal, mix, slopes, j, direction)
            else:
                improve_cycle(day, goal, mix, slopes, j, scores, direction)
    return bound, max_sweeps
