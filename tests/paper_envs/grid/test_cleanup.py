import dataclasses
from typing import Any

import numpy as np
import pytest

from paper_envs.grid.cleanup import CLEANUP, SMALL_CLEANUP, CleanupGame
from paper_envs.grid.maps import parse_map
from paper_envs.grid.moves import CLEAN, STAY, UP
from paper_envs.grid.state import GridState, blank_state
from tests.support.grid_drawings import played, state_of, still_cleanup, walled

RIVER_5_BY_8 = still_cleanup(*["RRRRRRRR"] * 5)


def beam_rows(state: GridState, num_cols: int) -> list[str]:
    cells = state.beams[0].reshape(-1, num_cols + 2)[1:-1, 1:-1]
    return ["".join("*" if swept else "." for swept in row) for row in cells]


def test_a_beam_has_three_lanes_of_five_cells_and_the_outer_ones_start_beside_the_agent() -> None:
    after = played(
        RIVER_5_BY_8, ["........", "........", ".......<", "........", "........"], [CLEAN]
    )
    assert beam_rows(after.state, 8) == [
        "........",
        "...*****",
        "..*****.",
        "...*****",
        "........",
    ]
    assert after.cooperative == [False]  # there was nothing to clean


@pytest.mark.parametrize(
    ("facing", "swept"),
    [("^", 3 * 2 + 2), (">", 3 * 4 + 2), ("v", 3 * 2 + 2), ("<", 3 * 3 + 2)],
)
def test_beams_go_where_the_agent_faces_and_end_at_walls(facing, swept) -> None:
    rows = ["........", "........", f"...{facing}....", "........", "........"]
    lanes = beam_rows(played(RIVER_5_BY_8, rows, [CLEAN]).state, 8)
    assert "".join(lanes).count("*") == swept


def test_every_lane_removes_its_first_waste_and_stops_there() -> None:
    after = played(
        RIVER_5_BY_8,
        ["........", ".HH.H...", ".H.....<", "HHHHHHHH", "........"],
        [CLEAN],
    )
    assert after.rows == ["........", ".HH.....", ".H.....<", "HHHHHHH.", "........"]
    assert beam_rows(after.state, 8)[1:4] == ["....****", "..*****.", ".......*"]
    assert after.cooperative == [True]
    assert after.rewards == [0]


def test_agents_stop_a_lane_and_waste_below_them_is_removed() -> None:
    game = RIVER_5_BY_8
    state = state_of(game.grid_map, "........", "........", "H..^...<", "........", "........")
    below, behind = 3 * 10 + 4, 3 * 10 + 1  # under the upright agent; beyond it
    state.waste[0, below] = 1
    rewards, cooperative = np.empty((1, 2), np.float32), np.empty((1, 2), bool)
    game.advance(state, np.array([[STAY, CLEAN]]), rewards, cooperative)
    assert state.waste[0, [below, behind]].tolist() == [0, 1]
    assert beam_rows(state, 8)[2] == "...****."
    assert cooperative.tolist() == [[False, True]]


def test_a_second_beam_passes_where_the_first_has_cleaned() -> None:
    rows = ["........", ".......<", "..HHH...", ".......<", "........"]
    for seed in range(10):
        after = played(RIVER_5_BY_8, rows, [CLEAN, CLEAN], seed)
        assert after.rows[2] == "..H....."
        assert after.cooperative == [True, True]


def test_the_state_tells_how_much_waste_each_removed_in_the_last_step() -> None:
    rows = ["........", ".......<", "..HHH...", "....H..<", "........"]
    totals = set()
    for seed in range(10):
        after = played(RIVER_5_BY_8, rows, [CLEAN, CLEAN], seed)
        removed = after.state.removed[0].tolist()
        totals.add(sum(removed))
        assert [count > 0 for count in removed] == after.cooperative
    assert totals == {sum(row.count("H") for row in rows) - 1}
    assert played(RIVER_5_BY_8, rows, [STAY, STAY]).state.removed.tolist() == [[0, 0]]


def test_nobody_cleans_past_another_agent() -> None:
    rows = ["........", "........", "HH....v<", "........", "........"]
    after = played(RIVER_5_BY_8, rows, [STAY, CLEAN])
    assert (after.rows, after.cooperative) == (rows, [False, False])


def test_the_order_of_beams_is_random() -> None:
    # only one waste in the middle, within reach of both
    rows = ["........", ".......<", "....H...", ".......<", "........"]
    winners = [
        played(RIVER_5_BY_8, rows, [CLEAN, CLEAN], seed).cooperative.index(True)
        for seed in range(400)
    ]
    assert abs(sum(winners) - 200) < 4 * 10  # σ = √(400/4)


def test_agents_walk_on_waste_and_eating_comes_before_cleaning() -> None:
    game = still_cleanup("HHBP")
    after = played(game, ["HHA<"], [UP])
    assert (after.rows, after.rewards) == (["HH<."], [1.0])
    assert played(game, ["H<.."], [UP]).rows == ["<..."]  # it stands on waste
    assert played(game, ["H<.."], [UP]).state.waste.sum() == 1


def growing(drawing: tuple[str, ...], **constants: Any) -> CleanupGame:
    return CleanupGame(name="growing", grid_map=parse_map(walled(*drawing)), **constants)


def test_nothing_spawns_from_the_depletion_density_on() -> None:
    game = growing(("RRRRRRRRRR", "BBBBBBBBB "), most_apples=1.0, waste_chance=1.0)
    frozen = played(game, ["HHHH......", ".........^"], [STAY])  # d = 0.4
    assert frozen.rows == ["HHHH......", ".........^"]
    live = played(game, ["HHH.......", ".........^"], [STAY])  # d = 0.3
    assert live.rows[0].count("H") == 4


