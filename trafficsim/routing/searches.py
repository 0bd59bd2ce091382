"""What selfish drivers and a planner reach on the same day, by simulation alone.

Every function takes `play`, which simulates joint choices, and knows nothing of SUMO: so the tests
hand it closed forms. Costs are travel times [s] of all vehicles; actions are those of the drivers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

Actions = Int[ndarray, " N"]
Times = Float[ndarray, " vehicle"]
Play = Callable[[Sequence[Actions]], list[Times]]
Tick = Callable[[str], None]  # called at every step on the way

AT_ONCE = 2  # proposals of the local search, however many processes there are


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConfig:
    """How hard equilibrium and optimum are looked for."""

    tolerance_s: float = 0.5  # a driver changes for a gain above this
    max_sweeps: int = 8  # of best responses
    exact_up_to: int = 120  # drivers; above, the equilibrium is approximated by averages (MSA)
    msa_iterations: int = 30
    optimum_simulations: int = 200  # of the local search, over all starts
    on_model: bool = True  # search on the link model, where it knows the scene; SUMO decides
    days: int = 16  # in SUMO for a mean; one where they do not differ
    draws: int = 16  # of driver noise at most, for a mean on the link model
    model_days: int = 20_000  # of one search there; it decides on draws and sweeps
    rounds: int = 2  # of an equilibrium: search on the model, drive, learn what it got wrong
    deviations: int = 16  # drivers whose best change is driven, where not everybody's is
    candidates: int = 6  # for the optimum, that are compared in SUMO
    memory_days: int = 48  # that the link model is fitted to
    residual_days: float = 8.0  # that say "the model is right about this route"
    model_vehicles: int = 2_000_000  # simulated there for one search, where many drive (towns)
    most_on_model: int = 6000  # drivers; above, equilibrium by averages, no tolls

    def __post_init__(self) -> None:
        counts = ("max_sweeps", "msa_iterations", "days", "draws", "rounds")
        counts += ("deviations", "candidates", "memory_days", "model_days", "model_vehicles")
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1")
        if not self.residual_days > 0.0:
            raise ValueError(f"residual_days={self.residual_days}: above 0")
        if not self.tolerance_s > 0.0 or self.optimum_simulations < 0 or self.exact_up_to < 0:
            raise ValueError("tolerance_s above 0; optimum_simulations and exact_up_to 0 or more")


@dataclass(frozen=True, slots=True)
class Profile:
    """Joint choices and what they cost, with how they were found."""

    actions: Actions
    times_s: Times
    method: str
    epsilon_s: float = float("nan")  # no driver gains more by changing alone; NaN: not known
    simulations: int = 0
    epsilon_error_s: float = 0.0  # its standard error, where days differ
    tried: int = 0  # drivers drawn for `epsilon_s`; 0: everybody
    model: tuple[float, float] | None = None  # the link model's times against SUMO's: r, error in s

    @property
    def total_s(self) -> float:
        """Of all vehicles."""
        return float(self.times_s.sum())


@dataclass(frozen=True, slots=True)
class Choices:
    """What the searches need to know of the drivers."""

    vehicle: Int[ndarray, " N"]  # position of each driver among the vehicles
    count: Int[ndarray, " N"]  # alternatives; action a is one of 0 … count - 1
    free_flow_s: Float[ndarray, "N K"]  # nobody is faster than that
    order: Int[ndarray, " N"]  # drivers by departure


def best_responses(
    play: Play,
    choices: Choices,
    start: Actions,
    *,
    cost: Literal["own", "total"],
    config: SearchConfig,
    tick: Tick = lambda _: None,
) -> Profile:
    """Drivers in order of departure take what is best for them (or for all), until nobody moves.

    With `total` everybody pays own time plus what that choice costs the others: best responses
    under exact marginal-cost tolls (Pigou, 1920). An alternative whose empty road takes longer than
    the driver needs now cannot be better and is not simulated under `own`. Where best responses
    still move after `max_sweeps`, `own` gives the better of two days, by the largest gain measured
    there: the last one, and the one that the calmest sweep began with; `total`, which falls with
    every move, gives the last one.
    """
    current = Profile(start.copy(), play([start])[0], "", simulations=1)
    calmest: Profile | None = None
    for sweep in range(config.max_sweeps):
        before, largest_s, moves = current, 0.0, 0
        for driver in choices.order.tolist():
            current, gain_s = _respond(play, choices, current, driver, cost, config.tolerance_s)
            largest_s = max(largest_s, gain_s)
            moves += gain_s > config.tolerance_s
        tick(f"sweep {sweep + 1}: {moves} moved, mean {current.times_s.mean():.1f} s")
        if moves == 0:
            method = f"best responses, {sweep + 1} sweeps"
            return replace(current, epsilon_s=largest_s, method=method)
        if calmest is None or largest_s < calmest.epsilon_s:
            calmest = replace(before, epsilon_s=largest_s)
    assert calmest is not None
    method = f"best responses, still moving after {config.max_sweeps} sweeps"
    if cost == "total":
        return replace(current, method=method)
    tick("largest gain of a driver")
    return _less_to_gain(play, choices, calmest, replace(current, method=method))


def _less_to_gain(play: Play, choices: Choices, earlier: Profile, last: Profile) -> Profile:
    """The one that the drivers are more content with; the last one knows how it was found."""
    used, measured = last.simulations, []
    for profile in (earlier, last):
        epsilon_s, tried = largest_gain_s(play, choices, profile)
        used += tried
        measured.append(replace(profile, epsilon_s=epsilon_s, method=last.method))
    return replace(min(measured, key=lambda profile: profile.epsilon_s), simulations=used)


def largest_gain_s(play: Play, choices: Choices, profile: Profile) -> tuple[float, int]:
    """What one driver gains at most by changing alone, and how many days that took to find out."""
    now_s = profile.times_s[choices.vehicle]
    worth_trying = [
        (driver, action)
        for driver, taken in enumerate(profile.actions.tolist())
        for action in range(choices.count[driver])
        if action != taken and choices.free_flow_s[driver, action] < now_s[driver]
    ]
    days = play([_with(profile.actions, driver, action) for driver, action in worth_trying])
    gains = [
        float(now_s[driver] - times_s[choices.vehicle[driver]])
        for (driver, _), times_s in zip(worth_trying, days, strict=True)
    ]
    return max([0.0, *gains]), len(days)


def _respond(
    play: Play,
    choices: Choices,
    current: Profile,
    driver: int,
    cost: Literal["own", "total"],
    tolerance_s: float,
) -> tuple[Profile, float]:
    """The profile after one driver's best response, and the largest gain there can have been."""
    vehicle = choices.vehicle[driver]
    now_s = float(current.times_s[vehicle])
    others = [a for a in range(choices.count[driver]) if a != current.actions[driver]]
    passed_over_s = 0.0  # at most this is missed by not simulating
    if cost == "own":
        hoped_s = {a: now_s - float(choices.free_flow_s[driver, a]) for a in others}
        others = [a for a in others if hoped_s[a] > tolerance_s]
        passed_over_s = max([0.0, *(gain for gain in hoped_s.values() if gain <= tolerance_s)])
    if not others:
        return current, passed_over_s
    tried = [_with(current.actions, driver, action) for action in others]
    times = play(tried)
    known = replace(current, simulations=current.simulations + len(tried))
    gains = [
        float(now_s - each[vehicle]) if cost == "own" else current.total_s - float(each.sum())
        for each in times
    ]
    at = int(np.argmax(gains))
    if gains[at] <= tolerance_s:
        return known, max(passed_over_s, gains[at])
    return replace(known, actions=tried[at], times_s=times[at]), gains[at]


