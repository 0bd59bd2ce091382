"""Points of time that files name: when they are, and what the clock of the place shows then.

A timestamp has an offset (2024-01-15T12:00+01:00, or Z), stands in a Parquet column with a zone, or
is of the zone that the user or the header names. The clock is that of the zone; of timestamps with
offsets and no zone named it is the clock that they write. Times mean the beginning of what follows.
"""

import difflib
import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np
from jaxtyping import Bool, Int

from gridsim.own_data.tables import Table
from ss_core.errors import ConfigError

QUARTER_S = 900
CLOCK_CHANGE_S = 3600
EPOCH = datetime(1970, 1, 1)
LOCAL_FORMATS = (  # of SMARD and ENTSO-E; ISO 8601 comes first
    *("%d.%m.%Y %H:%M", "%d.%m.%Y %H:%M:%S", "%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S"),
    *("%b %d, %Y %I:%M %p",),
)
NAMED_OFFSETS = {"CET": 1, "MEZ": 1, "CEST": 2, "MESZ": 2, "UTC": 0}
NAMED = re.compile(r"\s*\((CET|CEST|MEZ|MESZ|UTC)\)")
HEADER_ZONES = {"(CET/CEST)": "Europe/Berlin", "(MEZ/MESZ)": "Europe/Berlin", "(UTC)": "UTC"}
WITH_ZONE = (
    "write timestamps as 2024-01-15T12:00:00+01:00, or name their zone: --zone Europe/Berlin"
)


@dataclass(frozen=True, slots=True, eq=False)
class Times:
    """Of the rows of a table."""

    utc_s: Int[np.ndarray, " row"]  # since 1970
    local_s: Int[np.ndarray, " row"]  # what the clock shows, as seconds since 1970
    clock: str  # whose, in words

    def skipped_quarters(self) -> Int[np.ndarray, " quarter"]:
        """Quarter-hours since 1970 that the clock skips in spring."""
        utc_s, first = np.unique(self.utc_s, return_index=True)
        ahead = self.local_s[first] - utc_s
        jump = (np.diff(ahead) == CLOCK_CHANGE_S) & (np.diff(utc_s) <= CLOCK_CHANGE_S)
        ends = self.local_s[first][1:][jump] // QUARTER_S
        before = CLOCK_CHANGE_S // QUARTER_S
        return (ends[:, None] - np.arange(before, 0, -1)).ravel()

    def clock_words(self) -> str:
        """Whose clock, for a sentence."""
        if self.clock != "offsets":
            return self.clock
        if (self.utc_s == self.local_s).all():
            return "UTC (--zone Europe/Berlin takes that of a place)"
        return "the file's own offsets"


def zone_problem(name: str) -> str:
    """What is wrong with the name of a zone, in words; "" if nothing is."""
    known = available_timezones()
    if name in known:
        return ""
    close = difflib.get_close_matches(name, sorted(known), 3, 0.5)
    return f"zone={name!r}: no time zone; write one as {' or '.join(close or ['Europe/Berlin'])}"


def read_times(
    table: Table, column: str, zone: str | None, groups: Sequence[Hashable] | None = None
) -> Times:
    """The timestamps of a column.

    `groups` tells series apart: what the clock shows twice in autumn is the second time within one.

    Raises:
        InputError: a timestamp is none, has no zone, or is one that the clock skips.
    """
    if zone and (problem := zone_problem(zone)):
        raise ConfigError(problem)
    cells = table.cells(column)
    if hasattr(cells.dtype, "tz"):
        return _typed(table, column, zone)
    header = next((name for mark, name in HEADER_ZONES.items() if mark in column), None)
    return _written(table, column, zone, header, groups)


