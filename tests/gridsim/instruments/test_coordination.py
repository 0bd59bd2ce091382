"""First come, first served, and valley filling, on days worked by hand."""

from dataclasses import replace

import numpy as np
import pytest

from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.connection_limit import first_come_outcome
from gridsim.instruments.valley_filling import filled_valleys, valley_filling_outcome
from tests.support.tiny_days import LEVEL_KW, TinyJob, flat_tariff, tiny_days

RULES = InstrumentRules()
LIMIT = np.full((1, 96), 12.0)


def test_later_jobs_wait_until_what_came_before_is_done() -> None:
    jobs = [
        TinyJob(household=0, arrival=0, end=8, units=6),
        TinyJob(household=1, arrival=1, end=8, units=3),
        TinyJob(household=1, arrival=2, end=8, cycle_kw=(2.0, 2.0)),
    ]
    found = first_come_outcome(tiny_days(jobs), flat_tariff(), LIMIT, RULES)
    # steps 0, 1: the first car's 11 kW of 12; step 2: the second car's; the 2 kW fit from step 3
    expected = [[11, 11, 0, 0, 0], [0, 0, 11, 0, 0], [0, 0, 0, 2, 2]]
    assert np.allclose(found.schedule.job_kw[:, :5], expected)
    assert found.schedule.load_kw.sum(axis=1).max() <= 12.0
    # one step of waiting of the second car and one of the machine, over two households
    assert found.dimmed_h.tolist() == pytest.approx([0.25])
    assert found.revealed_bytes.tolist() == [3 * 3 * 4 / 2]  # three numbers per job


def test_a_car_gives_way_to_base_load_and_loses_what_does_not_fit() -> None:
    days = tiny_days([TinyJob(household=0, arrival=0, end=2, units=6)], base_kw=2.0)
    found = first_come_outcome(days, flat_tariff(), LIMIT, RULES)
    # 12 - 4 kW of base load: two levels, 7.33 kW; 2 of 6 level-steps are lost
    assert np.allclose(found.schedule.job_kw[0, :3] / LEVEL_KW, [2, 2, 0])
    assert found.undelivered_kwh[0].tolist() == pytest.approx([22.0 / 12.0, 0.0])
    assert found.comfort_lost_eur[0].tolist() == pytest.approx([22.0 / 12.0, 0.0])


def test_a_cycle_that_never_fits_is_not_run() -> None:
    days = tiny_days([TinyJob(household=0, arrival=0, end=4, cycle_kw=(3.0, 1.0))], base_kw=5.0)
    found = first_come_outcome(days, flat_tariff(), LIMIT, RULES)
    # room of 12 - 10 kW, the cycle's first quarter-hour needs 3: 1 kWh is lost, and no wait paid
    assert found.schedule.job_kw.sum() == 0.0
    assert found.schedule.discomfort_eur[0].tolist() == pytest.approx([1.0, 0.0])


def test_valleys_are_filled_by_profiles_that_households_exchange() -> None:
    # household 1 draws 6 kW in steps 0 and 1; a car of household 0 has four steps for two units
    days = tiny_days([TinyJob(household=0, arrival=0, end=4, units=2, delay_cost=0.0)])
    base = days.base_kw.copy()
    base[0, 1, :2] = 6.0
    days = replace(days, base_kw=base)
    schedule, rounds = filled_valleys(days, 0.5, 50)
    # at once both units fall in step 0: (6 + 7.33)² + 36 = 213.8; in steps 2, 3: 72 + 26.9 = 98.9
    assert np.allclose(schedule.job_kw[0, :4] / LEVEL_KW, [0, 0, 1, 1])
    assert rounds.tolist() == [2]  # one in which it moves, one in which nobody does
    found = valley_filling_outcome(days, flat_tariff(), RULES)
    assert found.revealed_bytes.tolist() == [2 * 384 / 2]  # one of two households answers
    assert found.instrument_eur.sum() == 0.0


def test_a_weak_signal_does_not_move_who_dislikes_waiting() -> None:
    days = tiny_days([TinyJob(household=0, arrival=0, end=4, units=2, delay_cost=1.0)], base_kw=1.0)
    schedule, _ = filled_valleys(days, 0.001, 50)
    assert np.allclose(schedule.job_kw[0, :4] / LEVEL_KW, [2, 0, 0, 0])
