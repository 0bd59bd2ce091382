"""Small tables as users bring them: meters, households and prices. Not collected by pytest."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

BERLIN = "Europe/Berlin"


def times(
    first: str, hours: float, *, minutes: int = 60, zone: str | None = BERLIN, local: bool = False
) -> list[str]:
    """Timestamps from a local time on, evenly spaced in real time; without offsets if `local`."""
    place = ZoneInfo(zone or "UTC")
    begin = datetime.fromisoformat(first).replace(tzinfo=place).astimezone(ZoneInfo("UTC"))
    count = round(hours * 60 / minutes)
    shown = [(begin + timedelta(minutes=minutes * k)).astimezone(place) for k in range(count)]
    return [(each.replace(tzinfo=None) if local else each).isoformat() for each in shown]


def write_meters(
    path: Path,
    names: Sequence[str] = ("a", "b"),
    *,
    first: str = "2025-01-06T12:00",
    days: int = 8,
    minutes: int = 60,
    kw: float = 0.5,
) -> Path:
    """A constant load of each household: `kw` times its number."""
    lines = ["timestamp,household,kW"]
    for number, name in enumerate(names, 1):
        lines += [
            f"{time},{name},{kw * number}" for time in times(first, 24 * days, minutes=minutes)
        ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_prices(
    path: Path, *, first: str = "2025-01-06T12:00", days: int = 8, header: str = "price (EUR/MWh)"
) -> Path:
    """Hourly prices: 100 by day and 50 from midnight to six."""
    stamps = times(first, 24 * days)
    rows = [f"{time},{50 if int(time[11:13]) < 6 else 100}" for time in stamps]
    lines = [f"timestamp,{header}", *rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
