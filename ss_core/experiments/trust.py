"""`ss bench trust`: what lies cost, and what trust saves, by world, lie and share of liars.

A condition is trained with several seeds; all conditions of a seed meet the same agents and days,
so differences are taken seed by seed, and set beside what honest agents gain over agents that
learn alone. The worlds bring the short runs, by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from ss_core.exchange.lies import Lie
from ss_core.random_streams import Stream, numpy_generator
from ss_core.scenario.short_runs import Results
from ss_core.statistics import Interval, bootstrap_interval, interquartile_mean

SEEDS = tuple(range(100, 110))
ALONE = "alone"  # in the place of a lie: every agent learns for itself, nothing is exchanged
Profile = Literal["smoke", "quick", "full"]
SHARES: dict[Profile, tuple[float, ...]] = {
    "smoke": (0.1,),
    "quick": (0.1, 0.3, 0.5),
    "full": (0.1, 0.2, 0.3, 0.4, 0.5),
}
LIES_AT_FIRST_SHARE: dict[Profile, tuple[Lie, ...]] = {
    "smoke": ("selfish",),
    "quick": ("selfish", "contrary"),
    "full": ("selfish", "contrary", "random", "constant", "collude"),
}


@dataclass(frozen=True, slots=True, order=True)
class Condition:
    """Who lies, how, and whether anybody learns whom to trust."""

    world: str
    lie: str  # "" without liars; `ALONE`
    share: float
    trust: bool

    @property
    def slug(self) -> str:
        """Name of its folder."""
        who = f"{self.lie}-{round(100 * self.share)}" if self.share else self.lie or "honest"
        return f"{self.world}-{who}{'-trust' if self.trust else ''}"

    @property
    def settings(self) -> dict[str, Any]:
        """Of the run."""
        if self.lie == ALONE:
            return {"algorithm": "independent"}
        trust = {"learner.trust": self.trust}
        if not self.lie:
            return trust
        return {
            "learner.exchange.liars": self.share,
            "learner.exchange.lie": self.lie,
            **trust,
        }


def conditions(
    profile: Profile,
    worlds: Sequence[str],
    *,
    shares: Sequence[float] = (),
    lies: Sequence[Lie] = (),
) -> list[Condition]:
    """All that a profile compares, world by world; given `shares` or `lies` replace its own."""
    return [each for world in worlds for each in _conditions_of(profile, world, shares, lies)]


def _conditions_of(
    profile: Profile, world: str, shares: Sequence[float], lies: Sequence[Lie]
) -> Iterator[Condition]:
    yield Condition(world, ALONE, 0.0, False)
    yield Condition(world, "", 0.0, False)
    yield Condition(world, "", 0.0, True)
    shares = shares or SHARES[profile]
    for share in shares:
        yield Condition(world, "silent", share, False)
        first = share == shares[0]
        for lie in lies or (LIES_AT_FIRST_SHARE[profile] if first else ("selfish",)):
            yield Condition(world, lie, share, False)
            yield Condition(world, lie, share, True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One lie at one share: welfare lost, believed and with trust, paired by seed."""

    world: str
    lie: str
    share: float
    silent: Interval  # lost because the same agents take no part; no trust can give it back
    believed: Interval  # lost with liars that everybody believes
    trusted: Interval  # lost with the same liars where agents learn whom to trust
    kept: Interval | None  # trusted / believed; None where believing costs nothing
    kept_of_words: Interval | None  # the same beyond `silent`: what the words alone cost
    believed_of_gain: Interval | None  # believed / gain over learning alone; None without gain
    trusted_of_gain: Interval | None  # the same with trust
    weight_of_liars: float | None
    weight_of_honest: float | None


Welfare = Mapping[Condition, Float[np.ndarray, " seed"]]


def judge(
    welfare: Welfare, weights: Mapping[Condition, tuple[float | None, float | None]]
) -> list[Verdict]:
    """What every lie cost with and without trust."""
    verdicts = []
    for believed in sorted(welfare):
        if believed.lie in ("", ALONE, "silent") or believed.trust:
            continue
        world, lie, share = believed.world, believed.lie, believed.share
        honest = welfare[Condition(world, "", 0.0, False)]
        trusted = Condition(world, lie, share, True)
        lost_silent = honest - welfare[Condition(world, "silent", share, False)]
        lost, saved = honest - welfare[believed], honest - welfare[trusted]
        gained = honest - welfare[Condition(world, ALONE, 0.0, False)]
        verdicts.append(
            Verdict(
                world=world,
                lie=lie,
                share=share,
                silent=_mean(lost_silent),
                believed=_mean(lost),
                trusted=_mean(saved),
                kept=ratio(saved, lost),
                kept_of_words=ratio(saved - lost_silent, lost - lost_silent),
                believed_of_gain=ratio(lost, gained),
                trusted_of_gain=ratio(saved, gained),
                weight_of_liars=weights[trusted][0],
                weight_of_honest=weights[trusted][1],
            )
        )
    return verdicts


