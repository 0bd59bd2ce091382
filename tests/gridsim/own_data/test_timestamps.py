"""When a timestamp is, and what the clock of its place shows; clock changes worked by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridsim.own_data.tables import read_table
from gridsim.own_data.timestamps import Times, parse_time, read_times, zone_problem
from ss_core.errors import ConfigError, InputError

BERLIN = "Europe/Berlin"


def read(folder: Path, stamps: list[str], zone: str | None = None, column: str = "time") -> Times:
    path = folder / "times.csv"
    path.write_text(f"{column};x\n" + "".join(f"{stamp};1\n" for stamp in stamps))
    return read_times(read_table(path), column, zone)


@pytest.mark.parametrize(
    "stamp",
    [
        *("2025-01-06T13:00:00+01:00", "2025-01-06T12:00Z", "2025-01-06 13:00+01:00"),
        *("06/01/2025 13:00 (CET)", "06.01.2025 13:00:00 (MEZ)"),
        "06/01/2025 13:00:00 (CET) - 06/01/2025 14:00:00 (CET)",
    ],
)
def test_a_timestamp_with_a_zone_is_a_point_of_time(tmp_path: Path, stamp: str) -> None:
    found = read(tmp_path, [stamp])
    assert found.utc_s.tolist() == [1736164800]  # 6 January 2025, 12:00 UTC


@pytest.mark.parametrize(
    "stamp", ["06.01.2025 13:00", "2025-01-06T13:00", "06/01/2025 13:00:00", "Jan 6, 2025 1:00 PM"]
)
def test_one_without_a_zone_needs_its_name_and_then_is_the_same(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(InputError, match=r"row 2.*no zone.*--zone Europe/Berlin"):
        read(tmp_path, [stamp])
    found = read(tmp_path, [stamp], zone=BERLIN)
    assert found.utc_s.tolist() == [1736164800]
    assert found.local_s.tolist() == [1736164800 + 3600]


def test_entso_e_names_the_zone_in_the_header(tmp_path: Path) -> None:
    found = read(tmp_path, ["06/01/2025 13:00 - 06/01/2025 14:00"], column="MTU (CET/CEST)")
    assert found.utc_s.tolist() == [1736164800]


def test_the_clock_is_that_of_the_offsets_or_of_the_zone_asked_for(tmp_path: Path) -> None:
    stamps = ["2025-07-01T10:00Z"]
    assert read(tmp_path, stamps).local_s.tolist() == read(tmp_path, stamps).utc_s.tolist()
    berlin = read(tmp_path, stamps, BERLIN)
    assert (berlin.local_s - berlin.utc_s).tolist() == [7200]


def test_the_hour_that_autumn_shows_twice_is_told_by_its_order(tmp_path: Path) -> None:
    clock = ["2025-10-26T01:00", "2025-10-26T02:00", "2025-10-26T02:00", "2025-10-26T03:00"]
    found = read(tmp_path, clock, BERLIN)
    assert np.diff(found.utc_s).tolist() == [3600, 3600, 3600]
    assert np.diff(found.local_s).tolist() == [3600, 0, 3600]


def test_the_hour_that_spring_skips_is_no_time_of_the_zone(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"row 3.*02:30.*is skipped by the clock.*--zone UTC"):
        read(tmp_path, ["2025-03-30T01:30", "2025-03-30T02:30"], BERLIN)
    assert len(read(tmp_path, ["2025-03-30T01:30", "2025-03-30T02:30"], "UTC").utc_s) == 2


def test_skipped_quarters_are_those_from_two_to_three(tmp_path: Path) -> None:
    stamps = ["2025-03-30T01:00+01:00", "2025-03-30T03:00+02:00", "2025-03-30T04:00+02:00"]
    hours = read(tmp_path, stamps).skipped_quarters() / 4 % 24
    assert hours.tolist() == [2.0, 2.25, 2.5, 2.75]


def test_offsets_of_two_places_are_refused(tmp_path: Path) -> None:
    stamps = ["2025-01-06T12:00+01:00", "2025-01-06T13:00+01:00", "2025-01-06T14:00+05:30"]
    with pytest.raises(InputError, match=r"row 4.*another zone.*--zone Europe/Berlin"):
        read(tmp_path, stamps)
    assert len(read(tmp_path, stamps, BERLIN).utc_s) == 3


@pytest.mark.parametrize("stamp", ["yesterday", "2025-01-06", "13:00", "2025-13-06T13:00Z", ""])
def test_what_is_no_timestamp_is_refused(tmp_path: Path, stamp: str) -> None:
    with pytest.raises(InputError, match=r"row 2.*is no timestamp; write timestamps as 2024"):
        read(tmp_path, [stamp])
    assert parse_time(stamp) is None


def test_a_zone_that_there_is_not_is_refused_with_one_that_there_is(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"zone='Europe/Berln': no time zone; write one as Europe"
    ):
        read(tmp_path, ["2025-01-06T12:00Z"], "Europe/Berln")
    assert zone_problem(BERLIN) == ""


def test_parquet_types_have_their_zone_or_need_one(tmp_path: Path) -> None:
    stamps = pd.date_range("2025-10-26T00:00", periods=4, freq="h", tz=BERLIN)
    path = tmp_path / "times.parquet"
    pd.DataFrame({"time": stamps, "x": 1.0}).to_parquet(path)
    found = read_times(read_table(path), "time", None)
    assert np.diff(found.utc_s).tolist() == [3600] * 3
    assert np.diff(found.local_s).tolist() == [3600, 3600, 0]
    assert found.clock == BERLIN
    assert read_times(read_table(path), "time", "UTC").local_s.tolist() == found.utc_s.tolist()
    pd.DataFrame({"time": stamps.tz_localize(None), "x": 1.0}).to_parquet(path)
    with pytest.raises(InputError, match=r"row 2.*has no zone.*--zone Europe/Berlin"):
        read_times(read_table(path), "time", None)
    again = read_times(read_table(path), "time", BERLIN)
    assert again.utc_s.tolist() == found.utc_s.tolist()


def test_two_series_in_one_parquet_column_each_have_their_autumn(tmp_path: Path) -> None:
    clock = pd.to_datetime(["2025-10-26T01:00", *["2025-10-26T02:00"] * 2, "2025-10-26T03:00"])
    path = tmp_path / "times.parquet"
    pd.DataFrame({"time": [*clock, *clock], "x": 1.0}).to_parquet(path)
    found = read_times(read_table(path), "time", BERLIN, ["a"] * 4 + ["b"] * 4)
    assert np.diff(found.utc_s[:4]).tolist() == np.diff(found.utc_s[4:]).tolist() == [3600] * 3


def test_the_clock_is_said(tmp_path: Path) -> None:
    assert read(tmp_path, ["2025-01-06T12:00Z"]).clock_words().startswith("UTC (--zone Europe")
    assert read(tmp_path, ["2025-01-06T12:00+01:00"]).clock_words() == "the file's own offsets"
    assert read(tmp_path, ["2025-01-06T12:00Z"], BERLIN).clock_words() == BERLIN
