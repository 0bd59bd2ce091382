"""When the vehicles of a SUMO `flow` depart; random flows are drawn once."""

import math
import re
from collections.abc import Mapping

import numpy as np

from trafficsim.nets.sumo_text import number, shown, time_s, whole_number

PACES = ("period", "vehsPerHour", "perHour", "probability")
EXPONENTIAL = re.compile(r"exp\((.+)\)")


def flow_departures_s(
    flow: Mapping[str, str], rng: np.random.Generator, *, most: int, latest_s: float
) -> list[float]:
    """Planned departures, from the flow's attributes as SUMO spells them.

    `number` without a pace is spread evenly over [begin, end); a pace lasts until `end` or for
    `number` vehicles. `period="exp(rate)"` and `probability` (in each second) draw from `rng`.

    Raises:
        ValueError: a sentence that says what is wrong with the flow.
    """
    begin_s = time_s(flow.get("begin", "0"))
    end_s = time_s(flow.get("end", "inf"))
    if not 0 <= begin_s <= latest_s:
        raise ValueError(f"begin is {shown(flow.get('begin', ''))}; give seconds")
    if "end" in flow and not begin_s <= end_s <= latest_s:
        raise ValueError(f"end is {shown(flow['end'])}; give seconds, not before begin")
    count = _count(flow, most)
    paces = [name for name in PACES if name in flow]
    if len(paces) > 1:
        raise ValueError(f"both {paces[0]} and {paces[1]}; keep one")
    if not paces:
        return _spread(begin_s, end_s, count)
    if (count is None) == ("end" not in flow):
        raise ValueError(f"{paces[0]} needs either end or number")
    departures = _paced(flow, paces[0], (begin_s, end_s, count), rng, most)
    if len(departures) and departures[-1] > latest_s:
        raise ValueError(f"departs after {latest_s:g} s; end it earlier")
    return departures


def is_random(flow: Mapping[str, str]) -> bool:
    """Whether SUMO draws the departures of a flow anew with every seed."""
    return "probability" in flow or EXPONENTIAL.fullmatch(flow.get("period", "")) is not None


def _count(flow: Mapping[str, str], most: int) -> int | None:
    if "number" not in flow:
        return None
    count = whole_number(flow["number"])
    if count is None:
        raise ValueError(f"number is {shown(flow['number'])}; give an integer from 0")
    if count > most:
        raise ValueError(f"number is {count}; more than the {most} trips that are still accepted")
    return count


def _spread(begin_s: float, end_s: float, count: int | None) -> list[float]:
    if count is None:
        raise ValueError(f"none of number, {', '.join(PACES)}")
    if math.isinf(end_s):
        raise ValueError("number without end; SUMO would spread it over the whole simulation")
    return [begin_s + (end_s - begin_s) * at / count for at in range(count)]


Span = tuple[float, float, int | None]  # begin_s, end_s, number of vehicles


def _paced(
    flow: Mapping[str, str], pace: str, span: Span, rng: np.random.Generator, most: int
) -> list[float]:
    begin_s, end_s, count = span
    drawn = EXPONENTIAL.fullmatch(flow["period"]) if pace == "period" else None
    value = number(drawn[1] if drawn else flow[pace])
    if not 0 < value < math.inf or (pace == "probability" and value > 1):
        raise ValueError(f"{pace} is {shown(flow[pace])}; give a number above 0")
    per_s = value if drawn or pace == "probability" else 1 / value
    if pace in ("vehsPerHour", "perHour"):
        per_s = value / 3600
    if count is None and (end_s - begin_s) * per_s > most:
        raise ValueError(f"more than {most} vehicles; raise its period or end it earlier")
    if drawn or pace == "probability":
        return _drawn(per_s, span, rng, geometric=pace == "probability")
    length = math.ceil(round((end_s - begin_s) * per_s, 9)) if count is None else count
    return [begin_s + at / per_s for at in range(length)]


def _drawn(per_s: float, span: Span, rng: np.random.Generator, *, geometric: bool) -> list[float]:
    """Exponential gaps; or whole seconds, in each of which a vehicle departs or does not."""
    begin_s, end_s, count = span
    departures: list[float] = []
    at_s = begin_s - 1 if geometric else begin_s
    while count is None or len(departures) < count:
        at_s += float(rng.geometric(per_s) if geometric else rng.exponential(1 / per_s))
        if at_s >= end_s:
            break
        departures.append(at_s)
    return departures
