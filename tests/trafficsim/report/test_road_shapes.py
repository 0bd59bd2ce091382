"""How roads are drawn: ways worked by hand, nothing hidden, pictures of large nets small."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ss_core.report.network_map import Stretch, network_chart
from trafficsim.report.road_shapes import (
    LARGEST_NET,
    SMALL_NET,
    Road,
    beside,
    bowed,
    hides,
    points_of,
    road_courses,
    simplified,
)

FAR_M = 5_800_000.0  # northings of nets that keep their projection


def test_shapes_are_read_with_and_without_heights() -> None:
    assert points_of("0,0 10.5,-2").tolist() == [[0.0, 0.0], [10.5, -2.0]]
    assert points_of("0,0,7 10,1,8").tolist() == [[0.0, 0.0], [10.0, 1.0]]


@pytest.mark.parametrize("shape", ["", "0", "0,0 1,", "0,0 x,y", "0,0 nan,1", "0,0 1e999,0"])
def test_what_is_no_shape_is_not_drawn(shape: str) -> None:
    assert len(points_of(shape)) == 0
    assert road_courses([Road("a", shape, 1.0)], {}) == {}


def test_points_on_the_way_are_left_out_and_corners_kept() -> None:
    corner = np.array([[0.0, 0.0], [5.0, 0.01], [10.0, 0.0], [10.0, 5.0], [10.0, 10.0]])
    assert simplified(corner, 0.1).tolist() == [[0.0, 0.0], [10.0, 0.0], [10.0, 10.0]]
    loop = np.array([[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 0.0]])
    assert len(simplified(loop, 0.1)) == 4


@given(
    st.lists(st.tuples(st.floats(-100, 100), st.floats(-100, 100)), min_size=2, max_size=20),
    st.floats(0.1, 50.0),
)
def test_no_point_lies_farther_off_than_the_tolerance(
    points: list[tuple[float, float]], tolerance_m: float
) -> None:
    course = np.array(points)
    kept = simplified(course, tolerance_m)
    assert kept[[0, -1]].tolist() == course[[0, -1]].tolist()
    for point in course:
        off = [np.abs(_offset(point, a, b)) for a, b in pairwise(kept)]
        assert min(off) <= tolerance_m + 1e-6


def _offset(point: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """Distance from the line through two points, as Douglas and Peucker measure it."""
    along, away = end - start, point - start
    length = float(np.linalg.norm(along))
    if length == 0.0:
        return float(np.linalg.norm(away))
    return float(along[0] * away[1] - along[1] * away[0]) / length


def test_both_directions_of_a_road_lie_side_by_side() -> None:
    east = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert beside(east, 2.0).tolist() == [[0.0, -2.0], [10.0, -2.0]]
    assert beside(east[::-1], 2.0).tolist() == [[10.0, 2.0], [0.0, 2.0]]


def test_a_way_round_on_top_of_another_road_gets_a_bow() -> None:
    long, short, beyond = (np.array([[0.0, 0.0], [x, 0.0]]) for x in (100.0, 40.0, 140.0))
    assert hides(long, 1000.0, [long, short])
    assert not hides(long, 110.0, [long, short])  # it is as long as it is drawn
    assert not hides(long, 1000.0, [long, beyond])
    assert not hides(long, 1000.0, [long, short + np.array([0.0, 5.0])])
    bow = bowed(long, 1000.0)
    assert bow[[0, -1]].tolist() == long.tolist()
    assert bow[:, 1].min() == pytest.approx(-0.25 * 0.9 * 100.0)
    roads = [Road("round", "0,0 100,0", 1000.0), Road("through", "0,0 40,0", 40.0)]
    courses = road_courses(roads, {"round": 1.0})
    assert len(courses["round"]) > 2
    assert len(courses["through"]) == 2


def test_coordinates_begin_at_the_corner_and_keep_their_metres() -> None:
    road = Road("a", f"400000.25,{FAR_M} 400010.25,{FAR_M + 20}", 22.0)
    points = road_courses([road], {})["a"]
    assert np.abs(points).max() < 25.0
    assert np.ptp(points, axis=0).tolist() == pytest.approx([10.0, 20.0], abs=0.1)


def test_small_nets_are_drawn_whole_and_large_ones_where_there_is_traffic() -> None:
    def strip(count: int) -> list[Road]:
        return [Road(f"e{x}", f"{10 * x},0 {10 * x + 10},0", 10.0) for x in range(count)]

    assert len(road_courses(strip(SMALL_NET), {"e1": 1.0})) == SMALL_NET
    near = road_courses(strip(SMALL_NET + 1), {"e100": 1.0, "e200": 1.0})
    assert {"e100", "e150", "e200", "e95"} <= near.keys()
    assert not {"e0", "e400"} & near.keys()


def test_pictures_of_ten_thousand_roads_stay_small() -> None:
    rng = np.random.default_rng(0)
    starts = rng.uniform(0.0, 9000.0, (10_000, 2))
    way = np.linspace(0.0, 100.0, 12)
    roads = [
        Road(f"{n}#{n}", " ".join(f"{x + s:.2f},{y + rng.normal():.2f}" for s in way), 100.0)
        for n, (x, y) in enumerate(starts.tolist())
    ]
    traffic = {road.name: float(n % 7) for n, road in enumerate(roads)}
    courses = road_courses(roads, traffic)
    assert len(courses) == LARGEST_NET
    assert min(traffic[name] for name in courses) == 5.0  # the fullest
    stretches = [
        Stretch(
            name=f"{name}: 123 cars, 456 s lost",
            x=c[:, 0].tolist(),
            y=c[:, 1].tolist(),
            value=1.0,
            width=n % 7,
        )
        for n, (name, c) in enumerate(courses.items())
    ]
    figure = network_chart(stretches, bounds=[0.5], unit="cars")
    assert len(json.dumps(figure, separators=(",", ":"))) < 250_000
    assert len(figure["data"]) <= 8
