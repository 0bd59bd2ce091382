"""The public outlook: what the feeder will draw besides the plans announced so far.

Everybody can compute it from published data: measured load less the announced plans is base load,
and past days tell what jobs still to come will draw. One regression per quarter-hour of deciding,
on weather, weekday, base load up to the last full hour, and how many cars have come: who has come
is no longer to come. Where there are photovoltaics, the day's clearness as forecast tells, too, and
expected load may be below 0. Nothing in it is private.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gridsim.households.forecast import day_regressors
from gridsim.households.households import STEPS_PER_DAY, STEPS_PER_HOUR, Days

NUM_REGRESSORS = 7  # constant, temperature, weekend; cars that came; base load: day, 2 h, 1 h
RECENT_STEPS = (2 * STEPS_PER_HOUR, STEPS_PER_HOUR)
RIDGE = 1e-3


@dataclass(frozen=True, slots=True)
class Outlook:
    """Exponentially weighted moments of past days: enough for a regression per quarter-hour."""

    gram: Float[np.ndarray, "now regressor regressor"]  # E[x xᵀ]
    cross: Float[np.ndarray, "now regressor step"]  # E[x yᵀ], y as of `to_come_kw`
    weight: float  # how much history there is: 0 = none, towards 1 = plenty

    @classmethod
    def empty(cls, *, with_sun: bool = False) -> Self:
        """Before the first day: nothing is expected."""
        known = NUM_REGRESSORS + with_sun
        return cls(
            np.zeros((STEPS_PER_DAY, known, known)),
            np.zeros((STEPS_PER_DAY, known, STEPS_PER_DAY)),
            0.0,
        )

    def coefficients(self) -> Float[np.ndarray, "now regressor step"]:
        """Ridge regressions, the constant without penalty; zeros without history."""
        penalty = RIDGE * np.eye(self.gram.shape[-1])
        penalty[0, 0] = 1e-9
        return np.linalg.solve(self.gram + penalty, self.cross)

    def after(self, days: Days, job_kw: Float[np.ndarray, "job step"], decay: float) -> "Outlook":
        """The outlook after a batch of days: exponential means, start-up bias taken out."""
        weight = decay * self.weight + (1.0 - decay)
        share, known = (1.0 - decay) / weight, regressors(days)
        turned = np.ascontiguousarray(known.transpose(1, 2, 0)) / len(known)
        gram = turned @ known.transpose(1, 0, 2)
        cross = turned @ to_come_kw(days, job_kw).transpose(1, 0, 2)
        return Outlook(
            self.gram + share * (gram - self.gram),
            self.cross + share * (cross - self.cross),
            weight,
        )

    def tensors(self) -> dict[str, Tensor]:
        """For a checkpoint."""
        return {
            "gram": torch.from_numpy(self.gram.copy()),
            "cross": torch.from_numpy(self.cross.copy()),
            "weight": torch.tensor([self.weight], dtype=torch.float64),
        }

    @classmethod
    def of_tensors(cls, state: Mapping[str, Tensor]) -> Self:
        """Of a checkpoint."""
        gram, cross = (state[name].numpy().copy() for name in ("gram", "cross"))
        return cls(gram, cross, float(state["weight"][0]))


def regressors(days: Days) -> Float[np.ndarray, "day now regressor"]:
    """What is known in each quarter-hour of the days; base load up to the last full hour only."""
    base_kw = days.base_kw.mean(axis=1)
    known = np.arange(STEPS_PER_DAY) // STEPS_PER_HOUR * STEPS_PER_HOUR
    sums = np.concatenate([np.zeros((len(base_kw), 1)), base_kw.cumsum(axis=1)], axis=1)
    of_day = day_regressors(days.temperature_c, days.is_weekend)[:, None]
    columns = [
        np.broadcast_to(of_day, (len(base_kw), STEPS_PER_DAY, of_day.shape[-1])),
        share_of_cars(days)[..., None],
    ]
    for steps in (STEPS_PER_DAY, *RECENT_STEPS):
        first = np.maximum(known - steps, 0)
        mean = (sums[:, known] - sums[:, first]) / np.maximum(known - first, 1)
        columns.append(mean[..., None])
    if days.clearness is not None:
        columns.append(np.broadcast_to(days.clearness[:, None, None], columns[-1].shape))
    return np.concatenate(columns, axis=-1)


def share_of_cars(days: Days) -> Float[np.ndarray, "day now"]:
    """Share of households whose car has come by each step, that step included."""
    jobs, came = days.jobs, np.zeros((days.num_days, STEPS_PER_DAY))
    np.add.at(came, (jobs.day, jobs.arrival_step), jobs.units > 0)
    return came.cumsum(axis=1) / days.num_households


def to_come_kw(
    days: Days, job_kw: Float[np.ndarray, "job step"]
) -> Float[np.ndarray, "day now step"]:
    """Base load and load of jobs that arrive after each quarter-hour, kW per household."""
    jobs = days.jobs
    arriving = np.zeros((days.num_days, STEPS_PER_DAY, STEPS_PER_DAY))
    np.add.at(arriving, (jobs.day, jobs.arrival_step), job_kw)
    later = arriving[:, ::-1].cumsum(axis=1)[:, ::-1] - arriving
    return later / days.num_households + days.base_kw.mean(axis=1)[:, None]


def expected_kw(
    coefficients: Float[np.ndarray, "now regressor step"],
    known: Float[np.ndarray, "day now regressor"],
    base_kw: Float[np.ndarray, "day step"],
    day: Int[np.ndarray, " k"],
    now: Int[np.ndarray, " k"],
) -> Float[np.ndarray, "k step"]:
    """Base load and later jobs, kW per household, as expected at quarter-hours `now` of days."""
    load = np.einsum("kr,krt->kt", known[day, now], coefficients[now])
    measured = np.arange(STEPS_PER_DAY) < (now // STEPS_PER_HOUR * STEPS_PER_HOUR)[:, None]
    load = np.where(measured, base_kw[day], load)
    return load if known.shape[-1] > NUM_REGRESSORS else np.maximum(load, 0.0)
