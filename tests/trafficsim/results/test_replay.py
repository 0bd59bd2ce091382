"""`sumo -c` on the files of a run's `replay/` gives the times that the run had."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyarrow.parquet as pq
import pytest

from ss_core.record.manifest import read_manifest, verify_run
from tests.support.grid_runs import run_here
from tests.support.small_nets import NOISY, QUIET, small_game, trips
from tests.support.traffic_runs import only_run, sstraffic_run, two_routes
from trafficsim.demand.trips import Demand, VehicleType, demand_file
from trafficsim.results.replay import repeatable, route_xml, write_replay
from trafficsim.results.rows import Row
from trafficsim.sumo.recording import record_day
from trafficsim.sumo.simulation import Scene, Simulator, SumoConfig, travel_times_s

pytestmark = pytest.mark.sumo
ROUTES = np.array([0, 1, 0, 0, 1, 0])


def times_by_sumo(folder: Path, name: str) -> dict[str, float]:
    """Arrival less planned departure, as SUMO's own tripinfo says."""
    out = folder / "tripinfo.xml"
    sumo = str(Path(sys.executable).with_name("sumo"))
    options = ["-c", str(folder / f"{name}.sumocfg"), "--tripinfo-output", str(out)]
    subprocess.run([sumo, *options, "--no-step-log", "true"], check=True, capture_output=True)
    found = {}
    for trip in ElementTree.parse(out).iter("tripinfo"):
        value = {key: float(trip.get(key, "nan")) for key in ("arrival", "depart", "departDelay")}
        found[trip.get("id", "")] = value["arrival"] - (value["depart"] - value["departDelay"])
    return found


def assert_replayed(scene: Scene, routes: np.ndarray, folder: Path, seed: int) -> None:
    with Simulator(scene) as simulator:
        (outcome,) = simulator.play([routes], [seed])
    write_replay(folder / "here", scene, {"ss": routes}, seed)
    moved = folder / "elsewhere"
    shutil.move(folder / "here", moved)
    expected = dict(zip(scene.vehicle_ids, travel_times_s(scene, outcome), strict=True))
    assert times_by_sumo(moved, "ss") == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("kind", [QUIET, NOISY], ids=["quiet", "noisy"])
@pytest.mark.parametrize("meso", [False, True], ids=["micro", "meso"])
def test_sumo_alone_finds_the_same_times(tmp_path: Path, kind: VehicleType, meso: bool) -> None:
    sumo = SumoConfig(meso=meso, watchdog_s=20.0)
    scene = small_game(tmp_path, trips(6, headway_s=1.0, kind=kind), sumo=sumo).scene
    assert_replayed(scene, ROUTES, tmp_path, seed=7)


def mixed_traffic(count: int) -> Demand:
    """Cars of drivers that dawdle, and long slow ones, at fractions of seconds."""
    demand = trips(count, headway_s=0.73, kind=NOISY)
    bus = VehicleType("long", (("length", "12"), ("sigma", "0.3"), ("maxSpeed", "9")))
    mixed = tuple(
        replace(trip, type_id="long") if at % 5 == 0 else trip
        for at, trip in enumerate(demand.trips)
    )
    return replace(demand, trips=mixed, types=(*demand.types, bus))


def test_many_vehicles_of_two_types_and_uneven_departures(tmp_path: Path) -> None:
    scene = small_game(tmp_path, mixed_traffic(60), sumo=SumoConfig(watchdog_s=20.0)).scene
    routes = np.random.default_rng(0).integers(0, 2, 60)
    assert_replayed(scene, routes, tmp_path, seed=3)


def test_a_day_that_is_cut_off_ends_with_the_same_arrivals(tmp_path: Path) -> None:
    """The last departure is at 43.07 s: the day's last second is the one that begins at 63 s."""
    sumo = SumoConfig(longest_s=20.0)
    scene = small_game(tmp_path, mixed_traffic(60), sumo=sumo).scene
    routes = np.zeros(60, dtype=np.int64)
    with Simulator(scene) as simulator:
        (outcome,) = simulator.play([routes], [3])
    times_s = travel_times_s(scene, outcome)
    arrived = dict(zip(scene.vehicle_ids, outcome.finished.tolist(), strict=True))
    assert 0 < sum(arrived.values()) < 60
    write_replay(tmp_path / "replay", scene, {"ss": routes}, 3)
    expected = dict(zip(scene.vehicle_ids, times_s.tolist(), strict=True))
    found = times_by_sumo(tmp_path / "replay", "ss")
    assert found == pytest.approx({name: expected[name] for name, done in arrived.items() if done})


