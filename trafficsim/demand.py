"""Who drives: trips with planned departures and the vehicle types they use, in SUMO's words.

Plain data; `demand_xml` reads it from SUMO's files, `demand_generator` draws it for a bare net.
"""

from collections import Counter
from dataclasses import dataclass

DEFAULT_TYPE = "DEFAULT_VEHTYPE"  # SUMO's own, with driver noise


@dataclass(frozen=True, slots=True)
class VehicleType:
    """A SUMO `vType`: its id and its attributes as SUMO spells them, in the order given."""

    type_id: str
    attributes: tuple[tuple[str, str], ...] = ()

    @property
    def is_deterministic(self) -> bool:
        """Whether its drivers neither dawdle nor differ: sigma and speedDev are both 0."""
        given = dict(self.attributes)
        try:
            return float(given["sigma"]) == 0.0 and float(given["speedDev"]) == 0.0
        except (KeyError, ValueError):
            return False


@dataclass(frozen=True, slots=True)
class Trip:
    """One driver's day: when it wants to leave, from which edge to which."""

    trip_id: str
    depart_s: float  # planned; what waiting to enter the net costs counts from here
    origin: str  # edge id
    destination: str  # edge id
    type_id: str = DEFAULT_TYPE
    route: tuple[str, ...] = ()  # edges, where the demand names them; () leaves the choice open


@dataclass(frozen=True, slots=True)
class Demand:
    """All trips of a day, by planned departure, and the types that they name."""

    trips: tuple[Trip, ...]
    types: tuple[VehicleType, ...] = ()
    source: str = ""  # in words: the file, or how it was drawn

    @property
    def is_deterministic(self) -> bool:
        """Whether no trip's type has driver noise."""
        quiet = {each.type_id for each in self.types if each.is_deterministic}
        return all(trip.type_id in quiet for trip in self.trips)

    @property
    def od_pairs(self) -> Counter[tuple[str, str]]:
        """How many trips each (origin, destination) has."""
        return Counter((trip.origin, trip.destination) for trip in self.trips)
