"""`ss bench strength`: how much of their rewards selfish learners must hand over to cooperate.

Willis et al. (2024), "Resolving social dilemmas with minimal reward transfer", arXiv 2310.12928,
call the share that an agent may keep at most the self-interest level of a game. There it is found
by analysis; here learners are trained (`reward_transfer`) at several levels. They hand over the
share g = 1 - s of each reward in equal parts to all others: g = 0 is selfish, g = (N - 1)/N shares
all equally. The strength of the dilemma is the smallest g from which on, for all larger ones tried,
they come nine tenths of the way from selfish learners to those who share equally.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from ss_core.random_streams import Stream, numpy_generator
from ss_core.scenario.short_runs import Results
from ss_core.statistics import Interval, bootstrap_interval, interquartile_mean

SEEDS = tuple(range(100, 110))
COOPERATES = 0.9  # of the way
Welfare = Mapping[float, Float[np.ndarray, " seed"]]  # by share handed over


def shares_handed_over(num_agents: int, levels: int) -> tuple[float, ...]:
    """From nothing to equal sharing, in `levels` equal steps."""
    most = (num_agents - 1) / num_agents
    return tuple(round(most * k / levels, 4) for k in range(levels + 1))


def condition(share: float) -> str:
    """Name of a level's trainings."""
    return f"hand-over-{share:.4f}"


def settings(share: float) -> dict[str, Any]:
    """Of a training in which everybody hands over this share."""
    return {"algorithm": "reward_transfer", "learner.self_interest": 1.0 - share}


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """What learners reach at each level, and from where on they cooperate."""

    welfare: Mapping[float, Interval]
    of_the_way: Mapping[float, float]  # from selfish to equal sharing; empty without a dilemma
    share: float | None  # handed over from which on they cooperate; None: there is no dilemma


def strength_of(welfare: Welfare) -> Strength:
    """Judge trainings of at least two levels, the first of them selfish, the last equal sharing."""
    shares = sorted(welfare)
    selfish, equal = welfare[shares[0]], welfare[shares[-1]]
    found = {share: _mean(welfare[share]) for share in shares}
    if _mean(equal - selfish).low <= 0.0:
        return Strength(welfare=found, of_the_way={}, share=None)
    low, high = found[shares[0]].estimate, found[shares[-1]].estimate
    way = {share: (found[share].estimate - low) / (high - low) for share in shares}
    at = len(shares) - 1
    while at > 0 and way[shares[at - 1]] >= COOPERATES:
        at -= 1
    return Strength(welfare=found, of_the_way=way, share=shares[at])


def _mean(values: Float[np.ndarray, " seed"]) -> Interval:
    return bootstrap_interval(values, interquartile_mean, rng=numpy_generator(0, Stream.BOOTSTRAP))


def conclude(
    game: str, shares: Sequence[float], seeds: Sequence[int], found: Results
) -> dict[str, Any]:
    """The table, and the strength in words."""
    strength = strength_of(
        {
            share: np.array([found[condition(share), seed]["welfare"] for seed in seeds])
            for share in shares
        }
    )
    rows = [
        {
            "handed_over_percent": round(100.0 * share, 1),
            "return_per_agent": f"{strength.welfare[share]:.4g}",
            "of_the_way_percent": (
                round(100.0 * strength.of_the_way[share]) if strength.of_the_way else None
            ),
        }
        for share in shares
    ]
    return {
        "schema": "ss.bench_strength/1",
        "tables": {f"{game}: reward transfer, {len(seeds)} seeds": rows},
        "strength": strength.share,
        "notes": [in_words(strength)],
    }


def in_words(strength: Strength) -> str:
    """For people."""
    if strength.share is None:
        return (
            "no dilemma for these learners: sharing all rewards equally brings them no more than "
            "selfishness (95 % interval over seeds)"
        )
    if strength.share == 0.0:
        return "no dilemma for these learners: selfish ones cooperate as those who share do"
    return (
        f"learners cooperate from {100.0 * strength.share:.0f} % of each reward handed over on "
        f"({100.0 * COOPERATES:.0f} % of the way from selfish to equal sharing): the strength of "
        "this dilemma"
    )
