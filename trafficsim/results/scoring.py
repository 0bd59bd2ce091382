"""From sub-tasks' results to scores: rows on held-out days, a recorded day, key figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.scenario.key_figures import DayFigures, Scores
from ss_core.scenario.protocol import Prepared
from trafficsim.references.references import (
    EQUILIBRIUM,
    OPTIMUM,
    SHORTEST,
    equilibrium,
)
from trafficsim.results.key_figures import equity_kpis, no_dilemma, time_kpis
from trafficsim.results.rows import Row, collect, three
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.policies_on_the_road import held_out_seeds, incidents_of
from trafficsim.sumo.recording import Recording, record_day
from trafficsim.sumo.simulation import Simulator, travel_times_s


@dataclass(frozen=True, slots=True)
class RoutingScores:
    """What traffic's notes and tables are made from, beside key figures."""

    rows: Mapping[str, Row]
    recordings: Mapping[str, Recording]  # of the first held-out day, by row
    lights: Sequence[str]  # that learned, by name


def score(config: RoutingConfig, prepared: Prepared, results: Mapping[str, Checkpoint]) -> Scores:
    """Score every row on the held-out days, and record a day of each."""
    return scored(config, prepared.world, collect(results, config))


def scored(config: RoutingConfig, game: RoutingGame, rows: Mapping[str, Row]) -> Scores:
    """Scores of these rows."""
    selfish, best = rows[EQUILIBRIUM], rows[OPTIMUM]
    recordings = _record(rows, config, game)
    asked = rows.get(next(iter(config.learners)))
    lights = list(asked.facts.get("lights", ())) if asked is not None else []
    learned = {name: row for name, row in rows.items() if row.probabilities is not None}
    return Scores(
        figures={n: _figures(row, recordings[n], selfish, game) for n, row in rows.items()},
        cost={name: row.times_s.mean(axis=1)[None] for name, row in rows.items()},
        no_dilemma=no_dilemma(selfish.times_s, best.times_s),
        num_agents=game.num_drivers + len(lights),
        num_updates={n: int(row.facts["num_updates"]) for n, row in learned.items()},
        bytes_by_kind={n: row.bytes_by_kind for n, row in learned.items() if not row.first_day},
        suffixes={name: ", lights learned" for name, row in rows.items() if row.first_day},
        detail=RoutingScores(rows, recordings, lights),
    )


def without_choice(config: RoutingConfig, game: RoutingGame) -> Scores:
    """Scores where fewer than two drivers choose: there is nothing to coordinate."""
    seeds = held_out_seeds(config)
    rng = numpy_generator(config.seed, Stream.EQUILIBRIUM)
    actions = np.zeros(game.num_drivers, dtype=np.int64)
    if game.num_drivers:
        with Simulator(game.scene) as simulator:
            found = equilibrium(game, simulator, actions, config, rng, lambda _: None)
        actions = found.actions
    with Simulator(game.scene) as simulator:
        outcomes = simulator.play([game.routes_of(actions)] * len(seeds), seeds)
    times_s = np.stack([travel_times_s(game.scene, each) for each in outcomes])
    counts = three(incidents_of(outcomes, len(seeds)).tolist())
    facts = {"method": "fewer than two drivers with a choice take part: nothing to coordinate"}
    rows = {
        name: Row(name, np.tile(actions, (len(seeds), 1)), times_s, facts=facts, incidents=counts)
        for name in (SHORTEST, EQUILIBRIUM, OPTIMUM)
    }
    return scored(config, game, rows)


def _record(
    rows: Mapping[str, Row], config: RoutingConfig, game: RoutingGame
) -> dict[str, Recording]:
    seed, interval_s = held_out_seeds(config)[0], config.sumo.interval_s

    def first_day(row: Row) -> Recording:
        begun = np.zeros_like(row.actions[0]) if row.orders else row.actions[0]
        return record_day(simulator, game.routes_of(begun), seed, interval_s, row.orders)

    with Simulator(game.scene) as simulator:
        return {name: row.first_day or first_day(row) for name, row in rows.items()}


def _figures(row: Row, recording: Recording, selfish: Row, game: RoutingGame) -> DayFigures:
    figures = time_kpis(row.times_s, game.fastest_s)
    if row.name != EQUILIBRIUM:
        figures |= equity_kpis(row.times_s, selfish.times_s)
    trip = recording.trip
    once = {
        "time_loss_s": np.nanmean(trip["timeLoss"]),
        "depart_delay_s": np.nanmean(trip["departDelay"]),
        "waiting_time_s": np.nanmean(trip["waitingTime"]),
        "driven_km": np.nansum(trip["routeLength"]) / 1000.0,
        "co2_kg": np.nansum(trip["co2_g"]) / 1000.0 if row.first_day is None else np.nan,
    }
    counts = zip(("teleports", "collisions", "unfinished_trips"), row.incidents, strict=True)
    once |= {name: count / len(row.times_s) for name, count in counts}  # per day
    known = {name: value for name, value in once.items() if np.isfinite(value)}
    figures |= {name: np.array([value], dtype=float) for name, value in known.items()}
    if row.probabilities is not None and row.first_day is None:
        sent = sum(row.bytes_by_kind.values()) / max(1, game.num_drivers)
        figures["bytes_per_driver"] = np.array([float(sent)])
    return figures
