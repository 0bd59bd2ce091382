"""Days of the link model, worked by hand: 100 m, 10 m inside the junction, 100 m, at 10 m/s."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import ONE_ROUTE, small_game, trips
from tests.trafficsim.link_model.crossing import (
    MAIN,
    PLAIN,
    SIDE,
    SIGNAL,
    crossing_scene,
    crossing_text,
    times_of,
)
from trafficsim.demand.trips import VehicleType
from trafficsim.link_model.model import LinkModel
from trafficsim.sumo.simulation import SumoConfig

ALONE_S = 21.0
HEADWAY_S = 1.75  # 1 s, and 7.5 m at 10 m/s


def test_alone_a_vehicle_needs_the_empty_roads_time(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [5.0])
    assert times_of(scene, [MAIN]) == [ALONE_S]
    slower = PLAIN._replace(free_factor=1.1, start_s=2.0)
    assert times_of(scene, [MAIN], slower) == [pytest.approx(1.1 * ALONE_S + 2.0)]
    assert times_of(scene, [SIDE], PLAIN._replace(minor_s=1.5)) == [ALONE_S + 1.5]
    assert times_of(scene, [MAIN], PLAIN._replace(minor_s=1.5)) == [ALONE_S]


def test_a_slow_vehicle_keeps_to_its_own_top_speed(tmp_path: Path) -> None:
    tractor = VehicleType("car", (("maxSpeed", "5"), ("sigma", "0"), ("speedDev", "0")))
    assert times_of(crossing_scene(tmp_path, [0.0], kind=tractor), [MAIN]) == [2 * ALONE_S]
    brisk = VehicleType("car", (("speedFactor", "1.25"), ("sigma", "0"), ("speedDev", "0")))
    assert times_of(crossing_scene(tmp_path, [0.0], kind=brisk), [MAIN]) == [ALONE_S / 1.25]


def test_departures_on_a_lane_keep_apart(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, 0.0])
    first, second = times_of(scene, [MAIN, MAIN], PLAIN._replace(insertion_s=3.0))
    assert (first, second) == (ALONE_S, ALONE_S + 3.0)


def test_a_queue_lets_vehicles_out_one_headway_apart(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(4, headway_s=2.0), net=ONE_ROUTE)
    model = LinkModel.of(game.scene).with_drivers(PLAIN)
    (times_s,) = model.play(game.options[:, :1].T, model.noise(1, 0)).times_s
    arrival_s = times_s + game.scene.depart_s
    # into the neck one by one, 1 s + 7.5 m / 1.5 m/s apart
    assert np.diff(arrival_s) == pytest.approx([6.0] * 3)


def test_the_side_street_waits_for_a_gap(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, 1.0])
    # at the junction the side comes at 10 s, the main at 11 s: within 4 s and the second that the
    # side takes to cross; it merges a headway behind the main
    side, main = times_of(scene, [SIDE, MAIN])
    assert main == ALONE_S
    assert side == ALONE_S + 1.0 + HEADWAY_S
    assert times_of(scene, [SIDE, MAIN], PLAIN._replace(gap_s=-0.5))[0] == ALONE_S


SLOW_TURN = crossing_text().replace('":c_1_0" index="0" speed="10"', '":c_1_0" index="0" speed="5"')
BRAKING_S, SPEEDING_UP_S = 25.0 / (2 * 10 * 4.5), 25.0 / (2 * 10 * 2.6)  # from 10 to 5 m/s and back


def test_a_slow_turn_costs_braking_and_speeding_up(tmp_path: Path) -> None:
    (alone,) = times_of(crossing_scene(tmp_path, [0.0], text=SLOW_TURN), [SIDE])
    assert alone == pytest.approx(ALONE_S + 1.0 + BRAKING_S + SPEEDING_UP_S)


def test_who_merges_must_have_come_up_to_speed(tmp_path: Path) -> None:
    # the side would be on the road 2 s after 10.3 s, and at full speed 0.5 s later; the main comes
    # at 12.6 s and goes first; the side follows its headway behind, 2 s of crossing earlier
    scene = crossing_scene(tmp_path, [0.0, 2.6], text=SLOW_TURN)
    side, main = times_of(scene, [SIDE, MAIN], PLAIN._replace(gap_s=0.0))
    assert main == ALONE_S
    assert side == pytest.approx(12.6 + 1.0 + HEADWAY_S + SPEEDING_UP_S + 10.0)


def test_who_has_stood_starts_up(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, 1.0])
    side, _ = times_of(scene, [SIDE, MAIN], PLAIN._replace(startup_factor=1.0))
    starting_s = 10.0 / (2 * 2.6)
    assert side == pytest.approx(11.2 + 1.0 + starting_s + 10.0)  # asks again at 11.2 s


def test_who_crosses_must_be_out_of_the_way(tmp_path: Path) -> None:
    north = (
        '<edge id="north" from="c" to="n"><lane id="north_0" index="0" speed="10" length="100"/>'
    )
    text = crossing_text().replace('from="side" to="out"', 'from="side" to="north"')
    text = text.replace('from=":c_1" to="out"', 'from=":c_1" to="north"')
    text = text.replace("</edge>\n", f"</edge>\n{north}</edge>\n", 1)
    scene = crossing_scene(tmp_path, [0.0, 0.5], text=text)
    scene = replace(scene, routes=(("main", "out"), ("side", "north")))
    for factor, crosses_s in ((0.0, 10.5), (3.0, 13.0)):  # the main crosses from 10 to 11 s
        _, side = times_of(scene, [MAIN, SIDE], PLAIN._replace(clearance_factor=factor))
        assert side == pytest.approx(crosses_s - 0.5 + 11.0)


def test_impatience_accepts_any_gap_in_the_end(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, *(2.0 * at for at in range(20))])
    routes = [SIDE] + [MAIN] * 20
    patient = times_of(scene, routes, PLAIN._replace(gap_s=6.0, headway_factor=0.1))[0]
    hasty = times_of(
        scene, routes, PLAIN._replace(gap_s=6.0, headway_factor=0.1, impatience_s=4.0)
    )[0]
    assert hasty < patient - 5.0


def signalled(folder: Path, kind: str, depart_s: list[float], routes: list[int]) -> list[float]:
    signal = SIGNAL.format(kind=kind, offset=0, first="Gr", second="rG")
    text = crossing_text(junction="traffic_light", signal=signal)
    times_s = times_of(crossing_scene(folder, depart_s, text=text), routes)
    return [round(at, 1) for at in times_s]


def test_a_red_light_holds_until_green(tmp_path: Path) -> None:
    # green for the main until 20 s, then for the side until 30 s
    assert signalled(tmp_path, "static", [0.0, 0.0, 12.0], [MAIN, SIDE, MAIN]) == [
        ALONE_S,
        20.0 + 11.0,
        30.0 - 12.0 + 11.0,
    ]


def test_an_actuated_light_stays_green_while_vehicles_come(tmp_path: Path) -> None:
    # nobody on the main before 5 s: the side is green until 15 s, the main at least until 20 s
    assert signalled(tmp_path, "actuated", [0.0, 0.0, 12.0], [MAIN, SIDE, MAIN]) == [
        15.0 + 11.0,
        ALONE_S,
        30.0 - 12.0 + 11.0,
    ]
    # one every 2 s from 15 s on: green goes on until 55 s, 40 s after it began
    depart_s = [5.0 + 2.0 * at for at in range(25)]
    times_s = signalled(tmp_path, "actuated", [*depart_s, 20.0], [MAIN] * 25 + [SIDE])
    assert times_s[-1] == 55.0 - 20.0 + 11.0
    assert times_s[:20] == [ALONE_S] * 20


def test_an_offset_moves_a_program(tmp_path: Path) -> None:
    signal = SIGNAL.format(kind="static", offset=5, first="Gr", second="rG")
    text = crossing_text(junction="traffic_light", signal=signal)
    (side,) = times_of(crossing_scene(tmp_path, [0.0], text=text), [SIDE])
    assert side == pytest.approx(25.0 + 11.0, abs=0.02)


def test_minor_green_yields_and_full_green_does_not(tmp_path: Path) -> None:
    for letters, waits in (("Gg", True), ("GG", False)):
        signal = SIGNAL.format(kind="static", offset=0, first=letters, second=letters)
        text = crossing_text(junction="traffic_light", signal=signal)
        side, _ = times_of(crossing_scene(tmp_path, [0.0, 1.0], text=text), [SIDE, MAIN])
        assert (side > ALONE_S) is waits


def test_who_waits_inside_the_junction_lets_others_pass(tmp_path: Path) -> None:
    def second_on_the_side(inside: bool) -> float:
        text = crossing_text(side_waits_inside=inside)
        scene = crossing_scene(tmp_path, [0.0, 2.0, *np.arange(0.5, 12.0, 2.0)], text=text)
        model = LinkModel.of(scene).with_drivers(PLAIN)
        routes = np.array([[SIDE, SIDE] + [MAIN] * 6])
        seconds = model.play(routes, model.noise(1, 0)).seconds[0].sum(axis=0)
        return float(seconds[model.edge_ids.index("side")])

    assert second_on_the_side(True) < second_on_the_side(False) - 5.0


def test_a_full_edge_blocks_back(tmp_path: Path) -> None:
    # three fit on 20 m; the fourth stays where it is until one has left, a second after the first
    text = crossing_text(out_m=20.0).replace(
        '"out_0" index="0" speed="10"', '"out_0" index="0" speed="1"'
    )
    scene = crossing_scene(tmp_path, [0.0, 1.0, 2.0, 3.0], text=text)
    quick = PLAIN._replace(headway_factor=0.01, spacing_factor=0.01)
    arrival_s = np.array(times_of(scene, [MAIN] * 4, quick)) + scene.depart_s
    assert arrival_s[2] < arrival_s[0] + 5.0
    assert arrival_s[0] + 30.0 < arrival_s[3] < arrival_s[0] + 36.0  # 10 m inside, 20 m, at 1 m/s


def test_a_vehicle_that_stands_too_long_is_moved_on_and_charged(tmp_path: Path) -> None:
    signal = SIGNAL.format(kind="static", offset=0, first="Gr", second="Gr")
    text = crossing_text(junction="traffic_light", signal=signal)
    scene = crossing_scene(tmp_path, [0.0], text=text, sumo=SumoConfig(time_to_teleport_s=50.0))
    model = LinkModel.of(scene).with_drivers(PLAIN)
    days = model.play(np.array([[SIDE]]), model.noise(1, 0))
    assert days.teleports.tolist() == [1.0]
    assert days.times_s[0, 0] == pytest.approx(ALONE_S + 50.0 + 50.0, abs=31.0)
    assert days.times_s[0, 0] > ALONE_S + 100.0 - 0.1


def test_trips_under_way_at_the_end_count_up_to_it(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, 2.0], sumo=SumoConfig(longest_s=15.0))
    assert times_of(scene, [MAIN, MAIN]) == [17.0, 15.0]


def test_who_waits_inside_the_junction_at_the_end_is_on_no_edge(tmp_path: Path) -> None:
    depart_s = [0.0, *(2.0 * at for at in range(1, 20))]
    scene = crossing_scene(
        tmp_path,
        depart_s,
        text=crossing_text(side_waits_inside=True),
        sumo=SumoConfig(longest_s=1.0),
    )
    model = LinkModel.of(scene).with_drivers(PLAIN)
    routes = np.array([[SIDE, *[MAIN] * 19]])
    days = model.play(routes, model.noise(1, 0))
    side = model.edge_ids.index("side")
    assert days.times_s[0, 0] == scene.cap_s  # still there
    assert days.seconds[0, :, side].sum() == pytest.approx(10.0, abs=1.5)


def test_vehicle_seconds_add_up_to_time_on_edges(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, 0.0, 70.0])
    model = LinkModel.of(scene).with_drivers(PLAIN)
    days = model.play(np.array([[MAIN, SIDE, MAIN]]), model.noise(1, 0))
    inside_s = 3 * 1.0
    assert days.seconds.sum() == pytest.approx(days.times_s.sum() - inside_s)
    assert days.seconds[0, 1].sum() == pytest.approx(20.0)  # the second minute has the third only


def test_days_are_the_same_alone_and_together(tmp_path: Path) -> None:
    noisy = VehicleType("car", (("sigma", "0.5"),))
    scene = crossing_scene(tmp_path, [0.0, 1.0, 2.0, 3.0], kind=noisy)
    model = LinkModel.of(scene)
    noise = model.noise(3, 0)
    rows = np.array([[MAIN, SIDE, MAIN, SIDE], [SIDE, SIDE, MAIN, MAIN]])
    together = model.play(rows, noise)
    alone = [model.play(row[None], noise) for row in rows]
    assert np.array_equal(together.times_s, np.concatenate([day.times_s for day in alone]))
    assert np.array_equal(together.seconds, np.concatenate([day.seconds for day in alone]))
    means = np.mean([model.play(rows, noise[at : at + 1]).times_s for at in range(3)], axis=0)
    assert together.times_s == pytest.approx(means)
    assert not np.array_equal(model.play(rows, model.noise(3, 1)).times_s, together.times_s)


@pytest.mark.parametrize(
    "attributes", [{"sigma": "0.5", "speedDev": "0"}, {"sigma": "0", "speedDev": "0.1"}]
)
def test_drivers_differ_in_headways_and_in_speeds(
    tmp_path: Path, attributes: dict[str, str]
) -> None:
    kind = VehicleType("car", tuple(attributes.items()))
    queueing = PLAIN._replace(headway_factor=3.0, headway_noise=0.3, speed_noise=1.0)
    model = LinkModel.of(crossing_scene(tmp_path, [0.0] * 4, kind=kind)).with_drivers(queueing)
    days = [model.play(np.array([[MAIN] * 4]), model.noise(1, at)).times_s[0] for at in range(2)]
    assert not np.allclose(days[0][1:], days[1][1:])


def test_alternatives_are_differences_of_days(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0, 0.5, 1.0, 1.5])
    model = LinkModel.of(scene)
    noise, row = model.noise(1, 0), np.array([MAIN, SIDE, MAIN, SIDE])
    options = np.array([[MAIN, SIDE], [SIDE, -1]])
    found = model.alternatives(row, np.array([2, 1]), options, np.array([[0, 3], [2, -1]]), noise)
    before = model.play(row[None], noise).times_s[0]
    after = model.play(np.array([[MAIN, SIDE, SIDE, SIDE]]), noise).times_s[0]
    assert found.times_s == pytest.approx(before)
    assert found.own_s == pytest.approx(np.array([[0.0, after[2] - before[2]], [0.0, 0.0]]))
    assert found.total_s[0] == pytest.approx([0.0, after.sum() - before.sum()])
    change = after - before
    assert found.theirs_s[0] == pytest.approx(np.array([[0.0, change[0]], [0.0, change[3]]]))
    assert not found.theirs_s[1].any()
