"""Taking a scene out of a task's environment, and what its actions are called."""

import numpy as np

from paper_envs.grid.env import GridEnv
from paper_envs.navigation import SIZE, NavigationEnv
from paper_envs.pictures.moments import GridScene, LineScene, SquareScene
from paper_envs.predation import LENGTH, STEP_LENGTH, PredationEnv
from ss_core.env import VectorEnv
from ss_core.errors import ConfigError

RELATIVE = ("left", "right", "ahead", "back", "stay", "cw", "ccw", "clean")  # order of grid.moves
ABSOLUTE = ("up", "right", "down", "left")
QUARTER_TURNS = (3, 1, 0, 2)  # from the facing to the direction of the first four actions


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
