"""Measured loads of households: a long table of timestamp, household and kW, as days to draw from.

What was filled in, averaged or left out is counted. Which household of a run has which meter is in
`measured_households`, and what a day of it looks like is in `MeasuredDays.draw`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.own_data.quarter_hours import (
    STEPS_PER_DAY,
    DaySeries,
    Filled,
    day_words,
    whole_days,
)
from gridsim.own_data.tables import Table, find_column, listed, numbers, read_table
from gridsim.own_data.timestamps import Times, read_times
from ss_core.errors import InputError

TIME_COLUMNS = ("timestamp", "time", "datetime")
HOUSEHOLD_COLUMNS = ("household", "household_id", "meter", "meter_id")
POWER_COLUMNS = ("kW", "p_kw", "power_kw", "load_kw")
MOST_KW = 100.0  # of a household; more is a reading in W, or none
MOST_IMPLAUSIBLE = 0.01  # share of a meter's readings that may be


@dataclass(frozen=True, slots=True, eq=False)
class Meters:
    """Days of every meter; NaN where a meter lacks one."""

    path: Path
    name: tuple[str, ...]  # of each meter, in the order of the file
    date: Int[np.ndarray, " day"]  # days since 1970
    kw: Float[np.ndarray, "meter day step"]  # from `first_hour` on
    notes: tuple[str, ...]
    first_hour: int = 12  # of its days

    @property
    def usable(self) -> Bool[np.ndarray, "meter day"]:
        """Which meter has which day."""
        return np.isfinite(self.kw[:, :, 0])


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredDays:
    """The days of the meter that each household has; those of a season are drawn from."""

    kw: Float[np.ndarray, "household day step"]
    month: Int[np.ndarray, " day"]
    is_weekend: Bool[np.ndarray, " day"]

    def draw(
        self,
        months: Sequence[int],
        is_weekend: Bool[np.ndarray, " drawn"],
        rng: np.random.Generator,
    ) -> Float[np.ndarray, "drawn household step"]:
        """A day of the season and the day type for each household, independent of each other's.

        A household without a weekend in the season lives on its weekdays, and the other way round.
        """
        households = len(self.kw)
        pick = rng.random((len(is_weekend), households))
        source = np.zeros(pick.shape, np.int64)
        season = np.isin(self.month, months)
        for household in range(households):
            known = np.isfinite(self.kw[household, :, 0]) & season
            pools = [np.flatnonzero(known & (self.is_weekend == kind)) for kind in (False, True)]
            pools = [pool if len(pool) else np.flatnonzero(known) for pool in pools]
            for kind, pool in enumerate(pools):
                here = np.asarray(is_weekend, bool) == bool(kind)
                source[here, household] = pool[(pick[here, household] * len(pool)).astype(np.int64)]
        return self.kw[np.arange(households)[None], source].astype(np.float64)

    def mean_kw(self) -> Float[np.ndarray, " household"]:
        """Over all its days."""
        return np.asarray(np.nanmean(self.kw, axis=(1, 2), dtype=np.float64))


def read_meters(path: Path, zone: str | None, first_hour: int = 12) -> Meters:
    """Read, check and cut into days that begin at `first_hour`.

    Raises:
        InputError: the file cannot be used; file, row, value and remedy are named.
    """
    table = read_table(path)
    power = _power_column(table)
    who = find_column(table, HOUSEHOLD_COLUMNS, "the household")
    when = find_column(table, TIME_COLUMNS, "the time")
    names = table.texts(who)
    nameless = [at for at, name in enumerate(names) if not name]
    if nameless:
        raise table.refusal(nameless[0], who, "names no household; write one, or leave the row out")
    meter_names = tuple(dict.fromkeys(names))
    number_of = {name: number for number, name in enumerate(meter_names)}
    meter = np.array([number_of[name] for name in names])
    times = read_times(table, when, zone, names)
    value, _ = numbers(table, power)
    value, implausible = _plausible(table, power, value, meter, meter_names)
    kept, repeated = _each_once(table, power, times, value, meter)
    skipped = times.skipped_quarters()
    series = [
        whole_days(
            table,
            when,
            rows,
            utc_s=times.utc_s[rows],
            local_s=times.local_s[rows],
            value=value[rows],
            skipped=skipped,
            first_hour=first_hour,
        )
        for rows in _by_meter(kept, meter, len(meter_names))
    ]
    used = (power, who, when)
    return _meters(table, meter_names, series, times, used, implausible, repeated, first_hour)


def measured_households(
    meters: Meters,
    months: Sequence[int],
    season: str,
    households: int,
    rng: np.random.Generator,
    names: Sequence[str] | None = None,
) -> tuple[MeasuredDays, str]:
    """A meter for each household of a run, and how they came to it in words.

    By name where `names` of households are those of meters; else one each in the order of the
    file, drawn where there are more meters than households.

    Raises:
        InputError: too few meters have days of the season.
    """
    date = meters.date.astype("datetime64[D]")
    month = (date.astype("datetime64[M]").astype(np.int64) % 12) + 1
    is_weekend = (meters.date + 3) % 7 >= 5  # 1 January 1970 was a Thursday
    ready = np.flatnonzero((meters.usable & np.isin(month, months)).any(axis=1))
    if not len(ready):
        raise InputError(
            f"{meters.path}: no whole day ({day_words(meters.first_hour)}) of {season}; it has "
            f"{_span(meters.date)} in months {listed_months(month)}: bring days of that season, or "
            f"name another with --set population.season={season_of(month)}"
        )
    if names is not None and {*names} & {*meters.name}:
        chosen, how = _by_name(meters, ready, names), "each household has the meter of its name"
    elif len(ready) < households:
        raise InputError(
            f"{meters.path}: {households} households and {len(ready)} meters with days of "
            f"{season}; run with --households {len(ready)}, or bring more meters"
        )
    elif len(ready) == households:
        chosen, how = ready, "households take the meters in the order of the file"
    else:
        chosen = np.sort(rng.choice(ready, households, replace=False))
        how = f"{households} of {len(ready)} meters are drawn by the seed"
    found = MeasuredDays(kw=meters.kw[chosen], month=month, is_weekend=is_weekend)
    season_days = np.isin(month, months) & meters.usable[chosen].any(axis=0)
    lone = int((~(meters.usable[chosen] & np.isin(month, months) & is_weekend).any(axis=1)).sum())
    note = (
        f"base load of {meters.path.name}: {how}, on {int(season_days.sum())} days of {season}, "
        "drawn for each household on its own"
    )
    if lone:
        note += f"; {lone} without a weekend in the season live on weekdays all week"
    return found, note


def listed_months(month: Int[np.ndarray, " day"]) -> str:
    """The months of days, as 1, 2, 12."""
    return ", ".join(str(each) for each in sorted({*month.tolist()})) or "none"


def season_of(month: Int[np.ndarray, " day"]) -> str:
    """The season that most days belong to."""
    if not len(month):
        return "summer"
    count = np.bincount(month % 12 // 3, minlength=4)
    return ("winter", "spring", "summer", "autumn")[int(count.argmax())]


def _power_column(table: Table) -> str:
    energy = [name for name in table.columns if name.lower().replace("_", "").endswith("kwh")]
    known = {name.lower() for name in POWER_COLUMNS}
    if energy and not known & {name.lower() for name in table.columns}:
        raise InputError(
            f"{table.path}: column {energy[0]!r} holds energy; write mean power in a column kW "
            "(energy of 15 minutes times 4, of 30 minutes times 2)"
        )
    return find_column(table, POWER_COLUMNS, "the mean power in kW")


def _plausible(
    table: Table, column: str, value: np.ndarray, meter: np.ndarray, names: Sequence[str]
) -> tuple[np.ndarray, int]:
    """Readings below 0 or above a household's most become gaps; many of them are refused."""
    bad = (value < 0.0) | (value > MOST_KW)
    share = np.bincount(meter, bad) / np.bincount(meter)
    if (share > MOST_IMPLAUSIBLE).any():
        worst = int(share.argmax())
        at = int(np.flatnonzero(bad & (meter == worst))[0])
        why = (
            f"and {share[worst]:.0%} of the readings of {names[worst]!r} lie outside 0 to "
            f"{MOST_KW:g} kW; write consumption in kW without own generation, or leave these "
            "cells empty"
        )
        raise table.refusal(at, column, why)
    return np.where(bad, np.nan, value), int(bad.sum())


