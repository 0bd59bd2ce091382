"""The maps as drawings, and what the rules need to know of them as arrays.

The drawings are rows 3 to 11 of the 25x18 Cleanup map and rows 2 to 6 of the 16x38 Harvest map of
Christoffersen et al. (2023), who took them over from Hughes et al. (2018), with a wall around; the
small maps are ours. Cells are numbered row by row, so a step is an offset: ±1, or ± a row's length.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64, UInt8

from ss_core.errors import ConfigError

SYMBOLS = "@ABHRSP "
WALL, APPLE, ORCHARD, WASTE, RIVER, STREAM, SPAWN, GROUND = SYMBOLS

# H waste at the start, R clean river, S stream that stays clean, B where apples may grow,
# P where agents start
CLEANUP_DRAWING = (
    "@@@@@@@@@@@@@@@@@@",
    "@RRRRRR     BBBBB@",
    "@RRRRR  P    BBBB@",
    "@RRRRR    P BBBBB@",
    "@HHHHH       BBBB@",
    "@RRRRR      BBBBB@",
    "@HHHHHHSSSSSSBBBB@",
    "@HHHHHHSSSSSSBBBB@",
    "@RRRRR   P P BBBB@",
    "@HHHHH   P  BBBBB@",
    "@@@@@@@@@@@@@@@@@@",
)

# A an apple at the start, P where agents start
HARVEST_DRAWING = (
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
    "@  P     A P AA    P    AAA    A  A  @",
    "@     A AAA  AAA    A    A AA AAAA   @",
    "@ A  AAA A    A  A AAA  A  A   A A   @",
    "@AAA  A A    A  AAA A  AAA        A P@",
    "@ A A  AAA  AAA  A A    A AA   AA AA @",
    "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@",
)

SMALL_CLEANUP_DRAWING = (
    "@@@@@@@@@",
    "@RR   BB@",
    "@RR P BB@",
    "@RR P BB@",
    "@RR P BB@",
    "@RR   BB@",
    "@@@@@@@@@",
)

SMALL_HARVEST_DRAWING = (
    "@@@@@@@@@",
    "@AA P AA@",
    "@AAA AAA@",
    "@P     P@",
    "@AAA AAA@",
    "@AA P AA@",
    "@@@@@@@@@",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridMap:
    """A drawing as arrays; `C` counts cells, walls included. Nothing here is ever written."""

    drawing: tuple[str, ...]
    walls: UInt8[np.ndarray, " C"]
    apples: UInt8[np.ndarray, " C"]  # at the start
    waste: UInt8[np.ndarray, " C"]  # at the start
    apple_cells: Int32[np.ndarray, " apple"]  # where apples may grow
    river_cells: Int32[np.ndarray, " river"]  # where waste may lie
    stream_cells: Int32[np.ndarray, " stream"]
    spawn_cells: Int32[np.ndarray, " spawn"]
    ground_cells: Int32[np.ndarray, " ground"]  # bare: where agents start if spawn cells run out
    places: Int32[
        np.ndarray, " C"
    ]  # number of each cell among the interior ones; -1 for the border
    offsets: Int64[np.ndarray, " 4"]  # of a step up, right, down, left

    @property
    def num_rows(self) -> int:
        """Rows, walls included."""
        return len(self.drawing)

    @property
    def num_cols(self) -> int:
        """Columns, walls included."""
        return len(self.drawing[0])

    @property
    def interior(self) -> int:
        """Cells inside the outer wall."""
        return (self.num_rows - 2) * (self.num_cols - 2)


def _check_drawing(drawing: tuple[str, ...]) -> None:
    if len(drawing) < 3 or len(drawing[0]) < 3:
        raise ConfigError("map: draw at least three rows of three symbols, walls around included")
    last_row, last_col = len(drawing) - 1, len(drawing[0]) - 1
    for r, row in enumerate(drawing):
        if len(row) != last_col + 1:
            raise ConfigError(
                f"map, row {r}: {len(row)} symbols, row 0 has {last_col + 1}; draw all rows as long"
            )
        for c, symbol in enumerate(row):
            if symbol not in SYMBOLS:
                raise ConfigError(
                    f"map, row {r}, column {c}: {symbol!r} means nothing; use one of {SYMBOLS!r}"
                )
            if symbol != WALL and (r in (0, last_row) or c in (0, last_col)):
                raise ConfigError(
                    f"map, row {r}, column {c}: {symbol!r} on the border; the outermost cells must "
                    f"be walls, {WALL!r}"
                )


def parse_map(drawing: tuple[str, ...]) -> GridMap:
    """The arrays of a drawing that is a rectangle enclosed by walls.

    Raises:
        ConfigError: it is none; the message names row and column, counted from 0.
    """
    _check_drawing(drawing)
    symbols = np.array([list(row) for row in drawing])
    flat = symbols.ravel()
    places = np.full(symbols.shape, -1, np.int32)
    places[1:-1, 1:-1] = np.arange(places[1:-1, 1:-1].size).reshape(places[1:-1, 1:-1].shape)

    def cells(*kinds: str) -> np.ndarray:
        return np.flatnonzero(np.isin(flat, kinds)).astype(np.int32)

    return GridMap(
        drawing=drawing,
        walls=(flat == WALL).astype(np.uint8),
        apples=(flat == APPLE).astype(np.uint8),
        waste=(flat == WASTE).astype(np.uint8),
        apple_cells=cells(APPLE, ORCHARD),
        river_cells=cells(WASTE, RIVER),
        stream_cells=cells(STREAM),
        spawn_cells=cells(SPAWN),
        ground_cells=cells(GROUND),
        places=places.ravel(),
        offsets=np.array([-symbols.shape[1], 1, symbols.shape[1], -1]),
    )
