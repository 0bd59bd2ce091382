"""The public load forecast: what past loads, weather and weekday tell about the rest of today.

Everybody can compute it from published data: the feeder's mean load of past days, today's up to the
last full hour, the day's mean temperature and whether it is a weekend. Nothing in it is private.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from gridsim.households.households import STEPS_PER_DAY, STEPS_PER_HOUR

HOURS = STEPS_PER_DAY // STEPS_PER_HOUR
NUM_REGRESSORS = 3  # constant, mean temperature, weekend


@dataclass(frozen=True, slots=True)
class LoadHistory:
    """Exponentially weighted moments of past days; enough for both regressions of `forecast`."""

    moments: Float[np.ndarray, "regressor regressor"]  # E[x xᵀ] of the day's regressors
    cross: Float[np.ndarray, "regressor step"]  # E[x lᵀ] with the load curve, kW per household
    covariance: Float[np.ndarray, "hour hour"]  # of hourly means around the day's expectation
    weight: float  # how much history there is: 0 = none, towards 1 = plenty

    def expected_kw(
        self, regressors: Float[np.ndarray, "day regressor"], ridge: float = 1e-2
    ) -> Float[np.ndarray, "day step"]:
        """Load curve expected at dawn of days with these regressors; zeros without history."""
        penalty = ridge * np.diag([1e-6, 1.0, 1.0])
        return regressors @ np.linalg.solve(self.moments + penalty, self.cross)


def empty_history() -> LoadHistory:
    """Before the first day: a flat curve of zero."""
    return LoadHistory(
        np.zeros((NUM_REGRESSORS, NUM_REGRESSORS)),
        np.zeros((NUM_REGRESSORS, STEPS_PER_DAY)),
        np.zeros((HOURS, HOURS)),
        0.0,
    )


def day_regressors(
    temperature_c: Float[np.ndarray, "day step"], is_weekend: Int[np.ndarray, " day"]
) -> Float[np.ndarray, "day regressor"]:
    """(1, mean temperature / 10 °C, weekend) of each day."""
    temperature = temperature_c.mean(axis=1) / 10.0
    return np.stack([np.ones_like(temperature), temperature, is_weekend.astype(float)], axis=1)


def remember(
    history: LoadHistory,
    curves_kw: Float[np.ndarray, "day step"],
    regressors: Float[np.ndarray, "day regressor"],
    decay: float,
) -> LoadHistory:
    """History after a batch of days: exponential means with the start-up bias taken out."""
    weight = decay * history.weight + (1.0 - decay)
    share = (1.0 - decay) / weight
    days = len(curves_kw)
    moments = _towards(history.moments, regressors.T @ regressors / days, share)
    cross = _towards(history.cross, regressors.T @ curves_kw / days, share)
    after = LoadHistory(moments, cross, history.covariance, weight)
    residual = hourly(curves_kw) - hourly(after.expected_kw(regressors))
    covariance = _towards(history.covariance, residual.T @ residual / days, share)
    return LoadHistory(moments, cross, covariance, weight)


def _towards(old: np.ndarray, new: np.ndarray, share: float) -> np.ndarray:
    return old + share * (new - old)


def hourly(curves: Float[np.ndarray, "*day step"]) -> Float[np.ndarray, "*day hour"]:
    """Means of full hours."""
    return curves.reshape(*curves.shape[:-1], HOURS, STEPS_PER_HOUR).mean(axis=-1)


def forecast(
    history: LoadHistory,
    dawn_kw: Float[np.ndarray, "day step"],
    today_kw: Float[np.ndarray, "day step"],
    hour: int,
    *,
    ridge_kw2: float = 1e-3,
) -> Float[np.ndarray, "day step"]:
    """Expected load of the whole day given what was measured before `hour`.

    `dawn_kw` is `history.expected_kw` of the day. Past hours are replaced by what was measured; the
    coming hours add the linear regression of their deviations on today's deviations so far.
    """
    expected = dawn_kw.copy()
    if hour > 0:
        past = slice(0, hour)
        deviation = hourly(today_kw)[:, past] - hourly(dawn_kw)[:, past]
        inner = history.covariance[past, past] + ridge_kw2 * np.eye(hour)
        gain = np.linalg.solve(inner, history.covariance[past, hour:])
        expected[:, hour * STEPS_PER_HOUR :] += np.repeat(deviation @ gain, STEPS_PER_HOUR, axis=1)
        expected[:, : hour * STEPS_PER_HOUR] = today_kw[:, : hour * STEPS_PER_HOUR]
    return np.maximum(expected, 0.0)
