"""From schedules to figures: what they cost, what they do to the feeder, how certain that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from gridsim.config import GridConfig
from gridsim.game.costs import Costs
from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, STEPS_PER_DAY
from gridsim.households.other_power import OtherPower
from gridsim.network.feeder import Attachment, Feeder
from gridsim.powerflow.audit import Audit, audit
from gridsim.powerflow.loads import terminal_power
from gridsim.powerflow.solve import PowerFlow, solve_power_flow
from gridsim.powerflow.unbalanced_audit import UnbalancedAudit
from gridsim.references.same_information import PLANNER_BY_RULE, SELFISH_BY_RULE
from gridsim.results.instrument_figures import (
    Money,
    announced_bytes,
    instrument_kpis,
    money_of,
)
from gridsim.results.key_figures import (
    equity_kpis,
    grid_kpis,
    load_kpis,
    money_kpis,
)
from gridsim.results.labels import LABELS, ROWS
from gridsim.results.phases import PhasePower, Phases, audit_phases, phase_kpis, power_by_phase
from gridsim.stage import Stage, plays_of, schedules_of, set_stage
from ss_core.random_streams import Stream, numpy_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.report.labels import in_order
from ss_core.scenario.key_figures import DayFigures, Scores
from ss_core.scenario.protocol import Prepared
from ss_core.scenario.tasks import TRIAL_COST

AUDITED = ("asap", "nash")  # beside the learned row: the feeder at its worst
SAME_INFORMATION = "same_information"  # sub-task of the rows that know what learners know
INSTRUMENTS = "instruments"  # sub-task of the policy instruments


@dataclass(frozen=True, slots=True)
class Grid:
    """The feeder, who lives where, and the reactive power that comes with active power."""

    feeder: Feeder
    attachment: Attachment
    reactive_share: float  # Q / P = tan φ
    net_notes: tuple[str, ...] = ()  # what of the user's net was changed or is not used
    others: OtherPower | None = None  # on the held-out days; None: there is nobody else
    pv_kw: Float[np.ndarray, "day household step"] | None = None  # of households, on these days
    first_hour: int = 12  # of a day
    phases: Phases | None = None  # None: power flow is balanced


@dataclass(frozen=True, slots=True)
class Scored:
    """One row of the result: a policy or reference on the held-out days."""

    name: str
    schedule: Schedule  # of the first play
    costs: Costs  # of the first play
    power_flow: PowerFlow  # of the first play; batch = day * 96 + step
    figures: DayFigures  # per day, averaged over plays
    play_cost_eur: Float[np.ndarray, "play day"]  # C of every play


def power_flow_of(
    grid: Grid, schedule: Schedule
) -> tuple[PowerFlow, Float[np.ndarray, "batch terminal"], Float[np.ndarray, "batch terminal"]]:
    """Solve every step of the held-out days; also what terminals draw, MW and Mvar."""
    p_mw, q_mvar = load_power(grid, schedule.load_kw, schedule.curtailed_kw)
    return solve_power_flow(grid.feeder, p_mw, q_mvar), p_mw, q_mvar


def load_power(
    grid: Grid,
    load_kw: Float[np.ndarray, "day household step"],
    curtailed_kw: Float[np.ndarray, "day household step"] | None = None,
) -> tuple[Float[np.ndarray, "batch terminal"], Float[np.ndarray, "batch terminal"]]:
    """What the feeder's terminals draw in every step of the held-out days, MW and Mvar.

    Loads count what is curtailed.
    """
    pv_kw = generated_kw(grid.pv_kw, curtailed_kw)
    given_kw = None if pv_kw is None else _by_step(pv_kw)
    p_mw, q_mvar = terminal_power(grid.attachment, _by_step(load_kw), given_kw, grid.reactive_share)
    return (p_mw, q_mvar) if grid.others is None else grid.others.beside(p_mw, q_mvar)


def generated_kw(
    pv_kw: Float[np.ndarray, "day household step"] | None,
    curtailed_kw: Float[np.ndarray, "day household step"] | None,
) -> Float[np.ndarray, "day household step"] | None:
    """What households' photovoltaics give; None: there are none."""
    return pv_kw if pv_kw is None or curtailed_kw is None else pv_kw - curtailed_kw


