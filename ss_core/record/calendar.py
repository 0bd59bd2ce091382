"""Calendar times: a run's date is its day 0, days follow each other, clocks count from midnight.

Times are local and know neither zones nor daylight saving.
"""

import re
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
FIRST_YEAR, LAST_YEAR = 1900, 2200  # what nanoseconds of other programs can hold
MS_PER_DAY = 86_400_000
EPOCH = date(1970, 1, 1)


def date_problem(text: str) -> str:
    """What is wrong with a date in words; "" if nothing is."""
    try:
        known = DATE.fullmatch(text) is not None and date.fromisoformat(text)
    except ValueError:
        known = False
    if known and FIRST_YEAR <= known.year <= LAST_YEAR:
        return ""
    years = f"{FIRST_YEAR} to {LAST_YEAR}"
    return f"date={text!r}: a day of the calendar in the years {years}, as in 2025-01-15"


def calendar_times(start: date, day: "pa.Array", seconds: "pa.Array") -> "pa.Array":
    """Day and seconds of a clock as times of the calendar, in ms; null where either is.

    Raises:
        pyarrow.ArrowInvalid: the clock runs over.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    call: Any = pc  # PyArrow's stubs do not know its functions
    days = call.add(call.cast(day, pa.int64()), (start - EPOCH).days)
    within = call.cast(call.round(call.multiply(seconds, 1000.0)), pa.int64())
    since_epoch = call.add_checked(call.multiply_checked(days, MS_PER_DAY), within)
    return call.cast(since_epoch, pa.timestamp("ms"))
