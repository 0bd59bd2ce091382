"""From parts to a verdict: what is claimed, what became of it, and what to know beside it.

A claim that is met by being level, or by a small number, can be met by those who have learned
nothing. It does not hold then, but is undecided: see `unless_idle`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from paper_envs.bench.claims.evidence import (
    MIN_RUNS,
    Evidence,
    Outcome,
    all_hold,
    at_least,
    difference_part,
)
from paper_envs.bench.results.comparisons import (
    Runs,
    Suite,
    difference,
    first_return,
    sample,
    title_of,
)

ALL_TASKS = "all"
SHARING_RIVALS = ("vps", "vs", "ps")
MARGIN = 0.05  # of a task's span: a difference too small to count against "matching"

LEARNED = "undecided where there is no learning to speak of"
LEVEL_TEST = (
    f"95 % interval of each difference above −{100 * MARGIN:.0f} % of the task's span (best less "
    f"worst algorithm, of finished runs); {LEARNED}"
)
NO_SPAN = "would hold, but all algorithms are level, so nothing can be told"


def has_learned(runs: Runs) -> bool:
    """Whether runs end better than they start, as far as the interval can tell."""
    ends, starts = sample(runs), sample(runs, first_return)
    return bool(ends.size and starts.size) and difference([ends], [starts]).low > 0


def unless_idle(name: str, runs: Runs) -> list[str]:
    """What to object to a claim that whoever has learned nothing could meet as well."""
    if not runs or has_learned(runs):
        return []
    return [f"would hold, but says nothing while {name} ends no better than it starts"]


def not_learned(suite: Suite, tasks: Sequence[str], num_agents: int | None = None) -> list[str]:
    """Tasks in which all runs of SS are finished and end no better than they start."""
    runs = {task: suite.runs(task, "ss", num_agents=num_agents) for task in tasks}
    return [
        task
        for task, each in runs.items()
        if sample(each).size and all(run.finished for run in each) and not has_learned(each)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """What is claimed, by whom, and what decides."""

    claim: str
    statement: str
    test: str
    source: Literal["paper", "ours"] = "paper"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim under one preset, and what became of it; `judge_claims` leaves no "not run"."""

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
    published_share: float | None  # of the paper's episodes, done by what is compared; not of ours

    @property
    def words(self) -> str:
        """The verdict as it is read: one that is open says at how much training."""
        return verdict_words(self.verdict, self.published_share)


def verdict_words(verdict: str, published_share: float | None) -> str:
    """`undecided at 32 % of the published episodes`, or what was decided."""
    if verdict != "undecided" or published_share is None:
        return verdict
    return f"{verdict} at {percent(published_share)} of the published episodes"


def percent(share: float) -> str:
    """`32 %`; a little is not told as nothing, nor almost all as all."""
    if 0 < share < 0.01:
        return f"{float(f'{100 * share:.1g}'):g} %"
    return f"{99 if 0.99 < share < 1 else 100 * share:.0f} %"


def claim_from(
    wording: Wording,
    suite: Suite,
    parts: Sequence[Evidence],
    *,
    task: str = ALL_TASKS,
    num_agents: int | None = None,
    combine: Callable[[Sequence[Evidence]], Outcome] = all_hold,
    beside: Sequence[Evidence] = (),
    objections: Sequence[str] = (),
) -> Claim:
    """A claim from its parts; `beside` are figures that do not decide.

    With `objections` it is undecided where it would hold; they are then noted.
    """
    counts = [part.num_runs for part in parts if part.interval is not None]
    tasks = suite.tasks if task == ALL_TASKS else (task,)
    outcome = combine(parts)
    done = [share for part in parts for share in part.done]
    published = suite.in_paper and wording.source == "paper"
    objected = list(objections) if outcome == "holds" else []
    idle = not_learned(suite, tasks, num_agents)
    return Claim(
        claim=wording.claim,
        preset=suite.preset,
        suite="paper" if suite.in_paper else "small",
        task=task,
        source=wording.source,
        statement=wording.statement,
        test=wording.test,
        verdict="undecided" if objected else outcome,
        figures=_figures(parts),
        beside=_figures(beside),
        note="; ".join([*objected, *_notes(parts, beside, idle)]),
        num_runs=min(counts, default=0),
        published_share=sum(done) / len(done) if done and published else None,
    )


def _figures(parts: Sequence[Evidence]) -> str:
    return "; ".join(part.figures for part in parts if part.interval is not None)


def _notes(
    parts: Sequence[Evidence], beside: Sequence[Evidence], idle_tasks: Sequence[str]
) -> list[str]:
    shown_parts = (*parts, *beside)
    notes = list(dict.fromkeys(note for part in shown_parts for note in part.notes))
    present = [part for part in parts if part.interval is not None]
    if not present:
        return notes
    absent = [part.label for part in shown_parts if part.outcome == "not run"]
    if absent:
        places = dict.fromkeys(label.partition(":")[0] for label in absent)
        notes.append(f"not run: {', '.join(places)}")
    if min(part.num_runs for part in present) < MIN_RUNS:
        notes.append(f"fewer than {MIN_RUNS} seeds decide nothing")
    if idle_tasks:
        notes.append(f"SS has not learned within this budget: {', '.join(idle_tasks)}")
    return notes


def level_with_rivals(wording: Wording, suite: Suite, task: str, ours: Runs, name: str) -> Claim:
    """Not below any of the paper's sharing baselines by more than the margin.

    `name` says what learned `ours`.
    """
    scale = suite.scale(task)
    rule = at_least(0.0 if scale is None else -MARGIN * scale.span)
    parts = [
        difference_part(f"over {title_of(rival)}", ours, suite.runs(task, rival), rule)
        for rival in SHARING_RIVALS
    ]
    objections = [*unless_idle(name, ours), *([NO_SPAN] if scale is None else [])]
    return claim_from(wording, suite, parts, task=task, objections=objections)