def _by_step(kw: Float[np.ndarray, "day household step"]) -> np.ndarray:
    return kw.transpose(0, 2, 1).reshape(-1, kw.shape[1])


def scored(
    plays: Sequence[Schedule],
    tariff: Tariff,
    grid: Grid,
    nash_cost_eur: np.ndarray | None,
    money: Money | None = None,
) -> Scored:
    """Figures of one row; `nash_cost_eur[day, household]` is what equity is measured against.

    `money`: what an instrument charges, where the row is one.
    """
    figures: list[DayFigures] = []
    first: tuple[Costs, PowerFlow] | None = None
    for schedule in plays:
        costs = schedule.costs(tariff)
        flow, _, _ = power_flow_of(grid, schedule)
        first = first or (costs, flow)
        figures.append(_figures(schedule, costs, flow, grid, nash_cost_eur))
    assert first is not None
    if money is not None and nash_cost_eur is not None:
        figures[0] |= instrument_kpis(money, first[0], nash_cost_eur)
    return Scored(
        name=plays[0].name,
        schedule=plays[0],
        costs=first[0],
        power_flow=first[1],
        figures={k: np.mean([f[k] for f in figures], axis=0) for k in figures[0]},
        play_cost_eur=np.stack([s.costs(tariff).social_cost_eur for s in plays]),
    )


def _figures(
    schedule: Schedule,
    costs: Costs,
    flow: PowerFlow,
    grid: Grid,
    nash_cost_eur: np.ndarray | None,
) -> DayFigures:
    days = len(schedule.load_kw)

    def by_day(x: np.ndarray) -> np.ndarray:
        return x.reshape(days, STEPS_PER_DAY, *x.shape[1:])

    at_home = grid.feeder.load_bus[grid.attachment.load_of_household]
    figures = money_kpis(costs) | load_kpis(schedule.load_kw)
    if grid.pv_kw is not None:
        cut_kw = schedule.curtailed_kw
        figures["curtailed_kwh"] = (
            np.zeros(days) if cut_kw is None else STEP_H * cut_kw.sum(axis=(1, 2))
        )
    figures |= grid_kpis(
        household_vm_pu=by_day(flow.vm_pu[:, at_home]),
        trafo_loading_percent=by_day(highest(flow.trafo_loading_percent))
        if grid.feeder.has_transformer
        else None,
        line_loading_percent=by_day(highest(flow.line_loading_percent)),
        loss_kw=by_day(flow.loss_mw) * 1000.0,
        converged=by_day(flow.converged),
    )
    if grid.phases is not None:
        figures |= phase_kpis(grid.phases, grid.attachment, phase_powers(grid, schedule))
    if nash_cost_eur is not None:
        figures |= equity_kpis(costs.cost_eur, nash_cost_eur)
    return figures


def phase_powers(grid: Grid, schedule: Schedule) -> list[PhasePower]:
    """What terminals draw by phase, day by day; the feeder has data for three."""
    assert grid.phases is not None
    return [
        power_by_phase(
            grid.phases,
            grid.attachment,
            schedule.load_kw,
            schedule.job_kw,
            generated_kw(grid.pv_kw, schedule.curtailed_kw),
            reactive_share=grid.reactive_share,
            others=grid.others,
            day=slice(day, day + 1),
        )
        for day in range(len(schedule.load_kw))
    ]


def highest(values: Float[np.ndarray, "batch element"]) -> Float[np.ndarray, " batch"]:
    """Largest over elements; 0 where the feeder has none of them."""
    return values.max(axis=1) if values.shape[1] else np.zeros(len(values))


@dataclass(frozen=True, slots=True)
class GridScores:
    """What the grid's notes and tables are made from, beside key figures."""

    stage: Stage
    rows: Mapping[str, Scored]
    certificate: Mapping[str, float]
    audits: Mapping[str, Audit]
    decisions: Mapping[str, Mapping[str, np.ndarray]]  # [job] of the first play, by learner
    phase_audits: Mapping[str, UnbalancedAudit] = field(default_factory=dict)  # none: balanced


