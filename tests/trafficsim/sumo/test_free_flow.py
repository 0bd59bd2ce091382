"""The fake of SUMO, worked by hand on two roads."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, QUIET, small_game, trips
from trafficsim.sumo.free_flow import SPREAD, FreeFlowBackend
from trafficsim.sumo.simulation import Outcome, Scene, SumoConfig, travel_times_s


def played(scene: Scene, *routes: int, seed: int = 0) -> Outcome:
    with FreeFlowBackend(scene) as backend:
        (outcome,) = backend.play([np.array(routes)], [seed])
        assert backend.seeds == [seed]
    return outcome


def test_a_vehicle_in_front_costs_what_is_left_of_its_service(tmp_path: Path) -> None:
    scene = small_game(tmp_path, trips(4)).scene
    outcome = played(scene, 0, 1, 0, 0)
    # 5 + 10 + 13.33 + 5 s, and 5 + 30 + 5 s; the neck takes a vehicle every 1 + 7.5 / 1.5 = 6 s:
    # the third comes 6 s after the first and passes, the fourth 3 s after the third and waits 3 s
    assert travel_times_s(scene, outcome) == pytest.approx([100 / 3, 40.0, 100 / 3, 100 / 3 + 3.0])


def test_two_on_one_lane_are_a_headway_apart(tmp_path: Path) -> None:
    scene = small_game(tmp_path, trips(2, headway_s=0.0)).scene
    outcome = played(scene, 1, 1)
    # 1 + 7.5 / 10 = 1.75 s, half of it on two lanes; what the entry leaves, the detour adds
    assert travel_times_s(scene, outcome) == pytest.approx([40.0, 41.75])


def test_speeds_are_lengths_over_times_waiting_included(tmp_path: Path) -> None:
    scene = small_game(tmp_path, trips(2), sumo=SumoConfig(interval_s=36.0)).scene
    (row,) = played(scene, 0, 0).link_speed_m_per_s.tolist()
    by_link = dict(zip(scene.watched, row, strict=True))
    # both leave the queue's 100 m after 10 s; the neck's 20 m take 13.33 s, the second waits 3 s
    assert by_link["queue"] == pytest.approx(10.0)
    assert by_link["neck"] == pytest.approx((1.5 + 20 / (40 / 3 + 3)) / 2)
    assert np.isnan(by_link["detour"])


def test_noisy_drivers_are_up_to_a_tenth_slower(tmp_path: Path) -> None:
    scene = small_game(tmp_path, trips(6, headway_s=20.0, kind=NOISY)).scene
    times_s = np.array([travel_times_s(scene, played(scene, *[1] * 6, seed=s)) for s in range(20)])
    assert ((times_s >= 40.0) & (times_s <= 40.0 * (1.0 + SPREAD))).all()
    assert len(np.unique(times_s)) == times_s.size
    quiet = small_game(tmp_path, trips(6, headway_s=20.0, kind=QUIET)).scene
    assert travel_times_s(quiet, played(quiet, *[1] * 6)) == pytest.approx([40.0] * 6)
