"""What one household does that minimises what its tariff charges it, plus its own waiting.

Its jobs are revised one after the other until none gains: cars and cycles exactly, a battery by
dynamic programming over what is stored, at the tariff's cost of each step. A charge on the peak is
no cost of a step: a heuristic, tried at a few caps. Nothing of others enters. Importing this module
imports numba.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.households.batteries import BatteryKind
from gridsim.households.battery_search import NUM_POWERS, cheapest_plan, fill_powers
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days
from gridsim.households.schedules import EV_LEVELS
from gridsim.instruments.own_tariff import OwnTariff, feed_in_eur, kept_kw, network_eur, paid_eur

TOLERANCE_EUR = 1e-9  # a move must gain more than this
MOST_SWEEPS = 20
CAPS = 5  # on the household's peak, from the lowest that the battery's power can reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job as a household sees it."""

    arrival: int
    end: int
    duration: int
    cycle_kw: Float[np.ndarray, " cycle"]
    units: int  # level-steps of a car; 0: a cycle or a battery
    delay_cost: float
    level_kw: float
    battery_kwh: float = 0.0  # 0: not a battery
    battery: BatteryKind | None = None  # of a battery

    @classmethod
    def row(cls, days: Days, j: int) -> "Job":
        """Row `j` of the days' jobs."""
        jobs = days.jobs
        return cls(
            arrival=int(jobs.arrival_step[j]),
            end=int(jobs.end_step[j]),
            duration=int(jobs.duration_steps[j]),
            cycle_kw=jobs.cycle_kw[j],
            units=int(jobs.units[j]),
            delay_cost=float(jobs.delay_cost[j]),
            level_kw=float(days.ev_level_kw),
            battery_kwh=float(jobs.battery_kwh[j]),
            battery=days.battery if jobs.battery_kwh[j] > 0.0 else None,
        )


def best_load(
    job: Job, own_kw: Float[np.ndarray, " step"], tariff: OwnTariff
) -> Float[np.ndarray, " step"]:
    """The cheapest load of a job on top of what its household draws else."""
    if job.battery is not None:
        return best_battery(job.battery_kwh, job.delay_cost, job.battery, own_kw, tariff)
    return _best_charging(job, own_kw, tariff) if job.units else _best_cycle(job, own_kw, tariff)


def _best_cycle(
    job: Job, own_kw: Float[np.ndarray, " step"], tariff: OwnTariff
) -> Float[np.ndarray, " step"]:
    starts = np.arange(job.arrival, job.end - job.duration + 1)
    loads = np.zeros((len(starts), STEPS_PER_DAY))
    at = starts[:, None] + np.arange(job.duration)
    loads[np.arange(len(starts))[:, None], at] = job.cycle_kw[: job.duration]
    waiting = job.delay_cost * STEP_H * (starts - job.arrival)
    return loads[(paid_eur(tariff, own_kw + loads) + waiting).argmin()]


