"""What a routing run writes to its trace: rows of `ss.trace/1`, one function per table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.record import trace_rows
from ss_core.record.trace_writer import TraceWriter
from ss_core.scenario.key_figures import Summary
from trafficsim.routing.game import RoutingGame
from trafficsim.sumo.recording import Recording

UNITS = {
    "_s": "s", "_h": "h", "_kg": "kg", "_percent": "%", "_km": "km", "_m": "m",
}  # fmt: skip


def day_columns(name: str, seed: int, day: int | ndarray) -> dict[str, Any]:
    """Columns that say whose day it is."""
    return {"algorithm": name, "phase": "eval", "seed": seed, "day": day}


def write_agents(writer: TraceWriter, game: RoutingGame, lights: Sequence[str] = ()) -> None:
    """The `agent` table: drivers, grouped by zone pair, and the lights that learn."""
    pairs = [f"{origin} -> {destination}" for origin, destination in game.od_pairs]
    writer.write(
        "agent",
        {
            "agent_id": [game.scene.vehicle_ids[v] for v in game.drivers],
            "kind": "vehicle",
            "group_id": [pairs[game.od[v]] for v in game.drivers],
        },
    )
    if lights:
        writer.write("agent", {"agent_id": list(lights), "kind": "junction", "group_id": "lights"})


def write_trips(
    writer: TraceWriter,
    name: str,
    game: RoutingGame,
    actions: Int[ndarray, "day N"],
    times_s: Float[ndarray, "day vehicle"],
    recording: Recording | None,
    seed: int,
) -> None:
    """The `trip` table of one row; details of the first day where it was recorded."""
    scene, days = game.scene, len(times_s)
    count = len(scene.vehicle_ids)
    is_agent = np.isin(np.arange(count), game.drivers)
    ends = [game.od_pairs[pair] for pair in game.od]
    for day in range(days):
        routes = game.routes_of(actions[day])
        columns = {
            "vehicle_id": list(scene.vehicle_ids),
            "is_agent": is_agent,
            "origin": [origin for origin, _ in ends],
            "destination": [destination for _, destination in ends],
            "route": routes,
            "depart_s": scene.depart_s,
            "travel_time_s": times_s[day],
            "free_flow_s": game.free_flow_s[routes],
        }
        if day == 0 and recording is not None:
            columns |= _details(recording)
        writer.write("trip", day_columns(name, seed, day) | columns)


def _details(recording: Recording) -> dict[str, Any]:
    trip, outcome = recording.trip, recording.outcome
    return {
        "arrival_s": outcome.arrival_s,
        "depart_delay_s": trip["departDelay"],
        "time_loss_s": trip["timeLoss"],
        "waiting_time_s": trip["waitingTime"],
        "route_length_m": trip["routeLength"],
        "co2_g": trip["co2_g"],
        "n_teleport": outcome.teleports,
        "finished": outcome.finished,
    }


def write_route_choices(
    writer: TraceWriter,
    name: str,
    game: RoutingGame,
    actions: Int[ndarray, "day N"],
    probabilities: Float[ndarray, "N K"] | None,
    seed: int,
) -> None:
    """The `route_choice` table of one row: every alternative of every driver on every day."""
    driver, candidate = np.nonzero(game.legal)
    routes = game.driver_options[driver, candidate]
    lengths = np.array([len(route) for route in game.scene.routes])
    names = np.array([game.scene.vehicle_ids[v] for v in game.drivers])
    for day, row in enumerate(actions):
        columns = {
            "agent_id": names[driver],
            "candidate": candidate.astype(np.int32),
            "route": routes.astype(np.int32),
            "n_edge": lengths[routes].astype(np.int32),
            "free_flow_s": game.free_flow_s[routes],
            "own_prob": None if probabilities is None else probabilities[driver, candidate],
            "chosen": row[driver] == candidate,
        }
        writer.write("route_choice", day_columns(name, seed, day) | columns)


def write_intervals(writer: TraceWriter, name: str, recording: Recording, seed: int) -> None:
    """The `edge_interval` and `network_interval` tables of the recorded day."""
    if not len(recording.edge_ids):
        return
    edge, span_s = recording.edge, recording.end_s - recording.begin_s
    if writer.writes("edge_interval"):
        columns = {
            "begin_s": recording.begin_s,
            "end_s": recording.end_s,
            "edge_id": list(recording.edge_ids),
            "entered": _counts(edge["entered"]),
            "left": _counts(edge["left"]),
            "flow_veh_per_h": np.nan_to_num(edge["entered"]) * 3600.0 / span_s,
            "speed_m_per_s": edge["speed"],
            "traveltime_s": edge["traveltime"],
            "density_veh_per_km": edge["density"],
            "occupancy_percent": edge["occupancy"],
            "waiting_time_s": edge["waitingTime"],
            "time_loss_s": edge["timeLoss"],
            "co2_g": edge["co2_g"],
        }
        writer.write("edge_interval", day_columns(name, seed, 0) | columns)
    writer.write("network_interval", day_columns(name, seed, 0) | _network(recording))


def _network(recording: Recording) -> dict[str, Any]:
    edge = {key: np.nan_to_num(values) for key, values in recording.edge.items()}
    begin_s, first, interval = np.unique(recording.begin_s, return_index=True, return_inverse=True)
    end_s = recording.end_s[first]

    def summed(values: Float[ndarray, " row"]) -> Float[ndarray, " interval"]:
        return np.bincount(interval, weights=values, minlength=len(begin_s))

    present_s = summed(edge["sampledSeconds"])
    moved_m = summed(edge["sampledSeconds"] * edge["speed"])
    nothing = np.full(len(begin_s), np.nan)
    return {
        "begin_s": begin_s,
        "end_s": end_s,
        "departed": _counts(summed(edge["departed"])),
        "arrived": _counts(summed(edge["arrived"])),
        "vehicles": present_s / (end_s - begin_s),
        "speed_m_per_s": np.divide(moved_m, present_s, out=nothing, where=present_s > 0),
        "time_loss_s": summed(edge["timeLoss"]),
        "co2_g": summed(edge["co2_g"]),
    }


def _counts(values: ndarray) -> Int[ndarray, " row"]:
    return np.nan_to_num(values).round().astype(np.int32)


def write_kpis(
    writer: TraceWriter,
    name: str,
    scope: str,
    figures: Mapping[str, Summary],
    baseline: Mapping[str, Summary],
) -> None:
    """Rows of the `kpi` table, against the equilibrium's figures."""
    method = "mean over days, 95 % bootstrap interval; baseline: user_equilibrium"
    trace_rows.write_kpis(writer, name, figures, baseline, scope=scope, method=method, units=UNITS)


def write_incidents(
    writer: TraceWriter, name: str, recording: Recording, charge_s: float, seed: int
) -> None:
    """What went wrong on the recorded day, one line per kind; silent days write nothing."""
    outcome = recording.outcome
    unfinished = int((~outcome.finished).sum())
    found = [
        ("SS-W410", "vehicles moved on by SUMO after a standstill", int(outcome.teleports.sum()),
         f"{charge_s:g} s charged for each"),
        ("SS-W411", "vehicles involved in collisions", outcome.collisions, "counted"),
        ("SS-W412", "trips still under way at the end", unfinished, "charged as if ended then"),
    ]  # fmt: skip
    for code, what, count, handled in found:
        if count:
            writer.write(
                "incident",
                {
                    "algorithm": name,
                    "phase": "eval",
                    "seed": seed,
                    "update": 0,
                    "day": 0,
                    "step": 0,
                    "sim_time_s": outcome.end_s,
                    "code": code,
                    "severity": "warning",
                    "entity_id": "net",
                    "action_taken": handled,
                    "detail": f"{count} {what}",
                },
            )
