"""Who drives: trips with planned departures and the vehicle types they use, in SUMO's words.

Plain data; `demand_xml` reads it from SUMO's files, `demand_generator` draws it for a bare net.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

DEFAULT_TYPE = "DEFAULT_VEHTYPE"  # SUMO's own, with driver noise
MOST_NAMED = 40  # vehicles left out that are told by their ids
DISTRIBUTION = re.compile(r"\s*normc?\(([^,)]*)")  # a drawn speed factor: norm(mean, …)


def in_brackets(ids: Sequence[str]) -> str:
    """Vehicles by their ids, the first of many, in brackets."""
    more = len(ids) - MOST_NAMED
    shown = ", ".join(each[:40] for each in ids[:MOST_NAMED])
    return f" ({shown}{f' and {more} more' if more > 0 else ''})"


@dataclass(frozen=True, slots=True)
class VehicleType:
    """A SUMO `vType`: its id and its attributes as SUMO spells them, in the order given."""

    type_id: str
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def is_deterministic(self) -> bool:
        """Whether its drivers neither dawdle nor differ."""
        return self.quiet().attributes == self.attributes

    def quiet(self) -> "VehicleType":
        """The same vehicles with drivers of whom each drives like the other, and always so."""
        given = dict(self.attributes)
        for name in ("sigma", "speedDev"):
            given[name] = given[name] if _number(given.get(name)) == 0.0 else "0"
        if "lcSigma" in given and _number(given["lcSigma"]) != 0.0:
            given["lcSigma"] = "0"
        mean = DISTRIBUTION.match(given.get("speedFactor", ""))
        if mean is not None:
            given["speedFactor"] = mean[1].strip()
        return VehicleType(self.type_id, tuple(given.items()))


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


@dataclass(frozen=True, slots=True)
class Trip:
    """One driver's day: when it wants to leave, from which edge to which."""

    trip_id: str
    depart_s: float  # planned; what waiting to enter the net costs counts from here
    origin: str  # edge id
    destination: str  # edge id
    type_id: str = DEFAULT_TYPE
    route: tuple[str, ...] = ()  # edges, where the demand names them; () leaves the choice open
    via: tuple[str, ...] = ()  # edges to be passed, in this order; then there is no choice
    attributes: tuple[tuple[str, str], ...] = ()  # of departure and arrival, as SUMO spells them


@dataclass(frozen=True, slots=True)
class Demand:
    """All trips of a day, by planned departure, and the types that they name."""

    trips: tuple[Trip, ...]
    types: tuple[VehicleType, ...] = ()
    source: str = ""  # in words: the file, or how it was drawn
    background: str = ""  # an additional file for SUMO: who else is on the road, and what is there
    background_begin_s: float = math.inf  # when the first of them departs

    @property
    def is_deterministic(self) -> bool:
        """Whether no trip's type has driver noise, and nobody else is on the road."""
        if self.background:
            return False
        quiet = {each.type_id for each in self.types if each.is_deterministic}
        return all(trip.type_id in quiet for trip in self.trips)

    @property
    def od_pairs(self) -> Counter[tuple[str, str]]:
        """How many trips each (origin, destination) has."""
        return Counter((trip.origin, trip.destination) for trip in self.trips)


NOTHING: Mapping[str, str] = {}


def demand_file(demand: Demand, attributes: Mapping[str, str] = NOTHING) -> str:
    """The demand as a SUMO route file; its source stands in a comment.

    `attributes` are further ones of every trip, such as `departLane`, unless it has its own.
    """
    comment = demand.source.replace("--", "- -")
    lines = [f"<!-- {comment} -->", "<routes>"]
    for each in demand.types:
        if each.type_id != DEFAULT_TYPE:
            rest = "".join(f" {name}={quoteattr(value)}" for name, value in each.attributes)
            lines.append(f"    <vType id={quoteattr(each.type_id)}{rest}/>")
    for trip in demand.trips:
        kind = "" if trip.type_id == DEFAULT_TYPE else f" type={quoteattr(trip.type_id)}"
        named = dict(attributes) | dict(trip.attributes)
        own = "".join(f" {name}={quoteattr(value)}" for name, value in named.items())
        head = f'id={quoteattr(trip.trip_id)}{kind} depart="{trip.depart_s:.2f}"{own}'
        if trip.route:
            edges = quoteattr(" ".join(trip.route))
            lines.append(f"    <vehicle {head}><route edges={edges}/></vehicle>")
        else:
            ends = f"from={quoteattr(trip.origin)} to={quoteattr(trip.destination)}"
            ends += f" via={quoteattr(' '.join(trip.via))}" if trip.via else ""
            lines.append(f"    <trip {head} {ends}/>")
    return "\n".join([*lines, "</routes>", ""])
