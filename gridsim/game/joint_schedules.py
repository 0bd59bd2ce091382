"""A joint schedule: what every job draws, and what follows for households. No solving here."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from gridsim.game.costs import Costs, costs
from gridsim.game.tariff import Tariff
from gridsim.households.households import STEP_H, Days, JobKind
from gridsim.households.schedules import Candidates

WET_APPLIANCES = (JobKind.WASHING_MACHINE, JobKind.DISHWASHER, JobKind.TUMBLE_DRYER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What all households of a batch of days do; `days` is the batch it belongs to."""

    name: str
    job_kw: Float[np.ndarray, "job step"]  # rows as in `Days.jobs`
    delay_eur: Float[np.ndarray, " job"]
    load_kw: Float[np.ndarray, "day household step"]  # base load, jobs and what is curtailed
    discomfort_eur: Float[np.ndarray, "day household"]
    curtailed_kw: Float[np.ndarray, "day household step"] | None = (
        None  # not generated; None: all is
    )

    @classmethod
    def of_jobs(
        cls,
        name: str,
        days: Days,
        job_kw: Float[np.ndarray, "job step"],
        delay_eur: Float[np.ndarray, " job"],
        curtailed_kw: Float[np.ndarray, "day household step"] | None = None,
    ) -> Self:
        """Add the jobs up to households; what their roofs do not generate the grid must bring."""
        discomfort = np.zeros(days.base_kw.shape[:2])
        load_kw = days.base_kw + device_load_kw(days, job_kw, tuple(JobKind))
        if curtailed_kw is not None and not curtailed_kw.any():
            curtailed_kw = None
        if curtailed_kw is not None:
            load_kw += curtailed_kw
        np.add.at(discomfort, (days.jobs.day, days.jobs.household), delay_eur)
        return cls(
            name=name,
            job_kw=job_kw,
            delay_eur=delay_eur,
            load_kw=load_kw,
            discomfort_eur=discomfort,
            curtailed_kw=curtailed_kw,
        )

    def costs(self, tariff: Tariff) -> Costs:
        """Bills, charge and discomfort under a tariff."""
        return costs(self.load_kw, self.discomfort_eur, tariff)


def chosen_schedule(
    name: str, days: Days, candidates: Candidates, action: Int[np.ndarray, " job"]
) -> Schedule:
    """The joint schedule of one candidate plan per job."""
    job = np.arange(days.jobs.num_jobs)
    return Schedule.of_jobs(
        name, days, candidates.load_kw[job, action], candidates.delay_eur[job, action]
    )


def stepwise_schedule(
    name: str,
    days: Days,
    ev_level: Int[np.ndarray, "day household step"],
    start_step: Int[np.ndarray, " job"],
) -> Schedule:
    """The joint schedule of charging levels per step and of one start per cycle."""
    jobs, steps = days.jobs, days.base_kw.shape[-1]
    is_ev = jobs.units > 0
    units = np.where(is_ev[:, None], ev_level[jobs.day, jobs.household], 0)
    cycle_length = jobs.cycle_kw.shape[1]
    job_kw = np.pad(units * days.ev_level_kw, [[0, 0], [0, cycle_length]])
    cycle = np.flatnonzero(~is_ev)
    runs = start_step[cycle, None] + np.arange(cycle_length)
    job_kw[cycle[:, None], runs] = jobs.cycle_kw[cycle]
    waits_h = (start_step - jobs.arrival_step) * STEP_H
    since_h = (np.arange(steps) - jobs.arrival_step[:, None]) * STEP_H
    level_h = np.einsum("jt,jt->j", units, since_h) * (days.ev_level_kw * STEP_H)
    delay_eur = np.where(is_ev, level_h, waits_h) * jobs.delay_cost
    return Schedule.of_jobs(name, days, job_kw[:, :steps], delay_eur)


def device_load_kw(
    days: Days, job_kw: Float[np.ndarray, "job step"], kinds: tuple[JobKind, ...]
) -> Float[np.ndarray, "day household step"]:
    """What the jobs of some kinds draw, say of `(JobKind.EV,)` or `WET_APPLIANCES`."""
    chosen = np.isin(days.jobs.kind, kinds)
    load_kw = np.zeros_like(days.base_kw)
    np.add.at(load_kw, (days.jobs.day[chosen], days.jobs.household[chosen]), job_kw[chosen])
    return load_kw
