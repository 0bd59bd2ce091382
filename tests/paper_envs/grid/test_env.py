import dataclasses

import numpy as np
import pytest
import torch
from pettingzoo.test import parallel_api_test, parallel_seed_test

from paper_envs.grid.env import CleanupEnv, GridEnv, HarvestEnv, SmallCleanupEnv, SmallHarvestEnv
from paper_envs.grid.maps import parse_map
from paper_envs.grid.observe import observation_size, observations_of
from paper_envs.tasks import TASKS, make_env
from ss_core.adapters.pettingzoo import ParallelFromVector
from ss_core.env import Step
from ss_core.errors import ConfigError
from tests.support.grid_drawings import state_of, walled

CLASSES = (CleanupEnv, HarvestEnv, SmallCleanupEnv, SmallHarvestEnv)
every_env = pytest.mark.parametrize("make", CLASSES)


def random_actions(env: GridEnv, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (env.spec.num_envs, env.spec.num_agents)
    return torch.randint(env.spec.num_actions, shape, generator=generator)


def play(env: GridEnv, num_steps: int, seed: int = 0) -> list[Step]:
    return [env.reset(seed), *(env.step(random_actions(env, t)) for t in range(num_steps))]


def test_a_row_shows_apples_waste_everyone_from_oneself_on_and_their_facings() -> None:
    grid_map = parse_map(walled("HBB", "RBB"))
    state = state_of(grid_map, "HA^", ".>.")
    rows = observations_of(grid_map, state, has_waste=True)
    apples, waste = [0, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0]
    first, second = [0, 0, 1, 0, 0, 0], [0, 0, 0, 0, 1, 0]  # places of the agents
    up, right = [1, 0, 0, 0], [0, 1, 0, 0]
    assert rows[0, 0].tolist() == apples + waste + first + second + up + right
    assert rows[0, 1].tolist() == apples + waste + second + first + right + up
    without = observations_of(grid_map, state, has_waste=False)
    assert without[0, 0].tolist() == apples + first + second + up + right


@pytest.mark.parametrize(
    ("make", "num_agents", "size"),
    [
        (CleanupEnv, 4, 9 * 16 * 6 + 16),
        (HarvestEnv, 4, 5 * 36 * 5 + 16),
        (SmallCleanupEnv, 3, 5 * 7 * 5 + 12),
        (SmallHarvestEnv, 3, 5 * 7 * 4 + 12),
    ],
)
def test_sizes_follow_from_the_map_and_the_number_of_agents(make, num_agents, size) -> None:
    spec = make(2).spec
    assert (spec.num_agents, spec.observation_size) == (num_agents, size)
    assert make(2, num_agents=2).spec.observation_size < size
    game = make(1).game
    assert size == observation_size(game.grid_map, has_waste=game.has_waste, num_agents=num_agents)


def assert_row_tells_the_board(env: GridEnv, rows: np.ndarray, e: int, i: int) -> None:
    board, n = env.board(e), env.spec.num_agents
    inside = (env.game.grid_map.num_rows - 2, env.game.grid_map.num_cols - 2)
    size = inside[0] * inside[1]
    layers = [board.apples, board.waste] if env.game.has_waste else [board.apples]
    planes = rows[e, i, : -4 * n].reshape(len(layers) + n, *inside)
    assert planes.size == size * (len(layers) + n)
    for k, layer in enumerate(layers):
        assert np.array_equal(planes[k] == 1, layer[1:-1, 1:-1])
    facings = rows[e, i, -4 * n :].reshape(n, 4)
    for k in range(n):
        other = (i + k) % n
        place = (board.agent_rows[other] - 1, board.agent_cols[other] - 1)
        assert planes[len(layers) + k].sum() == planes[len(layers) + k][place] == 1
        assert facings[k].tolist() == np.eye(4)[board.facings[other]].tolist()


@every_env
def test_every_row_tells_the_whole_board(make) -> None:
    env = make(3)
    step = env.reset(0)
    for t in range(12):
        for e in range(3):
            for i in range(env.spec.num_agents):
                assert_row_tells_the_board(env, step.observations.numpy(), e, i)
        step = env.step(random_actions(env, t))


@every_env
def test_the_last_step_is_terminal_and_a_new_episode_follows(make) -> None:
    env = make(2)
    assert isinstance(env, GridEnv)
    steps = play(env, env.spec.horizon + 3)
    ended = [t for t, step in enumerate(steps) if step.terminated.all()]
    assert ended == [env.spec.horizon]
    assert not any(step.truncated.any() for step in steps)
    last = steps[env.spec.horizon]
    assert not torch.equal(last.observations, last.next_observations)
    assert torch.equal(steps[3].observations, steps[3].next_observations)


@pytest.mark.parametrize("make", [CleanupEnv, HarvestEnv, SmallHarvestEnv])
def test_a_new_episode_begins_with_the_apples_and_the_waste_of_the_map(make) -> None:
    env = make(2)
    steps = play(env, env.spec.horizon)
    shared = env.game.grid_map.interior * (1 + env.game.has_waste)
    first, again = (steps[t].observations[..., :shared] for t in (0, -1))
    assert torch.equal(first, again)
    assert not torch.equal(steps[-1].next_observations[..., :shared], first)


@every_env
def test_after_a_reset_nobody_has_earned_or_cooperated(make) -> None:
    step = make(2).reset(0)
    assert not step.rewards.any()
    assert step.cooperative is not None
    assert not step.cooperative.any()
    assert not step.terminated.any()


@every_env
def test_the_same_seed_gives_the_same_episodes_and_another_one_others(make) -> None:
    first, second = make(3), make(3)
    count = first.spec.horizon + 10
    for a, b in zip(play(first, count, seed=5), play(second, count, seed=5), strict=True):
        for field in dataclasses.fields(Step):
            x, y = getattr(a, field.name), getattr(b, field.name)
            assert x is y is None or torch.equal(x, y), field.name
    assert not torch.equal(first.reset(5).observations, first.reset(6).observations)


@every_env
def test_a_copy_depends_on_the_seed_and_its_own_number_alone(make) -> None:
    few, many = make(2), make(5)
    few.reset(3)
    many.reset(3)
    for t in range(20):
        actions = random_actions(many, t)
        a, b = few.step(actions[:2]), many.step(actions)
        assert torch.equal(a.observations, b.observations[:2])
        assert torch.equal(a.rewards, b.rewards[:2])


@every_env
def test_tensors_are_never_overwritten(make) -> None:
    env = make(2)
    steps = play(env, 5)
    kept = [{f.name: getattr(s, f.name) for f in dataclasses.fields(Step)} for s in steps]
    copies = [{k: v.clone() for k, v in row.items() if v is not None} for row in kept]
    for t in range(env.spec.horizon):
        env.step(random_actions(env, 50 + t))
    for row, copy in zip(kept, copies, strict=True):
        assert all(torch.equal(row[name], copy[name]) for name in copy)


@every_env
@pytest.mark.parametrize("wrong", [-1, 99])
def test_an_action_that_does_not_exist_is_refused_and_changes_nothing(make, wrong) -> None:
    env = make(2)
    before = env.reset(0)
    actions = torch.zeros(2, env.spec.num_agents, dtype=torch.long)
    actions[1, 1] = wrong
    with pytest.raises(ConfigError, match=rf"{env.game.name}: actions from .*{wrong}"):
        env.step(actions)
    again = make(2)
    again.reset(0)
    right = torch.zeros_like(actions)
    assert torch.equal(env.step(right).observations, again.step(right).observations)
    assert before.observations.shape == (2, env.spec.num_agents, env.spec.observation_size)


def test_sizes_that_make_no_sense_are_refused() -> None:
    for num_envs, num_agents in ((0, 2), (1, 0), (1, 1000)):
        with pytest.raises(ConfigError, match="num_envs"):
            CleanupEnv(num_envs, num_agents=num_agents)


@every_env
def test_petting_zoo_accepts_it(make) -> None:
    parallel_api_test(ParallelFromVector(make(1), "grid"), num_cycles=120)
    parallel_seed_test(lambda: ParallelFromVector(make(1), "grid"), num_cycles=20)


@pytest.mark.parametrize("name", ["cleanup", "cleanup-small", "harvest", "harvest-small"])
def test_tasks_tell_the_truth_about_the_environments(name) -> None:
    task = TASKS[name]
    for count in {task.num_agents, *task.agent_counts}:
        env = make_env(name, 1, num_agents=count)
        assert (env.spec.horizon, env.spec.num_agents) == (task.horizon, count)
        assert env.reset(0).cooperative is not None


@pytest.mark.parametrize("name", ["cleanup", "harvest"])
def test_as_many_agents_may_play_as_the_map_has_room_for(name) -> None:
    most = TASKS[name].agent_counts[1]
    assert most >= 16
    env = make_env(name, 1, num_agents=most)
    assert isinstance(env, GridEnv)
    game_map = env.game.grid_map
    assert most == len(game_map.spawn_cells) + len(game_map.ground_cells)
    env.reset(0)
    assert len(set(env.state.cells[0].tolist())) == most
    with pytest.raises(ConfigError, match=f"with {most + 1} agents"):
        make_env(name, 1, num_agents=most + 1)


def test_a_board_is_a_copy_that_tells_walls_water_and_beams() -> None:
    env = CleanupEnv(1)
    env.reset(0)
    turned = torch.full((1, 4), 5)
    board = env.board()
    env.step(turned)
    assert not np.array_equal(board.facings, env.board().facings)
    assert (board.walls.shape, int(board.river.sum()), int(board.stream.sum())) == (
        (11, 18),
        48,
        12,
    )
    assert not board.beams.any()
    env.step(torch.full((1, 4), 7))
    assert env.board().beams.any()
    env.step(turned)
    assert not env.board().beams.any()


def test_a_board_tells_the_beams_of_the_step_that_ended_an_episode() -> None:
    env = CleanupEnv(1)
    env.reset(0)
    cleaning = torch.full((1, 4), 7)
    steps = [env.step(cleaning) for _ in range(env.spec.horizon)]
    assert bool(steps[-1].terminated)
    board, cooperative = env.board(), steps[-1].cooperative
    assert board.beams.any()
    assert cooperative is not None
    assert (board.removed > 0).tolist() == cooperative[0].tolist()
    env.reset(0)
    assert not env.board().beams.any()
    assert not env.board().removed.any()


def test_tensors_come_on_the_device_asked_for() -> None:
    step = HarvestEnv(2, device="meta").reset(0)
    tensors = [getattr(step, field.name) for field in dataclasses.fields(Step)]
    assert {x.device.type for x in tensors if x is not None} == {"meta"}
