"""The public load forecast: what past load curves tell about the rest of today.

Everybody can compute it from published data: the feeder's mean load of past days, and today's up to
the last full hour. Nothing here is private to a household.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from gridsim.households import STEPS_PER_DAY, STEPS_PER_HOUR

HOURS = STEPS_PER_DAY // STEPS_PER_HOUR


@dataclass(frozen=True, slots=True)
class LoadHistory:
    """Running mean of past load curves and the running covariance of their hourly means."""

    mean_kw: Float[np.ndarray, " step"]  # kW per household
    covariance: Float[np.ndarray, "hour hour"]  # of hourly means around their daily forecast
    weight: float  # how much history there is: 0 = none, towards 1 = plenty


def empty_history() -> LoadHistory:
    """Before the first day: a flat curve of zero."""
    return LoadHistory(np.zeros(STEPS_PER_DAY), np.zeros((HOURS, HOURS)), 0.0)


def remember(
    history: LoadHistory, curves_kw: Float[np.ndarray, "day step"], decay: float
) -> LoadHistory:
    """History after a batch of days: exponential means with the start-up bias taken out."""
    weight = decay * history.weight + (1.0 - decay)
    share = (1.0 - decay) / weight
    mean = history.mean_kw + share * (curves_kw.mean(axis=0) - history.mean_kw)
    residual = hourly(curves_kw) - hourly(mean)
    covariance = history.covariance + share * (
        residual.T @ residual / len(residual) - history.covariance
    )
    return LoadHistory(mean, covariance, weight)


def hourly(curves: Float[np.ndarray, "*day step"]) -> Float[np.ndarray, "*day hour"]:
    """Means of full hours."""
    return curves.reshape(*curves.shape[:-1], HOURS, STEPS_PER_HOUR).mean(axis=-1)


def forecast(
    history: LoadHistory,
    today_kw: Float[np.ndarray, "day step"],
    hour: int,
    *,
    ridge_kw2: float = 1e-3,
) -> Float[np.ndarray, "day step"]:
    """Expected load of the whole day given what was measured before `hour`.

    The past hours are replaced by what was measured; the coming hours are the mean curve plus the
    linear regression of their deviations on today's deviations so far.
    """
    expected = np.tile(history.mean_kw, (len(today_kw), 1))
    if hour == 0:
        return expected
    past = slice(0, hour)
    deviation = hourly(today_kw)[:, past] - hourly(history.mean_kw)[past]
    inner = history.covariance[past, past] + ridge_kw2 * np.eye(hour)
    gain = np.linalg.solve(inner, history.covariance[past, hour:])
    expected[:, hour * STEPS_PER_HOUR :] += np.repeat(deviation @ gain, STEPS_PER_HOUR, axis=1)
    expected[:, : hour * STEPS_PER_HOUR] = today_kw[:, : hour * STEPS_PER_HOUR]
    return np.maximum(expected, 0.0)
