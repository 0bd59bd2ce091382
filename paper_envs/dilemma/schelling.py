"""The numbers of a Schelling diagram (Schelling, 1973; Hughes et al., 2018), and what they say.

Nothing is played here. `C(k)` is the mean return of one who cooperates while k others do, `D(k)`
that of one who defects; N agents in all, so k goes from 0 to N - 1. A dilemma, after Hughes et al.:

    D(k) > C(k) at some k,    C(N - 1) > D(0),    C(N - 1) > C(0)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from ss_core.statistics import Interval, bootstrap_interval, difference_interval, mean

LEVEL, RESAMPLES = 0.95, 2000

Verdict = Literal["yes", "no", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What one agent earns while `others` of the others cooperate."""

    others: int
    cooperates: Interval  # C(k)
    defects: Interval  # D(k)
    all_agents: Interval  # mean over all agents if the one defects
    temptation: Interval  # D(k) - C(k)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of the three questions that make a dilemma."""

    name: str
    words: str
    difference: Interval  # yes: above 0

    @property
    def verdict(self) -> Verdict:
        """What the interval allows to say."""
        return verdict_of(self.difference)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    """A Schelling diagram of N agents."""

    points: tuple[Point, ...]  # k = 0 … N - 1
    efficiency: Interval  # C(N - 1) - D(0)
    company: Interval  # C(N - 1) - C(0)

    @property
    def questions(self) -> tuple[Question, Question, Question]:
        """Fear, greed and efficiency."""
        return (
            Question(
                name="fear",
                words="does defecting pay if nobody else cooperates?",
                difference=self.points[0].temptation,
            ),
            Question(
                name="greed",
                words="does defecting pay if all others cooperate?",
                difference=self.points[-1].temptation,
            ),
            Question(
                name="efficiency",
                words="are all together better off if all cooperate than if all defect?",
                difference=self.efficiency,
            ),
        )

    @property
    def tempted_at(self) -> tuple[int, ...]:
        """Numbers of other cooperators with which defecting pays."""
        return tuple(p.others for p in self.points if verdict_of(p.temptation) == "yes")

    @property
    def conditions(self) -> tuple[Verdict, Verdict, Verdict]:
        """D(k) > C(k) at some k, C(N - 1) > D(0), and C(N - 1) > C(0).

        The first is "no" if it is at every k. Each interval holds by itself, not all together.
        """
        verdicts = {verdict_of(point.temptation) for point in self.points}
        tempted = "yes" if "yes" in verdicts else "undecided" if "undecided" in verdicts else "no"
        return tempted, verdict_of(self.efficiency), verdict_of(self.company)

    @property
    def is_dilemma(self) -> bool:
        """Whether all conditions are met, each beyond its interval."""
        return set(self.conditions) == {"yes"}


def verdict_of(difference: Interval) -> Verdict:
    """Whether a difference is above 0: undecided if its interval is on both sides."""
    if difference.low > 0:
        return "yes"
    return "no" if difference.high <= 0 else "undecided"


def schelling_diagram(
    returns: Sequence[Float[np.ndarray, "_ N"]], *, rng: np.random.Generator
) -> Diagram:
    """The diagram of plays with 0, 1, … N cooperators, who come first: returns per episode.

    Raises:
        ValueError: there are not N + 1 plays of N ≥ 2 agents.
    """
    sizes = {played.shape[1] for played in returns}
    if sizes != {len(returns) - 1} or len(returns) < 3:
        raise ValueError(f"{len(returns)} plays of {sizes} agents: N + 1 plays of N ≥ 2 are needed")
    points = tuple(_point(k, returns[k], returns[k + 1], rng=rng) for k in range(len(returns) - 1))
    everyone, nobody = returns[-1].mean(axis=1), returns[0].mean(axis=1)
    alone = returns[1][:, 0]
    return Diagram(
        points=points,
        efficiency=_difference(everyone, nobody, rng),
        company=_difference(everyone, alone, rng),
    )


def _point(
    others: int,
    without: Float[np.ndarray, "_ N"],
    with_one: Float[np.ndarray, "_ N"],
    *,
    rng: np.random.Generator,
) -> Point:
    """`without` has k cooperators, `with_one` k + 1."""
    defects, cooperates = without[:, others:].mean(axis=1), with_one[:, : others + 1].mean(axis=1)
    return Point(
        others=others,
        cooperates=_interval(cooperates, rng),
        defects=_interval(defects, rng),
        all_agents=_interval(without.mean(axis=1), rng),
        temptation=_difference(defects, cooperates, rng),
    )


def _interval(values: Float[np.ndarray, " _"], rng: np.random.Generator) -> Interval:
    return bootstrap_interval(values, mean, level=LEVEL, resamples=RESAMPLES, rng=rng)


def _difference(
    more: Float[np.ndarray, " _"], less: Float[np.ndarray, " _"], rng: np.random.Generator
) -> Interval:
    return difference_interval([more], [less], mean, level=LEVEL, resamples=RESAMPLES, rng=rng)
