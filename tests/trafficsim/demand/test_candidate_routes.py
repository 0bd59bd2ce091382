"""Candidate routes: fastest first, different from each other, none that is not a way."""

from itertools import pairwise
from pathlib import Path

import networkx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.resources import data_path
from tests.support.small_nets import ONE_ROUTE, TWO_ROUTE, Street, graph_of, net_text
from trafficsim.demand.candidate_routes import (
    CandidateConfig,
    candidate_routes,
    overlap,
    route_time_s,
)
from trafficsim.demand.fastest_path import fastest_path
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import RoadGraph, build_road_graph

ALL = CandidateConfig()


@pytest.fixture(scope="module")
def grid() -> RoadGraph:
    return build_road_graph(read_records(data_path("nets/grid_3x3.net.xml")))


def by_name(graph: RoadGraph, routes: tuple[tuple[int, ...], ...]) -> list[str]:
    return [" ".join(graph.edge_ids[edge] for edge in route) for route in routes]


def test_both_ways_are_found_the_fastest_first(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TWO_ROUTE)
    routes = candidate_routes(graph, 0, 4, ALL)
    assert by_name(graph, routes) == ["entry queue neck exit", "entry detour exit"]
    assert route_time_s(routes[0], graph.free_flow_s) == pytest.approx(100 / 3)


def test_one_way_is_one_candidate_and_no_way_none(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, ONE_ROUTE)
    assert candidate_routes(graph, 0, 2, ALL) == ((0, 1, 2),)
    assert candidate_routes(graph, 2, 0, ALL) == ()
    assert candidate_routes(graph, 1, 1, ALL) == ((1,),)


def test_ways_too_slow_or_too_alike_are_passed_over(tmp_path: Path) -> None:
    streets = [
        Street("in", "o", "a", 100),
        Street("trunk", "a", "b", 900),
        Street("fork1", "b", "c", 50),
        Street("fork2", "b", "c", 60),  # shares 900 of 960 m with the other
        Street("slow", "a", "c", 3000),
        Street("out", "c", "z", 100),
    ]
    turns = [("in", "trunk"), ("in", "slow"), ("trunk", "fork1"), ("trunk", "fork2")]
    turns += [("fork1", "out"), ("fork2", "out"), ("slow", "out")]
    graph = graph_of(tmp_path, net_text(streets, turns))
    found = {
        (overlap_, longest): by_name(
            graph,
            candidate_routes(
                graph, 0, 5, CandidateConfig(most_overlap=overlap_, longest=longest, searches=20)
            ),
        )
        for overlap_ in (0.9, 0.95)
        for longest in (2.5, 3.0)
    }
    one, two, slow = "in trunk fork1 out", "in trunk fork2 out", "in slow out"
    assert found == {
        (0.9, 2.5): [one],
        (0.9, 3.0): [one, slow],
        (0.95, 2.5): [one, two],
        (0.95, 3.0): [one, two, slow],
    }


def test_overlap_is_the_share_of_the_inner_time() -> None:
    time_s = np.array([1.0, 3.0, 1.0, 6.0, 1.0])
    assert overlap((0, 1, 2, 4), (0, 1, 3, 4), time_s) == 0.75
    assert overlap((0, 1, 3, 4), (0, 1, 2, 4), time_s) == pytest.approx(1 / 3)
    assert overlap((0, 4), (0, 1, 4), time_s) == 1.0


@given(origin=st.integers(0, 23), destination=st.integers(0, 23), routes=st.integers(1, 6))
def test_candidates_of_a_grid_are_different_ways_in_order(
    grid: RoadGraph, origin: int, destination: int, routes: int
) -> None:
    found = candidate_routes(grid, origin, destination, CandidateConfig(num_routes=routes))
    times_s = [route_time_s(route, grid.free_flow_s) for route in found]
    assert 1 <= len(set(found)) == len(found) <= routes
    assert times_s == sorted(times_s)
    assert times_s[-1] <= 2.5 * times_s[0]
    for route in found:
        assert (route[0], route[-1]) == (origin, destination)
        assert len(set(route)) == len(route)
        assert all(b in grid.successors[a] for a, b in pairwise(route))


@given(origin=st.integers(0, 23), destination=st.integers(0, 23), seed=st.integers(0, 9))
def test_the_fastest_path_is_that_of_networkx(
    grid: RoadGraph, origin: int, destination: int, seed: int
) -> None:
    cost_s = np.random.default_rng(seed).uniform(1.0, 5.0, len(grid.edge_ids))
    other = networkx.DiGraph()
    other.add_weighted_edges_from((a, b, float(cost_s[b])) for a, b in grid.arcs.tolist())
    found = fastest_path(grid, origin, destination, cost_s)
    assert found is not None
    expected_s = networkx.shortest_path_length(other, origin, destination, weight="weight")
    assert route_time_s(found, cost_s) == pytest.approx(cost_s[origin] + expected_s)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_routes": 0},
        {"penalty": 1.0},
        {"longest": 0.9},
        {"most_overlap": 0.0},
        {"num_routes": 5, "searches": 4},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="="):
        CandidateConfig(**wrong)
