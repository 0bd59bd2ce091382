"""A series of readings as days of 96 quarter-hours from an hour on, on the clock of its place.

Readings are means over 15, 30 or 60 minutes from their time on. Gaps of up to `MOST_FILLED`
quarter-hours are filled on a straight line, and so is the hour that the clock skips in spring; of
the hour that it shows twice in autumn the mean is taken. Days with longer gaps are left out.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gridsim.own_data.tables import Table
from gridsim.own_data.timestamps import QUARTER_S

STEPS_PER_DAY = 96
MOST_FILLED = 8
RESOLUTIONS_S = (900, 1800, 3600)


@dataclass(frozen=True, slots=True)
class Filled:
    """What was done to a series, counted; quarter-hours if not said otherwise."""

    gaps: int = 0  # filled
    skipped: int = 0  # by the clock, filled
    twice: int = 0  # shown by the clock, mean taken
    days_left_out: int = 0

    def __add__(self, other: "Filled") -> "Filled":
        return Filled(
            self.gaps + other.gaps,
            self.skipped + other.skipped,
            self.twice + other.twice,
            self.days_left_out + other.days_left_out,
        )

    def sentence(self, repeated: int) -> str:
        """For people; `repeated` rows were dropped."""
        said = (
            (self.gaps, f"{self.gaps} quarter-hours of gaps up to {MOST_FILLED // 4} h filled in"),
            (self.skipped, f"{self.skipped} quarter-hours that the clock skips filled in"),
            (self.twice, f"the mean of two taken in {self.twice} that the clock shows twice"),
            (self.days_left_out, f"{self.days_left_out} days with longer gaps left out"),
            (repeated, f"{repeated} repeated rows dropped"),
        )
        return ", ".join(words for count, words in said if count) or "nothing was filled in"


@dataclass(frozen=True, slots=True, eq=False)
class DaySeries:
    """The days of one series that are whole."""

    date: Int[np.ndarray, " day"]  # days since 1970 on whose first hour each begins
    value: Float[np.ndarray, "day step"]
    filled: Filled
    resolution_s: tuple[int, ...]


def whole_days(
    table: Table,
    column: str,
    rows: Int[np.ndarray, " row"],
    *,
    utc_s: Int[np.ndarray, " row"],
    local_s: Int[np.ndarray, " row"],
    value: Float[np.ndarray, " row"],
    skipped: Int[np.ndarray, " skipped"],
    first_hour: int = 12,
) -> DaySeries:
    """Days of readings from `first_hour` on, each time once, in any order; NaN is no reading.

    `rows` are the positions of the readings in the table, `column` that of their times: for errors.

    Raises:
        InputError: times are not 15, 30 or 60 minutes apart, or begin no quarter of an hour.
    """
    order = np.argsort(utc_s, kind="stable")
    rows, utc_s, local_s, value = (x[order] for x in (rows, utc_s, local_s, value))
    odd = local_s % QUARTER_S != 0
    if odd.any():
        why = "begins no quarter of an hour; average readings over 15, 30 or 60 minutes"
        raise table.refusal(int(rows[odd.argmax()]), column, why)
    step_s = _resolution(table, column, rows, utc_s, local_s)
    times = step_s // QUARTER_S
    quarter = np.repeat(local_s // QUARTER_S, times) + _counting(times)
    resolution_s = tuple(np.unique(step_s).tolist())
    return _cut(quarter, np.repeat(value, times), skipped, resolution_s, first_hour)


def day_words(first_hour: int) -> str:
    """From when to when a day lasts, for people."""
    return "noon to noon" if first_hour == 12 else f"{first_hour}:00 to {first_hour}:00"


def _counting(times: Int[np.ndarray, " row"]) -> Int[np.ndarray, " quarter"]:
    """0, 1, … up to each number."""
    starts = np.repeat(np.cumsum(times) - times, times)
    return np.arange(int(times.sum())) - starts


def _resolution(
    table: Table, column: str, rows: np.ndarray, utc_s: np.ndarray, local_s: np.ndarray
) -> Int[np.ndarray, " row"]:
    """Of each reading: the shortest step of its day, since markets and meters change theirs."""
    apart = np.diff(utc_s)
    if not len(apart):
        raise table.refusal(int(rows[0]), column, "is the only reading; days of them are needed")
    _, day = np.unique(local_s // 86400, return_inverse=True)
    shortest = np.full(int(day.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(shortest, day[:-1], apart)
    lone = shortest > RESOLUTIONS_S[-1]
    known, count = np.unique(apart, return_counts=True)
    shortest[lone] = known[count.argmax()]
    step_s = shortest[day]
    bad = ~np.isin(step_s, RESOLUTIONS_S)
    if bad.any():
        minutes = step_s[bad.argmax()] / 60.0
        why = (
            f"begins a reading of {minutes:g} minutes; average or repeat readings to 15, 30 or 60 "
            "minutes"
        )
        raise table.refusal(int(rows[bad.argmax()]), column, why)
    return step_s


def _cut(
    quarter: Int[np.ndarray, " quarter"],
    value: Float[np.ndarray, " quarter"],
    skipped: Int[np.ndarray, " skipped"],
    resolution_s: tuple[int, ...],
    first_hour: int,
) -> DaySeries:
    before = first_hour * STEPS_PER_DAY // 24
    first_day = (int(quarter.min()) - before) // STEPS_PER_DAY
    last_day = (int(quarter.max()) - before) // STEPS_PER_DAY
    start, days = first_day * STEPS_PER_DAY + before, last_day - first_day + 1
    here = np.isfinite(value)
    at = quarter[here] - start
    count = np.bincount(at, minlength=days * STEPS_PER_DAY)
    total = np.bincount(at, value[here], minlength=days * STEPS_PER_DAY)
    known = np.flatnonzero(count)
    if not len(known):
        nothing = np.zeros((0, STEPS_PER_DAY))
        return DaySeries(np.zeros(0, np.int64), nothing, Filled(), resolution_s)
    series = np.full(len(count), np.nan)
    series[known] = total[known] / count[known]
    gaps, is_filled = _filled(series, known)
    by_day = gaps.reshape(days, STEPS_PER_DAY)
    whole = np.isfinite(by_day).all(axis=1)
    within = np.flatnonzero(np.repeat(whole, STEPS_PER_DAY))
    by_clock = np.zeros(len(count), bool)
    inside = skipped - start
    by_clock[inside[(inside >= 0) & (inside < len(count))]] = True
    ends = known[[0, -1]] // STEPS_PER_DAY  # the first and the last day may just be cut off
    inner = np.arange(days)
    broken = ~whole & (inner > ends[0]) & (inner < ends[1])
    filled = Filled(
        gaps=int((is_filled & ~by_clock)[within].sum()),
        skipped=int((is_filled & by_clock)[within].sum()),
        twice=int((count[within] > 1).sum()),
        days_left_out=int(broken.sum()),
    )
    return DaySeries(first_day + np.flatnonzero(whole), by_day[whole], filled, resolution_s)


def _filled(
    series: Float[np.ndarray, " quarter"], known: Int[np.ndarray, " known"]
) -> tuple[Float[np.ndarray, " quarter"], np.ndarray]:
    """Short gaps between readings on a straight line, and where they are."""
    missing = np.isnan(series)
    line = np.interp(np.arange(len(series)), known, series[known])
    length = np.zeros(len(series), np.int64)
    for hole in np.flatnonzero(np.diff(known) > 1):
        before, after = known[hole], known[hole + 1]
        length[before + 1 : after] = after - before - 1
    is_filled = missing & (length > 0) & (length <= MOST_FILLED)
    return np.where(is_filled, line, series), is_filled
