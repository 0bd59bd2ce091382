"""Figures and trace tables: schema, sums that must agree, levels, and readers of other people."""

import html
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli.app import run as run_command
from cli.commands.grid import cli as ssgrid
from gridsim.config import GridConfig
from gridsim.results.labels import LABELS
from gridsim.results.network_tables import element_names
from gridsim.results.scoring import highest
from gridsim.results.tables import UNITS
from gridsim.results.trace import traced_bytes
from gridsim.scenario import check
from gridsim.stage import set_stage, trial_days
from ss_core.config import from_dict
from ss_core.record.checkpoint import result_of
from ss_core.record.layout import table_parts
from ss_core.record.manifest import read_manifest, verify_run
from ss_core.record.schema import LEVELS, TABLES, arrow_schema
from ss_core.record.trace_rows import unit_of
from ss_core.report.labels import title_of
from ss_core.scenario.key_figures import Summary, mean_of
from tests.support.grid_runs import only_run, run_here, ssgrid_run

OF_TRAFFIC = {"edge", "edge_day", "edge_interval", "network_interval", "route_choice", "trip"}
ABSENT = OF_TRAFFIC | {"trust", "suggestion_normal"}  # of trust only where it is learned

ROOT = Path(__file__).parents[3]
HOUSEHOLDS, DAYS, UPDATES = 4, 2, 4
STEPS = 96
CLOCK = ("algorithm", "day", "step")


