"""Cleanup and Harvest as pictures: the board with who eats and who cleans, and a card per agent."""

from collections.abc import Callable
from functools import partial

import numpy as np
from jaxtyping import Bool
from PIL import Image

from paper_envs.pictures.canvas import (
    INK,
    PAPER,
    Canvas,
    Pixels,
    Point,
    agent_colour,
    letters_on,
)
from paper_envs.pictures.frame import GridScene, Moment
from paper_envs.pictures.parts import (
    HEADING,
    MARGIN,
    SYMBOL,
    KeyEntry,
    card_height,
    card_width,
    draw_card,
    draw_heading,
    draw_key,
    key_height,
    suggestion_key,
)
from paper_envs.pictures.symbols import draw_apple, draw_cleaned, draw_spared, draw_waste

SMALL_BOARD, WIDE_BOARD = 12, 24  # columns
CELL, MIDDLE_CELL, SMALL_BOARDS_CELL = 26.0, 30.0, 38.0  # pixels: wide boards, others, small ones
CARD_GAP = 26.0  # between cards side by side
MOST_STACKED = 5  # cards beside a board
BADGE = 0.36  # of a cell: how far from the agent's middle its mark is, across and up
WALL, GROUND, ORCHARD = "#5c616b", "#f1efe8", "#e4efd8"
RIVER, STREAM = "#bfe0f2", "#d7ecf7"
BEAM = "#ffe066"
Symbol = Callable[[Canvas, Point, Pixels], None]
FACINGS = ((0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0))  # up, right, down, left


def draw_grid(moment: Moment, scene: GridScene) -> Image.Image:
    """The board; cards beside it, or below it where it is wide."""
    rows, columns = scene.board.walls.shape
    cell = _cell_size(columns)
    left, top = float(MARGIN), float(MARGIN + HEADING)
    wide, high = columns * cell, rows * cell
    count = len(scene.board.agent_rows)
    across, down = card_width(moment) + CARD_GAP, card_height(moment)
    if columns > WIDE_BOARD:
        per_row = max(1, int((wide + CARD_GAP) // across))
        corner = (left, top + high + MARGIN)
        width, bottom = wide + 2 * MARGIN, corner[1] + -(-count // per_row) * down
    else:
        per_row = -(-count // MOST_STACKED)
        corner = (left + wide + 1.5 * MARGIN, top)
        width = corner[0] + per_row * across - CARD_GAP + MARGIN
        bottom = top + max(high, -(-count // per_row) * down)
    key = _key(moment, scene)
    canvas = Canvas(width, bottom + key_height(key, width) + MARGIN)
    draw_heading(canvas, moment)
    _draw_board(canvas, scene, (left, top), cell)
    for n in range(count):
        line, place = divmod(n, per_row)
        at = (corner[0] + place * across, corner[1] + line * down)
        draw_card(canvas, at, moment, n, head=partial(_draw_ledger, scene=scene, agent=n))
    draw_key(canvas, key)
    return canvas.finished()


def _cell_size(columns: int) -> float:
    if columns > WIDE_BOARD:
        return CELL
    return SMALL_BOARDS_CELL if columns <= SMALL_BOARD else MIDDLE_CELL


def _key(moment: Moment, scene: GridScene) -> list[KeyEntry]:
    entries: list[KeyEntry] = [(agent_colour(0), "own policy"), *suggestion_key(moment)]
    entries += [(draw_apple, "apples; in cards: eaten so far"), (_badge(draw_apple), "eats now")]
    if scene.has_waste:
        entries += [
            (draw_waste, "waste; in cards: removed so far"),
            (_badge(draw_cleaned), "removes waste now"),
            (BEAM, "beams now"),
        ]
    else:
        entries += [
            (_badge(draw_spared), "leaves all apples beside it now; in cards: steps of that so far")
        ]
    return entries


def _badge(symbol: Symbol) -> Symbol:
    """The symbol on a disc, as on the board."""

    def draw(canvas: Canvas, centre: Point, size: Pixels) -> None:
        canvas.disc(centre, 0.5 * size, PAPER, outline=INK, width=1)
        symbol(canvas, centre, 1.3 * size if symbol is not draw_cleaned else 0.85 * size)

    return draw


def _draw_ledger(canvas: Canvas, start: Point, *, scene: GridScene, agent: int) -> None:
    """What an agent has done so far, this step included: apples, then waste or steps of sparing."""
    x, y = start
    counts = [(draw_apple, int(scene.totals.eaten[agent]))]
    if scene.has_waste:
        counts.append((draw_waste, int(scene.totals.removed[agent])))
    else:
        counts.append((draw_spared, int(scene.totals.spared[agent])))
    for draw, count in counts:
        draw(canvas, (x + SYMBOL / 2, y), 1.4 * SYMBOL)
        canvas.text((x + SYMBOL + 3, y), str(count), 13)
        x += SYMBOL + 36
    removed = int(scene.deeds.removed[agent])
    if scene.deeds.eaten[agent]:
        canvas.text((x, y), "eats", 12)
    elif removed:
        canvas.text((x, y), f"removes {removed}", 12)


def _draw_board(canvas: Canvas, scene: GridScene, corner: Point, cell: Pixels) -> None:
    board = scene.board
    rows, columns = board.walls.shape
    canvas.box(corner, (columns * cell, rows * cell), GROUND, radius=5)
    for where, colour in (
        (scene.orchard, ORCHARD),
        (board.river, RIVER),
        (board.stream, STREAM),
        (scene.beams, BEAM),
        (board.walls, WALL),
    ):
        _fill_cells(canvas, where, corner, cell, colour)
    for row, column in np.argwhere(board.waste).tolist():
        draw_waste(canvas, _middle(corner, cell, row, column), cell)
    for row, column in np.argwhere(board.apples).tolist():
        draw_apple(canvas, _middle(corner, cell, row, column), cell)
    places = np.stack([board.agent_rows, board.agent_cols, board.facings], axis=1).tolist()
    for n, (row, column, facing) in enumerate(places):
        _draw_walker(canvas, _middle(corner, cell, row, column), cell, facing, n)
    for n, (row, column, _) in enumerate(places):
        _draw_badge(canvas, _middle(corner, cell, row, column), cell, scene, n)


def _draw_badge(canvas: Canvas, centre: Point, cell: Pixels, scene: GridScene, n: int) -> None:
    """What an agent does in this step, on a disc at its upper right."""
    deeds = scene.deeds
    marks = (
        (deeds.eaten[n], draw_apple),
        (deeds.removed[n], draw_cleaned),
        (deeds.spared[n], draw_spared),
    )
    for done, symbol in marks:
        if done:
            place = (centre[0] + BADGE * cell, centre[1] - BADGE * cell)
            _badge(symbol)(canvas, place, 0.6 * cell)


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
    canvas.text(centre, str(n), 1.25 * radius, letters_on(colour), "mm")
