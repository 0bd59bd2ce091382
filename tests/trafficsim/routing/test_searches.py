"""Equilibrium, tolls and optimum on games in closed form: nothing is simulated."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trafficsim.routing.searches import (
    Actions,
    Choices,
    Play,
    Profile,
    SearchConfig,
    Times,
    best_responses,
    even_splits,
    largest_gain_s,
    local_search,
    successive_averages,
)

SHORT_S, DETOUR_S, SERVICE_S, HEADWAY_S = 44.0, 82.0, 6.0, 3.0
SEARCH = SearchConfig()


def queue_times_s(actions: Actions) -> Times:
    """A short road through a D/D/1 queue (0), and a detour that never fills (1)."""
    times_s = np.full(len(actions), DETOUR_S)
    free_s = -np.inf  # when the server takes the next one
    for number in np.flatnonzero(actions == 0).tolist():
        depart_s = number * HEADWAY_S
        start_s = max(depart_s, free_s)
        times_s[number] = start_s - depart_s + SHORT_S
        free_s = start_s + SERVICE_S
    return times_s


def parallel_times_s(actions: Actions) -> Times:
    """Three roads whose time grows with the number on them."""
    free_s, slope_s = np.array([10.0, 14.0, 18.0]), np.array([3.0, 2.0, 1.0])
    count = np.bincount(actions, minlength=3)
    return (free_s + slope_s * count)[actions]


def pennies_s(actions: Actions) -> Times:
    """One wants to be where the other is, who does not want to be found; a third looks on."""
    together = actions[0] == actions[1]
    first, second = (10.0, 30.0) if together else (20.0, 5.0)
    return np.array([first, second, 1.0])


def counted(times_s: object) -> tuple[Play, list[int]]:
    """A `play`, and how many days it was asked for in each call."""
    asked: list[int] = []

    def play(days: Sequence[Actions]) -> list[Times]:
        asked.append(len(days))
        return [times_s(day) for day in days]  # type: ignore[operator]

    return play, asked


def choices_among(free_flow_s: Sequence[float], drivers: int) -> Choices:
    return Choices(
        vehicle=np.arange(drivers),
        count=np.full(drivers, len(free_flow_s)),
        free_flow_s=np.tile(np.array(free_flow_s), (drivers, 1)),
        order=np.arange(drivers),
    )


QUEUE = choices_among((SHORT_S, DETOUR_S), 60)


def all_on(action: int, drivers: int) -> Actions:
    return np.full(drivers, action, dtype=np.int64)


def gains_s(times_s: object, profile: Profile, choices: Choices) -> list[float]:
    """By hand: what every driver saves under every alternative."""
    found = []
    for driver, vehicle in enumerate(choices.vehicle.tolist()):
        for action in range(choices.count[driver]):
            changed = profile.actions.copy()
            changed[driver] = action
            found.append(profile.times_s[vehicle] - times_s(changed)[vehicle])  # type: ignore[operator]
    return found


# user equilibrium


def test_the_equilibrium_of_the_queue_is_the_known_one() -> None:
    play, asked = counted(queue_times_s)
    config = SearchConfig(tolerance_s=0.5)
    found = best_responses(play, QUEUE, all_on(0, 60), cost="own", config=config)
    assert found.times_s.mean() == pytest.approx(76.90)  # 36 on the short road: facts of D/D/1
    assert int((found.actions == 0).sum()) == 36
    assert found.epsilon_s <= 0.5
    assert found.simulations == sum(asked)
    assert np.array_equal(found.times_s, queue_times_s(found.actions))


def test_nobody_has_more_to_gain_than_epsilon() -> None:
    play, _ = counted(queue_times_s)
    for tolerance_s in (0.5, 2.0, 6.0):
        config = SearchConfig(tolerance_s=tolerance_s)
        found = best_responses(play, QUEUE, all_on(0, 60), cost="own", config=config)
        assert max(gains_s(queue_times_s, found, QUEUE)) <= found.epsilon_s <= tolerance_s


def test_an_alternative_that_cannot_be_better_is_not_simulated_but_counts_in_epsilon() -> None:
    play, asked = counted(lambda _: np.array([50.0]))
    near = choices_among((40.0, 49.5), 1)  # at best half a second to gain
    found = best_responses(play, near, all_on(0, 1), cost="own", config=SEARCH)
    assert asked == [1]
    assert found.epsilon_s == pytest.approx(0.5)
    far = choices_among((40.0, 60.0), 1)
    assert best_responses(play, far, all_on(0, 1), cost="own", config=SEARCH).epsilon_s == 0.0


def test_where_best_responses_go_round_the_gain_is_measured_on_the_day_returned() -> None:
    play, asked = counted(pennies_s)
    choices = choices_among((0.0, 0.0), 3)
    found = best_responses(play, choices, all_on(0, 3), cost="own", config=SEARCH)
    assert "still moving after 8 sweeps" in found.method
    assert found.epsilon_s == max(gains_s(pennies_s, found, choices)) > SEARCH.tolerance_s
    assert found.simulations == sum(asked)


def test_a_single_sweep_is_not_thrown_away() -> None:
    play, _ = counted(queue_times_s)
    config = SearchConfig(max_sweeps=1)
    found = best_responses(play, QUEUE, all_on(0, 60), cost="own", config=config)
    assert found.times_s.mean() < 80.0  # 221 s and more with all on the short road
    assert found.epsilon_s == pytest.approx(max(gains_s(queue_times_s, found, QUEUE)))


def test_largest_gain_of_all_on_one_road() -> None:
    play, _ = counted(queue_times_s)
    start = all_on(0, 60)
    profile = Profile(start, queue_times_s(start), "")
    gain_s, tried = largest_gain_s(play, QUEUE, profile)
    assert gain_s == SHORT_S + 59 * (SERVICE_S - HEADWAY_S) - DETOUR_S  # the last one's
    assert tried == int((profile.times_s > DETOUR_S).sum())


@given(st.lists(st.integers(0, 2), min_size=2, max_size=9), st.integers(0, 5))
def test_equilibria_of_parallel_roads_are_equilibria(start: list[int], seed: int) -> None:
    play, _ = counted(parallel_times_s)
    choices = choices_among((13.0, 16.0, 19.0), len(start))
    order = np.random.default_rng(seed).permutation(len(start))
    choices = Choices(choices.vehicle, choices.count, choices.free_flow_s, order)
    config = SearchConfig(tolerance_s=0.1, max_sweeps=20)
    found = best_responses(play, choices, np.array(start), cost="own", config=config)
    assert max(gains_s(parallel_times_s, found, choices)) <= 0.1
    assert "moving" not in found.method


# marginal-cost tolls


def test_tolls_bring_the_total_down_with_every_sweep() -> None:
    play, _ = counted(queue_times_s)
    totals = [
        best_responses(
            play, QUEUE, all_on(0, 60), cost="total", config=SearchConfig(max_sweeps=sweeps)
        ).total_s
        for sweeps in (1, 2, 8)
    ]
    assert totals == sorted(totals, reverse=True)
    assert totals[0] < queue_times_s(all_on(0, 60)).sum()
    assert totals[-1] / 60 < 65.0  # optimum 61.85, equilibrium 76.90


def test_under_tolls_no_single_change_lowers_the_total() -> None:
    play, _ = counted(parallel_times_s)
    choices = choices_among((13.0, 16.0, 19.0), 8)
    config = SearchConfig(tolerance_s=0.1, max_sweeps=20)
    found = best_responses(play, choices, all_on(0, 8), cost="total", config=config)
    for driver in range(8):
        for action in range(3):
            changed = found.actions.copy()
            changed[driver] = action
            assert parallel_times_s(changed).sum() >= found.total_s - 0.1


# optimum


def test_even_splits_deal_out_evenly_and_legally() -> None:
    splits = even_splits(choices_among((1.0, 2.0), 10))
    assert [int((split == 0).sum()) for split in splits] == [10, 5, 6, 4, 8, 3]
    assert splits[1].tolist() in ([0, 1] * 5, [1, 0] * 5)
    mixed = Choices(np.arange(9), np.array([2, 3, 4] * 3), np.ones((9, 4)), np.arange(9)[::-1])
    for split in even_splits(mixed):
        assert (split < mixed.count).all()


def test_local_search_comes_close_to_the_optimum_of_the_queue() -> None:
    play, asked = counted(queue_times_s)
    starts = [Profile(a, queue_times_s(a), "") for a in even_splits(QUEUE)]
    rng = np.random.default_rng(0)
    best = local_search(play, QUEUE, starts, simulations=3000, rng=rng)
    assert 61.85 - 0.01 <= best.times_s.mean() <= 62.5  # 61.85 by dynamic programming
    assert best.simulations == sum(asked) <= 3000
    assert set(asked) == {2}  # whatever the number of processes
    assert np.array_equal(best.times_s, queue_times_s(best.actions))


def test_without_simulations_the_best_start_is_what_was_found() -> None:
    play, asked = counted(parallel_times_s)
    choices = choices_among((13.0, 16.0, 19.0), 6)
    starts = [Profile(a, parallel_times_s(a), "") for a in (all_on(0, 6), np.arange(6) % 3)]
    best = local_search(play, choices, starts, simulations=0, rng=np.random.default_rng(0))
    assert best.total_s == starts[1].total_s
    assert asked == []


def test_the_search_is_a_function_of_its_generator() -> None:
    play, _ = counted(queue_times_s)
    start = [Profile(all_on(1, 60), queue_times_s(all_on(1, 60)), "")]
    one, same, other = (
        local_search(play, QUEUE, start, simulations=40, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    assert np.array_equal(one.actions, same.actions)
    assert not np.array_equal(one.actions, other.actions)


# successive averages


def test_successive_averages_settle_where_roads_take_equally_long() -> None:
    played: list[Actions] = []

    def play(days: Sequence[Actions]) -> list[Times]:
        played[:] = days
        return [parallel_times_s(day) for day in days]

    def expected() -> np.ndarray:
        count = np.bincount(played[0], minlength=3)
        return np.tile(np.array([10.0, 14.0, 18.0]) + np.array([3.0, 2.0, 1.0]) * count, (40, 1))

    choices = choices_among((10.0, 14.0, 18.0), 40)
    found = successive_averages(
        play,
        expected,
        choices,
        all_on(0, 40),
        iterations=200,
        rng=np.random.default_rng(0),
    )
    # 10 + 3a = 14 + 2b = 18 + c with a + b + c = 40: a = 9.8, b = 12.7, c = 17.5
    assert np.bincount(found.actions) == pytest.approx([9.8, 12.7, 17.5], abs=2.0)
    assert found.epsilon_s < 6.0
    assert found.simulations == 200
    assert "gap" in found.method


def test_alternatives_that_a_driver_does_not_have_are_never_taken() -> None:
    choices = Choices(np.arange(6), np.array([2, 3] * 3), np.ones((6, 3)), np.arange(6))
    seen: list[Actions] = []

    def play(days: Sequence[Actions]) -> list[Times]:
        seen.extend(days)
        return [np.ones(6) for _ in days]

    table_s = np.tile([3.0, 2.0, 1.0], (6, 1))  # the third is the fastest, for those who have it
    successive_averages(
        play,
        lambda: table_s,
        choices,
        all_on(0, 6),
        iterations=12,
        rng=np.random.default_rng(0),
    )
    assert all((actions < choices.count).all() for actions in seen)
    assert (seen[-1] == choices.count - 1).any()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"max_sweeps": 0}, "max_sweeps=0: at least 1"),
        ({"tolerance_s": 0.0}, "tolerance_s above 0"),
        ({"optimum_simulations": -1}, "0 or more"),
        ({"deviations": 0}, "deviations=0: at least 1"),
        ({"residual_days": 0.0}, "residual_days=0.0: above 0"),
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SearchConfig(**wrong)
