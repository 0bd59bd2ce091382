"""What the link model knows of a scene, as arrays that a compiled day reads: plain data.

Sorted lists of different lengths are stored end to end: those of item i lie in
`values[first[i]:first[i + 1]]`.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from numpy import ndarray


class Roads(NamedTuple):
    """Edges that routes use, their lanes, and movements from lane to edge through a junction."""

    edge_length_m: Float[ndarray, " edge"]
    edge_speed_m_per_s: Float[ndarray, " edge"]  # limit of the fastest car lane
    edge_lane: Int[ndarray, " edges"]  # first lane of an edge; one more entry than edges
    lane_length_m: Float[ndarray, " lane"]  # those of edges, then places to wait inside junctions
    lane_edge: Int[ndarray, " lane"]

    movement_lane: Int[ndarray, " movement"]  # that it leaves
    movement_inner: Int[ndarray, " movement"]  # lane inside the junction to wait on; -1: none
    movement_inside_m: Float[ndarray, " movement"]  # length within the junction
    movement_speed_m_per_s: Float[ndarray, " movement"]  # limit within it
    movement_is_minor: Bool[ndarray, " movement"]  # of links that wait for others
    movement_light: Int[ndarray, " movement"]  # number of its traffic light; -1: none
    movement_link: Int[ndarray, " movement"]  # place in the light's state

    conflict_first: Int[ndarray, " movements"]
    conflict_movement: Int[ndarray, " conflict"]  # that crosses or meets it
    conflict_yields: Bool[ndarray, " conflict"]  # to that movement
    conflict_merges: Bool[ndarray, " conflict"]  # both go to the same edge

    phase_first: Int[ndarray, " lights"]
    phase_s: Float[ndarray, " phase"]  # its duration as the program has it
    phase_shortest_s: Float[ndarray, " phase"]
    phase_longest_s: Float[ndarray, " phase"]  # as the shortest where the light does not adapt
    phase_state: Int[ndarray, "phase link"]  # letters of SUMO; 0 pads
    light_offset_s: Float[ndarray, " light"]

    route_first: Int[ndarray, " routes"]
    route_edge: Int[ndarray, " leg"]
    leg_first: Int[ndarray, " legs"]
    leg_movement: Int[ndarray, " option"]  # movements to the next edge of the route; none: the end


class Vehicles(NamedTuple):
    """Who drives: planned departures and what a vehicle's type says of it."""

    depart_s: Float[ndarray, " vehicle"]
    space_m: Float[ndarray, " vehicle"]  # length and least gap
    tau_s: Float[ndarray, " vehicle"]  # wanted headway
    top_speed_m_per_s: Float[ndarray, " vehicle"]
    speed_factor: Float[ndarray, " vehicle"]  # mean of wanted speed over the limit
    speed_spread: Float[ndarray, " vehicle"]  # its standard deviation between vehicles
    acceleration_m_per_s2: Float[ndarray, " vehicle"]
    braking_m_per_s2: Float[ndarray, " vehicle"]
    is_noisy: Bool[ndarray, " vehicle"]  # dawdles


class Clock(NamedTuple):
    """When a day begins, ends at the latest, and what standing still costs."""

    begin_s: float
    cap_s: float  # trips still under way are charged as if they ended then
    teleport_s: float  # who has stood so long goes on at once, and is charged as much
    interval_s: float  # that link figures are summed over


class Drivers(NamedTuple):
    """Thirteen numbers that all drivers have in common: how people drive, not how a road is built.

    They are fitted to days driven in SUMO; the defaults are where the fit starts.
    """

    free_factor: float = 1.05  # time on an empty road over length / wanted speed
    start_s: float = 2.7  # lost by departing from standstill
    insertion_s: float = 3.0  # between two departures on a lane
    headway_factor: float = 1.2  # of tau, at a queue's head
    spacing_factor: float = 0.93  # of a vehicle's length and gap, at a queue's head
    gap_s: float = 3.0  # beyond its own crossing, before the next one with right of way
    clearance_factor: float = 1.0  # of the time that one who crosses is in the junction
    merge_factor: float = 1.0  # of the headway, behind one that goes to the same edge
    minor_s: float = 1.5  # lost by slowing before a link without right of way
    startup_factor: float = 1.0  # time lost from standstill, over speed / (2 acceleration)
    impatience_s: float = 180.0  # of waiting, after which any gap will do
    speed_noise: float = 0.8  # of the spread that the vehicle's type has
    headway_noise: float = 0.3  # standard deviation of headways over their mean


class World(NamedTuple):
    """Everything that a day of the model depends on but choices and noise."""

    roads: Roads
    vehicles: Vehicles
    drivers: Drivers
    clock: Clock
