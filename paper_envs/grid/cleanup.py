"""Cleanup: apples grow while the river is clean, and whoever cleans it earns nothing.

One step: turns and walks, eating, cleaning beams, new apples, new waste.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Int64
from numba import njit

from paper_envs.grid.maps import CLEANUP_DRAWING, SMALL_CLEANUP_DRAWING, GridMap, parse_map
from paper_envs.grid.moves import CLEAN, DOWN, LEFT, RIGHT, STAY, UP, move_agents, turn_agents
from paper_envs.grid.rules import (
    apple_chance,
    eat_apples,
    fire_beams,
    place_agents,
    spawn_apples,
    spawn_waste,
)
from paper_envs.grid.state import GridState


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanupGame:
    """Map and constants of one variant."""

    name: str
    grid_map: GridMap
    horizon: int = 100  # steps
    actions: tuple[int, ...] = tuple(range(8))  # what action a of an agent does, as in `moves`
    fixed_facing: int = -1  # 0 up, 1 right, 2 down, 3 left; -1: random at the start
    most_apples: float = 0.05  # chance per step of an apple on a free orchard cell, river clean
    depletion: float = 0.4  # share of the river that is waste from which on nothing spawns
    waste_chance: float = 0.5  # with which each clean river cell is accepted as the new waste
    beam_length: int = 5  # cells

    has_waste = True

    def restart(self, state: GridState) -> None:
        """Begin new episodes in every environment of a state."""
        _restart(
            state.cells, state.facings, state.apples, state.waste, state.streams,
            self.grid_map.waste, self.grid_map.spawn_cells, self.grid_map.ground_cells,
            self.fixed_facing, *self._spawning(),
        )  # fmt: skip

    def advance(
        self,
        state: GridState,
        actions: Int64[np.ndarray, "E N"],
        rewards: Float32[np.ndarray, "E N"],
        cooperative: Bool[np.ndarray, "E N"],
    ) -> None:
        """One step of every environment; `rewards` and `cooperative` are filled in.

        Cooperative is who removed waste in this step.
        """
        _advance(
            state.cells, state.facings, state.apples, state.waste, state.beams, state.removed,
            state.streams, actions, rewards, cooperative, self.grid_map.walls,
            self.grid_map.offsets, self.beam_length, *self._spawning(),
        )  # fmt: skip

    def _spawning(self) -> tuple[np.ndarray, np.ndarray, float, float, float]:
        return (
            self.grid_map.apple_cells,
            self.grid_map.river_cells,
            self.most_apples,
            self.depletion,
            self.waste_chance,
        )


CLEANUP = CleanupGame(name="cleanup", grid_map=parse_map(CLEANUP_DRAWING))

SMALL_CLEANUP = CleanupGame(
    name="cleanup-small",
    grid_map=parse_map(SMALL_CLEANUP_DRAWING),
    horizon=50,
    actions=(UP, DOWN, RIGHT, LEFT, STAY, CLEAN),  # left, right, up, down of one who faces left
    fixed_facing=3,
    most_apples=0.2,
)


@njit(cache=True)
@no_type_check
def spawn(cells, apples, waste, stream, apple_cells, river_cells, most, depletion, waste_chance):
    """New apples and new waste; none of either in a river that is depleted."""
    lying = 0
    for cell in river_cells:
        lying += waste[cell]
    if lying >= depletion * len(river_cells):
        return
    chance = apple_chance(lying, len(river_cells), depletion, most)
    spawn_apples(apple_cells, cells, chance, stream, apples)
    spawn_waste(river_cells, waste_chance, stream, waste)


@njit(cache=True)
@no_type_check
def _restart(
    cells, facings, apples, waste, streams,
    start_waste, spawn_cells, ground_cells, fixed_facing,
    apple_cells, river_cells, most, depletion, waste_chance,
):  # fmt: skip
    order = np.empty(cells.shape[1], np.int64)
    for e in range(len(streams)):
        stream = streams[e : e + 1]
        for cell in range(len(start_waste)):
            apples[e, cell] = 0
            waste[e, cell] = start_waste[cell]
        place_agents(cells[e], facings[e], spawn_cells, ground_cells, fixed_facing, stream, order)
        spawn(
            cells[e], apples[e], waste[e], stream,
            apple_cells, river_cells, most, depletion, waste_chance,
        )  # fmt: skip


@njit(cache=True)
@no_type_check
def _advance(
    cells, facings, apples, waste, beams, removed, streams, actions, rewards, cooperative,
    walls, offsets, beam_length, apple_cells, river_cells, most, depletion, waste_chance,
):  # fmt: skip
    targets = np.empty(cells.shape[1], cells.dtype)
    order = np.empty(cells.shape[1], np.int64)
    for e in range(len(streams)):
        stream = streams[e : e + 1]
        turn_agents(facings[e], actions[e])
        move_agents(cells[e], facings[e], actions[e], walls, offsets, stream, targets)
        eat_apples(cells[e], apples[e], rewards[e])
        fire_beams(
            cells[e], facings[e], actions[e], walls, offsets, beam_length, stream,
            waste[e], beams[e], removed[e], order,
        )  # fmt: skip
        for i in range(len(order)):
            cooperative[e, i] = removed[e, i] > 0
        spawn(
            cells[e], apples[e], waste[e], stream,
            apple_cells, river_cells, most, depletion, waste_chance,
        )  # fmt: skip
