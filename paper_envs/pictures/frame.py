"""What is to be seen at one step of an episode: the scene, taken out of a task, and its agents."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from paper_envs.grid.env import GridEnv
from paper_envs.grid.state import Board
from paper_envs.navigation import SIZE, NavigationEnv
from paper_envs.predation import LENGTH, STEP_LENGTH, PredationEnv
from ss_core.env import VectorEnv
from ss_core.errors import ConfigError

RELATIVE = ("left", "right", "ahead", "back", "stay", "cw", "ccw", "clean")  # order of grid.moves
ABSOLUTE = ("up", "right", "down", "left")
QUARTER_TURNS = (3, 1, 0, 2)  # from the facing to the direction of the first four actions


@dataclass(frozen=True, slots=True, kw_only=True)
class LineScene:
    """Cooperative Predation."""

    length: float
    step_length: float
    prey: float
    positions: Float[np.ndarray, " N"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SquareScene:
    """Cooperative Navigation; places are (row, column)."""

    size: int
    places: Int[np.ndarray, "N 2"]
    landmarks: Int[np.ndarray, "N 2"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GridScene:
    """Cleanup or Harvest."""

    board: Board
    orchard: Bool[np.ndarray, "row col"]  # where apples may grow


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One step, before its joint action takes effect."""

    task: str
    step: int  # counted from 0
    horizon: int
    scene: LineScene | SquareScene | GridScene
    action_names: tuple[str, ...]
    actions: Int[np.ndarray, " N"]  # the ones chosen now
    own: Float[np.ndarray, "N A"]  # π^ii
    suggested: Float[np.ndarray, "N A"] | None  # mean of π^ji over who may talk to i; NaN: nobody
    returns: Float[np.ndarray, " N"]  # rewards so far, this step's not included

    @property
    def return_per_agent(self) -> float:
        """Mean of the returns so far."""
        return float(self.returns.mean())


def scene_of(env: VectorEnv, copy: int = 0) -> LineScene | SquareScene | GridScene:
    """What is to be seen in one copy now; all arrays are fresh.

    Raises:
        ConfigError: not a task of the paper.
    """
    if isinstance(env, PredationEnv):
        return LineScene(
            length=LENGTH,
            step_length=STEP_LENGTH,
            prey=float(env.prey[copy]),
            positions=env.positions[copy].double().numpy(force=True).copy(),
        )
    if isinstance(env, NavigationEnv):
        return SquareScene(
            size=SIZE,
            places=env.places[copy].numpy(force=True).copy(),
            landmarks=env.landmarks[copy].numpy(force=True).copy(),
        )
    if isinstance(env, GridEnv):
        board, grid_map = env.board(copy), env.game.grid_map
        orchard = np.zeros(board.walls.size, dtype=np.bool_)
        orchard[grid_map.apple_cells] = True
        return GridScene(board=board, orchard=orchard.reshape(board.walls.shape))
    raise ConfigError(f"{type(env).__name__}: only the tasks of the paper can be drawn")


def action_names(env: VectorEnv) -> tuple[str, ...]:
    """What the actions of a task do, in a word each; directions are the agent's own if it turns."""
    if isinstance(env, PredationEnv):
        return ("left", "right")
    if isinstance(env, NavigationEnv):
        return ("stay", "up", "down", "left", "right")
    if isinstance(env, GridEnv):
        return tuple(_grid_action(action, env.game.fixed_facing) for action in env.game.actions)
    return tuple(str(action) for action in range(env.spec.num_actions))


def _grid_action(action: int, fixed_facing: int) -> str:
    if action < len(QUARTER_TURNS) and fixed_facing >= 0:
        return ABSOLUTE[(fixed_facing + QUARTER_TURNS[action]) % 4]
    return RELATIVE[action]
