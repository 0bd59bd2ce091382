"""What a grid run writes to its trace: rows of `ss.trace/1`, one function per table."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from gridsim.game.joint_schedules import WET_APPLIANCES, Schedule, device_load_kw
from gridsim.households.households import STEP_H, Days, JobKind, Population, household_names
from gridsim.powerflow.audit import Audit
from gridsim.results.key_figures import HIGHEST_VM_PU, LOWEST_VM_PU
from gridsim.results.scoring import Grid, Scored, generated_kw, highest
from ss_core.record import trace_rows
from ss_core.record.trace_writer import TraceWriter

HOUR_S = 3600.0
UNITS = {
    "_eur_per_household": "EUR/day", "_eur": "EUR/day", "_kw": "kW", "_kwh": "kWh/day",
    "_percent": "%", "_h": "h/day", "_pu": "p.u.", "_095": "h/day", "_steps": "1",
    "_bytes": "B/day", "neutral_a": "A",
}  # fmt: skip


def clock(row: Scored, seed: int, shape: tuple[int, ...], first_hour: int) -> dict[str, Any]:
    """Columns that say when: `shape` is (day, …, step), days begin at `first_hour`."""
    day = np.arange(shape[0]).reshape(-1, *[1] * (len(shape) - 1))
    step = np.arange(shape[-1])
    return step_columns(row.name, seed, _full(day, shape), _full(step, shape), first_hour)


def seconds_of(step: Any, first_hour: int) -> Any:
    """Of steps of a day that begins at `first_hour`, since the midnight before."""
    return first_hour * HOUR_S + step * STEP_H * HOUR_S


def step_columns(
    name: str, seed: int, day: np.ndarray, step: np.ndarray, first_hour: int
) -> dict[str, Any]:
    """Columns that say whose row it is, and when: day and step of each row."""
    return {
        "algorithm": name,
        "phase": "eval",
        "seed": seed,
        "day": day.astype(np.int32),
        "step": step.astype(np.int32),
        "sim_time_s": seconds_of(step, first_hour),
    }


def _full(values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return np.broadcast_to(values, shape).reshape(-1)


def write_agents(writer: TraceWriter, population: Population, days: Days, grid: Grid) -> None:
    """The `agent` table."""
    owns = population.owns.astype(bool)
    bus = grid.feeder.load_bus[grid.attachment.load_of_household]
    is_heat_pump = days.jobs.kind == JobKind.HEAT_PUMP
    rated_kw = np.zeros(population.num_households)
    np.maximum.at(
        rated_kw, days.jobs.household[is_heat_pump], days.jobs.cycle_kw[is_heat_pump].max(axis=1)
    )
    nothing = np.nan
    writer.write(
        "agent",
        {
            "agent_id": household_names(population.num_households),
            "kind": "household",
            "group_id": "household",
            "bus_id": [grid.feeder.bus_name[b] for b in bus],
            "annual_base_kwh": consumed_kw(days).sum(axis=2).mean(axis=0) * STEP_H * 365.0,
            "ev_kw": np.where(owns[:, JobKind.EV], 3.0 * days.ev_level_kw, nothing),
            "heat_pump_kw": np.where(owns[:, JobKind.HEAT_PUMP], rated_kw, nothing),
            "pv_kwp": np.where(population.pv_kwp > 0.0, population.pv_kwp, nothing),
            "battery_kwh": np.where(population.battery_kwh > 0.0, population.battery_kwh, nothing),
        },
    )


def write_household_steps(
    writer: TraceWriter, row: Scored, days: Days, gamma_share_eur: np.ndarray, seed: int
) -> None:
    """The `household_step` table of one row; `gamma_share_eur[day, step]` is the charge share."""
    load_kw = row.schedule.load_kw
    shape = load_kw.shape
    price = row.costs.price_eur_per_kwh[:, None, :]
    devices = {
        "ev_kw": (JobKind.EV,),
        "heat_pump_kw": (JobKind.HEAT_PUMP,),
        "appliance_kw": WET_APPLIANCES,
        "battery_kw": (JobKind.BATTERY,),
    }
    discomfort = np.broadcast_to(row.schedule.discomfort_eur[:, :, None] / shape[-1], shape)
    columns = {
        "agent_id": _full(household_names(shape[1])[:, None], shape),
        "load_kw": load_kw,
        "base_kw": consumed_kw(days),
        "pv_kw": _or_zero(generated_kw(days.pv_kw, row.schedule.curtailed_kw)),
        "curtailed_kw": _or_zero(row.schedule.curtailed_kw),
        **{k: device_load_kw(days, row.schedule.job_kw, v) for k, v in devices.items()},
        "price_eur_per_kwh": np.broadcast_to(price, shape),
        "bill_eur": STEP_H * price * load_kw,
        "charge_eur": np.broadcast_to(gamma_share_eur[:, None, :], shape),
        "discomfort_eur": discomfort,
    }
    writer.write(
        "household_step",
        clock(row, seed, shape, days.first_hour)
        | {k: np.broadcast_to(v, shape).reshape(-1) for k, v in columns.items() if k != "agent_id"}
        | {"agent_id": columns["agent_id"]},
    )


def consumed_kw(days: Days) -> Float[np.ndarray, "day household step"]:
    """Inflexible load without what photovoltaics generate."""
    return days.base_kw if days.pv_kw is None else days.base_kw + days.pv_kw


def write_feeder_steps(writer: TraceWriter, row: Scored, grid: Grid, seed: int) -> None:
    """The `feeder_step` table of one row."""
    flow, load_kw = row.power_flow, row.schedule.load_kw
    at_home = flow.vm_pu[:, grid.feeder.load_bus[grid.attachment.load_of_household]]
    outside = (flow.vm_pu < LOWEST_VM_PU) | (flow.vm_pu > HIGHEST_VM_PU)
    overloaded = (flow.line_loading_percent > 100.0).sum(axis=1) + (
        flow.trafo_loading_percent > 100.0
    ).sum(axis=1)
    writer.write(
        "feeder_step",
        clock(row, seed, (load_kw.shape[0], load_kw.shape[2]), grid.first_hour)
        | {
            "p_total_kw": load_kw.sum(axis=1).reshape(-1),
            "other_load_kw": 0.0 if grid.others is None else grid.others.load_kw,
            "generation_kw": generation_kw(grid, row.schedule),
            "trafo_loading_percent": _highest_or_none(flow.trafo_loading_percent),
            "line_loading_percent": _highest_or_none(flow.line_loading_percent),
            "v_min_pu": at_home.min(axis=1),
            "v_max_pu": at_home.max(axis=1),
            "losses_kw": flow.loss_mw * 1000.0,
            "price_eur_per_kwh": row.costs.price_eur_per_kwh.reshape(-1),
            "n_violation": (outside.sum(axis=1) + overloaded).astype(np.int32),
            "converged": flow.converged,
            "iterations": flow.iterations.astype(np.int32),
        },
    )


def generation_kw(grid: Grid, schedule: Schedule) -> np.ndarray | float:
    """What households' and all other generators give in each step, kW."""
    other = 0.0 if grid.others is None else grid.others.generation_kw
    pv_kw = generated_kw(grid.pv_kw, schedule.curtailed_kw)
    return other if pv_kw is None else other + pv_kw.sum(axis=1).reshape(-1)


