"""The graph of car edges: counted by hand on nets of a few streets."""

from pathlib import Path

import numpy as np
import pytest

from ss_core.resources import data_path
from tests.support.small_nets import TWO_ROUTE, Street, graph_of, net_text
from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import build_road_graph

LOOP = [
    Street("in", "o", "a", 100, 20.0, lanes=2),
    Street("ab", "a", "b", 100),
    Street("ba", "b", "a", 100),
    Street("out", "b", "z", 50),
    Street("cycle", "a", "z", 10, rule='allow="bicycle"'),
]
TURNS = [("in", "ab"), ("ab", "ba"), ("ba", "ab"), ("ab", "out"), ("in", "cycle")]


def test_edges_times_and_successors_of_two_routes(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, TWO_ROUTE)
    assert graph.edge_ids == ("entry", "queue", "neck", "detour", "exit")
    assert graph.free_flow_s == pytest.approx([5.0, 10.0, 40 / 3, 30.0, 5.0])
    assert graph.lane_count.tolist() == [2, 1, 1, 1, 2]
    assert graph.successors == ((1, 3), (2,), (4,), (4,), ())
    assert graph.position["neck"] == 2
    assert np.flatnonzero(graph.on_fringe_in).tolist() == [0]
    assert np.flatnonzero(graph.on_fringe_out).tolist() == [4]
    assert len(set(graph.part.tolist())) == 5  # one way only: nobody comes back


def test_what_cars_may_not_use_is_not_there(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, net_text(LOOP, TURNS))
    assert "cycle" not in graph.edge_ids
    assert graph.speed_m_per_s[graph.position["in"]] == 20.0
    assert graph.arcs.tolist() == [[0, 1], [1, 2], [1, 3], [2, 1]]


def test_turning_round_neither_enters_nor_leaves_the_net(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, net_text(LOOP, TURNS))
    names = np.array(graph.edge_ids)
    # a car on ab may turn round into ba, and back: nothing else leads to ba, or on from there
    assert names[graph.on_fringe_in].tolist() == ["in", "ba"]
    assert names[graph.on_fringe_out].tolist() == ["ba", "out"]
    assert graph.part[1] == graph.part[2] != graph.part[0]


def test_a_connection_given_lane_by_lane_is_one_arc(tmp_path: Path) -> None:
    streets = [Street("one", "a", "b", 10, lanes=2), Street("two", "b", "c", 10, lanes=2)]
    graph = graph_of(tmp_path, net_text(streets, [("one", "two"), ("one", "two")]))
    assert graph.arcs.tolist() == [[0, 1]]


def test_without_any_connection_every_edge_is_an_end(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, net_text([Street("one", "a", "b", 10)], []))
    assert graph.arcs.shape == (0, 2)
    assert graph.successors == ((),)
    assert graph.on_fringe_in.all()
    assert graph.on_fringe_out.all()


def test_all_of_a_plain_grid_is_connected() -> None:
    graph = build_road_graph(read_records(data_path("nets/grid_3x3.net.xml")))
    assert len(graph.edge_ids) == 24
    assert set(graph.part.tolist()) == {0}
