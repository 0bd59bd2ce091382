"""Who is faster: training episodes until a run gets somewhere, as a share of its budget.

The mark of a task is 90 % of the way from the common start (mean of the first points of both
algorithms' curves) to the better of the two ends (interquartile means of the final averaged
returns). A run arrives at the first point of its curve at or beyond the mark; one that never does
is given its whole budget. The area under the curve cannot tell: it rewards a better start or end.
"""

import numpy as np

from paper_envs.bench.claims.evidence import Evidence, Pair, above, difference_part, mean_part
from paper_envs.bench.claims.verdicts import Claim, Wording, claim_from, has_learned
from paper_envs.bench.results.comparisons import (
    Metric,
    Runs,
    Suite,
    area_under_curve,
    first_return,
    sample,
)
from paper_envs.bench.results.results import RunResult
from ss_core.statistics import interquartile_mean

WAY = 0.9
FASTER = Wording(
    claim="faster-than-ps",
    statement="SS converges faster than PS",
    test=f"training episodes until a run first comes {100 * WAY:.0f} % of the way from the common "
    "start to the better of both ends: 95 % interval of PS less SS, as a share of the budget, mean "
    "over tasks, above 0",
)


def faster_than_ps(suite: Suite) -> list[Claim]:
    """SS against PS over all tasks where one of them arrives, with each task beside it."""
    pairs: dict[str, Pair] = {}
    beside: list[Evidence] = []
    nowhere: list[str] = []
    late = []
    for task in suite.tasks:
        ours, theirs = suite.runs(task, "ss"), suite.runs(task, "ps")
        area = difference_part(
            f"{task}: area under the curve", ours, theirs, above(0.0), metric=area_under_curve
        )
        mark = mark_of(ours, theirs)
        if mark is None or not (_arrived(ours, mark) or _arrived(theirs, mark)):
            nowhere += [task] if ours and theirs else []
            beside.append(area)
            continue
        share = share_until(mark)
        pairs[task] = sample(theirs, share), sample(ours, share)
        beside += [difference_part(f"{task}: earlier by", theirs, ours, above(0.0), metric=share)]
        beside.append(area)
        late += [
            f"{len(runs) - _arrived(runs, mark)} of {len(runs)} runs of {name} in {task}"
            for name, runs in (("SS", ours), ("PS", theirs))
            if _arrived(runs, mark) < len(runs)
        ]
    notes = [f"not counted, neither gets there: {', '.join(nowhere)}"] if nowhere else []
    notes += [f"never there, so given the whole budget: {', '.join(late)}"] if late else []
    compared = [(suite.runs(task, "ss"), suite.runs(task, "ps")) for task in suite.tasks]
    part = mean_part(
        "SS earlier by",
        pairs,
        above(0.0),
        about=suite.tasks,
        compared=compared,
        notes=tuple(notes),
    )
    return [claim_from(FASTER, suite, [part], beside=beside)]


def mark_of(ours: Runs, theirs: Runs) -> float | None:
    """The averaged return to get to; None where the better of the two has not learned."""
    if not (sample(ours).size and sample(theirs).size):
        return None
    better = max((ours, theirs), key=lambda runs: float(interquartile_mean(sample(runs))))
    if not has_learned(better):
        return None
    start = float(np.mean([*sample(ours, first_return), *sample(theirs, first_return)]))
    end = float(interquartile_mean(sample(better)))
    return start + WAY * (end - start) if end > start else None


def arrival(run: RunResult, mark: float) -> float | None:
    """Share of a whole run's training episodes when the curve first reaches the mark, if it does.

    `mark` is an averaged return, per agent and step.
    """
    for episode, value in zip(run.curve["episode"], run.curve["averaged_return"], strict=True):
        if episode is not None and value is not None and value >= mark:
            return episode / run.planned_episodes
    return None


def share_until(mark: float) -> Metric:
    """As `arrival`, with 1 for a run that never arrives."""

    def share(run: RunResult) -> float:
        reached = arrival(run, mark)
        return 1.0 if reached is None else reached

    return share


def _arrived(runs: Runs, mark: float) -> int:
    """How many runs arrive."""
    return sum(arrival(run, mark) is not None for run in runs)
