"""§ 14a: guaranteed power, and evenings worked by hand. A level-step is 11/12 kWh."""

from dataclasses import replace

import numpy as np
import pytest

from gridsim.households.households import JobKind
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.dimming import dimming_outcome, guaranteed_kw
from gridsim.instruments.outcome import Outcome
from tests.support.tiny_days import LEVEL_KW, TinyJob, flat_tariff, tiny_days

RULES = InstrumentRules()
BOTH = np.array([True, True])
CARS = [TinyJob(household=h, arrival=0, end=12, units=6) for h in (0, 1)]


@pytest.mark.parametrize(
    ("devices", "heat_kw", "expected"),
    [
        (0, 0.0, 0.0),
        (1, 0.0, 4.2),
        (2, 0.0, 4.2 + 0.80 * 4.2),
        (2, 9.0, 4.2 + 0.80 * 4.2),  # up to 11 kW of heat pumps are no large ones
        (2, 12.0, 0.4 * 12.0 + 0.80 * 4.2),
        (3, 0.0, 4.2 + 2 * 0.75 * 4.2),
        (9, 0.0, 4.2 + 8 * 0.45 * 4.2),
        (12, 0.0, 4.2 + 11 * 0.45 * 4.2),
    ],
)
def test_guaranteed_power_follows_the_simultaneity_table(
    devices: int, heat_kw: float, expected: float
) -> None:
    assert guaranteed_kw(devices, heat_kw) == pytest.approx(expected)


def dimmed(
    cars: list[TinyJob], limit_kw: float, *, price: np.ndarray | None = None, base_kw: float = 0.0
) -> Outcome:
    tariff = flat_tariff()
    if price is not None:
        tariff = replace(tariff, base_price=price)
    days = tiny_days(cars, base_kw=base_kw)
    limit = np.full((1, 96), limit_kw)
    return dimming_outcome(days, tariff, limit, BOTH, RULES, hourly_prices=price is not None)


def levels(outcome: Outcome, row: int, steps: int = 8) -> list[int]:
    return np.round(outcome.schedule.job_kw[row, :steps] / LEVEL_KW).astype(int).tolist()


def test_nobody_is_dimmed_below_the_limit_and_owners_get_the_reduction_all_the_same() -> None:
    found = dimmed(CARS, 22.0)
    assert levels(found, 0) == levels(found, 1) == [3, 3, 0, 0, 0, 0, 0, 0]
    assert found.dimmed_h.tolist() == [0.0]
    # (80 + 0.2 · 3750 · 0.10) / 365 EUR a day, from the operator; energy 5.5 kWh at 0.2 EUR
    assert np.allclose(found.instrument_eur, -155.0 / 365.0)
    assert np.allclose(found.paid_eur, 5.5 * 0.2 - 155.0 / 365.0)


def test_a_common_cap_holds_the_limit_where_the_guarantee_allows() -> None:
    # both want 11 kW; one level less each is 14.67 kW <= 15 kW: three steps of two levels
    found = dimmed(CARS, 15.0)
    assert levels(found, 0) == levels(found, 1) == [2, 2, 2, 0, 0, 0, 0, 0]
    # dimmed in steps 0 and 1 (in step 2 two levels are all that is left): 0.5 h each
    assert found.dimmed_h.tolist() == pytest.approx([0.5])
    assert found.undelivered_kwh.sum() == 0.0


def test_the_guarantee_of_4_2_kw_stands_though_the_feeder_stays_overloaded() -> None:
    # 3.67 kW is the highest level within 4.2 kW: 7.33 kW together, above the limit of 5 kW
    found = dimmed(CARS, 5.0)
    assert levels(found, 0) == [1, 1, 1, 1, 1, 1, 0, 0]
    assert found.schedule.load_kw.sum(axis=1).max() == pytest.approx(2 * LEVEL_KW)


def test_what_is_not_charged_when_a_car_leaves_is_lost_and_priced() -> None:
    # four steps of one level: 2 of 6 level-steps missing, 2 · 11/12 kWh at 1 EUR
    leaving = [replace(car, end=4) for car in CARS]
    found = dimmed(leaving, 5.0)
    assert levels(found, 0, 5) == [1, 1, 1, 1, 0]
    assert np.allclose(found.undelivered_kwh, 22.0 / 12.0)
    assert np.allclose(found.comfort_lost_eur, 22.0 / 12.0)
    # waiting of the delivered: 0.001 · 11/12 kWh · (0 + 0.25 + 0.5 + 0.75) h
    waiting = 0.001 * 11.0 / 12.0 * 1.5
    assert np.allclose(found.schedule.discomfort_eur, 22.0 / 12.0 + waiting)


def test_cars_that_follow_hourly_prices_ask_again_for_what_they_did_not_get() -> None:
    # cheap in steps 4 and 5, then 6: the cap of two levels leaves two units for step 6
    price = np.full(96, 0.3)
    price[4:6], price[6] = 0.1, 0.2
    found = dimmed(CARS, 15.0, price=price)
    assert levels(found, 0) == [0, 0, 0, 0, 2, 2, 2, 0]
    # 11/6 kWh a step at 0.1, 0.1 and 0.2 EUR
    assert np.allclose(found.paid_eur, 11.0 / 6.0 * 0.4 - 155.0 / 365.0)


def test_a_large_heat_pump_takes_its_draw_from_what_is_guaranteed() -> None:
    # heat pump of 6 kW: P_min = 4.2 + 0.8 · 4.2 = 7.56 kW; 1.56 kW are left: no level fits
    heat = TinyJob(household=0, arrival=0, end=2, cycle_kw=(6.0, 6.0), kind=JobKind.HEAT_PUMP)
    found = dimmed([CARS[0], heat], 5.0)
    car = int(found.schedule.job_kw[:, 2].argmax())
    # from step 2 on the heat pump is still, and all 7.56 kW are the car's: two levels, 7.33 kW
    assert levels(found, car) == [0, 0, 2, 2, 2, 0, 0, 0]
