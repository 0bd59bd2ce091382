"""A day-ahead price series as exchanges publish it, as the mean price curve of the days asked for.

Read as downloaded from SMARD, energy-charts and ENTSO-E: a column of times and one whose header
names EUR/MWh or EUR/kWh.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.own_data.meters import listed_months, season_of
from gridsim.own_data.quarter_hours import DaySeries, day_words, whole_days
from gridsim.own_data.tables import Table, find_column, listed, numbers, read_table
from gridsim.own_data.timestamps import parse_time, read_times
from ss_core.errors import InputError

TIME_COLUMNS = (
    *("timestamp", "time", "datetime", "date", "Datum von", "Start date", "Datum (MEZ)"),
    *("Datum (UTC)", "Date (GMT+1)", "MTU (CET/CEST)", "MTU (UTC)"),
)
PER_ENERGY = re.compile(r"(?:eur|€)[\s_]*(?:/|per|_)[\s_]*(mwh|kwh)", re.IGNORECASE)
DAY_AHEAD = re.compile(r"day[\s_-]?ahead", re.IGNORECASE)
FIRST_SEQUENCES = ("without sequence", "sequence 1", "1", "")
EUR_PER_KWH = {"mwh": 1e-3, "kwh": 1.0}
MOST_EUR_PER_KWH = 10.0  # exchanges stop at 5
FEWEST_DAYS = 7  # of a season: one of each weekday


@dataclass(frozen=True, slots=True, eq=False)
class PriceDays:
    """Days of a price series, from `first_hour` on."""

    path: Path
    date: Int[np.ndarray, " day"]  # days since 1970
    eur_per_kwh: Float[np.ndarray, "day step"]
    note: str
    first_hour: int


def read_prices(
    path: Path, zone: str | None, price_column: str | None = None, first_hour: int = 12
) -> PriceDays:
    """Read, check and cut into days from `first_hour` on; `price_column` is a part of its name.

    Raises:
        InputError: the file cannot be used; file, row, value and remedy are named.
    """
    table, left_out = _first_sequence(_with_units(read_table(path)))
    column, factor = _price_column(table, price_column)
    when = find_column(table, TIME_COLUMNS, "the time")
    times = read_times(table, when, zone)
    value, _ = numbers(table, column)
    value = value * factor
    bad = np.abs(value) > MOST_EUR_PER_KWH
    if bad.any():
        why = f"is beyond {MOST_EUR_PER_KWH:g} EUR/kWh; correct it, or the unit in the header"
        raise table.refusal(int(bad.argmax()), column, why)
    rows, repeated = _each_once(table, column, times.utc_s, value)
    series = whole_days(
        table,
        when,
        rows,
        utc_s=times.utc_s[rows],
        local_s=times.local_s[rows],
        value=value[rows],
        skipped=times.skipped_quarters(),
        first_hour=first_hour,
    )
    if not len(series.date):
        raise InputError(
            f"{path}: no whole day of prices from {day_words(first_hour)}; bring at least 24 "
            f"hours that begin at {first_hour}:00"
        )
    minutes = " and ".join(str(step // 60) for step in series.resolution_s)
    note = (
        f"{path.name}: {column!r} of {minutes} minutes, {_covered(series)} on the clock of "
        f"{times.clock_words()}; {series.filled.sentence(repeated)}"
        f"{left_out}"
    )
    return PriceDays(path, series.date, series.value, note, first_hour)


def season_curve(
    prices: PriceDays, months: Sequence[int], season: str
) -> tuple[Float[np.ndarray, " step"], str]:
    """Mean over the days of a season, and what it is in words.

    Raises:
        InputError: fewer than a week of the season is covered.
    """
    month = (prices.date.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12) + 1
    here = np.isin(month, months)
    if here.sum() < FEWEST_DAYS:
        raise InputError(
            f"{prices.path}: {int(here.sum())} days of {season}, fewer than {FEWEST_DAYS}; it has "
            f"{_dates(prices.date)}, months {listed_months(month)}: bring prices of that season, "
            f"or name another with --set population.season={season_of(month)}"
        )
    return _mean(prices, here, f"the {int(here.sum())} days of {season}")


def dated_curve(
    prices: PriceDays, first: datetime.date, days: int
) -> tuple[Float[np.ndarray, " step"], str]:
    """Mean over these days, and what it is in words.

    Raises:
        InputError: a day is not covered.
    """
    start = (first - datetime.date(1970, 1, 1)).days
    wanted = np.arange(start, start + days)
    missing = wanted[~np.isin(wanted, prices.date)]
    if len(missing):
        raise InputError(
            f"{prices.path}: {len(missing)} of {days} days from {first} on are not covered, the "
            f"first is {missing[0].astype('datetime64[D]')} ({day_words(prices.first_hour)}); it "
            f"has {_dates(prices.date)}: give a --date and --days within, or bring these prices"
        )
    words = f"the {days} days from {first} on"
    return _mean(prices, np.isin(prices.date, wanted), words)


def _mean(
    prices: PriceDays, here: Bool[np.ndarray, " day"], words: str
) -> tuple[Float[np.ndarray, " step"], str]:
    curve = prices.eur_per_kwh[here].mean(axis=0)
    return curve, (
        f"base price of every day: the mean of {words}, {curve.min():.4f} to {curve.max():.4f} "
        "EUR/kWh"
    )


def _with_units(table: Table) -> Table:
    """The table with a second line of units, as energy-charts writes it, in its header."""
    first = [str(table.cells(name).iloc[0]).strip() for name in table.columns]
    has_units = any(PER_ENERGY.search(cell) for cell in first)
    if not has_units or parse_time(first[0]) is not None:
        return table
    names = [f"{name} {unit}".strip() for name, unit in zip(table.columns, first, strict=True)]
    frame = table.frame.iloc[1:].reset_index(drop=True).set_axis(names, axis=1)
    return Table(table.path, frame, table.number[1:], table.decimal_comma)


def _price_column(table: Table, part: str | None) -> tuple[str, float]:
    """The column of prices and what makes EUR/kWh of it; of several, that of the auction."""
    found = {name: unit for name in table.columns if (unit := PER_ENERGY.search(name)) is not None}
    if not found:
        raise InputError(
            f"{table.path}: no column of prices; it has {listed(table.columns)}: name the unit in "
            "the header, as in price (EUR/MWh)"
        )
    chosen = [name for name in found if part is not None and part.lower() in name.lower()]
    if part is None:
        auctions = [name for name in found if DAY_AHEAD.search(name)]
        chosen = auctions if len(auctions) == 1 else [*found]
    if len(chosen) != 1:
        which = "all hold prices" if part is None else f"and --price-column {part!r}"
        raise InputError(
            f"{table.path}: columns {listed(found)} {which}; name one by a part of its header that "
            f"no other has: --price-column {next(iter(found))!r}"
        )
    return chosen[0], EUR_PER_KWH[found[chosen[0]][1].lower()]


def _first_sequence(table: Table) -> tuple[Table, str]:
    """Rows of the first auction of a day, where ENTSO-E's file has a second one, and a note."""
    column = next((name for name in table.columns if name.lower() == "sequence"), None)
    if column is None:
        return table, ""
    kept = np.array([text.lower() in FIRST_SEQUENCES for text in table.texts(column)])
    if kept.all() or not kept.any():
        return table, ""
    frame = table.frame.loc[kept].reset_index(drop=True)
    note = f"; {int((~kept).sum())} rows of other sequences left out"
    return Table(table.path, frame, table.number[kept], table.decimal_comma), note


def _each_once(
    table: Table, column: str, utc_s: np.ndarray, value: np.ndarray
) -> tuple[Int[np.ndarray, " kept"], int]:
    order = np.argsort(utc_s, kind="stable")
    same = np.r_[False, np.diff(utc_s[order]) == 0]
    before, now = value[order[:-1]], value[order[1:]]
    differ = same[1:] & ~((before == now) | (np.isnan(before) & np.isnan(now)))
    if differ.any():
        first, second = order[:-1][differ.argmax()], order[1:][differ.argmax()]
        why = f"differs from row {table.number[first]}, of the same time; keep one of the two rows"
        raise table.refusal(int(second), column, why)
    return order[~same], int(same.sum())


def _covered(series: DaySeries) -> str:
    return f"{len(series.date)} days {_dates(series.date)}"


def _dates(date: Int[np.ndarray, " day"]) -> str:
    first, last = date[[0, -1]].astype("datetime64[D]")
    return f"from {first} to {last}"
