"""What is to be seen at one step of an episode: the scene, and what the agents do and are told."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from paper_envs.grid.state import Board


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