@pytest.fixture(scope="module", params=["ss", "centralised"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A complete run with a full trace."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
        size = ("--households", str(HOUSEHOLDS), "--days", str(DAYS), "--budget", str(UPDATES))
        exact = ("--trace", "full", "--set", "commit_every=2", "--quiet")
        assert ssgrid_run(*size, *exact, "--algorithm", request.param) == 0
        yield only_run(folder / "runs")


def rows(run: Path, table: str) -> Any:
    tables = [pq.read_table(path) for path in table_parts(run, table)]
    return pa.concat_tables(tables).to_pandas()


def manifest_config(run: Path) -> GridConfig:
    return from_dict(GridConfig, read_manifest(run)["ss"]["config"], where="manifest")


# what must agree


def test_every_part_has_the_schema_and_a_key_without_repetition(run: Path) -> None:
    written = {path.parent.name for path in run.rglob("part-*.parquet")} - {"metrics"}
    expected = set(TABLES) - {"incident", "metric"} - ABSENT
    if manifest_config(run).learner.algorithm != "ss":
        expected -= {"link", "suggestion"}
    assert written == expected
    for name in (*sorted(written), "metric"):
        table = TABLES[name]
        for path in table_parts(run, name):
            assert pq.read_schema(path).equals(arrow_schema(table), check_metadata=True)
        frame = rows(run, name)
        keys = [key for key in table.key if key in frame]
        assert not frame.duplicated(keys).any(), name
        for column in table.columns:
            if column.type.startswith("float"):
                assert np.isfinite(frame[column.name].dropna()).all(), (name, column.name)


def test_the_ledger_counts_what_the_message_table_holds(run: Path) -> None:
    algorithm = manifest_config(run).learner.algorithm
    messages = rows(run, "message")
    ledger = result_of(run / "tasks" / algorithm).state["bytes_by_kind"]
    own = messages[messages["algorithm"] == algorithm]
    assert own.groupby("kind")["n_bytes"].sum().to_dict() == ledger
    beside = messages[messages["algorithm"] != algorithm]
    assert set(beside["kind"]) == {"cost_total"}  # of the selfish: sums of trial days alone
    assert (messages["n_bytes"] == 4 * messages["n_float"]).all()
    assert set(messages["algorithm"]) == {algorithm, "independent"}
    assert set(own["update"]) == set(range(UPDATES))
    assert (messages["src_agent_id"] != messages["dst_agent_id"]).all()
    result = json.loads((run / "result.json").read_bytes())
    ((_, table),) = result["tables"].items()
    shown = {row["kB exchanged/household"] for row in table if row["kB exchanged/household"]}
    sums = {round(int(beside["n_bytes"].sum()) / HOUSEHOLDS / 1000, 1)}
    assert shown == {round(sum(ledger.values()) / HOUSEHOLDS / 1000, 1)} | (sums - {0.0})


def test_what_is_recommended_stands_in_result_table_trace_and_page(run: Path) -> None:
    result = json.loads((run / "result.json").read_bytes())
    advised, algorithm = result["recommendation"], manifest_config(run).learner.algorithm
    assert advised["coordinated"] == algorithm
    assert advised["against"] in ("independent", "selfish_by_rule")
    assert advised["trial_days"] == 2  # as many as were asked for
    assert (advised["row"] == algorithm) == (advised["decision"] == "adopt")
    assert result["notes"][0] == advised["sentence"]
    ((_, table),) = result["tables"].items()
    (row,) = [row for row in table if row["recommended"]]
    assert row["policy"] == title_of(LABELS, advised["row"])
    assert all(row["knows"] for row in table)
    kpi = rows(run, "kpi")
    tried = kpi[kpi["scope"] == "trial days"]
    yes = tried[(tried["kpi"] == "recommended") & (tried["value"] == 1.0)]
    assert yes["algorithm"].tolist() == [advised["row"]]
    gain = tried[tried["kpi"] == "trial_gain_eur"]
    assert gain[["algorithm", "unit", "n"]].to_numpy().tolist() == [[algorithm, "EUR/day", 2]]
    assert gain["value"].tolist() == pytest.approx([advised["gain"][0]])
    page = html.unescape((run / "report.html").read_text())
    assert advised["sentence"] in page.replace("−", "-")


def test_trial_days_are_days_of_their_own(run: Path) -> None:
    config = manifest_config(run)
    stage = set_stage(config)
    tried, again = trial_days(config, stage), trial_days(config, stage)
    assert tried.num_days == config.trial_days
    assert np.array_equal(tried.base_kw, again.base_kw)
    for day in tried.base_kw:
        assert not any(np.array_equal(day, other) for other in stage.held_out.base_kw)


def test_households_add_up_to_the_feeder_and_to_the_figures(run: Path) -> None:
    household, feeder = rows(run, "household_step"), rows(run, "feeder_step")
    assert len(household) == HOUSEHOLDS * len(feeder)
    assert len(feeder) == len(set(feeder["algorithm"])) * DAYS * STEPS
    total = household.groupby(list(CLOCK))["load_kw"].sum().sort_index()
    assert np.allclose(total, feeder.set_index(list(CLOCK))["p_total_kw"].sort_index(), atol=1e-4)
    devices = household[["base_kw", "ev_kw", "heat_pump_kw", "appliance_kw"]].sum(axis=1)
    assert np.allclose(devices, household["load_kw"], atol=1e-4)
    price = household["price_eur_per_kwh"]
    assert np.allclose(household["bill_eur"], 0.25 * price * household["load_kw"], atol=1e-5)
    cost = household[["bill_eur", "charge_eur", "discomfort_eur"]].sum(axis=1)
    per_day = cost.groupby(household["algorithm"]).sum() / (HOUSEHOLDS * DAYS)
    kpi = rows(run, "kpi").set_index(["algorithm", "kpi"])["value"]
    for algorithm in ("asap", "nash", "optimum"):  # one play each
        assert per_day[algorithm] == pytest.approx(kpi[algorithm, "cost_eur_per_household"])
        peak = feeder[feeder["algorithm"] == algorithm].groupby("day")["p_total_kw"].max().mean()
        assert peak == pytest.approx(kpi[algorithm, "peak_kw"], rel=1e-5)


def test_buses_lines_and_transformers_agree_with_the_feeder(run: Path) -> None:
    feeder = rows(run, "feeder_step").set_index(list(CLOCK)).sort_index()
    for table, column, expected, how in (
        ("line_step", "loading_percent", "line_loading_percent", "max"),
        ("trafo_step", "loading_percent", "trafo_loading_percent", "max"),
    ):
        extreme = rows(run, table).groupby(list(CLOCK))[column].agg(how).sort_index()
        assert np.allclose(extreme, feeder[expected], rtol=1e-5), (table, how)


def test_voltages_of_trace_and_table_are_those_at_households(run: Path) -> None:
    feeder, kpis = rows(run, "feeder_step"), rows(run, "kpi").set_index(["algorithm", "kpi"])
    buses = rows(run, "bus_step").groupby(list(CLOCK))["vm_pu"].agg(["min", "max"]).sort_index()
    steps = feeder.set_index(list(CLOCK)).sort_index()
    assert (buses["min"] <= steps["v_min_pu"] + 1e-6).all()
    assert (steps["v_max_pu"] <= buses["max"] + 1e-6).all()
    for algorithm in ("asap", "nash", "optimum"):  # rows of learners are means over several plays
        of_row = feeder[feeder["algorithm"] == algorithm]
        stated = kpis.loc[(algorithm, "vm_min_pu"), "value"]
        daily = of_row.groupby("day")["v_min_pu"].min()
        assert daily.mean() == pytest.approx(float(np.ravel(stated)[0]), abs=2e-5)


def test_decisions_are_legal_and_move_the_energy_of_the_jobs(run: Path) -> None:
    decisions, household = rows(run, "agent_decision"), rows(run, "household_step")
    assert decisions["candidate"].between(0, 7).all()
    assert decisions["n_candidate"].between(1, 8).all()
    assert decisions["own_prob"].between(0, 1).all()
    assert (decisions["delay_h"] >= 0).all()
    devices = household[["ev_kw", "heat_pump_kw", "appliance_kw"]].sum(axis=1)
    moved_kwh = 0.25 * devices.groupby(household["algorithm"]).sum()
    for algorithm, energy_kwh in decisions.groupby("algorithm")["energy_kwh"].sum().items():
        assert energy_kwh == pytest.approx(moved_kwh[algorithm], rel=1e-4)


def test_the_manifest_lists_every_file_and_verify_passes(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = read_manifest(run)
    listed = {path for resource in manifest["resources"] for path in resource["path"]}
    assert listed == {path.relative_to(run).as_posix() for path in run.rglob("*.parquet")}
    assert listed < manifest["ss"]["files"].keys()
    for resource in manifest["resources"]:
        assert resource["rows"] == len(rows(run, resource["name"]))
    assert verify_run(run) == []
    assert run_command(ssgrid, "ssgrid", ["verify", str(run)]) == 0
    part = table_parts(run, "kpi")[0]
    data = part.read_bytes()
    part.write_bytes(data[:-1] + b"!")
    assert run_command(ssgrid, "ssgrid", ["verify", str(run)]) == 7
    part.write_bytes(data)
    assert "kpi" in "".join(capsys.readouterr())


def test_the_predicted_size_is_an_upper_bound(run: Path) -> None:
    config = manifest_config(run)
    written = sum(path.stat().st_size for path in run.rglob("*.parquet"))
    assert written <= traced_bytes(config, check(config)) <= 20 * written


@pytest.mark.parametrize("level", LEVELS)
def test_a_trace_level_writes_its_tables_and_no_others(
    level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ss_core.processes.child_tasks.run_tasks", run_here)
    size = (
        "--households",
        "3",
        "--days",
        "1",
        "--budget",
        "2",
        "--set",
        "compare_selfish=false",
    )
    assert ssgrid_run(*size, "--trace", level, "--quiet") == 0
    run = only_run(tmp_path / "runs")
    written = {resource["name"] for resource in read_manifest(run)["resources"]}
    allowed = {t.name for t in TABLES.values() if LEVELS.index(t.level) <= LEVELS.index(level)}
    assert written == allowed - {"incident"} - ABSENT


# other people's tools


def quickstart_lines(start: str) -> list[str]:
    lines = (ROOT / "docs" / "quickstart" / "analyst.md").read_text().splitlines()
    return [line.strip() for line in lines if line.strip().startswith(start)]


def test_the_lines_of_the_quickstart_read_the_tables(run: Path) -> None:
    code = [
        *("import duckdb, pandas, polars", "def show(x):"),
        "    print(len(x.collect() if hasattr(x, 'collect') else x))",
    ]
    calls = quickstart_lines("pandas.") + quickstart_lines("polars.")
    lines = [line for line in quickstart_lines(".venv/bin/duckdb -c") if "'runs/" in line]
    queries = [re.findall(r'"(.*)"', line)[0] for line in lines]
    assert calls
    assert queries
    households = "runs/*/traces/household_step/*.parquet"
    calls += [f'polars.scan_parquet("{households}")', f"duckdb.sql(\"FROM '{households}'\")"]
    code += [f"show({call})".replace("<run>", run.name) for call in calls]
    code += [f"show(duckdb.sql({query!r}).fetchall())" for query in queries]
    shown = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join(code)],
        cwd=run.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    steps = len(rows(run, "feeder_step"))
    assert [int(count) for count in shown.stdout.split()] == [
        *[steps] * (len(calls) - 2),
        *[HOUSEHOLDS * steps] * 2,
        *[len(rows(run, "kpi"))] * len(queries),
    ]


# small pieces, by hand


def test_units_follow_from_names() -> None:
    assert unit_of("cost_eur_per_household", UNITS) == "EUR/day"
    assert unit_of("energy_kwh", UNITS) == "kWh/day"
    assert unit_of("peak_kw", UNITS) == "kW"
    assert unit_of("vm_min_pu", UNITS) == "p.u."
    assert unit_of("par", UNITS) == "1"


def test_repeated_names_become_ids() -> None:
    assert element_names(("a", "b", "a")).tolist() == ["a #0", "b", "a #2"]


def test_the_highest_of_no_elements_is_zero() -> None:
    assert highest(np.array([[1.0, 3.0], [2.0, 0.0]])).tolist() == [3.0, 2.0]
    assert highest(np.zeros((2, 0))).tolist() == [0.0, 0.0]


def test_a_figure_that_a_row_has_not_is_nan() -> None:
    summary = Summary(mean=2.0, ci_low=1.0, ci_high=3.0, num_days=4, num_missing=0)
    assert mean_of({"peak_kw": summary}, "peak_kw") == 2.0
    assert np.isnan(mean_of({"peak_kw": summary}, "par"))
