"""What is to be seen of one step of an episode: the scene, its agents, and what they do in it."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int

from paper_envs.grid.env import GridEnv
from paper_envs.grid.state import Board
from paper_envs.navigation import SIZE, NavigationEnv
from paper_envs.predation import LENGTH, STEP_LENGTH, PredationEnv
from ss_core.env import Step, VectorEnv
from ss_core.errors import ConfigError

SMALLEST_CHANGE = 0.01  # of a probability: less is not shown


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
class Deeds:
    """What each agent did on a board, in one step or in several."""

    eaten: Int[np.ndarray, " N"]  # apples
    removed: Int[np.ndarray, " N"]  # waste
    spared: Int[np.ndarray, " N"]  # steps of Harvest in which it left all apples beside it

    def __add__(self, other: "Deeds") -> "Deeds":
        return Deeds(
            eaten=self.eaten + other.eaten,
            removed=self.removed + other.removed,
            spared=self.spared + other.spared,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GridScene:
    """Cleanup or Harvest."""

    board: Board
    beams: Bool[np.ndarray, "row col"]  # of this step
    orchard: Bool[np.ndarray, "row col"]  # where apples may grow
    has_waste: bool
    deeds: Deeds  # of this step
    totals: Deeds  # of the episode so far, this step's included


Scene = LineScene | SquareScene | GridScene


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    """What one agent wants another to do more often."""

    receiver: int
    action: int
    own: float  # probability under the receiver's own policy
    suggested: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """One step: the scene before its joint action takes effect, the action, and what it earns."""

    task: str
    step: int  # counted from 0
    horizon: int
    scene: Scene
    action_names: tuple[str, ...]
    actions: Int[np.ndarray, " N"]  # the ones chosen now
    own: Float[np.ndarray, "N A"]  # π^ii
    suggestions: Float[np.ndarray, "N N A"] | None  # π^ij, (sender, receiver); NaN: sends nothing
    returns: Float[np.ndarray, " N"]  # rewards so far, this step's included

    @property
    def return_per_agent(self) -> float:
        """Mean of the returns so far."""
        return float(self.returns.mean())

    @property
    def suggested(self) -> Float[np.ndarray, "N A"] | None:
        """Mean of what each agent receives; NaN where nobody sends it anything."""
        if self.suggestions is None:
            return None
        sent = ~np.isnan(self.suggestions[..., 0])
        total = np.where(sent[..., None], self.suggestions, 0.0).sum(axis=0)
        count = sent.sum(axis=0)[:, None]
        return np.where(count > 0, total / np.maximum(count, 1), np.nan)

    def strongest(self, sender: int) -> Suggestion | None:
        """Of all that an agent suggests, what exceeds the receiver's own policy most.

        None if it suggests to nobody, or to everybody what they do anyway.
        """
        if self.suggestions is None:
            return None
        more = np.nan_to_num(self.suggestions[sender] - self.own, nan=0.0)
        receiver, action = (int(k) for k in np.unravel_index(int(more.argmax()), more.shape))
        if more[receiver, action] < SMALLEST_CHANGE:
            return None
        return Suggestion(
            receiver=receiver,
            action=action,
            own=float(self.own[receiver, action]),
            suggested=float(self.suggestions[sender, receiver, action]),
        )


def scene_of(env: VectorEnv, copy: int = 0) -> Scene:
    """What is to be seen in one copy now, nothing done yet; all arrays are fresh.

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
        return _grid_scene(env, copy)
    raise ConfigError(f"{type(env).__name__}: only the tasks of the paper can be drawn")


def _grid_scene(env: GridEnv, copy: int) -> GridScene:
    board, grid_map = env.board(copy), env.game.grid_map
    orchard = np.zeros(board.walls.size, dtype=np.bool_)
    orchard[grid_map.apple_cells] = True
    nobody = np.zeros(len(board.agent_rows), dtype=np.int64)
    nothing = Deeds(eaten=nobody, removed=nobody, spared=nobody)
    return GridScene(
        board=board,
        beams=np.zeros_like(board.beams),
        orchard=orchard.reshape(board.walls.shape),
        has_waste=env.game.has_waste,
        deeds=nothing,
        totals=nothing,
    )


def acted(scene: Scene, env: VectorEnv, step: Step, totals: Deeds | None, copy: int = 0) -> Scene:
    """The scene with what was done in `step`, which `env` has just taken from there.

    `totals` are those of the steps before; None at the first.
    """
    if not isinstance(scene, GridScene) or not isinstance(env, GridEnv):
        return scene
    after = env.board(copy)
    rewards = step.rewards[copy].numpy(force=True).astype(np.int64)
    helped = np.zeros_like(rewards)
    if step.cooperative is not None and not scene.has_waste:
        helped = step.cooperative[copy].numpy(force=True).astype(np.int64)
    removed = after.removed if scene.has_waste else np.zeros_like(rewards)
    deeds = Deeds(eaten=rewards, removed=removed, spared=helped)
    return replace(
        scene,
        beams=after.beams & ~after.walls,
        deeds=deeds,
        totals=deeds if totals is None else totals + deeds,
    )


def action_names(env: VectorEnv) -> tuple[str, ...]:
    """What the actions of a task do, in a word each, as the environment itself names them."""
    if isinstance(env, PredationEnv | NavigationEnv | GridEnv):
        return env.action_names
    return tuple(str(action) for action in range(env.spec.num_actions))
