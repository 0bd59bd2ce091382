"""From an interval to a verdict: the rules by which every claim is decided.

A claim holds when the whole 95 % interval lies on the claimed side, and does not hold when the
whole interval lies on the other side. Everything else is undecided, and so is whatever rests on
fewer than `MIN_RUNS` seeds.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from paper_envs.bench.comparisons import (
    LEVEL,
    Metric,
    Runs,
    Suite,
    difference,
    final_return,
    first_return,
    interval_of,
    sample,
    title_of,
)
from ss_core.statistics import Interval

Outcome = Literal["holds", "does not hold", "undecided", "not run"]
Rule = Callable[[Interval], Outcome]

MIN_RUNS = 3
SMALL = 1e-3  # shown as a power of ten
ALL_TASKS = "all"
SHARING_RIVALS = ("vps", "vs", "ps")
MARGIN = 0.05  # of a task's span: a difference too small to count against "matching"

LEVEL_TEST = (
    f"95 % interval of each difference above −{100 * MARGIN:.0f} % of the task's span (best less "
    "worst algorithm)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One comparison that a claim rests on."""

    label: str
    outcome: Outcome
    interval: Interval | None = None
    num_runs: int = 0  # fewest seeds of a cell in it

    @property
    def figures(self) -> str:
        """Its label with estimate and interval; empty if it was not run."""
        return "" if self.interval is None else f"{self.label} {shown(self.interval)}"


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


def all_hold(parts: Sequence[Part]) -> Outcome:
    """Holds when every part holds; one that does not is enough against it."""
    return _combined(parts, decisive="does not hold", unanimous="holds")


def some_hold(parts: Sequence[Part]) -> Outcome:
    """Holds when at least one part holds."""
    return _combined(parts, decisive="holds", unanimous="does not hold")


def _combined(parts: Sequence[Part], *, decisive: Outcome, unanimous: Outcome) -> Outcome:
    outcomes = {part.outcome for part in parts}
    if outcomes <= {"not run"}:
        return "not run"
    if decisive in outcomes:
        return decisive
    return unanimous if outcomes == {unanimous} else "undecided"


def value_part(label: str, runs: Runs, metric: Metric, rule: Rule) -> Part:
    """A quantity of one cell against a bound."""
    values = sample(runs, metric)
    if not values.size:
        return Part(label=label, outcome="not run")
    interval = interval_of(values)
    return _judged(label, interval, int(values.size), rule)


def difference_part(
    label: str,
    first: Runs,
    second: Runs,
    rule: Rule,
    *,
    metric: Metric = final_return,
    level: float = LEVEL,
) -> Part:
    """One cell less another."""
    ours, theirs = sample(first, metric), sample(second, metric)
    if not (ours.size and theirs.size):
        return Part(label=label, outcome="not run")
    interval = difference([ours], [theirs], level=level)
    return _judged(label, interval, int(min(ours.size, theirs.size)), rule)


def overall_part(
    label: str, suite: Suite, first: str, second: str, rule: Rule, *, metric: Metric = final_return
) -> Part:
    """One algorithm less another over all tasks where both were run, normalised task by task."""
    pairs = list(_normalised_pairs(suite, first, second, metric).values())
    if not pairs:
        return Part(label=label, outcome="not run")
    interval = difference([ours for ours, _ in pairs], [theirs for _, theirs in pairs])
    fewest = min(values.size for pair in pairs for values in pair)
    return _judged(f"{label} ({_tasks(len(pairs))})", interval, int(fewest), rule)


def _normalised_pairs(
    suite: Suite, first: str, second: str, metric: Metric
) -> Mapping[str, tuple[Float[np.ndarray, " _"], Float[np.ndarray, " _"]]]:
    pairs = {}
    for task in suite.tasks:
        ours, theirs = (sample(suite.runs(task, name), metric) for name in (first, second))
        scale = suite.scale(task)
        if scale is not None and ours.size and theirs.size:
            pairs[task] = scale.normalised(ours), scale.normalised(theirs)
    return pairs


