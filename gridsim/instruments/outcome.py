"""What came of an instrument: a joint schedule, who paid what, what was not delivered or told."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from gridsim.game.costs import Costs
from gridsim.game.joint_schedules import Schedule
from gridsim.households.households import STEP_H, STEPS_PER_DAY, Days

METER_BYTES = 4 * STEPS_PER_DAY  # a day's quarter-hours as 4-byte numbers
VALUE_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One instrument on a batch of days. The schedule's discomfort contains the comfort lost."""

    schedule: Schedule
    paid_eur: Float[np.ndarray, "day household"]  # energy and network, as the instrument bills them
    instrument_eur: Float[np.ndarray, "day household"]  # of it, or beside it, by the instrument
    undelivered_kwh: Float[np.ndarray, "day household"]
    comfort_lost_eur: Float[np.ndarray, "day household"]
    dimmed_h: Float[np.ndarray, " day"]  # hours of each household with less power than it wanted
    # to draw, or to give
    revealed_bytes: Float[np.ndarray, " day"]  # of each household, to whoever runs the instrument

    @classmethod
    def of(
        cls,
        schedule: Schedule,
        *,
        paid_eur: Float[np.ndarray, "day household"],
        instrument_eur: Float[np.ndarray, "day household"] | None = None,
        undelivered_kwh: Float[np.ndarray, "day household"] | None = None,
        comfort_lost_eur: Float[np.ndarray, "day household"] | None = None,
        dimmed_h: Float[np.ndarray, " day"] | None = None,
        revealed_bytes: float | Float[np.ndarray, " day"] = 0.0,
    ) -> Self:
        """With zeros for what the instrument has not."""
        nothing = np.zeros_like(paid_eur)
        revealed = np.asarray(revealed_bytes, dtype=np.float64)
        return cls(
            schedule=schedule,
            paid_eur=paid_eur,
            instrument_eur=nothing if instrument_eur is None else instrument_eur,
            undelivered_kwh=nothing if undelivered_kwh is None else undelivered_kwh,
            comfort_lost_eur=nothing if comfort_lost_eur is None else comfort_lost_eur,
            dimmed_h=nothing[:, 0].copy() if dimmed_h is None else dimmed_h,
            revealed_bytes=np.broadcast_to(revealed, (len(paid_eur),)).copy(),
        )


def held_back_h(cut_kw: Float[np.ndarray, "day household step"]) -> Float[np.ndarray, " day"]:
    """Hours of the mean household with less power than it wanted, or could give."""
    return STEP_H * (cut_kw > 0.0).sum(axis=(1, 2)) / cut_kw.shape[1]


def supply_eur(costs: Costs) -> Float[np.ndarray, "day household"]:
    """Energy at the demand-dependent price and an equal share of the feeder charge: the cost."""
    return costs.bill_eur + costs.charge_eur[..., None]


def surplus_eur(
    outcome_paid_eur: Float[np.ndarray, "day household"], costs: Costs
) -> Float[np.ndarray, " day"]:
    """What is left with supplier and operator per household; below 0: what they lack."""
    return (outcome_paid_eur - supply_eur(costs)).mean(axis=1)


def settled_eur(
    outcome_paid_eur: Float[np.ndarray, "day household"], costs: Costs
) -> Float[np.ndarray, "day household"]:
    """What households bear when surpluses are returned, and losses collected, in equal shares.

    Over households these sum to C, so that rows with and without an instrument compare.
    """
    back = surplus_eur(outcome_paid_eur, costs)[:, None]
    return outcome_paid_eur - back + costs.discomfort_eur


def waiting_eur(days: Days, job_kw: Float[np.ndarray, "job step"]) -> Float[np.ndarray, " job"]:
    """Private discomfort: cars per kWh and hour, cycles per hour of waiting; 0 for no load.

    A battery's is wear and waiting, less the worth of what is left.
    """
    jobs, steps = days.jobs, np.arange(STEPS_PER_DAY)
    energy_kwh = STEP_H * job_kw.sum(axis=1)
    since_h = STEP_H * (steps - jobs.arrival_step[:, None])
    car = STEP_H * (job_kw * since_h).sum(axis=1)
    silent = (jobs.cycle_kw > 0).argmax(axis=1)  # steps before a cycle draws
    start = (job_kw > 0).argmax(axis=1) - silent
    cycle = STEP_H * (start - jobs.arrival_step) * (energy_kwh > 0)
    waiting = jobs.delay_cost * np.where(jobs.units > 0, car, cycle)
    stores = jobs.battery_kwh > 0.0
    if stores.any():
        waiting[stores] = days.battery.cost_eur(job_kw[stores], jobs.delay_cost[stores])
    return waiting


def demanded_kwh(days: Days) -> Float[np.ndarray, " job"]:
    """Energy that each job asks for; a battery asks for none."""
    jobs = days.jobs
    car = jobs.units * days.ev_level_kw
    return STEP_H * np.where(jobs.units > 0, car, jobs.cycle_kw.sum(axis=1))


def by_household(
    days: Days, values: Float[np.ndarray, " job"]
) -> Float[np.ndarray, "day household"]:
    """Sums of the jobs of a household."""
    sums = np.zeros(days.base_kw.shape[:2])
    np.add.at(sums, (days.jobs.day, days.jobs.household), values)
    return sums


def with_losses(
    name: str,
    days: Days,
    job_kw: Float[np.ndarray, "job step"],
    undelivered_eur_per_kwh: float,
) -> tuple[Schedule, Float[np.ndarray, "day household"], Float[np.ndarray, "day household"]]:
    """A schedule that may leave jobs undone; kWh undelivered, and what they are worth.

    What is not delivered by the deadline costs its owner `undelivered_eur_per_kwh` as discomfort,
    instead of the energy price and of waiting.
    """
    missing = np.maximum(demanded_kwh(days) - STEP_H * job_kw.sum(axis=1), 0.0)
    missing[missing < 1e-9] = 0.0
    lost = undelivered_eur_per_kwh * missing
    schedule = Schedule.of_jobs(name, days, job_kw, waiting_eur(days, job_kw) + lost)
    return schedule, by_household(days, missing), by_household(days, lost)
