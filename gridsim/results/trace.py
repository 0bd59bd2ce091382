"""A grid run's trace: which rows go to which tables, at which level; how large it will be."""

from collections.abc import Mapping

import numpy as np

from gridsim.config import GridConfig
from gridsim.game.costs import charge_per_household
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.instruments.names import OF_ROOFS, OWN_ROWS
from gridsim.results.labels import ROWS
from gridsim.results.network_tables import write_feeder, write_network_steps
from gridsim.results.replay import write_replay
from gridsim.results.scoring import Grid, GridScores, Scored
from gridsim.results.tables import (
    seconds_of,
    write_agents,
    write_checks,
    write_decisions,
    write_feeder_steps,
    write_household_steps,
)
from ss_core.algorithms.registry import algorithm_named
from ss_core.record.trace_writer import TraceWriter, predicted_bytes
from ss_core.scenario.protocol import Evaluation
from ss_core.scenario.result import write_key_figures

# references traced step by step, as are what was learned and what is curtailed
TRACED = ("asap", "nash", "optimum")
JOBS_A_DAY = 8  # jobs of a household, at most
METRICS = 20  # numbers of a learner per update, at most


def record(writer: TraceWriter, evaluation: Evaluation) -> None:
    """Everything that a trace of this level holds about the scored rows; still to be committed."""
    config: GridConfig = evaluation.config
    grid: Grid = evaluation.prepared.world
    scores: GridScores = evaluation.scores.detail
    days, tariff = scores.stage.held_out, scores.stage.world.tariff
    write_agents(writer, scores.stage.world.population, days, grid)
    write_feeder(writer, grid.feeder)
    for name, row in scores.rows.items():
        write_key_figures(writer, evaluation, name)
        if name in TRACED or name in OF_ROOFS or name in config.learners:
            _write_row(writer, config, row, days, tariff, grid)
    for name, decided in scores.decisions.items():
        if decided and writer.writes("agent_decision"):
            write_decisions(writer, scores.rows[name], days, decided, config.seed)
    _write_incidents(writer, scores.rows, config)
    write_checks(writer, scores.audits, scores.certificate)
    if config.trace != "off":
        shown = {name: scores.rows[name] for name in (evaluation.algorithm, "nash")}
        write_replay(evaluation.run.path / "replay", config.feeder_name, grid, shown)


def _write_row(
    writer: TraceWriter,
    config: GridConfig,
    row: Scored,
    days: Days,
    tariff: Tariff,
    grid: Grid,
) -> None:
    mean_kw = row.schedule.load_kw.mean(axis=1)
    over = tariff.excess_kw(mean_kw)
    share = tariff.gamma * STEP_H * over**2
    assert np.allclose(share.sum(axis=1), charge_per_household(mean_kw, tariff))
    if writer.writes("household_step"):
        write_household_steps(writer, row, days, share, config.seed)
    write_feeder_steps(writer, row, grid, config.seed)
    write_network_steps(writer, row, grid, config.seed)


def _write_incidents(writer: TraceWriter, rows: Mapping[str, Scored], config: GridConfig) -> None:
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
                    "sim_time_s": seconds_of(step, config.population.first_hour),
                    "code": "SS-W210",
                    "severity": "warning",
                    "entity_id": "feeder",
                    "action_taken": "grid figures of the days concerned left out",
                    "detail": f"power flow did not converge in {len(unsolved)} of "
                    f"{len(row.power_flow.converged)} steps; this is the first",
                },
            )


def traced_bytes(config: GridConfig, grid: Grid) -> int:
    """How many bytes of traces and metrics the run will leave, generously."""
    commits = -(-config.learner.num_updates // config.commit_every)
    while_learning = predicted_bytes(_learning_rows(config), level=config.trace, parts=commits)
    return while_learning + predicted_bytes(_scored_rows(config, grid), level=config.trace)


def _learning_rows(config: GridConfig) -> dict[str, int]:
    others, exchange = config.households - 1, config.learner.exchange
    random = exchange.protocol == "random" and config.learner.algorithm != "centralised"
    m = min(exchange.num_neighbours, others) if random else others
    algorithm = algorithm_named(config.learner.algorithm)
    kinds = algorithm.messages_per_link
    talks = algorithm.suggests
    draws = config.learner.num_updates if random and exchange.redraw else 1
    turns = 1 + len(config.revise_after) if config.variant == "in_turn" else 1  # of a job
    return {
        "link": talks * config.households * m * draws,
        "suggestion": talks * config.households * m * JOBS_A_DAY * turns * config.num_actions,
        "message": kinds * config.households * m * config.learner.num_updates,
        "metric": METRICS * len(config.learners) * config.learner.num_updates,
    }


def _scored_rows(config: GridConfig, grid: Grid) -> dict[str, int]:
    curtailing = {*config.instruments} & {*OF_ROOFS}
    traced = len(TRACED) + len(config.learners) + len(curtailing)
    steps = traced * config.days * STEPS_PER_DAY
    drawn = steps if config.trace == "full" else traced  # of buses and branches
    buses, lines, trafos = (
        len(axis)
        for axis in (grid.feeder.bus_index, grid.feeder.line_index, grid.feeder.trafo_index)
    )
    return {
        "household_step": steps * config.households,
        "feeder_step": steps,
        "bus": buses,
        "feeder_branch": lines + trafos,
        "bus_step": drawn * buses,
        "line_step": drawn * lines,
        "trafo_step": drawn * trafos,
        "agent_decision": len(config.learners) * config.days * config.households * JOBS_A_DAY,
        "agent": config.households,
        "kpi": 20 * (len(ROWS) - len(OWN_ROWS) + len(config.learners))
        + 30 * len(config.instruments),
    }