def _tasks(count: int) -> str:
    return "1 task" if count == 1 else f"{count} tasks"


def _judged(label: str, interval: Interval | None, num_runs: int, rule: Rule) -> Part:
    if interval is None:
        return Part(label=label, outcome="not run")
    outcome = rule(interval) if num_runs >= MIN_RUNS else "undecided"
    return Part(label=label, outcome=outcome, interval=interval, num_runs=num_runs)


def margin_of(suite: Suite, task: str) -> float:
    """What counts as level in a task: `MARGIN` of its span; 0 where all algorithms are level."""
    scale = suite.scale(task)
    return 0.0 if scale is None else MARGIN * scale.span


def not_learned(suite: Suite, tasks: Sequence[str], num_agents: int | None = None) -> list[str]:
    """Tasks in which SS ends no better than it starts, as far as the interval can tell."""
    names = []
    for task in tasks:
        runs = suite.runs(task, "ss", num_agents=num_agents)
        ends, starts = sample(runs), sample(runs, first_return)
        if ends.size and starts.size and difference([ends], [starts]).low <= 0:
            names.append(task)
    return names


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What is claimed, by whom, and what decides."""

    claim: str
    statement: str
    test: str
    source: Literal["paper", "ours"] = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim under one preset, and what became of it."""

    claim: str
    preset: str
    suite: Literal["paper", "small"]
    task: str
    source: Literal["paper", "ours"]
    statement: str
    test: str
    verdict: Outcome
    figures: str  # what decided
    beside: str  # more figures, which do not decide
    note: str
    num_runs: int


def claim_from(
    wording: Wording,
    suite: Suite,
    parts: Sequence[Part],
    *,
    task: str = ALL_TASKS,
    num_agents: int | None = None,
    combine: Callable[[Sequence[Part]], Outcome] = all_hold,
    beside: Sequence[Part] = (),
) -> Claim:
    """A claim from its parts; `beside` are figures that do not decide."""
    counts = [part.num_runs for part in parts if part.interval is not None]
    tasks = suite.tasks if task == ALL_TASKS else (task,)
    return Claim(
        claim=wording.claim,
        preset=suite.preset,
        suite="paper" if suite.in_paper else "small",
        task=task,
        source=wording.source,
        statement=wording.statement,
        test=wording.test,
        verdict=combine(parts),
        figures=_figures(parts),
        beside=_figures(beside),
        note=_note(parts, beside, not_learned(suite, tasks, num_agents)),
        num_runs=min(counts, default=0),
    )


def _figures(parts: Sequence[Part]) -> str:
    return "; ".join(part.figures for part in parts if part.interval is not None)


def _note(parts: Sequence[Part], beside: Sequence[Part], idle_tasks: Sequence[str]) -> str:
    present = [part for part in parts if part.interval is not None]
    if not present:
        return ""
    notes = []
    absent = [part.label for part in (*parts, *beside) if part.interval is None]
    if absent:
        places = dict.fromkeys(label.partition(":")[0] for label in absent)
        notes.append(f"not run: {', '.join(places)}")
    if min(part.num_runs for part in present) < MIN_RUNS:
        notes.append(f"fewer than {MIN_RUNS} seeds decide nothing")
    if idle_tasks:
        notes.append(f"SS has not learned within this budget: {', '.join(idle_tasks)}")
    return "; ".join(notes)


def level_with_rivals(wording: Wording, suite: Suite, task: str, ours: Runs) -> Claim:
    """Not below any of the paper's sharing baselines by more than the margin."""
    rule = at_least(-margin_of(suite, task))
    parts = [
        difference_part(f"over {title_of(rival)}", ours, suite.runs(task, rival), rule)
        for rival in SHARING_RIVALS
    ]
    return claim_from(wording, suite, parts, task=task)
