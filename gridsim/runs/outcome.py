"""What a run's parts add up to: rows scored on the same days, the audit, the trace, the table."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gridsim.config import ScenarioConfig
from gridsim.households.households import STEPS_PER_DAY
from gridsim.powerflow.audit import Audit, audit, audit_note
from gridsim.results.key_figures import Summary, summarise
from gridsim.results.labels import CAST
from gridsim.results.replay import write_replay
from gridsim.results.scoring import Grid, Scored, gap_closed, mean_of, power_flow_of, score
from gridsim.results.tables import (
    write_checks,
)
from gridsim.runs.tasks import plays_of, schedules_of, set_stage
from gridsim.runs.trace import write_traces
from ss_core.record.checkpoint import result_of
from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_writer import predicted_bytes
from ss_core.statistics import Interval

SHOWN = {name: title for name, (title, _) in CAST.items()}  # rows of the table, in order
AUDITED = ("asap", "nash")  # beside the learned row: the feeder at its worst
# messages over a link at an update, at most; parameters cross it both ways
MESSAGES = {"independent": 0, "vps": 4, "vs": 1, "ps": 2, "ss": 3, "centralised": 2}
JOBS_A_DAY = 8  # of a household, at most
METRICS = 20  # numbers of a learner per update, at most
BOOTSTRAP, AUDIT = 5, 6  # streams of random numbers below a seed
UNLOADED_PERCENT = 80.0  # below it a transformer constrains nobody
FEW_HOUSEHOLDS = 15  # below it one job weighs too much to be foreseen


def learners(config: ScenarioConfig) -> list[str]:
    """The learned rows: the algorithm asked for, and selfish learners to compare with."""
    asked = config.learner.algorithm
    rival = config.compare_selfish and asked != "independent"
    return [asked, "independent"] if rival else [asked]


def announce(config: ScenarioConfig, grid: Grid) -> str:
    """What will happen, and how much it will write."""
    size = traced_bytes(config, grid) / 1e6
    most = "at most" if config.budget_seconds is None else "about"  # updates are not known yet
    return (
        f"{config.households} households on {grid.feeder.name}, transformer "
        f"{grid.feeder.transformer_sn_mva * 1000:.0f} kVA; trace {most} {size:.1f} MB"
    )


def traced_bytes(config: ScenarioConfig, grid: Grid) -> int:
    """How many bytes of traces and metrics the run will leave, generously."""
    commits = -(-config.learner.num_updates // config.commit_every)
    while_learning = predicted_bytes(_learning_rows(config), level=config.trace, parts=commits)
    return while_learning + predicted_bytes(_scored_rows(config, grid), level=config.trace)


def _learning_rows(config: ScenarioConfig) -> dict[str, int]:
    others, exchange = config.households - 1, config.learner.exchange
    random = exchange.protocol == "random" and config.learner.algorithm != "centralised"
    m = min(exchange.num_neighbours, others) if random else others
    kinds = MESSAGES[config.learner.algorithm]
    talks = config.learner.algorithm == "ss"
    draws = config.learner.num_updates if random and exchange.redraw else 1
    return {
        "link": talks * config.households * m * draws,
        "suggestion": talks * config.households * m * JOBS_A_DAY * config.num_actions,
        "message": kinds * config.households * m * config.learner.num_updates,
        "metric": METRICS * len(learners(config)) * config.learner.num_updates,
    }


def _scored_rows(config: ScenarioConfig, grid: Grid) -> dict[str, int]:
    traced = 3 + len(learners(config))
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
        "agent_decision": len(learners(config)) * config.days * config.households * JOBS_A_DAY,
        "agent": config.households,
        "kpi": 20 * len(SHOWN),
    }


def conclude(run: RunDirectory, config: ScenarioConfig, grid: Grid) -> dict[str, Any]:
    """Score every row, let pandapower check, write the trace, and return the result."""
    stage = set_stage(config)
    days, tariff = stage.held_out, stage.world.tariff
    referred = result_of(run.task_folder("references"))
    learned = {name: result_of(run.task_folder(name)) for name in learners(config)}
    plays = {s.name: [s] for s in schedules_of(referred, days)}
    plays |= {name: plays_of(result, name, days) for name, result in learned.items()}
    nash_cost = plays["nash"][0].costs(tariff).cost_eur
    rows = {
        name: score(plays[name], tariff, grid, None if name == "nash" else nash_cost)
        for name in SHOWN
        if name in plays
    }
    rng = np.random.default_rng([config.seed, BOOTSTRAP])
    gaps = {name: gap_closed(row, rows["nash"], rows["optimum"], rng) for name, row in rows.items()}
    if referred.state["no_dilemma"]:
        gaps = dict.fromkeys(gaps)
    figures = {name: summarise(row.figures, rng) for name, row in rows.items()}
    audits = _audits(rows, grid, config)
    bytes_each = {
        name: sum(result.state["bytes_by_kind"].values()) / config.households
        for name, result in learned.items()
    }
    writer = write_traces(run, config, stage, grid, rows, figures, gaps, learned)
    write_checks(writer, audits, referred.state["certificate"])
    writer.commit()
    if config.trace != "off":
        shown = {name: rows[name] for name in (config.learner.algorithm, "nash")}
        write_replay(run.path / "replay", config.feeder_name, grid, shown)
    return {
        "tables": {_title(config): _table(figures, gaps, bytes_each)},
        "notes": _notes(config, grid, referred.state, figures, gaps, audits, learned),
        "gap_closed": {
            name: None if gap is None else [gap.estimate, gap.low, gap.high]
            for name, gap in gaps.items()
        },
        "certificate": referred.state["certificate"],
        "audit": {name: {k: getattr(a, k) for k in a.__slots__} for name, a in audits.items()},
        "kpis": {
            name: {k: s.mean for k, s in summary.items()} for name, summary in figures.items()
        },
    }


def _title(config: ScenarioConfig) -> str:
    return f"{config.households} households, means over {config.days} held-out days"


def _table(
    figures: Mapping[str, Mapping[str, Summary]],
    gaps: Mapping[str, Interval | None],
    bytes_each: Mapping[str, float],
) -> list[dict[str, Any]]:
    return [
        {
            "policy": SHOWN[name],
            "cost EUR/household": round(mean_of(summary, "cost_eur_per_household"), 3),
            "gap closed %": _percent(gaps[name]),
            "peak kW": round(mean_of(summary, "peak_kw"), 1),
            "transformer %": round(mean_of(summary, "trafo_loading_percent"), 0),
            "h over 100 %": round(mean_of(summary, "trafo_overload_h"), 2),
            "min vm_pu": round(mean_of(summary, "vm_min_pu"), 3),
            "losers %": _losers(summary),
            "kB exchanged/household": _kilobytes(bytes_each, name),
        }
        for name, summary in figures.items()
    ]


def _kilobytes(bytes_each: Mapping[str, float], name: str) -> float | str:
    return round(bytes_each[name] / 1000, 1) if name in bytes_each else ""


def _percent(gap: Interval | None) -> str:
    if gap is None:
        return "no dilemma"
    return f"{100 * gap.estimate:.0f} [{100 * gap.low:.0f}, {100 * gap.high:.0f}]"


def _losers(summary: Mapping[str, Summary]) -> float | str:
    share = mean_of(summary, "share_of_losers")
    return "" if np.isnan(share) else round(100 * share, 0)


def _audits(rows: Mapping[str, Scored], grid: Grid, config: ScenarioConfig) -> dict[str, Audit]:
    checked = [*AUDITED, config.learner.algorithm]
    audits = {}
    for name in checked:
        flow, p_mw, q_mvar = power_flow_of(grid, rows[name].schedule.load_kw)
        audits[name] = audit(
            config.feeder_name,
            grid.feeder,
            p_mw,
            q_mvar,
            flow,
            samples=-(-config.audit_steps // len(checked)),
            rng=np.random.default_rng([config.seed, AUDIT]),
        )
    return audits


def _notes(
    config: ScenarioConfig,
    grid: Grid,
    referred: Mapping[str, Any],
    figures: Mapping[str, Mapping[str, Summary]],
    gaps: Mapping[str, Interval | None],
    audits: Mapping[str, Audit],
    learned: Mapping[str, Any],
) -> list[str]:
    certificate = referred["certificate"]
    optimum, bound = certificate["optimum_cost_eur"], certificate["lower_bound_eur"]
    unsolved = {
        SHOWN[name]: round(mean_of(s, "unsolved_steps") * config.days)
        for name, s in figures.items()
        if mean_of(s, "unsolved_steps") > 0
    }
    listed = ", ".join(f"{count} of {name}" for name, count in unsolved.items())
    where = f" ({listed}; their days are left out of grid figures)" if listed else ""
    kinds = learned[config.learner.algorithm].state["bytes_by_kind"]
    crossed = ", ".join(f"{kind} {count / 1e6:.2f} MB" for kind, count in sorted(kinds.items()))
    notes = [
        "gap closed = (C_Nash - C) / (C_Nash - C_optimum), 95 % interval over days and plays",
        f"optimum certified to {100 * (optimum - bound) / bound:.2f} %; Nash to "
        f"{certificate['epsilon_ct']:.2f} ct per household and day",
        f"others' cooperation helps whatever one does: {100 * certificate['premise_share']:.1f} % "
        f"of {certificate['premise_cases']:.0f} cases; tempted to defect from the optimum: "
        f"{100 * certificate['tempted_share']:.0f} % of households",
        f"exchanged between households: {crossed or 'nothing'}",
        f"{audit_note(audits.values())}; {sum(unsolved.values())} steps without a solution{where}",
        grid.attachment.sentence,
        _transformer(config, grid),
        "columns are means over held-out days of each day's peak, highest loading, hours over and "
        "lowest voltage; losers: share of household-days that cost more than under Nash",
    ]
    notes += _advice(config, grid, figures)
    if referred["no_dilemma"]:
        notes.insert(0, "no dilemma in this scenario: Nash costs less than 3 % above the optimum")
    return notes


def _transformer(config: ScenarioConfig, grid: Grid) -> str:
    kva = 1000.0 * grid.feeder.transformer_sn_mva
    if config.kva_per_household is None:
        return f"transformer: {kva:.0f} kVA, the feeder's own; --kva-per-household sizes it"
    return (
        f"transformer: sized to {kva:.0f} kVA, {config.kva_per_household:g} per household "
        "(--kva-per-household); the feeder's own loads only say where households are connected"
    )


def _advice(
    config: ScenarioConfig, grid: Grid, figures: Mapping[str, Mapping[str, Summary]]
) -> list[str]:
    """What a reader of the table should know about this scenario in particular."""
    advice = []
    loading = mean_of(figures["nash"], "trafo_loading_percent")
    if loading < UNLOADED_PERCENT:
        advice.append(
            f"the transformer is no constraint here (Nash loads it to {loading:.0f} % at the peak "
            "of a mean day): what is closed is a gap of the tariff, which is the same for any "
            "transformer"
        )
    if config.households < FEW_HOUSEHOLDS:
        advice.append(
            f"with {config.households} households one job moves the whole feeder, and learners "
            "that know past load curves only hardly get ahead of the equilibrium (docs/limits.md)"
        )
    return advice
