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
        state.cells, state.facings, state.apples, state.waste, has_waste, grid_map.apple_cells,
        grid_map.river_cells, grid_map.places, grid_map.interior, rows,
    )  # fmt: skip
    return rows


@njit(cache=True)
@no_type_check
def _pack(
    cells, facings, apples, waste, has_waste, apple_cells, river_cells, places, interior, out
):
    """Rows of all; each is written once, from a row of what lies about, and then marked.

    Unsigned indices spare a test for negative ones at every mark.
    """
    num_envs, num_agents, size = out.shape
    first = interior * (2 if has_waste else 1)  # where the planes of the agents begin
    last = first + num_agents * interior  # and their facings
    lying = np.zeros(size, np.float32)
    for e in range(num_envs):
        _mark(apples[e], apple_cells, places, lying)
        if has_waste:
            _mark(waste[e], river_cells, places, lying[interior:])
        for i in range(num_agents):
            for c in range(size):  # several times faster than assigning the row
                out[e, i, c] = lying[c]
        for j in range(num_agents):
            place, facing = first + places[cells[e, j]], last + facings[e, j]
            for i in range(num_agents):
                k = j - i if j >= i else j - i + num_agents
                out[e, i, np.uint64(place + k * interior)] = 1.0
                out[e, i, np.uint64(facing + 4 * k)] = 1.0


@njit(cache=True)
@no_type_check
def _mark(layer, cells, places, plane):
    """What a layer holds at some cells, as numbers in their plane."""
    for cell in cells:
        plane[np.uint64(places[cell])] = layer[cell]
