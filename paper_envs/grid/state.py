"""The state of a batch of grid worlds, and one world drawn out of it for people to look at."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int8, Int32, Int64, UInt8, UInt64

from paper_envs.grid.maps import GridMap
from paper_envs.grid.streams import seeded_streams


@dataclass(frozen=True, slots=True, kw_only=True)
class GridState:
    """Everything that changes; the rules write into these arrays, whoever made them owns them.

    `C` counts cells, walls included.
    """

    cells: Int32[np.ndarray, "E N"]  # where the agents are
    facings: Int8[np.ndarray, "E N"]  # 0 up, 1 right, 2 down, 3 left
    apples: UInt8[np.ndarray, "E C"]  # 1 = an apple lies there
    waste: UInt8[np.ndarray, "E C"]  # likewise; always 0 in Harvest
    beams: UInt8[
        np.ndarray, "E C"
    ]  # swept by a cleaning beam in the last step, of whatever episode
    removed: Int64[np.ndarray, "E N"]  # waste that each removed in the last step
    streams: UInt64[np.ndarray, " E"]  # random streams

    def only(self, e: int) -> "GridState":
        """A batch of one: a copy of environment e."""
        return GridState(
            cells=self.cells[e : e + 1].copy(),
            facings=self.facings[e : e + 1].copy(),
            apples=self.apples[e : e + 1].copy(),
            waste=self.waste[e : e + 1].copy(),
            beams=self.beams[e : e + 1].copy(),
            removed=self.removed[e : e + 1].copy(),
            streams=self.streams[e : e + 1].copy(),
        )


def blank_state(grid_map: GridMap, *, num_envs: int, num_agents: int, seed: int) -> GridState:
    """A state that still has to be restarted: only its random streams are set."""
    num_cells = len(grid_map.walls)
    return GridState(
        cells=np.zeros((num_envs, num_agents), np.int32),
        facings=np.zeros((num_envs, num_agents), np.int8),
        apples=np.zeros((num_envs, num_cells), np.uint8),
        waste=np.zeros((num_envs, num_cells), np.uint8),
        beams=np.zeros((num_envs, num_cells), np.uint8),
        removed=np.zeros((num_envs, num_agents), np.int64),
        streams=seeded_streams(seed, num_envs),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A snapshot of one environment; rows and columns count from the upper left corner."""

    walls: Bool[np.ndarray, "row col"]
    river: Bool[np.ndarray, "row col"]  # where waste may lie
    stream: Bool[np.ndarray, "row col"]  # water without waste
    apples: Bool[np.ndarray, "row col"]
    waste: Bool[np.ndarray, "row col"]
    beams: Bool[np.ndarray, "row col"]  # swept in the step just taken
    removed: Int64[np.ndarray, " N"]  # waste that each removed in it
    agent_rows: Int64[np.ndarray, " N"]
    agent_cols: Int64[np.ndarray, " N"]
    facings: Int64[np.ndarray, " N"]  # 0 up, 1 right, 2 down, 3 left


def board_of(grid_map: GridMap, state: GridState, e: int) -> Board:
    """Environment e as a board of fresh arrays."""
    shape = (grid_map.num_rows, grid_map.num_cols)

    def at(cells: np.ndarray) -> np.ndarray:
        flat = np.zeros(shape[0] * shape[1], bool)
        flat[cells] = True
        return flat.reshape(shape)

    rows, cols = np.divmod(state.cells[e].astype(np.int64), grid_map.num_cols)
    return Board(
        walls=grid_map.walls.astype(bool).reshape(shape),
        river=at(grid_map.river_cells),
        stream=at(grid_map.stream_cells),
        apples=state.apples[e].astype(bool).reshape(shape),
        waste=state.waste[e].astype(bool).reshape(shape),
        beams=state.beams[e].astype(bool).reshape(shape),
        removed=state.removed[e].copy(),
        agent_rows=rows,
        agent_cols=cols,
        facings=state.facings[e].astype(np.int64),
    )