def score(config: GridConfig, prepared: Prepared, results: Mapping[str, Checkpoint]) -> Scores:
    """Score every row on the held-out days, and let pandapower check the feeder at its worst."""
    grid: Grid = prepared.world
    stage = set_stage(config)
    days, tariff = stage.held_out, stage.world.tariff
    referred = results["references"]
    known = results.get(SAME_INFORMATION)
    found = schedules_of(referred, days) + (schedules_of(known, days) if known else [])
    plays = {s.name: [s] for s in found if s.name in LABELS}
    played = results.get(INSTRUMENTS)
    if played:
        plays |= {s.name: [s] for s in schedules_of(played, days)}
    money = money_of(played.tensors) if played else {}
    plays |= {name: plays_of(results[name], name, days) for name in config.learners}
    nash_cost = plays["nash"][0].costs(tariff).cost_eur
    rows = {
        name: scored(
            plays[name], tariff, grid, None if name == "nash" else nash_cost, money.get(name)
        )
        for name in in_order(ROWS, plays)
    }
    if config.instruments and config.variant == "in_turn":
        told = {"revealed_bytes": announced_bytes(config, days)}
        in_turn = {*config.learners, SELFISH_BY_RULE, PLANNER_BY_RULE}
        rows |= {k: replace(v, figures=v.figures | told) for k, v in rows.items() if k in in_turn}
    return Scores(
        figures={name: row.figures for name, row in rows.items()},
        cost={name: row.play_cost_eur for name, row in rows.items()},
        no_dilemma=bool(referred.state["no_dilemma"]),
        num_agents=config.households,
        trial_cost=_trial_cost(known),
        bytes_by_kind={
            **({SELFISH_BY_RULE: known.state["bytes_by_kind"]} if known else {}),
            **{name: results[name].state["bytes_by_kind"] for name in config.learners},
        },
        num_updates={name: results[name].state["num_updates"] for name in config.learners},
        detail=GridScores(
            stage,
            rows,
            referred.state["certificate"],
            _audits(rows, grid, config),
            {name: _decisions(results[name]) for name in config.learners},
            _phase_audits(rows, grid, config),
        ),
    )


def _trial_cost(known: Checkpoint | None) -> dict[str, np.ndarray]:
    """What trial days cost all households together, by row that nobody learned."""
    if known is None:
        return {}
    return {SELFISH_BY_RULE: known.tensors[f"{TRIAL_COST}/{SELFISH_BY_RULE}"].numpy()}


def _decisions(result: Checkpoint) -> dict[str, np.ndarray]:
    return {
        name: result.tensors[name][0].numpy()
        for name in ("chosen", "probability", "num_plans")
        if name in result.tensors
    }


def _phase_audits(
    rows: Mapping[str, Scored], grid: Grid, config: GridConfig
) -> dict[str, UnbalancedAudit]:
    if grid.phases is None:
        return {}
    checked = [*AUDITED, next(iter(config.learners))]
    return {
        name: audit_phases(
            config.feeder_name,
            grid.phases,
            phase_powers(grid, rows[name].schedule),
            samples=-(-config.audit_steps // len(checked)),
            rng=numpy_generator(config.seed, Stream.AUDIT, 1),
        )
        for name in checked
    }


def _audits(rows: Mapping[str, Scored], grid: Grid, config: GridConfig) -> dict[str, Audit]:
    checked = [*AUDITED, next(iter(config.learners))]
    audits = {}
    for name in checked:
        flow, p_mw, q_mvar = power_flow_of(grid, rows[name].schedule)
        audits[name] = audit(
            config.feeder_name,
            grid.feeder,
            p_mw,
            q_mvar,
            flow,
            samples=-(-config.audit_steps // len(checked)),
            rng=numpy_generator(config.seed, Stream.AUDIT),
        )
    return audits
