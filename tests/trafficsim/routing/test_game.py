"""The routing game as data: alternatives, who takes part, who has to do with whom."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import InputError
from tests.support.small_nets import (
    ONE_ROUTE,
    QUIET,
    TWO_ROUTE,
    Street,
    net_text,
    small_game,
    trips,
)
from trafficsim.demand.trips import Demand, Trip
from trafficsim.routing.game import (
    contested_links,
    expected_route_times_s,
    parting_edges,
    watched_edges,
)

TWO_PAIRS = net_text(
    [
        Street("in1", "a", "f", 100),
        Street("in2", "b", "g", 100),
        Street("left", "f", "m", 300),
        Street("middle", "f", "g", 100),
        Street("on", "g", "m", 150),
        Street("right", "g", "m", 320),
        Street("out", "m", "z", 100),
    ],
    [
        ("in1", "left"),
        ("in1", "middle"),
        ("middle", "on"),
        ("in2", "on"),
        ("in2", "right"),
        ("left", "out"),
        ("on", "out"),
        ("right", "out"),
    ],
)


def test_routes_are_numbered_once_and_alternatives_stand_in_order(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(3))
    assert game.scene.routes == (
        ("entry", "queue", "neck", "exit"),
        ("entry", "detour", "exit"),
    )
    assert game.options.tolist() == [[0, 1]] * 3
    assert game.free_flow_s == pytest.approx([100 / 3, 40.0])
    assert (game.num_drivers, game.num_options) == (3, 2)
    assert game.depart_s.tolist() == [0.0, 3.0, 6.0]
    assert game.legal.all()
    assert game.shares().tolist() == (~np.eye(3, dtype=bool)).tolist()


def test_vehicles_without_a_choice_are_background_traffic(tmp_path: Path) -> None:
    demand = trips(2)
    stuck = Trip("stuck", 1.0, "queue", "exit", QUIET.type_id)
    game = small_game(tmp_path, replace(demand, trips=(*demand.trips, stuck)))
    assert game.drivers.tolist() == [0, 1]
    assert game.option_count.tolist() == [2, 2, 1]
    assert game.options[2, 1] == -1
    chosen = game.routes_of(np.array([[1, 0], [0, 1]]))
    assert chosen.tolist() == [[1, 0, 2], [0, 1, 2]]
    assert game.scene.routes[2] == ("queue", "neck", "exit")


def test_where_nobody_has_a_choice_there_are_no_drivers(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(3), net=ONE_ROUTE)
    assert game.num_drivers == 0
    assert game.links == ()
    assert game.routes_of(np.zeros(0, dtype=np.int64)).tolist() == [0, 0, 0]
    assert game.shares().shape == (0, 0)


@pytest.mark.parametrize(("share", "drivers"), [(0.25, 2), (0.5, 5), (1.0, 10)])
def test_a_share_of_those_with_a_choice_takes_part(
    share: float, drivers: int, tmp_path: Path
) -> None:
    game = small_game(tmp_path, trips(10), share=share)
    assert game.num_drivers == drivers
    assert np.all(np.diff(game.drivers) > 0)
    assert small_game(tmp_path, trips(10), share=share).drivers.tolist() == game.drivers.tolist()


def test_drivers_of_different_zone_pairs_share_where_a_contested_link_may_be_used(
    tmp_path: Path,
) -> None:
    pairs = (("in1", "out"), ("in2", "out"), ("in1", "left"))
    made = tuple(Trip(f"d{at}", 1.0 * at, *ends, "car") for at, ends in enumerate(pairs * 2))
    game = small_game(tmp_path, Demand(made, (QUIET,)), net=TWO_PAIRS)
    assert game.drivers.tolist() == [0, 1, 3, 4]  # to `left` there is one way
    assert game.od_pairs == (("in1", "left"), ("in1", "out"), ("in2", "out"))
    assert game.od.tolist() == [1, 2, 0] * 2
    on = game.links.index("on")  # both pairs may use it
    users = {game.scene.routes[at] for at in np.flatnonzero(game.usage[:, on])}
    assert users == {("in1", "middle", "on", "out"), ("in2", "on", "out")}
    assert game.shares().sum() == 12  # everybody with everybody


def test_the_route_that_a_demand_names_comes_first(tmp_path: Path) -> None:
    demand = trips(1)
    named = replace(demand.trips[0], route=("entry", "detour", "exit"))
    game = small_game(tmp_path, replace(demand, trips=(named,)))
    assert game.scene.routes[game.options[0, 0]] == named.route
    assert game.option_count.tolist() == [2]
    assert game.fastest_s == pytest.approx([100 / 3])


def test_a_named_route_that_is_no_way_is_refused(tmp_path: Path) -> None:
    demand = trips(1)
    torn = replace(demand.trips[0], route=("entry", "neck", "exit"))
    with pytest.raises(InputError, match="d0: no way for cars from entry to neck"):
        small_game(tmp_path, replace(demand, trips=(torn,)))


def test_trips_between_edges_without_a_way_are_listed(tmp_path: Path) -> None:
    back = tuple(Trip(f"d{at}", 0.0, "exit", "entry") for at in range(3))
    with pytest.raises(InputError, match="by hand: no way for cars between exit -> entry;"):
        small_game(tmp_path, Demand(back, (), "by hand"))


# contested links, watched edges


def test_links_that_part_most_drivers_come_first_and_twins_once() -> None:
    routes = [(0, 1, 2, 9), (0, 3, 4, 9), (5, 3, 9), (5, 6, 9)]
    parting = parting_edges(routes, [(0, 1), (0, 1), (2, 3)])
    assert parting == {0: 0, 1: 2, 2: 2, 3: 3, 4: 2, 5: 0, 6: 1, 9: 0}
    usage, links = contested_links(routes, parting)
    assert links == [3, 1, 4, 6]  # 2 is used by the same routes as 1
    assert usage[:, 0].tolist() == [False, True, True, False]
    assert contested_links(routes, parting, most=2)[1] == [3, 1]


def test_edges_that_part_drivers_are_watched_before_others() -> None:
    assert watched_edges({0: 0, 1: 2, 7: 3, 9: 0}, most=3) == [0, 1, 7]
    assert watched_edges({0: 0, 1: 2, 7: 3, 9: 0}, most=2) == [1, 7]


# expected times


def test_expected_times_follow_the_clock_through_the_intervals(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(2))
    speeds = np.full((2, 5), np.nan)
    watched = dict(zip(game.scene.watched, range(5), strict=True))
    speeds[0, watched["queue"]] = 2.0  # 50 s in the first minute
    speeds[1, watched["neck"]] = 0.5  # 40 s from then on
    routes = np.array([[0, 1], [0, 1]])
    times_s = expected_route_times_s(game, speeds, np.array([0.0, 30.0]), routes)
    # 5 + 50 s, then at 55 s an empty neck; at 85 s the other one meets the queue of the neck
    assert times_s[0] == pytest.approx([5 + 50 + 40 / 3 + 5, 40.0])
    assert times_s[1] == pytest.approx([5 + 50 + 40 + 5, 40.0])


def test_without_measurements_roads_are_empty(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(2))
    nothing = np.zeros((0, 5))
    times_s = expected_route_times_s(game, nothing, game.depart_s, game.driver_options)
    assert times_s == pytest.approx(np.tile([100 / 3, 40.0], (2, 1)))
    faster = np.full((1, 5), 99.0)  # than the limit: the limit counts
    assert np.array_equal(
        expected_route_times_s(game, faster, game.depart_s, game.driver_options), times_s
    )


def test_edges_that_nobody_watches_count_as_empty(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trafficsim.routing.game.MAX_WATCHED", 2)
    game = small_game(tmp_path, trips(2))
    assert len(game.scene.watched) == len(game.watched_free_s) == 2
    times_s = expected_route_times_s(game, np.zeros((0, 2)), game.depart_s, game.driver_options)
    assert times_s == pytest.approx(np.tile([100 / 3, 40.0], (2, 1)))


@given(st.lists(st.floats(0.01, 30.0), min_size=10, max_size=10), st.floats(0.0, 300.0))
def test_expected_times_are_never_below_free_flow(
    tmp_path_factory: pytest.TempPathFactory, speeds: list[float], depart_s: float
) -> None:
    game = small_game(tmp_path_factory.getbasetemp() / "game", trips(2), net=TWO_ROUTE)
    times_s = expected_route_times_s(
        game, np.array(speeds).reshape(2, 5), np.array([depart_s]), np.array([[0, 1]])
    )
    assert (times_s >= game.free_flow_s - 1e-9).all()
