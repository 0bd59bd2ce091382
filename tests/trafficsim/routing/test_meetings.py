"""Who has to do with whom in a town, by road and hour."""

import numpy as np

from trafficsim.routing.meetings import meetings

ROUTES = (("a", "b", "z"), ("a", "c", "z"), ("x", "b", "y"), ("x", "d", "y"), ("b",))
FREE_S = np.array([30.0, 45.0, 30.0, 30.0, 10.0])


def found(options: list[list[int]], depart_s: list[float]) -> list[list[int]]:
    return meetings(ROUTES, FREE_S, np.array(options), np.array(depart_s)).astype(int).tolist()


def test_a_choice_reaches_those_who_may_be_on_a_road_it_decides_about() -> None:
    # both may take b, or leave it; the third is on b whatever it does: it reaches nobody
    together = found([[0, 1], [2, 3], [4, -1]], [0.0, 60.0, 30.0])
    assert together == [[0, 1, 0], [1, 0, 0], [1, 1, 0]]


def test_who_comes_much_later_has_nothing_to_do_with_it() -> None:
    assert found([[0, 1], [2, 3]], [0.0, 500.0]) == [[0, 1], [1, 0]]  # periods that touch
    assert found([[0, 1], [2, 3]], [0.0, 2000.0]) == [[0, 0], [0, 0]]


def test_a_road_on_all_of_somebodys_routes_is_no_choice() -> None:
    assert found([[0, 1], [0, 1]], [0.0, 0.0]) == [[0, 1], [1, 0]]  # b and c
    assert found([[0, -1], [1, -1]], [0.0, 0.0]) == [[0, 0], [0, 0]]
