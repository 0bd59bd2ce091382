"""Key figures of days on the road, as pure functions of arrays: time, who gains, who loses.

One number per day under the name analysts use.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ss_core.scenario.key_figures import DayFigures
from ss_core.statistics import SMALLEST_GAP, gini

NOTICEABLE_S = 1.0  # a second is SUMO's step


def time_kpis(
    times_s: Float[ndarray, "day vehicle"], free_flow_s: Float[ndarray, " vehicle"]
) -> DayFigures:
    """Travel times from planned departure; delay is beyond the empty fastest road's."""
    return {
        "mean_travel_time_s": times_s.mean(axis=1),
        "total_travel_time_h": times_s.sum(axis=1) / 3600.0,
        "p95_travel_time_s": np.percentile(times_s, 95, axis=1),
        "mean_delay_s": (times_s - free_flow_s).mean(axis=1),
        "gini_travel_time": np.array([gini(day) for day in times_s]),
    }


def equity_kpis(
    times_s: Float[ndarray, "day vehicle"], equilibrium_s: Float[ndarray, "day vehicle"]
) -> DayFigures:
    """Who is better off than at the user equilibrium, on average over the days, and by how much."""
    saved_s = equilibrium_s.mean(axis=0) - times_s.mean(axis=0)
    days = len(times_s)
    return {
        "share_of_losers": np.full(days, (saved_s < -NOTICEABLE_S).mean()),
        "share_of_winners": np.full(days, (saved_s > NOTICEABLE_S).mean()),
        "worst_loss_s": np.full(days, max(0.0, float(-saved_s.min()))),
        "gini_of_savings": np.full(days, gini(np.maximum(saved_s, 0.0))),
    }


def delay_by_od_s(
    times_s: Float[ndarray, "day vehicle"],
    free_flow_s: Float[ndarray, " vehicle"],
    od: ndarray,
    count: int,
) -> Float[ndarray, " od"]:
    """Mean delay of the trips of each zone pair, over all days."""
    delay_s = (times_s - free_flow_s).mean(axis=0)
    trips = np.bincount(od, minlength=count)
    return np.bincount(od, weights=delay_s, minlength=count) / np.maximum(trips, 1)


def no_dilemma(
    equilibrium_s: Float[ndarray, "day vehicle"], optimum_s: Float[ndarray, "day vehicle"]
) -> bool:
    """Whether equilibrium and optimum are within noise: below 3 %, or below two standard errors."""
    gap_s = equilibrium_s.mean(axis=1) - optimum_s.mean(axis=1)
    error_s = gap_s.std(ddof=1) / np.sqrt(len(gap_s)) if len(gap_s) > 1 else 0.0
    return bool(gap_s.mean() < SMALLEST_GAP * equilibrium_s.mean() or gap_s.mean() < 2.0 * error_s)
