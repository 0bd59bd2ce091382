"""Numbers, times and names as SUMO writes them; what cannot be read is NaN or None."""

import math
import re
from functools import lru_cache

FORBIDDEN_IN_IDS = re.compile(r"""[\s|\\'";,<>&]""")  # SUMO refuses vehicles with these
CLOCK = re.compile(r"(?:(\d{1,6}):)?(\d{1,9}):(\d{1,2}):(\d{1,2}(?:\.\d+)?)")


@lru_cache(maxsize=4096)
def number(text: str) -> float:
    """The number as SUMO reads it: no blanks around it, no underscores."""
    try:
        return math.nan if "_" in text or text != text.strip() else float(text)
    except ValueError:
        return math.nan


@lru_cache(maxsize=4096)
def whole_number(text: str) -> int | None:
    """A number of nine digits at most, without a sign."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def time_s(text: str) -> float:
    """Seconds, `hours:minutes:seconds` or `days:hours:minutes:seconds`."""
    if ":" not in text:
        return number(text)
    found = CLOCK.fullmatch(text) if text.isascii() else None
    if found is None:
        return math.nan
    days, hours, minutes, seconds = found.groups()
    if int(minutes) > 59 or float(seconds) >= 60:
        return math.nan
    return (int(days or 0) * 24 + int(hours)) * 3600.0 + int(minutes) * 60.0 + float(seconds)


def shown(text: str, most: int = 60) -> str:
    """The text in quotes, cut where it is long."""
    return repr(text if len(text) <= most else text[: most - 1] + "…")
