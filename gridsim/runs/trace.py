"""A grid run's trace: which rows go to which tables, at which level."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gridsim.config import ScenarioConfig
from gridsim.game.costs import charge_per_household
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.households.schedules import candidate_schedules
from gridsim.results.key_figures import Summary
from gridsim.results.network_tables import write_feeder, write_network_steps
from gridsim.results.scoring import Grid, Scored
from gridsim.results.tables import (
    NOON_S,
    write_agents,
    write_decisions,
    write_feeder_steps,
    write_household_steps,
    write_kpis,
)
from gridsim.runs.tasks import Stage
from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_rows import write_run
from ss_core.record.trace_writer import TraceWriter
from ss_core.statistics import Interval

TRACED = ("asap", "nash", "optimum")  # references traced step by step, as is what was learned


def write_traces(
    run: RunDirectory,
    config: ScenarioConfig,
    stage: Stage,
    grid: Grid,
    rows: Mapping[str, Scored],
    figures: Mapping[str, Mapping[str, Summary]],
    gaps: Mapping[str, Interval | None],
    learned: Mapping[str, Any],
) -> TraceWriter:
    """Everything that a trace of this level holds about the scored rows; still to be committed."""
    constants = {"run_id": run.trace_run_id, "seed": config.seed}
    writer = TraceWriter(run.path, level=config.trace, constants=constants)
    writer.discard_after({})
    days, tariff = stage.held_out, stage.world.tariff
    algorithm = config.learner.algorithm
    write_run(
        writer,
        task="grid",
        algorithm=algorithm,
        num_agents=config.households,
        num_updates=learned[algorithm].state["num_updates"],
        config_sha256=run.config_sha256,
    )
    write_agents(writer, stage.world.population, days, grid)
    write_feeder(writer, grid.feeder)
    for name, row in rows.items():
        share = _gap_summary(gaps[name], config.days)
        write_kpis(writer, name, {**figures[name], **share}, figures["nash"])
        if name in TRACED or name in learned:
            _write_row(writer, config, row, days, tariff, grid)
    plans = candidate_schedules(days, config.num_actions)
    for name, result in learned.items():
        if "chosen" in result.tensors and writer.writes("agent_decision"):
            chosen = result.tensors["chosen"][0].numpy()
            probability = result.tensors["probability"][0].numpy()
            write_decisions(writer, rows[name], days, plans, chosen, probability, config.seed)
    _write_incidents(writer, rows, config)
    return writer


def _gap_summary(gap: Interval | None, days: int) -> dict[str, Summary]:
    if gap is None:
        return {}
    return {
        "gap_closed": Summary(
            mean=gap.estimate, ci_low=gap.low, ci_high=gap.high, num_days=days, num_missing=0
        )
    }


def _write_row(
    writer: TraceWriter,
    config: ScenarioConfig,
    row: Scored,
    days: Days,
    tariff: Tariff,
    grid: Grid,
) -> None:
    mean_kw = row.schedule.load_kw.mean(axis=1)
    over = np.maximum(mean_kw - tariff.kappa, 0.0)
    share = tariff.gamma * STEP_H * over**2
    assert np.allclose(share.sum(axis=1), charge_per_household(mean_kw, tariff))
    if writer.writes("household_step"):
        write_household_steps(writer, row, days, share, config.seed)
    write_feeder_steps(writer, row, grid, config.seed)
    write_network_steps(writer, row, grid, config.seed)


def _write_incidents(
    writer: TraceWriter, rows: Mapping[str, Scored], config: ScenarioConfig
) -> None:
    """A power flow without a solution is an incident, not a figure; one line per row it befell."""
    for name, row in rows.items():
        unsolved = np.flatnonzero(~row.power_flow.converged)
        if len(unsolved):
            day, step = divmod(int(unsolved[0]), STEPS_PER_DAY)
            writer.write(
                "incident",
                {
                    "algorithm": name,
                    "phase": "eval",
                    "update": 0,
                    "day": day,
                    "step": step,
                    "sim_time_s": NOON_S + step * STEP_H * 3600.0,
                    "code": "SS-W210",
                    "severity": "warning",
                    "entity_id": "feeder",
                    "action_taken": "grid figures of the days concerned left out",
                    "detail": f"power flow did not converge in {len(unsolved)} of "
                    f"{len(row.power_flow.converged)} steps; this is the first",
                },
            )
