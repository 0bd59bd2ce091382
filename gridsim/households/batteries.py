"""Home batteries: what a plan stores, what it costs its owner, what a battery may do at once.

A battery starts the day empty. Its plan is a power per step: above 0 it charges, below 0 it
discharges; each way loses the same share. What is left at the end of the day counts as what
feeding it in would have brought: tomorrow's sun could have filled that room.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.profiles import STEP_H


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryKind:
    """What all batteries of a feeder have in common."""

    one_way: float  # share that is kept, charging or discharging
    kw_per_kwh: float  # highest power per usable capacity
    worth_eur_per_kwh: float  # of what is left at the end of the day
    delay_eur_per_kwh_h: float  # of charging an hour later: the sun may not stay

    def kept_kwh(self, kw: Float[np.ndarray, "*plan step"]) -> Float[np.ndarray, "*plan step"]:
        """What each step adds to what is stored."""
        return STEP_H * (self.one_way * np.maximum(kw, 0.0) + np.minimum(kw, 0.0) / self.one_way)

    def cost_eur(
        self, kw: Float[np.ndarray, "*plan step"], wear_eur_per_kwh: Float[np.ndarray, "*#plan"]
    ) -> Float[np.ndarray, "*plan"]:
        """What a plan of a whole day costs its owner, beside the bill."""
        wear = wear_eur_per_kwh[..., None]
        return self.step_eur(kw, wear, np.arange(kw.shape[-1])).sum(axis=-1)

    def step_eur(
        self, kw: np.ndarray, wear_eur_per_kwh: np.ndarray, step: np.ndarray
    ) -> np.ndarray:
        """Wear of what is discharged, waiting for what is charged, less the worth of what is kept.

        `step` of the day; all of one shape after broadcasting.
        """
        wear = wear_eur_per_kwh * STEP_H * np.maximum(-kw, 0.0)
        waiting = self.delay_eur_per_kwh_h * STEP_H * step * STEP_H * np.maximum(kw, 0.0)
        return wear + waiting - self.worth_eur_per_kwh * self.kept_kwh(kw)


def self_consumption(
    own_kw: Float[np.ndarray, "k step"],
    stored_kwh: Float[np.ndarray, " k"],
    capacity_kwh: Float[np.ndarray, " k"],
    first: Int[np.ndarray, " k"],
    kind: BatteryKind,
) -> Float[np.ndarray, "k step"]:
    """What batteries do on their own: store any surplus at once, cover any need at once.

    `own_kw` is what the household draws without its battery; nothing happens before `first`.
    """
    kw, stored = np.zeros_like(own_kw, dtype=np.float64), stored_kwh.astype(np.float64)
    most = kind.kw_per_kwh * capacity_kwh
    for step in range(own_kw.shape[1]):
        room = (capacity_kwh - stored) / (kind.one_way * STEP_H)
        left = stored * kind.one_way / STEP_H
        now = np.clip(-own_kw[:, step], -np.minimum(most, left), np.minimum(most, room))
        kw[:, step] = np.where(step >= first, now, 0.0)
        stored += kind.kept_kwh(kw[:, step : step + 1])[:, 0]
    return kw
