"""What a routing run writes about its roads: the edges of the net, and a recorded day on them."""

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ss_core.traces import TraceWriter
from trafficsim.net_xml import NetRecords
from trafficsim.recording import Recording
from trafficsim.tables import day_columns


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
    """The `edge_day` table: the recorded day of one row, all its intervals together."""
    if not len(recording.edge_ids):
        return
    names, at = np.unique(np.array(recording.edge_ids), return_inverse=True)
    edge = {key: np.nan_to_num(values) for key, values in recording.edge.items()}

    def total(values: Float[ndarray, " row"]) -> Float[ndarray, " edge"]:
        return np.bincount(at, weights=values, minlength=len(names))

    present_s = total(edge["sampledSeconds"])

    def mean(key: str) -> Float[ndarray, " edge"]:
        nothing = np.full(len(names), np.nan)
        weighted = total(edge["sampledSeconds"] * edge[key])
        return np.divide(weighted, present_s, out=nothing, where=present_s > 0)

    columns: dict[str, Any] = {
        "edge_id": names,
        "entered": total(edge["entered"]).round().astype(np.int32),
        "speed_m_per_s": mean("speed"),
        "traveltime_s": mean("traveltime"),
        "waiting_time_s": total(edge["waitingTime"]),
        "time_loss_s": total(edge["timeLoss"]),
        "co2_g": total(edge["co2_g"]),
    }
    writer.write("edge_day", day_columns(name, seed, 0) | columns)
