"""Harvest: apples grow back only beside other apples, and whoever leaves them earns nothing.

One step: turns and walks, eating, regrowth.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numba import njit

from paper_envs.grid.maps import HARVEST_DRAWING, SMALL_HARVEST_DRAWING, GridMap, parse_map
from paper_envs.grid.moves import DOWN, LEFT, RIGHT, STAY, UP, move_agents, turn_agents
from paper_envs.grid.rules import eat_apples, find_apples_in_reach, place_agents, regrow_apples
from paper_envs.grid.state import GridState


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestGame:
    """Map and constants of one variant."""

    name: str
    grid_map: GridMap
    horizon: int = 100  # steps
    actions: tuple[int, ...] = tuple(range(7))  # what action a of an agent does, as in `moves`
    fixed_facing: int = -1  # 0 up, 1 right, 2 down, 3 left; -1: random at the start
    regrowth: tuple[float, ...] = (0.0, 0.005, 0.02, 0.05)  # chance with 0, 1, 2, ≥3 apples around

    has_waste = False

    def restart(self, state: GridState) -> None:
        """Begin new episodes in every environment of a state."""
        _restart(
            state.cells, state.facings, state.apples, state.streams,
            self.grid_map.apples, self.grid_map.spawn_cells, self.grid_map.ground_cells,
            self.fixed_facing, *self._growing(),
        )  # fmt: skip

    def advance(
        self,
        state: GridState,
        actions: Int64[np.ndarray, "E N"],
        rewards: Float32[np.ndarray, "E N"],
        cooperative: Bool[np.ndarray, "E N"],
    ) -> None:
        """One step of every environment; `rewards` and `cooperative` are filled in.

        Cooperative is who had an apple beside it and ate none in this step.
        """
        _advance(
            state.cells, state.facings, state.apples, state.streams,
            actions, rewards, cooperative, self.grid_map.walls, *self._growing(),
        )  # fmt: skip

    def _growing(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.grid_map.offsets, self.grid_map.apple_cells, np.array(self.regrowth)


HARVEST = HarvestGame(name="harvest", grid_map=parse_map(HARVEST_DRAWING))

SMALL_HARVEST = HarvestGame(
    name="harvest-small",
    grid_map=parse_map(SMALL_HARVEST_DRAWING),
    horizon=100,
    actions=(LEFT, RIGHT, UP, DOWN, STAY),
    fixed_facing=0,
    regrowth=(0.0, 0.02, 0.05, 0.1),
)


@njit(cache=True)
@no_type_check
def _restart(
    cells, facings, apples, streams,
    start_apples, spawn_cells, ground_cells, fixed_facing, offsets, apple_cells, regrowth,
):  # fmt: skip
    grown = np.empty(len(apple_cells), np.int64)
    order = np.empty(cells.shape[1], np.int64)
    for e in range(len(streams)):
        stream = streams[e : e + 1]
        for cell in range(len(start_apples)):
            apples[e, cell] = start_apples[cell]
        place_agents(cells[e], facings[e], spawn_cells, ground_cells, fixed_facing, stream, order)
        regrow_apples(apple_cells, cells[e], regrowth, offsets[2], stream, apples[e], grown)


@njit(cache=True)
@no_type_check
def _advance(
    cells, facings, apples, streams, actions, rewards, cooperative,
    walls, offsets, apple_cells, regrowth,
):  # fmt: skip
    targets = np.empty(cells.shape[1], cells.dtype)
    in_reach = np.empty(cells.shape[1], np.bool_)
    grown = np.empty(len(apple_cells), np.int64)
    for e in range(len(streams)):
        stream = streams[e : e + 1]
        find_apples_in_reach(cells[e], apples[e], offsets, in_reach)
        turn_agents(facings[e], actions[e])
        move_agents(cells[e], facings[e], actions[e], walls, offsets, stream, targets)
        eat_apples(cells[e], apples[e], rewards[e])
        for i in range(len(in_reach)):
            cooperative[e, i] = in_reach[i] and rewards[e, i] == 0.0
        regrow_apples(apple_cells, cells[e], regrowth, offsets[2], stream, apples[e], grown)
