"""What the link model takes from net files, written by hand and by SUMO's own tool."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.trafficsim.link_model.crossing import ROUTES, SIGNAL, crossing_text
from trafficsim.link_model.roads import roads_of
from trafficsim.link_model.tables import Roads
from trafficsim.nets.read import read_records


def tables(folder: Path, text: str) -> tuple[Roads, tuple[str, ...], tuple[str, ...]]:
    net = folder / "net.net.xml"
    net.write_text(text)
    return roads_of(read_records(net), ROUTES)


def test_right_of_way_is_read_from_the_junction(tmp_path: Path) -> None:
    roads, edges, unknown = tables(tmp_path, crossing_text())
    assert edges == ("main", "out", "side")
    assert unknown == ()
    assert roads.movement_lane.tolist() == [0, 2]  # from main, from side
    assert roads.movement_is_minor.tolist() == [False, True]
    assert roads.conflict_movement.tolist() == [1, 0]
    assert roads.conflict_yields.tolist() == [False, True]
    assert roads.conflict_merges.tolist() == [True, True]
    assert roads.movement_inside_m.tolist() == [10.0, 10.0]
    assert roads.movement_inner.tolist() == [-1, -1]
    assert roads.leg_first.tolist() == [0, 1, 1, 2, 2]
    assert roads.route_edge.tolist() == [0, 1, 2, 1]


def test_at_a_zipper_nobody_yields(tmp_path: Path) -> None:
    roads, _, unknown = tables(tmp_path, crossing_text(junction="zipper"))
    assert (roads.conflict_yields.tolist(), unknown) == ([False, False], ())


def test_a_place_to_wait_inside_the_junction_is_a_lane(tmp_path: Path) -> None:
    roads, _, _ = tables(tmp_path, crossing_text(side_waits_inside=True))
    assert roads.movement_inner.tolist() == [-1, 3]
    assert roads.lane_length_m.tolist() == [100.0, 100.0, 100.0, 10.0]
    assert roads.lane_edge.tolist() == [0, 1, 2, 2]
    assert roads.movement_inside_m.tolist() == [10.0, 20.0]
    assert roads.edge_lane.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(("kind", "longest_s"), [("static", [20, 10]), ("actuated", [40, 10])])
def test_programs_of_lights(tmp_path: Path, kind: str, longest_s: list[int]) -> None:
    signal = SIGNAL.format(kind=kind, offset=3, first="Gr", second="rG")
    roads, _, unknown = tables(tmp_path, crossing_text(junction="traffic_light", signal=signal))
    assert unknown == ()
    assert roads.light_offset_s.tolist() == [3.0]
    assert roads.phase_s.tolist() == [20.0, 10.0]
    assert roads.phase_shortest_s.tolist() == ([20.0, 10.0] if kind == "static" else [5.0, 10.0])
    assert roads.phase_longest_s.tolist() == longest_s
    assert ["".join(map(chr, row)) for row in roads.phase_state.tolist()] == ["Gr", "rG"]
    assert roads.movement_light.tolist() == [0, 0]
    assert roads.movement_link.tolist() == [0, 1]
    assert not roads.movement_is_minor.any()


def test_what_is_not_modelled_is_named(tmp_path: Path) -> None:
    _, _, unknown = tables(tmp_path, crossing_text(junction="rail_crossing"))
    assert unknown == ("junction 'c' of type 'rail_crossing'",)
    signal = SIGNAL.format(kind="NEMA", offset=0, first="Gr", second="rG")
    _, _, unknown = tables(tmp_path, crossing_text(junction="traffic_light", signal=signal))
    assert unknown == ("traffic light 'c' of type 'NEMA'",)
    without = crossing_text().replace(' via=":c_0_0"', "").replace(' via=":c_1_0"', "")
    roads, _, unknown = tables(tmp_path, without)
    assert unknown == ("2 turns without inner lanes, whose right of way is not known",)
    assert roads.conflict_movement.tolist() == []
    assert np.isfinite(roads.movement_speed_m_per_s).all()


def test_every_number_of_a_bundled_net_is_finite_and_in_range() -> None:
    net = Path("data/nets/grid_3x3.net.xml")
    records = read_records(net)
    names = {edge.edge_id for edge in records.edges if edge.is_road}
    leads = [
        (each.from_edge, each.to_edge)
        for each in records.connections
        if each.from_edge in names and each.to_edge in names
    ]
    roads, edges, unknown = roads_of(records, leads)
    assert unknown == ()
    assert len(edges) == len(names)
    lanes, moves = len(roads.lane_length_m), len(roads.movement_lane)
    assert roads.movement_lane.max() < roads.edge_lane[-1] <= lanes
    assert roads.conflict_movement.max() < moves
    assert (np.diff(roads.conflict_first) >= 0).all()
    assert all(math.isfinite(value) for value in roads.movement_speed_m_per_s)
    assert roads.movement_light.max() == len(roads.light_offset_s) - 1
    crossed = {(at, other) for at, other in pairs_of(roads)}
    assert crossed
    assert all((other, at) in crossed for at, other in crossed)  # who crosses is crossed


def pairs_of(roads: Roads) -> list[tuple[int, int]]:
    owner = np.repeat(np.arange(len(roads.movement_lane)), np.diff(roads.conflict_first))
    return list(zip(owner.tolist(), roads.conflict_movement.tolist(), strict=True))
