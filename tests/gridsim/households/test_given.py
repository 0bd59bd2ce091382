"""A population as files have it: devices by household, measured load less its wet appliances."""

from pathlib import Path

import numpy as np
import pytest

from gridsim.households.given import with_cars_power, with_devices, with_meters
from gridsim.households.households import (
    STEP_H,
    HouseholdConfig,
    JobKind,
    Population,
    draw_population,
    wet_appliances,
)
from gridsim.households.profiles import load_profiles
from gridsim.own_data.households_file import read_households_file
from gridsim.own_data.meters import read_meters
from tests.support.own_files import write_meters


@pytest.fixture
def population() -> Population:
    return draw_population(HouseholdConfig(), load_profiles(), 3, np.random.default_rng(0))


def test_what_the_file_does_not_say_stays_as_drawn(tmp_path: Path, population: Population) -> None:
    path = tmp_path / "h.csv"
    path.write_text("household,car,heat_pump\na,no,2.5\nb,,no\nc,yes,\n")
    given = with_devices(population, read_households_file(path))
    drawn = population.owns
    assert given.owns[:, JobKind.EV].tolist() == [0, drawn[1, JobKind.EV], 1]
    assert given.owns[:, JobKind.HEAT_PUMP].tolist() == [1, 0, drawn[2, JobKind.HEAT_PUMP]]
    assert np.asarray(given.heat_pump_most_kw).tolist() == [2.5, 4.0, 4.0]
    np.testing.assert_array_equal(given.owns[:, :3], drawn[:, :3])


def test_cars_charge_with_the_power_of_the_file(tmp_path: Path) -> None:
    path, config = tmp_path / "h.csv", HouseholdConfig()
    path.write_text("household,car\na,3.6\nb,yes\n")
    assert with_cars_power(config, read_households_file(path)).ev_level_kw == pytest.approx(1.2)
    path.write_text("household,car\na,no\nb,yes\n")
    assert with_cars_power(config, read_households_file(path)) == config


def test_the_mean_energy_of_wet_appliances_is_taken_out_of_meters(
    tmp_path: Path, population: Population
) -> None:
    meters = read_meters(write_meters(tmp_path / "m.csv", ("a", "b", "c"), kw=0.5), None)
    given, _, note = with_meters(population, meters, "winter", np.random.default_rng(0))
    yearly = np.array([0.5, 1.0, 1.5]) * 8760.0
    wet = sum(
        population.owns[:, kind] * sum(each.cycle_kw) * STEP_H * each.cycles_per_year
        for kind, each in enumerate(wet_appliances())
    )
    np.testing.assert_allclose(given.base_scale, 1.0 - wet / yearly)
    share = round(100 * np.sum(wet) / yearly.sum())
    assert f"; {share} % is taken out of it for washing machines" in note


def test_a_small_load_keeps_three_tenths(tmp_path: Path, population: Population) -> None:
    meters = read_meters(write_meters(tmp_path / "m.csv", ("a", "b", "c"), kw=0.001), None)
    given, *_ = with_meters(population, meters, "winter", np.random.default_rng(0))
    assert given.base_scale.min() >= 0.3
