"""Sparse rows seen from oneself: the whole state laid out around an agent, as active features.

A row of agent i lists, in the map's own directions (north up) and relative to i's cell: apples (in
Harvest also how many lie around those nearby), waste by i's facing, the others' places without and
with their names; then i's own cell and facing, the time in twentieths of an episode, and how much
lies about. What is more than twelve columns away is told by side, half and distance in sixes, and
listed as often as there is such a thing. So a row tells the whole state but for what is far away
and which way others face.

Actions of such a world are in the map's directions, too: 0 up, 1 right, 2 down, 3 left.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Int16, Int64
from numba import njit

from paper_envs.grid.maps import GridMap
from paper_envs.grid.moves import DOWN, LEFT, RIGHT, UP
from paper_envs.grid.rules import count_neighbours
from paper_envs.grid.state import GridState

NEAR_ROWS, NEAR_COLS = 8, 12  # in which every cell has a feature of its own
FAR = 24  # features beyond: side, distance in sixes (up to 6), half
DENSE, MOST_AROUND = 4, 3  # cells either way in which Harvest counts apples around; counted up to
DENSE_CELLS = (2 * DENSE + 1) ** 2
TIMES = 20  # of an episode
FACINGS = 4
WALKS = np.array([UP, RIGHT, DOWN, LEFT])  # by direction relative to the facing


@dataclass(frozen=True, slots=True, kw_only=True)
class EgocentricRows:
    """What the features of a map are numbered, for a number of agents."""

    grid_map: GridMap
    num_agents: int
    has_waste: bool
    horizon: int
    near: tuple[int, int]  # rows, columns either way
    firsts: Int64[np.ndarray, " part"]  # where the parts of a row begin among all raw numbers
    numbers: Int16[np.ndarray, " raw"]  # raw number to feature; -1: never active

    @property
    def num_features(self) -> int:
        """Features that can be active."""
        return int(self.numbers.max()) + 1

    @property
    def most_active(self) -> int:
        """Length of a row."""
        apples = len(self.grid_map.apple_cells) * (1 if self.has_waste else 2)
        waste = len(self.grid_map.river_cells) + 1 if self.has_waste else 0
        return apples + waste + 2 * (self.num_agents - 1) + 4

    def rows_of(self, state: GridState, t: int) -> Int16[np.ndarray, "E N K"]:
        """Fresh rows for every agent of every environment at step t."""
        rows = np.full((*state.cells.shape, self.most_active), -1, np.int16)
        grid_map = self.grid_map
        _pack(
            state.cells, state.facings, state.apples, state.waste, self.has_waste,
            grid_map.apple_cells, grid_map.river_cells, grid_map.places,
            grid_map.num_cols, *self.near, self.firsts, self.numbers,
            min(t * TIMES // self.horizon, TIMES - 1), rows,
        )  # fmt: skip
        return rows


def egocentric_rows(
    grid_map: GridMap, *, num_agents: int, has_waste: bool, horizon: int
) -> EgocentricRows:
    """The numbering for a map: parts one after the other, without what is never active."""
    near = (min(grid_map.num_rows - 3, NEAR_ROWS), min(grid_map.num_cols - 3, NEAR_COLS))
    block = (2 * near[0] + 1) * (2 * near[1] + 1) + FAR
    sizes = (
        block,  # apples
        block,  # others
        num_agents * block,  # others by name
        FACINGS * block * has_waste,  # waste
        (MOST_AROUND + 1) * DENSE_CELLS * (not has_waste),  # apples around apples nearby
        grid_map.interior,  # own cell
        FACINGS,
        TIMES,
        len(grid_map.apple_cells) // 2 + 1,  # apples about, in twos
        len(grid_map.river_cells) // 2 + 1,  # waste, likewise
    )
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    active = _reachable(grid_map, near, firsts, num_agents, has_waste)
    numbers = np.where(active, np.cumsum(active) - 1, -1).astype(np.int16)
    return EgocentricRows(
        grid_map=grid_map,
        num_agents=num_agents,
        has_waste=has_waste,
        horizon=horizon,
        near=near,
        firsts=firsts,
        numbers=numbers,
    )


def _reachable(
    grid_map: GridMap, near: tuple[int, int], firsts: np.ndarray, num_agents: int, has_waste: bool
) -> np.ndarray:
    """Which raw numbers can be active: those of some agent's cell and some cell of the kind."""
    active = np.zeros(firsts[-1], bool)
    free, block, cols = np.flatnonzero(grid_map.walls == 0), firsts[1], grid_map.num_cols - 2

    def mark(part: int, times: int, cells: np.ndarray) -> None:
        seen = np.zeros(block, bool)
        _mark_offsets(grid_map.places[free], grid_map.places[cells], cols, *near, seen)
        active[firsts[part] : firsts[part] + times * block] = np.tile(seen, times)

    mark(0, 1, grid_map.apple_cells)
    mark(1, 1 + num_agents, free)
    mark(3, FACINGS * has_waste, grid_map.river_cells)
    active[firsts[4] : firsts[5]] = not has_waste
    active[firsts[5] + grid_map.places[free]] = True
    active[firsts[6] : firsts[9]] = True
    active[firsts[9] :] = has_waste
    return active


