"""Bottleneck networks in closed form: what selfish drivers and a planner reach on the bundled nets.

A neck lets one vehicle pass every `service_s` and drivers depart every `headway_s`, so that its
queue is D/D/1 (Vickrey, 1969). Everything else takes a fixed time. Nothing here simulates.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

VEHICLE_M = 7.5  # SUMO's default length and minimum gap
REACTION_S = 1.0  # SUMO's default tau
GAIN_S = 1e-9  # smaller gains are rounding
NECK_FIRST, NECK_LAST, SHORTCUT = range(3)  # routes of the Braess network


def service_headway_s(neck_mps: float) -> float:
    """Time between vehicles that leave a neck, τ + 7.5 m / v, without driver noise."""
    return REACTION_S + VEHICLE_M / neck_mps


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoRoutes:
    """A short way with a neck beside a free detour (Pigou, 1920, with Vickrey's bottleneck)."""

    num_drivers: int
    headway_s: float  # between departures
    service_s: float  # between vehicles through the neck
    short_s: float  # on the empty short way
    detour_s: float

    def __post_init__(self) -> None:
        _check(self.num_drivers, self.headway_s, self.service_s)
        if not 0.0 < self.short_s <= self.detour_s:
            raise ValueError(f"short_s={self.short_s}: above 0, at most detour_s={self.detour_s}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Braess:
    """Neck then long street, long street then neck, and a shortcut from neck to neck (1968)."""

    num_drivers: int
    headway_s: float  # between departures
    service_s: float  # between vehicles through either neck
    ends_s: float  # from the origin to the fork and from the merge to the destination
    neck_s: float  # through an empty neck and its queueing place
    long_s: float
    shortcut_s: float

    def __post_init__(self) -> None:
        _check(self.num_drivers, self.headway_s, self.service_s)
        if not all(t > 0.0 for t in (self.ends_s, self.neck_s, self.long_s, self.shortcut_s)):
            raise ValueError("ends_s, neck_s, long_s, shortcut_s: all above 0")

    @property
    def paradox_s(self) -> float:
        """What the shortcut costs each driver once all three routes are equally slow.

        With queues q₁ and q₂: neck + long + q₁ = long + neck + q₂ = 2 neck + shortcut + q₁ + q₂,
        so q₁ = q₂ = long - neck - shortcut, a wait that nobody has without the shortcut.
        """
        return max(0.0, self.long_s - self.neck_s - self.shortcut_s)


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who takes which route, and how long it takes."""

    routes: Int[ndarray, " N"]  # drivers in order of departure
    times_s: Float[ndarray, " N"]  # from departure to arrival
    epsilon_s: float = 0.0  # most that one driver could gain by changing; of an equilibrium

    @property
    def mean_s(self) -> float:
        """Of all drivers."""
        return float(self.times_s.mean())


def _check(num_drivers: int, headway_s: float, service_s: float) -> None:
    if num_drivers < 1 or not headway_s > 0.0 or not service_s > 0.0:
        raise ValueError("num_drivers at least 1; headway_s and service_s above 0")


def price_of_anarchy(equilibrium: Assignment, optimum: Assignment) -> float:
    """Time in equilibrium over time in the optimum (Koutsoupias and Papadimitriou, 1999)."""
    return equilibrium.mean_s / optimum.mean_s


def two_route_times_s(road: TwoRoutes, on_short: Bool[ndarray, " N"]) -> Float[ndarray, " N"]:
    """Times when these drivers take the short way."""
    queue_s, times_s = 0.0, np.full(road.num_drivers, road.detour_s)
    for driver in range(road.num_drivers):
        if on_short[driver]:
            times_s[driver] = road.short_s + queue_s
        queue_s = _next_queue_s(road, queue_s, bool(on_short[driver]))
    return times_s


def _next_queue_s(road: TwoRoutes, queue_s: float, joined: bool) -> float:
    """Wait that the next driver would meet at the neck: max(0, q + service · joined - headway)."""
    return max(0.0, queue_s + road.service_s * joined - road.headway_s)


def two_route_equilibrium(road: TwoRoutes) -> Assignment:
    """User equilibrium (Wardrop, 1952); route 0 is the short way, 1 the detour.

    Exact in one pass: the neck serves in order of departure, so that nobody's time depends on who
    departs later. A tie is for the short way.
    """
    queue_s, on_short = 0.0, np.zeros(road.num_drivers, dtype=bool)
    for driver in range(road.num_drivers):
        on_short[driver] = road.short_s + queue_s <= road.detour_s
        queue_s = _next_queue_s(road, queue_s, bool(on_short[driver]))
    return Assignment((~on_short).astype(np.int64), two_route_times_s(road, on_short))


@dataclass(frozen=True, slots=True)
class _Partial:
    """What the first drivers may have left behind: a queue, and how they came to it."""

    queue_s: float
    total_s: float
    joined: bool
    before: "_Partial | None"


def two_route_optimum(road: TwoRoutes) -> Assignment:
    """System optimum by dynamic programming over (driver, queue); exact.

    A partial assignment with a longer queue and no smaller total than another is dropped.
    """
    layer = [_Partial(0.0, 0.0, False, None)]
    for _ in range(road.num_drivers):
        layer = _undominated(
            [
                _Partial(
                    _next_queue_s(road, state.queue_s, joined),
                    state.total_s + (road.short_s + state.queue_s if joined else road.detour_s),
                    joined,
                    state,
                )
                for state in layer
                for joined in (True, False)
            ]
        )
    state, on_short = min(layer, key=lambda each: each.total_s), []
    while state.before is not None:
        on_short.append(state.joined)
        state = state.before
    chosen = np.array(on_short[::-1])
    return Assignment((~chosen).astype(np.int64), two_route_times_s(road, chosen))


def _undominated(states: list[_Partial]) -> list[_Partial]:
    kept: list[_Partial] = []
    for state in sorted(states, key=lambda each: (each.queue_s, each.total_s)):
        if not kept or state.total_s < kept[-1].total_s - GAIN_S:
            kept.append(state)
    return kept


def braess_times_s(road: Braess, routes: Int[ndarray, " N"]) -> Float[ndarray, " N"]:
    """Times when each driver takes `NECK_FIRST`, `NECK_LAST` or `SHORTCUT`.

    A neck serves in order of arrival, those who arrive together in order of departure.
    """
    depart_s = np.arange(road.num_drivers) * road.headway_s
    clock_s = depart_s + np.where(routes == NECK_LAST, road.long_s, 0.0)
    first, last = routes != NECK_LAST, routes != NECK_FIRST
    clock_s[first] = _served_s(clock_s[first], road.service_s) + road.neck_s
    clock_s[routes == SHORTCUT] += road.shortcut_s
    clock_s[last] = _served_s(clock_s[last], road.service_s) + road.neck_s
    clock_s[routes == NECK_FIRST] += road.long_s
    return clock_s - depart_s + road.ends_s


def _served_s(arrive_s: Float[ndarray, " n"], service_s: float) -> Float[ndarray, " n"]:
    """When each is let into a neck that serves in order of arrival."""
    order = np.argsort(arrive_s, kind="stable")
    shifts_s = np.arange(len(order)) * service_s
    served_s = np.empty_like(arrive_s)
    served_s[order] = np.maximum.accumulate(arrive_s[order] - shifts_s) + shifts_s
    return served_s


def braess_equilibrium(
    road: Braess, *, shortcut_open: bool, max_sweeps: int = 50, tolerance_s: float = 1.0
) -> Assignment:
    """Selfish drivers in turn take their fastest route, in order of departure, until nobody moves.

    Without the shortcut the necks are alike and the outcome is exact. With it, who overtakes whom
    at the second neck depends on everybody: if drivers still move after `max_sweeps`, returned is
    the profile of the sweep whose largest gain, `epsilon_s`, is smallest.
    """
    num_routes = 3 if shortcut_open else 2
    routes = np.arange(road.num_drivers) % 2
    best: Assignment | None = None
    for _ in range(max_sweeps):
        for driver in range(road.num_drivers):
            own_s = _own_times_s(road, routes, driver, num_routes)
            if own_s.min() < own_s[routes[driver]] - tolerance_s:
                routes[driver] = own_s.argmin()
        gain_s = _largest_gain_s(road, routes, num_routes)
        if best is None or gain_s < best.epsilon_s:
            best = Assignment(routes.copy(), braess_times_s(road, routes), gain_s)
        if gain_s <= tolerance_s:
            break
    assert best is not None
    return best


def _own_times_s(
    road: Braess, routes: Int[ndarray, " N"], driver: int, num_routes: int
) -> Float[ndarray, " route"]:
    tried = np.repeat(routes[None], num_routes, axis=0)
    tried[:, driver] = np.arange(num_routes)
    return np.array([braess_times_s(road, row)[driver] for row in tried])


def _largest_gain_s(road: Braess, routes: Int[ndarray, " N"], num_routes: int) -> float:
    gains = []
    for driver in range(road.num_drivers):
        own_s = _own_times_s(road, routes, driver, num_routes)
        gains.append(own_s[routes[driver]] - own_s.min())
    return max(0.0, float(max(gains)))
