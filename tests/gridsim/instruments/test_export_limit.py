"""What a roof may feed in, on days worked by hand.

Household 0 has a roof of 10 kWp, household 1 none. A battery of 4 kWh takes 2 kW and keeps
sqrt(0.9) of it; a level-step of a car is 11/3 kW for a quarter of an hour.
"""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from gridsim.config import resolve
from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import Days
from gridsim.instruments.config import InstrumentRules
from gridsim.instruments.export_limit import (
    curtailed_kw,
    export_limit_outcome,
    export_limit_spot_outcome,
    export_limits_kw,
)
from gridsim.instruments.own_tariff import OwnTariff, paid_eur
from gridsim.instruments.tariffs import spot_outcome
from gridsim.scenario import _tensors_of, played_instruments
from gridsim.stage import schedules_of, set_stage
from ss_core.record.checkpoint import Checkpoint
from tests.support.tiny_days import LEVEL_KW, TinyJob, flat_tariff, tiny_days

BATTERY = TinyJob(household=0, arrival=0, end=96, battery_kwh=4.0, delay_cost=0.02)
LIMIT_KW = np.array([6.0, math.inf])  # 60 % of 10 kWp
MORNING, NOON = slice(8, 16), slice(16, 24)  # two hours each
ONE_WAY = math.sqrt(0.9)


def sunny(days: Days, morning_kw: float, noon_kw: float) -> Days:
    base = days.base_kw.copy()
    base[0, 0, MORNING], base[0, 0, NOON] = -morning_kw, -noon_kw
    return replace(days, base_kw=base)


def selling_at(eur_per_kwh: float) -> Tariff:
    tariff = flat_tariff()
    return replace(tariff, feed_in_loss=tariff.base_price - eur_per_kwh)


def test_a_limit_is_a_share_of_the_roof_and_none_without_one() -> None:
    limits = export_limits_kw(np.array([10.0, 0.0]), InstrumentRules().export_share)
    assert limits.tolist() == [6.0, math.inf]
    with pytest.raises(ValueError, match="export_share"):
        InstrumentRules(export_share=1.1)


def test_only_what_exceeds_the_limit_is_not_generated() -> None:
    load = np.zeros((1, 2, 96))
    load[0, 0, :3], load[0, 1, 0] = [-9.0, -6.0, 4.0], -9.0
    cut = curtailed_kw(load, LIMIT_KW)
    assert cut[0, 0, :3].tolist() == [3.0, 0.0, 0.0]
    assert cut.sum() == 3.0


def test_a_battery_that_stores_at_once_is_full_when_the_limit_comes() -> None:
    days = sunny(tiny_days([BATTERY]), 3.0, 9.0)
    found = export_limit_outcome(days, selling_at(0.08), LIMIT_KW)
    # 8 steps of 2 kW keep 3.79 of 4 kWh; what is left of the room takes 0.87 kW for one step
    rest_kw = (4.0 - 8 * 0.25 * 2.0 * ONE_WAY) / (0.25 * ONE_WAY)
    assert np.allclose(found.schedule.job_kw[0, 8:18], [*[2.0] * 8, rest_kw, 0.0])
    # 9 kW of sun: 3 kW too much, in the first step less what the battery takes
    cut = found.schedule.curtailed_kw
    assert cut is not None
    assert np.allclose(cut[0, 0, NOON], [3.0 - rest_kw, *[3.0] * 7])
    assert cut.sum() == pytest.approx(24.0 - rest_kw)
    assert found.schedule.load_kw.min() == pytest.approx(-6.0)
    # fed in are 1 kW for two hours and 6 kW for two hours at 0.08
    assert found.paid_eur[0].tolist() == pytest.approx([-14.0 * 0.08, 0.0])
    assert found.dimmed_h.tolist() == [1.0]  # two hours of one of two households
    assert found.instrument_eur.sum() == 0.0


