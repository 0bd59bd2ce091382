"""What SUMO itself writes about a recorded day: trips, edges and emissions, as arrays.

Reads the files of `Simulator.record`; nothing else is read here.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, iterparse

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from trafficsim.sumo.simulation import Order, Outcome, Simulator

MG_PER_G = 1000.0
TripColumns = dict[str, Float[ndarray, " vehicle"]]
TRIP_FIELDS = ("departDelay", "timeLoss", "waitingTime", "routeLength")
EDGE_FIELDS = (
    "entered", "left", "departed", "arrived", "speed", "traveltime", "density", "occupancy",
    "waitingTime", "timeLoss", "sampledSeconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Recording:
    """One day in detail; NaN where SUMO says nothing."""

    outcome: Outcome
    trip: TripColumns  # SUMO's names, and co2_g
    begin_s: Float[ndarray, " row"]  # rows: an edge in an interval
    end_s: Float[ndarray, " row"]
    edge_ids: tuple[str, ...]
    edge: dict[str, Float[ndarray, " row"]]  # SUMO's names, and co2_g


def record_day(
    simulator: Simulator,
    choices: Int[ndarray, " vehicle"],
    seed: int,
    interval_s: float,
    orders: Sequence[Order] = (),
) -> Recording:
    """Simulate the day again with SUMO's own output, and read that.

    `orders` are what drivers who set out on `choices` decided while it lasted.
    """
    with tempfile.TemporaryDirectory(prefix="ss-record-") as name:
        folder = Path(name)
        outcome = simulator.record(choices, seed, folder, interval_s, orders)
        trip = _read_trips(folder / "tripinfo.xml", simulator.scene.vehicle_ids)
        keys, edge = _read_edges(folder / "edges.xml", EDGE_FIELDS)
        co2_keys, co2 = _read_edges(folder / "emissions.xml", ("CO2_abs",))
    grams = dict(zip(co2_keys, co2["CO2_abs"] / MG_PER_G, strict=True))
    edge["co2_g"] = np.array([grams.get(key, np.nan) for key in keys])
    return Recording(
        outcome=outcome,
        trip=trip,
        begin_s=np.array([key[0] for key in keys], dtype=float),
        end_s=np.array([key[1] for key in keys], dtype=float),
        edge_ids=tuple(key[2] for key in keys),
        edge=edge,
    )


def without_edges(
    trip: TripColumns,
    *,
    arrival_s: Float[ndarray, " vehicle"],
    teleports: Int[ndarray, " vehicle"],
    collisions: int,
    end_s: float,
) -> Recording:
    """A day of which only trips are known: no edges, no emissions."""
    nothing = np.zeros(0)
    outcome = Outcome(
        arrival_s=arrival_s,
        teleports=teleports,
        collisions=collisions,
        link_speed_m_per_s=np.zeros((0, 0)),
        link_vehicles=np.zeros((0, 0)),
        end_s=end_s,
    )
    known = {"co2_g": np.full(len(arrival_s), np.nan)} | trip
    return Recording(outcome, known, nothing, nothing, (), dict.fromkeys(EDGE_FIELDS, nothing))


def as_arrays(recording: Recording) -> dict[str, ndarray]:
    """The trips of a recording, for a checkpoint."""
    outcome = recording.outcome
    day = {"collisions": np.array(outcome.collisions), "end_s": np.array(outcome.end_s)}
    return {"arrival_s": outcome.arrival_s, "teleports": outcome.teleports, **day} | recording.trip


def from_arrays(arrays: Mapping[str, ndarray]) -> Recording:
    """What `as_arrays` took apart."""
    return without_edges(
        {name: arrays[name] for name in (*TRIP_FIELDS, "co2_g")},
        arrival_s=arrays["arrival_s"],
        teleports=arrays["teleports"],
        collisions=int(arrays["collisions"]),
        end_s=float(arrays["end_s"]),
    )


def _read_trips(path: Path, vehicle_ids: tuple[str, ...]) -> dict[str, ndarray]:
    at = {name: position for position, name in enumerate(vehicle_ids)}
    columns = {name: np.full(len(at), np.nan) for name in (*TRIP_FIELDS, "co2_g")}
    for element in _elements(path, "tripinfo"):
        row = at.get(element.get("id", ""), -1)
        if row < 0:
            continue  # of the background
        for name in TRIP_FIELDS:
            columns[name][row] = _number(element, name)
        emissions = element.find("emissions")
        if emissions is not None:
            columns["co2_g"][row] = _number(emissions, "CO2_abs") / MG_PER_G
    return columns


def _read_edges(
    path: Path, fields: tuple[str, ...]
) -> tuple[list[tuple[float, float, str]], dict[str, ndarray]]:
    keys: list[tuple[float, float, str]] = []
    rows: list[list[float]] = []
    for interval in _elements(path, "interval"):
        begin_s, end_s = _number(interval, "begin"), _number(interval, "end")
        for edge in interval.iter("edge"):
            keys.append((begin_s, end_s, edge.get("id", "")))
            rows.append([_number(edge, name) for name in fields])
    table = np.array(rows, dtype=float).reshape(-1, len(fields))
    return keys, {name: table[:, column] for column, name in enumerate(fields)}


def _elements(path: Path, tag: str) -> Iterator[Element]:
    for _, element in iterparse(path):
        if element.tag == tag:
            yield element
            element.clear()


def _number(element: Element, name: str) -> float:
    text = element.get(name)
    return float(text) if text is not None else float("nan")
