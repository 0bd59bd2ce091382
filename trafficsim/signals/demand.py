"""Demand for traffic lights where none is given: trips between a few zone pairs, all episode long.

Drawn once per run as the drivers' game draws its own, at a fixed headway; SUMO's seed still varies
how the vehicles drive from episode to episode.
"""

from dataclasses import replace
from pathlib import Path

from ss_core.random_streams import Stream, numpy_generator
from trafficsim.demand.candidate_routes import CandidateConfig
from trafficsim.demand.generate import GeneratorConfig, generate_demand
from trafficsim.demand.trips import demand_file
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import build_road_graph
from trafficsim.signals.scene import SignalScene

ZONE_PAIRS = 8
NOT_ASKED = 1.0  # the level of congestion is not looked for


def drawn_demand(scene: SignalScene, headway_s: float, seed: int) -> str:
    """A SUMO route file with a departure every `headway_s` from the episode's begin to its end.

    Raises:
        InputError: cars cannot get from any edge of the net to another.
    """
    graph = build_road_graph(read_records(Path(scene.net)))
    trips = GeneratorConfig(
        drivers=max(1, int(scene.seconds / headway_s)),
        zone_pairs=ZONE_PAIRS,
        headway_s=headway_s,
    )
    rng = numpy_generator(seed, Stream.DEMAND)
    found = generate_demand(graph, trips, CandidateConfig(), rng, lambda _demand: NOT_ASKED)
    begin_s = scene.begin_s
    shifted = (replace(t, depart_s=t.depart_s + begin_s, attributes=()) for t in found.trips)
    source = f"{len(found.trips)} trips drawn, one every {headway_s:g} s (seed {seed})"
    return demand_file(replace(found, trips=tuple(shifted), source=source))
