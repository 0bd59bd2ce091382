"""Equilibrium, tolls, optimum of the scored game: searched on the link model, refined in SUMO."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trafficsim.references.scored_game import ScoredGame
from trafficsim.references.town_search import planned_on_model, settled_on_model
from trafficsim.routing.searches import (
    Actions,
    Play,
    Profile,
    SearchConfig,
    Tick,
    Times,
    best_responses,
    even_splits,
    local_search,
)

KEPT = 2  # of the candidates, after all have been driven


def equilibrium_on_model(
    scored: ScoredGame,
    play: Play,
    start: Actions,
    config: SearchConfig,
    rng: np.random.Generator,
    tick: Tick,
) -> Profile:
    """Best responses on the model; SUMO tells what drivers still gain, and so corrects the model.

    Of the rounds, the one in which SUMO found the smallest largest gain. Where days do not differ
    and everybody can be tried, best responses in SUMO (`play`) go on from there.
    """
    before, actions, best, rounds, model = scored.simulations, start, None, 0, None
    for number in range(1 if scored.is_town else config.rounds):
        found = _settled(scored, actions, config, rng)
        if number > 0 and np.array_equal(found, actions):
            break
        actions = found
        promised_s = scored.model_play([actions])[0]
        profile = Profile(actions, scored.measured([actions])[0], "")
        if number == 0:
            model = likeness(promised_s, profile.times_s)
        gains = scored.gains(profile, number)
        profile = replace(
            profile,
            epsilon_s=gains.largest_s,
            epsilon_error_s=gains.error_of_largest_s,
            tried=0 if scored.tries_everybody else len(gains.driver),
        )
        if best is None or profile.epsilon_s < best.epsilon_s:
            best = profile
        rounds += 1
        tick(f"round {rounds}: mean {profile.times_s.mean():.1f} s")
        if gains.largest_s <= config.tolerance_s:
            break
    assert best is not None
    used = scored.simulations - before
    method = f"best responses on the link model, checked in SUMO {rounds} times"
    if scored.tries_everybody and best.epsilon_s > config.tolerance_s:
        last = best_responses(
            play, scored.choices, best.actions, cost="own", config=config, tick=tick
        )
        used += last.simulations
        if last.epsilon_s < best.epsilon_s:
            best, method = last, f"{method}, then {last.method} in SUMO"
    return replace(best, method=method, simulations=used, model=model)


def _settled(
    scored: ScoredGame, start: Actions, config: SearchConfig, rng: np.random.Generator
) -> Actions:
    """Best responses on the model: one after the other, or in towns some at once."""
    if scored.is_town:
        return settled_on_model(scored, start, config.tolerance_s, rng)
    search = replace(config, max_sweeps=scored.sweeps)
    return best_responses(
        scored.model_play, scored.choices, start, cost="own", config=search
    ).actions


def _of_least_total(
    scored: ScoredGame, start: Actions, config: SearchConfig, rng: np.random.Generator
) -> Actions:
    """Best responses to what a choice costs all, on the model; in towns some at once."""
    if scored.is_town:
        return planned_on_model(scored, start, config.tolerance_s, rng)
    search = replace(config, max_sweeps=scored.sweeps)
    return best_responses(
        scored.model_play, scored.choices, start, cost="total", config=search
    ).actions


def likeness(promised_s: Times, measured_s: Times) -> tuple[float, float]:
    """How like the model's times of drivers are to SUMO's: correlation, and error in seconds (RMS).

    The correlation is 0 where all times of either are the same.
    """
    error_s = float(np.sqrt(np.square(promised_s - measured_s).mean()))
    if promised_s.std() == 0.0 or measured_s.std() == 0.0:
        return 0.0, error_s
    return float(np.corrcoef(promised_s, measured_s)[0, 1]), error_s


def tolls_on_model(
    scored: ScoredGame,
    start: Actions,
    config: SearchConfig,
    rng: np.random.Generator,
    tick: Tick,
) -> Profile:
    """Best responses to own time and what a choice costs the others, on the model; then driven."""
    before, actions = scored.simulations, _of_least_total(scored, start, config, rng)
    (times_s,) = scored.measured([actions])
    tick(f"tolls: mean {times_s.mean():.1f} s")
    method = "best responses to tolls of the link model, driven in SUMO"
    return Profile(actions, times_s, method, simulations=scored.simulations - before)


def planned(
    scored: ScoredGame,
    starts: Sequence[Actions],
    config: SearchConfig,
    rng: np.random.Generator,
) -> list[Profile]:
    """Plans of least total time on the model, one from each of the best starts, the best first."""
    played = scored.model_play(starts)
    profiles = [Profile(a, t, "") for a, t in zip(starts, played, strict=True)]
    ranked = sorted(profiles, key=lambda profile: profile.total_s)[: scored.starts]
    if scored.is_town:
        plan = _of_least_total(scored, ranked[0].actions, config, rng)
        return [Profile(plan, scored.model_play([plan])[0], "")]
    search = replace(config, max_sweeps=scored.sweeps)
    plans = [
        best_responses(scored.model_play, scored.choices, each.actions, cost="total", config=search)
        for each in ranked
    ]
    plans = [
        local_search(scored.model_play, scored.choices, [each], simulations=scored.swaps, rng=rng)
        for each in plans
    ]
    return sorted(plans, key=lambda profile: profile.total_s)


def planner(
    scored: ScoredGame, starts: Sequence[Actions], config: SearchConfig, rng: np.random.Generator
) -> Profile:
    """The best plan of somebody who has the public model alone: driven, and nothing learnt from it.

    `scored` knows days of random choices and no others.
    """
    best = planned(scored, [*even_splits(scored.choices), *starts], config, rng)[0]
    return replace(best, method="least total time on the link model", simulations=0)


def optimum_on_model(
    scored: ScoredGame,
    starts: Sequence[Actions],
    config: SearchConfig,
    rng: np.random.Generator,
    tick: Tick,
) -> Profile:
    """Plans on the model and the starts themselves, compared in SUMO; twice, with what was learnt.

    The choice falls on days of its own, not on those that rows are scored on: best found.
    """
    before, kept = scored.simulations, list[Actions]()
    half = max(1, config.candidates // 2)
    splits = even_splits(scored.choices)
    for number in range(2):
        plans = planned(scored, [*kept, *starts, *splits], config, rng)
        given = [] if number else _promising(scored, starts, half)
        fresh = [*(plan.actions for plan in plans[:half]), *given]
        entries = _distinct([*kept, *fresh])[: config.candidates]
        times_s = scored.measured(entries, max(1, scored.days // 2))
        kept = [entries[at] for at in np.argsort(times_s.sum(axis=1), kind="stable")[:KEPT]]
        tick(f"optimum: mean {times_s.mean(axis=1).min():.1f} s")
    times_s = scored.measured(kept)
    at = int(times_s.sum(axis=1).argmin())
    used = scored.simulations - before
    return Profile(kept[at], times_s[at], "best found", simulations=used)


def _promising(scored: ScoredGame, rows: Sequence[Actions], most: int) -> list[Actions]:
    """The best on the model."""
    total_s = [times_s.sum() for times_s in scored.model_play(rows)]
    return [rows[at] for at in np.argsort(total_s, kind="stable")[:most]]


def _distinct(rows: Sequence[Actions]) -> list[Actions]:
    return list({row.tobytes(): row for row in rows}.values())
