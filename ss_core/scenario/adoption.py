"""Whether coordination is recommended: the one test by which any world decides on trial days.

A trial day is played twice under the same random numbers, without and with coordination, so that
what both have in common cancels. Pure functions of costs; playing the days is the world's business.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ss_core.statistics import Interval

Decision = Literal["adopt", "reject", "undecided"]
LEVEL = 0.05  # chance, over all looks, that coordination without any gain is recommended
LOOKS_AT = (8, 16, 32)  # pairs of trial days after which a world may ask
MOST_PAIRS = LOOKS_AT[-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What trial days say of coordination."""

    decision: Decision  # undecided: chance could explain what was seen, either way
    gain: Interval  # mean cost saved per day and its bounds, in the unit of the costs
    confidence: float  # with which each of the two bounds holds on its own
    pairs: int  # trial days, each played both ways
    verdict: str  # one sentence for the page

    @property
    def is_recommended(self) -> bool:
        """Only a gain beyond chance is; a world undecided to the end stays as it was."""
        return self.decision == "adopt"


def adoption(
    uncoordinated: Float[ndarray, " day"],
    coordinated: Float[ndarray, " same_day"],
    *,
    unit: str = "",
    looks: int = len(LOOKS_AT),
    level: float = LEVEL,
) -> Adoption:
    """Student's test of paired differences, one-sided, shared by all looks (Bonferroni).

        dₖ = uncoordinatedₖ - coordinatedₖ,    b = t(1 - level / looks; n - 1) s_d / √n
        adopt if d̄ - b > 0,  reject if d̄ + b ≤ 0,  otherwise undecided

    Whatever the looks have in common, coordination that gains nothing is adopted in at most `level`
    of all runs (Student, 1908; Dunn, 1961), and coordination that loses nothing is rejected as
    seldom. Days without any noise give bounds that coincide: two pairs then suffice.

    Args:
        uncoordinated: Cost of each trial day without coordination, in `unit`; lower is better.
        coordinated: Cost of the same days, in the same order, with it.
        unit: Of the costs, for the sentence.
        looks: How often days are tested in all, fixed before the first of them is played; where
            several candidates are tried, each of them takes looks of its own.
        level: Chance of a false adoption over all looks.

    Raises:
        ValueError: costs that are not pairs of finite numbers, fewer than two pairs or more than
            `MOST_PAIRS`, or looks and a level that define no test.
    """
    _check(uncoordinated, coordinated, looks, level)
    from scipy.special import stdtrit  # slow to import, and seldom needed

    gains = uncoordinated - coordinated
    pairs, mean = len(gains), float(gains.mean())
    confidence = 1.0 - level / looks
    error = float(gains.std(ddof=1)) / np.sqrt(pairs)
    bound = float(stdtrit(pairs - 1, confidence)) * error  # quantile of Student's t
    gain = Interval(estimate=mean, low=mean - bound, high=mean + bound)
    decision = _decision(gain)
    return Adoption(
        decision=decision,
        gain=gain,
        confidence=confidence,
        pairs=pairs,
        verdict=_verdict(decision, gain, pairs=pairs, confidence=confidence, unit=unit),
    )


def _decision(gain: Interval) -> Decision:
    if gain.low > 0.0:
        return "adopt"
    return "reject" if gain.high <= 0.0 else "undecided"


def _verdict(
    decision: Decision, gain: Interval, *, pairs: int, confidence: float, unit: str
) -> str:
    """One sentence in plain words."""

    def amount(value: float) -> str:
        shown = f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"
        return f"{shown} {unit}".rstrip()

    days, sure = f"on {pairs} trial days", f"with {100.0 * confidence:.3g} % confidence"
    if decision == "adopt":
        return (
            f"Coordination is recommended: {days} it saved {amount(gain.estimate)} a day on "
            f"average, and {sure} it saves more than {amount(gain.low)}."
        )
    if decision == "undecided":
        return (
            f"Coordination is not recommended on this evidence: {days} its mean gain was "
            f"{amount(gain.estimate)}, and chance leaves it anywhere between {amount(gain.low)} "
            f"and {amount(gain.high)}."
        )
    if gain.estimate == 0.0:
        return f"Coordination is not recommended: {days} it changed nothing."
    return (
        f"Coordination is not recommended: {days} it cost {amount(-gain.estimate)} a day more on "
        f"average, and {sure} it does not save anything."
    )


def _check(
    uncoordinated: Float[ndarray, " day"],
    coordinated: Float[ndarray, " same_day"],
    looks: int,
    level: float,
) -> None:
    pairs, others = len(uncoordinated), len(coordinated)
    if pairs != others:
        raise ValueError(
            f"{pairs} days without and {others} with coordination: play each both ways"
        )
    if not 2 <= pairs <= MOST_PAIRS:
        raise ValueError(f"{pairs} pairs of trial days: between 2 and {MOST_PAIRS}")
    if not (np.isfinite(uncoordinated).all() and np.isfinite(coordinated).all()):
        raise ValueError("costs of trial days must be finite: charge what did not end")
    if looks < 1 or not 0.0 < level < 0.5:
        raise ValueError(f"looks={looks}, level={level}: at least one look, a level below a half")