def _typed(table: Table, column: str, zone: str | None) -> Times:
    """Timestamps of a Parquet column whose type has a zone."""
    import pandas as pd

    cells = table.cells(column)
    if cells.isna().any():
        raise table.refusal(int(cells.isna().argmax()), column, f"is no timestamp; {WITH_ZONE}")
    local = cells.dt.tz_convert(zone) if zone else cells

    def seconds(times: Any) -> np.ndarray:
        since = times.dt.tz_localize(None) - pd.Timestamp(0)
        return (since // pd.Timedelta(seconds=1)).to_numpy(dtype=np.int64)

    return Times(seconds(cells.dt.tz_convert("UTC")), seconds(local), zone or str(cells.dtype.tz))


def _written(
    table: Table,
    column: str,
    zone: str | None,
    header: str | None,
    groups: Sequence[Hashable] | None,
) -> Times:
    """Timestamps of texts; each different one is parsed once."""
    import pandas as pd

    cells = table.cells(column)
    codes, different = pd.factorize(cells, use_na_sentinel=False)
    _, first = np.unique(codes, return_index=True)
    home = zone or header
    parsed = []
    for at, text in zip(first, different, strict=True):
        found = parse_time(str(text))
        if found is None or not 1970 < found.year < 2200:
            raise table.refusal(int(at), column, f"is no timestamp; {WITH_ZONE}")
        if found.tzinfo is None and home is None:
            raise table.refusal(int(at), column, f"has no zone; {WITH_ZONE}")
        parsed.append(found)
    place = ZoneInfo(home) if home else None
    second = _second_times(codes, [_comes_twice(each, place) for each in parsed], groups)
    early = np.array([_utc_and_local(each, place, zone, fold=0) for each in parsed], np.int64)
    late = np.array([_utc_and_local(each, place, zone, fold=1) for each in parsed], np.int64)
    both = np.where(second[:, None], late[codes], early[codes])
    skipped = np.array([_is_skipped(each, place) for each in parsed])
    if skipped.any():
        why = (
            f"is skipped by the clock in {home}; name the zone of these times: --zone UTC, or "
            "Etc/GMT-1 for winter time all year"
        )
        raise table.refusal(int(first[int(skipped.argmax())]), column, why)
    _check_offsets(table, column, both[:, 1] - both[:, 0])
    return Times(both[:, 0], both[:, 1], home if home and (zone or _naive(parsed)) else "offsets")


def parse_time(text: str) -> datetime | None:
    """A timestamp, or the first of a pair "from - to"; without a zone where it names none."""
    text = text.strip()
    named = NAMED.search(text)
    text = NAMED.sub("", text.split(" - ")[0]).strip()
    found = _iso(text)
    for form in LOCAL_FORMATS:
        if found is None:
            try:
                found = datetime.strptime(text, form)
            except ValueError:
                continue
    if found is not None and found.tzinfo is None and named:
        return found.replace(tzinfo=timezone(timedelta(hours=NAMED_OFFSETS[named[1]])))
    return found


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if len(text) >= len("2024-01-15T12:00") else None
    except ValueError:
        return None


def _naive(parsed: Sequence[datetime]) -> bool:
    return any(each.tzinfo is None for each in parsed)


def _comes_twice(time: datetime, place: tzinfo | None) -> bool:
    if time.tzinfo is not None or place is None:
        return False
    early, late = (time.replace(tzinfo=place, fold=fold).utcoffset() for fold in (0, 1))
    assert early is not None
    assert late is not None
    return early > late


def _is_skipped(time: datetime, place: tzinfo | None) -> bool:
    if time.tzinfo is not None or place is None:
        return False
    placed = time.replace(tzinfo=place)
    return placed.astimezone(UTC).astimezone(place).replace(tzinfo=None) != time


def _second_times(
    codes: np.ndarray, twice: Sequence[bool], groups: Sequence[Hashable] | None
) -> Bool[np.ndarray, " row"]:
    """Rows with a time that the clock shows twice, from its second row within a group on."""
    second = np.zeros(len(codes), bool)
    seen: set[tuple[Hashable, int]] = set()
    for at in np.flatnonzero(np.array(twice)[codes]).tolist():
        key = (groups[at] if groups is not None else None, int(codes[at]))
        second[at] = key in seen
        seen.add(key)
    return second


def _utc_and_local(
    time: datetime, place: tzinfo | None, zone: str | None, *, fold: int
) -> tuple[int, int]:
    if time.tzinfo is None:
        assert place is not None
        time = time.replace(tzinfo=place, fold=fold)
    local = time.astimezone(place) if zone and place else time
    since = time.astimezone(UTC).replace(tzinfo=None) - EPOCH
    shown = local.replace(tzinfo=None, fold=0) - EPOCH
    return int(since.total_seconds()), int(shown.total_seconds())


def _check_offsets(table: Table, column: str, ahead_s: Int[np.ndarray, " row"]) -> None:
    """A place changes its clock by an hour; more is a mixture of places."""
    usual = int(np.median(ahead_s))
    odd = np.abs(ahead_s - usual) > CLOCK_CHANGE_S
    if odd.any():
        hours = usual / 3600.0
        why = (
            f"is of another zone than the rest ({hours:+g} h); correct it, or name one clock for "
            "all: --zone Europe/Berlin"
        )
        raise table.refusal(int(odd.argmax()), column, why)