def _mean(values: Float[np.ndarray, " seed"]) -> Interval:
    return bootstrap_interval(values, interquartile_mean, rng=numpy_generator(0, Stream.BOOTSTRAP))


def ratio(
    over: Float[np.ndarray, " seed"], under: Float[np.ndarray, " seed"], *, resamples: int = 2000
) -> Interval | None:
    """Σ over / Σ under with its 95 % bootstrap interval over seeds, drawn in pairs.

    None where `under` is not above zero in at least 97.5 % of the draws: nothing to divide by.
    """
    rng = numpy_generator(0, Stream.BOOTSTRAP)
    rows = rng.integers(len(under), size=(resamples, len(under)))
    top, bottom = over[rows].sum(axis=1), under[rows].sum(axis=1)
    if float((bottom > 0).mean()) < 0.975:
        return None
    drawn = top[bottom > 0] / bottom[bottom > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Interval(estimate=float(over.sum() / under.sum()), low=float(low), high=float(high))


def premium(welfare: Welfare, world: str) -> Interval:
    """Welfare that trust itself costs where nobody lies."""
    honest = welfare[Condition(world, "", 0.0, False)]
    return _mean(honest - welfare[Condition(world, "", 0.0, True)])


def gain(welfare: Welfare, world: str) -> Interval:
    """Welfare that honest agents have beyond agents that learn alone."""
    honest = welfare[Condition(world, "", 0.0, False)]
    return _mean(honest - welfare[Condition(world, ALONE, 0.0, False)])


def conclude(
    wanted: Sequence[Condition], seeds: Sequence[int], found: Results, units: Mapping[str, str]
) -> dict[str, Any]:
    """The tables, a world each, in the order and unit of welfare of `units`."""
    welfare = {
        each: np.array([found[each.slug, seed]["welfare"] for seed in seeds]) for each in wanted
    }
    weights = {
        each: (
            _known_mean([found[each.slug, seed].get("weight_of_liars") for seed in seeds]),
            _known_mean([found[each.slug, seed].get("weight_of_honest") for seed in seeds]),
        )
        for each in wanted
    }
    verdicts = judge(welfare, weights)
    shown = sorted({each.world for each in wanted}, key=list(units).index)
    return {
        "schema": "ss.bench_trust/1",
        "tables": {
            f"{world}: welfare lost, {units[world]}, {len(seeds)} seeds": [
                _row(each) for each in verdicts if each.world == world
            ]
            for world in shown
        },
        "notes": [
            *(f"{world}: without liars {_show(gain(welfare, world))} {units[world]} are gained "
              "over agents that learn alone" for world in shown),
            *(f"{world}: trust where nobody lies costs {_show(premium(welfare, world))} "
              f"{units[world]}" for world in shown),
            "lost: interquartile mean over seeds of what the same agents have without liars, less "
            "what they have; kept: lost with trust / lost believed; words: the same beyond silent, "
            "agents that neither send nor weigh suggestions; of the gain: lost / what honest "
            "agents gain over agents that learn alone, sums over seeds; 95 % bootstrap intervals",
        ],
    }  # fmt: skip


def _known_mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _row(verdict: Verdict) -> dict[str, Any]:
    return {
        "lie": verdict.lie,
        "liars %": round(100 * verdict.share),
        "silent": _show(verdict.silent),
        "believed": _show(verdict.believed),
        "with trust": _show(verdict.trusted),
        "kept": _show(verdict.kept),
        "kept of words": _show(verdict.kept_of_words),
        "believed, of the gain": _show(verdict.believed_of_gain, "no gain"),
        "with trust, of the gain": _show(verdict.trusted_of_gain, "no gain"),
        "weight of liars": _number(verdict.weight_of_liars),
        "weight of honest": _number(verdict.weight_of_honest),
    }


def _number(value: float | None) -> float | str:
    return "" if value is None else round(value, 3)


def _show(interval: Interval | None, instead: str = "nothing lost") -> str:
    if interval is None:
        return instead
    return f"{interval:.3g}"
