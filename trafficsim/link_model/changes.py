"""What single changes of route would do to a day of the link model, compiled.

Where many drive, a change touches few, and for a while. So a changed day begins at a picture of the
day as it is, taken just before the driver departs, and ends when it is like a later picture again.
Who asks at the very same moment then does so in the order of the day as it is.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from trafficsim.link_model.day import cut_off, go_on, simulate_day
from trafficsim.link_model.state import ARRIVED, NOT_YET, State, helper, kernel, morning
from trafficsim.link_model.tables import World

FORGOTTEN_S = 40.0  # after which nobody waits for one who has left
SAME_M = 1e-6  # sums of lengths that were added in another order


@no_type_check
@kernel
def change_one(
    routes: Int[ndarray, " vehicle"],
    movers: Int[ndarray, " mover"],
    options: Int[ndarray, "mover K"],
    affected: Int[ndarray, "mover L"],
    world: World,
    speed_noise: Float[ndarray, "draw vehicle"],
    headway_noise: Float[ndarray, "draw vehicle"],
    pictures: int,
    base_s: Float[ndarray, " vehicle"],
    own_s: Float[ndarray, "mover K"],
    total_s: Float[ndarray, "mover K"],
    theirs_s: Float[ndarray, "mover L K"],
) -> None:
    """What a day would have been had one vehicle taken another route, for each and every route.

    Means over the draws, into arrays of zeros: times of the day as it is, and differences to them
    of the mover's time, of everybody's together and of each of the `affected` (-1 pads) where
    mover m takes route `options[m, k]` (-1 pads). With 0 `pictures` every day is driven in whole.
    """
    draws, many = len(speed_noise), len(routes)
    once_s, changed, nowhere = np.zeros(many), routes.copy(), np.zeros((0, 0))
    as_is_s, next_s = np.zeros(many), np.zeros(many)
    for draw in range(draws):
        noise = speed_noise[draw], headway_noise[draw]
        simulate_day(routes, world, *noise, as_is_s, nowhere)
        base_s += as_is_s / draws
        state = morning(routes, world, *noise, once_s, nowhere)
        at_s = _moments(world, as_is_s, pictures)
        floats = np.zeros((pictures, len(state.floats)))
        whole = np.zeros((pictures, len(state.whole)), np.int64)
        held = np.zeros((pictures, many), np.bool_)
        for at in range(pictures):
            go_on(state, world, at_s[at])
            floats[at], whole[at], held[at] = state.floats, state.whole, state.is_held
        for m in range(len(movers)):
            mover = movers[m]
            first = np.searchsorted(at_s, world.vehicles.depart_s[mover], "right") - 1
            for k in range(options.shape[1]):
                if options[m, k] < 0 or options[m, k] == routes[mover]:
                    continue
                if first < 0:
                    changed[mover] = options[m, k]
                    simulate_day(changed, world, *noise, once_s, nowhere)
                    changed[mover] = routes[mover]
                else:
                    once_s[:] = as_is_s
                    state.floats[:], state.whole[:] = floats[first], whole[first]
                    state.is_held[:] = held[first]
                    state.first_leg[mover] = world.roads.route_first[options[m, k]]
                    _drive_on(state, world, mover, first, at_s, floats, whole, held, next_s)
                own_s[m, k] += (once_s[mover] - as_is_s[mover]) / draws
                total_s[m, k] += (once_s.sum() - as_is_s.sum()) / draws
                for at in range(affected.shape[1]):
                    if affected[m, at] >= 0:
                        other = affected[m, at]
                        theirs_s[m, at, k] += (once_s[other] - as_is_s[other]) / draws


@no_type_check
@helper
def _drive_on(
    state: State,
    world: World,
    mover: int,
    first: int,
    at_s: Float[ndarray, " picture"],
    floats: Float[ndarray, "picture number"],
    whole: Int[ndarray, "picture number"],
    held: Bool[ndarray, "picture vehicle"],
    next_s: Float[ndarray, " vehicle"],
) -> None:
    """From a picture to a later one that is like the day by now, or else to the end."""
    for at in range(first + 1, len(at_s)):
        go_on(state, world, at_s[at])
        if _is_like(state, floats[at], whole[at], held[at], mover, at_s[at], next_s):
            return
    go_on(state, world, np.inf)
    cut_off(state, world)


@no_type_check
@kernel
def _moments(
    world: World, as_is_s: Float[ndarray, " vehicle"], pictures: int
) -> Float[ndarray, " picture"]:
    """Evenly from the day's beginning to its end."""
    begin_s, end_s = world.clock.begin_s, 0.0
    for v in range(len(as_is_s)):
        end_s = max(end_s, world.vehicles.depart_s[v] + as_is_s[v])
    end_s = min(end_s, world.clock.cap_s)
    return begin_s + (end_s - begin_s) / max(pictures, 1) * np.arange(pictures)


