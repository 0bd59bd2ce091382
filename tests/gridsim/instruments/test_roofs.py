"""Instruments where households have roofs and batteries, on days worked by hand.

A level-step is 11/12 kWh. Each way a battery keeps sqrt(0.9); it wears 0.02 EUR/kWh discharged,
waits 0.005 EUR/kWh an hour to charge, and what is left is worth 0.07 EUR/kWh.
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from gridsim.game.tariff import Tariff
from gridsim.households.households import Days
from gridsim.instruments.best_response import best_battery
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.connection_limit import first_come_outcome
from gridsim.instruments.dimming import dimming_outcome
from gridsim.instruments.outcome import waiting_eur
from gridsim.instruments.own_tariff import OwnTariff, paid_eur, time_of_use
from gridsim.instruments.storage import Batteries
from gridsim.instruments.tariffs import (
    capacity_daily_outcome,
    segmented_outcome,
    spot_outcome,
    time_of_use_outcome,
)
from gridsim.instruments.valley_filling import filled_valleys
from tests.support.tiny_days import LEVEL_KW, TinyJob, flat_tariff, tiny_days

RULES = InstrumentRules()
BATTERY = TinyJob(household=0, arrival=0, end=96, battery_kwh=4.0, delay_cost=0.02)  # 2 kW
ONE_WAY = math.sqrt(0.9)


def fed_in_at(eur_per_kwh: float, tariff: Tariff) -> Tariff:
    return replace(tariff, feed_in_loss=tariff.base_price - eur_per_kwh)


def with_base(days: Days, *changes: tuple[int, slice, float]) -> Days:
    base = days.base_kw.copy()
    for household, steps, kw in changes:
        base[0, household, steps] = kw
    return replace(days, base_kw=base)


def test_what_is_fed_in_brings_the_feed_in_tariff_and_not_the_price() -> None:
    # 2 kW fed in for 1 h at 0.08; 3 kW drawn for 1 h at 0.2: -0.16 + 0.6
    own = OwnTariff.hourly(fed_in_at(0.08, flat_tariff()))
    load = np.zeros((1, 96))
    load[0, :4], load[0, 40:44] = -2.0, 3.0
    assert paid_eur(own, load) == pytest.approx(0.44)
    # without a feed-in tariff the price: -0.4 + 0.6
    assert paid_eur(OwnTariff.hourly(flat_tariff()), load) == pytest.approx(0.2)


def test_a_band_of_the_time_of_use_tariff_has_the_same_feed_in_tariff() -> None:
    # two bands, 0.1 and 0.3: a loss of 0.02 and of 0.22 against 0.08
    price = np.where(np.arange(96) < 48, 0.3, 0.1)
    tariff = fed_in_at(0.08, replace(flat_tariff(), base_price=price))
    own = time_of_use(tariff, 2)
    assert own.feed_in_loss is not None
    assert np.allclose(own.feed_in_loss[[0, 50]], [0.22, 0.02])
    # 1 kW fed in all day brings 24 kWh at 0.08, whatever the band; the car is household 1's
    car = TinyJob(household=1, arrival=0, end=8, units=1)
    days = with_base(tiny_days([car]), (0, slice(0, 96), -1.0))
    found = time_of_use_outcome(days, tariff, replace(RULES, bands=2))
    assert found.paid_eur[0, 0] == pytest.approx(-24 * 0.08)
    assert found.instrument_eur[0, 0] == pytest.approx(0.0)


def test_a_car_charges_in_its_own_sun_rather_than_at_once() -> None:
    # 3.67 kW of sun in steps 4 and 5: a unit there costs 0.08 EUR/kWh instead of 0.2, for an hour's
    # wait at 0.001; a second unit in the same step would be drawn at 0.2
    car = TinyJob(household=0, arrival=0, end=8, units=3)
    days = with_base(tiny_days([car]), (0, slice(4, 6), -LEVEL_KW))
    found = spot_outcome(days, fed_in_at(0.08, flat_tariff()))
    assert np.allclose(found.schedule.job_kw[0, :8] / LEVEL_KW, [1, 0, 0, 0, 1, 1, 0, 0])
    # drawn is one unit, 11/12 kWh at 0.2; nothing is fed in any more
    assert found.paid_eur[0].tolist() == pytest.approx([11 / 12 * 0.2, 0.0])


def test_peaks_and_segments_count_what_is_drawn_not_what_is_fed_in() -> None:
    # household 0 feeds in 8 kW all day, household 1 draws 1 kW; household 2 has the only car
    car = TinyJob(household=2, arrival=0, end=8, units=1)
    days = with_base(tiny_days([car], households=3, base_kw=1.0), (0, slice(0, 96), -8.0))
    daily = capacity_daily_outcome(days, flat_tariff(), replace(RULES, capacity_eur_per_kw_day=0.5))
    assert daily.instrument_eur[0, :2].tolist() == pytest.approx([0.0, 0.5])
    above = replace(RULES, segment_kw=0.5, segment_eur_per_kwh=0.1)
    # household 1: 0.5 kW above for 24 h at 0.1 EUR
    segmented = segmented_outcome(days, flat_tariff(), above)
    assert segmented.instrument_eur[0, :2].tolist() == pytest.approx([0.0, 1.2])


def test_a_battery_moves_the_sun_to_the_evening_under_hourly_prices() -> None:
    # 2 kW of sun in steps 0 and 1, 1 kW of load for an hour from step 60 on, price 0.3, 0.08 for
    # what is fed in. Storing 1 kWh loses 0.08, keeps 0.949 and gives 0.9 kWh that saves 0.27 EUR.
    days = with_base(tiny_days([BATTERY]), (0, slice(0, 2), -2.0), (0, slice(60, 64), 1.0))
    found = spot_outcome(days, fed_in_at(0.08, flat_tariff(0.3)))
    kw = found.schedule.job_kw[0]
    assert np.allclose(kw[:2], 2.0)
    assert -0.25 * kw[60:64].sum() == pytest.approx(0.9, abs=0.02)
    assert np.allclose(np.delete(kw, [0, 1, 60, 61, 62, 63]), 0.0)
    # of 1 kWh of load 0.1 are drawn at 0.3; wear of 0.9 kWh, a step's wait of half a kWh
    assert found.paid_eur[0, 0] == pytest.approx(0.03, abs=0.006)
    assert found.schedule.discomfort_eur[0, 0] == pytest.approx(0.018 + 0.0006, abs=0.002)
    assert found.undelivered_kwh.sum() == 0.0


def test_a_battery_charges_from_the_grid_where_hours_differ_enough() -> None:
    # cheap at 0.05 until step 4: 1 kWh costs 0.05 and gives 0.9 kWh at 0.4, wear and wait 0.02;
    # fed in it would bring 0.05
    price = np.full(96, 0.4)
    price[:4] = 0.05
    days = with_base(tiny_days([BATTERY]), (0, slice(40, 42), 2.0))
    found = spot_outcome(days, fed_in_at(0.05, replace(flat_tariff(), base_price=price)))
    assert 0.25 * found.schedule.job_kw[0, :4].sum() >= 1.0 / 0.9 - 0.02
    assert np.allclose(found.schedule.load_kw[0, 0, 40:42], 0.0, atol=0.1)


def test_what_a_battery_costs_its_owner_is_wear_and_waiting_less_what_is_left() -> None:
    days = tiny_days([BATTERY])
    kw = np.zeros((1, 96))
    kw[0, 4], kw[0, 8] = 2.0, -1.0
    # 0.5 kWh an hour late: 0.005 · 0.5; 0.25 kWh discharged: 0.02 · 0.25;
    # left are 0.5 · 0.9487 - 0.25 / 0.9487 = 0.2108 kWh at 0.07
    left = 0.5 * ONE_WAY - 0.25 / ONE_WAY
    assert waiting_eur(days, kw).tolist() == pytest.approx([0.0025 + 0.005 - 0.07 * left])


def test_a_battery_cuts_a_peak_that_is_charged() -> None:
    # 4 kW for two steps after an hour of 1 kW of sun: 0.9 kWh can be given, 1.8 kW for half an hour
    own_kw = np.zeros(96)
    own_kw[:4], own_kw[40:42] = -1.0, 4.0
    kind = tiny_days([BATTERY]).battery
    tariff = fed_in_at(0.08, flat_tariff(0.08))  # energy alone gives no reason to store
    flat = OwnTariff.hourly(tariff)
    assert np.allclose(best_battery(4.0, 0.02, kind, own_kw, flat)[40:42], 0.0)
    kw = best_battery(4.0, 0.02, kind, own_kw, replace(flat, peak_eur_per_kw=1.0))
    # it draws some from the grid, too, before: 2 kW, its power, are cut
    assert (own_kw + kw).max() == pytest.approx(2.0, abs=0.05)
    stored = np.cumsum(kind.kept_kwh(kw))
    assert stored.min() >= -1e-9


def test_a_peak_that_is_paid_already_is_left_alone() -> None:
    own_kw = np.zeros(96)
    own_kw[40:42] = 4.0
    kind = tiny_days([BATTERY]).battery
    tariff = replace(OwnTariff.hourly(flat_tariff(0.3)), peak_eur_per_kw=1.0, free_kw=4.0)
    # at one price storing loses a tenth and wears: nothing is done
    assert np.allclose(best_battery(4.0, 0.02, kind, own_kw, tariff), 0.0)


def test_batteries_do_what_power_room_and_charge_allow() -> None:
    batteries = Batteries.of(tiny_days([BATTERY, replace(BATTERY, household=1)]), 0)
    stored = np.array([0.1, 3.9])
    # 0.1 kWh give 0.4 · 0.949 kW; room of 0.1 kWh takes 0.4 / 0.949 kW
    assert np.allclose(
        batteries.possible_kw(np.array([-5.0, 5.0]), stored), [-0.3795, 0.4216], 1e-3
    )
    covering = batteries.covering_kw(np.array([-1.5, 9.0]), stored)
    assert np.allclose(covering, [1.5, -2.0])  # 2 kW is all its power
    assert np.allclose(
        batteries.after_kwh(covering, stored), [0.1 + 0.375 * ONE_WAY, 3.9 - 0.5 / ONE_WAY]
    )


def test_the_connection_limit_counts_what_batteries_store_as_no_room() -> None:
    # household 0 feeds in 6 kW, 1 draws 14; limit 12: its car has 12 - 8 kW of room, one level;
    # a battery of household 0 takes 2 kW of them: none, until its 4 kWh are full
    car = TinyJob(household=1, arrival=0, end=96, units=1)
    changes = (0, slice(0, 96), -6.0), (1, slice(0, 96), 14.0)
    limit = np.full((1, 96), 12.0)
    tariff = fed_in_at(0.08, flat_tariff())
    alone = first_come_outcome(with_base(tiny_days([car]), *changes), tariff, limit, RULES)
    assert alone.schedule.job_kw[0, 0] == pytest.approx(LEVEL_KW)
    both = first_come_outcome(with_base(tiny_days([car, BATTERY]), *changes), tariff, limit, RULES)
    battery_kw, car_kw = both.schedule.job_kw
    # full after 4 / (2 · 0.949 · 0.25) = 8.43 steps: in step 8 it takes 0.865 kW, room is 3.1 kW
    assert np.allclose(battery_kw[:8], 2.0)
    assert battery_kw[8] == pytest.approx(0.865, abs=0.01)
    assert np.flatnonzero(car_kw).tolist() == [9]
    assert both.schedule.load_kw.sum(axis=1).max() <= 12.0
    # the car waits 9 steps, 2.25 h over two households; a battery announces nothing and waits not
    assert both.dimmed_h.tolist() == pytest.approx([1.125])
    assert both.revealed_bytes.tolist() == [3 * 4 / 2]


def test_the_operator_dims_what_a_large_battery_charges_from_the_grid_to_4_2_kw() -> None:
    # 12 kWh, 6 kW; cheap in steps 4 and 5, 8 kW of load in step 60 and on for an hour
    battery = replace(BATTERY, battery_kwh=12.0)
    price = np.full(96, 0.4)
    price[4:6] = 0.01
    days = with_base(tiny_days([battery]), (0, slice(60, 64), 8.0))
    tariff, limit = replace(flat_tariff(), base_price=price), np.full((1, 96), 100.0)
    limit[0, 4] = 0.0
    owner = np.array([True, False])
    found = dimming_outcome(days, tariff, limit, owner, RULES, hourly_prices=True)
    assert found.schedule.job_kw[0, 4:6].tolist() == pytest.approx([4.2, 6.0])
    # a quarter-hour of one of two households; its owner gets module 1
    assert found.dimmed_h.tolist() == pytest.approx([0.125])
    assert np.allclose(found.instrument_eur[0], [-155.0 / 365.0, 0.0])


def test_what_a_battery_stores_of_its_own_sun_is_never_dimmed() -> None:
    # 6 kW of sun into 6 kW of battery: nothing is drawn, though the feeder is far above its limit
    battery = replace(BATTERY, battery_kwh=12.0)
    days = with_base(tiny_days([battery]), (0, slice(0, 4), -6.0), (1, slice(0, 4), 20.0))
    limit, nobody = np.full((1, 96), 5.0), np.array([False, False])
    for hourly in (False, True):
        tariff = fed_in_at(0.05, flat_tariff(0.4))
        days = with_base(days, (0, slice(60, 80), 1.0))
        found = dimming_outcome(days, tariff, limit, nobody, RULES, hourly_prices=hourly)
        assert np.allclose(found.schedule.job_kw[0, :4], 6.0)
        assert found.dimmed_h.tolist() == [0.0]


def test_a_battery_fills_valleys_of_all_below_zero_as_above() -> None:
    # household 1 feeds in 2 kW in steps 0 to 3 and draws 2 kW in steps 40 to 43: the battery of
    # household 0 takes sun of others and gives it back: 0.9 of it
    changes = (1, slice(0, 4), -2.0), (1, slice(40, 44), 2.0)
    days = with_base(tiny_days([BATTERY]), *changes)
    schedule, _ = filled_valleys(days, 0.5, 50)
    total = schedule.load_kw.sum(axis=1)[0]
    assert (total**2).sum() < 0.25 * 8 * 4.0  # 32 without it
    assert total[:4].max() <= 0.5
    assert total[:4].min() >= -1.0
    assert total[40:44].max() <= 1.0


def test_a_car_takes_the_sun_that_its_battery_would_store_where_that_is_cheaper() -> None:
    # 3.67 kW of sun in step 4 alone, price 0.2, feed-in 0.05: a unit of the car, 11/12 kWh, saves
    # 0.1375 EUR there and waits an hour for 0.0733. Beside a battery that stores 2 kW of the sun
    # (worth 0.066 when kept, more than 0.05) it would save 5/11 of that, 0.0625, and stay
    car = TinyJob(household=0, arrival=0, end=8, units=1, delay_cost=0.08)
    days = with_base(tiny_days([car, BATTERY]), (0, slice(4, 5), -LEVEL_KW))
    found = spot_outcome(days, fed_in_at(0.05, flat_tariff()))
    car_kw = found.schedule.job_kw[found.schedule.job_kw.max(axis=1).argmax()]
    assert np.flatnonzero(car_kw).tolist() == [4]
    assert found.paid_eur[0, 0] == pytest.approx(0.0, abs=1e-9)