def _or_zero(kw: np.ndarray | None) -> np.ndarray | float:
    return 0.0 if kw is None else kw


def _highest_or_none(percent: Float[np.ndarray, "batch element"]) -> np.ndarray | None:
    """Of the elements of a kind; None, which is null in the trace, where there are none."""
    return highest(percent) if percent.shape[1] else None


def write_decisions(
    writer: TraceWriter, row: Scored, days: Days, decided: Mapping[str, np.ndarray], seed: int
) -> None:
    """The `agent_decision` table of one learned row: one line per job, its last decision."""
    jobs, job_kw = days.jobs, row.schedule.job_kw
    kinds = np.array([kind.name.lower() for kind in JobKind])
    started = (job_kw > 0).argmax(axis=1) - jobs.arrival_step
    writer.write(
        "agent_decision",
        {
            "algorithm": row.name,
            "phase": "eval",
            "seed": seed,
            "day": jobs.day.astype(np.int32),
            "step": jobs.arrival_step.astype(np.int32),
            "sim_time_s": seconds_of(jobs.arrival_step, days.first_hour),
            "agent_id": household_names(days.num_households)[jobs.household],
            "job_kind": kinds[jobs.kind],
            "candidate": decided["chosen"].astype(np.int32),
            "n_candidate": decided["num_plans"].astype(np.int32),
            "own_prob": decided["probability"],
            "delay_h": started * STEP_H,
            "energy_kwh": job_kw.sum(axis=1) * STEP_H,
        },
    )


def write_checks(
    writer: TraceWriter, audits: Mapping[str, Audit], certificate: Mapping[str, float]
) -> None:
    """Rows of the `kpi` table about trust: the audit, and how well references are known."""
    for name, one in audits.items():
        audited = {key: float(getattr(one, key)) for key in one.__slots__}
        _write_plain(writer, name, "audit", audited, "steps solved again by pandapower.runpp")
    _write_plain(writer, "optimum", "certificate", certificate, "see docs/results/grid.md")


def _write_plain(
    writer: TraceWriter, name: str, scope: str, figures: Mapping[str, float], method: str
) -> None:
    units = UNITS | {"_mw": "MW", "_ct": "ct/day"}
    writer.write(
        "kpi",
        {
            "algorithm": name,
            "kpi": list(figures),
            "scope": scope,
            "value": [float(value) for value in figures.values()],
            "unit": [trace_rows.unit_of(key, units) for key in figures],
            "method": method,
        },
    )
