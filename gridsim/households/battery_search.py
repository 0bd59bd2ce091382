"""The cheapest plan of a battery at given costs: dynamic programming over what is stored.

Compiled; importing this module imports numba. The costs of a step are known for a few powers, which
include the one that makes the household draw nothing. Between grid points of what is stored the
cost to come is interpolated, so that a plan is as good as the grid: not exact.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from gridsim.households.profiles import STEP_H

GRID = 33  # points from empty to full
SHARES = (0.125, 0.25, 0.5, 1.0)  # of the highest power, each way
NUM_POWERS = 3 + 2 * len(SHARES)
EMPTY_KWH = 1e-9

kernel = njit(cache=True, error_model="numpy")


@kernel
@no_type_check
def fill_powers(powers, own_kw, most_kw):
    """Powers to choose from: none, what makes the household draw nothing, half of it, shares."""
    for t in range(len(own_kw)):
        follow = min(max(-own_kw[t], -most_kw), most_kw)
        powers[t, 0] = 0.0
        powers[t, 1] = follow
        powers[t, 2] = 0.5 * follow
        for k in range(len(SHARES)):
            powers[t, 3 + 2 * k] = SHARES[k] * most_kw
            powers[t, 4 + 2 * k] = -SHARES[k] * most_kw


@kernel
@no_type_check
def kept(kw, one_way):
    """kWh that a step at this power adds to what is stored."""
    return STEP_H * (kw * one_way if kw > 0.0 else kw / one_way)


@kernel
@no_type_check
def to_come(value, stored, capacity):
    """Cost to come with so much stored, between grid points."""
    place = stored / capacity * (GRID - 1)
    low = min(int(place), GRID - 2)
    share = place - low
    return (1.0 - share) * value[low] + share * value[low + 1]


@kernel
@no_type_check
def cheapest_plan(costs, powers, first, stored, capacity, one_way, kw):
    """Write the plan from step `first` on into `kw`; costs and powers are (step, power)."""
    steps = len(kw)
    value = np.zeros((steps + 1, GRID))
    for t in range(steps - 1, first - 1, -1):
        for g in range(GRID):
            at = capacity * g / (GRID - 1)
            best = np.inf
            for k in range(powers.shape[1]):
                after = at + kept(powers[t, k], one_way)
                if after < -EMPTY_KWH or after > capacity + EMPTY_KWH:
                    continue
                after = min(max(after, 0.0), capacity)
                best = min(best, costs[t, k] + to_come(value[t + 1], after, capacity))
            value[t, g] = best
    for t in range(steps):
        kw[t] = 0.0
    for t in range(first, steps):
        best = np.inf
        chosen = 0
        for k in range(powers.shape[1]):
            after = stored + kept(powers[t, k], one_way)
            if after < -EMPTY_KWH or after > capacity + EMPTY_KWH:
                continue
            after = min(max(after, 0.0), capacity)
            cost = costs[t, k] + to_come(value[t + 1], after, capacity)
            if cost < best:
                best, chosen = cost, k
        kw[t] = powers[t, chosen]
        stored = min(max(stored + kept(kw[t], one_way), 0.0), capacity)


@kernel
@no_type_check
def cheapest_plans(costs, powers, first, stored, capacity, one_way, kw):
    """Of several batteries, one row each."""
    for b in range(len(kw)):
        cheapest_plan(costs[b], powers[b], first[b], stored[b], capacity[b], one_way, kw[b])
