"""An export for somebody holds what they may see, and no trace of anything else."""

import io
import json
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ss_core.analysis.about import About, about_run
from ss_core.analysis.export import Export, Exported, checked_view, cut_to_view, export_view
from ss_core.analysis.export_files import csv_bytes, guarded_columns, parquet_bytes
from ss_core.analysis.export_writer import DICTIONARY, write_export
from ss_core.errors import ConfigError, InputError
from ss_core.record.run_directory import RunDirectory
from ss_core.record.schema import TABLES, VISIBILITIES, Column, Table, arrow_schema
from ss_core.record.trace_writer import TraceWriter, trace_resources
from tests.support.fault_counts import counted

PRIVATE = ("private", "operator", "simulator", "exchanged")
SECRET = "zqxsecret"
ABOUT = About(title="Made up", run_id="made-up-s0-01234567", view="public", notes=("A note.",))


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
        files = write_export(export, ABOUT, form, folder / ("all.xlsx" if form == "xlsx" else form))
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
        write_export(export, ABOUT, "csv", tmp_path)
    write_export(export, ABOUT, "csv", tmp_path, force=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"
    assert (tmp_path / f"{DICTIONARY}.csv").exists()


def test_the_package_names_what_was_exported_only(run: Path, tmp_path: Path) -> None:
    write_export(export_view(run, "public"), ABOUT, "parquet", tmp_path / "p")
    package = json.loads((tmp_path / "p" / "datapackage.json").read_text())
    fields = {field["name"] for one in package["resources"] for field in one["schema"]["fields"]}
    assert "price_eur_per_kwh" in fields
    assert "bill_eur" not in fields
    *tables, dictionary = package["resources"]
    assert (dictionary["name"], dictionary["path"]) == (DICTIONARY, f"{DICTIONARY}.csv")
    for resource in tables:
        read = pq.read_table(tmp_path / "p" / resource["path"])
        assert read.column_names == [field["name"] for field in resource["schema"]["fields"]]


def test_text_that_looks_like_a_formula_is_text() -> None:
    risky = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "'=1", "plain", None]
    table = pa.table({"name": risky, "number": [-1.5] * len(risky)})
    lines = csv_bytes(table).decode("utf-8-sig").split("\n")
    assert lines[1] == '"\'=1+1",-1.5'
    assert all(line.startswith("\"'") for line in lines[1:5])
    assert guarded_columns(table) == {"name": 7}
    read = pd.read_csv(io.BytesIO(csv_bytes(table)), keep_default_na=False, lineterminator="\n")
    back = [text.removeprefix("'") for text in read.name]
    assert back == [text or "" for text in risky]  # one apostrophe less is what the run has
    counted("F20")


def test_csv_in_a_file_has_a_mark_that_excel_knows_and_in_a_pipe_has_none() -> None:
    table = pa.table({"name": ["Straße", "café"]})
    assert csv_bytes(table).startswith(b"\xef\xbb\xbf")
    assert csv_bytes(table, marked=False) == '"name"\n"Straße"\n"café"\n'.encode()
    assert pd.read_csv(io.BytesIO(csv_bytes(table))).name.tolist() == ["Straße", "café"]


def test_a_guard_is_told_in_the_dictionary_and_in_the_package(tmp_path: Path) -> None:
    columns = (Column("run_id", "string", "", "id"), Column("shown", "int32", "1", "a number"))
    table = Table("made_up", "a row", "kpi", ("run_id",), columns)
    values = pa.table({"run_id": ["-E12", "E12"], "shown": [1, 2]}, schema=arrow_schema(table))
    found = cut_to_view(table, values, "public")
    assert isinstance(found, Exported)
    write_export(Export("public", [found]), ABOUT, "csv", tmp_path)
    lines = (tmp_path / "made_up.csv").read_text("utf-8-sig").splitlines()
    assert lines == ['"run_id","shown"', '"\'-E12",1', '"E12",2']
    dictionary = pd.read_csv(tmp_path / f"{DICTIONARY}.csv")
    assert "an apostrophe before 1 of 2 texts" in dictionary.guard[0]
    package = json.loads((tmp_path / "datapackage.json").read_text())
    assert package["resources"][0]["schema"]["fields"][0]["guard"] == dictionary.guard[0]


