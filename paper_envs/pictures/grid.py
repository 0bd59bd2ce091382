"""Cleanup and Harvest as pictures: the board, and per agent the bars of what is suggested to it."""

import numpy as np
from jaxtyping import Bool
from PIL import Image

from paper_envs.grid.state import Board
from paper_envs.pictures.canvas import (
    PAPER,
    SUGGESTION,
    Canvas,
    Pixels,
    Point,
    agent_colour,
)
from paper_envs.pictures.frame import GridScene, Moment
from paper_envs.pictures.parts import (
    CARD_HEIGHT,
    HEADING,
    KEY,
    MARGIN,
    card_width,
    draw_card,
    draw_heading,
    draw_key,
)

SMALL_BOARD, WIDE_BOARD = 12, 24  # columns
CELL, SMALL_BOARDS_CELL = 26.0, 38.0  # pixels
CARD_GAP = 26.0  # between cards side by side
WALL, GROUND, ORCHARD = "#5c616b", "#f1efe8", "#e4efd8"
RIVER, STREAM, WASTE, APPLE, STALK = "#bfe0f2", "#d7ecf7", "#8a6a3f", "#d92f2f", "#2b7a3d"
BEAM = "#ffe066"
FACINGS = ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))  # up, right, down, left


def draw_grid(moment: Moment, scene: GridScene) -> Image.Image:
    """The board; cards beside it, or below it where it is wide."""
    board = scene.board
    rows, columns = board.walls.shape
    cell = SMALL_BOARDS_CELL if columns <= SMALL_BOARD else CELL
    left, top = float(MARGIN), float(MARGIN + HEADING)
    wide, high = columns * cell, rows * cell
    count = len(board.agent_rows)
    if columns > WIDE_BOARD:
        per_row = max(1, int((wide + CARD_GAP) // (card_width(moment) + CARD_GAP)))
        corner, below = (left, top + high + MARGIN), -(-count // per_row) * CARD_HEIGHT
        size = (wide + 2 * MARGIN, top + high + MARGIN + below + KEY + MARGIN)
    else:
        per_row, corner = 1, (left + wide + 1.5 * MARGIN, top)
        body = max(high, count * CARD_HEIGHT)
        size = (corner[0] + card_width(moment) + MARGIN, top + body + KEY + MARGIN)
    canvas = Canvas(*size)
    draw_heading(canvas, moment)
    _draw_board(canvas, scene, (left, top), cell)
    for n in range(count):
        line, place = divmod(n, per_row)
        shift = place * (card_width(moment) + CARD_GAP), line * CARD_HEIGHT
        draw_card(canvas, (corner[0] + shift[0], corner[1] + shift[1]), moment, n)
    draw_key(canvas, _key(moment, board))
    return canvas.finished()


def _key(moment: Moment, board: Board) -> list[tuple[str, str]]:
    entries = [(agent_colour(0), "own policy")]
    if moment.suggested is not None:
        entries.append((SUGGESTION, "what the others suggest (mean)"))
    entries.append((APPLE, "apple"))
    if board.river.any():
        entries += [(WASTE, "waste"), (BEAM, "swept clean")]
    return entries


def _draw_board(canvas: Canvas, scene: GridScene, corner: Point, cell: Pixels) -> None:
    board = scene.board
    rows, columns = board.walls.shape
    canvas.box(corner, (columns * cell, rows * cell), GROUND, radius=5)
    for where, colour in (
        (scene.orchard, ORCHARD),
        (board.river, RIVER),
        (board.stream, STREAM),
        (board.beams & ~board.walls, BEAM),
        (board.walls, WALL),
    ):
        _fill_cells(canvas, where, corner, cell, colour)
    for row, column in np.argwhere(board.waste).tolist():
        _draw_waste(canvas, _middle(corner, cell, row, column), cell)
    for row, column in np.argwhere(board.apples).tolist():
        _draw_apple(canvas, _middle(corner, cell, row, column), cell)
    places = np.stack([board.agent_rows, board.agent_cols, board.facings], axis=1)
    for n, (row, column, facing) in enumerate(places.tolist()):
        _draw_walker(canvas, _middle(corner, cell, row, column), cell, facing, n)


def _fill_cells(
    canvas: Canvas, where: Bool[np.ndarray, "row col"], corner: Point, cell: Pixels, colour: str
) -> None:
    """Runs of cells along a row as one box each, so that no seams are seen."""
    for row, line in enumerate(where):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
        for start, end in edges.reshape(-1, 2).tolist():
            place = (corner[0] + start * cell, corner[1] + row * cell)
            canvas.box(place, ((end - start) * cell, cell), colour)


def _middle(corner: Point, cell: Pixels, row: int, column: int) -> Point:
    return (corner[0] + (float(column) + 0.5) * cell, corner[1] + (float(row) + 0.5) * cell)


def _draw_apple(canvas: Canvas, centre: Point, cell: Pixels) -> None:
    x, y = centre
    canvas.line((x, y - 0.12 * cell), (x + 0.1 * cell, y - 0.34 * cell), STALK, 0.07 * cell)
    canvas.disc((x, y + 0.04 * cell), 0.24 * cell, APPLE)


def _draw_waste(canvas: Canvas, centre: Point, cell: Pixels) -> None:
    x, y = centre
    for dx, dy, radius in ((-0.12, 0.06, 0.2), (0.14, 0.1, 0.17), (0.03, -0.14, 0.17)):
        canvas.disc((x + dx * cell, y + dy * cell), radius * cell, WASTE)


def _draw_walker(canvas: Canvas, centre: Point, cell: Pixels, facing: int, n: int) -> None:
    """A disc with a nose where it faces, and its number."""
    (x, y), (ahead, down) = centre, FACINGS[facing]
    radius, colour = 0.36 * cell, agent_colour(n)
    tip = (x + 0.62 * cell * ahead, y + 0.62 * cell * down)
    sides = [
        (
            x + 0.3 * cell * ahead + s * 0.24 * cell * down,
            y + 0.3 * cell * down - s * 0.24 * cell * ahead,
        )
        for s in (1, -1)
    ]
    canvas.disc(centre, radius + 0.06 * cell, PAPER)
    canvas.polygon([tip, *sides], colour)
    canvas.disc(centre, radius, colour)
    canvas.text(centre, str(n), 1.25 * radius, PAPER, "mm")
