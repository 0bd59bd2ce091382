"""What a run of traffic lights adds up to: rows scored on the same episodes, traces, the table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_rows import write_kpis, write_run
from ss_core.record.trace_writer import TraceWriter
from ss_core.scenario.key_figures import Summary, summarise
from ss_core.statistics import Interval, bootstrap_interval, mean
from trafficsim.nets.catalogue import origin_notes
from trafficsim.runs.signal_tasks import PROGRAMS, Played, played_of
from trafficsim.signals.config import SignalsConfig
from trafficsim.signals.episode import Episode, table_of
from trafficsim.signals.request import located_scene

SHOWN = {  # rows of the table, in order, and what people call them
    "fixed": "fixed time (the net's own programs)",
    "actuated": "actuated (SUMO's detectors)",
    "independent": "independent learners",
    "ss": "SS (suggestions only)",
    "centralised": "centralised, learned",
    "vps": "VPS (value parameters shared)",
    "vs": "VS (values shared)",
    "ps": "PS (policy parameters shared)",
}
COLUMNS = {  # of the table
    "mean_travel_time_s": "travel time s",
    "mean_waiting_time_s": "waiting s",
    "mean_queue_veh": "queue",
    "throughput_veh_per_h": "arrivals/h",
    "teleports": "teleports",
    "unfinished_trips": "unfinished",
}
UNITS = {"_s": "s", "_veh_per_h": "1/h"}
BOOTSTRAP = 5  # stream of random numbers below a seed
TIME = "mean_travel_time_s"

Figures = Mapping[str, Float[ndarray, " episode"]]


def learners(config: SignalsConfig) -> list[str]:
    """The learned rows: the algorithm asked for, and independent learners to compare with."""
    asked = config.learner.algorithm
    rival = config.compare_selfish and asked != "independent"
    return [asked, "independent"] if rival else [asked]


def conclude(run: RunDirectory, config: SignalsConfig, lights: tuple[str, ...]) -> dict[str, Any]:
    """Score every row, write the trace, and return the result."""
    names = [name for name in SHOWN if name in (*PROGRAMS, *learners(config))]
    played = {name: played_of(run.task_folder(name)) for name in names}
    figures = {name: table_of(row.episodes) for name, row in played.items()}
    rng = np.random.default_rng([config.seed, BOOTSTRAP])
    summaries = {name: summarise(row, rng) for name, row in figures.items()}
    _write_traces(run, config, lights, played, summaries)
    compared = _comparisons(config.learner.algorithm, figures, rng)
    return {
        "tables": {
            f"{len(lights)} traffic lights, means over {config.episodes} held-out episodes": [
                _row(name, summaries[name], played[name], len(lights)) for name in names
            ]
        },
        "notes": _notes(config, compared, played),
        "kpis": {name: {k: s.mean for k, s in row.items()} for name, row in summaries.items()},
        "episodes": {
            name: {k: v.tolist() for k, v in row.items()} for name, row in figures.items()
        },
        "compared": {name: [i.estimate, i.low, i.high] for name, i in compared.items()},
        "bytes_by_kind": {name: dict(played[name].bytes_by_kind) for name in learners(config)},
        "num_updates": {name: played[name].num_updates for name in learners(config)},
    }


def _row(
    name: str, summary: Mapping[str, Summary], played: Played, num_lights: int
) -> dict[str, Any]:
    row: dict[str, Any] = {"lights": SHOWN[name]}
    row |= {title: round(summary[kpi].mean, 2) for kpi, title in COLUMNS.items()}
    exchanged = sum(played.bytes_by_kind.values())
    row["kB exchanged/light"] = "" if name in PROGRAMS else round(exchanged / 1e3 / num_lights, 1)
    return row


def _comparisons(
    asked: str, figures: Mapping[str, Figures], rng: np.random.Generator
) -> dict[str, Interval]:
    """Travel time of the row asked for less that of each other row, episode by episode."""
    return {
        name: bootstrap_interval(figures[asked][TIME] - row[TIME], mean, rng=rng)
        for name, row in figures.items()
        if name != asked
    }


def _notes(
    config: SignalsConfig, compared: Mapping[str, Interval], played: Mapping[str, Played]
) -> list[str]:
    asked = config.learner.algorithm
    notes = [
        f"{asked} against {name}: {i.estimate:+.1f} s of travel time per trip "
        f"[{i.low:+.1f}, {i.high:+.1f}], same episodes, 95 % interval"
        for name, i in compared.items()
    ]
    kinds = played[asked].bytes_by_kind
    told = ", ".join(f"{kind} {count / 1e6:.2f} MB" for kind, count in sorted(kinds.items()))
    notes += [
        "travel time: arrival less planned departure; of trips under way, up to the cut",
        f"exchanged between lights while training: {told or 'nothing'}",
    ]
    return [*notes, *demand_notes(config), *licence_notes(config)]


def demand_notes(config: SignalsConfig) -> list[str]:
    """How demand was drawn, if it was."""
    if located_scene(config.scenario, config.scene).routes:
        return []
    return [f"demand drawn: a departure every {config.headway_s:g} s (--set headway_s=…)"]


def licence_notes(config: SignalsConfig) -> list[str]:
    """Where the net comes from, if it is not the user's."""
    located = located_scene(config.scenario, config.scene)
    return origin_notes(config.scenario or config.scene.net, Path(located.net))


def _write_traces(
    run: RunDirectory,
    config: SignalsConfig,
    lights: tuple[str, ...],
    played: Mapping[str, Played],
    summaries: Mapping[str, Mapping[str, Summary]],
) -> None:
    constants = {"run_id": run.trace_run_id, "seed": config.seed}
    writer = TraceWriter(run.path, level=config.trace, constants=constants)
    writer.discard_after({})
    if writer.writes("run"):
        write_run(
            writer,
            task="signals",
            algorithm=config.learner.algorithm,
            num_agents=len(lights),
            num_updates=played[config.learner.algorithm].num_updates,
            config_sha256=run.config_sha256,
        )
        writer.write("agent", {"agent_id": list(lights), "kind": "junction", "group_id": "lights"})
    for name, row in played.items():
        if writer.writes("trip"):
            for number, episode in enumerate(row.episodes):
                _write_trips(writer, name, config.seed, number, episode)
        if writer.writes("kpi"):
            write_kpis(
                writer,
                name,
                summaries[name],
                summaries["fixed"],
                scope="held-out episodes",
                method="mean over episodes, 95 % bootstrap interval; baseline: fixed",
                units=UNITS,
            )
    writer.commit()


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
