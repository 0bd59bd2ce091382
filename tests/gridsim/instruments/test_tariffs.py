"""Tariffs of a household alone, on days worked by hand. A level-step is 11/12 kWh."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridsim.instruments.best_response import Job, best_load
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.own_tariff import OwnTariff, paid_eur, time_of_use
from gridsim.instruments.tariffs import (
    capacity_daily_outcome,
    capacity_monthly_outcome,
    segmented_outcome,
    spot_outcome,
    time_of_use_outcome,
)
from tests.support.tiny_days import LEVEL_KW, TinyJob, flat_tariff, tiny_days

RULES = InstrumentRules()
CAR = TinyJob(household=0, arrival=0, end=8, units=6)  # two steps at 11 kW, or six at 3.67


def levels(load_kw: np.ndarray, steps: int) -> list[int]:
    return np.round(load_kw[:steps] / LEVEL_KW).astype(int).tolist()


def test_bands_join_the_cheapest_and_the_dearest_hours_at_their_mean() -> None:
    # 24 hours at 1 … 24 ct: three bands of eight, means 4.5, 12.5, 20.5 ct
    tariff = replace(flat_tariff(), base_price=np.repeat(np.arange(1, 25) / 100, 4))
    price = time_of_use(tariff, 3).price
    assert np.allclose(price[[0, 31, 32, 63, 64, 95]], [0.045, 0.045, 0.125, 0.125, 0.205, 0.205])
    assert price.mean() == pytest.approx(tariff.base_price.mean())


def test_time_of_use_makes_a_herd_at_the_first_step_of_the_cheap_band() -> None:
    price = np.where(np.arange(96) < 48, 0.3, 0.1)
    cars = [TinyJob(household=h, arrival=40 + 4 * h, end=96, units=6) for h in (0, 1)]
    tariff = replace(flat_tariff(), base_price=price)
    found = time_of_use_outcome(tiny_days(cars), tariff, replace(RULES, bands=2))
    # both charge 11 kW in steps 48 and 49: 22 kW together, though the night is long
    assert np.allclose(found.schedule.load_kw.sum(axis=1)[0, 47:51], [0.0, 22.0, 22.0, 0.0])
    # each pays 5.5 kWh at 0.10; household 0 waits 2.75 kWh for 2 h and 2.75 kWh for 2.25 h
    assert np.allclose(found.paid_eur, 0.55)
    assert found.schedule.discomfort_eur[0, 0] == pytest.approx(0.001 * 2.75 * 4.25)
    assert found.revealed_bytes.tolist() == [8.0]  # two sums of 4 bytes


def test_without_a_band_hourly_prices_are_followed_to_the_cheapest_hour() -> None:
    price = np.full(96, 0.3)
    price[60:64] = 0.1
    washing = TinyJob(household=1, arrival=50, end=96, cycle_kw=(2.0, 1.0))
    found = spot_outcome(tiny_days([washing]), replace(flat_tariff(), base_price=price))
    # cheapest start is step 60: 0.25 h · 3 kW · 0.1 EUR/kWh = 0.075 EUR; 2.5 h of waiting
    assert np.allclose(found.schedule.load_kw[0, 1, 59:63], [0.0, 2.0, 1.0, 0.0])
    assert found.paid_eur[0].tolist() == pytest.approx([0.0, 0.075])
    assert found.schedule.discomfort_eur[0, 1] == pytest.approx(0.0025)


def test_a_charge_on_the_daily_peak_makes_a_car_charge_low_and_long() -> None:
    rules = replace(RULES, capacity_eur_per_kw_day=0.5)
    found = capacity_daily_outcome(tiny_days([CAR], base_kw=1.0), flat_tariff(), rules)
    assert levels(found.schedule.job_kw[0], 8) == [1, 1, 1, 1, 1, 1, 0, 0]
    # peak 1 + 11/3 kW: 2.3333 EUR; the other household's peak is its 1 kW: 0.5 EUR
    assert found.instrument_eur[0].tolist() == pytest.approx([0.5 * (1 + 11 / 3), 0.5])
    # and energy: (24 + 5.5) kWh and 24 kWh at 0.2 EUR
    assert found.paid_eur[0].tolist() == pytest.approx([5.9 + 0.5 * (1 + 11 / 3), 4.8 + 0.5])


def test_a_peak_charge_too_small_for_the_wait_changes_nothing() -> None:
    rules = replace(RULES, capacity_eur_per_kw_day=0.0001)
    found = capacity_daily_outcome(tiny_days([CAR]), flat_tariff(), rules)
    # saving 7.33 kW is worth 0.07 ct; the wait it takes costs 0.001 · 11/12 kWh · 2.25 h = 0.2 ct
    assert levels(found.schedule.job_kw[0], 8) == [3, 3, 0, 0, 0, 0, 0, 0]


def test_a_peak_of_the_month_is_paid_once_and_then_free() -> None:
    # day 0: two steps only, so that 11 kW it must be; day 1: the month has an 11 kW peak already
    cars = [TinyJob(household=0, arrival=0, end=2, units=6), replace(CAR, day=1)]
    days = tiny_days(cars, num_days=2)
    found = capacity_monthly_outcome(days, flat_tariff(), RULES)
    assert levels(found.schedule.job_kw[1], 8) == [3, 3, 0, 0, 0, 0, 0, 0]
    fixed = 3.37 * 2.5 / 30  # of the 2.5 kW that everybody pays for, per day of the month
    assert found.instrument_eur[:, 0].tolist() == pytest.approx([fixed + 3.37 * 8.5, fixed])
    assert found.instrument_eur[:, 1].tolist() == pytest.approx([fixed, fixed])
    # months of one day: the second day starts from 2.5 kW again and keeps to one level, 3.67 kW
    short = capacity_monthly_outcome(days, flat_tariff(), replace(RULES, days_per_month=1))
    assert levels(short.schedule.job_kw[1], 8) == [1, 1, 1, 1, 1, 1, 0, 0]


def test_a_segmented_price_is_kept_below_where_the_window_allows() -> None:
    rules = replace(RULES, segment_kw=4.0, segment_eur_per_kwh=1.0)
    found = segmented_outcome(tiny_days([CAR]), flat_tariff(), rules)
    assert levels(found.schedule.job_kw[0], 8) == [1, 1, 1, 1, 1, 1, 0, 0]
    assert found.instrument_eur[0, 0] == pytest.approx(0.0)
    # three steps for six units: two a step, 7.33 kW: 3.33 kW above 4 kW for 0.75 h = 2.5 EUR
    hurried = segmented_outcome(tiny_days([replace(CAR, end=3)]), flat_tariff(), rules)
    assert levels(hurried.schedule.job_kw[0], 4) == [2, 2, 2, 0]
    assert hurried.instrument_eur[0, 0] == pytest.approx(2.5)
    assert hurried.paid_eur[0, 0] == pytest.approx(2.5 + 5.5 * 0.2)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), units=st.integers(1, 9))
def test_the_charging_plan_is_as_good_as_every_pattern_tried(seed: int, units: int) -> None:
    rng = np.random.default_rng(seed)
    own_kw = rng.uniform(-6.0, 6.0, 96)  # below 0: a roof
    price, theta, extra, peak, free = rng.uniform(0.0, [0.4, 8.0, 0.5, 0.5, 12.0])
    tariff = OwnTariff(
        price=price + rng.uniform(0.0, 0.2, 96),
        feed_in_loss=rng.uniform(0.0, 0.3, 96),
        segment_kw=theta,
        segment_eur_per_kwh=extra,
        peak_eur_per_kw=peak,
        free_kw=free,
    )
    car = TinyJob(household=0, arrival=20, end=24, units=units, delay_cost=float(rng.uniform(0, 1)))
    job = Job.row(tiny_days([car]), 0)
    patterns = np.array([p for p in product(range(4), repeat=4) if sum(p) == units])
    loads = np.zeros((len(patterns), 96))
    loads[:, 20:24] = LEVEL_KW * patterns

    def cost(load_kw: np.ndarray) -> np.ndarray:
        waiting = job.delay_cost * 0.25 * load_kw @ (0.25 * (np.arange(96) - 20))
        return paid_eur(tariff, own_kw + load_kw) + waiting

    found = best_load(job, own_kw, tariff)
    assert cost(found[None])[0] == pytest.approx(cost(loads).min())
