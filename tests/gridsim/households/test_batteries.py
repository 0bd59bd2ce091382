"""Home batteries: what is stored and what it costs, by hand; plans against linear programming."""

import numpy as np
import pytest
from scipy.optimize import linprog

from gridsim.households.batteries import BatteryKind, self_consumption
from gridsim.households.battery_search import (
    NUM_POWERS,
    cheapest_plan,
    cheapest_plans,
    fill_powers,
    kept,
)

STEP_H, STEPS = 0.25, 96
KIND = BatteryKind(one_way=0.9, kw_per_kwh=0.5, worth_eur_per_kwh=0.07, delay_eur_per_kwh_h=0.01)


def test_a_plan_costs_wear_and_waiting_less_what_is_left() -> None:
    kw = np.zeros(STEPS)
    kw[4], kw[8] = 4.0, -1.8  # 1 kWh in, 0.45 kWh out
    np.testing.assert_allclose(KIND.kept_kwh(kw)[[4, 8]], [0.9, -0.5])
    waiting = 0.01 * 1.0 * 1.0  # an hour after the day's first step
    wear, left = 0.02 * 0.45, 0.07 * (0.9 - 0.5)
    assert KIND.cost_eur(kw[None], np.array([0.02]))[0] == pytest.approx(wear + waiting - left)
    assert kept(4.0, 0.9) == pytest.approx(0.9)
    assert kept(-1.8, 0.9) == pytest.approx(-0.5)


def test_on_its_own_a_battery_stores_any_surplus_and_covers_any_need() -> None:
    own = np.zeros((1, STEPS))
    own[0, :4] = -3.0  # 3 kW of sun for an hour, at most 2 kW fit
    own[0, 10:] = 0.5
    kw = self_consumption(own, np.zeros(1), np.array([4.0]), np.array([0]), KIND)[0]
    np.testing.assert_allclose(kw[:4], 2.0)
    stored = 0.9 * 2.0  # kWh
    np.testing.assert_allclose(kw[10:22], -0.5)
    assert STEP_H * -kw.clip(max=0).sum() == pytest.approx(0.9 * stored)
    later = self_consumption(own, np.zeros(1), np.array([4.0]), np.array([2]), KIND)[0]
    assert later[:2].tolist() == [0.0, 0.0]


def test_a_full_battery_takes_no_more() -> None:
    own = np.full((1, STEPS), -5.0)
    kw = self_consumption(own, np.array([3.9]), np.array([4.0]), np.array([0]), KIND)[0]
    assert STEP_H * 0.9 * kw.sum() == pytest.approx(0.1)


@pytest.mark.parametrize("seed", range(4))
def test_at_given_prices_a_plan_is_nearly_as_cheap_as_linear_programming_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    price, capacity, one_way = rng.uniform(0.1, 0.5, STEPS), 6.0, 0.95
    powers, costs, kw = (
        np.empty((STEPS, NUM_POWERS)),
        np.empty((STEPS, NUM_POWERS)),
        np.empty(STEPS),
    )
    fill_powers(powers, np.zeros(STEPS), 3.0)
    costs = STEP_H * price[:, None] * powers
    cheapest_plan(costs, powers, 0, 0.0, capacity, one_way, kw)
    stored = np.cumsum([kept(each, one_way) for each in kw])
    assert stored.min() > -1e-9
    assert stored.max() < capacity + 1e-9
    lower = np.tril(np.ones((STEPS, STEPS))) * STEP_H
    inside = np.hstack([lower * one_way, -lower / one_way])  # charging, discharging
    best = linprog(
        STEP_H * np.concatenate([price, -price]),
        A_ub=np.vstack([inside, -inside]),
        b_ub=np.concatenate([np.full(STEPS, capacity), np.zeros(STEPS)]),
        bounds=(0.0, 3.0),
    ).fun
    found = STEP_H * (price * kw).sum()
    assert best - 1e-9 <= found <= 0.97 * best  # both earn, so both are below 0


def test_several_batteries_are_planned_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    own, most = rng.normal(0.0, 2.0, (3, STEPS)), np.array([1.0, 2.0, 3.0])
    powers = np.empty((3, STEPS, NUM_POWERS))
    for row in range(3):
        fill_powers(powers[row], own[row], most[row])
    costs = STEP_H * rng.uniform(0.1, 0.5, (3, STEPS, 1)) * powers
    first, stored, together = np.array([0, 10, 20]), np.array([0.0, 1.0, 2.0]), np.empty((3, STEPS))
    cheapest_plans(costs, powers, first, stored, 2 * most, 0.95, together)
    for row in range(3):
        alone = np.empty(STEPS)
        cheapest_plan(costs[row], powers[row], first[row], stored[row], 2 * most[row], 0.95, alone)
        assert alone.tolist() == together[row].tolist()
        assert (alone[: first[row]] == 0.0).all()
