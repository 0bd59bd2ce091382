"""One day of the link model, compiled: vehicles one by one through queues at the ends of lanes.

A lane is a first-in, first-out queue that holds as many vehicles as fit on its length. A vehicle
reaches its end after the empty road's time; it leaves when its light is green, those with right of
way leave a gap, the one before it is a headway ahead, and there is room on the next edge. After
Newell's (1993) and Daganzo's (1995) queues with blocking back, with gap acceptance at junctions.
Events are handled in the order of time; a vehicle that may not go asks again.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from trafficsim.link_model.state import (
    ARRIVED,
    NOT_YET,
    State,
    drop_first,
    helper,
    kernel,
    morning,
    push,
)
from trafficsim.link_model.tables import Roads, World

RETRY_S = 1.0  # SUMO's step
LEAST_HEADWAY_S = 0.5
GREEN_EXTENSION_S = 3.0  # SUMO's max-gap of actuated lights
NOTICED_WAIT_S = 0.5
GOES = -1.0  # no reason to wait
PRIORITY = ord("G")  # other letters under which one may go: minor green, stop then go, light off
MAY_GO = (ord("G"), ord("g"), ord("s"), ord("O"), ord("o"))


@no_type_check
@helper
def _advance_light(state: State, roads: Roads, light: int, now_s: float) -> float:
    """Move a light on to the phase of this moment; when that ends if nobody extends it."""
    first, last = roads.phase_first[light], roads.phase_first[light + 1]
    while True:
        at, since_s = first + state.phase[light], state.since_s[light]
        ends_s = since_s + roads.phase_shortest_s[at]
        if roads.phase_longest_s[at] > roads.phase_shortest_s[at]:
            asked_s = state.green_used_s[light] + GREEN_EXTENSION_S
            ends_s = min(max(ends_s, asked_s), since_s + roads.phase_longest_s[at])
        if now_s < ends_s:
            return ends_s
        state.since_s[light] = ends_s
        state.phase[light] = (state.phase[light] + 1) % (last - first)


@no_type_check
@helper
def _behind_s(world: World, follower: int, leader: int, speed: float) -> float:
    """Headway of a follower behind a leader that leaves a queue at this speed in m/s."""
    tau_s = world.drivers.headway_factor * world.vehicles.tau_s[follower]
    return tau_s + world.drivers.spacing_factor * world.vehicles.space_m[leader] / speed


@no_type_check
@helper
def _red_until_s(state: State, roads: Roads, movement: int, now_s: float) -> float:
    """When a light that holds a movement back is asked again; `GOES` if it does not."""
    light = roads.movement_light[movement]
    if light < 0:
        return GOES
    ends_s = _advance_light(state, roads, light, now_s)
    return GOES if _letter(state, roads, movement) in MAY_GO else max(ends_s, now_s + 0.01)


@no_type_check
@helper
def _letter(state: State, roads: Roads, movement: int) -> int:
    """What the light of a movement, moved on to this moment, shows it."""
    light = roads.movement_light[movement]
    return roads.phase_state[
        roads.phase_first[light] + state.phase[light], roads.movement_link[movement]
    ]


@no_type_check
@helper
def _rival(state: State, roads: Roads, movement: int) -> int:
    """Who comes next on a movement with right of way; -1: nobody, or it cannot go itself."""
    inner = roads.movement_inner[movement]
    if inner >= 0 and state.head[inner] >= 0:
        first = state.head[inner]
        return -1 if state.is_held[first] else first
    first = state.head[roads.movement_lane[movement]]
    if first < 0 or state.movement[first] != movement or state.is_held[first]:
        return -1
    if roads.movement_light[movement] >= 0 and _letter(state, roads, movement) not in MAY_GO:
        return -1
    return first


@no_type_check
@helper
def _emptiest_lane(state: State, roads: Roads, leg: int) -> tuple[int, int, float]:
    """Lane of a leg's edge that suits the route, the movement at its end, metres over its room."""
    lane, movement, least_m = -1, -1, np.inf
    first, last = roads.leg_first[leg], roads.leg_first[leg + 1]
    for at in range(first, last):
        each = roads.movement_lane[roads.leg_movement[at]]
        over_m = state.taken_m[each] - roads.lane_length_m[each]
        if over_m < least_m:
            least_m, lane, movement = over_m, each, roads.leg_movement[at]
    if first == last:  # the last edge: any of its lanes
        edge = roads.route_edge[leg]
        for each in range(roads.edge_lane[edge], roads.edge_lane[edge + 1]):
            over_m = state.taken_m[each] - roads.lane_length_m[each]
            if over_m < least_m:
                least_m, lane = over_m, each
    return lane, movement, least_m


