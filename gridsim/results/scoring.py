"""From schedules to figures: what they cost, what they do to the feeder, how certain that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.game.costs import Costs
from gridsim.game.joint_schedules import Schedule
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEPS_PER_DAY
from gridsim.network.feeder import Attachment, Feeder
from gridsim.powerflow.solve import PowerFlow, solve_power_flow
from gridsim.results.key_figures import (
    DayFigures,
    Summary,
    equity_kpis,
    grid_kpis,
    load_kpis,
    money_kpis,
)
from ss_core.statistics import Interval, gap_closed_interval


@dataclass(frozen=True, slots=True)
class Grid:
    """The feeder, who lives where, and the reactive power that comes with active power."""

    feeder: Feeder
    attachment: Attachment
    reactive_share: float  # Q / P = tan φ


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
    grid: Grid, load_kw: Float[np.ndarray, "day household step"]
) -> tuple[PowerFlow, Float[np.ndarray, "batch load"], Float[np.ndarray, "batch load"]]:
    """Solve every step; also the loads, MW and Mvar."""
    p_mw, q_mvar = load_power(grid, load_kw)
    return solve_power_flow(grid.feeder, p_mw, q_mvar), p_mw, q_mvar


def load_power(
    grid: Grid, load_kw: Float[np.ndarray, "day household step"]
) -> tuple[Float[np.ndarray, "batch load"], Float[np.ndarray, "batch load"]]:
    """What the feeder's loads draw in every step, MW and Mvar."""
    by_step = load_kw.transpose(0, 2, 1).reshape(-1, load_kw.shape[1])
    p_mw = grid.attachment.load_power(by_step) / 1000.0
    return p_mw, p_mw * grid.reactive_share


def score(
    plays: Sequence[Schedule], tariff: Tariff, grid: Grid, nash_cost_eur: np.ndarray | None
) -> Scored:
    """Figures of one row; `nash_cost_eur[day, household]` is what equity is measured against."""
    figures: list[DayFigures] = []
    first: tuple[Costs, PowerFlow] | None = None
    for schedule in plays:
        costs = schedule.costs(tariff)
        flow, _, _ = power_flow_of(grid, schedule.load_kw)
        first = first or (costs, flow)
        figures.append(_figures(schedule, costs, flow, grid, nash_cost_eur))
    assert first is not None
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
    figures |= grid_kpis(
        household_vm_pu=by_day(flow.vm_pu[:, at_home]),
        trafo_loading_percent=by_day(highest(flow.trafo_loading_percent)),
        loss_kw=by_day(flow.loss_mw) * 1000.0,
        converged=by_day(flow.converged),
    )
    if nash_cost_eur is not None:
        figures |= equity_kpis(costs.cost_eur, nash_cost_eur)
    return figures


def highest(values: Float[np.ndarray, "batch element"]) -> Float[np.ndarray, " batch"]:
    """Largest over elements; 0 where the feeder has none of them."""
    return values.max(axis=1) if values.shape[1] else np.zeros(len(values))


def gap_closed(
    row: Scored, nash: Scored, optimum: Scored, rng: np.random.Generator
) -> Interval | None:
    """(C_Nash - C_row) / (C_Nash - C_optimum) with its 95 % interval over days and plays."""
    return gap_closed_interval(
        nash.play_cost_eur[0], row.play_cost_eur, optimum.play_cost_eur[0], rng=rng
    )


def mean_of(summaries: Mapping[str, Summary], name: str) -> float:
    """The mean of one figure; NaN where the row has none."""
    return summaries[name].mean if name in summaries else float("nan")
