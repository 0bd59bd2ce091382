"""Parts of a claim: one interval each, and the rules that turn intervals into an outcome.

A part holds when its whole 95 % interval lies on the claimed side, and does not hold when the whole
interval lies on the other side. Everything else is undecided, and so is whatever rests on fewer
than `MIN_RUNS` seeds, or on a run that is not finished.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from paper_envs.bench.results.comparisons import (
    LEVEL,
    Metric,
    Runs,
    Suite,
    difference,
    final_return,
    interval_of,
    sample,
)
from ss_core.statistics import Interval

Outcome = Literal["holds", "does not hold", "undecided", "not run"]
Rule = Callable[[Interval], Outcome]
Pair = tuple[Float[np.ndarray, " run"], Float[np.ndarray, " rival"]]

MIN_RUNS = 5  # of a cell: with fewer, intervals are too narrow (see the rules on the page)
SMALL = 1e-3  # shown as a power of ten
UNFINISHED = "runs that are not finished decide nothing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One comparison that a claim rests on."""

    label: str
    outcome: Outcome
    interval: Interval | None = None
    num_runs: int = 0  # fewest seeds of a cell in it
    scope: str = ""  # over which tasks, where not over one
    notes: tuple[str, ...] = ()  # what its figures leave out
    done: tuple[float, ...] = ()  # share of the published episodes, of each condition compared

    @property
    def figures(self) -> str:
        """Its label with estimate and interval; empty if it was not run."""
        if self.interval is None:
            return ""
        scope = f"{self.scope}: " if self.scope else ""
        return f"{scope}{self.label} {shown(self.interval)}"


def shown(interval: Interval) -> str:
    """`-1.02 [-1.10, -1.00]`: as many decimals as the interval can tell apart, from 2 to 4."""
    values = (interval.estimate, interval.low, interval.high)
    width = interval.high - interval.low
    if 0 < max(abs(value) for value in values) < SMALL:
        estimate, low, high = (f"{value:.1e}" for value in values)
    else:
        decimals = 2 if width >= 0.05 else 3 if width >= 0.005 or width == 0 else 4
        estimate, low, high = (f"{round(value, decimals) + 0.0:.{decimals}f}" for value in values)
    return f"{estimate} [{low}, {high}]"  # adding 0.0 turned -0.0 into 0.0


def above(bound: float) -> Rule:
    """More than `bound`."""
    return lambda interval: (
        "holds"
        if interval.low > bound
        else "does not hold"
        if interval.high <= bound
        else "undecided"
    )


def at_least(bound: float) -> Rule:
    """`bound` or more."""
    return lambda interval: (
        "holds"
        if interval.low >= bound
        else "does not hold"
        if interval.high < bound
        else "undecided"
    )


def at_most(bound: float) -> Rule:
    """`bound` or less."""
    return lambda interval: (
        "holds"
        if interval.high <= bound
        else "does not hold"
        if interval.low > bound
        else "undecided"
    )


def all_hold(parts: Sequence[Evidence]) -> Outcome:
    """Holds when every part holds; one that does not is enough against it."""
    return _combined(parts, decisive="does not hold", unanimous="holds")


def some_hold(parts: Sequence[Evidence]) -> Outcome:
    """Holds when at least one part holds."""
    return _combined(parts, decisive="holds", unanimous="does not hold")


def _combined(parts: Sequence[Evidence], *, decisive: Outcome, unanimous: Outcome) -> Outcome:
    outcomes = {part.outcome for part in parts}
    if outcomes <= {"not run"}:
        return "not run"
    if decisive in outcomes:
        return decisive
    return unanimous if outcomes == {unanimous} else "undecided"


def share_done(runs: Runs) -> float:
    """Training episodes of a condition as a share of the published ones, of `MIN_RUNS` seeds.

    A run that does not exist counts as none, one that trained longer than published as whole.
    """
    shares = [run.published_share or 0.0 for run in runs]
    return sum(shares) / max(len(shares), MIN_RUNS)