def _with(actions: Actions, driver: int, action: int) -> Actions:
    changed = actions.copy()
    changed[driver] = action
    return changed


def even_splits(choices: Choices) -> list[Actions]:
    """Drivers dealt out over their first alternatives in fixed shares, evenly along departures."""
    shares = [[1.0], [0.5, 0.5], [0.6, 0.4], [0.4, 0.6], [0.75, 0.25], [0.25, 0.75]]
    shares += [[1 / 3, 1 / 3, 1 / 3], [0.5, 0.25, 0.25], [0.6, 0.2, 0.2], [0.25] * 4]
    most = int(choices.count.max())
    return [_dealt(choices, np.array(row)) for row in shares if len(row) <= most]


def _dealt(choices: Choices, shares: Float[ndarray, " option"]) -> Actions:
    owed = np.zeros((choices.free_flow_s.shape[1],))
    actions = np.zeros(len(choices.count), dtype=np.int64)
    for driver in choices.order.tolist():
        part = np.zeros_like(owed)
        part[: len(shares)] = shares
        part[choices.count[driver] :] = 0.0
        owed += part / part.sum()
        taken = int(np.argmax(np.where(np.arange(len(owed)) < choices.count[driver], owed, -9.0)))
        owed[taken] -= 1.0
        actions[driver] = taken
    return actions