def test_equal_days_are_equal_bytes_and_name_no_place(tmp_path: Path) -> None:
    scene = small_game(tmp_path / "net", trips(6)).scene
    for folder in ("one", "two"):
        write_replay(tmp_path / folder, scene, {"ss": ROUTES}, 7)
    one, two = (sorted((tmp_path / folder).iterdir()) for folder in ("one", "two"))
    assert [path.name for path in one] == ["small.net.xml", "ss.rou.xml", "ss.sumocfg"]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    assert not any(str(tmp_path).encode() in path.read_bytes() for path in one)


def test_days_that_routes_alone_do_not_tell_are_left_out(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(6))
    with Simulator(game.scene) as simulator:
        recording = record_day(simulator, ROUTES, 7, 60.0)
    times_s = travel_times_s(game.scene, recording.outcome)[None]
    told = Row("user_equilibrium", ROUTES[None], times_s)
    rows = {
        "user_equilibrium": told,
        "ss": replace(told, name="ss", first_day=recording),  # its lights learned
        "optimum": replace(told, name="optimum", orders=[(10.0, [(0, 1)])]),  # on the way
        "independent": replace(told, name="independent", times_s=times_s + 1.0),
    }
    days = repeatable(rows, dict.fromkeys(rows, recording), game)
    assert {name: row.tolist() for name, row in days.items()} == {
        "user_equilibrium": ROUTES.tolist()
    }
    write_replay(tmp_path / "replay", game.scene, {}, 7)
    assert not (tmp_path / "replay").exists()


def test_names_that_xml_must_quote_stay_names(tmp_path: Path) -> None:
    demand = trips(3)
    odd = tuple(replace(trip, trip_id=f'<"{at}&') for at, trip in enumerate(demand.trips))
    scene = small_game(tmp_path, replace(demand, trips=odd)).scene
    text = route_xml(scene, np.array([0, 1, 0]))
    found = [one.get("id") for one in ElementTree.fromstring(text).iter("vehicle")]
    assert found == [trip.trip_id for trip in odd]


# whole runs


@pytest.fixture
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)


def first_day(run: Path, row: str) -> dict[str, float]:
    """Travel times of the recorded day by the trace."""
    found = pq.read_table(
        run / "traces" / "trip", filters=[("algorithm", "=", row), ("day", "=", 0)]
    )
    return dict(
        zip(found["vehicle_id"].to_pylist(), found["travel_time_s"].to_pylist(), strict=True)
    )


def assert_recorded_as_scored(run: Path) -> None:
    """Arrivals of the recorded day, under every row, give the times it was scored by."""
    found = pq.read_table(run / "traces" / "trip", filters=[("day", "=", 0)]).to_pylist()
    for row in found:
        taken_s = row["arrival_s"] - row["depart_s"]
        assert row["travel_time_s"] == pytest.approx(taken_s), (row["algorithm"], row["vehicle_id"])


@pytest.mark.slow
@pytest.mark.usefixtures("own_folder")
@pytest.mark.parametrize(
    "options",
    [(), ("--share", "0.5"), ("--share", "0.5", "--meso"), ("--en-route",)],
    ids=lambda words: " ".join(words) or "plain",
)
def test_the_replay_of_a_run_gives_the_traced_times(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    net = two_routes(Path())
    Path("two.trips.xml").write_text(demand_file(mixed_traffic(12)))
    assert sstraffic_run("--net", net, *options, "--trace", "agent") == 0
    run = only_run(Path("runs"))
    assert verify_run(run) == []
    names = {path.stem for path in (run / "replay").glob("*.sumocfg")}
    assert "user_equilibrium" in names
    assert ("ss" in names) == ("--en-route" not in options)
    sealed = {name for name in read_manifest(run)["ss"]["files"] if name.startswith("replay/")}
    assert len(sealed) == 2 * len(names) + 1
    moved = shutil.copytree(run / "replay", tmp_path / "elsewhere")
    for path in moved.iterdir():
        assert str(tmp_path).encode() not in path.read_bytes()
    assert_recorded_as_scored(run)
    for name in names:
        assert times_by_sumo(moved, name) == pytest.approx(first_day(run, name), abs=1e-6), name