@no_type_check
@helper
def _is_like(
    state: State,
    floats: Float[ndarray, " number"],
    whole: Int[ndarray, " number"],
    held: Bool[ndarray, " vehicle"],
    mover: int,
    now_s: float,
    next_s: Float[ndarray, " vehicle"],
) -> bool:
    """Whether the day goes on as it did in a picture of this moment; its mover has arrived in both.

    `next_s` is room to work in. The order of arrays is that of `state.morning`.
    """
    many = len(state.leg)
    if state.leg[mover] != ARRIVED or whole[mover] != ARRIVED:
        return False
    for v in range(many):
        if state.leg[v] != whole[v]:
            return False
        if v == mover or state.leg[v] == ARRIVED or state.leg[v] == NOT_YET:
            continue
        if state.is_held[v] != held[v]:
            return False
        for at in range(v + 2 * many, v + 5 * many, many):  # lane, movement, following
            if state.whole[at] != whole[at]:
                return False
        for at in range(v, v + 3 * many, many):  # ready, entered, charged
            if state.floats[at] != floats[at]:
                return False
    return _are_roads_like(state, floats, whole, now_s) and _are_events_like(
        state, floats, whole, next_s
    )


@no_type_check
@helper
def _are_roads_like(
    state: State, floats: Float[ndarray, " number"], whole: Int[ndarray, " number"], now_s: float
) -> bool:
    """The same queues and lights, and who has left did so at the same time or long ago."""
    many, lanes = len(state.leg), len(state.head)
    moves, lights = len(state.crossed_s), len(state.phase)
    first = 6 * many + 1
    for at in range(first, first + lanes):  # heads of queues, metres taken
        if state.whole[at] != whole[at] or abs(state.floats[at] - floats[at]) > SAME_M:
            return False
    for at in range(first + 2 * lanes, first + 2 * lanes + lights):  # phases
        if state.whole[at] != whole[at]:
            return False
    after = first + 4 * lanes + 2 * moves
    for at in range(after, after + lights):  # since when
        if state.floats[at] != floats[at]:
            return False
    long_ago_s = now_s - FORGOTTEN_S
    for at in range(first + lanes, after + 2 * lights):
        one_s, other_s = state.floats[at], floats[at]
        if one_s != other_s and (one_s > long_ago_s or other_s > long_ago_s):
            return False
    return True


@no_type_check
@helper
def _are_events_like(
    state: State,
    floats: Float[ndarray, " number"],
    whole: Int[ndarray, " number"],
    next_s: Float[ndarray, " vehicle"],
) -> bool:
    """Whether everybody asks next at the same time; the heaps may differ."""
    many, events = len(state.leg), state.counts[0]
    if events != whole[len(whole) - 2]:
        return False
    for at in range(5 * many, 5 * many + events):
        next_s[whole[at]] = floats[at]
    for at in range(events):  # noqa: SIM110 - compiled code knows no generators
        if next_s[state.event_of[at]] != state.event_s[at]:
            return False
    return True
