"""An export for somebody holds what they may see, and no trace of anything else."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ss_core.analysis.export import Export, Exported, checked_view, cut_to_view, export_view
from ss_core.analysis.export_files import csv_bytes, parquet_bytes, xlsx_bytes
from ss_core.analysis.export_writer import DICTIONARY, write_export
from ss_core.errors import ConfigError, InputError
from ss_core.record.run_directory import RunDirectory
from ss_core.record.schema import TABLES, VISIBILITIES, Column, Table, arrow_schema
from ss_core.record.trace_writer import TraceWriter, trace_resources
from tests.support.fault_counts import counted

PRIVATE = ("private", "operator", "simulator", "exchanged")
SECRET = "zqxsecret"


def secret_text(name: str, row: int) -> str:
    return f"{SECRET}-value-{name}-{row}"


def secret_number(at: int, row: int) -> float:
    return 7.0e6 + 1000.0 * at + row + 0.123


HIDDEN = st.lists(
    st.tuples(st.sampled_from(["string", "float64"]), st.sampled_from(PRIVATE), st.integers(0, 9)),
    min_size=1,
    max_size=6,
)


def made_up(hidden: list[tuple[str, str, int]]) -> Table:
    """A table with a public key, a public column, and hidden ones with marked names, mixed."""
    columns = [Column("run_id", "string", "", "run"), Column("shown", "float64", "kW", "for all")]
    for at, (kind, visibility, place) in enumerate(hidden):
        name, words = f"{SECRET}_{at}", f"{SECRET} words {at}"
        column = Column(name, kind, "", words, visibility, f"{SECRET}.{at}")  # type: ignore[arg-type]
        columns.insert(place % (len(columns) + 1), column)
    return Table("made_up", "a row", "kpi", ("run_id",), tuple(columns))


def rows_of(table: Table, count: int) -> pa.Table:
    made: dict[str, list[Any]] = {}
    for at, column in enumerate(table.columns):
        if column.name == "run_id":
            made[column.name] = [f"run{row}" for row in range(count)]
        elif column.name == "shown":
            made[column.name] = [float(row) for row in range(count)]
        elif column.type == "string":
            made[column.name] = [secret_text(column.name, row) for row in range(count)]
        else:
            made[column.name] = [secret_number(at, row) for row in range(count)]
    return pa.table(made, schema=arrow_schema(table))


def all_bytes(data: bytes) -> bytes:
    """The bytes, with those inside of a zip archive unpacked."""
    if not data.startswith(b"PK"):
        return data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return b"".join(archive.read(name) for name in archive.namelist())


@given(HIDDEN, st.integers(1, 30))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_public_export_holds_no_private_name_or_value(
    tmp_path_factory: pytest.TempPathFactory, hidden: list[tuple[str, str, int]], count: int
) -> None:
    table = made_up(hidden)
    found = cut_to_view(table, rows_of(table, count), "public")
    assert isinstance(found, Exported)
    export = Export("public", [found])
    numbers = {f"{secret_number(at, row):.3f}" for at in range(8) for row in range(count)}
    for form in ("parquet", "csv", "xlsx"):
        folder = tmp_path_factory.mktemp("public")
        files = write_export(export, form, folder / ("all.xlsx" if form == "xlsx" else form))
        for path in files:
            content = all_bytes(path.read_bytes())
            if path.suffix == ".parquet":
                read = pq.read_table(path)
                content += repr(read.to_pydict()).encode() + str(read.schema).encode()
            assert SECRET.encode() not in content, path.name
            text = content.decode("utf-8", "replace")
            assert not {number for number in numbers if number in text}, path.name


def written_run(folder: Path) -> Path:
    """A run with two households' rows in it."""
    with RunDirectory.create(folder, task="grid", size="h2", seed=0, config={"seed": 0}) as run:
        writer = TraceWriter(
            folder, level="full", constants={"run_id": run.trace_run_id, "seed": 0}
        )
        when = {"algorithm": "ss", "phase": "eval", "day": 0, "step": [0, 0], "sim_time_s": 0.0}
        agents = ["household_000", "household_001"]
        writer.write(
            "agent", {"agent_id": agents, "kind": "household", "annual_base_kwh": [1.5, 2.5]}
        )
        writer.write(
            "household_step",
            {**when, "agent_id": agents, "bill_eur": [11.25, 22.5], "price_eur_per_kwh": 0.3},
        )
        writer.write("agent_decision", {**when, "agent_id": agents, "delay_h": [1.0, 2.0]})
        writer.write(
            "metric",
            {"algorithm": "ss", "update": 0, "name": ["all", "one"],
             "agent_id": [None, "household_001"], "value": [1.0, 2.0]},
        )  # fmt: skip
        pairs = {"src_agent_id": agents, "dst_agent_id": agents[::-1], "update": 0}
        writer.write(
            "message", {"algorithm": "ss", **pairs, "kind": "suggestion", "n_bytes": [5, 6]}
        )
        writer.commit()
        run.finish("complete", resources=trace_resources(folder))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written_run(tmp_path_factory.mktemp("runs") / "one")


