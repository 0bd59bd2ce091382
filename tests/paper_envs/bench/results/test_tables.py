"""Rows of the benchmark's tables, by hand, and the Parquet files they become."""

import json
from dataclasses import replace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from paper_envs.bench.results.comparisons import by_cell, suites_of
from paper_envs.bench.results.results import Cell, RunResult
from paper_envs.bench.results.tables import (
    TABLES,
    Record,
    curve_rows,
    exchange_rows,
    final_rows,
    improvement_rows,
    joint_action_rows,
    parquet_bytes,
    progress_rows,
    run_rows,
)
from paper_envs.bench.runs.plan import PROFILES, ProfileName, Selection, make_plan
from paper_envs.presets import ABLATIONS
from tests.support.bench_results import (
    NUM_UPDATES,
    POINTS,
    a_benchmark,
    cell_of,
    run_of,
    runs_of,
)

SS, VS = cell_of("predation", "ss"), cell_of("predation", "vs")
TWO_ALGORITHMS = [*runs_of(SS, [-1.0, -2.0, -3.0]), *runs_of(VS, [-9.0, -10.0, -11.0])]


def rows_of(results: list[RunResult]) -> dict[str, list[Record]]:
    cells = by_cell(results)
    suites = suites_of(cells)
    return {
        "run": run_rows(cells),
        "curve": curve_rows(cells),
        "final": [row for suite in suites for row in final_rows(suite)],
        "improvement": [row for suite in suites for row in improvement_rows(suite)],
        "joint_action": joint_action_rows(cells),
        "exchange": exchange_rows(cells),
        "progress": progress_rows(cells, ["predation-8-tuned-ps/seed100"]),
    }


@pytest.fixture(scope="module")
def all_rows() -> dict[str, list[Record]]:
    return rows_of(a_benchmark(2))


def read(name: str, rows: list[Record]) -> pa.Table:
    return pq.read_table(pa.BufferReader(parquet_bytes(name, rows)))


def test_a_run_row_tells_what_the_run_tells() -> None:
    (row,) = run_rows(by_cell([run_of(SS, 100, -1.0)]))
    assert (row["algorithm"], row["seed"], row["final_return"]) == ("ss", 100, -1.0)
    assert row["lowest_agent_return"] == -1.0
    assert row["highest_agent_return"] == pytest.approx(-0.93)
    assert row["exchanged_bytes"] == (960 + 6720) * 8 * NUM_UPDATES


def test_a_curve_row_is_one_value_and_missing_values_have_none() -> None:
    run = run_of(SS, 100, -1.0)
    run.curve["suggestion_mse"][0] = None
    rows = curve_rows(by_cell([run]))
    assert len(rows) == (len(run.curve) - 2) * POINTS - 1
    first = next(row for row in rows if row["name"] == "averaged_return")
    assert (first["update"], first["episode"]) == (4, 64)
    assert first["value"] == run.curve["averaged_return"][0]


def test_final_rows_normalise_between_the_algorithms_of_a_task() -> None:
    ss, vs = rows_of(TWO_ALGORITHMS)["final"]
    assert (ss["iqm"], ss["mean"], ss["normalised"], ss["num_runs"]) == (-2.0, -2.0, 1.0, 3)
    assert (vs["iqm"], vs["normalised"]) == (-10.0, 0.0)
    assert ss["iqm_low"] == -3.0  # all three draws the worst: likelier than 2.5 %
    assert ss["normalised_low"] == pytest.approx(1 - 1 / 8)
    alone = rows_of(runs_of(SS, [-1.0]))["final"][0]
    assert (alone["normalised"], alone["normalised_low"]) == (None, None)


def test_improvement_rows_compare_ss_with_rivals_and_with_its_variants() -> None:
    without = runs_of(cell_of("predation", "ss", variant="rho0"), [-2.0, -2.0, -2.0])
    rows = rows_of([*TWO_ALGORITHMS, *without])["improvement"]
    assert [(row["rival"], row["rival_variant"]) for row in rows] == [("ss", "rho0"), ("vs", "")]
    itself, rival = rows
    assert itself["probability"] == 0.5  # one better, one level, one worse
    assert itself["difference"] == 0.0
    assert (rival["probability"], rival["probability_low"]) == (1.0, 1.0)
    assert rival["difference"] == 8.0
    assert rows_of(without)["improvement"] == []  # nothing to compare with


