import numpy as np
import pytest

from paper_envs.grid.harvest import HARVEST, SMALL_HARVEST, HarvestGame
from paper_envs.grid.maps import parse_map
from paper_envs.grid.moves import RIGHT, STAY, TURN_CLOCKWISE, UP
from paper_envs.grid.rules import count_neighbours
from paper_envs.grid.state import blank_state
from tests.support.grid_drawings import played, state_of, walled

NEVER, ALWAYS = (0.0, 0.0, 0.0, 0.0), (0.0, 1.0, 1.0, 1.0)


def orchard(*rows: str, regrowth: tuple[float, ...]) -> HarvestGame:
    return HarvestGame(name="orchard", grid_map=parse_map(walled(*rows)), regrowth=regrowth)


def test_who_steps_on_an_apple_eats_it() -> None:
    game = orchard("AAAA", regrowth=NEVER)
    after = played(game, [">AA<"], [UP, UP])
    assert (after.rows, after.rewards) == ([".><."], [1.0, 1.0])
    again = played(game, [".><."], [UP, UP])
    assert (again.rows, again.rewards) == ([".><."], [0.0, 0.0])


def test_only_the_winner_of_a_cell_eats() -> None:
    game = orchard("AAA", regrowth=NEVER)
    for seed in range(20):
        after = played(game, [">A<"], [UP, UP], seed)
        assert sorted(after.rewards) == [0.0, 1.0]
        assert after.rewards.index(1.0) == after.rows[0].index(".") // 2


def test_cooperative_is_who_had_an_apple_beside_and_ate_none() -> None:
    game = orchard("AAAAA", "AAAAA", regrowth=NEVER)
    actions = [STAY, STAY]
    assert played(game, ["^A...", "....^"], actions).cooperative == [True, False]
    assert played(game, ["^....", "A...^"], actions).cooperative == [True, False]
    assert played(game, ["^....", ".A..^"], actions).cooperative == [False, False]  # diagonal
    assert played(game, ["^A...", "....^"], [RIGHT, STAY]).cooperative == [False, False]
    assert played(game, ["^A...", "....^"], [TURN_CLOCKWISE, STAY]).cooperative == [True, False]
    # it walks to a new apple, but ate none although one lay beside it before
    assert played(game, ["A^.A.", "....^"], [RIGHT, STAY]).cooperative == [True, False]


def test_neighbours_are_the_eight_cells_around() -> None:
    grid_map = parse_map(walled(*["AAAAA"] * 5))
    middle = 3 * 7 + 3
    for cell in range(len(grid_map.walls)):
        apples = np.zeros(len(grid_map.walls), np.uint8)
        apples[cell] = 1
        near = max(abs(cell // 7 - 3), abs(cell % 7 - 3)) == 1
        assert count_neighbours(apples, middle, 7) == near
    assert count_neighbours(grid_map.apples, middle, 7) == 8
    assert count_neighbours(grid_map.apples, 8, 7) == 3  # a corner


def test_regrowth_looks_at_the_board_before_it() -> None:
    game = orchard("AAAAA ", regrowth=ALWAYS)
    assert played(game, ["A....^"], [STAY]).rows == ["AA...^"]
    assert played(game, ["AA...^"], [STAY]).rows == ["AAA..^"]


def test_an_emptied_patch_never_regrows_and_bare_ground_never_bears() -> None:
    game = orchard("AAA   ", regrowth=ALWAYS)
    assert played(game, [".....^"], [STAY]).rows == [".....^"]
    assert played(game, ["AAA..^"], [STAY]).rows == ["AAA..^"]


def test_nothing_grows_under_an_agent() -> None:
    game = orchard("AAA", regrowth=ALWAYS)
    assert played(game, ["A^A"], [STAY]).rows == ["A^A"]
    assert played(game, ["A.<"], [STAY]).rows == ["AA<"]
    # moving comes first: the cell just left may regrow, the one just entered not
    after = played(game, ["A^."], [RIGHT])
    assert after.rows == ["AA^"]


@pytest.mark.parametrize(
    ("rows", "chance"),
    [
        (["A..", "...", "..^"], 0.005),
        (["AA.", "...", "..^"], 0.02),
        (["AAA", "...", "..^"], 0.05),
        (["AAA", "A.A", "AA^"], 0.05),
    ],
)
def test_the_chance_rises_with_the_apples_around(rows, chance) -> None:
    game = orchard("AAA", "AAA", "AAA", regrowth=HARVEST.regrowth)
    copies = 60_000
    state = state_of(game.grid_map, *rows, copies=copies)
    rewards, cooperative = np.empty((copies, 1), np.float32), np.empty((copies, 1), bool)
    game.advance(state, np.full((copies, 1), STAY), rewards, cooperative)
    grown = state.apples[:, 12].mean()  # the cell in the middle
    assert abs(grown - chance) < 4 * np.sqrt(chance * (1 - chance) / copies)


def test_constants_are_the_published_ones() -> None:
    assert HARVEST.regrowth == (0.0, 0.005, 0.02, 0.05)
    assert (HARVEST.horizon, len(HARVEST.actions)) == (100, 7)


def test_episodes_begin_full_with_agents_on_distinct_spawn_cells() -> None:
    state = blank_state(HARVEST.grid_map, num_envs=100, num_agents=4, seed=0)
    HARVEST.restart(state)
    assert (state.apples.sum(axis=1) == 68).all()
    assert (np.sort(state.cells, axis=1) == np.sort(HARVEST.grid_map.spawn_cells)).all()


def test_no_cell_ever_holds_an_apple_and_an_agent_and_every_apple_is_counted() -> None:
    rng = np.random.default_rng(0)
    state = blank_state(HARVEST.grid_map, num_envs=20, num_agents=8, seed=1)
    HARVEST.restart(state)
    rewards, cooperative = np.empty((20, 8), np.float32), np.empty((20, 8), bool)
    for _ in range(100):
        before = state.apples.astype(int)
        HARVEST.advance(state, rng.integers(0, 7, (20, 8)), rewards, cooperative)
        assert not np.take_along_axis(state.apples, state.cells.astype(np.int64), axis=1).any()
        assert not state.apples[:, HARVEST.grid_map.apples == 0].any()
        vanished = ((before == 1) & (state.apples == 0)).sum(axis=1)
        assert np.array_equal(vanished, rewards.sum(axis=1))
        assert not (cooperative & (rewards > 0)).any()


def test_small_harvest_walks_as_on_the_map() -> None:
    before = [".......", ".......", "...^...", ".......", "......."]
    left, right, up, down, stay = SMALL_HARVEST.actions
    assert played(SMALL_HARVEST, before, [left]).rows[2] == "..^...."
    assert played(SMALL_HARVEST, before, [right]).rows[2] == "....^.."
    assert played(SMALL_HARVEST, before, [up]).rows[1] == "...^..."
    assert played(SMALL_HARVEST, before, [down]).rows[3] == "...^..."
    assert played(SMALL_HARVEST, before, [stay]).rows == before
