import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_envs.grid.moves import (
    DOWN,
    LEFT,
    RIGHT,
    STAY,
    TURN_CLOCKWISE,
    TURN_COUNTERCLOCKWISE,
    UP,
)
from tests.support.grid_drawings import FACINGS, bare_room, played, state_of

ROOM_3 = bare_room(3, 3)


@pytest.mark.parametrize(
    ("facing", "left", "right", "ahead", "back"),
    [
        # where the agent in the middle goes: row, column
        ("^", (1, 0), (1, 2), (0, 1), (2, 1)),
        (">", (0, 1), (2, 1), (1, 2), (1, 0)),
        ("v", (1, 2), (1, 0), (2, 1), (0, 1)),
        ("<", (2, 1), (0, 1), (1, 0), (1, 2)),
    ],
)
def test_walks_are_relative_to_the_facing(facing, left, right, ahead, back) -> None:
    for action, (row, col) in zip((LEFT, RIGHT, UP, DOWN), (left, right, ahead, back), strict=True):
        rows = played(ROOM_3, ["...", f".{facing}.", "..."], [action]).rows
        expected = [["."] * 3 for _ in range(3)]
        expected[row][col] = facing
        assert rows == ["".join(line) for line in expected]


def test_turning_goes_around_and_staying_does_nothing() -> None:
    for turn, order in ((TURN_CLOCKWISE, "^>v<^"), (TURN_COUNTERCLOCKWISE, "^<v>^")):
        for before, after in itertools.pairwise(order):
            assert played(ROOM_3, ["...", f".{before}.", "..."], [turn]).rows[1] == f".{after}."
    assert played(ROOM_3, ["...", ".v.", "..."], [STAY]).rows == ["...", ".v.", "..."]


CASES = {
    "walls stop a walk": ([">^"], [DOWN, UP], [">^"]),
    "nobody swaps places": (["><"], [UP, UP], ["><"]),
    "not even when their facings differ": (["^^."], [RIGHT, LEFT], ["^^."]),
    "who stays blocks": ([">^."], [UP, STAY], [">^."]),
    "who turns blocks": ([">^."], [UP, TURN_CLOCKWISE], [">>."]),
    "a cell being left may be entered": ([">>."], [UP, UP], [".>>"]),
    "in a row of three, too": ([">>>."], [UP, UP, UP], [".>>>"]),
    "a row against a wall stays": (["..>>"], [UP, UP], ["..>>"]),
    "a row behind a swap stays": (["^>>^"], [RIGHT, UP, UP, LEFT], ["^>>^"]),
    "a swap keeps third ones out": ([">><"], [UP, UP, UP], [">><"]),
}


@pytest.mark.parametrize("case", CASES)
def test_moves_without_chance(case) -> None:
    before, actions, after = CASES[case]
    assert played(bare_room(len(before), len(before[0])), before, actions).rows == after


def test_a_circle_of_four_moves_everyone_on() -> None:
    cells = played(bare_room(2, 2), ["^>", "<v"], [RIGHT, RIGHT, RIGHT, RIGHT]).state.cells[0]
    # ^ steps right, > down, < (lower left) up, v (lower right) left; rows are 4 cells wide
    assert cells.tolist() == [6, 10, 5, 9]


def test_one_of_two_who_want_a_free_cell_gets_it_with_even_chances() -> None:
    room = bare_room(1, 3)
    outcomes = [tuple(played(room, [">.<"], [UP, UP], seed).rows) for seed in range(400)]
    assert set(outcomes) == {(".><",), ("><.",)}
    assert abs(outcomes.count((".><",)) - 200) < 4 * 10  # σ = √(400/4)


def test_each_of_three_who_want_a_free_cell_gets_it_with_even_chances() -> None:
    room = bare_room(2, 3)
    winners = []
    for seed in range(600):
        after = played(room, [">.<", ".^."], [UP, UP, UP], seed)
        assert len(set(after.state.cells[0].tolist())) == 3
        winners.append(after.state.cells[0].tolist().index(7))  # the free cell: row 1, column 2
    assert all(abs(winners.count(i) - 200) < 4 * 11.5 for i in range(3))  # σ = √(600·2/9)


def test_who_loses_a_cell_blocks_who_follows() -> None:
    room = bare_room(1, 4)
    outcomes = {played(room, [">>.<"], [UP, UP, UP], seed).rows[0] for seed in range(50)}
    assert outcomes == {".>><", ">><."}


def test_nobody_gets_a_cell_whose_occupant_stays() -> None:
    room = bare_room(1, 3)
    assert all(played(room, [">^<"], [UP, STAY, UP], s).rows == [">^<"] for s in range(20))


def test_a_cell_that_is_left_may_be_contested() -> None:
    room = bare_room(2, 3)
    outcomes = {
        tuple(played(room, [">^<", "..."], [UP, DOWN, UP], seed).rows) for seed in range(50)
    }
    assert outcomes == {(".><", ".^."), ("><.", ".^.")}


def test_who_wins_a_cell_that_is_not_left_after_all_stays_too() -> None:
    # the middle agent wants to leave downwards, where somebody stays
    room = bare_room(2, 3)
    before = [">^<", ".v."]
    assert all(played(room, before, [UP, DOWN, UP, STAY], s).rows == before for s in range(20))


@given(
    places=st.lists(st.integers(0, 11), min_size=1, max_size=8, unique=True),
    data=st.data(),
)
def test_no_two_agents_ever_share_a_cell_and_nobody_jumps(places, data) -> None:
    rows, cols = 3, 4
    symbols = ["."] * (rows * cols)
    for place in places:
        symbols[place] = data.draw(st.sampled_from(FACINGS))
    drawing = ["".join(symbols[row * cols : (row + 1) * cols]) for row in range(rows)]
    actions = [data.draw(st.integers(0, 6)) for _ in places]
    room = bare_room(rows, cols)
    before = state_of(room.grid_map, *drawing).cells[0]
    after = played(room, drawing, actions, data.draw(st.integers(0, 99))).state.cells[0]
    assert len(set(after.tolist())) == len(places)
    assert not room.grid_map.walls[after].any()
    assert set(np.abs(after - before).tolist()) <= {0, 1, cols + 2}