def _each_once(
    table: Table, column: str, times: Times, value: np.ndarray, meter: np.ndarray
) -> tuple[Int[np.ndarray, " kept"], int]:
    """Rows without repetitions; repetitions that differ are refused.

    Raises:
        InputError: two readings of a meter at one time differ.
    """
    order = np.lexsort((times.utc_s, meter))
    same = np.zeros(len(order), bool)
    same[1:] = (np.diff(meter[order]) == 0) & (np.diff(times.utc_s[order]) == 0)
    before, now = value[order[:-1]], value[order[1:]]
    differ = same[1:] & ~((before == now) | (np.isnan(before) & np.isnan(now)))
    if differ.any():
        first, second = order[:-1][differ.argmax()], order[1:][differ.argmax()]
        why = (
            f"differs from row {table.number[first]}, of the same household and time; keep one of "
            "the two rows"
        )
        raise table.refusal(int(second), column, why)
    return order[~same], int(same.sum())


def _by_meter(kept: np.ndarray, meter: np.ndarray, count: int) -> list[np.ndarray]:
    """Rows of each meter; `kept` is sorted by meter."""
    return np.split(kept, np.searchsorted(meter[kept], np.arange(1, count)))


def _meters(
    table: Table,
    names: tuple[str, ...],
    series: Sequence[DaySeries],
    times: Times,
    used: Sequence[str],
    implausible: int,
    repeated: int,
    first_hour: int,
) -> Meters:
    date = np.unique(np.concatenate([each.date for each in series]))
    if not len(date):
        raise InputError(
            f"{table.path}: no household has a whole day from {day_words(first_hour)}, gaps up to "
            f"2 h filled; bring at least 24 hours that begin at {first_hour}:00"
        )
    kw = np.full((len(series), len(date), STEPS_PER_DAY), np.nan, np.float32)
    for row, each in zip(kw, series, strict=True):
        row[np.searchsorted(date, each.date)] = each.value
    filled = sum((each.filled for each in series), Filled())
    minutes = sorted({step // 60 for each in series for step in each.resolution_s})
    unused = [name for name in table.columns if name not in used]
    note = (
        f"{table.path.name}: {len(names)} meters, readings of "
        f"{' and '.join(str(each) for each in minutes)} minutes, {len(date)} days from "
        f"{day_words(first_hour)} {_span(date)} on the clock of {times.clock_words()}; "
        f"{filled.sentence(repeated)}"
    )
    if implausible:
        note += f"; {implausible} readings outside 0 to {MOST_KW:g} kW taken as gaps"
    notes = [note] + ([f"{table.path.name}: columns not used: {listed(unused)}"] if unused else [])
    return Meters(table.path, names, date, kw, tuple(notes), first_hour)


def _span(date: Int[np.ndarray, " day"]) -> str:
    first, last = date[[0, -1]].astype("datetime64[D]")
    return f"from {first} to {last}"


def _by_name(
    meters: Meters, ready: Int[np.ndarray, " ready"], names: Sequence[str]
) -> Int[np.ndarray, " household"]:
    number_of = {meters.name[at]: int(at) for at in ready}
    missing = [name for name in names if name not in number_of]
    if missing:
        raise InputError(
            f"{meters.path}: no days of the season for {listed(missing)}, households of the other "
            f"file; its meters are {listed(number_of)}: name households alike in both files"
        )
    return np.array([number_of[name] for name in names])
