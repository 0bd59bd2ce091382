"""Days of a few jobs, written by hand, for rules that are worked out on paper. Not collected."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gridsim.game.tariff import Tariff
from gridsim.households.households import (
    MAX_CYCLE_STEPS,
    STEPS_PER_DAY,
    Days,
    HouseholdConfig,
    JobKind,
    Jobs,
)

LEVEL_KW = 11.0 / 3.0  # a level-step is 0.25 h of it: 11/12 kWh


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyJob:
    """A car of `units` level-steps, a battery, or a cycle of `cycle_kw`."""

    household: int
    arrival: int
    end: int
    units: int = 0
    cycle_kw: tuple[float, ...] = ()
    day: int = 0
    delay_cost: float = 0.001
    kind: JobKind = JobKind.WASHING_MACHINE
    battery_kwh: float = 0.0


def tiny_days(
    jobs: Sequence[TinyJob], *, households: int = 2, num_days: int = 1, base_kw: float = 0.0
) -> Days:
    """Days with these jobs in their order, and the same base load in every step."""
    jobs = sorted(jobs, key=lambda job: (job.day, job.household, job.arrival))
    cycles = np.zeros((len(jobs), MAX_CYCLE_STEPS))
    for row, job in zip(cycles, jobs, strict=True):
        row[: len(job.cycle_kw)] = job.cycle_kw

    def column(name: str) -> np.ndarray:
        return np.array([getattr(job, name) for job in jobs])

    return Days(
        base_kw=np.full((num_days, households, STEPS_PER_DAY), base_kw),
        jobs=Jobs(
            day=column("day"),
            household=column("household"),
            kind=np.array([int(JobKind.EV if job.units else job.kind) for job in jobs]),
            arrival_step=column("arrival"),
            end_step=column("end"),
            duration_steps=np.array([job.units or len(job.cycle_kw) for job in jobs]),
            cycle_kw=cycles,
            units=column("units"),
            delay_cost=column("delay_cost").astype(float),
            battery_kwh=column("battery_kwh").astype(float),
        ),
        calendar_day=np.zeros(num_days, dtype=np.int64),
        is_weekend=np.zeros(num_days, dtype=np.int64),
        temperature_c=np.zeros((num_days, STEPS_PER_DAY)),
        ev_level_kw=LEVEL_KW,
        battery=HouseholdConfig().battery,
    )


def flat_tariff(price: float = 0.2, *, gamma: float = 0.0, beta: float = 0.0) -> Tariff:
    """The same price all day; without the terms of demand unless given."""
    return Tariff(base_price=np.full(STEPS_PER_DAY, price), beta=beta, gamma=gamma, kappa=1.0)
