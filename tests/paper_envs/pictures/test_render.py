"""Pictures: what is drawn where, what an episode is made of, and that files are repeatable."""

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from paper_envs.grid.env import HarvestEnv
from paper_envs.pictures.canvas import (
    SUGGESTION,
    Canvas,
    agent_colour,
    contact_sheet,
    gif_bytes,
    png_bytes,
)
from paper_envs.pictures.episode import play
from paper_envs.pictures.frame import (
    GridScene,
    LineScene,
    Moment,
    SquareScene,
    action_names,
    scene_of,
)
from paper_envs.pictures.grid import BEAM, WALL
from paper_envs.pictures.line import AWAY, TOWARDS
from paper_envs.pictures.render import render
from paper_envs.pictures.symbols import APPLE, WASTE
from paper_envs.tasks import TASKS, make_env
from ss_core.algorithms.build import build_learner
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from tests.support.probe_envs import mutual_help

NEAR = 40  # a colour counts as seen if each channel is within so much: edges are smoothed


def seen(picture: Image.Image, colour: str) -> int:
    """How many pixels have the colour."""
    wanted = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)])
    return int((np.abs(np.asarray(picture).astype(int) - wanted).max(axis=2) <= NEAR).sum())


def moments_of(name: str, *, algorithm: str = "ss", agents: int | None = None) -> list[Moment]:
    env = make_env(name, 1, num_agents=agents)
    config = LearnerConfig(algorithm=algorithm, architecture="multihead", hidden=(8,))  # type: ignore[arg-type]
    return play(env, name, build_learner(config, env.spec, 0), seed=4)


def line_moment(suggested: list[list[float]] | None, *, prey: float = 20.0) -> Moment:
    """Two predators at 10 and 15; the first goes right, the second left."""
    pairs = None
    if suggested is not None:
        pairs = np.full((2, 2, 2), np.nan)
        pairs[1, 0], pairs[0, 1] = suggested
    return Moment(
        task="predation",
        step=2,
        horizon=30,
        scene=LineScene(length=30.0, step_length=1.0, prey=prey, positions=np.array([10.0, 15.0])),
        action_names=("left", "right"),
        actions=np.array([1, 0]),
        own=np.array([[0.2, 0.8], [0.7, 0.3]]),
        suggestions=pairs,
        returns=np.array([-8.0, 0.0]),
    )


