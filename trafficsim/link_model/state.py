"""What changes during a day of the link model: vehicles, lanes, lights, and events to come."""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int
from numba import njit
from numpy import ndarray

from trafficsim.link_model.tables import World

FAR_PAST_S = -1e9
NOT_YET, ARRIVED = -1, -2  # legs of vehicles that are not on the road

kernel = njit(cache=True, error_model="numpy")
# Within, nothing is allocated: without counts of references a day takes a tenth of the time.
helper = njit(cache=True, error_model="numpy", _nrt=False)  # pyright: ignore[reportCallIssue]


class State(NamedTuple):
    """Everything that changes during a day."""

    leg: Int[ndarray, " vehicle"]  # position in `route_edge`
    first_leg: Int[ndarray, " vehicle"]
    lane: Int[ndarray, " vehicle"]
    movement: Int[ndarray, " vehicle"]  # at the end of its lane; -1: the trip ends there
    following: Int[ndarray, " vehicle"]  # next in the same lane; -1: none
    ready_s: Float[ndarray, " vehicle"]  # when it reaches the lane's end
    entered_s: Float[ndarray, " vehicle"]  # the edge
    charge_s: Float[ndarray, " vehicle"]  # for teleports
    is_held: Bool[ndarray, " vehicle"]  # at the head of its lane
    slowness: Float[ndarray, " vehicle"]  # limit over wanted speed
    headway: Float[ndarray, " vehicle"]  # wanted, over everybody's mean
    head: Int[ndarray, " lane"]
    tail: Int[ndarray, " lane"]
    taken_m: Float[ndarray, " lane"]
    left_s: Float[ndarray, " lane"]  # when the last vehicle did
    joined_s: Float[ndarray, " lane"]
    last_ready_s: Float[ndarray, " lane"]
    crossed_s: Float[ndarray, " movement"]  # when the last vehicle began to
    merged_s: Float[ndarray, " movement"]  # when it is on the next edge
    phase: Int[ndarray, " light"]
    since_s: Float[ndarray, " light"]  # when the phase began
    green_used_s: Float[ndarray, " light"]
    event_s: Float[ndarray, " event"]  # a heap
    event_of: Int[ndarray, " event"]
    counts: Int[ndarray, " 2"]  # events in the heap, teleports
    times_s: Float[ndarray, " vehicle"]  # what comes out: of trips, charges included
    seconds: Float[ndarray, "interval edge"]  # and vehicle-seconds on edges, added up

    floats: Float[ndarray, " number"]  # all of the above that is no outcome, end to end
    whole: Int[ndarray, " number"]


@no_type_check
@helper
def push(state: State, time_s: float, vehicle: int) -> None:
    """Let a vehicle ask at this time."""
    times, who, at = state.event_s, state.event_of, state.counts[0]
    state.counts[0] += 1
    while at > 0:
        parent = (at - 1) // 2
        if times[parent] <= time_s:
            break
        times[at], who[at] = times[parent], who[parent]
        at = parent
    times[at], who[at] = time_s, vehicle


@no_type_check
@helper
def drop_first(state: State) -> None:
    """Take the earliest event out."""
    times, who = state.event_s, state.event_of
    state.counts[0] -= 1
    size, at = state.counts[0], 0
    time_s, vehicle = times[size], who[size]
    while True:
        child = 2 * at + 1
        if child >= size:
            break
        if child + 1 < size and times[child + 1] < times[child]:
            child += 1
        if times[child] >= time_s:
            break
        times[at], who[at] = times[child], who[child]
        at = child
    times[at], who[at] = time_s, vehicle


@no_type_check
@kernel
def morning(
    routes: Int[ndarray, " vehicle"],
    world: World,
    speed_noise: Float[ndarray, " vehicle"],
    headway_noise: Float[ndarray, " vehicle"],
    times_s: Float[ndarray, " vehicle"],
    seconds: Float[ndarray, "interval edge"],
) -> State:
    """Before the first departure: lanes are empty, lights are where their programs say."""
    vehicles, drivers = world.vehicles, world.drivers
    many, lanes = len(routes), len(world.roads.lane_length_m)
    moves, lights = len(world.roads.movement_lane), len(world.roads.light_offset_s)
    slowness, headway = np.empty(many), np.empty(many)
    for v in range(many):
        spread = drivers.speed_noise * vehicles.speed_spread[v]
        slowness[v] = 1.0 / max(vehicles.speed_factor[v] + spread * speed_noise[v], 0.2)
        spread = drivers.headway_noise if vehicles.is_noisy[v] else 0.0
        headway[v] = max(0.3, 1.0 + spread * headway_noise[v])
    state = _empty(many, lanes, moves, lights, times_s, seconds)
    state.first_leg[:] = world.roads.route_first[routes]
    state.slowness[:] = slowness
    state.headway[:] = headway
    for light in range(lights):
        _start_light(state, world, light)
    for v in range(many):
        push(state, vehicles.depart_s[v], v)
    return state


@no_type_check
@kernel
def _empty(
    many: int,
    lanes: int,
    moves: int,
    lights: int,
    times_s: Float[ndarray, " vehicle"],
    seconds: Float[ndarray, "interval edge"],
) -> State:
    """Nobody on the road, nothing planned; all arrays of a kind lie side by side in one."""
    floats = np.zeros(6 * many + 1 + 4 * lanes + 2 * moves + 2 * lights)
    whole = np.full(6 * many + 1 + 2 * lanes + lights + 2, -1)
    f, w = 6 * many + 1, 6 * many + 1
    after_lanes, after_moves = f + 4 * lanes, f + 4 * lanes + 2 * moves
    floats[f + lanes : after_moves] = FAR_PAST_S
    floats[after_moves + lights :] = FAR_PAST_S
    whole[w + 2 * lanes :] = 0
    return State(
        whole[:many],
        whole[many : 2 * many],
        whole[2 * many : 3 * many],
        whole[3 * many : 4 * many],
        whole[4 * many : 5 * many],
        floats[:many],
        floats[many : 2 * many],
        floats[2 * many : 3 * many],
        np.zeros(many, np.bool_),
        floats[3 * many : 4 * many],
        floats[4 * many : 5 * many],
        whole[w : w + lanes],
        whole[w + lanes : w + 2 * lanes],
        floats[f : f + lanes],
        floats[f + lanes : f + 2 * lanes],
        floats[f + 2 * lanes : f + 3 * lanes],
        floats[f + 3 * lanes : after_lanes],
        floats[after_lanes : after_lanes + moves],
        floats[after_lanes + moves : after_moves],
        whole[w + 2 * lanes : w + 2 * lanes + lights],
        floats[after_moves : after_moves + lights],
        floats[after_moves + lights :],
        floats[5 * many : f],
        whole[5 * many : w],
        whole[w + 2 * lanes + lights :],
        times_s,
        seconds,
        floats,
        whole,
    )


@no_type_check
@helper
def _start_light(state: State, world: World, light: int) -> None:
    """The phase that the program is in at this moment, counted from its offset."""
    roads, time_s = world.roads, world.clock.begin_s
    first, last = roads.phase_first[light], roads.phase_first[light + 1]
    into_s = (time_s - roads.light_offset_s[light]) % roads.phase_s[first:last].sum()
    for at in range(first, last):
        if into_s < roads.phase_s[at] or at == last - 1:
            state.phase[light] = at - first
            state.since_s[light] = time_s - into_s
            return
        into_s -= roads.phase_s[at]