def test_joint_actions_of_two_have_names_and_shares_that_add_up_to_one() -> None:
    pair = cell_of("predation", "ss", num_agents=2)
    runs = [run_of(pair, seed, -1.0, cooperators=[1, 2, 7]) for seed in (100, 101)]
    rows = joint_action_rows(by_cell(runs))
    assert [(row["name"], row["share"]) for row in rows] == [
        ("D-D", 0.1),
        ("C-D", 0.2),
        ("C-C", 0.7),
    ]
    eight = joint_action_rows(by_cell([run_of(SS, 100, -1.0, cooperators=[0] * 8 + [5])]))
    assert [row["name"] for row in eight] == [None] * 9
    assert sum(row["share"] for row in eight) == 1.0


def test_exchange_rows_are_bytes_per_agent_and_update() -> None:
    rows = exchange_rows(by_cell(TWO_ALGORITHMS))
    assert {(row["algorithm"], row["kind"]): row["bytes_per_agent_update"] for row in rows} == {
        ("ss", "own_policy"): 960.0,
        ("ss", "suggestion"): 6720.0,
        ("vs", "value"): 1700.0,
    }


def test_progress_rows_count_runs_by_how_far_they_came() -> None:
    whole, half = run_of(SS, 100, -1.0), run_of(SS, 101, -2.0)
    half = replace(half, num_updates=100)
    cells = by_cell([whole, half])
    missing = ["predation-8-tuned-ss/seed102", "predation-12-tuned-ss-m4/seed100", "<evil>/seed1"]
    eight, twelve = sorted(progress_rows(cells, missing), key=lambda row: row["num_agents"])
    assert (eight["num_seeds"], eight["num_finished"], eight["num_unfinished"]) == (3, 1, 1)
    assert eight["episodes"] == 16 * (200 + 100 + 0) / 3
    assert (eight["planned_episodes"], eight["published_episodes"]) == (3200, 30_000)
    assert (twelve["variant"], twelve["num_seeds"], twelve["episodes"]) == ("m4", 1, 0.0)
    assert twelve["planned_episodes"] is None
    (final,) = rows_of([whole, half])["final"]
    assert (final["num_runs"], final["num_unfinished"]) == (2, 1)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_cell_is_told_by_the_name_of_its_folder(profile: ProfileName) -> None:
    for cell in make_plan(profile, Selection(), ABLATIONS).cells:
        assert Cell.of_slug(cell.slug) == cell
    for strange in (
        *("", "a", "tennis-2-tuned-ss", "predation-two-tuned-ss", "../../etc-2-tuned-ss"),
        *("predation-2-tuned-ss-m4/../../etc", "predation-2-tuned-ss/../etc"),
    ):
        assert Cell.of_slug(strange) is None


@pytest.mark.parametrize("name", [name for name in TABLES if name != "claim"])
def test_parquet_holds_the_rows_their_units_and_unique_keys(
    name: str, all_rows: dict[str, list[Record]]
) -> None:
    rows = all_rows[name]
    table = read(name, rows)
    assert table.to_pylist() == rows
    facts = table.schema.metadata
    assert facts[b"ss.schema"] == b"ss.bench.tables/1"
    assert json.loads(facts[b"ss.units"])
    for column in TABLES[name].columns:
        field = table.schema.field(column.name)
        assert field.metadata[b"unit"] == column.unit.encode()
        assert field.metadata[b"description"]
    keys = [tuple(row[column] for column in TABLES[name].key) for row in rows]
    assert len(set(keys)) == len(keys)
    assert all(value is not None for key in keys for value in key)


def test_equal_rows_are_equal_bytes_and_no_rows_are_a_table_too() -> None:
    rows = rows_of(TWO_ALGORITHMS)["final"]
    assert parquet_bytes("final", rows) == parquet_bytes("final", rows)
    assert read("final", []).num_rows == 0
    assert read("final", []).schema == read("final", rows).schema
