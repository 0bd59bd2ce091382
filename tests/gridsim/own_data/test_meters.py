"""Measured loads: what becomes of every reading, and what a file must have."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gridsim.own_data.meters import Meters, measured_households, read_meters
from ss_core.errors import InputError
from tests.support.own_files import BERLIN, times, write_meters

WINTER, SUMMER = (12, 1, 2), (6, 7, 8)


def write(path: Path, stamps: Sequence[str], kw: Sequence[object]) -> Path:
    rows = "".join(f"{time},a,{value}\n" for time, value in zip(stamps, kw, strict=True))
    path.write_text(f"timestamp,household,kW\n{rows}")
    return path


def note(meters: Meters) -> str:
    return meters.notes[0]


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_readings_of_each_resolution_become_quarter_hours_from_noon_to_noon(
    tmp_path: Path, minutes: int
) -> None:
    stamps = times("2025-01-06T00:00", 48, minutes=minutes)
    kw = [float(stamp[11:13]) for stamp in stamps]  # the hour
    meters = read_meters(write(tmp_path / "m.csv", stamps, kw), None)
    assert meters.date.astype("datetime64[D]").astype(str).tolist() == ["2025-01-06"]
    hours = np.r_[np.arange(12, 24), np.arange(12)]
    np.testing.assert_array_equal(meters.kw[0, 0], np.repeat(hours, 4))
    assert f"readings of {minutes} minutes" in note(meters)
    assert "nothing was filled in" in note(meters)


def test_rows_may_come_in_any_order_and_parquet_is_the_same(tmp_path: Path) -> None:
    path = write_meters(tmp_path / "m.csv", ("a", "b", "c"), days=2)
    known = read_meters(path, None)
    head, *rows = path.read_text().splitlines()
    path.write_text("\n".join([head, *np.random.default_rng(0).permutation(rows)]))
    mixed = read_meters(path, None)
    order = [mixed.name.index(name) for name in known.name]
    np.testing.assert_array_equal(mixed.kw[order], known.kw)
    frame = pd.read_csv(path)
    frame["timestamp"] = pd.to_datetime(frame["timestamp"], utc=True).dt.tz_convert(BERLIN)
    frame.to_parquet(tmp_path / "m.parquet")
    np.testing.assert_array_equal(read_meters(tmp_path / "m.parquet", None).kw, mixed.kw)


@pytest.mark.parametrize("local", [False, True], ids=["offsets", "clock times and --zone"])
def test_the_day_of_spring_has_the_hour_that_the_clock_skips_on_a_line(
    tmp_path: Path, local: bool
) -> None:
    stamps = times("2025-03-29T12:00", 23, local=local)  # an hour short: noon to noon
    assert stamps[-1].startswith("2025-03-30T11:00")
    kw = [float(stamp[11:13]) for stamp in stamps]
    meters = read_meters(write(tmp_path / "m.csv", stamps, kw), BERLIN if local else None)
    night = meters.kw[0, 0, 13 * 4 : 16 * 4]  # from 1:00 to 4:00
    line = [1.4, 1.8, 2.2, 2.6]  # from 1 at 1:45 to 3 at 3:00
    np.testing.assert_allclose(night, [1] * 4 + line + [3] * 4, rtol=1e-6)
    assert "4 quarter-hours that the clock skips filled in" in note(meters)


@pytest.mark.parametrize("local", [False, True], ids=["offsets", "clock times and --zone"])
def test_the_day_of_autumn_has_the_mean_of_the_hour_that_comes_twice(
    tmp_path: Path, local: bool
) -> None:
    stamps = times("2025-10-25T12:00", 25, local=local)
    kw = np.arange(25.0)  # 14 at 2:00 summer time, 15 at 2:00 winter time
    meters = read_meters(write(tmp_path / "m.csv", stamps, list(kw)), BERLIN if local else None)
    np.testing.assert_array_equal(meters.kw[0, 0, 13 * 4 : 16 * 4 : 4], [13.0, 14.5, 16.0])
    assert "the mean of two taken in 4 that the clock shows twice" in note(meters)


def test_short_gaps_are_filled_and_days_with_longer_ones_left_out(tmp_path: Path) -> None:
    stamps = times("2025-01-06T12:00", 72, minutes=15)
    kw: list[object] = [1.0] * len(stamps)
    kw[10:14] = ["", "NaN", "-", ""]  # an hour without readings
    del stamps[150:159], kw[150:159]  # 9 quarter-hours of the second day
    meters = read_meters(write(tmp_path / "m.csv", stamps, kw), None)
    assert meters.date.astype("datetime64[D]").astype(str).tolist() == ["2025-01-06", "2025-01-08"]
    assert (meters.kw == 1.0).all()
    assert "4 quarter-hours of gaps up to 2 h filled in" in note(meters)
    assert "1 days with longer gaps left out" in note(meters)


def test_a_gap_is_filled_on_a_straight_line(tmp_path: Path) -> None:
    stamps = times("2025-01-06T12:00", 24)
    kw = [2.0] * 10 + [""] + [7.0] * 13
    meters = read_meters(write(tmp_path / "m.csv", stamps, kw), None)
    np.testing.assert_allclose(meters.kw[0, 0, 39:45], [2.0, 3.0, 4.0, 5.0, 6.0, 7.0])


def test_repeated_rows_are_dropped_and_rows_that_differ_are_refused(tmp_path: Path) -> None:
    stamps = times("2025-01-06T12:00", 24)
    path = write(tmp_path / "m.csv", [*stamps, stamps[3]], [1.0] * 25)
    assert "1 repeated rows dropped" in note(read_meters(path, None))
    write(path, [*stamps, stamps[3]], [1.0] * 24 + [2.0])
    with pytest.raises(
        InputError, match=r"row 26, column 'kW': '2.0' differs from row 5.*keep one"
    ):
        read_meters(path, None)
    write(path, stamps, [1.0] * 24)  # the remedy
    assert read_meters(path, None).kw.shape == (1, 1, 96)


@pytest.mark.parametrize("value", [1e6, -0.5])
def test_few_implausible_readings_are_gaps_and_many_are_refused(
    tmp_path: Path, value: float
) -> None:
    stamps = times("2025-01-06T12:00", 120)
    kw: list[object] = [1.0] * len(stamps)
    kw[50] = value
    path = write(tmp_path / "m.csv", stamps, kw)
    assert "1 readings outside 0 to 100 kW taken as gaps" in note(read_meters(path, None))
    kw[51] = value
    write(path, stamps, kw)
    with pytest.raises(InputError, match=r"row 52, column 'kW'.*2% of the readings of 'a'.*leave"):
        read_meters(path, None)
    kw[50] = kw[51] = ""  # the remedy
    assert (read_meters(write(path, stamps, kw), None).kw == 1.0).all()


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("timestamp,household,kWh", "holds energy; write mean power in a column kW"),
        ("timestamp,household,W", "no column for the mean power in kW.*name it kW or p_kw"),
        ("timestamp,who,kW", "no column for the household.*name it household"),
        ("when,household,kW", "no column for the time.*name it timestamp"),
        ("timestamp,household;kW", "rows have more cells than its 2 columns"),
    ],
)
def test_missing_columns_are_named_with_what_is_expected(
    tmp_path: Path, header: str, why: str
) -> None:
    path = write_meters(tmp_path / "m.csv", days=1)
    path.write_text(path.read_text().replace("timestamp,household,kW", header))
    with pytest.raises(InputError, match=why):
        read_meters(path, None)


@pytest.mark.parametrize(
    ("minutes", "why"),
    [(5, "a reading of 5 minutes; average"), (120, "a reading of 120 minutes; average or repeat")],
)
def test_other_resolutions_are_refused(tmp_path: Path, minutes: int, why: str) -> None:
    stamps = [t for t in times("2025-01-06T12:00", 24, minutes=minutes) if int(t[14:16]) % 15 == 0]
    if minutes == 5:
        stamps = times("2025-01-06T12:00", 24, minutes=5)
        why = "begins no quarter of an hour; average"
    with pytest.raises(InputError, match=why):
        read_meters(write(tmp_path / "m.csv", stamps, [1.0] * len(stamps)), None)


def test_a_household_without_a_name_and_days_that_are_not_whole_are_refused(tmp_path: Path) -> None:
    stamps = times("2025-01-06T12:00", 24)
    path = write(tmp_path / "m.csv", stamps, [1.0] * 24)
    path.write_text(path.read_text().replace(",a,", ",,", 1))
    with pytest.raises(InputError, match="row 2, column 'household': '' names no household"):
        read_meters(path, None)
    write(path, times("2025-01-06T13:00", 24), [1.0] * 24)
    with pytest.raises(InputError, match=r"no household has a whole day.*begin at 12:00"):
        read_meters(path, None)
    write(path, stamps[:1], [1.0])
    with pytest.raises(InputError, match="is the only reading"):
        read_meters(path, None)


def test_columns_that_are_not_used_are_said(tmp_path: Path) -> None:
    path = write_meters(tmp_path / "m.csv", days=1)
    rows = path.read_text().splitlines()
    path.write_text("\n".join([rows[0] + ",quality", *(row + ",ok" for row in rows[1:])]))
    assert read_meters(path, None).notes[1:] == ("m.csv: columns not used: 'quality'",)


# households and days


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_households_take_meters_in_order_by_name_or_by_lot(tmp_path: Path) -> None:
    meters = read_meters(write_meters(tmp_path / "m.csv", ("a", "b", "c")), None)

    def levels(count: int, names: tuple[str, ...] | None = None) -> list[float]:
        found, _ = measured_households(meters, WINTER, "winter", count, rng(), names)
        return found.mean_kw().tolist()

    assert levels(3) == [0.5, 1.0, 1.5]
    assert levels(2, ("c", "a")) == [1.5, 0.5]
    drawn = levels(2)
    assert len({*drawn}) == 2
    assert {*drawn} <= {0.5, 1.0, 1.5}
    assert drawn == levels(2)
    assert levels(3, ("x", "y", "z")) == [0.5, 1.0, 1.5]  # names of nobody's meter


def test_too_few_meters_name_both_numbers_and_a_remedy_that_works(tmp_path: Path) -> None:
    meters = read_meters(write_meters(tmp_path / "m.csv", ("a", "b")), None)
    with pytest.raises(InputError, match=r"5 households and 2 meters.*--households 2"):
        measured_households(meters, WINTER, "winter", 5, rng())
    assert measured_households(meters, WINTER, "winter", 2, rng())[0].kw.shape[0] == 2
    with pytest.raises(InputError, match=r"no days of the season for 'x'.*alike in both files"):
        measured_households(meters, WINTER, "winter", 2, rng(), ("a", "x"))


def test_a_season_that_is_not_covered_names_one_that_is(tmp_path: Path) -> None:
    meters = read_meters(write_meters(tmp_path / "m.csv"), None)
    with pytest.raises(
        InputError, match=r"no whole day .*of summer; it has from 2025-01-06.*winter"
    ):
        measured_households(meters, SUMMER, "summer", 2, rng())


def test_days_are_drawn_of_the_season_and_the_day_type(tmp_path: Path) -> None:
    stamps = times("2025-01-31T12:00", 24 * 40)  # to 12 March
    friday = np.datetime64("2025-01-31")
    kw = []
    for k in range(len(stamps)):
        day = friday + np.timedelta64(k // 24, "D")
        weekend = (day.astype("datetime64[D]").astype(int) + 3) % 7 >= 5
        kw.append((10.0 if day >= np.datetime64("2025-03-01") else 1.0) + weekend)
    found, note = measured_households(
        read_meters(write(tmp_path / "m.csv", stamps, kw), None), WINTER, "winter", 1, rng()
    )
    is_weekend = np.array([False, True] * 50)
    days = found.draw(WINTER, is_weekend, rng())
    np.testing.assert_array_equal(days[:, 0, 40], 1.0 + is_weekend)
    assert "on 29 days of winter" in note  # 31 January to 28 February


def test_who_has_no_weekend_lives_on_weekdays(tmp_path: Path) -> None:
    meters = read_meters(write_meters(tmp_path / "m.csv", ("a",), days=3), None)  # from Monday on
    found, note = measured_households(meters, WINTER, "winter", 1, rng())
    assert "1 without a weekend in the season live on weekdays all week" in note
    assert (found.draw(WINTER, np.array([True, False]), rng()) == 0.5).all()
