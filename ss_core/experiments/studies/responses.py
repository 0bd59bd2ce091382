"""What the rows of a study say: responses to axes, changes against a baseline, ranks, thresholds.

Numbers only. A response is the interquartile mean over seeds, and over all values of the other
axes, with a bootstrap interval over these runs. Changes and ranks are taken run by run, so that
what a population or a day makes hard for every policy cancels out.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ss_core.experiments.studies.results import Row, StudyResults
from ss_core.experiments.studies.spec import shown_value
from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import Interval, bootstrap_interval, interquartile_mean, mean

BOOTSTRAP_SEED = 0
MOST_LEVELS = 12  # of an axis, beyond which its values are put into so many classes:
CLASSES = 6
LEARNER_KEYS = ("algorithm", "learner.algorithm")  # axes that change who is compared
MORE_IS_BETTER = ("return", "reward", "welfare", "gap_closed", "throughput")  # in a figure's name

Series = tuple[Interval | None, ...]  # by level


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A value of an axis, or a class of them, and the runs that have it."""

    label: str
    x: float | None  # None: of an axis that is no number
    runs: frozenset[str]


def levels_of(results: StudyResults, column: str) -> list[Level]:
    """The levels of an axis: numbers ascending, others in the order of the file."""
    names = results.spec.columns
    key = next(key for key, name in names.items() if name == column)
    runs: dict[str, list[str]] = {}
    values: dict[str, Any] = {}
    for run in results.plan:
        label = shown_value(run.point[key])
        values[label] = run.point[key]
        runs.setdefault(label, []).append(run.name)
    if not all(_is_number(value) for value in values.values()):
        return [Level(label=k, x=None, runs=frozenset(found)) for k, found in runs.items()]
    ordered = sorted(runs, key=lambda label: values[label])
    groups = [[label] for label in ordered]
    if len(ordered) > MOST_LEVELS:
        groups = [list(part) for part in np.array_split(ordered, CLASSES)]
    return [
        Level(
            label=group[0] if len(group) == 1 else f"{group[0]} to {group[-1]}",
            x=float(np.mean([values[label] for label in group])),
            runs=frozenset(name for label in group for name in runs[label]),
        )
        for group in groups
    ]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def values_of(results: StudyResults, figure: str, algorithm: str) -> dict[str, float]:
    """A key figure of a policy in every run that has it."""
    return {
        row.run: row.figures[figure]
        for row in results.rows
        if row.algorithm == algorithm and figure in row.figures
    }


def response(levels: Sequence[Level], values: Mapping[str, float]) -> Series:
    """Interquartile mean and interval at each level; None where no run has a value."""
    return tuple(
        interval_of([values[run] for run in sorted(level.runs) if run in values])
        for level in levels
    )


def interval_of(
    values: Sequence[float], statistic: Callable[[np.ndarray], np.ndarray] = interquartile_mean
) -> Interval | None:
    """The statistic with its interval; a single value has none but itself."""
    if not values:
        return None
    rng = numpy_generator(BOOTSTRAP_SEED, Stream.BOOTSTRAP)
    return bootstrap_interval(np.array(values, dtype=float), statistic, rng=rng)


def changes(values: Mapping[str, float], baseline: Mapping[str, float]) -> dict[str, float]:
    """Value less baseline, in every run that has both."""
    return {run: value - baseline[run] for run, value in values.items() if run in baseline}


def is_more_better(figure: str) -> bool:
    """Whether a high value of the figure is a good one; costs, loads and times are not."""
    return any(word in figure for word in MORE_IS_BETTER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a policy stands among all of them; rank 1 is the best."""

    algorithm: str
    rank: Interval  # mean over cases
    first: int  # cases in which it is the best
    cases: int


def ranking(results: StudyResults, figure: str) -> list[Standing]:
    """Policies by their mean rank, the best first; those that every case has.

    A case is a seed and a point, the learner left out where it is an axis: learners of several runs
    meet in one case, and what they have in common counts once.
    """
    sign = -1.0 if is_more_better(figure) else 1.0
    costs: dict[tuple[str, ...], dict[str, list[float]]] = {}
    for row in results.rows:
        if figure in row.figures:
            case = costs.setdefault(_case(results, row), {})
            case.setdefault(row.algorithm, []).append(sign * row.figures[figure])
    ranks: dict[str, list[float]] = {}
    for case in costs.values():
        means = {name: float(np.mean(found)) for name, found in case.items()}
        for name, cost in means.items():
            place = 1 + sum(one < cost for one in means.values())
            ranks.setdefault(name, []).append(
                place + (sum(one == cost for one in means.values()) - 1) / 2
            )
    standings = [
        Standing(algorithm=name, rank=rank, first=places.count(1.0), cases=len(places))
        for name, places in ranks.items()
        if len(places) == len(costs) and (rank := interval_of(places, mean)) is not None
    ]
    return sorted(standings, key=lambda one: one.rank.estimate)


def _case(results: StudyResults, row: Row) -> tuple[str, ...]:
    learner = {results.spec.columns.get(key) for key in LEARNER_KEYS}
    return (
        str(row.seed),
        *(shown_value(value) for name, value in row.point.items() if name not in learner),
    )


def first_above(series: Series, above: float) -> int | None:
    """The first level at which the estimate is above; None: it never is."""
    return next(
        (at for at, one in enumerate(series) if one is not None and one.estimate > above), None
    )


def stays_above(series: Series, above: float, begin: int) -> bool:
    """Whether it does not come down again after the level at which it went above."""
    return all(one is None or one.estimate > above for one in series[begin:])


def without_dilemma(results: StudyResults, levels: Sequence[Level]) -> list[tuple[int, int]]:
    """At each level: runs that have nothing to close, and complete runs."""
    dilemma = {row.run: not row.no_dilemma for row in results.rows}
    return [
        (
            sum(not dilemma[run] for run in level.runs if run in dilemma),
            sum(run in dilemma for run in level.runs),
        )
        for level in levels
    ]


def relative_gap(results: StudyResults, figure: str, baseline: str, best: str) -> dict[str, float]:
    """(baseline - best) / |baseline| of a figure, by run: what there is to win."""
    worst, least = values_of(results, figure, baseline), values_of(results, figure, best)
    return {
        run: (value - least[run]) / abs(value)
        for run, value in worst.items()
        if run in least and value and math.isfinite(value)
    }