def value_part(label: str, runs: Runs, metric: Metric, rule: Rule) -> Evidence:
    """A quantity of one cell against a bound."""
    values, done = sample(runs, metric), (share_done(runs),)
    if not values.size:
        return Evidence(label=label, outcome="not run", done=done)
    interval = interval_of(values)
    return replace(judged(label, interval, int(values.size), rule, [runs]), done=done)


def difference_part(
    label: str,
    first: Runs,
    second: Runs,
    rule: Rule,
    *,
    metric: Metric = final_return,
    level: float = LEVEL,
) -> Evidence:
    """One cell less another."""
    ours, theirs = sample(first, metric), sample(second, metric)
    done = share_done(first), share_done(second)
    if not (ours.size and theirs.size):
        return Evidence(label=label, outcome="not run", done=done)
    interval = difference([ours], [theirs], level=level)
    fewest = int(min(ours.size, theirs.size))
    return replace(judged(label, interval, fewest, rule, [first, second]), done=done)


def overall_part(
    label: str,
    suite: Suite,
    first: str,
    second: str,
    rule: Rule,
    *,
    tasks: Sequence[str] | None = None,
) -> Evidence:
    """One algorithm less another, normalised task by task, mean over the tasks where both were run.

    `tasks` are those the claim is about; None means all of the suite.
    """
    about = suite.tasks if tasks is None else tasks
    pairs: dict[str, Pair] = {}
    compared = [(suite.runs(task, first), suite.runs(task, second)) for task in about]
    level = []
    for task, both in zip(about, compared, strict=True):
        ours, theirs = map(sample, both)
        scale = suite.scale(task)
        if ours.size and theirs.size:
            if scale is None:
                level.append(task)
            else:
                pairs[task] = scale.normalised(ours), scale.normalised(theirs)
    notes = (f"not counted, all algorithms are level: {', '.join(level)}",) if level else ()
    return mean_part(label, pairs, rule, about=about, compared=compared, notes=notes)


def mean_part(
    label: str,
    pairs: Mapping[str, Pair],
    rule: Rule,
    *,
    about: Sequence[str],
    compared: Sequence[tuple[Runs, Runs]],
    notes: tuple[str, ...] = (),
) -> Evidence:
    """Mean over tasks of the difference in each: the first of a pair less the second.

    `compared` are the runs of both in every task that the claim is about, run or not. Unfinished
    ones leave it undecided in tasks where both were run.
    """
    done = tuple(share_done(runs) for both in compared for runs in both)
    met = [runs for both in compared if all(both) for runs in both]
    if not pairs:
        outcome = "undecided" if notes else "not run"
        return Evidence(label=label, outcome=outcome, notes=notes, done=done)
    interval = difference(
        [ours for ours, _ in pairs.values()], [each for _, each in pairs.values()]
    )
    fewest = min(values.size for pair in pairs.values() for values in pair)
    part = judged(label, interval, int(fewest), rule, met)
    return replace(part, scope=scope_of(list(pairs), about), notes=(*part.notes, *notes), done=done)


def scope_of(tasks: Sequence[str], about: Sequence[str]) -> str:
    """`2 of 4 tasks (predation, navigation)`: the tasks that count, and of how many."""
    return f"{len(tasks)} of {len(about)} tasks ({', '.join(tasks)})"


def judged(
    label: str, interval: Interval | None, num_runs: int, rule: Rule, compared: Sequence[Runs]
) -> Evidence:
    """An interval under a rule; undecided with too few seeds or with runs that are not finished."""
    if interval is None:
        return Evidence(label=label, outcome="not run")
    unfinished = sum(not run.finished for runs in compared for run in runs)
    decides = num_runs >= MIN_RUNS and not unfinished
    notes = (UNFINISHED,) if unfinished else ()
    return Evidence(
        label=label,
        outcome=rule(interval) if decides else "undecided",
        interval=interval,
        num_runs=num_runs,
        notes=notes,
    )