def tables_of(run: Path, view: str) -> dict[str, dict[str, list[Any]]]:
    return {one.name: one.values.to_pydict() for one in export_view(run, view).tables}


def test_public_leaves_out_bills_and_when_somebody_decided(run: Path) -> None:
    found = tables_of(run, "public")
    assert "agent_decision" not in found
    assert "message" not in found
    assert set(found["household_step"]) & {"bill_eur", "load_kw"} == set()
    assert found["household_step"]["agent_id"] == ["household_000", "household_001"]
    assert found["metric"]["name"] == ["all"]
    assert "agent_id" not in found["metric"]


def test_exchanged_adds_what_was_said(run: Path) -> None:
    assert tables_of(run, "exchanged")["message"]["n_bytes"] == [5, 6]


def test_an_agent_sees_its_own_rows_and_its_own_messages(run: Path) -> None:
    found = tables_of(run, "agent:household_001")
    assert found["household_step"]["bill_eur"] == [22.5]
    assert found["agent_decision"]["delay_h"] == [2.0]
    assert found["agent"]["annual_base_kwh"] == [2.5]
    assert found["metric"]["name"] == ["all", "one"]
    assert sorted(found["message"]["n_bytes"]) == [5, 6]
    assert 11.25 not in str(found).split()


def test_full_holds_everything(run: Path) -> None:
    found = tables_of(run, "full")
    assert found["household_step"]["bill_eur"] == [11.25, 22.5]
    assert set(found) == {"agent", "household_step", "agent_decision", "metric", "message"}


def test_every_column_has_a_class_that_a_view_knows() -> None:
    classes = {column.visibility for table in TABLES.values() for column in table.columns}
    assert classes <= set(VISIBILITIES)


@pytest.mark.parametrize("view", ["", "all", "agent:", "agent"])
def test_no_such_view(view: str) -> None:
    with pytest.raises(InputError, match="public, exchanged, full, or agent:ID"):
        checked_view(view)


def test_no_such_agent_or_table(run: Path) -> None:
    with pytest.raises(InputError, match="household_009"):
        export_view(run, "agent:household_009")
    with pytest.raises(InputError, match="this run has none"):
        export_view(run, "full", ["trip"])


def test_files_that_are_there_stay(run: Path, tmp_path: Path) -> None:
    export = export_view(run, "public")
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="not empty"):
        write_export(export, "csv", tmp_path)
    write_export(export, "csv", tmp_path, force=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / f"{DICTIONARY}.csv").exists()


def test_the_package_names_what_was_exported_only(run: Path, tmp_path: Path) -> None:
    write_export(export_view(run, "public"), "parquet", tmp_path / "p")
    package = json.loads((tmp_path / "p" / "datapackage.json").read_text())
    fields = {field["name"] for one in package["resources"] for field in one["schema"]["fields"]}
    assert "price_eur_per_kwh" in fields
    assert "bill_eur" not in fields
    for resource in package["resources"]:
        read = pq.read_table(tmp_path / "p" / resource["path"])
        assert read.column_names == [field["name"] for field in resource["schema"]["fields"]]


def test_text_that_looks_like_a_formula_is_text() -> None:
    risky = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "plain", None]
    table = pa.table({"name": risky, "number": [-1.5] * len(risky)})
    lines = csv_bytes(table).decode().split("\n")
    assert lines[1] == '"\'=1+1",-1.5'
    assert all(line.startswith("\"'") for line in lines[1:5])
    parts = all_bytes(xlsx_bytes({"t": table}, {"t": {"number": "kW"}})).decode("utf-8", "replace")
    assert "<f>" not in parts
    assert "number [kW]" in parts
    counted("F20")


def test_equal_tables_give_equal_bytes() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert xlsx_bytes({"t": table}, {}) == xlsx_bytes({"t": table}, {})
    assert parquet_bytes(table) == parquet_bytes(table)


def test_a_table_longer_than_a_sheet_is_refused_in_words() -> None:
    table = pa.table({"a": pa.nulls(1_048_576, pa.int8())})
    with pytest.raises(InputError, match="--format parquet or csv"):
        xlsx_bytes({"long": table}, {})
