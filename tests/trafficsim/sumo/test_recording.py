"""What SUMO writes of a recorded day: it agrees with itself and with the day that was played."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, small_game, trips
from trafficsim.sumo.recording import EDGE_FIELDS, TRIP_FIELDS, Recording, record_day
from trafficsim.sumo.simulation import Scene, Simulator, SumoConfig, travel_times_s

pytestmark = pytest.mark.sumo
CHOICES = np.array([0, 1, 0, 0, 1, 0])
INTERVAL_S = 20.0


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    return small_game(tmp_path_factory.mktemp("net"), trips(6, kind=NOISY)).scene


@pytest.fixture(scope="module")
def recording(scene: Scene) -> Recording:
    with Simulator(scene) as simulator:
        return record_day(simulator, CHOICES, 3, INTERVAL_S)


def test_trips_have_all_columns_and_add_up(scene: Scene, recording: Recording) -> None:
    trip = recording.trip
    assert trip.keys() == {*TRIP_FIELDS, "co2_g"}
    assert all(np.isfinite(values).all() for values in trip.values())
    lengths_m = np.where(CHOICES == 0, 50 + 100 + 20 + 50, 50 + 300 + 50)
    assert trip["routeLength"] == pytest.approx(lengths_m, abs=6.0)  # a vehicle starts inside
    assert (trip["co2_g"] > 0).all()
    assert (trip["departDelay"] >= 0).all()
    times_s = travel_times_s(scene, recording.outcome)
    assert (trip["timeLoss"] + trip["departDelay"] < times_s).all()
    assert (trip["waitingTime"] <= trip["timeLoss"]).all()


def test_edges_and_intervals_agree_with_the_trips(scene: Scene, recording: Recording) -> None:
    edge, ids = recording.edge, np.array(recording.edge_ids)
    assert edge.keys() == {*EDGE_FIELDS, "co2_g"}
    assert len(ids) == len(recording.begin_s) == len(edge["entered"])
    assert set(ids.tolist()) == {"entry", "queue", "neck", "detour", "exit"}
    assert recording.begin_s.min() == 0.0
    assert (recording.begin_s % INTERVAL_S == 0.0).all()
    assert (recording.end_s > recording.begin_s).all()
    total = {name: np.nansum(values) for name, values in edge.items()}
    assert total["departed"] == total["arrived"] == 6
    for name, users in (("queue", 4), ("detour", 2), ("exit", 6)):
        assert np.nansum(edge["entered"][ids == name]) == users
    assert total["co2_g"] == pytest.approx(recording.trip["co2_g"].sum(), rel=0.01)
    driven_s = travel_times_s(scene, recording.outcome) - recording.trip["departDelay"]
    on_two_s = total["sampledSeconds"] - driven_s.sum()  # a vehicle's tail leaves after its front
    assert 0.0 < on_two_s < 0.15 * driven_s.sum()


def test_a_day_that_is_cut_off_is_recorded_as_far_as_it_went(scene: Scene) -> None:
    short = replace(scene, sumo=SumoConfig(longest_s=5.0))
    with Simulator(short) as simulator:
        recording = record_day(simulator, CHOICES, 3, INTERVAL_S)
    assert not recording.outcome.finished.any()
    assert np.isfinite(recording.trip["routeLength"]).sum() >= 4  # those that had departed
    assert np.nansum(recording.edge["arrived"]) == 0


def test_nothing_of_a_recording_stays_on_disk(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Simulator(scene) as simulator:
        record_day(simulator, CHOICES, 3, INTERVAL_S)
    assert list(tmp_path.iterdir()) == []
