"""What a run's parts add up to: rows scored on the same days, the trace, the table, the verdict."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_rows import write_run
from ss_core.record.trace_writer import TraceWriter
from ss_core.statistics import Interval, gap_closed_interval
from trafficsim.nets.read import read_records
from trafficsim.results.edge_tables import write_edge_days, write_edges
from trafficsim.results.key_figures import (
    Summary,
    delay_by_od_s,
    equity_kpis,
    no_dilemma,
    summarise,
    time_kpis,
)
from trafficsim.results.notes import price_of_anarchy, remarks, setback, verdict
from trafficsim.results.replay import repeatable, write_replay
from trafficsim.results.rows import SHOWN, Row, collect, three
from trafficsim.results.tables import (
    write_agents,
    write_incidents,
    write_intervals,
    write_kpis,
    write_route_choices,
    write_trips,
)
from trafficsim.routing.config import ScenarioConfig
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.references import (
    EQUILIBRIUM,
    OPTIMUM,
    SHORTEST,
    equilibrium,
    quiet_scene,
)
from trafficsim.runs.tasks import held_out_seeds, incidents_of
from trafficsim.sumo.recording import Recording, record_day
from trafficsim.sumo.simulation import Simulator, travel_times_s

BOOTSTRAP = 7  # stream of random numbers below a seed


def without_choice(
    run: RunDirectory, config: ScenarioConfig, game: RoutingGame, notes: list[str]
) -> dict[str, Any]:
    """The result where fewer than two drivers choose: there is nothing to coordinate."""
    seeds = held_out_seeds(config)
    rng = np.random.default_rng([config.seed, BOOTSTRAP])
    actions = np.zeros(game.num_drivers, dtype=np.int64)
    if game.num_drivers:
        with Simulator(quiet_scene(game.scene)) as simulator:
            found = equilibrium(game, simulator, actions, config.search, rng, lambda _: None)
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
    alone = ["lights did not learn: train them with `sstraffic signals`"] if config.signals else []
    return report(run, config, game, rows, [*alone, *notes])


def conclude(
    run: RunDirectory, config: ScenarioConfig, game: RoutingGame, notes: list[str]
) -> dict[str, Any]:
    """The result of a run whose tasks have reached their ends."""
    return report(run, config, game, collect(run, config), notes)


def report(
    run: RunDirectory,
    config: ScenarioConfig,
    game: RoutingGame,
    rows: Mapping[str, Row],
    notes: list[str],
) -> dict[str, Any]:
    """Score every row, record a day of each, write the trace, and say it all in a table."""
    rng = np.random.default_rng([config.seed, BOOTSTRAP])
    selfish, best = rows[EQUILIBRIUM], rows[OPTIMUM]
    nothing_to_gain = no_dilemma(selfish.times_s, best.times_s)
    gaps = {name: _gap(row, selfish, best, nothing_to_gain, rng) for name, row in rows.items()}
    recordings = _record(rows, config, game)
    figures = {
        name: _figures(row, recordings[name], selfish, game, rng) for name, row in rows.items()
    }
    _write_traces(run, config, game, rows, recordings, figures, gaps)
    if config.trace != "off":
        shown = {name: rows[name] for name in _replayed(config) if name in rows}
        days = repeatable(shown, recordings, game)
        write_replay(run.path / "replay", game.scene, days, held_out_seeds(config)[0])
    return {
        "tables": {_title(config, game): _table(rows, figures, gaps, game)},
        "notes": [
            *verdict(rows, nothing_to_gain),
            *setback(rows, config, gaps),
            *remarks(rows, config),
            *notes,
        ],
        "gap_closed": {
            name: None if gap is None else [gap.estimate, gap.low, gap.high]
            for name, gap in gaps.items()
        },
        "price_of_anarchy": price_of_anarchy(rows),
        "references": {name: dict(row.facts) for name, row in rows.items() if row.facts},
        "kpis": {name: {k: s.mean for k, s in each.items()} for name, each in figures.items()},
    }


def _replayed(config: ScenarioConfig) -> list[str]:
    """Rows that are left for SUMO itself, which cannot repeat decisions on the way."""
    learned = [] if config.en_route else [config.learner.algorithm]
    return [*learned, EQUILIBRIUM, OPTIMUM]


def _gap(
    row: Row, selfish: Row, best: Row, nothing_to_gain: bool, rng: np.random.Generator
) -> Interval | None:
    if nothing_to_gain:
        return None
    return gap_closed_interval(
        selfish.times_s.mean(axis=1),
        row.times_s.mean(axis=1)[None],
        best.times_s.mean(axis=1),
        rng=rng,
    )


def _record(
    rows: Mapping[str, Row], config: ScenarioConfig, game: RoutingGame
) -> dict[str, Recording]:
    seed, interval_s = held_out_seeds(config)[0], config.sumo.interval_s

    def first_day(row: Row) -> Recording:
        begun = np.zeros_like(row.actions[0]) if row.orders else row.actions[0]
        return record_day(simulator, game.routes_of(begun), seed, interval_s, row.orders)

    with Simulator(game.scene) as simulator:
        return {name: row.first_day or first_day(row) for name, row in rows.items()}


def _figures(
    row: Row, recording: Recording, selfish: Row, game: RoutingGame, rng: np.random.Generator
) -> dict[str, Summary]:
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
    return summarise(figures, rng)


def _title(config: ScenarioConfig, game: RoutingGame) -> str:
    background = len(game.od) - game.num_drivers
    others = f" and {background} others" if background else ""
    return f"{game.num_drivers} drivers{others}, means over {config.days} held-out days"


def _table(
    rows: Mapping[str, Row],
    figures: Mapping[str, Mapping[str, Summary]],
    gaps: Mapping[str, Interval | None],
    game: RoutingGame,
) -> list[dict[str, Any]]:
    return [
        {
            "policy": SHOWN[name] + (", lights learnt" if row.first_day else ""),
            "travel time s": round(figures[name]["mean_travel_time_s"].mean, 1),
            "gap closed %": _percent(gaps[name]),
            "P95 s": round(figures[name]["p95_travel_time_s"].mean, 0),
            "time loss s": _rounded(figures[name], "time_loss_s"),
            "CO2 kg": _rounded(figures[name], "co2_kg"),
            "losers %": _share(figures[name], "share_of_losers"),
            "teleports/day": round(figures[name]["teleports"].mean, 2),
            "unfinished/day": round(figures[name]["unfinished_trips"].mean, 2),
            "kB exchanged/driver": _kilobytes(row, game),
        }
        for name, row in rows.items()
    ]


def _percent(gap: Interval | None) -> str:
    if gap is None:
        return "no dilemma"
    return f"{100 * gap.estimate:.0f} [{100 * gap.low:.0f}, {100 * gap.high:.0f}]"


def _rounded(figures: Mapping[str, Summary], name: str) -> float | str:
    return round(figures[name].mean, 1) if name in figures else ""


def _share(figures: Mapping[str, Summary], name: str) -> float | str:
    return round(100 * figures[name].mean, 0) if name in figures else ""


def _kilobytes(row: Row, game: RoutingGame) -> float | str:
    if row.probabilities is None or row.first_day is not None:
        return ""
    return round(sum(row.bytes_by_kind.values()) / max(1, game.num_drivers) / 1000, 1)


def _write_traces(
    run: RunDirectory,
    config: ScenarioConfig,
    game: RoutingGame,
    rows: Mapping[str, Row],
    recordings: Mapping[str, Recording],
    figures: Mapping[str, Mapping[str, Summary]],
    gaps: Mapping[str, Interval | None],
) -> None:
    constants = {"run_id": run.trace_run_id, "seed": config.seed}
    writer = TraceWriter(run.path, level=config.trace, constants=constants)
    writer.discard_after({})
    algorithm = config.learner.algorithm
    write_run(
        writer,
        task="traffic",
        algorithm=algorithm,
        num_agents=game.num_drivers + len(_lights(rows, config)),
        num_updates=int(rows[algorithm].facts["num_updates"]) if algorithm in rows else 0,
        config_sha256=run.config_sha256,
    )
    write_agents(writer, game, _lights(rows, config))
    write_edges(writer, read_records(Path(game.scene.net)))
    for name, row in rows.items():
        recording = recordings[name]
        gap = {} if gaps[name] is None else {"gap_closed": _gap_summary(gaps[name], config.days)}
        write_kpis(writer, name, "held-out days", {**figures[name], **gap}, figures[EQUILIBRIUM])
        _write_delays(writer, name, row, game)
        write_incidents(writer, name, recording, config.sumo.time_to_teleport_s, config.seed)
        write_intervals(writer, name, recording, config.seed)
        write_edge_days(writer, name, recording, config.seed)
        if writer.writes("trip"):
            write_trips(writer, name, game, row.actions, row.times_s, recording, config.seed)
            write_route_choices(writer, name, game, row.actions, row.probabilities, config.seed)
    writer.commit()


def _lights(rows: Mapping[str, Row], config: ScenarioConfig) -> list[str]:
    """Names of the lights that learnt."""
    asked = rows.get(config.learner.algorithm)
    return list(asked.facts.get("lights", ())) if asked is not None else []


def _gap_summary(gap: Interval | None, days: int) -> Summary:
    assert gap is not None
    return Summary(mean=gap.estimate, ci_low=gap.low, ci_high=gap.high, num_days=days)


def _write_delays(writer: TraceWriter, name: str, row: Row, game: RoutingGame) -> None:
    delays = delay_by_od_s(row.times_s, game.fastest_s, game.od, len(game.od_pairs))
    days = len(row.times_s)
    for (origin, destination), value in zip(game.od_pairs, delays.tolist(), strict=True):
        same = Summary(mean=value, ci_low=np.nan, ci_high=np.nan, num_days=days)
        write_kpis(writer, name, f"{origin} -> {destination}", {"mean_delay_s": same}, {})