def test_the_density_that_counts_is_the_one_after_cleaning() -> None:
    game = growing(("RRRRRRRRRR", "BBBBBBBBB "), most_apples=1.0, waste_chance=1.0)
    state = state_of(game.grid_map, ".....HHHH.", ".........<", copies=2000)
    rewards, cooperative = np.empty((2000, 1), np.float32), np.empty((2000, 1), bool)
    game.advance(state, np.full((2000, 1), CLEAN), rewards, cooperative)
    # the lane in the river removes one waste of four, so d = 0.3; then one appears
    assert cooperative.all()
    assert (state.waste.sum(axis=1) == 4).all()
    # 9 orchard cells, each with the chance 1 - 0.3/0.4 = 0.25: 2.25 apples a copy
    assert abs(state.apples.sum() / 2000 - 2.25) < 4 * np.sqrt(9 * 0.25 * 0.75 / 2000)


def test_a_clean_river_gives_the_full_chance_and_agents_keep_apples_away() -> None:
    game = growing(("RRRRR", "BBBBB"), most_apples=1.0, waste_chance=0.0)
    assert played(game, [".....", "..^.."], [STAY]).rows == [".....", "AA^AA"]


def test_at_most_one_waste_appears_per_step_and_under_agents_too() -> None:
    game = growing(("RRRRR", "RRRRR"), depletion=2.0)
    state = state_of(game.grid_map, "^....", ".....", copies=500)
    rewards, cooperative = np.empty((500, 1), np.float32), np.empty((500, 1), bool)
    lying = before = np.zeros(500, int)
    for _ in range(60):
        game.advance(state, np.full((500, 1), STAY), rewards, cooperative)
        lying = state.waste.sum(axis=1).astype(int)
        assert set((lying - before).tolist()) <= {0, 1}
        before = lying
    assert (lying == 10).all()


@pytest.mark.parametrize(("clean", "chance"), [(1, 0.5), (2, 0.75), (3, 0.875)])
def test_waste_fails_to_appear_only_if_every_clean_cell_declines(clean, chance) -> None:
    game = growing(("RRR ",), depletion=2.0)
    rows = "H" * (3 - clean) + "." * clean + "^"
    state = state_of(game.grid_map, rows, copies=4000)
    rewards, cooperative = np.empty((4000, 1), np.float32), np.empty((4000, 1), bool)
    game.advance(state, np.full((4000, 1), STAY), rewards, cooperative)
    new = state.waste.sum(axis=1) - (3 - clean)
    assert abs(new.mean() - chance) < 4 * np.sqrt(chance * (1 - chance) / 4000)
    where = state.waste[:, [7, 8, 9]][:, 3 - clean :].sum(axis=0)  # alike for every clean cell
    assert (abs(where - new.sum() / clean) < 4 * np.sqrt(new.sum())).all()


def test_constants_are_the_published_ones() -> None:
    assert (CLEANUP.most_apples, CLEANUP.depletion, CLEANUP.waste_chance) == (0.05, 0.4, 0.5)
    assert (CLEANUP.beam_length, CLEANUP.horizon, len(CLEANUP.actions)) == (5, 100, 8)


def test_episodes_begin_with_waste_on_its_cells_no_apples_and_agents_on_distinct_spawn_cells() -> (
    None
):
    state = blank_state(CLEANUP.grid_map, num_envs=300, num_agents=5, seed=0)
    CLEANUP.restart(state)
    assert (state.waste == CLEANUP.grid_map.waste).all()
    assert not state.apples.any()
    assert (np.sort(state.cells, axis=1) == np.sort(CLEANUP.grid_map.spawn_cells)).all()
    assert set(state.facings.ravel().tolist()) == {0, 1, 2, 3}
    first = state.cells[:, 0]
    counts = [(first == cell).sum() for cell in CLEANUP.grid_map.spawn_cells]
    assert all(abs(count - 60) < 4 * 6.9 for count in counts)  # σ = √(300·4/25)


def test_more_agents_than_spawn_cells_start_on_bare_ground() -> None:
    state = blank_state(CLEANUP.grid_map, num_envs=50, num_agents=10, seed=0)
    CLEANUP.restart(state)
    spawn, ground = CLEANUP.grid_map.spawn_cells, CLEANUP.grid_map.ground_cells
    for cells in state.cells:
        assert len(set(cells.tolist())) == 10
        assert np.isin(cells, spawn).sum() == 5
        assert np.isin(cells, ground).sum() == 5
    assert {np.isin(cells[0], spawn).item() for cells in state.cells} == {True, False}


def test_small_cleanup_walks_as_on_the_map_and_cleans_leftwards() -> None:
    before = [".......", ".......", "...<...", ".......", "......."]
    game = dataclasses.replace(SMALL_CLEANUP, most_apples=0.0, waste_chance=0.0)
    left, right, up, down, stay, clean = game.actions
    assert played(game, before, [left]).rows[2] == "..<...."
    assert played(game, before, [right]).rows[2] == "....<.."
    assert played(game, before, [up]).rows[1] == "...<..."
    assert played(game, before, [down]).rows[3] == "...<..."
    assert played(game, before, [stay]).rows == before
    dirty = ["HH.....", "HH.....", "HH.<...", "HH.....", "HH....."]
    cleaned = ["HH.....", "H......", "H..<...", "H......", "HH....."]
    assert played(game, dirty, [clean]).rows == cleaned