@pytest.mark.parametrize("name", TASKS)
def test_every_step_of_every_task_is_one_picture_of_one_size(name: str) -> None:
    moments = moments_of(name)
    assert [moment.step for moment in moments] == list(range(TASKS[name].horizon))
    pictures = [render(moment) for moment in moments[:: TASKS[name].horizon // 3]]
    assert len({picture.size for picture in pictures}) == 1
    agents = [agent_colour(n) for n in range(TASKS[name].num_agents)]
    assert all(seen(picture, colour) > 50 for picture in pictures for colour in agents)
    assert all(seen(picture, SUGGESTION) > 50 for picture in pictures)


def test_returns_add_up_along_an_episode() -> None:
    moments = moments_of("navigation")
    scene = moments[0].scene
    assert isinstance(scene, SquareScene)
    after = moments[1].scene
    assert isinstance(after, SquareScene)
    steps = np.abs(after.places - after.landmarks).sum(axis=1)
    together = [sum((after.places == place).all(axis=1)) > 1 for place in after.places]
    assert moments[0].returns.tolist() == (-steps - np.array(together)).tolist()
    assert (moments[1].returns <= moments[0].returns).all()


def test_policies_and_suggestions_are_distributions() -> None:
    for moment in moments_of("navigation")[:5]:
        assert moment.suggested is not None
        assert moment.own.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)
        assert moment.suggested.sum(axis=1) == pytest.approx(np.ones(3), abs=1e-5)


def test_the_same_seed_is_the_same_episode() -> None:
    first, again = moments_of("predation"), moments_of("predation")
    for one, other in zip(first, again, strict=True):
        assert one.actions.tolist() == other.actions.tolist()
        assert png_bytes(render(one)) == png_bytes(render(other))


def test_who_exchanges_nothing_is_drawn_without_suggestions() -> None:
    moments = moments_of("predation", algorithm="independent")
    assert moments[0].suggested is None
    assert seen(render(moments[0]), SUGGESTION) == 0


def test_a_mean_suggestion_is_received_only_from_those_near() -> None:
    env = make_env("predation", 1, num_agents=3)
    config = LearnerConfig(architecture="multihead", hidden=(8,))
    config = LearnerConfig(
        architecture="multihead",
        hidden=(8,),
        exchange=type(config.exchange)(protocol="graph"),
    )
    moments = play(env, "predation", build_learner(config, env.spec, 0), seed=1)
    for moment in moments:
        assert isinstance(moment.scene, LineScene)
        apart = np.abs(moment.scene.positions[:, None] - moment.scene.positions)
        alone = (apart <= 3.0).sum(axis=1) == 1
        assert moment.suggested is not None
        assert np.isnan(moment.suggested).any(axis=1).tolist() == alone.tolist()
        render(moment)


def test_a_needle_is_as_long_as_the_suggestion_is_sure() -> None:
    sure, half, unsure = (
        seen(render(line_moment([[1 - p, p], [0.5, 0.5]])), SUGGESTION) for p in (1.0, 0.75, 0.5)
    )
    assert sure > half > unsure


def test_going_towards_the_prey_is_green_and_away_is_red() -> None:
    # prey at 20: the first (10, right) approaches, the second (15, left) does not; prey at 12: both
    one, both = (render(line_moment(None, prey=prey)) for prey in (20.0, 12.0))
    assert seen(both, TOWARDS) > seen(one, TOWARDS)
    assert seen(both, AWAY) < seen(one, AWAY)


def test_a_board_shows_what_lies_on_it() -> None:
    moment = next(one for one in moments_of("cleanup-small") if one.scene.beams.any())  # type: ignore[union-attr]
    scene = moment.scene
    assert isinstance(scene, GridScene)
    board = scene.board
    picture = render(moment)
    columns = board.walls.shape[1]
    cell = 38
    assert picture.size[0] > columns * cell
    assert seen(picture, WALL) > 0.9 * board.walls.sum() * cell**2
    assert (seen(picture, WASTE) > 300) == bool(board.waste.any())
    assert (seen(picture, APPLE) > 250) == bool(board.apples.any())
    assert seen(picture, BEAM) > 300


def test_actions_are_named_by_what_they_do() -> None:
    assert action_names(make_env("cleanup", 1)) == (
        *("left", "right", "ahead", "back"),
        *("stay", "cw", "ccw", "clean"),
    )
    assert action_names(make_env("cleanup-small", 1)) == (
        *("left", "right", "up", "down"),
        *("stay", "clean"),
    )
    assert action_names(make_env("harvest-small", 1)) == ("left", "right", "up", "down", "stay")


class MapFrameEnv(HarvestEnv):
    """Harvest whose actions are numbered in another way, as an environment may have them."""

    @property
    def action_names(self) -> tuple[str, ...]:
        return ("up", "right", "down", "left", "stay", "cw", "ccw")


def test_pictures_name_actions_as_the_environment_does() -> None:
    env = MapFrameEnv(1, num_agents=2)
    assert action_names(env) == env.action_names
    config = LearnerConfig(architecture="multihead", hidden=(8,))
    moments = play(env, "harvest", build_learner(config, env.spec, 0), seed=4)
    renamed = replace(moments[0], action_names=HarvestEnv(1).action_names)
    assert moments[0].action_names == env.action_names
    assert png_bytes(render(moments[0])) != png_bytes(render(renamed))


def test_names_of_moves_are_where_they_lead() -> None:
    moves = {"left": (0, -1), "right": (0, 1), "up": (-1, 0), "down": (1, 0), "stay": (0, 0)}
    for name in ("cleanup-small", "harvest-small"):
        env = make_env(name, 1, num_agents=1)
        for action, word in enumerate(action_names(env)):
            if word not in moves:
                continue
            env.reset(0)
            before = board_place(env)
            env.step(torch.tensor([[action]]))
            moved = tuple(np.subtract(board_place(env), before))
            walls = scene_of(env).board.walls  # type: ignore[union-attr]
            blocked = walls[tuple(np.add(before, moves[word]))]
            assert moved == ((0, 0) if blocked else moves[word])


def board_place(env: object) -> tuple[int, int]:
    board = env.board(0)  # type: ignore[attr-defined]
    return int(board.agent_rows[0]), int(board.agent_cols[0])


def test_other_environments_cannot_be_drawn() -> None:
    with pytest.raises(ConfigError, match="only the tasks of the paper"):
        scene_of(mutual_help())


def test_a_gif_has_every_frame_its_pace_and_the_same_bytes() -> None:
    frames = [render(line_moment([[0.1 * k, 1 - 0.1 * k], [0.5, 0.5]])) for k in range(5)]
    data = gif_bytes(frames, fps=4.0)
    assert data == gif_bytes(frames, fps=4.0)
    with Image.open(io.BytesIO(data)) as picture:
        assert picture.n_frames == 5  # type: ignore[attr-defined]
        assert (picture.info["duration"], picture.info["loop"]) == (250, 0)
        assert picture.size == frames[0].size


def test_a_sheet_holds_its_frames_row_by_row() -> None:
    frames = [Canvas(30, 20, colour).finished() for colour in ("#ff0000", "#00ff00", "#0000ff")]
    sheet = contact_sheet(frames, columns=2)
    assert sheet.size == (30 + 12 + 30, 20 + 12 + 20)
    assert sheet.getpixel((15, 10)) == (255, 0, 0)
    assert sheet.getpixel((57, 10)) == (0, 255, 0)
    assert sheet.getpixel((15, 42)) == (0, 0, 255)
