"""The batteries of a day beside each other, quarter-hour by quarter-hour: nobody knows more."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.batteries import BatteryKind, self_consumption
from gridsim.households.households import Days


@dataclass(frozen=True, slots=True)
class Batteries:
    """Which jobs are batteries, whose, and how large."""

    job: Int[np.ndarray, " k"]  # row of `Days.jobs`
    household: Int[np.ndarray, " k"]
    capacity_kwh: Float[np.ndarray, " k"]
    kind: BatteryKind

    @classmethod
    def of(cls, days: Days, d: int) -> Self:
        """Those of day `d`."""
        jobs = days.jobs
        rows = np.flatnonzero((jobs.day == d) & (jobs.battery_kwh > 0.0))
        return cls(rows, jobs.household[rows], jobs.battery_kwh[rows], days.battery)

    def possible_kw(
        self, wanted_kw: Float[np.ndarray, " k"], stored_kwh: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """What power, room and what is stored allow of it."""
        now = np.zeros(len(self.job), dtype=np.int64)
        kw = self_consumption(-wanted_kw[:, None], stored_kwh, self.capacity_kwh, now, self.kind)
        return kw[:, 0]

    def covering_kw(
        self, own_kw: Float[np.ndarray, " household"], stored_kwh: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """Self-consumption: any surplus is stored, any need is covered."""
        return self.possible_kw(-own_kw[self.household], stored_kwh)

    def after_kwh(
        self, kw: Float[np.ndarray, " k"], stored_kwh: Float[np.ndarray, " k"]
    ) -> Float[np.ndarray, " k"]:
        """What is stored after a quarter-hour."""
        return stored_kwh + self.kind.kept_kwh(kw)
