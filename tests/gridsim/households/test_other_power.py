"""What farms, shops and generators draw and give: days worked by hand, and the sun."""

import datetime
from functools import cache

import numpy as np
import pytest

from gridsim.config import GridConfig
from gridsim.households.other_power import OtherPower, generation_shape, load_shape, other_power
from gridsim.households.profiles import load_profiles
from gridsim.households.sun import clear_sky_year
from gridsim.network.feeder import Feeder
from gridsim.network.net_profiles import NetProfiles
from gridsim.network.pandapower_io import compile_feeder
from gridsim.stage import set_stage
from tests.support.simbench_nets import HOMES, PLANT_MW, simbench_like

DAYS = set_stage(GridConfig(households=3, days=2)).held_out
LOADS = 8


@cache
def feeder() -> Feeder:
    return compile_feeder(simbench_like(), "small")


def power(known: NetProfiles, first_day: datetime.date | None = None) -> OtherPower:
    return other_power(feeder(), known, load_profiles(), DAYS, first_day)


def ramp(scale: float) -> np.ndarray:
    """A year whose value tells day and step."""
    return scale * np.arange(365 * 96, dtype=float).reshape(365, 96)


def test_a_farm_draws_its_profile_from_from_hour() -> None:
    found = power(NetProfiles(load_p={"L1-A": ramp(1.0)}, load_q={"L1-A": ramp(2.0)}))
    day, step = 1, 60  # three in the morning after the second day's noon
    at = DAYS.calendar_day[day] * 96 + 48 + step
    assert found.p_mw[day * 96 + step, 3] == pytest.approx(0.009 * at)
    assert found.q_mvar[day * 96 + step, 3] == pytest.approx(0.003 * 2 * at)


def test_a_generator_gives_what_a_load_would_draw_below_zero() -> None:
    found = power(NetProfiles(generation={"PV8": ramp(1.0)}))
    at = DAYS.calendar_day[0] * 96 + 48
    assert found.p_mw[0, LOADS + 1] == pytest.approx(-PLANT_MW * at)
    assert found.q_mvar[0, LOADS + 1] == pytest.approx(0.01 * at)


def test_generation_follows_the_date_and_loads_the_households_days() -> None:
    shapes = NetProfiles(load_p={"L1-A": ramp(1.0)}, generation={"PV8": ramp(1.0)})
    found, dated = power(shapes), power(shapes, datetime.date(2025, 7, 1))
    np.testing.assert_array_equal(found.p_mw[:, :LOADS], dated.p_mw[:, :LOADS])
    assert dated.p_mw[0, LOADS + 1] == pytest.approx(-PLANT_MW * (181 * 96 + 48))
    assert dated.p_mw[96, LOADS + 1] == pytest.approx(-PLANT_MW * (182 * 96 + 48))
    assert "2025-07-01 and the days after it" in dated.notes[-1]


def test_homes_and_their_devices_draw_nothing_here() -> None:
    found = power(NetProfiles())
    homes = [*range(len(HOMES)), LOADS - 2, LOADS - 1]
    assert not found.p_mw[:, homes].any()
    assert not found.q_mvar[:, homes].any()


def test_shapes_that_the_file_lacks_are_ours_and_named() -> None:
    notes = "\n".join(power(NetProfiles()).notes)
    assert "profiles that the net does not bring (G0-A, HLS_A_11.0, L1-A)" in notes
    assert "generation follows a clear sky over the middle of Germany (PV1, PV8)" in notes
    whole = NetProfiles(
        load_p={name: ramp(1.0) for name in ("G0-A", "HLS_A_11.0", "L1-A")},
        generation={name: ramp(1.0) for name in ("PV1", "PV8")},
    )
    found = power(whole)
    highest = found.generation_kw.max()
    assert found.notes == (
        "generation follows the net's own profiles on the days of the households' load (--date "
        f"gives it other days); its highest is {highest:.3g} kW",
    )


@pytest.mark.parametrize("name", ["L1-A", "G0-A", "Soil_Alternative_2", "HLS_A_11.0", "APLS_B"])
def test_a_shape_of_ours_is_at_most_one(name: str) -> None:
    shape = load_shape(name, load_profiles())
    assert shape.max() == 1.0
    assert shape.min() >= 0.0


def test_what_is_not_photovoltaic_gives_its_power_all_day() -> None:
    assert generation_shape("CHP").min() == 1.0
    for name in ("PV_roof", "pv", "Solar"):
        assert generation_shape(name).min() == 0.0


# the sun


def test_the_sun_is_where_almanacs_have_it() -> None:
    """Sunrise and sunset in the middle of Germany, Central European Time without summer time."""
    up = clear_sky_year() > 0
    for day, rise_h, set_h in ((171, 4.05, 20.6), (354, 8.3, 16.2), (79, 6.4, 18.5)):
        shining = np.flatnonzero(up[day]) / 4
        assert shining[0] == pytest.approx(rise_h, abs=0.5)
        assert shining[-1] == pytest.approx(set_h, abs=0.5)


def test_a_clear_day_in_summer_gives_most_at_noon_and_a_winter_evening_nothing() -> None:
    year = clear_sky_year()
    assert 0.7 < year[171].max() < 0.95
    assert year[171].argmax() / 4 == pytest.approx(12.3, abs=0.4)
    assert not year[15, 17 * 4 :].any()
    assert year[171].sum() / 4 == pytest.approx(6.7, abs=1.0)  # kWh per kW and day
    assert 1.2 < year[354].sum() / 4 < 3.0