def test_a_battery_that_knows_the_limit_waits_for_noon() -> None:
    days = sunny(tiny_days([BATTERY]), 3.0, 9.0)
    found = export_limit_spot_outcome(days, selling_at(0.08), LIMIT_KW)
    # 3 kW are free at noon: it takes 2 of them for two hours, and 1 kW is cut
    assert np.allclose(found.schedule.job_kw[0, NOON], 2.0)
    assert np.allclose(found.schedule.job_kw[0, MORNING], 0.0)
    assert found.schedule.curtailed_kw is not None
    assert 0.25 * found.schedule.curtailed_kw.sum() == pytest.approx(2.0)
    # 3 kW and 6 kW for two hours each at 0.08
    assert found.paid_eur[0, 0] == pytest.approx(-18.0 * 0.08)
    assert found.instrument_eur[0, 0] == pytest.approx(0.0)


def test_a_car_takes_what_would_not_be_generated() -> None:
    car = TinyJob(household=0, arrival=0, end=40, units=3, delay_cost=0.001)
    days = sunny(tiny_days([car]), 4.0, 9.0)
    free = spot_outcome(days, selling_at(0.08)).schedule.job_kw[0] / LEVEL_KW
    limited = export_limit_spot_outcome(days, selling_at(0.08), LIMIT_KW).schedule
    assert np.flatnonzero(free).tolist() == [8, 9, 10]  # the first hour with sun
    assert np.flatnonzero(limited.job_kw[0]).tolist() == [16, 17, 18]
    assert limited.curtailed_kw is not None  # a level leaves 5.33 kW: nothing is cut there
    assert limited.curtailed_kw[0, 0, NOON].tolist() == [0.0] * 3 + [3.0] * 5


def test_what_is_not_generated_earns_nothing() -> None:
    own = replace(OwnTariff.hourly(selling_at(0.08)), export_limit_kw=6.0)
    load = np.zeros((1, 96))
    load[0, :4], load[0, 40:44] = -9.0, 3.0
    assert paid_eur(own, load) == pytest.approx(-6.0 * 0.08 + 3.0 * 0.2)


def test_curtailment_outlives_the_result_of_a_run() -> None:
    days = sunny(tiny_days([BATTERY]), 3.0, 9.0)
    found = export_limit_outcome(days, selling_at(0.08), LIMIT_KW).schedule
    free = Schedule.of_jobs("free", days, found.job_kw, found.delay_eur)
    tensors: dict[str, torch.Tensor] = _tensors_of([found, free])
    again = {
        s.name: s
        for s in schedules_of(Checkpoint(update=0, tensors=tensors, state={}, parts={}), days)
    }
    np.testing.assert_allclose(again["export_limit"].load_kw, found.load_kw, atol=1e-6)
    assert again["free"].curtailed_kw is None
    assert again["free"].load_kw.min() == pytest.approx(-9.0)


def test_rows_of_roofs_are_left_out_where_there_are_none() -> None:
    size = {"households": 4, "days": 1, "instruments": "export-limit,spot"}
    for case, names in (
        ("winter-evening", ["spot"]),
        ("summer-noon", ["export_limit", "spot"]),
    ):
        config = resolve("tuned", {**size, "case": case})
        assert [name for name, _ in played_instruments(config, set_stage(config))] == names


def test_a_roof_never_feeds_in_more_than_its_limit_and_gives_what_is_not_cut() -> None:
    settings = {"households": 20, "days": 2, "case": "summer-noon", "instruments": "export-limit"}
    config = resolve("tuned", settings)
    config = replace(config, instruments=("export_limit", "export_limit_spot"))
    stage = set_stage(config)
    limit = export_limits_kw(stage.world.population.pv_kwp, 0.6)
    pv_kw = stage.held_out.pv_kw
    assert pv_kw is not None
    cut_kwh = {}
    for name, outcome in played_instruments(config, stage):
        schedule = outcome.schedule
        assert (schedule.load_kw >= -limit[:, None] - 1e-9).all()
        assert schedule.curtailed_kw is not None
        assert (schedule.curtailed_kw <= pv_kw + 1e-9).all()
        cut_kwh[name] = 0.25 * schedule.curtailed_kw.sum()
    assert 0.0 < cut_kwh["export_limit_spot"] < cut_kwh["export_limit"]
