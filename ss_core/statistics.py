"""Statistics of runs: interquartile mean, bootstrap intervals, comparisons, gap closed, Gini.

A statistic acts on the last axis, so that all resamples are evaluated in one call. Strata are
samples drawn apart from each other: the runs of one task each.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Statistic = Callable[[np.ndarray], np.ndarray]  # (..., sample) -> (...)
Strata = Sequence[Float[np.ndarray, " _"]]  # one sample per task; lengths may differ

SMALLEST_GAP = 0.03  # of the better cost; a smaller gap is no dilemma: nothing to divide by


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A statistic of the sample and its interval: by the bootstrap here, or as its maker says."""

    estimate: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """`0.5 [0.4, 0.6]`, each number by `spec`."""
        return f"{self.estimate:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"

    def __str__(self) -> str:
        """As `print` shows it: three digits of each number."""
        return f"{self:.3g}"


def interquartile_mean(values: Float[np.ndarray, "*batch sample"]) -> Float[np.ndarray, "*batch"]:
    """Mean of the middle half: a quarter of the samples, rounded down, is cut off at each end."""
    count = values.shape[-1]
    cut = count // 4
    return np.asarray(np.sort(values, axis=-1)[..., cut : count - cut].mean(axis=-1))


def mean(values: Float[np.ndarray, "*batch sample"]) -> Float[np.ndarray, "*batch"]:
    """Mean over the last axis."""
    return np.asarray(values.mean(axis=-1))


def bootstrap_interval(
    values: Float[np.ndarray, " sample"],
    statistic: Statistic,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    rng: np.random.Generator,
) -> Interval:
    """Percentile interval of a statistic of independent samples (Efron, 1979)."""
    _check(values, level)
    rows = rng.integers(values.shape[0], size=(resamples, values.shape[0]))
    return _interval(statistic(values), statistic(values[rows]), level)


def difference_interval(
    first: Strata,
    second: Strata,
    statistic: Statistic,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    rng: np.random.Generator,
) -> Interval:
    """Interval of statistic(first) - statistic(second), averaged over strata in the same order.

    Every stratum counts alike, however many runs it has, and none can be cut off as an extreme.

    Raises:
        ValueError: the two have not the same number of strata.
    """
    _check_strata([*first, *second], level)
    pairs = zip(first, second, strict=True)
    estimate = np.mean([statistic(x) - statistic(y) for x, y in pairs], axis=0)
    drawn = zip(_redrawn(first, resamples, rng), _redrawn(second, resamples, rng), strict=True)
    return _interval(
        estimate, np.mean([statistic(x) - statistic(y) for x, y in drawn], axis=0), level
    )


def probability_of_improvement(
    first: Strata,
    second: Strata,
    *,
    level: float = 0.95,
    resamples: int = 2000,
    rng: np.random.Generator,
) -> Interval:
    """Chance that a run of `first` beats one of `second`, averaged over strata in the same order.

        P(X > Y) + ½ P(X = Y)  over all pairs of runs of a stratum (Agarwal et al., 2021)

    Raises:
        ValueError: the two have not the same number of strata.
    """
    _check_strata([*first, *second], level)
    estimate = np.mean([_share_better(x, y) for x, y in zip(first, second, strict=True)], axis=0)
    drawn = zip(_redrawn(first, resamples, rng), _redrawn(second, resamples, rng), strict=True)
    return _interval(estimate, np.mean([_share_better(x, y) for x, y in drawn], axis=0), level)


def min_max_normalised(
    values: Float[np.ndarray, "*batch"], low: float, high: float
) -> Float[np.ndarray, "*batch"]:
    """0 at `low`, 1 at `high`, linear between and beyond.

    Raises:
        ValueError: there is nothing between `low` and `high` to divide by.
    """
    if not low < high:
        raise ValueError(f"low={low} must lie below high={high}")
    return np.asarray((values - low) / (high - low))


def gap_closed_interval(
    selfish: Float[np.ndarray, " day"],
    run: Float[np.ndarray, "seed day"],
    optimum: Float[np.ndarray, " day"],
    *,
    minimum_gap: float = 0.01,
    level: float = 0.95,
    resamples: int = 2000,
    rng: np.random.Generator,
) -> Interval | None:
    """Share of the avoidable cost that a run avoids, with its interval over days and seeds.

        (Σ selfish - Σ run) / (Σ selfish - Σ optimum),  sums over days, run averaged over seeds

    Days are drawn with all their costs together, and seeds independently of days. None means that
    there is no dilemma: the gap is below `minimum_gap` of the selfish cost, too small to divide by.
    """
    for costs in (selfish, run, optimum):
        _check(costs, level)
    num_seeds, num_days = run.shape
    gap = float(selfish.sum() - optimum.sum())
    if gap <= 0 or gap < minimum_gap * abs(float(selfish.sum())):
        return None
    estimate = (selfish.sum() - run.mean(axis=0).sum()) / gap

    days = rng.integers(num_days, size=(resamples, num_days))
    seeds = rng.integers(num_seeds, size=(resamples, num_seeds))
    day_weights = _counts(days, num_days)
    seed_weights = _counts(seeds, num_seeds) / num_seeds
    avoided = day_weights @ selfish - ((seed_weights @ run) * day_weights).sum(axis=1)
    avoidable = day_weights @ (selfish - optimum)
    usable = avoidable > 0
    return _interval(estimate, avoided[usable] / avoidable[usable], level)


def gini(values: Float[np.ndarray, " sample"]) -> float:
    """Gini coefficient: 0 when all have the same, (n - 1)/n when one has everything.

        Σᵢ (2i - n - 1) xᵢ / (n Σ x),  x sorted ascending, i = 1 … n

    Raises:
        ValueError: a negative value, for which the coefficient has no meaning.
    """
    if values.size == 0 or not (values >= 0).all():
        raise ValueError("the Gini coefficient needs at least one value, and none negative or NaN")
    count, total = values.size, float(values.sum())
    if total == 0:
        return 0.0
    ranks = 2 * np.arange(1, count + 1) - count - 1
    return float(ranks @ np.sort(values)) / (count * total)


def _redrawn(
    strata: Strata, resamples: int, rng: np.random.Generator
) -> list[Float[np.ndarray, "{resamples} _"]]:
    """Each stratum drawn anew, with replacement, `resamples` times."""
    return [runs[rng.integers(runs.size, size=(resamples, runs.size))] for runs in strata]


def _share_better(
    first: Float[np.ndarray, "*batch run"], second: Float[np.ndarray, "*batch rival"]
) -> Float[np.ndarray, "*batch"]:
    """Share of pairs in which `first` is higher; a tie counts half."""
    x, y = first[..., :, None], second[..., None, :]
    return np.asarray(((x > y) + 0.5 * (x == y)).mean(axis=(-2, -1)))


def _counts(rows: np.ndarray, size: int) -> np.ndarray:
    """How often each of `size` items occurs in each row of drawn indices."""
    counts = np.zeros((rows.shape[0], size))
    np.add.at(counts, (np.arange(rows.shape[0])[:, None], rows), 1.0)
    return counts


def _interval(estimate: np.ndarray | float, drawn: np.ndarray, level: float) -> Interval:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(estimate=float(estimate), low=float(low), high=float(high))


def _check_strata(strata: Strata, level: float) -> None:
    if not strata:
        raise ValueError("a bootstrap needs at least one stratum")
    for runs in strata:
        _check(runs, level)


def _check(values: np.ndarray, level: float) -> None:
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError("a bootstrap needs at least one value, all of them finite")
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1")
