"""Packing a batch of grid worlds into one row of numbers per agent.

The row of agent i, interior cells only: a plane of apples, a plane of waste (Cleanup), a plane with
one 1 for the place of each of the agents i, i+1, … (mod N), then the facing of each of them in the
same order as four numbers of which one is 1.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32
from numba import njit

from paper_envs.grid.maps import GridMap
from paper_envs.grid.state import GridState


def observation_size(grid_map: GridMap, *, has_waste: bool, num_agents: int) -> int:
    """Length of a row."""
    return grid_map.interior * (1 + has_waste + num_agents) + 4 * num_agents


def observations_of(
    grid_map: GridMap, state: GridState, *, has_waste: bool
) -> Float32[np.ndarray, "E N O"]:
    """Fresh rows for every agent of every environment."""
    num_envs, num_agents = state.cells.shape
    size = observation_size(grid_map, has_waste=has_waste, num_agents=num_agents)
    rows = np.empty((num_envs, num_agents, size), np.float32)
    _pack(
        state.cells, state.facings, state.apples, state.waste, has_waste,
        grid_map.num_rows, grid_map.num_cols, rows,
    )  # fmt: skip
    return rows


@njit(cache=True)
@no_type_check
def _pack(cells, facings, apples, waste, has_waste, num_rows, num_cols, out):
    interior = (num_rows - 2) * (num_cols - 2)
    shared = interior * (2 if has_waste else 1)
    num_envs, num_agents = cells.shape
    for e in range(num_envs):
        _pack_plane(apples[e], num_rows, num_cols, out[e, 0, :interior])
        if has_waste:
            _pack_plane(waste[e], num_rows, num_cols, out[e, 0, interior:shared])
        for i in range(num_agents):
            if i:
                out[e, i, :shared] = out[e, 0, :shared]
            out[e, i, shared:] = 0.0
            for k in range(num_agents):
                j = (i + k) % num_agents
                row, col = divmod(cells[e, j], num_cols)
                place = (row - 1) * (num_cols - 2) + col - 1
                out[e, i, shared + k * interior + place] = 1.0
                out[e, i, shared + num_agents * interior + 4 * k + facings[e, j]] = 1.0


@njit(cache=True)
@no_type_check
def _pack_plane(layer, num_rows, num_cols, out):
    for row in range(num_rows - 2):
        start = (row + 1) * num_cols + 1
        for col in range(num_cols - 2):
            out[row * (num_cols - 2) + col] = layer[start + col]
