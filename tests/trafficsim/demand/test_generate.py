"""Demand for a bare net: pairs that have a choice and meet, and the level at which they do."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ss_core.errors import InputError
from ss_core.resources import data_path
from tests.support.small_nets import ONE_ROUTE, TWO_ROUTE, Street, graph_of, net_text
from trafficsim.demand.candidate_routes import CandidateConfig
from trafficsim.demand.generate import (
    HEADWAYS_S,
    GeneratorConfig,
    ZonePair,
    choose_pairs,
    draw_pairs,
    entries_and_exits,
    generate_demand,
)
from trafficsim.demand.trips import Demand
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import RoadGraph, build_road_graph

CANDIDATES = CandidateConfig()


@pytest.fixture(scope="module")
def grid() -> RoadGraph:
    return build_road_graph(read_records(data_path("nets/grid_3x3.net.xml")))


def drawn(
    graph: RoadGraph, config: GeneratorConfig, seed: int = 0, levels: tuple[float, ...] = (2.0,)
) -> tuple[Demand, list[Demand]]:
    """What is drawn where SUMO would say `levels`, one after the other; and what it was asked."""
    asked: list[Demand] = []

    def congestion(demand: Demand) -> float:
        asked.append(demand)
        return levels[min(len(asked), len(levels)) - 1]

    rng = np.random.default_rng(seed)
    return generate_demand(graph, config, CANDIDATES, rng, congestion), asked


def test_departures_move_together_until_roads_fill(grid: RoadGraph) -> None:
    config = GeneratorConfig(drivers=11, zone_pairs=3, shortest_trip_s=10.0)
    demand, asked = drawn(grid, config, levels=(1.1, 1.3, 1.5, 9.0))
    headways_s = [float(np.diff([trip.depart_s for trip in each.trips])[0]) for each in asked]
    assert tuple(headways_s) == HEADWAYS_S[:3]
    assert demand.trips == asked[-1].trips
    assert [trip.depart_s for trip in demand.trips] == [2.0 * number for number in range(11)]
    assert demand.trips[0].trip_id == "driver_00"
    assert sorted(demand.od_pairs.values()) == [3, 4, 4]
    assert "one every 2 s" in demand.source
    assert "1.50 x the empty road's time" in demand.source
    assert not demand.is_deterministic


def test_where_roads_never_fill_the_shortest_headway_is_taken(grid: RoadGraph) -> None:
    demand, asked = drawn(grid, GeneratorConfig(drivers=3, shortest_trip_s=10.0), levels=(1.0,))
    assert len(asked) == len(HEADWAYS_S)
    assert demand.trips[1].depart_s == HEADWAYS_S[-1]


def test_a_given_headway_is_kept(grid: RoadGraph) -> None:
    config = GeneratorConfig(drivers=3, headway_s=7.0, shortest_trip_s=10.0)
    demand, asked = drawn(grid, config, levels=(1.0,))
    assert len(asked) == 1
    assert [trip.depart_s for trip in demand.trips] == [0.0, 7.0, 14.0]


def test_the_same_seed_draws_the_same_demand(grid: RoadGraph) -> None:
    config = GeneratorConfig(drivers=5, shortest_trip_s=10.0)
    one, same, other = (drawn(grid, config, seed)[0] for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_where_nobody_has_a_choice_nothing_is_simulated(tmp_path: Path) -> None:
    demand, asked = drawn(graph_of(tmp_path, ONE_ROUTE), GeneratorConfig(drivers=4))
    assert asked == []
    assert demand.od_pairs == {("entry", "exit"): 4}
    assert "no zone pair has two ways worth taking" in demand.source


def test_pairs_with_a_choice_are_preferred(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TWO_ROUTE)
    rng = np.random.default_rng(0)
    pairs = draw_pairs(graph, GeneratorConfig(), CANDIDATES, rng)
    assert all(len(pair.routes) == 2 for pair in pairs)
    assert {(pair.origin, pair.destination) for pair in pairs} == {(0, 4)}


def test_trips_begin_and_end_on_the_fringe_or_else_in_the_largest_part(
    grid: RoadGraph, tmp_path: Path
) -> None:
    arms = [
        *(Street(f"in{i}", f"o{i}", "x", 300) for i in range(2)),
        *(Street(f"out{i}", "x", f"z{i}", 300) for i in range(3)),
    ]
    turns = [(f"in{i}", f"out{j}") for i in range(2) for j in range(3)]
    (entries, exits), _ = entries_and_exits(graph_of(tmp_path, net_text(arms, turns)))
    assert (entries.tolist(), exits.tolist()) == ([0, 1], [2, 3, 4])
    (entries, exits), (inside, same) = entries_and_exits(grid)
    assert entries.tolist() == exits.tolist() == []
    assert inside.tolist() == same.tolist() == list(range(24))


def test_a_fringe_with_fewer_pairs_than_wanted_gives_way_to_the_inside(grid: RoadGraph) -> None:
    number = np.arange(24)
    gate = replace(grid, on_fringe_in=number == 0, on_fringe_out=number == 20)
    config = GeneratorConfig(shortest_trip_s=10.0)
    (pair,) = draw_pairs(gate, replace(config, zone_pairs=1), CANDIDATES, np.random.default_rng(0))
    assert (pair.origin, pair.destination) == (0, 20)
    assert len(draw_pairs(gate, config, CANDIDATES, np.random.default_rng(0))) > 4


def test_a_net_without_a_trip_worth_the_name_is_refused(tmp_path: Path) -> None:
    apart = [Street("one", "a", "b", 500), Street("two", "c", "d", 500)]
    with pytest.raises(InputError, match=r"no way for cars of 20 s or more.*--trips"):
        drawn(graph_of(tmp_path, net_text(apart, [])), GeneratorConfig())


def test_pairs_are_chosen_that_share_contested_time(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TWO_ROUTE)  # 5, 10, 13.3, 30 and 5 s
    alone = ZonePair(0, 4, ((0, 1, 4), (0, 2, 4)))
    near = ZonePair(0, 4, ((0, 2, 4), (0, 3, 4)))
    far = ZonePair(0, 4, ((1, 0), (1, 4)))
    assert choose_pairs([alone, far, near], 2, graph) == [alone, near]  # 13.3 s against 0
    assert choose_pairs([alone, far, near], 9, graph) == [alone, far, near]


@pytest.mark.parametrize(
    "wrong",
    [{"drivers": 0}, {"zone_pairs": 0}, {"headway_s": 0.0}, {"congestion": 1.0}],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        GeneratorConfig(**wrong)
