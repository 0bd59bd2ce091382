"""Instruments from the command line to table, trace and page, and their figures by hand."""

import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from gridsim.config import resolve
from gridsim.game.costs import Costs
from gridsim.instruments.names import INSTRUMENTS, OF_ROOFS
from gridsim.report.page import run_summary
from gridsim.results.instrument_figures import TITLE, Money, instrument_kpis
from gridsim.results.tables import UNITS
from gridsim.results.trace import traced_bytes
from gridsim.scenario import check, limit_kw
from ss_core.analysis.run_data import open_run_data
from ss_core.config import from_dict
from ss_core.record.manifest import read_manifest, verify_run
from ss_core.record.trace_rows import unit_of
from ss_core.report.page_model import Chart, Table
from tests.support.grid_runs import only_run, run_here, ssgrid_run

SHOWN = [name for name in INSTRUMENTS if name not in OF_ROOFS]  # nobody has photovoltaics
SIZE = ("--households", "4", "--days", "2", "--budget", "2", "--quiet")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A run with all instruments."""
    folder = tmp_path_factory.mktemp("instruments")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
        assert ssgrid_run(*SIZE, "--instruments", "all") == 0
        yield only_run(folder / "runs")


def result_of(run: Path) -> dict[str, Any]:
    return json.loads((run / "result.json").read_bytes())


def test_every_instrument_is_a_row_scored_as_the_others(run: Path) -> None:
    result = result_of(run)
    scored, money = result["tables"].values()
    titles = [row["policy"] for row in scored]
    assert titles.index("Nash equilibrium") < titles.index("time-of-use tariff")
    assert titles.index("valley filling, decentralised") < titles.index("SS (suggestions only)")
    assert {INSTRUMENTS[name].title for name in SHOWN} <= {*titles}
    assert all(row["knows"] for row in scored)
    assert [*scored[0]] == [*scored[titles.index("time-of-use tariff")]]
    assert result["kpis"]["spot"]["cost_eur_per_household"] == pytest.approx(
        result["kpis"]["herd"]["cost_eur_per_household"], rel=1e-6
    )
    beside = 4  # Nash, what was learned, the planner that knows as much, the optimum
    assert len(money) == len(SHOWN) + beside
    assert verify_run(run) == []


def test_who_pays_stands_in_table_trace_and_page(run: Path) -> None:
    result = result_of(run)
    (name,) = [title for title in result["tables"] if title.startswith(TITLE)]
    rows = {row["policy"]: row for row in result["tables"][name]}
    assert rows["§ 14a dimming, at once"]["payment"] == "from network operator"
    assert rows["§ 14a dimming, at once"]["of it by the instrument"] < 0.0
    assert rows["Nash equilibrium"]["paid"] > 0.0
    assert rows["Nash equilibrium"]["left with supplier, operator"] == ""
    told = rows["SS (suggestions only)"]["B revealed/household, day"]
    assert told == rows["planner, same information"]["B revealed/household, day"]
    assert told > 0.0
    (note,) = [one for one in result["notes"] if one.startswith("instruments: ")]
    assert "the transformer's rating less 5 %" in note
    assert "export_limit, export_limit_spot: left out, nobody has photovoltaics" in result["notes"]
    assert "kWh curtailed (all)" not in rows["Nash equilibrium"]
    kpi = pq.read_table(run / "traces" / "kpi").to_pandas()
    told = kpi[(kpi["algorithm"] == "time_of_use") & (kpi["kpi"] == "revealed_bytes")]
    assert told["value"].tolist() == [12.0]
    assert told["unit"].tolist() == ["B/day"]
    part = run_summary(open_run_data(run)).part
    (chapter,) = [section for section in part.sections if section.slug == "instruments"]
    chart, table, words = chapter.items
    assert isinstance(chart, Chart)
    assert isinstance(table, Table)
    assert isinstance(words, Table)
    assert len(words.rows) == len(SHOWN)
    shown = {str(row[0]): row for row in table.rows}
    assert len(shown) == len(SHOWN) + 5  # as before, and ASAP
    assert all(isinstance(row[1], float) for row in shown.values())  # paid
    assert shown["optimum (clairvoyant)"][2] is None
    assert "Instruments" in (run / "report.html").read_text()


def test_the_trace_is_no_larger_than_was_said(run: Path) -> None:
    config = from_dict(type(resolve("tuned", {})), read_manifest(run)["ss"]["config"], where="test")
    written = sum(path.stat().st_size for path in run.rglob("*.parquet"))
    assert written <= traced_bytes(config, check(config))


def test_an_instrument_that_there_is_not_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ssgrid_run(*SIZE, "--instruments", "spot,rationing") == 3
    assert "instruments=rationing: choose all, or some of time_of_use" in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_figures_of_two_households_by_hand() -> None:
    # supply costs 2 and 2 EUR, waiting 1 and 0; paid are 1 and 5 EUR, so that 1 EUR each is left
    costs = Costs(
        bill_eur=np.array([[1.5, 1.5]]),
        charge_eur=np.array([0.5]),
        discomfort_eur=np.array([[1.0, 0.0]]),
        price_eur_per_kwh=np.zeros((1, 96)),
    )
    nothing = np.zeros((1, 2))
    money = Money(
        paid_eur=np.array([[1.0, 5.0]]),
        instrument_eur=np.array([[0.0, 3.0]]),
        undelivered_kwh=np.array([[0.5, 0.25]]),
        comfort_lost_eur=nothing,
        dimmed_h=np.array([0.25]),
        revealed_bytes=np.array([384.0]),
    )
    # each gets 1 EUR back: they bear 1 - 1 + 1 = 1 and 5 - 1 + 0 = 4; at Nash 3 and 3
    found = instrument_kpis(money, costs, np.array([[3.0, 3.0]]))
    assert {key: value.tolist() for key, value in found.items()} == {
        "paid_eur": [3.0],
        "instrument_eur": [1.5],
        "surplus_eur": [1.0],
        "comfort_lost_eur": [0.0],
        "undelivered_kwh": [0.75],
        "dimmed_h": [0.25],
        "revealed_bytes": [384.0],
        "share_of_losers": [0.5],
        "gini_of_savings": [0.5],  # savings 2 and 0
    }
    units = [unit_of(key, UNITS) for key in found][:7]
    assert units == [*["EUR/day"] * 4, "kWh/day", "h/day", "B/day"]


def test_operators_hold_the_rating_less_a_reserve() -> None:
    # 4 households of 2 kVA at a power factor of 0.97, less 5 %: 7.372 kW
    config = resolve("tuned", {"households": 4, "days": 2})
    limit = limit_kw(config, check(config))
    assert limit.shape == (2, 96)
    assert np.allclose(limit, 7.372)
    # a feeder without transformer: κ = 1.1 kW each, where the feeder charge begins
    grid = check(config)
    names = [field.name for field in fields(grid.feeder) if field.name.startswith("trafo_")]
    none = {name: getattr(grid.feeder, name)[:0] for name in names}
    bare = replace(grid, feeder=replace(grid.feeder, **none))
    assert np.allclose(limit_kw(config, bare), 4.4)
