"""References that know what learners know: a planner beats selfish play; nothing is peeked at."""

from dataclasses import replace

import numpy as np

from gridsim.game.in_turn import InTurnEnv
from gridsim.households.households import Days
from gridsim.households.outlook import Outlook
from gridsim.references.same_information import (
    PLANNER_BY_RULE,
    SELFISH_BY_RULE,
    cost_weights,
    outlook_of_past_days,
    random_schedule,
    schedule_by_rule,
)
from tests.gridsim.game.in_turn_world import N, small_world, some_days


def build(days: Days | None, outlook: Outlook | None) -> InTurnEnv:
    return InTurnEnv(small_world(), 8, days=days, history=outlook)


def cost_eur(row: str, days: Days) -> float:
    outlook = outlook_of_past_days(row, build, np.arange(4))
    schedule = schedule_by_rule(row, days, outlook, build)
    return float(schedule.costs(small_world().tariff).social_cost_eur.sum())


def test_a_planner_with_the_same_information_beats_selfish_play() -> None:
    days = some_days(16, 8)
    assert cost_eur(PLANNER_BY_RULE, days) < cost_eur(SELFISH_BY_RULE, days)


def test_the_selfish_pay_their_share_of_the_charge_alone() -> None:
    assert cost_weights(SELFISH_BY_RULE, N)[2] == 1 / N
    assert cost_weights(PLANNER_BY_RULE, N)[1:3] == (2.0, 1.0)


def test_random_plans_cost_more_than_chosen_ones() -> None:
    days = some_days(16, 8)
    outlook = outlook_of_past_days(SELFISH_BY_RULE, build, np.arange(4))
    drawn = random_schedule(days, outlook, build, 0)
    cost = drawn.costs(small_world().tariff).social_cost_eur.sum()
    assert cost > cost_eur(PLANNER_BY_RULE, days)


def test_a_household_decides_by_its_own_delay_cost() -> None:
    days = some_days(8, 9)
    dear = replace(days, jobs=replace(days.jobs, delay_cost=100.0 * days.jobs.delay_cost))
    outlook = outlook_of_past_days(SELFISH_BY_RULE, build, np.arange(4))
    waits = [
        schedule_by_rule(SELFISH_BY_RULE, each, outlook, build).job_kw @ np.arange(96)
        for each in (days, dear)
    ]
    assert waits[1].sum() < waits[0].sum()
