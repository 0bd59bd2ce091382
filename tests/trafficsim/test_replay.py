"""`sumo -c` on the files of a run's `replay/` gives the times that the run had."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from tests.trafficsim.small_nets import NOISY, QUIET, small_game, trips
from trafficsim.demand import VehicleType
from trafficsim.replay import route_xml, write_replay
from trafficsim.simulation import Scene, Simulator, SumoConfig, travel_times_s

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


def test_many_vehicles_of_two_types_and_uneven_departures(tmp_path: Path) -> None:
    demand = trips(60, headway_s=0.73, kind=NOISY)
    bus = VehicleType("long", (("length", "12"), ("sigma", "0.3"), ("maxSpeed", "9")))
    mixed = tuple(
        replace(trip, type_id="long") if at % 5 == 0 else trip
        for at, trip in enumerate(demand.trips)
    )
    demand = replace(demand, trips=mixed, types=(*demand.types, bus))
    scene = small_game(tmp_path, demand, sumo=SumoConfig(watchdog_s=20.0)).scene
    routes = np.random.default_rng(0).integers(0, 2, len(mixed))
    assert_replayed(scene, routes, tmp_path, seed=3)


def test_names_that_xml_must_quote_stay_names(tmp_path: Path) -> None:
    demand = trips(3)
    odd = tuple(replace(trip, trip_id=f'<"{at}&') for at, trip in enumerate(demand.trips))
    scene = small_game(tmp_path, replace(demand, trips=odd)).scene
    text = route_xml(scene, np.array([0, 1, 0]))
    found = [one.get("id") for one in ElementTree.fromstring(text).iter("vehicle")]
    assert found == [trip.trip_id for trip in odd]
