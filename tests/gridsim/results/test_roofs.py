"""A small run with roofs and batteries: traces add up, reactive power comes with consumption."""

import json
from dataclasses import replace

import duckdb
import numpy as np
import pytest

from gridsim.config import resolve
from gridsim.results.key_figures import load_kpis
from gridsim.results.scoring import load_power
from gridsim.scenario import check
from tests.support.grid_runs import only_run, ssgrid_run

SUMMER = {"case": "summer-noon", "households": 6, "days": 2, "population.pv_ownership": 1.0}


def test_roofs_feed_in_at_a_power_factor_of_one() -> None:
    grid = check(resolve("tuned", SUMMER))
    assert grid.pv_kw is not None
    consumed = np.ones_like(grid.pv_kw)
    p_mw, q_mvar = load_power(grid, consumed - grid.pv_kw)
    _, without = load_power(replace(grid, pv_kw=None), consumed)
    np.testing.assert_allclose(q_mvar, without, atol=1e-12)
    assert p_mw.min() < 0.0


def test_the_highest_reverse_flow_is_a_key_figure() -> None:
    load_kw = np.zeros((2, 2, 96))
    load_kw[0, :, 10], load_kw[1, :, 20] = -3.0, 2.0
    assert load_kpis(load_kw)["feed_in_peak_kw"].tolist() == [6.0, 0.0]


@pytest.mark.usefixtures("own_folder")
def test_traces_of_a_summer_run_add_up(tmp_path) -> None:
    small = ("--households", "6", "--days", "1", "--budget", "2", "--case", "summer-noon")
    whole = ("--set", "population.pv_ownership=1", "--set", "population.battery_ownership=1")
    limits = ("--instruments", "export-limit", "--set", "instrument_rules.export_share=0.3")
    assert ssgrid_run(*small, *whole, *limits, "--trace", "full", "--no-report") == 0
    traces = only_run(tmp_path / "runs") / "traces"
    parts = "base_kw - pv_kw + ev_kw + heat_pump_kw + appliance_kw + battery_kw"
    off, sun, given, first_s = duckdb.execute(
        f"SELECT max(abs(load_kw - ({parts}))), max(pv_kw), min(battery_kw), min(sim_time_s) "
        f"FROM '{traces}/household_step/*.parquet'"
    ).fetchall()[0]
    assert off < 1e-4
    assert sun > 1.0
    assert given < 0.0
    assert first_s == 6 * 3600
    fed = duckdb.execute(
        f"SELECT max(abs(f.generation_kw - h.pv)) FROM '{traces}/feeder_step/*.parquet' f JOIN "
        f"(SELECT algorithm, day, step, sum(pv_kw) pv FROM '{traces}/household_step/*.parquet' "
        "GROUP BY ALL) h USING (algorithm, day, step)"
    ).fetchall()[0][0]
    assert fed < 1e-3
    kwh = duckdb.execute(
        f"SELECT algorithm, sum(curtailed_kw) / 4 FROM '{traces}/household_step/*.parquet' "
        "GROUP BY ALL HAVING sum(curtailed_kw) > 0"
    ).fetchall()
    ((name, cut),) = kwh  # one day
    result = json.loads((only_run(tmp_path / "runs") / "result.json").read_bytes())
    assert name == "export_limit"
    assert cut > 1.0
    assert result["kpis"]["export_limit"]["curtailed_kwh"] == pytest.approx(cut, rel=1e-4)
    assert result["kpis"]["nash"]["curtailed_kwh"] == 0.0
    _, money = result["tables"].values()
    shown = {row["policy"]: row["kWh curtailed (all)"] for row in money}
    assert shown["export limit, at once"] == pytest.approx(cut, abs=0.06)
    assert any("at most 30 % of its roof's rated power" in note for note in result["notes"])


def test_reactive_power_does_not_change_where_photovoltaics_are_cut() -> None:
    grid = check(resolve("tuned", SUMMER))
    assert grid.pv_kw is not None
    cut = 0.5 * grid.pv_kw
    p_mw, q_mvar = load_power(grid, 1.0 - grid.pv_kw)
    p_cut, q_cut = load_power(grid, 1.0 - grid.pv_kw + cut, cut)
    np.testing.assert_allclose(q_cut, q_mvar, atol=1e-12)
    assert 1000.0 * (p_cut - p_mw).sum() == pytest.approx(cut.sum())