def _best_charging(
    job: Job, own_kw: Float[np.ndarray, " step"], tariff: OwnTariff
) -> Float[np.ndarray, " step"]:
    """Level-steps in the cheapest steps below a cap, and the cap at which the sum is least.

    Exact: without the peak a step's next level never costs less (feeding in brings no more than the
    price, and nothing above a limit; a price below 0 is the exception), and a peak is a cap.
    """
    steps, level_kw = np.arange(job.arrival, job.end), job.level_kw
    own, levels = own_kw[steps, None], level_kw * np.arange(EV_LEVELS + 1)
    above = np.diff(np.maximum(own + levels - tariff.segment_kw, 0.0), axis=1)
    waiting = job.delay_cost * STEP_H * (steps - job.arrival)[:, None]
    unit_eur = level_kw * (tariff.price[steps, None] + waiting)
    reached = own + levels
    if math.isfinite(tariff.export_limit_kw):  # what would not be generated costs nothing
        reached = kept_kw(tariff, reached)
        unit_eur = np.diff(reached, axis=1) * tariff.price[steps, None] + level_kw * waiting
    if tariff.feed_in_loss is not None:  # the household's own sun is cheaper
        fed_in = np.diff(np.maximum(-reached, 0.0), axis=1)
        unit_eur = unit_eur + tariff.feed_in_loss[steps, None] * fed_in
    unit_eur = STEP_H * (unit_eur + tariff.segment_eur_per_kwh * above)
    if tariff.network is not None:
        charged = network_eur(tariff.network, reached.T, steps).T
        unit_eur = unit_eur + np.diff(charged, axis=1)
    order = np.argsort(unit_eur, axis=None, kind="stable")
    reach_kw = (own + levels[1:]).ravel()[order]
    caps_kw = np.array([np.inf])
    if tariff.peak_eur_per_kw > 0.0:
        paid_kw = max(float(own_kw.max()), tariff.free_kw)  # a peak that costs nothing more
        caps_kw = np.append(np.unique(reach_kw[reach_kw > paid_kw]), paid_kw)
    allowed = reach_kw <= caps_kw[:, None] + 1e-9
    taken = allowed & (allowed.cumsum(axis=1) <= job.units)
    cost = (taken * unit_eur.ravel()[order]).sum(axis=1)
    cost = np.where(taken.sum(axis=1) == job.units, cost, np.inf)
    if tariff.peak_eur_per_kw > 0.0:
        cost += tariff.peak_eur_per_kw * (caps_kw - tariff.free_kw)
    chosen = order[taken[cost.argmin()]] // EV_LEVELS
    load = np.zeros(STEPS_PER_DAY)
    np.add.at(load, steps[chosen], level_kw)
    return load


def best_battery(
    capacity_kwh: float,
    wear_eur_per_kwh: float,
    kind: BatteryKind,
    own_kw: Float[np.ndarray, " step"],
    tariff: OwnTariff,
) -> Float[np.ndarray, " step"]:
    """The cheapest plan found on top of what the household draws without its battery.

    With a charge r on the peak, each cap c of a few gives a plan at r Σ_t (x_t - c)₊ more: never
    less than the charge above c, and the same where x stays below it. The plan that truly costs
    least counts; beside them one that does not look at the peak.
    """
    most_kw = kind.kw_per_kwh * capacity_kwh
    caps_kw = np.array([np.inf])
    if tariff.peak_eur_per_kw > 0.0:
        paid_kw = max(float(own_kw.max()), tariff.free_kw)  # a peak that costs nothing more
        lowest = max(float(own_kw.max()) - most_kw, tariff.free_kw)
        caps_kw = np.append(caps_kw, np.unique(np.linspace(lowest, paid_kw, CAPS)))
    plans = np.stack(
        [
            _below(cap, capacity_kwh, wear_eur_per_kwh, kind, own_kw, tariff)
            for cap in caps_kw.tolist()
        ]
    )
    cost = paid_eur(tariff, own_kw + plans)
    cost += kind.cost_eur(plans, np.full(len(plans), wear_eur_per_kwh))
    return plans[cost.argmin()]


