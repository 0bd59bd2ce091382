"""A traffic run's trace: which rows go to which tables, and what is left for SUMO itself."""

from pathlib import Path

import numpy as np

from ss_core.record.trace_writer import TraceWriter
from ss_core.scenario.key_figures import Summary
from ss_core.scenario.protocol import Evaluation
from ss_core.scenario.result import write_key_figures
from trafficsim.nets.read import read_records
from trafficsim.references.references import EQUILIBRIUM, OPTIMUM
from trafficsim.results.edge_tables import write_edge_days, write_edges
from trafficsim.results.key_figures import delay_by_od_s
from trafficsim.results.replay import repeatable, write_replay
from trafficsim.results.rows import Row
from trafficsim.results.scoring import RoutingScores
from trafficsim.results.tables import (
    write_agents,
    write_incidents,
    write_intervals,
    write_kpis,
    write_route_choices,
    write_trips,
)
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.policies_on_the_road import held_out_seeds


def record(writer: TraceWriter, evaluation: Evaluation) -> None:
    """Everything that a trace of this level holds about the scored rows; still to be committed."""
    config: RoutingConfig = evaluation.config
    game: RoutingGame = evaluation.prepared.world
    scores: RoutingScores = evaluation.scores.detail
    write_agents(writer, game, list(scores.lights))
    write_edges(writer, read_records(Path(game.scene.net)))
    for name, row in scores.rows.items():
        recording = scores.recordings[name]
        write_key_figures(writer, evaluation, name)
        _write_delays(writer, name, row, game)
        write_incidents(writer, name, recording, config.sumo.time_to_teleport_s, config.seed)
        write_intervals(writer, name, recording, config.seed)
        write_edge_days(writer, name, recording, config.seed)
        if writer.writes("trip"):
            write_trips(writer, name, game, row.actions, row.times_s, recording, config.seed)
            write_route_choices(writer, name, game, row.actions, row.probabilities, config.seed)
    if config.trace != "off":
        shown = {name: scores.rows[name] for name in _replayed(config) if name in scores.rows}
        days = repeatable(shown, scores.recordings, game)
        folder = evaluation.run.path / "replay"
        write_replay(folder, game.scene, days, held_out_seeds(config)[0])


def _replayed(config: RoutingConfig) -> list[str]:
    """Rows that are left for SUMO itself, which cannot repeat decisions on the way."""
    learned = [] if config.en_route else [next(iter(config.learners))]
    return [*learned, EQUILIBRIUM, OPTIMUM]


def _write_delays(writer: TraceWriter, name: str, row: Row, game: RoutingGame) -> None:
    delays = delay_by_od_s(row.times_s, game.fastest_s, game.od, len(game.od_pairs))
    days = len(row.times_s)
    for (origin, destination), value in zip(game.od_pairs, delays.tolist(), strict=True):
        same = Summary(mean=value, ci_low=np.nan, ci_high=np.nan, num_days=days)
        write_kpis(writer, name, f"{origin} -> {destination}", {"mean_delay_s": same}, {})
