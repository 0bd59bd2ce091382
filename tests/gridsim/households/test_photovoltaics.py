"""Roofs: the sun's course over orientations, clouds, and days whose load they lower."""

import numpy as np
import pytest

from gridsim.households.days import draw_days
from gridsim.households.households import (
    STEP_H,
    STEPS_PER_DAY,
    Days,
    HouseholdConfig,
    JobKind,
    Population,
    draw_population,
)
from gridsim.households.photovoltaics import clear_sky_of_roofs, draw_clouds
from gridsim.households.profiles import from_hour, load_profiles
from gridsim.households.sun import clear_sky_year

MIDSUMMER = 171


def sunny(seed: int = 0, **changes: float) -> tuple[HouseholdConfig, Population, Days]:
    settings = {"season": "summer", "first_hour": 6, "pv_ownership": 0.6, "battery_ownership": 0.5}
    config = HouseholdConfig(**(settings | changes))  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    population = draw_population(config, load_profiles(), 40, rng)
    return config, population, draw_days(config, load_profiles(), population, 6, rng)


def test_roofs_to_the_east_have_their_noon_in_the_morning() -> None:
    south, east, west = clear_sky_of_roofs()[:, MIDSUMMER]
    noon = south.argmax() / 4
    assert east.argmax() / 4 < noon - 1 < noon + 1 < west.argmax() / 4
    assert south.sum() > east.sum()
    assert east.sum() == pytest.approx(west.sum(), rel=0.01)


def test_a_roof_a_hair_off_the_south_is_a_southern_roof() -> None:
    np.testing.assert_allclose(clear_sky_year(1e-9), clear_sky_year(), atol=1e-9)


def test_clouds_take_from_a_clear_sky_and_change_most_when_half_clear() -> None:
    clearness, sky = draw_clouds(4000, np.random.default_rng(0))
    assert ((sky > 0.0) & (sky <= 1.0)).all()
    assert clearness.mean() == pytest.approx(0.70, abs=0.02)
    spread = sky.std(axis=1)
    half, clear = (clearness > 0.4) & (clearness < 0.6), clearness > 0.95
    assert spread[half].mean() > 2 * spread[clear].mean()
    np.testing.assert_allclose(sky[half].mean(axis=1), clearness[half], atol=0.25)


def test_what_roofs_generate_is_taken_from_the_load() -> None:
    config, population, days = sunny()
    assert days.pv_kw is not None
    owns = population.pv_kwp > 0
    assert 0.3 < owns.mean() < 0.9
    assert (days.pv_kw[:, ~owns] == 0).all()
    clear = from_hour(clear_sky_of_roofs(), 6)[:, days.calendar_day][population.pv_orientation]
    most = (clear * population.pv_kwp[:, None, None]).transpose(1, 0, 2)
    assert (days.pv_kw <= most + 1e-9).all()
    assert (days.base_kw + days.pv_kw >= -1e-12).all()  # what is consumed
    assert days.pv_kw[:, :, 0].mean() < 0.5 * days.pv_kw.max(axis=2).mean()  # 6:00
    assert config.battery.one_way == pytest.approx(np.sqrt(0.9))


def test_a_battery_comes_with_a_roof_and_has_one_job_a_day() -> None:
    _, population, days = sunny()
    stores = population.battery_kwh > 0
    assert stores.any()
    assert (population.pv_kwp[stores] > 0).all()
    batteries = days.jobs.kind == JobKind.BATTERY
    assert batteries.sum() == days.num_days * stores.sum()
    capacity = population.battery_kwh[days.jobs.household[batteries]]
    np.testing.assert_array_equal(days.jobs.battery_kwh[batteries], capacity)
    assert (days.jobs.battery_kwh[~batteries] == 0).all()


def test_nothing_changes_for_those_without_a_roof() -> None:
    config = HouseholdConfig()
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    drawn = draw_population(config, load_profiles(), 12, one)
    roofs = draw_population(HouseholdConfig(pv_ownership=1.0), load_profiles(), 12, other)
    assert (drawn.pv_kwp == 0).all()
    assert (roofs.pv_kwp > 0).all()
    for name in ("owns", "base_scale", "delay_cost", "building"):
        np.testing.assert_array_equal(getattr(drawn, name), getattr(roofs, name))


def test_days_from_six_to_six_keep_the_sun_and_the_clock() -> None:
    _, _, days = sunny(heat_pump_ownership=1.0)
    night = slice(4 * 17, 4 * 21)  # 23:00 to 3:00
    assert days.pv_kw is not None
    assert days.pv_kw[..., night].max() == 0
    cars = days.jobs.kind == JobKind.EV
    evening = days.jobs.arrival_step[cars] * STEP_H + 6
    assert 17 < np.median(evening) < 19.5
    assert (days.jobs.end_step <= STEPS_PER_DAY).all()


def test_cars_may_come_by_day() -> None:
    _, _, days = sunny(ev_by_day=1.0, ev_plug_in_probability=1.0)
    cars = days.jobs.kind == JobKind.EV
    morning = days.jobs.arrival_step[cars] * STEP_H + 6
    leaves = days.jobs.end_step[cars] * STEP_H + 6
    assert np.median(morning) == pytest.approx(9.0, abs=0.5)
    assert np.median(leaves) == pytest.approx(17.0, abs=0.5)


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"pv_ownership": 1.5}, "share lies between 0 and 1"),
        ({"pv_ownership": 0.5, "pv_kwp_mean": 0.0}, "pv_kwp_mean=0.0: must be positive"),
        ({"battery_ownership": 0.5}, "nobody has; set pv_ownership"),
        ({"battery_efficiency": 1.2}, "above 0, at most 1"),
        ({"first_hour": 24}, "first_hour=24"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, float], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        HouseholdConfig(**settings)  # type: ignore[arg-type]
