"""Candidate schedules: the few plans a household chooses among when a job arrives.

The plans follow by a public rule from the job's announcement (kind, arrival, deadline, size), so a
neighbour who receives the announcement knows what each action would draw from the feeder.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from gridsim.households.households import MAX_CYCLE_STEPS, STEP_H, STEPS_PER_DAY, Days, Jobs

EV_LEVELS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Per job `A` plans; action 0 is always the plan that starts at once."""

    load_kw: Float[np.ndarray, "job action step"]
    delay_eur: Float[np.ndarray, "job action"]  # private discomfort of the plan
    start_step: Int[np.ndarray, "job action"]  # first step with load
    legal: Bool[np.ndarray, "job action"]  # False where the window holds fewer distinct plans


def candidate_schedules(days: Days, num_actions: int) -> Candidates:
    """Plans of every job: start times for cycles; at once, evenly spread, and blocks for EVs.

    Cycles may start at `num_actions` evenly spaced steps of their window. EVs charge at once at
    full power (action 0), evenly over the whole window (action 1), or in one block at the lowest
    level that suffices, starting at evenly spaced steps (the others).
    """
    jobs = days.jobs
    is_ev = jobs.units > 0
    starts, legal = _evenly_spaced_starts(jobs, num_actions)
    load_kw = _cycle_load(jobs, starts)
    delay_h = (starts - jobs.arrival_step[:, None]) * STEP_H
    first = starts.copy()
    ev = np.flatnonzero(is_ev)
    units = _level_units(jobs, starts, ev)
    load_kw[ev] = units * days.ev_level_kw
    since_arrival_h = (np.arange(STEPS_PER_DAY) - jobs.arrival_step[ev, None]) * STEP_H
    delay_h[ev] = np.einsum("jat,jt->ja", units, since_arrival_h) * (days.ev_level_kw * STEP_H)
    first[ev] = (units > 0).argmax(axis=2)
    return Candidates(
        load_kw=load_kw,
        delay_eur=delay_h * jobs.delay_cost[:, None],
        start_step=first,
        legal=legal,
    )


def _evenly_spaced_starts(
    jobs: Jobs, num_actions: int
) -> tuple[Int[np.ndarray, "job action"], Bool[np.ndarray, "job action"]]:
    is_ev = jobs.units > 0
    window = jobs.end_step - jobs.arrival_step
    level = lowest_level(jobs)
    length = np.where(is_ev, -(-jobs.units // level), jobs.duration_steps)
    slack = np.maximum(window - length, 0)
    plans = np.minimum(np.where(is_ev, num_actions - 2, num_actions), slack + 1)
    index = np.arange(num_actions)[None, :] - np.where(is_ev, 2, 0)[:, None]
    offset = np.round(index * slack[:, None] / np.maximum(plans - 1, 1)[:, None]).astype(np.int64)
    legal = index < plans[:, None]
    starts = jobs.arrival_step[:, None] + np.clip(offset, 0, slack[:, None])
    return starts, legal


def lowest_level(jobs: Jobs) -> Int[np.ndarray, " job"]:
    """The lowest EV level that still delivers the energy within the window; 1 for cycles."""
    window = np.maximum(jobs.end_step - jobs.arrival_step, 1)
    return np.maximum(-(-jobs.units // window), 1)


def _cycle_load(
    jobs: Jobs, starts: Int[np.ndarray, "job action"]
) -> Float[np.ndarray, "job action step"]:
    load = np.zeros((*starts.shape, STEPS_PER_DAY + MAX_CYCLE_STEPS), dtype=np.float32)
    where = starts[..., None] + np.arange(MAX_CYCLE_STEPS)
    np.put_along_axis(load, where, np.broadcast_to(jobs.cycle_kw[:, None], where.shape), axis=2)
    return load[..., :STEPS_PER_DAY]


def _level_units(
    jobs: Jobs, starts: Int[np.ndarray, "job action"], ev: Int[np.ndarray, " car"]
) -> Float[np.ndarray, "car action step"]:
    """Charging level (0..3) of every car's plans per step."""
    steps = np.arange(STEPS_PER_DAY, dtype=np.int32)
    arrival, end, n = (
        x[ev, None].astype(np.int32) for x in (jobs.arrival_step, jobs.end_step, jobs.units)
    )
    window = np.maximum(end - arrival, 1)
    level = lowest_level(jobs)[ev, None, None].astype(np.int32)
    since = steps - starts[ev, :, None].astype(np.int32)
    units = np.clip(n[:, :, None] - level * since, 0, level) * (since >= 0)
    after = steps[None, :] - arrival
    inside = (after >= 0) & (steps[None, :] < end)
    units[:, 0] = np.clip(n - EV_LEVELS * after, 0, EV_LEVELS) * inside
    units[:, 1] = ((after + 1) * n // window - after * n // window) * inside
    return units.astype(np.float32)
