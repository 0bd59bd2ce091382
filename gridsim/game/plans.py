"""Plans a household chooses among at its turn, built by public rules for the load expected.

Rules use the job's announcement, the tariff and the public outlook only, so whoever receives the
announcement knows every plan. Beside the plans at once, and evenly spread or as planned, each rule
(θ, δ) gives the plan that minimises, at the load expected,

    own bill + own share of the charge + θ (what the plan adds to others' costs) + δ delay

θ = 0, δ = 1 is best for its owner, θ = 1, δ = 1 for all together; delay counts as for the mean
household, since what it costs its owner is private. Where feeding in earns less than buying costs,
the own bill takes account of the household's own net load: its plans then give that away, and the
announcement holds them.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.game.tariff import Tariff
from gridsim.households.batteries import self_consumption
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.households.schedules import EV_LEVELS

RULES = ((0.0, 1.0), (1.0, 1.0), (0.2, 1.0), (1.0, 3.0), (0.0, 3.0), (2.0, 1.0))  # (θ, δ)
NUM_FIXED = 2  # at once; evenly (a car's first turn), last start (a cycle's) or as planned (later)
MOST_PLANS = NUM_FIXED + len(RULES)
OUT_OF_WINDOW_EUR = 1e6


class OpenJobs(NamedTuple):
    """Jobs whose rest is to be planned now, one row each."""

    now: Int[np.ndarray, " k"]
    end: Int[np.ndarray, " k"]  # run before this step
    duration: Int[np.ndarray, " k"]
    cycle_kw: Float[np.ndarray, "k cycle"]
    units: Int[np.ndarray, " k"]  # what is left of a car's; 0 for cycles
    delay_cost: Float[np.ndarray, " k"]  # public: the mean of its kind; EUR/h, cars EUR/kWh/h
    planned_kw: Float[np.ndarray, "k step"]  # from now on; zeros at the first turn
    is_first: Bool[np.ndarray, " k"]
    own_kw: Float[np.ndarray, "k step"]  # what the household draws without the job
    battery_kwh: Float[np.ndarray, " k"]  # usable capacity; 0: not a battery
    stored_kwh: Float[np.ndarray, " k"]  # now


def plans_by_rules(
    jobs: OpenJobs,
    expected_kw: Float[np.ndarray, "k step"],
    tariff: Tariff,
    households: int,
    days: Days,
    num_actions: int,
) -> tuple[Float[np.ndarray, "k action step"], Bool[np.ndarray, "k action"]]:
    """Load [kW] of every plan from now on, and which differ from those before them.

    `expected_kw` is per household and without the job itself.
    """
    plans = np.zeros((len(jobs.now), num_actions, STEPS_PER_DAY), dtype=np.float32)
    rules = RULES[: num_actions - NUM_FIXED]
    is_battery, is_car = jobs.battery_kwh > 0.0, jobs.units > 0
    for rows, plans_of in (
        (np.flatnonzero(is_car), _car_plans),
        (np.flatnonzero(~is_car & ~is_battery), _cycle_plans),
        (np.flatnonzero(is_battery), _battery_plans),
    ):
        if len(rows):
            some = OpenJobs(*(column[rows] for column in jobs))
            plans[rows] = plans_of(some, expected_kw[rows], tariff, households, days, rules)
    later = np.flatnonzero(~jobs.is_first)
    plans[later, 1] = jobs.planned_kw[later]
    return plans, _is_new(plans)


def _is_new(plans: Float[np.ndarray, "k action step"]) -> Bool[np.ndarray, "k action"]:
    new = np.ones(plans.shape[:2], dtype=bool)
    for action in range(1, plans.shape[1]):
        apart = np.abs(plans[:, :action] - plans[:, action, None]).sum(axis=-1)
        new[:, action] = (apart >= 1e-3).all(axis=1)
    return new


def step_costs(
    expected_kw: Float[np.ndarray, "k step"],
    add_kw: Float[np.ndarray, "*#k_step level"],
    toll: float,
    tariff: Tariff,
    households: int,
    own_kw: Float[np.ndarray, "k step"],
) -> Float[np.ndarray, "k step level"]:
    """EUR that drawing `add_kw` in a step costs its owner, and others times the toll θ."""
    load = expected_kw[..., None]
    over = tariff.excess_kw(load)
    after = tariff.excess_kw(load + add_kw / households)
    bill = tariff.base_price[:, None] + (1.0 + toll) * tariff.beta * load
    charge = (1.0 + toll * (households - 1)) * tariff.gamma * (after**2 - over**2)
    cost = STEP_H * ((bill + tariff.beta / households * add_kw) * add_kw + charge)
    if tariff.feed_in_loss is None:
        return cost
    fed_in = np.maximum(-own_kw[..., None] - add_kw, 0.0) - np.maximum(-own_kw, 0.0)[..., None]
    return cost + STEP_H * tariff.feed_in_loss[:, None] * fed_in


Rules = tuple[tuple[float, float], ...]


def _car_plans(
    jobs: OpenJobs,
    expected_kw: Float[np.ndarray, "k step"],
    tariff: Tariff,
    households: int,
    days: Days,
    rules: Rules,
) -> Float[np.ndarray, "k action step"]:
    """Level-steps in the cheapest steps: exact, for a step's next level never costs less."""
    level_kw = days.ev_level_kw
    count, steps = len(jobs.now), np.arange(STEPS_PER_DAY)
    inside = (steps >= jobs.now[:, None]) & (steps < jobs.end[:, None])
    units = np.zeros((count, NUM_FIXED + len(rules), STEPS_PER_DAY))
    after, left = steps - jobs.now[:, None], jobs.units[:, None]
    units[:, 0] = np.clip(left - EV_LEVELS * after, 0, EV_LEVELS) * inside
    window = np.maximum(jobs.end - jobs.now, 1)[:, None]
    units[:, 1] = ((after + 1) * left // window - after * left // window) * inside
    levels = level_kw * np.arange(EV_LEVELS + 1)
    unit_delay = jobs.delay_cost[:, None] * level_kw * STEP_H * STEP_H * np.maximum(after, 0)
    each = np.arange(count)[:, None]
    for action, (toll, delay) in enumerate(rules, NUM_FIXED):
        cost = step_costs(expected_kw, levels, toll, tariff, households, jobs.own_kw)
        cost = np.diff(cost, axis=-1)
        cost += np.where(inside, delay * unit_delay, OUT_OF_WINDOW_EUR)[..., None]
        cheapest = np.argsort(cost.reshape(count, -1), axis=1, kind="stable")
        taken = np.zeros(cheapest.shape)
        taken[each, cheapest] = np.arange(cheapest.shape[1]) < left
        units[:, action] = taken.reshape(cost.shape).sum(axis=-1)
    return units * level_kw


def _cycle_plans(
    jobs: OpenJobs,
    expected_kw: Float[np.ndarray, "k step"],
    tariff: Tariff,
    households: int,
    days: Days,
    rules: Rules,
) -> Float[np.ndarray, "k action step"]:
    """The cheapest start of each rule; at once and as late as possible before them."""
    del days
    count, length = jobs.cycle_kw.shape
    steps = np.arange(STEPS_PER_DAY)
    last = np.maximum(jobs.end - jobs.duration, jobs.now)
    possible = (steps >= jobs.now[:, None]) & (steps <= last[:, None])
    wait = STEP_H * np.maximum(steps - jobs.now[:, None], 0) * jobs.delay_cost[:, None]
    starts = np.zeros((count, NUM_FIXED + len(rules)), dtype=np.int64)
    starts[:, 0], starts[:, 1] = jobs.now, last
    bill, congestion, charge = _start_costs(
        jobs.cycle_kw, expected_kw, tariff, households, jobs.own_kw
    )
    for action, (toll, delay) in enumerate(rules, NUM_FIXED):
        cost = bill + (1.0 + toll) * congestion + (1.0 + toll * (households - 1)) * charge
        cost = np.where(possible, STEP_H * cost + delay * wait, OUT_OF_WINDOW_EUR)
        starts[:, action] = cost.argmin(axis=1)
    load = np.zeros((*starts.shape, STEPS_PER_DAY + length))
    where = starts[..., None] + np.arange(length)
    np.put_along_axis(load, where, np.broadcast_to(jobs.cycle_kw[:, None], where.shape), axis=2)
    return load[..., :STEPS_PER_DAY]


def _battery_plans(
    jobs: OpenJobs,
    expected_kw: Float[np.ndarray, "k step"],
    tariff: Tariff,
    households: int,
    days: Days,
    rules: Rules,
) -> Float[np.ndarray, "k action step"]:
    """Self-consumption; nothing; and the cheapest of each rule, whose δ counts wear."""
    from gridsim.households.battery_search import (  # compiled: only where there are batteries
        NUM_POWERS,
        cheapest_plans,
        fill_powers,
    )

    kind, count = days.battery, len(jobs.now)
    own_kw = np.ascontiguousarray(jobs.own_kw, dtype=np.float64)
    plans = np.zeros((count, NUM_FIXED + len(rules), STEPS_PER_DAY))
    plans[:, 0] = self_consumption(own_kw, jobs.stored_kwh, jobs.battery_kwh, jobs.now, kind)
    powers = np.empty((count, STEPS_PER_DAY, NUM_POWERS))
    for row in range(count):
        fill_powers(powers[row], own_kw[row], kind.kw_per_kwh * jobs.battery_kwh[row])
    step, wear = np.arange(STEPS_PER_DAY)[:, None], jobs.delay_cost[:, None, None]
    private_eur = kind.step_eur(powers, wear, step)
    stored_eur = kind.step_eur(powers, np.zeros(1), np.zeros(1))  # without wear and waiting
    for action, (toll, delay) in enumerate(rules, NUM_FIXED):
        cost = step_costs(expected_kw, powers, toll, tariff, households, own_kw)
        cost += delay * (private_eur - stored_eur) + stored_eur
        kw = np.empty((count, STEPS_PER_DAY))
        cheapest_plans(cost, powers, jobs.now, jobs.stored_kwh, jobs.battery_kwh, kind.one_way, kw)
        plans[:, action] = kw
    return plans


def _start_costs(
    cycle_kw: Float[np.ndarray, "k cycle"],
    expected_kw: Float[np.ndarray, "k step"],
    tariff: Tariff,
    households: int,
    own_kw: Float[np.ndarray, "k step"],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a cycle at every start, over STEP_H: own bill, congestion, own share of the charge."""
    length = cycle_kw.shape[1]
    view = np.lib.stride_tricks.sliding_window_view
    padded = np.concatenate([expected_kw, np.zeros(cycle_kw.shape)], axis=1)
    windows = view(padded, length, axis=1)[:, :STEPS_PER_DAY]
    prices = view(np.pad(tariff.base_price, (0, length)), length)[:STEPS_PER_DAY]
    add = cycle_kw[:, None, :]
    over = tariff.excess_kw(windows) ** 2
    after = tariff.excess_kw(windows + add / households) ** 2
    charge = tariff.gamma * (after - over).sum(axis=-1)
    bill = ((prices + tariff.beta / households * add) * add).sum(axis=-1)
    if tariff.feed_in_loss is not None:
        padded = np.concatenate([own_kw, np.zeros(cycle_kw.shape)], axis=1)
        own = view(padded, length, axis=1)[:, :STEPS_PER_DAY]
        lost = view(np.pad(tariff.feed_in_loss, (0, length)), length)[:STEPS_PER_DAY]
        bill += (lost * (np.maximum(-own - add, 0.0) - np.maximum(-own, 0.0))).sum(axis=-1)
    return bill, tariff.beta * (windows * add).sum(axis=-1), charge