@no_type_check
@helper
def _leave_lane(state: State, world: World, v: int, now_s: float) -> int:
    """Take the head out of its lane; who is next there, or -1."""
    lane, behind = state.lane[v], state.following[v]
    state.taken_m[lane] -= world.vehicles.space_m[v]
    state.head[lane] = behind
    state.left_s[lane] = now_s
    if behind < 0:
        state.tail[lane] = -1
    return behind


@no_type_check
@helper
def _note(state: State, world: World, v: int, left_s: float) -> None:
    """Add a stay on an edge to its vehicle-seconds, interval by interval."""
    clock, edge = world.clock, world.roads.route_edge[state.leg[v]]
    begin_s, end_s = state.entered_s[v] - clock.begin_s, left_s - clock.begin_s
    at = int(begin_s // clock.interval_s)
    while begin_s < end_s and 0 <= at < len(state.seconds):
        until_s = min(end_s, (at + 1) * clock.interval_s)
        state.seconds[at, edge] += until_s - begin_s
        begin_s = until_s
        at += 1


@no_type_check
@helper
def _wanted(state: State, world: World, v: int, limit_m_per_s: float) -> float:
    """Speed in m/s that a vehicle drives on an empty road of this limit."""
    return min(limit_m_per_s / state.slowness[v], world.vehicles.top_speed_m_per_s[v])


@no_type_check
@helper
def _turn_s(state: State, world: World, v: int, movement: int, rate_m_per_s2: float) -> float:
    """Time lost by a change between the edge's speed and that of a turn, at this rate.

    And half of what is lost by looking out where others have right of way.
    """
    roads = world.roads
    limit = roads.edge_speed_m_per_s[roads.lane_edge[roads.movement_lane[movement]]]
    before = _wanted(state, world, v, limit)
    inside = _wanted(state, world, v, roads.movement_speed_m_per_s[movement])
    excess = max(before - inside, 0.0)
    looking_s = 0.5 * world.drivers.minor_s if roads.movement_is_minor[movement] else 0.0
    return excess * excess / (2.0 * before * rate_m_per_s2) + looking_s


@no_type_check
@helper
def _inside_s(state: State, world: World, v: int, now_s: float) -> tuple[float, float]:
    """Time through the junction up to and from the place to wait in it, if there is one.

    Both include starting from standstill where the vehicle has stood.
    """
    roads, drivers, movement = world.roads, world.drivers, state.movement[v]
    inside = _wanted(state, world, v, roads.movement_speed_m_per_s[movement])
    inner, before_s = roads.movement_inner[movement], 0.0
    if inner >= 0:
        before_s = drivers.free_factor * roads.lane_length_m[inner] / inside
    through_s = drivers.free_factor * roads.movement_inside_m[movement] / inside
    startup_s = 0.0
    if now_s - state.ready_s[v] > NOTICED_WAIT_S:
        rate = world.vehicles.acceleration_m_per_s2[v]
        startup_s = drivers.startup_factor * inside / (2.0 * rate)
    return before_s + startup_s, through_s - before_s + startup_s


@no_type_check
@helper
def _held_until_s(state: State, world: World, v: int, now_s: float) -> float:
    """When the head of a lane may ask again; `GOES` if right of way lets it go.

    Who merges must also have time to come up to the speed of those behind.
    """
    roads, drivers, movement = world.roads, world.drivers, state.movement[v]
    yields = roads.movement_light[movement] < 0 or _letter(state, roads, movement) != PRIORITY
    waited_s = now_s - state.ready_s[v]
    after_s = _inside_s(state, world, v, now_s)[1]
    patience = state.headway[v] * max(0.0, 1.0 - waited_s / drivers.impatience_s)
    gap_s = after_s + drivers.gap_s * patience
    rate = world.vehicles.acceleration_m_per_s2[v]
    speeding_up_s = _turn_s(state, world, v, movement, rate)
    for at in range(roads.conflict_first[movement], roads.conflict_first[movement + 1]):
        other = roads.conflict_movement[at]
        if roads.conflict_merges[at]:
            speed = roads.movement_speed_m_per_s[other]
            behind_s = drivers.merge_factor * _behind_s(world, v, v, speed)
            clear_s = state.merged_s[other] + behind_s - after_s
        else:
            passing_s = state.merged_s[other] - state.crossed_s[other]
            clear_s = state.crossed_s[other] + drivers.clearance_factor * passing_s
        if now_s < clear_s:
            return max(clear_s, now_s + 0.2)
        if yields and roads.conflict_yields[at]:
            rival = _rival(state, roads, other)
            needed_s = gap_s + (speeding_up_s if roads.conflict_merges[at] else 0.0)
            if rival >= 0 and state.ready_s[rival] < now_s + needed_s:
                return max(now_s + 0.5, state.ready_s[rival] + 0.2)
    return GOES


@no_type_check
@helper
def _join_lane(state: State, world: World, v: int, arrives_s: float) -> None:
    """Put a vehicle, whose leg, lane and movement are set, at the lane's end."""
    lane, movement = state.lane[v], state.movement[v]
    state.taken_m[lane] += world.vehicles.space_m[v]
    state.following[v] = -1
    arrives_s = max(arrives_s, state.last_ready_s[lane] + RETRY_S)
    state.ready_s[v] = state.last_ready_s[lane] = arrives_s
    if state.head[lane] >= 0:
        state.following[state.tail[lane]] = v
        state.tail[lane] = v
        return
    state.head[lane] = state.tail[lane] = v
    hold_s = LEAST_HEADWAY_S
    if movement >= 0:
        speed = world.roads.movement_speed_m_per_s[movement]
        hold_s = _behind_s(world, v, v, speed) * state.headway[v]
    push(state, max(arrives_s, state.left_s[lane] + hold_s), v)


@no_type_check
@helper
def _finish(state: State, world: World, v: int, now_s: float) -> None:
    """End a trip at the end of its last edge."""
    state.times_s[v] = now_s - world.vehicles.depart_s[v] + state.charge_s[v]
    _note(state, world, v, now_s)
    behind = _leave_lane(state, world, v, now_s)
    state.leg[v] = ARRIVED
    if behind >= 0:
        push(state, max(state.ready_s[behind], now_s + LEAST_HEADWAY_S), behind)


@no_type_check
@helper
def _depart(state: State, world: World, v: int, now_s: float) -> None:
    """Put a vehicle on the first edge of its route, or say when it asks again."""
    leg = state.first_leg[v]
    lane, movement, over_m = _emptiest_lane(state, world.roads, leg)
    free_s = state.joined_s[lane] + world.drivers.insertion_s
    if over_m >= 0.0 or free_s > now_s:
        push(state, max(now_s + (RETRY_S if over_m >= 0.0 else 0.5), free_s), v)
        return
    state.leg[v], state.lane[v], state.movement[v] = leg, lane, movement
    state.entered_s[v] = now_s
    _drive(state, world, v, world.drivers.start_s)


@no_type_check
@helper
def _drive(state: State, world: World, v: int, lost_s: float) -> None:
    """Along the edge that a vehicle has just entered, to the end of its lane."""
    state.joined_s[state.lane[v]] = state.entered_s[v]
    roads, edge = world.roads, world.roads.route_edge[state.leg[v]]
    speed = _wanted(state, world, v, roads.edge_speed_m_per_s[edge])
    free_s = world.drivers.free_factor * roads.edge_length_m[edge] / speed
    arrives_s = state.entered_s[v] + lost_s + free_s
    if state.movement[v] >= 0:
        rate = world.vehicles.braking_m_per_s2[v]
        arrives_s += _turn_s(state, world, v, state.movement[v], rate)
    _join_lane(state, world, v, arrives_s)


@no_type_check
@helper
def _ask(state: State, world: World, v: int, now_s: float) -> None:
    """The head of a lane goes on: to wait inside the junction, or across it; or asks again."""
    roads, movement = world.roads, state.movement[v]
    inner = roads.movement_inner[movement]
    is_inside = state.lane[v] == inner
    waited_s = now_s - state.ready_s[v]
    is_moved_on = waited_s >= world.clock.teleport_s
    until_s = GOES if is_inside else _red_until_s(state, roads, movement, now_s)
    steps_inside = inner >= 0 and not is_inside
    if until_s == GOES and steps_inside:
        is_full = state.taken_m[inner] > 0.0 and (
            state.taken_m[inner] + world.vehicles.space_m[v] > roads.lane_length_m[inner]
        )
        until_s = now_s + RETRY_S if is_full else GOES
    elif until_s == GOES:
        until_s = _held_until_s(state, world, v, now_s)
    leg = state.leg[v] + 1
    lane, following, over_m = _emptiest_lane(state, roads, leg)
    if until_s == GOES and over_m >= 0.0 and not steps_inside:
        until_s = now_s + RETRY_S
    if until_s != GOES and not is_moved_on:
        state.is_held[v] = True
        push(state, until_s, v)
        return
    state.is_held[v] = False
    if is_moved_on:
        state.charge_s[v] += world.clock.teleport_s
        state.counts[1] += 1
    if not is_inside:
        _note(state, world, v, now_s)
    _leave(state, world, v, now_s)
    before_s, after_s = _inside_s(state, world, v, now_s)
    if steps_inside and not is_moved_on:
        state.lane[v] = inner
        _join_lane(state, world, v, now_s + before_s)
        return
    rate = world.vehicles.acceleration_m_per_s2[v]
    lost_s = _turn_s(state, world, v, movement, rate)
    state.crossed_s[movement], state.merged_s[movement] = now_s, now_s + after_s
    state.leg[v], state.lane[v], state.movement[v] = leg, lane, following
    state.entered_s[v] = now_s + after_s
    _drive(state, world, v, lost_s)


@no_type_check
@helper
def _leave(state: State, world: World, v: int, now_s: float) -> None:
    """Take the head out of its lane and let the next one ask a headway later."""
    roads, movement = world.roads, state.movement[v]
    light = roads.movement_light[movement]
    if light >= 0 and state.lane[v] == roads.movement_lane[movement]:
        state.green_used_s[light] = now_s
    behind = _leave_lane(state, world, v, now_s)
    if behind >= 0:
        speed = roads.movement_speed_m_per_s[movement]
        hold_s = _behind_s(world, behind, v, speed) * state.headway[behind]
        push(state, max(state.ready_s[behind], now_s + hold_s), behind)


@no_type_check
@kernel
def simulate_day(
    routes: Int[ndarray, " vehicle"],
    world: World,
    speed_noise: Float[ndarray, " vehicle"],
    headway_noise: Float[ndarray, " vehicle"],
    times_s: Float[ndarray, " vehicle"],
    seconds: Float[ndarray, "interval edge"],
) -> int:
    """Travel times of a day, into `times_s`, and vehicle-seconds on edges, added to `seconds`.

    `speed_noise` and `headway_noise` are standard normal. Times count from planned departure,
    charges for teleports included; trips under way when the day is cut off count up to then.
    Returned is the number of teleports.
    """
    state = morning(routes, world, speed_noise, headway_noise, times_s, seconds)
    go_on(state, world, np.inf)
    cut_off(state, world)
    return state.counts[1]


@no_type_check
@helper
def go_on(state: State, world: World, until_s: float) -> None:
    """Handle the events before this time, or to the end of the day."""
    until_s = min(until_s, world.clock.cap_s)
    while state.counts[0] > 0:
        now_s, v = state.event_s[0], state.event_of[0]
        if now_s >= until_s:
            break
        drop_first(state)
        if state.leg[v] == NOT_YET:
            _depart(state, world, v, now_s)
        elif state.movement[v] < 0:
            _finish(state, world, v, now_s)
        else:
            _ask(state, world, v, now_s)


@no_type_check
@helper
def cut_off(state: State, world: World) -> None:
    """End the trips that are under way, or wait to depart, when the day is over."""
    cap_s = world.clock.cap_s
    for v in range(len(state.leg)):
        if state.leg[v] != ARRIVED:
            state.times_s[v] = cap_s - world.vehicles.depart_s[v] + state.charge_s[v]
            inner = world.roads.movement_inner[state.movement[v]] if state.movement[v] >= 0 else -1
            is_inside = inner >= 0 and state.lane[v] == inner  # its stay on the edge has been noted
            if state.leg[v] >= 0 and not is_inside:
                _note(state, world, v, cap_s)


@no_type_check
@kernel
def play_days(
    routes: Int[ndarray, "day vehicle"],
    world: World,
    speed_noise: Float[ndarray, "draw vehicle"],
    headway_noise: Float[ndarray, "draw vehicle"],
    times_s: Float[ndarray, "day vehicle"],
    seconds: Float[ndarray, "day interval edge"],
    teleports: Float[ndarray, " day"],
) -> None:
    """Means over the draws of travel times, vehicle-seconds and teleports, into arrays of zeros."""
    draws, once_s = len(speed_noise), np.zeros(routes.shape[1])
    for day in range(len(routes)):
        for draw in range(draws):
            noise = speed_noise[draw], headway_noise[draw]
            teleports[day] += simulate_day(routes[day], world, *noise, once_s, seconds[day])
            times_s[day] += once_s / draws
        teleports[day] /= draws
        seconds[day] /= draws