def _below(
    cap_kw: float,
    capacity_kwh: float,
    wear_eur_per_kwh: float,
    kind: BatteryKind,
    own_kw: Float[np.ndarray, " step"],
    tariff: OwnTariff,
) -> Float[np.ndarray, " step"]:
    """The cheapest plan where each step above a cap costs the rate of the peak."""
    most_kw = kind.kw_per_kwh * capacity_kwh
    powers = np.empty((STEPS_PER_DAY, NUM_POWERS))
    fill_powers(powers, own_kw, most_kw)
    bends = [cap_kw] if np.isfinite(cap_kw) else []
    bends += [-tariff.export_limit_kw] if np.isfinite(tariff.export_limit_kw) else []
    bends += [tariff.segment_kw] if tariff.segment_eur_per_kwh > 0.0 else []
    reach = [np.clip(bend - own_kw, -most_kw, most_kw)[:, None] for bend in bends]
    powers = np.ascontiguousarray(np.concatenate([powers, *reach], axis=1))
    drawn = kept_kw(tariff, own_kw[:, None] + powers)
    above = np.maximum(drawn - tariff.segment_kw, 0.0)
    costs = STEP_H * (tariff.price[:, None] * drawn + tariff.segment_eur_per_kwh * above)
    costs += feed_in_eur(tariff, drawn.T).T
    if tariff.network is not None:
        costs += network_eur(tariff.network, drawn.T).T
    costs += kind.step_eur(powers, np.array(wear_eur_per_kwh), np.arange(STEPS_PER_DAY)[:, None])
    if np.isfinite(cap_kw):
        costs += tariff.peak_eur_per_kw * np.maximum(drawn - cap_kw, 0.0)
    kw = np.empty(STEPS_PER_DAY)
    cheapest_plan(costs, powers, 0, 0.0, capacity_kwh, kind.one_way, kw)
    return kw


def best_response(
    days: Days,
    rows: np.ndarray,
    base_kw: Float[np.ndarray, " step"],
    start_kw: Float[np.ndarray, "own step"],
    tariff: OwnTariff,
) -> Float[np.ndarray, "own step"]:
    """Loads of the jobs `rows` of one household, from `start_kw` on, until no job gains.

    A household with a battery tries it, too, with the battery silent at first: what stores the sun
    keeps it from a car that one job at a time would not move. The cheaper end counts.
    """
    jobs = [Job.row(days, j) for j in rows.tolist()]
    found = _revised(jobs, base_kw, start_kw, tariff)
    stores = np.array([job.battery is not None for job in jobs], dtype=bool)
    if not stores.any() or stores.all():
        return found
    silent = _revised(jobs, base_kw, np.where(stores[:, None], 0.0, start_kw), tariff)
    eur = [_household_eur(jobs, base_kw, loads, tariff) for loads in (found, silent)]
    return silent if eur[1] < eur[0] - TOLERANCE_EUR else found


def _household_eur(
    jobs: list[Job],
    base_kw: Float[np.ndarray, " step"],
    load_kw: Float[np.ndarray, "own step"],
    tariff: OwnTariff,
) -> float:
    waiting = sum(
        float(_waiting(job, own[None])[0]) for job, own in zip(jobs, load_kw, strict=True)
    )
    return float(paid_eur(tariff, (base_kw + load_kw.sum(axis=0))[None])[0]) + waiting


def _revised(
    jobs: list[Job],
    base_kw: Float[np.ndarray, " step"],
    start_kw: Float[np.ndarray, "own step"],
    tariff: OwnTariff,
) -> Float[np.ndarray, "own step"]:
    load_kw = start_kw.copy()
    for _ in range(MOST_SWEEPS):
        moved = False
        for k, job in enumerate(jobs):
            rest = base_kw + load_kw.sum(axis=0) - load_kw[k]
            found = best_load(job, rest, tariff)
            both = np.stack([load_kw[k], found])
            before, after = paid_eur(tariff, rest + both) + _waiting(job, both)
            if after < before - TOLERANCE_EUR:
                load_kw[k], moved = found, True
        if not moved:
            break
    return load_kw


def _waiting(job: Job, loads: Float[np.ndarray, "k step"]) -> Float[np.ndarray, " k"]:
    if job.battery is not None:
        return job.battery.cost_eur(loads, np.full(len(loads), job.delay_cost))
    if job.units:
        since_h = STEP_H * (np.arange(STEPS_PER_DAY) - job.arrival)
        return job.delay_cost * STEP_H * (loads @ since_h)
    silent = (job.cycle_kw > 0).argmax()
    return job.delay_cost * STEP_H * ((loads > 0).argmax(axis=1) - silent - job.arrival)
