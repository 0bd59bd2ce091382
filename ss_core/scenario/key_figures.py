"""Key figures of a run's rows: one number per held-out day, their means, intervals and gaps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float

from ss_core.statistics import Interval, bootstrap_interval, gap_closed_interval, mean

DayFigures = dict[str, Float[np.ndarray, " day"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Mean over days and its 95 % bootstrap interval; NaN if no day has a value."""

    mean: float
    ci_low: float
    ci_high: float
    num_days: int  # with a value
    num_missing: int = 0  # without


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What every row of a run comes to on the held-out days, rows in the order of the table."""

    figures: Mapping[str, DayFigures]  # by row
    cost: Mapping[str, Float[np.ndarray, "play day"]] = field(default_factory=dict)
    # what the gap is measured in, by row: less is better; empty where a world has no gap
    trial_cost: Mapping[str, Float[np.ndarray, " trial_day"]] = field(default_factory=dict)
    # of all agents on trial days, by row that nobody learned; learners bring their own
    no_dilemma: bool = False  # equilibrium and optimum are too close for a gap
    bytes_by_kind: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # by learner
    num_agents: int = 0
    num_updates: Mapping[str, int] = field(default_factory=dict)  # by learner
    suffixes: Mapping[str, str] = field(default_factory=dict)  # added to titles, by row
    detail: Any = None  # what the world's own tables and notes are made from


def summarise(figures: Mapping[str, np.ndarray], rng: np.random.Generator) -> dict[str, Summary]:
    """Mean and interval over days of every figure; days without a value are counted apart."""
    return {
        name: _summary(np.asarray(values, dtype=float), rng) for name, values in figures.items()
    }


def _summary(values: Float[np.ndarray, " day"], rng: np.random.Generator) -> Summary:
    known = values[np.isfinite(values)]
    missing = len(values) - len(known)
    if len(known) == 0:
        nan = float("nan")
        return Summary(mean=nan, ci_low=nan, ci_high=nan, num_days=0, num_missing=missing)
    interval = bootstrap_interval(known, mean, rng=rng)
    return Summary(
        mean=interval.estimate,
        ci_low=interval.low,
        ci_high=interval.high,
        num_days=len(known),
        num_missing=missing,
    )


def gaps_closed(
    scores: Scores, baseline: str, best: str, rng: np.random.Generator
) -> dict[str, Interval | None]:
    """(C_baseline - C) / (C_baseline - C_best) of every row; None where there is no dilemma."""
    if not scores.cost:
        return {}
    if scores.no_dilemma:
        return dict.fromkeys(scores.figures)
    selfish, optimum = scores.cost[baseline][0], scores.cost[best][0]
    return {
        name: gap_closed_interval(selfish, scores.cost[name], optimum, rng=rng)
        for name in scores.figures
    }


def gap_summary(gap: Interval, num_days: int) -> Summary:
    """The gap closed as a key figure."""
    return Summary(mean=gap.estimate, ci_low=gap.low, ci_high=gap.high, num_days=num_days)


def mean_of(summaries: Mapping[str, Summary], name: str) -> float:
    """The mean of one figure; NaN where the row has none."""
    return summaries[name].mean if name in summaries else float("nan")
