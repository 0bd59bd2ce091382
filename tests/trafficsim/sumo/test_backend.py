"""What the routing game may rely on, of SUMO and of the fake that tests play on."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, QUIET, small_game, trips
from trafficsim.demand.trips import VehicleType
from trafficsim.sumo.backend import TrafficBackend
from trafficsim.sumo.free_flow import FreeFlowBackend
from trafficsim.sumo.simulation import Outcome, Scene, Simulator, SumoConfig, travel_times_s

Backend = Callable[[Scene], TrafficBackend]
N = 6
SHORT, DETOUR, MIXED = [0] * N, [1] * N, [0, 1, 0, 0, 1, 0]

pytestmark = pytest.mark.parametrize(
    "backend", [pytest.param(Simulator, marks=pytest.mark.sumo, id="SUMO"), FreeFlowBackend]
)


def scene_of(folder: Path, kind: VehicleType) -> Scene:
    return small_game(folder, trips(N, kind=kind)).scene


def played(
    backend: Backend, scene: Scene, days: Sequence[Sequence[int]], seeds: Sequence[int] = ()
) -> list[Outcome]:
    with backend(scene) as opened:
        assert opened.scene is scene
        return opened.play([np.array(day) for day in days], seeds or [0] * len(days))


def same(one: Outcome, other: Outcome) -> bool:
    return np.array_equal(one.arrival_s, other.arrival_s, equal_nan=True) and np.array_equal(
        one.link_speed_m_per_s, other.link_speed_m_per_s, equal_nan=True
    )


def test_outcomes_come_in_the_order_asked_for(backend: Backend, tmp_path: Path) -> None:
    scene = scene_of(tmp_path, QUIET)
    with backend(scene) as opened:
        together = opened.play([np.array(day) for day in (SHORT, DETOUR, MIXED)], [0] * 3)
        apart = [opened.play([np.array(day)], [0])[0] for day in (SHORT, DETOUR, MIXED)]
        assert opened.play([], []) == []
    assert all(map(same, together, apart))


def test_a_seed_is_a_day_and_does_not_matter_without_driver_noise(
    backend: Backend, tmp_path: Path
) -> None:
    first, other, again = played(backend, scene_of(tmp_path, NOISY), [MIXED] * 3, [5, 6, 5])
    assert same(first, again)
    assert not same(first, other)
    one, another = played(backend, scene_of(tmp_path, QUIET), [MIXED] * 2, [5, 6])
    assert same(one, another)


def test_roads_take_their_time_and_a_queue_its_own(backend: Backend, tmp_path: Path) -> None:
    scene = scene_of(tmp_path, QUIET)
    short_s, detour_s = (travel_times_s(scene, o) for o in played(backend, scene, [SHORT, DETOUR]))
    assert 100 / 3 <= short_s[0] <= 38.0  # starting and stopping takes SUMO some time
    assert np.diff(short_s) == pytest.approx([3.0] * (N - 1))  # 6 s of service, 3 s of headway
    assert ((detour_s >= 40.0) & (detour_s <= 42.0)).all()


def test_one_more_on_a_road_makes_nobody_on_it_faster(backend: Backend, tmp_path: Path) -> None:
    scene = scene_of(tmp_path, QUIET)
    days = [DETOUR, *(np.array(DETOUR) - np.eye(N, dtype=int)), SHORT]
    alone = [travel_times_s(scene, outcome) for outcome in played(backend, scene, days)]
    for driver in range(N):
        assert alone[1 + driver][driver] <= alone[-1][driver]


def test_who_is_under_way_when_the_day_is_cut_off_did_not_arrive(
    backend: Backend, tmp_path: Path
) -> None:
    scene = replace(scene_of(tmp_path, QUIET), sumo=SumoConfig(longest_s=23.0))
    (outcome,) = played(backend, scene, [SHORT])
    assert outcome.finished.tolist() == [True] + [False] * (N - 1)
    assert outcome.end_s == scene.cap_s == 38.0
    assert travel_times_s(scene, outcome)[1:].tolist() == [35.0, 32.0, 29.0, 26.0, 23.0]


def speeds_seen(speeds: np.ndarray) -> list[int]:
    """Links whose speed was measured at some time."""
    return np.flatnonzero(np.isfinite(speeds).any(axis=0)).tolist()


def test_public_speeds_are_of_whole_intervals_and_of_links_in_use(
    backend: Backend, tmp_path: Path
) -> None:
    scene = replace(scene_of(tmp_path, QUIET), sumo=SumoConfig(interval_s=10.0))
    short, detour = played(backend, scene, [SHORT, DETOUR])
    for outcome in (short, detour):
        speeds = outcome.link_speed_m_per_s
        assert speeds.shape == (int(outcome.end_s // 10.0), len(scene.watched))
        assert np.nanmin(speeds) >= 0.0
        assert np.nanmax(speeds) <= 10.0 + 1e-9
        assert outcome.link_vehicles.shape == speeds.shape
        assert outcome.link_vehicles.min() >= 0.0
        counted = np.flatnonzero(outcome.link_vehicles.any(axis=0)).tolist()
        assert counted == speeds_seen(speeds)
        assert outcome.link_vehicles.max() <= N
        assert (outcome.teleports.tolist(), outcome.collisions) == ([0] * N, 0)
    queue, round_it = scene.watched.index("queue"), scene.watched.index("detour")
    assert np.isfinite(short.link_speed_m_per_s[:, queue]).any()
    assert np.isnan(short.link_speed_m_per_s[:, round_it]).all()
    assert np.isnan(detour.link_speed_m_per_s[:, queue]).all()


def test_days_and_seeds_come_in_pairs(backend: Backend, tmp_path: Path) -> None:
    with backend(scene_of(tmp_path, QUIET)) as opened, pytest.raises(ValueError, match="zip"):
        opened.play([np.array(SHORT)], [1, 2])
