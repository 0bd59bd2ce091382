"""Vehicle types and demand as data: who has driver noise, and what stands in a route file."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, QUIET, trips
from trafficsim.demand.read import read_demand
from trafficsim.demand.trips import Demand, Trip, VehicleType, demand_file


def kind(**attributes: str) -> VehicleType:
    return VehicleType("car", tuple(attributes.items()))


@pytest.mark.parametrize(
    ("attributes", "deterministic"),
    [
        ({"sigma": "0", "speedDev": "0.0"}, True),
        ({"sigma": "0"}, False),  # SUMO's default speedDev is 0.1
        ({"speedDev": "0"}, False),
        ({"sigma": "0.5", "speedDev": "0"}, False),
        ({"sigma": "0", "speedDev": "0", "speedFactor": "1.2"}, True),
        ({"sigma": "0", "speedDev": "0", "speedFactor": "normc(1.2, 0.1, 0.2, 2)"}, False),
        ({"sigma": "0", "speedDev": "0", "lcSigma": "0.3"}, False),
        ({"sigma": "zero", "speedDev": "0"}, False),
    ],
)
def test_a_type_is_deterministic_if_nothing_of_it_is_drawn(
    attributes: dict[str, str], deterministic: bool
) -> None:
    given = kind(**attributes)
    assert given.is_deterministic == deterministic
    assert given.quiet().is_deterministic
    assert given.quiet().quiet() == given.quiet()
    assert (given.quiet() == given) == deterministic


def test_the_mean_of_a_distribution_of_speeds_stays() -> None:
    quiet = kind(speedFactor="normc(1.2, 0.1, 0.2, 2)", accel="2").quiet()
    assert dict(quiet.attributes) == {
        "speedFactor": "1.2", "accel": "2", "sigma": "0", "speedDev": "0",
    }  # fmt: skip


def test_a_demand_is_deterministic_if_every_trip_is() -> None:
    assert trips(3).is_deterministic
    assert not trips(3, kind=NOISY).is_deterministic
    mixed = Demand((Trip("a", 0.0, "x", "y", "car"), Trip("b", 1.0, "x", "y")), (QUIET,))
    assert not mixed.is_deterministic  # the second drives SUMO's default vehicle
    assert mixed.od_pairs == {("x", "y"): 2}


def test_a_demand_survives_its_file(tmp_path: Path) -> None:
    given = Demand(
        (
            Trip("a", 0.25, "x", "z", "car"),
            Trip("b", 3.0, "x", "z"),
            Trip("c", 7.5, "x", "z", "car", ("x", "y", "z")),
        ),
        (NOISY,),
        "-- a source with & and <",
    )
    path = tmp_path / "demand.rou.xml"
    path.write_text(demand_file(given))
    edges = ("x", "y", "z")
    read = read_demand(path, kind="routes", edges=edges, rng=np.random.default_rng(0))
    assert (read.trips, read.types) == (given.trips, given.types)
