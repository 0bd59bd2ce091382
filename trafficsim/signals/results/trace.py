"""A signals run's trace: its lights, key figures of every row, trips of every episode."""

import numpy as np

from ss_core.record.trace_writer import TraceWriter
from ss_core.scenario.protocol import Evaluation
from ss_core.scenario.result import write_key_figures
from trafficsim.signals.episode import Episode
from trafficsim.signals.results.labels import PROGRAMS
from trafficsim.signals.results.scoring import SignalScores


def record(writer: TraceWriter, evaluation: Evaluation) -> None:
    """Everything that a trace of this level holds about the scored rows; still to be committed."""
    lights: tuple[str, ...] = evaluation.prepared.world
    scores: SignalScores = evaluation.scores.detail
    writer.write("agent", {"agent_id": list(lights), "kind": "junction", "group_id": "lights"})
    for name, episodes in scores.episodes.items():
        write_key_figures(writer, evaluation, name)
        if writer.writes("trip"):
            for number, episode in enumerate(episodes):
                _write_trips(writer, name, evaluation.config.seed, number, episode)


def _write_trips(writer: TraceWriter, name: str, seed: int, number: int, episode: Episode) -> None:
    if not episode.vehicle_ids:
        return
    writer.write(
        "trip",
        {
            "algorithm": name,
            "phase": "baseline" if name in PROGRAMS else "eval",
            "seed": seed,
            "day": number,
            "vehicle_id": list(episode.vehicle_ids),
            "is_agent": False,
            "depart_s": episode.depart_s,
            "arrival_s": episode.arrival_s,
            "travel_time_s": episode.travel_time_s,
            "depart_delay_s": episode.depart_delay_s.astype(np.float32),
            "time_loss_s": episode.time_loss_s.astype(np.float32),
            "waiting_time_s": episode.waiting_time_s.astype(np.float32),
            "finished": episode.finished,
        },
    )
