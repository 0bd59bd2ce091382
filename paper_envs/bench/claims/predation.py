"""Claims about Cooperative Predation alone: the dilemma itself, what is suggested, and scale."""

from paper_envs.bench.claims.evidence import above, at_least, at_most, difference_part, value_part
from paper_envs.bench.claims.verdicts import (
    LEARNED,
    LEVEL_TEST,
    Claim,
    Wording,
    claim_from,
    level_with_rivals,
    unless_idle,
)
from paper_envs.bench.results.comparisons import (
    Runs,
    Suite,
    at_the_end,
    final_return,
    peak,
    share_of_cooperators,
)

TASK = "predation"
PAIR = 2  # predators in the paper's Figs 3 and 5
NEAR_ONE = 0.95
NEAR_ZERO_MSE = 0.01
FEWER_NEIGHBOURS = ("m4", "m2", "m6")  # half of eight first
HALF_FREQUENCY = "every2"
MSE = "suggestion_mse"  # of the curve
MSE_TEST = f"95 % interval at or below {NEAR_ZERO_MSE}, at the end of training; {LEARNED}"
GOAL = -1.2  # eight that all approach reach -1, a single volunteer -2


def two_predators(suite: Suite) -> list[Claim]:
    """The paper's analysis with two agents: joint actions, suggestions, discrepancy."""
    if not suite.in_paper:
        return []
    near_one, wanted = at_least(NEAR_ONE), f"95 % interval at or above {NEAR_ONE}"
    cases = (
        (
            Wording(
                claim="cc-rate",
                statement="Two predators both cooperate (C-C) at a rate close to 1",
                test=wanted,
            ),
            ("share of C-C", share_of_cooperators(PAIR), near_one),
        ),
        (
            Wording(
                claim="suggests-approach",
                statement="Two predators suggest approaching with a proportion close to 1",
                test=f"{wanted}, at the end of training",
            ),
            ("share suggested", at_the_end("suggested_cooperation"), near_one),
        ),
    )
    runs = suite.runs(TASK, "ss", num_agents=PAIR)
    claims = [
        claim_from(
            wording, suite, [value_part(label, runs, metric, rule)], task=TASK, num_agents=PAIR
        )
        for wording, (label, metric, rule) in cases
    ]
    agreed = Wording(
        claim="mse-vanishes",
        statement="With two predators, the MSE of policy and suggestion approaches 0",
        test=MSE_TEST,
    )
    return [*claims, _agreement(agreed, suite, runs, num_agents=PAIR)]


def _agreement(wording: Wording, suite: Suite, runs: Runs, num_agents: int | None = None) -> Claim:
    """The MSE at the end, with its peak beside it: before learning it may be small as well."""
    near_zero = at_most(NEAR_ZERO_MSE)
    return claim_from(
        wording,
        suite,
        [value_part("MSE", runs, at_the_end(MSE), near_zero)],
        task=TASK,
        num_agents=num_agents,
        beside=[value_part("largest MSE on the way", runs, peak(MSE), near_zero)],
        objections=unless_idle("SS", runs),
    )


def scalability(suite: Suite) -> list[Claim]:
    """Appendix A.4: fewer neighbours against half the communication, and both against rivals."""
    if not suite.in_paper:
        return []
    variants = suite.variants(TASK)
    fewer = next((name for name in FEWER_NEIGHBOURS if name in variants), FEWER_NEIGHBOURS[0])
    default = suite.runs(TASK, "ss")
    few, half = variants.get(fewer, ()), variants.get(HALF_FREQUENCY, ())
    hurts_less = Wording(
        claim="fewer-neighbours-hurt-less",
        statement="Fewer neighbours cost less performance than half the communication",
        test="95 % interval of the difference above 0",
    )
    words = f"{fewer.removeprefix('m')} random neighbours", "half the communication"
    parts = [difference_part(f"{words[0]} over {words[1]}", few, half, above(0.0))]
    beside = [
        difference_part(f"{name} over full sharing", runs, default, above(0.0))
        for name, runs in zip(words, (few, half), strict=True)
    ]
    return [
        claim_from(hurts_less, suite, parts, task=TASK, beside=beside),
        *(
            level_with_rivals(
                Wording(
                    claim=f"competitive-{name}",
                    statement=f"SS stays competitive with {word}",
                    test=LEVEL_TEST,
                ),
                suite,
                TASK,
                runs,
                f"SS with {word}",
            )
            for name, word, runs in zip((fewer, HALF_FREQUENCY), words, (few, half), strict=True)
        ),
    ]


def eight_predators(suite: Suite) -> list[Claim]:
    """Ours: under our own preset the dilemma of eight is solved, and suggestions agree."""
    if not suite.in_paper or suite.preset != "tuned":
        return []
    runs = suite.runs(TASK, "ss")
    solved = Wording(
        claim="predation-solved",
        statement=f"Eight predators reach an averaged return of {GOAL} or more (optimum −1)",
        test=f"95 % interval at or above {GOAL}",
        source="ours",
    )
    agreed = Wording(
        claim="mse-of-eight",
        statement="With eight predators, the MSE of policy and suggestion approaches 0",
        test=MSE_TEST,
        source="ours",
    )
    reached = value_part("return", runs, final_return, at_least(GOAL))
    return [claim_from(solved, suite, [reached], task=TASK), _agreement(agreed, suite, runs)]
