"""What a routing run writes about its roads: the edges of the net, and a recorded day on them."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ss_core.record.trace_writer import TraceWriter
from trafficsim.nets.read import NetRecords
from trafficsim.results.tables import day_columns
from trafficsim.sumo.recording import Recording


def write_edges(writer: TraceWriter, records: NetRecords) -> None:
    """The `edge` table: the streets of the net, the insides of junctions left out."""
    roads = [edge for edge in records.edges if edge.is_road and edge.lanes]
    first = [edge.lanes[0] for edge in roads]
    writer.write(
        "edge",
        {
            "edge_id": [edge.edge_id for edge in roads],
            "from_junction": [edge.from_junction for edge in roads],
            "to_junction": [edge.to_junction for edge in roads],
            "length_m": np.array([lane.length_m for lane in first]),
            "speed_limit_m_per_s": np.array([lane.speed_m_per_s for lane in first]),
            "n_lane": np.array([len(edge.lanes) for edge in roads], dtype=np.int32),
            "shape": [lane.shape for lane in first],
        },
    )


def write_edge_days(writer: TraceWriter, name: str, recording: Recording, seed: int) -> None:
    """The `edge_day` table: the recorded day of one row; edges that saw nobody are left out."""
    if len(recording.edge_ids):
        writer.write("edge_day", day_columns(name, seed, 0) | day_of_edges(recording))


def day_of_edges(recording: Recording) -> dict[str, ndarray]:
    """All intervals of a day together: what SUMO would say of one interval as long as the day.

    Speed is the mean over vehicles and time, so intervals weigh as their `sampledSeconds` do;
    travel time, which goes with its inverse, is a harmonic mean with the same weights; density is
    the mean over time, and an interval that SUMO left out had nobody on the edge.
    """
    names, at = np.unique(np.array(recording.edge_ids), return_inverse=True)
    edge = {key: np.nan_to_num(values) for key, values in recording.edge.items()}
    span_s = recording.end_s - recording.begin_s
    day_s = recording.end_s.max() - recording.begin_s.min()

    def total(values: Float[ndarray, " row"]) -> Float[ndarray, " edge"]:
        return np.bincount(at, weights=values, minlength=len(names))

    present_s = total(edge["sampledSeconds"])
    passages = total(_ratio(edge["sampledSeconds"], edge["traveltime"]))
    return {
        "edge_id": names,
        "entered": total(edge["entered"]).round().astype(np.int32),
        "departed": total(edge["departed"]).round().astype(np.int32),
        "speed_m_per_s": _ratio(total(edge["sampledSeconds"] * edge["speed"]), present_s, np.nan),
        "traveltime_s": _ratio(present_s, passages, np.nan),
        "density_veh_per_km": total(edge["density"] * span_s) / day_s,
        "waiting_time_s": total(edge["waitingTime"]),
        "time_loss_s": total(edge["timeLoss"]),
        "co2_g": total(edge["co2_g"]),
    }


def _ratio(
    above: Float[ndarray, " row"], below: Float[ndarray, " row"], otherwise: float = 0.0
) -> Float[ndarray, " row"]:
    return np.divide(above, below, out=np.full(len(above), otherwise), where=below > 0)