@njit(cache=True)
@no_type_check
def _mark_offsets(own_places, places, cols, near_rows, near_cols, seen):
    """Which offsets there are from some place of an agent to some other place."""
    for own in own_places:
        for there in places:
            down, right = there // cols - own // cols, there % cols - own % cols
            seen[_offset(down, right, near_rows, near_cols)] = True


@njit(cache=True)
@no_type_check
def _offset(down, right, rows, cols):
    """Number of a cell so far down and right of the agent's: its own one nearby, else coarse."""
    if -rows <= down <= rows and -cols <= right <= cols:
        return (down + rows) * (2 * cols + 1) + right + cols
    beyond = min(abs(right) // 6, 5) if abs(right) > cols else 0
    window = (2 * rows + 1) * (2 * cols + 1)
    return window + ((right >= 0) * 6 + beyond) * 2 + (down >= 0)


@njit(cache=True)
@no_type_check
def _pack(  # noqa: C901 - one loop over everything that lies about
    cells, facings, apples, waste, has_waste, apple_cells, river_cells, places,
    num_cols, near_rows, near_cols, firsts, numbers, time, out,
):  # fmt: skip
    """Active features of everybody, at the front of their rows."""
    cols, block = num_cols - 2, firsts[1]
    for e in range(cells.shape[0]):
        for i in range(cells.shape[1]):
            row, k, lying, dirty = out[e, i], 0, 0, 0
            place = places[cells[e, i]]
            r, c = place // cols, place % cols
            for cell in apple_cells:
                if not apples[e, cell]:
                    continue
                lying += 1
                down, right = places[cell] // cols - r, places[cell] % cols - c
                row[k] = numbers[firsts[0] + _offset(down, right, near_rows, near_cols)]
                k += 1
                if not has_waste and -DENSE <= down <= DENSE and -DENSE <= right <= DENSE:
                    around = min(count_neighbours(apples[e], cell, num_cols), MOST_AROUND)
                    here = (down + DENSE) * (2 * DENSE + 1) + right + DENSE
                    row[k] = numbers[firsts[4] + around * DENSE_CELLS + here]
                    k += 1
            if has_waste:
                begin = firsts[3] + facings[e, i] * block
                for cell in river_cells:
                    if waste[e, cell]:
                        dirty += 1
                        down, right = places[cell] // cols - r, places[cell] % cols - c
                        row[k] = numbers[begin + _offset(down, right, near_rows, near_cols)]
                        k += 1
                row[k] = numbers[firsts[9] + dirty // 2]
                k += 1
            for j in range(cells.shape[1]):
                if j != i:
                    other = places[cells[e, j]]
                    offset = _offset(other // cols - r, other % cols - c, near_rows, near_cols)
                    row[k] = numbers[firsts[1] + offset]
                    row[k + 1] = numbers[firsts[2] + j * block + offset]
                    k += 2
            row[k] = numbers[firsts[5] + place]
            row[k + 1] = numbers[firsts[6] + facings[e, i]]
            row[k + 2] = numbers[firsts[7] + time]
            row[k + 3] = numbers[firsts[8] + lying // 2]


@njit(cache=True)
@no_type_check
def turn_to_facing(facings, chosen, actions):
    """Walks in the map's directions (0 up, then clockwise) as walks relative to each facing."""
    for e in range(chosen.shape[0]):
        for i in range(chosen.shape[1]):
            actions[e, i] = chosen[e, i]
            if chosen[e, i] < FACINGS:
                actions[e, i] = WALKS[(chosen[e, i] - facings[e, i]) % FACINGS]
