"""Runs side by side: their key figures, and how far each is from the first, with intervals.

Runs that differ in nothing but the seed are one group: the interquartile mean of their figures and
a bootstrap interval over seeds. A run alone has the interval of its own days or episodes; the
difference of two such has the root of the sum of both half widths squared as its half width, as for
independent samples.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ss_core.errors import InputError
from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import Interval, bootstrap_interval, difference_interval, interquartile_mean

BOOTSTRAP_SEED = 0
LEARNED = "learned"
Figure = tuple[str, str]  # row of the result, key figure


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What is compared of one run."""

    name: str
    task: str
    seed: int
    config: Mapping[str, object]
    figures: Mapping[Figure, Interval]
    units: Mapping[Figure, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One key figure of one row, in every group; the difference is to the first group."""

    algorithm: str
    kpi: str
    unit: str
    values: tuple[Interval | None, ...]
    differences: tuple[Interval | None, ...]  # the first is None


def groups_of(runs: Sequence[RunFigures]) -> list[list[RunFigures]]:
    """Runs by configuration, the seed left out, in the order in which they were given.

    Raises:
        InputError: fewer than two runs, or runs of different tasks.
    """
    if len(runs) < 2:
        raise InputError("one run alone cannot be compared: name two or more")
    tasks = sorted({run.task for run in runs})
    if len(tasks) > 1:
        listed = ", ".join(f"{run.name} is {run.task}" for run in runs)
        raise InputError(f"only runs of one task can be compared: {listed}")
    found: dict[str, list[RunFigures]] = {}
    for run in runs:
        settings = {key: value for key, value in run.config.items() if key != "seed"}
        found.setdefault(json.dumps(settings, sort_keys=True, default=str), []).append(run)
    return list(found.values())


def compare(groups: Sequence[Sequence[RunFigures]]) -> list[Compared]:
    """Every figure that two groups share (or the only one has), in the order of the first run.

    Where learners differ, the row that each run is about is `learned` in all of them.
    """
    if len({_learner(run) for group in groups for run in group}) > 1:
        groups = [[_alike(run) for run in group] for group in groups]
    order = dict.fromkeys(figure for group in groups for run in group for figure in run.figures)
    units = {
        figure: unit for group in groups for run in group for figure, unit in run.units.items()
    }
    records = []
    for figure in order:
        samples = [[run.figures[figure] for run in g if figure in run.figures] for g in groups]
        if sum(bool(sample) for sample in samples) < min(2, len(groups)):
            continue
        records.append(
            Compared(
                algorithm=figure[0],
                kpi=figure[1],
                unit=units.get(figure, ""),
                values=tuple(_value(sample) for sample in samples),
                differences=(None, *(_difference(samples[0], one) for one in samples[1:])),
            )
        )
    return records


def _learner(run: RunFigures) -> str:
    learner = run.config.get("learner")
    return str(learner.get("algorithm", "")) if isinstance(learner, Mapping) else ""


def _alike(run: RunFigures) -> RunFigures:
    """The run with its own learner's row named as everybody's."""
    own = _learner(run)

    def named(figure: Figure) -> Figure:
        return (LEARNED, figure[1]) if figure[0] == own else figure

    return replace(
        run,
        figures={named(figure): value for figure, value in run.figures.items()},
        units={named(figure): unit for figure, unit in run.units.items()},
    )


def _value(sample: Sequence[Interval]) -> Interval | None:
    if not sample:
        return None
    if len(sample) == 1:
        return sample[0]
    rng = numpy_generator(BOOTSTRAP_SEED, Stream.BOOTSTRAP)
    return bootstrap_interval(_estimates(sample), interquartile_mean, rng=rng)


def _difference(first: Sequence[Interval], other: Sequence[Interval]) -> Interval | None:
    """Other less first."""
    if not first or not other:
        return None
    if len(first) > 1 and len(other) > 1:
        rng = numpy_generator(BOOTSTRAP_SEED, Stream.BOOTSTRAP)
        ours, theirs = [_estimates(other)], [_estimates(first)]
        return difference_interval(ours, theirs, interquartile_mean, rng=rng)
    a, b = _value(first), _value(other)
    assert a is not None
    assert b is not None
    estimate = b.estimate - a.estimate
    low = math.hypot(b.estimate - b.low, a.high - a.estimate)
    high = math.hypot(b.high - b.estimate, a.estimate - a.low)
    return Interval(estimate=estimate, low=estimate - low, high=estimate + high)


def _estimates(sample: Sequence[Interval]) -> np.ndarray:
    return np.array([one.estimate for one in sample], dtype=float)


def settings_that_differ(groups: Sequence[Sequence[RunFigures]]) -> list[tuple[str, list[str]]]:
    """Settings on which the groups disagree, with the value of each group."""
    flat = [_flat(group[0].config) for group in groups]
    names = sorted({name for one in flat for name in one} - {"seed"})
    return [
        (name, [one.get(name, "–") for one in flat])
        for name in names
        if len({one.get(name, "–") for one in flat}) > 1
    ]


def _flat(table: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = "–" if value is None else str(value)
    return flat
