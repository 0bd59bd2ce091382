"""A charge that follows the network, on days worked by hand.

A line of 0.4 kV for 20 A carries 13.86 kVA to the bus of both households; a level-step of a car is
11/3 kW for a quarter of an hour. The charge begins at half of the rating: 2 EUR/kWh per 100 %.
"""

from dataclasses import replace

import numpy as np
import pandapower
import pytest

from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.network_charge import Network, limits_of, network_charge_outcome
from gridsim.instruments.own_tariff import NetworkCharge, network_eur
from gridsim.network.feeder import Feeder, attach_households
from gridsim.network.pandapower_io import compile_feeder
from tests.support.tiny_days import LEVEL_KW, TinyJob, flat_tariff, tiny_days

RULES = InstrumentRules(network_loading=0.5, network_low_pu=0.5, network_high_pu=1.5)
RATED_KVA = np.sqrt(3.0) * 0.4 * 20.0
TARIFF = flat_tariff()


def line(*length_km: float, amperes: float = 20.0) -> Network:
    """Houses one after the other along a cable, of one household each."""
    net = pandapower.create_empty_network()
    for _ in range(len(length_km) + 1):
        pandapower.create_bus(net, 0.4)
    pandapower.create_ext_grid(net, 0)
    for at, km in enumerate(length_km):
        pandapower.create_line_from_parameters(
            net, at, at + 1, km, 0.2, 0.08, 0.0, amperes / 1000.0
        )
        pandapower.create_load(net, at + 1, p_mw=0.001)
    feeder: Feeder = compile_feeder(net, "line")
    return Network(feeder=feeder, attachment=attach_households(feeder, 2), reactive_share=0.0)


ONE_BUS = line(0.01)


def test_a_car_leaves_the_hour_in_which_the_line_is_loaded() -> None:
    car = TinyJob(household=0, arrival=0, end=8, units=4)
    days = tiny_days([car])
    days.base_kw[0, 1, :4] = 9.0
    found = network_charge_outcome(days, TARIFF, ONE_BUS, RULES)
    # in the first hour a kW costs 2 · (9 / 13.86 - 0.5) = 30 ct more, in the second one nothing up
    # to 6.93 kW: one level, where the car alone would draw three
    assert np.allclose(found.schedule.job_kw[0, :8] / LEVEL_KW, [0, 0, 0, 0, 1, 1, 1, 1])
    more = 2.0 * (9.0 / RATED_KVA - 0.5)
    assert found.instrument_eur[0, 1] == pytest.approx(9.0 * more, rel=0.02)  # losses beside it
    assert found.instrument_eur[0, 0] == pytest.approx(0.0, abs=0.02)
    assert found.paid_eur[0, 1] == pytest.approx(9.0 * 0.2 + found.instrument_eur[0, 1])
    assert found.revealed_bytes.tolist() == [4 * 96 * 4]  # a plan, and three answers


def test_nobody_pays_below_the_limit_but_for_losses() -> None:
    car = TinyJob(household=0, arrival=0, end=8, units=4)
    found = network_charge_outcome(tiny_days([car]), TARIFF, line(0.01, amperes=500.0), RULES)
    # three levels and one: twice the losses of 3 R I², R = 2 mΩ, nine times as high and once
    loss_kw = 3.0 * 0.002 * (LEVEL_KW / (np.sqrt(3.0) * 0.4)) ** 2 / 1000.0
    assert np.allclose(found.schedule.job_kw[0, :3] / LEVEL_KW, [3, 1, 0])
    assert found.instrument_eur[0, 0] == pytest.approx(0.25 * 2.0 * 10 * loss_kw * 0.2, rel=0.02)


def test_the_same_kwh_costs_more_at_the_end_of_the_line() -> None:
    days = tiny_days([TinyJob(household=0, arrival=0, end=8, units=1)])
    days.base_kw[0, :, 20:24] = 4.0
    low = replace(RULES, network_low_pu=0.999)
    found = network_charge_outcome(days, TARIFF, line(0.1, 0.4, amperes=500.0), low)
    charge = found.instrument_eur[0]
    assert charge[1] > 2.0 * charge[0] > 0.0


def test_who_feeds_in_while_others_load_the_line_is_paid() -> None:
    days = tiny_days([TinyJob(household=1, arrival=0, end=8, units=1)])
    days.base_kw[0, 0, 20:24], days.base_kw[0, 1, 20:24] = -2.0, 12.0
    found = network_charge_outcome(days, TARIFF, ONE_BUS, RULES)
    more = 2.0 * (10.0 / RATED_KVA - 0.5)
    assert found.instrument_eur[0, 0] == pytest.approx(-2.0 * more, rel=0.02)
    assert found.instrument_eur[0, 1] == pytest.approx(12.0 * more, rel=0.02)


def test_the_charge_has_the_limits_of_the_rules() -> None:
    limits = limits_of(InstrumentRules())
    assert (limits.loading, limits.low_pu, limits.high_pu) == (0.9, 0.95, 1.05)
    with pytest.raises(ValueError, match="network_rounds"):
        InstrumentRules(network_rounds=0)


def test_a_charge_goes_straight_between_its_points_and_beyond() -> None:
    eur = np.tile([4.0, 0.0, 2.0], (96, 1))
    charge = NetworkCharge(
        present_kw=np.full(96, 1.0), more_kw=np.array([-2.0, 0.0, 2.0]), eur_per_h=eur
    )
    load = np.full((1, 96), 1.0)
    load[0, :5] = [-1.0, 0.0, 2.0, 3.0, 5.0]
    found = network_eur(charge, load)[0] / 0.25
    assert found[:6].tolist() == [4.0, 2.0, 1.0, 2.0, 4.0, 0.0]
    some = network_eur(charge, load[:, 2:4], np.array([2, 3]))
    assert (some / 0.25).tolist() == [[1.0, 2.0]]


def test_a_battery_lets_the_line_rest() -> None:
    battery = TinyJob(household=0, arrival=0, end=96, battery_kwh=4.0, delay_cost=0.0)
    days = tiny_days([battery])
    days.base_kw[0, 1, 60:64] = 10.0
    found = network_charge_outcome(days, TARIFF, ONE_BUS, RULES)
    kw = found.schedule.job_kw[0]
    assert kw[60:64].min() < -0.5  # 2 · (10 / 13.86 - 0.5) = 44 ct a kWh, for energy at 20
    assert found.instrument_eur[0, 0] < -0.2
    assert kw[:60].max() > 0.5
