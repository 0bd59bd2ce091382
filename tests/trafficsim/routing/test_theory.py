"""Bottleneck theory: figures worked out independently, small cases by brute force, invariants."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.routing_theory import (
    NECK_FIRST,
    NECK_LAST,
    SHORTCUT,
    Braess,
    TwoRoutes,
    braess_equilibrium,
    braess_times_s,
    price_of_anarchy,
    service_headway_s,
    two_route_equilibrium,
    two_route_optimum,
    two_route_times_s,
)

BUNDLED = TwoRoutes(num_drivers=60, headway_s=3.0, service_s=6.0, short_s=44.0, detour_s=82.0)
SMALL = Braess(
    num_drivers=4,
    headway_s=2.0,
    service_s=6.0,
    ends_s=5.0,
    neck_s=10.0,
    long_s=40.0,
    shortcut_s=1.0,
)
RUSH = replace(SMALL, num_drivers=60, headway_s=3.2, ends_s=14.7, neck_s=28.4, long_s=58.9)

roads = st.builds(
    lambda n, headway, service, short, more: TwoRoutes(
        num_drivers=n,
        headway_s=headway,
        service_s=service,
        short_s=short,
        detour_s=short + more,
    ),
    st.integers(1, 9),
    st.floats(0.5, 9.0),
    st.floats(0.5, 9.0),
    st.floats(1.0, 50.0),
    st.floats(0.0, 40.0),
)


@pytest.mark.parametrize(("speed", "headway"), [(1.5, 6.0), (3.0, 3.5), (2.0, 4.75)])
def test_a_neck_serves_a_vehicle_every_second_and_the_time_of_its_length(
    speed: float, headway: float
) -> None:
    assert service_headway_s(speed) == pytest.approx(headway)


@pytest.mark.parametrize(
    ("drivers", "selfish_s", "on_short", "best_s"),
    [(40, 74.85, 26, 61.27), (60, 76.90, 36, 61.85), (100, 78.54, 56, 62.31)],
)
def test_the_two_routes_have_the_figures_known(
    drivers: int, selfish_s: float, on_short: int, best_s: float
) -> None:
    road = replace(BUNDLED, num_drivers=drivers)
    selfish, best = two_route_equilibrium(road), two_route_optimum(road)
    assert selfish.mean_s == pytest.approx(selfish_s, abs=0.006)
    assert np.count_nonzero(selfish.routes == 0) == on_short
    assert best.mean_s == pytest.approx(best_s, abs=0.006)


def test_the_bundled_rush_hour_costs_a_quarter_more_than_it_must() -> None:
    selfish, best = two_route_equilibrium(BUNDLED), two_route_optimum(BUNDLED)
    assert price_of_anarchy(selfish, best) == pytest.approx(1.243, abs=0.001)


def test_three_drivers_by_hand() -> None:
    road = TwoRoutes(num_drivers=3, headway_s=1.0, service_s=4.0, short_s=10.0, detour_s=14.0)
    assert two_route_times_s(road, np.ones(3, bool)).tolist() == [10.0, 13.0, 16.0]
    assert two_route_equilibrium(road).routes.tolist() == [0, 0, 1]
    assert two_route_optimum(road).times_s.sum() == pytest.approx(10.0 + 14.0 + 12.0)


@given(roads)
def test_the_optimum_is_that_of_all_splits(road: TwoRoutes) -> None:
    splits = product((True, False), repeat=road.num_drivers)
    least_s = min(two_route_times_s(road, np.array(split)).mean() for split in splits)
    assert two_route_optimum(road).mean_s == pytest.approx(least_s)


@given(roads)
def test_nobody_gains_by_leaving_the_equilibrium_and_anarchy_costs_something(
    road: TwoRoutes,
) -> None:
    selfish = two_route_equilibrium(road)
    for driver in range(road.num_drivers):
        on_short = selfish.routes == 0
        on_short[driver] = ~on_short[driver]
        changed_s = two_route_times_s(road, on_short)[driver]
        assert changed_s >= selfish.times_s[driver] - 1e-9
    assert price_of_anarchy(selfish, two_route_optimum(road)) >= 1.0 - 1e-12


def test_without_a_queue_there_is_nothing_to_coordinate() -> None:
    road = replace(BUNDLED, headway_s=6.0)
    assert price_of_anarchy(two_route_equilibrium(road), two_route_optimum(road)) == 1.0


def test_four_drivers_meet_at_the_second_neck_in_order_of_arrival() -> None:
    routes = np.array([NECK_FIRST, SHORTCUT, SHORTCUT, NECK_LAST])
    # first neck from 0, 6, 12; second neck: arrivals 17, 23 by the shortcut and 46 by the long way
    expected_s = [5 + 10 + 40, 5 + 4 + 10 + 1 + 10, 5 + 8 + 10 + 1 + 10, 5 + 40 + 10]
    assert braess_times_s(SMALL, routes).tolist() == pytest.approx(expected_s)


def test_two_that_arrive_together_pass_the_neck_one_after_the_other() -> None:
    road = replace(SMALL, num_drivers=2, headway_s=29.0)
    times_s = braess_times_s(road, np.array([NECK_LAST, SHORTCUT]))
    assert times_s.tolist() == pytest.approx([55.0, 26.0 + 6.0])


def test_without_the_shortcut_drivers_alternate_and_nobody_waits() -> None:
    selfish = braess_equilibrium(RUSH, shortcut_open=False)
    assert selfish.epsilon_s == 0.0
    assert selfish.times_s == pytest.approx(np.full(60, 14.7 + 28.4 + 58.9))


def test_a_shortcut_makes_selfish_drivers_slower_by_almost_a_fifth() -> None:
    closed = braess_equilibrium(RUSH, shortcut_open=False)
    opened = braess_equilibrium(RUSH, shortcut_open=True)
    exact = braess_equilibrium(RUSH, shortcut_open=True, tolerance_s=1e-6)
    for equilibrium in (opened, exact):
        assert equilibrium.mean_s / closed.mean_s == pytest.approx(1.18, abs=0.015)
        assert equilibrium.epsilon_s <= 1.0
        assert equilibrium.times_s.max() <= closed.mean_s + RUSH.paradox_s + RUSH.service_s
    assert exact.epsilon_s == pytest.approx(0.0, abs=1e-6)


def test_with_many_drivers_each_loses_what_the_paradox_says() -> None:
    road = replace(RUSH, num_drivers=160)
    late_s = braess_equilibrium(road, shortcut_open=True).times_s[80:120]
    expected_s = road.ends_s + road.neck_s + road.long_s + road.paradox_s
    assert late_s.mean() == pytest.approx(expected_s, abs=3.0)


@given(st.lists(st.sampled_from((NECK_FIRST, NECK_LAST, SHORTCUT)), min_size=1, max_size=12))
def test_both_necks_are_alike_under_reflection_of_closed_routes(routes: list[int]) -> None:
    road = replace(SMALL, num_drivers=len(routes))
    closed = np.array([route % 2 for route in routes])
    mirrored = braess_times_s(road, 1 - closed)
    assert braess_times_s(road, closed) == pytest.approx(mirrored)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: replace(BUNDLED, num_drivers=0),
        lambda: replace(BUNDLED, headway_s=0.0),
        lambda: replace(BUNDLED, service_s=float("nan")),
        lambda: replace(BUNDLED, detour_s=43.0),
        lambda: replace(SMALL, shortcut_s=0.0),
    ],
)
def test_impossible_roads_are_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        wrong()