def test_times_in_csv_are_those_of_iso_8601() -> None:
    times = pa.array([0, 90_000, None], pa.timestamp("ms"))
    fine = pa.array([0, 90_500, None], pa.timestamp("ms"))
    lines = csv_bytes(pa.table({"time": times, "fine": fine}), marked=False).decode().split("\n")
    assert lines[1:4] == [
        '"1970-01-01T00:00:00","1970-01-01T00:00:00.000"',
        '"1970-01-01T00:01:30","1970-01-01T00:01:30.500"',
        ",",
    ]


def test_equal_tables_give_equal_bytes() -> None:
    table = pa.table({"a": [1, 2], "b": ["x", "y"]})
    assert csv_bytes(table) == csv_bytes(table)
    assert parquet_bytes(table) == parquet_bytes(table)


# calendar times


def test_a_run_without_a_date_has_no_times_until_one_is_given(run: Path) -> None:
    bare = export_view(run, "public")
    assert bare.lacks_calendar
    assert not any("time" in one.values.column_names for one in bare.tables)
    assert any("--date 2025-01-15" in note for note in about_run(run, bare).notes)
    dated = export_view(run, "public", date="2025-01-15")
    assert not dated.lacks_calendar
    steps = next(one for one in dated.tables if one.name == "household_step")
    assert steps.values.column("time").to_pylist() == [datetime(2025, 1, 15)] * 2
    assert not any("--date" in note for note in about_run(run, dated).notes)
    fields = {one.name for one in steps.columns}
    assert {"day", "step", "sim_time_s", "time"} <= fields


def test_a_date_that_is_none_is_refused(run: Path) -> None:
    for text in ("yesterday", "2025-02-30", "20250115", "0001-01-01"):
        with pytest.raises(ConfigError, match="a day of the calendar"):
            export_view(run, "public", date=text)


def test_a_run_keeps_its_own_date(tmp_path: Path) -> None:
    config = {"date": "2024-02-28"}
    with RunDirectory.create(tmp_path, task="grid", size="h1", seed=0, config=config) as made:
        writer = TraceWriter(tmp_path, constants={"run_id": "r", "seed": 0}, date=date(2024, 2, 28))
        when = {"algorithm": "ss", "phase": "eval", "day": [0, 1, 2], "vehicle_id": ["a", "b", "c"]}
        clocks = {"depart_s": [8 * 3600.0, 0.5, 0.0], "arrival_s": [90_000.0, None, 1.0]}
        writer.write("trip", {**when, **clocks})
        writer.commit()
        made.finish("complete", resources=trace_resources(tmp_path))
    (trip,) = export_view(tmp_path, "full").tables
    assert trip.values.column("depart_time").to_pylist() == [
        datetime(2024, 2, 28, 8),
        datetime(2024, 2, 29, 0, 0, 0, 500_000),
        datetime(2024, 3, 1),
    ]
    arrived = [datetime(2024, 2, 29, 1), None, datetime(2024, 3, 1, 0, 0, 1)]
    assert trip.values.column("arrival_time").to_pylist() == arrived
    assert "depart_time" not in export_view(tmp_path, "agent:a").tables[0].values.column_names
    with pytest.raises(ConfigError, match="the run has the date 2024-02-28"):
        export_view(tmp_path, "full", date="2025-01-15")


# title, licence, notes


def test_notes_of_the_run_go_to_those_who_may_see_everything(run: Path) -> None:
    (run / "result.json").write_text(json.dumps({"notes": ["household_001 lies"]}))
    try:
        assert "household_001 lies" in about_run(run, export_view(run, "full")).notes
        assert "household_001 lies" not in about_run(run, export_view(run, "exchanged")).notes
    finally:
        (run / "result.json").unlink()
    about = about_run(run, export_view(run, "public"))
    assert about.title == f"Tables of the grid run {about.run_id}"
    assert "Tables that are not in this export: message, agent_decision." in " ".join(about.notes)


@pytest.mark.parametrize("licence", ["CC-BY-4.0", "https://example.org/terms"])
def test_a_licence_is_a_name_or_an_address(run: Path, licence: str) -> None:
    export = export_view(run, "public")
    assert about_run(run, export, licence=licence).licence == licence
    with pytest.raises(ConfigError, match=r"as CC-BY-4\.0"):
        about_run(run, export, licence=f"{licence} or so")
