"""Traces: what is written, what is refused, and that the same rows give the same bytes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import CorruptError
from ss_core.record.atomic import sha256_of
from ss_core.record.schema import (
    LEVELS,
    TABLES,
    VISIBILITIES,
    Table,
    TraceLevel,
    arrow_schema,
    data_dictionary_markdown,
)
from ss_core.record.trace_writer import (
    ROW_GROUP_SIZE,
    TraceWriter,
    predicted_bytes,
    trace_resources,
)

CONSTANTS = {"run_id": "grid-h2-s0-0123abcd", "algorithm": "ss", "phase": "eval", "seed": 0}
DICTIONARY = Path(__file__).parents[3] / "docs" / "data-dictionary.md"


def household_steps(day: int = 0) -> dict[str, Any]:
    return {
        "day": day,
        "step": [0, 0, 1],
        "sim_time_s": np.array([0, 0, 900]),
        "agent_id": ["h00", "h01", "h00"],
        "load_kw": np.array([1.5, np.nan, 0.25]),
        "bill_eur": [0.1, None, 0.3],
    }


def write_days(folder: Path, num_days: int) -> TraceWriter:
    writer = TraceWriter(folder, level="full", constants=CONSTANTS)
    for day in range(num_days):
        writer.write("household_step", household_steps(day))
        writer.write("metric", {"update": day, "name": "loss", "value": 0.5, "unit": "1"})
        writer.commit()
    return writer


def test_what_was_written_is_read_back_with_its_units(tmp_path: Path) -> None:
    write_days(tmp_path, 1)
    table = pq.read_table(tmp_path / "traces" / "household_step" / "part-000000.parquet")
    assert table.column_names == [column.name for column in TABLES["household_step"].columns]
    rows = table.to_pylist()
    assert [row["agent_id"] for row in rows] == ["h00", "h01", "h00"]
    assert [row["load_kw"] for row in rows] == [1.5, None, 0.25]  # NaN means: not applicable
    assert [row["bill_eur"] for row in rows] == [0.1, None, 0.3]
    assert [row["ev_kw"] for row in rows] == [None] * 3
    assert rows[2]["run_id"] == CONSTANTS["run_id"]
    metadata = table.schema.field("load_kw").metadata
    assert (metadata[b"unit"], metadata[b"visibility"]) == (b"kW", b"private")
    assert json.loads(table.schema.metadata[b"ss.units"])["bill_eur"] == "EUR"


def test_metrics_have_a_folder_of_their_own(tmp_path: Path) -> None:
    write_days(tmp_path, 2)
    rows = pq.read_table(tmp_path / "metrics").to_pylist()
    assert [(row["update"], row["agent_id"], row["value"]) for row in rows] == [
        (0, None, 0.5),
        (1, None, 0.5),
    ]


def test_files_are_compressed_and_encoded_as_documented(tmp_path: Path) -> None:
    count = ROW_GROUP_SIZE + 1
    writer = TraceWriter(tmp_path, level="full", constants=CONSTANTS)
    writer.write(
        "bus_step",
        {
            "day": 0,
            "step": np.arange(count, dtype=np.int32),
            "sim_time_s": 0.0,
            "bus_id": "b",
            "vm_pu": np.ones(count),
        },
    )
    writer.commit()
    metadata = pq.read_metadata(tmp_path / "traces" / "bus_step" / "part-000000.parquet")
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [
        ROW_GROUP_SIZE,
        1,
    ]
    columns = {
        metadata.row_group(0).column(i).path_in_schema: metadata.row_group(0).column(i)
        for i in range(metadata.num_columns)
    }
    assert {column.compression for column in columns.values()} == {"ZSTD"}
    assert "BYTE_STREAM_SPLIT" in columns["vm_pu"].encodings
    assert "RLE_DICTIONARY" in columns["bus_id"].encodings
    assert str(metadata.schema.to_arrow_schema().field("bus_id").type) == "string"


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_equal_rows_give_equal_bytes_wherever_and_in_whatever_column_order(tmp_path: Path) -> None:
    write_days(tmp_path / "a", 2)
    writer = TraceWriter(tmp_path / "elsewhere" / "b", level="full", constants=CONSTANTS)
    for day in range(2):
        writer.write("metric", {"unit": "1", "value": 0.5, "name": "loss", "update": day})
        writer.write("household_step", dict(reversed(household_steps(day).items())))
        writer.commit()
    assert files_of(tmp_path / "a") == files_of(tmp_path / "elsewhere" / "b")


@given(st.lists(st.integers(1, 2), min_size=1, max_size=4))
def test_how_rows_were_buffered_leaves_no_mark(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[int]
) -> None:
    def write(sizes: list[int]) -> dict[str, bytes]:
        folder = tmp_path_factory.mktemp("trace")
        writer, start = TraceWriter(folder, constants=CONSTANTS), 0
        for size in sizes:
            updates = np.arange(start, start + size)
            writer.write("metric", {"update": updates, "name": "loss", "value": updates / 3})
            start += size
        writer.commit()
        return files_of(folder)

    assert write(chunks) == write([sum(chunks)])


def test_going_back_deletes_what_came_later_and_goes_on_alike(tmp_path: Path) -> None:
    write_days(tmp_path / "straight", 4)
    parts = write_days(tmp_path / "resumed", 2).parts
    assert parts == {"household_step": 2, "metric": 2}
    write_days(tmp_path / "resumed", 3)  # a third day that no checkpoint knows of
    writer = TraceWriter(tmp_path / "resumed", level="full", constants=CONSTANTS)
    writer.write("metric", {"update": 9, "name": "forgotten"})
    writer.discard_after(parts)
    for day in (2, 3):
        writer.write("household_step", household_steps(day))
        writer.write("metric", {"update": day, "name": "loss", "value": 0.5, "unit": "1"})
        writer.commit()
    assert files_of(tmp_path / "resumed") == files_of(tmp_path / "straight")
    writer.discard_after({})
    assert files_of(tmp_path / "resumed") == {}


def test_a_missing_part_is_noticed(tmp_path: Path) -> None:
    writer = write_days(tmp_path, 2)
    (tmp_path / "metrics" / "part-000000.parquet").unlink()
    with pytest.raises(CorruptError, match=r"part-000000.parquet: missing"):
        writer.discard_after(writer.parts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"laod_kw": 1.0}, "unknown column 'laod_kw'"),
        ({"load_kw": ["a", "b", "c"]}, "column 'load_kw': expected float32, got str"),
        ({"load_kw": np.zeros((3, 2))}, r"column 'load_kw': shape \(3, 2\)"),
        ({"load_kw": np.zeros(2)}, "differ in length"),
        ({"step": np.array([0.0, 0.0, 1.0])}, "column 'step': expected int32, got float64"),
        ({"step": np.array([0, 0, 2**40])}, "column 'step': not int32"),
        ({"step": [True, False, True]}, "column 'step': expected int32, got bool"),
        ({"agent_id": [1, 2, 3]}, "column 'agent_id': expected string, got int"),
        ({"agent_id": ["a", None, "b"]}, "column 'agent_id': is part of the key"),
        (
            {"agent_id": ["a", float("nan"), "b"]},
            "column 'agent_id': expected string, got float and str",
        ),
        ({"day": None}, "column 'day': is part of the key"),
    ],
)
def test_what_does_not_fit_the_schema_is_refused(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    writer = TraceWriter(tmp_path, constants=CONSTANTS)
    with pytest.raises(CorruptError, match=message) as caught:
        writer.write("household_step", {**household_steps(), **change})
    assert "household_step" in str(caught.value)
    writer.commit()
    assert files_of(tmp_path) == {}


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="no table 'household'"):
        TraceWriter(tmp_path).write("household", {})


@pytest.mark.parametrize(
    ("level", "written"),
    [
        ("off", set()),
        ("kpi", {"metric"}),
        ("agent", {"metric", "household_step"}),
        ("full", {"metric", "household_step", "suggestion"}),
    ],
)
def test_a_trace_level_writes_its_tables_and_those_of_lower_levels(
    tmp_path: Path, level: TraceLevel, written: set[str]
) -> None:
    writer = TraceWriter(tmp_path, level=level, constants=CONSTANTS)
    writer.write("household_step", household_steps())
    writer.write("metric", {"update": 0, "name": "loss"})
    pair = {"src_agent_id": "a", "dst_agent_id": "b"}
    when = {"day": 0, "step": 0, "sim_time_s": 0.0, "update": 0}
    writer.write("suggestion", {**when, **pair, "action": 0, "prob": 1.0})
    writer.commit()
    assert set(writer.parts) == written
    rows: dict[str, int] = dict.fromkeys(("household_step", "metric", "suggestion"), 1000)
    assert (predicted_bytes(rows, level=level) > 0) == bool(written)


def test_the_announced_size_is_of_the_right_order(tmp_path: Path) -> None:
    rng, count = np.random.default_rng(0), 96 * 50 * 5
    loads = rng.gamma(2.0, 0.3, count)
    writer = TraceWriter(tmp_path, constants=CONSTANTS)
    names = np.array([f"h{i:02d}" for i in range(50)])
    steps = np.arange(count) // 50 % 96
    writer.write(
        "household_step",
        {
            "day": np.arange(count) // (96 * 50),
            "step": steps,
            "sim_time_s": steps * 900.0,
            "agent_id": names[np.arange(count) % 50],
            **dict.fromkeys(("load_kw", "base_kw", "bill_eur", "charge_eur"), loads),
            **dict.fromkeys(("ev_kw", "heat_pump_kw", "appliance_kw", "discomfort_eur"), 0.0),
        },
    )
    writer.commit()
    actual = sum(len(data) for data in files_of(tmp_path).values())
    assert actual <= predicted_bytes({"household_step": count}) <= 3 * actual


def test_resources_describe_all_parts_of_a_run(tmp_path: Path) -> None:
    write_days(tmp_path / "tasks" / "ss-0", 2)
    write_days(tmp_path / "tasks" / "vps-0", 1)
    resources = {entry["name"]: entry for entry in trace_resources(tmp_path)}
    assert list(resources) == ["household_step", "metric"]
    entry = resources["household_step"]
    paths = [tmp_path / name for name in entry["path"]]
    assert (len(paths), entry["rows"]) == (3, 9)
    assert entry["bytes"] == sum(path.stat().st_size for path in paths)
    assert entry["hash"] == f"sha256:{sha256_of(*paths)}"
    assert {"name": "load_kw", "unit": "kW"}.items() <= next(
        field for field in entry["schema"]["fields"] if field["name"] == "load_kw"
    ).items()


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_every_table_follows_the_rules_of_the_schema(table: Table) -> None:
    units = {"_kw": "kW", "_mw": "MW", "_pu": "p.u.", "_percent": "%", "_eur": "EUR", "_s": "s"}
    units |= {"_degree": "degree", "_ka": "kA", "_kwh": "kWh", "_h": "h", "_bytes": "B"}
    assert table.level in LEVELS[1:]
    for column in table.columns:
        assert column.description
        assert column.visibility in VISIBILITIES
        suffix = "_" + column.name.rsplit("_", 1)[-1]
        if suffix in units and "_per_" not in column.name:
            assert column.unit == units[suffix], column.name
        if column.name.endswith("_id"):
            assert column.type == "string"
    assert not any(arrow_schema(table).field(name).nullable for name in table.key)


def test_the_data_dictionary_is_current() -> None:
    hint = "docs/data-dictionary.md: run `python -m ss_core.record.schema` and commit it"
    assert DICTIONARY.read_text(encoding="utf-8") == data_dictionary_markdown(), hint