def local_search(
    play: Play,
    choices: Choices,
    starts: Sequence[Profile],
    *,
    simulations: int,
    rng: np.random.Generator,
    tick: Tick = lambda _: None,
) -> Profile:
    """The least total time found: from the best starts, one driver changes or two trade places.

    A hill climb from each of the two best starts with half the simulations; the figure is an upper
    bound of the optimum: best found, not proven.
    """
    ranked = sorted(starts, key=lambda profile: profile.total_s)[:2]
    best, used = ranked[0], 0
    for start in ranked:
        current = start
        for trial in range(simulations // (len(ranked) * AT_ONCE)):
            tried = [_neighbouring(choices, current.actions, rng) for _ in range(AT_ONCE)]
            times = play(tried)
            used += len(tried)
            at = int(np.argmin([each.sum() for each in times]))
            if times[at].sum() < current.total_s:
                current = Profile(tried[at], times[at], "")
            if trial % 10 == 9:
                tick(f"optimum: mean {min(current, best, key=_total).times_s.mean():.1f} s")
        best = min(best, current, key=_total)
    return Profile(best.actions, best.times_s, "best found", simulations=used)


def _total(profile: Profile) -> float:
    return profile.total_s


def _neighbouring(choices: Choices, actions: Actions, rng: np.random.Generator) -> Actions:
    """One driver takes another alternative, or two drivers exchange theirs."""
    n, changed = len(actions), actions.copy()
    first, second = rng.integers(n), rng.integers(n)
    fit = actions[first] < choices.count[second] and actions[second] < choices.count[first]
    if rng.random() < 0.5 and fit and actions[first] != actions[second]:
        changed[[first, second]] = actions[[second, first]]
    else:
        step = 1 + rng.integers(choices.count[first] - 1)
        changed[first] = (actions[first] + step) % choices.count[first]
    return changed


def successive_averages(
    play: Play,
    expected: Callable[[], Float[ndarray, "N K"]],
    choices: Choices,
    start: Actions,
    *,
    iterations: int,
    rng: np.random.Generator,
    tick: Tick = lambda _: None,
) -> Profile:
    """The method of successive averages on measured link times, for more drivers than can be tried.

    After each day, 1/(k+1) of the drivers, drawn at random, take the alternative that `expected`
    (times at the speeds measured on the day just played) calls fastest. Returned is the day with
    the smallest gap, Σ (expected of the alternative taken - least expected) / Σ least; `epsilon_s`
    is the largest such difference of one driver.
    """
    actions, best, smallest = start.copy(), None, np.inf
    rows = np.arange(len(actions))
    for k in range(iterations):
        (times_s,) = play([actions])
        table_s = np.where(
            np.arange(choices.free_flow_s.shape[1]) < choices.count[:, None], expected(), np.inf
        )
        excess_s = table_s[rows, actions] - table_s.min(axis=1)
        gap = float(excess_s.sum() / table_s.min(axis=1).sum())
        if gap < smallest:
            smallest = gap
            method = f"successive averages, gap {100 * gap:.1f} %"
            best = Profile(actions.copy(), times_s, method, float(excess_s.max()))
        moving = rng.random(len(actions)) < 1.0 / (k + 2)
        actions = np.where(moving, table_s.argmin(axis=1), actions)
        tick(f"day {k + 1}: gap {100 * gap:.1f} %")
    assert best is not None
    return replace(best, simulations=iterations)
