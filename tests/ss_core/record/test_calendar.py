"""Calendar times are the run's date, its days and its clock."""

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.errors import CorruptError
from ss_core.record.calendar import calendar_times, date_problem
from ss_core.record.schema import TABLES, Column, Table
from ss_core.record.trace_writer import TraceWriter

DATES = st.dates(date(1900, 1, 1), date(2200, 12, 31))
KEY = {"run_id": "r", "seed": 0, "algorithm": "ss", "phase": "eval"}


@given(DATES, st.integers(0, 400), st.integers(0, 200_000_000))
def test_a_time_is_the_date_and_the_days_and_the_clock(start: date, day: int, ms: int) -> None:
    (found,) = calendar_times(start, pa.array([day], pa.int32()), pa.array([ms / 1000])).to_pylist()
    midnight = datetime(start.year, start.month, start.day)
    assert found == midnight + timedelta(days=day, milliseconds=ms)


def test_without_a_day_or_a_clock_there_is_no_time() -> None:
    times = calendar_times(date(2025, 1, 15), pa.array([0, None]), pa.array([None, 1.0]))
    assert times.to_pylist() == [None, None]


@pytest.mark.parametrize("text", ["", "2025-1-5", "2025-13-01", "20250115", "1899-12-31", "1 May"])
def test_what_is_no_date_is_refused_in_words(text: str) -> None:
    assert "as in 2025-01-15" in date_problem(text)
    assert date_problem("2024-02-29") == ""


def trips(folder: Path, start: date | None, **columns: object) -> list[dict[str, object]]:
    writer = TraceWriter(folder, constants=KEY, date=start)
    given = {"day": [0, 1], "vehicle_id": ["a", "b"], "depart_s": np.array([28_800.0, 0.0])}
    writer.write("trip", {**given, **columns})  # type: ignore[dict-item]
    writer.commit()
    return pq.read_table(folder / "traces" / "trip" / "part-000000.parquet").to_pylist()


def test_a_trace_has_times_where_the_run_has_a_date(tmp_path: Path) -> None:
    rows = trips(tmp_path / "dated", date(2025, 1, 15))
    assert [row["depart_time"] for row in rows] == [datetime(2025, 1, 15, 8), datetime(2025, 1, 16)]
    assert [row["arrival_time"] for row in rows] == [None, None]
    bare = trips(tmp_path / "bare", None)
    assert [row["depart_time"] for row in bare] == [None, None]


def test_times_that_are_given_stay(tmp_path: Path) -> None:
    times = np.array(["2020-01-01", "NaT"], "datetime64[ms]")
    rows = trips(tmp_path, date(2025, 1, 15), depart_time=times)
    assert [row["depart_time"] for row in rows] == [datetime(2020, 1, 1), None]


def test_a_clock_that_runs_over_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorruptError, match="table 'trip', column 'depart_s'"):
        trips(tmp_path, date(2025, 1, 15), depart_s=np.array([1e300, 0.0]))


def test_every_time_of_the_schema_has_a_clock_and_a_day() -> None:
    times = {
        (table.name, column.name)
        for table in TABLES.values()
        for column in table.columns
        if column.type == "timestamp"
    }
    assert times >= {
        *(("trip", "depart_time"), ("trip", "arrival_time"), ("household_step", "time")),
        *(("edge_interval", "begin_time"), ("network_interval", "end_time")),
    }
    assert all(
        column.clock
        for table in TABLES.values()
        for column in table.columns
        if (table.name, column.name) in times
    )


def test_a_time_tells_no_more_than_its_clock() -> None:
    clock = Column("at_s", "float64", "s", "clock", "private")
    time = Column("at", "timestamp", "", "time", clock="at_s")
    with pytest.raises(ValueError, match="tells more than its clock"):
        Table("made_up", "a row", "kpi", ("at_s",), (Column("day", "int32", "1", ""), clock, time))
