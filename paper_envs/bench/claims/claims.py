"""The claims of the paper, one line each, with the test that decides it; and one of ours.

Differences are between interquartile means over seeds. Claims about all tasks take the mean over
the tasks that were run, each normalised (0 = worst algorithm, 1 = best, of finished runs); the
figures name them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from paper_envs.bench.claims.evidence import (
    Evidence,
    above,
    all_hold,
    at_least,
    difference_part,
    overall_part,
    scope_of,
    share_done,
    some_hold,
)
from paper_envs.bench.claims.predation import eight_predators, scalability, two_predators
from paper_envs.bench.claims.speed import faster_than_ps
from paper_envs.bench.claims.verdicts import (
    LEARNED,
    LEVEL_TEST,
    MARGIN,
    Claim,
    Wording,
    claim_from,
    level_with_rivals,
    unless_idle,
)
from paper_envs.bench.results.comparisons import ALGORITHM_TITLES, Suite, sample, title_of
from paper_envs.tasks import TASKS


def judge_claims(suites: Iterable[Suite]) -> list[Claim]:
    """Every claim of the paper once, in its order, then those about small variants.

    Each claim of the paper is decided, or undecided at some share of the published episodes. Where
    our preset was run at full size it decides, else the paper's. Of small variants, and of our own
    claims, there is only what was run.
    """
    of_paper, of_small = [], []
    for suite in suites:
        (of_paper if suite.in_paper else of_small).append(suite)
    if of_small and not of_paper:
        of_paper = [Suite(preset=of_small[0].preset, in_paper=True, cells={})]
    found = [
        _told(_decisive(candidates))
        for judge in JUDGES
        for candidates in _same_claims([claim for suite in of_paper for claim in judge(suite)])
    ]
    small = [claim for suite in of_small for judge in JUDGES for claim in judge(suite)]
    return [
        *(claim for claim in found if claim.source == "paper" or claim.num_runs),
        *(claim for claim in small if claim.verdict != "not run"),
    ]


def _same_claims(claims: Sequence[Claim]) -> list[list[Claim]]:
    """Claims under several presets, together by name and task."""
    together: dict[tuple[str, str], list[Claim]] = {}
    for claim in claims:
        together.setdefault((claim.claim, claim.task), []).append(claim)
    return list(together.values())


def _decisive(candidates: Sequence[Claim]) -> Claim:
    """The claim under our preset if it was run there, else under the paper's; both are told."""
    tuned_first = sorted(candidates, key=lambda claim: claim.preset != "tuned")
    was_run = [claim for claim in tuned_first if claim.verdict != "not run"]
    if not was_run:
        return tuned_first[0]
    chosen, *others = was_run
    told = (f"under the preset {each.preset}: {each.words}" for each in others)
    return replace(chosen, note="; ".join(part for part in (chosen.note, *told) if part))


def _told(claim: Claim) -> Claim:
    """What was not run is undecided, and says why."""
    if claim.verdict != "not run":
        return claim
    return replace(claim, verdict="undecided", note=claim.note or "nothing to judge yet")


def _matching(suite: Suite) -> list[Claim]:
    wording = Wording(
        claim="matches-sharing",
        statement="SS matches or exceeds what shares values or policy parameters (VPS, VS, PS)",
        test=LEVEL_TEST,
    )
    return [
        level_with_rivals(wording, suite, task, suite.runs(task, "ss"), "SS")
        for task in suite.tasks
    ]


def _above_value_sharing(suite: Suite) -> list[Claim]:
    return [
        _overall(
            Wording(
                claim=f"above-{rival}",
                statement=f"SS outperforms {rival.upper()}",
                test="95 % interval of the normalised difference, mean over tasks, above 0",
            ),
            suite,
            [("ss", rival)],
        )
        for rival in ("vps", "vs")
    ]


def _overall(wording: Wording, suite: Suite, pairs: Sequence[tuple[str, str]]) -> Claim:
    """One algorithm above another over all tasks, with the difference in each task beside it."""
    parts, beside = [], []
    for first, second in pairs:
        label = f"{title_of(first)} over {title_of(second)}"
        parts.append(overall_part(label, suite, first, second, above(0.0)))
        beside += [
            difference_part(
                task if len(pairs) == 1 else f"{task}: {label}",
                suite.runs(task, first),
                suite.runs(task, second),
                above(0.0),
            )
            for task in suite.tasks
        ]
    return claim_from(wording, suite, parts, beside=beside)


def _policies_before_values(suite: Suite) -> list[Claim]:
    wording = Wording(
        claim="ps-above-values",
        statement="PS performs better than VS and VPS",
        test="95 % intervals of both normalised differences, mean over tasks, above 0",
    )
    return [_overall(wording, suite, [("ps", "vs"), ("ps", "vps")])]


