"""Sparse egocentric rows: what they list, from where, and that nothing is lost or out of range."""

from collections.abc import Callable

import pytest
import torch

from paper_envs.grid.cleanup import CLEANUP, SMALL_CLEANUP
from paper_envs.grid.egocentric import TIMES, egocentric_rows
from paper_envs.grid.env import CleanupEnv, GridEnv, HarvestEnv, SmallCleanupEnv, SmallHarvestEnv
from paper_envs.grid.maps import parse_map
from ss_core.errors import ConfigError
from tests.support.grid_drawings import state_of, walled

MAKERS: list[Callable[..., GridEnv]] = [
    CleanupEnv,
    HarvestEnv,
    SmallCleanupEnv,
    SmallHarvestEnv,
]
COLS = 10
ROOM = parse_map(walled(*["A" * COLS] * 4))  # apples may lie everywhere


def features(*drawing: str, agent: int = 0, t: int = 0) -> set[int]:
    """What a row lists of a drawing of the room; agents are numbered as they are read."""
    state = state_of(ROOM, *(line.ljust(COLS) for line in drawing))
    agents = state.cells.shape[1]
    rows = egocentric_rows(ROOM, num_agents=agents, has_waste=False, horizon=100)
    row = rows.rows_of(state, t)[0, agent]
    listed = row[row >= 0].tolist()
    assert len(set(listed)) == len(listed)
    return set(listed)


@pytest.mark.parametrize("make", MAKERS)
def test_rows_of_played_games_are_packed_within_their_sizes(
    make: Callable[..., GridEnv],
) -> None:
    env = make(8, num_agents=3, encoding="egocentric")
    spec, step = env.spec, env.reset(1)
    draw = torch.Generator().manual_seed(0)
    for _ in range(spec.horizon):
        rows = step.observations
        assert rows.dtype == torch.int16
        assert rows.shape == (8, 3, spec.observation_size)
        count = (rows >= 0).sum(dim=-1)
        front = torch.arange(spec.observation_size) < count.unsqueeze(-1)
        assert torch.equal(rows >= 0, front)  # no gap: every feature has a number
        assert int(rows.max()) < spec.num_features
        actions = torch.randint(0, spec.num_actions, (8, 3), generator=draw)
        step = env.step(actions)


def test_what_lies_as_far_off_has_the_same_number_from_everywhere() -> None:
    here = features("A^", "", "", "") - features(" ^", "", "", "")
    there = features("", "", "", "     A^") - features("", "", "", "      ^")
    assert len(here) == 2  # the apple, and that none lie around it
    assert here == there
    beside = features("^A", "", "", "") - features("^", "", "", "")
    assert len(beside) == 2
    assert not here & beside


def test_apples_nearby_tell_how_many_lie_around_them() -> None:
    alone = features("^ A", "", "", "")
    crowded = features("^ AA", "  AA", "", "")
    in_a_row = features("^ AA", "", "", "")
    assert len(in_a_row - alone) == 1 + 2 + 1  # one more apple, one around each, two in all
    assert len(crowded - in_a_row) == 2 + 4 + 1  # two more, three around each of four, four in all


def test_others_are_told_without_and_with_their_names() -> None:
    first = features("^^", "  ^", "", "", agent=2)
    last = features("^", "  ^", "^", "", agent=1)
    nobody = features("", "  ^", "", "")
    assert len(first) == len(last) == len(nobody) + 2 * 2
    assert len(first & last) == len(nobody) + 2  # who stands at the upper left, by name, too


def test_the_time_has_a_number_for_each_twentieth() -> None:
    seen = [frozenset(features("^", "", "", "", t=t)) for t in range(101)]
    assert len(set(seen)) == TIMES
    assert seen[99] == seen[100]


def test_successors_are_seen_at_their_own_time_and_fresh_starts_at_none() -> None:
    env = HarvestEnv(1, num_agents=1, encoding="egocentric")
    rows = egocentric_rows(env.game.grid_map, num_agents=1, has_waste=False, horizon=100)
    times = rows.numbers[rows.firsts[7] : rows.firsts[8]].tolist()

    def time(seen: torch.Tensor) -> int:
        (number,) = set(seen[0, 0].tolist()) & set(times)
        return times.index(number)

    step = env.reset(0)
    assert time(step.observations) == 0
    for t in range(1, 101):
        step = env.step(torch.tensor([[4]]))
        assert time(step.next_observations) == min(t // 5, TIMES - 1)
    assert bool(step.terminated.all())
    assert time(step.observations) == 0


def test_a_row_says_how_much_lies_about_in_twos() -> None:
    env = CleanupEnv(1, num_agents=1, encoding="egocentric")
    env.reset(3)
    grid_map = env.game.grid_map
    rows = egocentric_rows(grid_map, num_agents=1, has_waste=True, horizon=100)
    for lying in (0, 1, 2, 7):
        env.state.waste[:] = 0
        env.state.waste[0, grid_map.river_cells[:lying]] = 1
        seen = set(rows.rows_of(env.state, 0)[0, 0].tolist())
        counts = rows.numbers[rows.firsts[9] : rows.firsts[10]].tolist()
        assert [counts.index(number) for number in seen & set(counts)] == [lying // 2]


def test_facing_turns_what_waste_is_numbered() -> None:
    rows = egocentric_rows(CLEANUP.grid_map, num_agents=1, has_waste=True, horizon=100)
    env = CleanupEnv(1, num_agents=1, encoding="egocentric")
    env.reset(3)
    before = rows.rows_of(env.state, 0)[0, 0]
    env.state.facings[0, 0] = (env.state.facings[0, 0] + 1) % 4
    after = rows.rows_of(env.state, 0)[0, 0]
    dirty = int(env.state.waste.sum())
    assert len(set(before.tolist()) - set(after.tolist())) == dirty + 1  # and the facing itself


@pytest.mark.parametrize("facing", range(4))
@pytest.mark.parametrize(("action", "step"), [(0, (-1, 0)), (1, (0, 1)), (2, (1, 0)), (3, (0, -1))])
def test_walks_are_in_the_directions_of_the_map(
    facing: int, action: int, step: tuple[int, int]
) -> None:
    env = HarvestEnv(1, num_agents=1, encoding="egocentric")
    env.reset(0)
    cols = env.game.grid_map.num_cols
    env.state.cells[0, 0], env.state.facings[0, 0] = 3 * cols + 10, facing
    env.step(torch.tensor([[action]]))
    row, col = divmod(int(env.state.cells[0, 0]), cols)
    assert (row - 3, col - 10) == step
    assert int(env.state.facings[0, 0]) == facing


def test_small_variants_keep_their_actions() -> None:
    dense, sparse = SmallCleanupEnv(4), SmallCleanupEnv(4, encoding="egocentric")
    dense.reset(5)
    sparse.reset(5)
    draw = torch.Generator().manual_seed(1)
    for _ in range(SMALL_CLEANUP.horizon):
        actions = torch.randint(0, 6, (4, 3), generator=draw)
        assert torch.equal(dense.step(actions).rewards, sparse.step(actions).rewards)


def test_an_unknown_encoding_is_named() -> None:
    with pytest.raises(ConfigError, match=r"cleanup: encoding='pixels'; it has planes and egoc"):
        CleanupEnv(1, encoding="pixels")


def test_actions_are_named_by_where_they_lead() -> None:
    env = CleanupEnv(1, encoding="egocentric")
    assert env.action_names == ("up", "right", "down", "left", "stay", "cw", "ccw", "clean")
    assert SmallCleanupEnv(1, encoding="egocentric").action_names == SmallCleanupEnv(1).action_names
