"""What SUMO's vehicle types mean to the link model."""

from pathlib import Path

import pytest

from tests.trafficsim.link_model.crossing import crossing_scene
from trafficsim.demand.trips import VehicleType
from trafficsim.link_model.vehicles import vehicles_of


def test_what_a_type_leaves_open_is_a_car(tmp_path: Path) -> None:
    row = vehicles_of(crossing_scene(tmp_path, [0.0], kind=VehicleType("car")))
    assert row.space_m.tolist() == [7.5]
    assert (row.tau_s[0], row.top_speed_m_per_s[0]) == (1.0, 55.55)
    assert (row.speed_factor[0], row.speed_spread[0]) == (1.0, 0.1)
    assert row.is_noisy.tolist() == [True]


def test_a_type_that_nobody_defined_is_a_car_too(tmp_path: Path) -> None:
    scene = crossing_scene(tmp_path, [0.0], kind=VehicleType("truck", (("length", "12"),)))
    assert vehicles_of(scene).space_m.tolist() == [14.5]


@pytest.mark.parametrize(
    ("attributes", "factor", "spread"),
    [
        ({"speedFactor": "1.2"}, 1.2, 0.1),
        ({"speedFactor": "1.2", "speedDev": "0"}, 1.2, 0.0),
        ({"speedFactor": "normc(0.9,0.05,0.2,2)"}, 0.9, 0.05),
        ({"speedFactor": "norm(0.9, 0.2)", "speedDev": "0.3"}, 0.9, 0.3),
        ({"speedFactor": "fast", "speedDev": "-1"}, 1.0, 0.0),
    ],
)
def test_speed_factors(
    tmp_path: Path, attributes: dict[str, str], factor: float, spread: float
) -> None:
    kind = VehicleType("car", tuple(attributes.items()))
    row = vehicles_of(crossing_scene(tmp_path, [0.0], kind=kind))
    assert (row.speed_factor[0], row.speed_spread[0]) == (factor, spread)


def test_numbers_that_no_vehicle_has_are_kept_away(tmp_path: Path) -> None:
    odd = {"length": "0", "minGap": "-3", "accel": "nan", "decel": "0", "sigma": "0"}
    row = vehicles_of(crossing_scene(tmp_path, [0.0], kind=VehicleType("car", tuple(odd.items()))))
    assert row.space_m.tolist() == [0.01]
    assert (row.acceleration_m_per_s2[0], row.braking_m_per_s2[0]) == (2.6, 0.01)
    assert row.is_noisy.tolist() == [False]