def _above_centralised(suite: Suite) -> list[Claim]:
    wording = Wording(
        claim="above-cl-somewhere",
        statement="SS outperforms centralised learning (CL) in some cases",
        test="in at least one task, interval of the difference above 0 (95 % for all tasks "
        "together)",
    )
    level = _level_of_each(suite, "centralised")
    parts = [
        difference_part(
            task, suite.runs(task, "ss"), suite.runs(task, "centralised"), above(0.0), level=level
        )
        for task in suite.tasks
    ]
    return [claim_from(wording, suite, parts, combine=some_hold)]


def _level_of_each(suite: Suite, rival: str) -> float:
    """The level at which intervals of every task hold together with 95 % (Bonferroni)."""
    return 1 - 0.05 / max(1, sum(bool(suite.runs(task, rival)) for task in suite.tasks))


def _moral_rewards(suite: Suite) -> list[Claim]:
    tasks = [task for task in suite.tasks if TASKS[task].has_cooperation]
    competitive = Wording(
        claim="imr-competitive",
        statement="IMR shows competitive performance",
        test=f"95 % interval of IMR less SS, normalised, mean over tasks that tell cooperation, "
        f"above −{MARGIN}; {LEARNED}",
    )
    best = Wording(
        claim="imr-best-somewhere",
        statement="IMR achieves the best results in one case",
        test="in at least one task, interval of IMR less every other algorithm above 0 "
        "(95 % for all tasks together)",
    )
    overall = overall_part("IMR over SS", suite, "imr", "ss", at_least(-MARGIN), tasks=tasks)
    beside = [
        difference_part(task, suite.runs(task, "imr"), suite.runs(task, "ss"), at_least(0.0))
        for task in tasks
    ]
    objections = [
        objection
        for task in tasks
        for objection in unless_idle(f"IMR in {task}", suite.runs(task, "imr"))
    ]
    return [
        claim_from(competitive, suite, [overall], beside=beside, objections=objections),
        claim_from(best, suite, [_best_part(suite, task) for task in tasks], combine=some_hold),
    ]


def _best_part(suite: Suite, task: str) -> Evidence:
    """IMR against the algorithm that leaves it the least ahead; a rival not run is not beaten."""
    runs = suite.runs(task, "imr")
    names = dict.fromkeys([*ALGORITHM_TITLES, *suite.algorithms(task)])
    rivals = {name: suite.runs(task, name) for name in names if name != "imr"}
    parts = [
        difference_part(
            f"{task}, over {title_of(name)}",
            runs,
            each,
            above(0.0),
            level=_level_of_each(suite, "imr"),
        )
        for name, each in rivals.items()
    ]
    compared = [(part.interval.estimate, part) for part in parts if part.interval is not None]
    done = tuple(map(share_done, (runs, *rivals.values())))
    if not compared:
        return Evidence(label=task, outcome="not run", done=done)
    absent = [title_of(name) for name, each in rivals.items() if not sample(each).size]
    closest = min(compared, key=lambda pair: pair[0])[1]
    return Evidence(
        label=closest.label,
        outcome=all_hold(parts),
        interval=closest.interval,
        num_runs=min(part.num_runs for part in parts if part.interval is not None),
        notes=(f"not run in {task}: {', '.join(absent)}",) if absent else (),
        done=done,
    )


def _without_constraints(suite: Suite) -> list[Claim]:
    wording = Wording(
        claim="rho0-drop",
        statement="Without the constraints (ρ = 0) performance drops significantly",
        test="95 % interval of SS less SS with ρ = 0 above 0 in every task where it was run",
    )
    parts = [
        difference_part(
            task, suite.runs(task, "ss"), suite.runs(task, "ss", variant="rho0"), above(0.0)
        )
        for task in suite.tasks
    ]
    ran = [part for part in parts if part.interval is not None]
    if not ran:
        return [claim_from(wording, suite, parts)]
    absent = [part for part in parts if part.interval is None]
    first = replace(  # tasks that were not run count as nothing done
        ran[0],
        scope=scope_of([part.label for part in ran], suite.tasks),
        done=(*ran[0].done, *(share for part in absent for share in part.done)),
    )
    return [claim_from(wording, suite, [first, *ran[1:]], beside=absent)]


def _above_independent(suite: Suite) -> list[Claim]:
    """Ours: under our own preset, suggestions beat learning alone."""
    if suite.preset != "tuned":
        return []
    wording = Wording(
        claim="above-independent",
        statement="SS outperforms independent PPO, which exchanges nothing",
        test="95 % interval of the difference above 0",
        source="ours",
    )
    return [
        claim_from(
            wording,
            suite,
            [
                difference_part(
                    "SS over independent",
                    suite.runs(task, "ss"),
                    suite.runs(task, "independent"),
                    above(0.0),
                )
            ],
            task=task,
        )
        for task in suite.tasks
    ]


JUDGES: tuple[Callable[[Suite], list[Claim]], ...] = (
    _matching,
    _above_value_sharing,
    faster_than_ps,
    _policies_before_values,
    _above_centralised,
    _moral_rewards,
    _without_constraints,
    two_predators,
    scalability,
    _above_independent,
    eight_predators,
)
