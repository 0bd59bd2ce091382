"""Cooperative Navigation as a picture: agents, their landmarks, and arrows of what is suggested."""

import numpy as np
from PIL import Image

from paper_envs.navigation import MOVES
from paper_envs.pictures.canvas import (
    INK,
    PAPER,
    RULE,
    SUGGESTION,
    Canvas,
    Point,
    agent_colour,
)
from paper_envs.pictures.frame import Moment, SquareScene
from paper_envs.pictures.parts import (
    HEADING,
    MARGIN,
    card_height,
    card_width,
    draw_agent,
    draw_card,
    draw_heading,
    draw_key,
    key_height,
    suggestion_key,
)

CELL = 76.0
RADIUS = 15.0
REACH = 0.5  # of a cell: an arrow of a certain move, from the agent's rim
SHORTEST = 0.03  # of a certain move: below it there is no arrow
ASIDE = 5.0  # pixels by which the two arrows of an agent are moved apart
SPREAD = 0.2  # of a cell: how far agents on one cell are drawn apart


def draw_square(moment: Moment, scene: SquareScene) -> Image.Image:
    """The board, and a card per agent beside it."""
    count = len(scene.places)
    side = scene.size * CELL
    body = max(side, count * card_height(moment))
    left, top = float(MARGIN), float(MARGIN + HEADING)
    cards = left + side + 1.5 * MARGIN
    width = cards + card_width(moment) + MARGIN
    key = [(agent_colour(0), "agent: landmark, move, own policy"), *suggestion_key(moment)]
    canvas = Canvas(width, top + body + key_height(key, width) + MARGIN)
    draw_heading(canvas, moment)
    _draw_board(canvas, scene, (left, top))
    centres = _centres(scene, (left, top))
    for n, centre in enumerate(centres):
        _draw_moves(canvas, moment, n, centre)
    for n, centre in enumerate(centres):
        draw_agent(canvas, centre, RADIUS, n)
        draw_card(canvas, (cards, top + n * card_height(moment)), moment, n)
    draw_key(canvas, key)
    return canvas.finished()


def _draw_board(canvas: Canvas, scene: SquareScene, corner: Point) -> None:
    left, top = corner
    side = scene.size * CELL
    canvas.box(corner, (side, side), "#f1efe8", radius=4)
    for k in range(1, scene.size):
        canvas.line((left + k * CELL, top), (left + k * CELL, top + side), PAPER, 3)
        canvas.line((left, top + k * CELL), (left + side, top + k * CELL), PAPER, 3)
    canvas.box(corner, (side, side), None, radius=4, outline=RULE, width=1.5)
    for n, (row, column) in enumerate(scene.landmarks.tolist()):
        x, y = left + column * CELL, top + row * CELL
        colour, size = agent_colour(n), CELL - 16
        canvas.box((x + 8, y + 8), (size, size), None, radius=8, outline=colour, width=3)
        canvas.text((x + 19, y + 20), str(n), 13, INK, "mm")


def _centres(scene: SquareScene, corner: Point) -> list[Point]:
    """Where agents are drawn; those on one cell stand around its middle."""
    cells = [tuple(place) for place in scene.places.tolist()]
    centres: list[Point] = []
    for n, (row, column) in enumerate(cells):
        x, y = corner[0] + (column + 0.5) * CELL, corner[1] + (row + 0.5) * CELL
        together = [m for m, other in enumerate(cells) if other == cells[n]]
        if len(together) > 1:
            angle = 2 * np.pi * together.index(n) / len(together)
            x += SPREAD * CELL * float(np.cos(angle))
            y += SPREAD * CELL * float(np.sin(angle))
        centres.append((x, y))
    return centres


def _draw_moves(canvas: Canvas, moment: Moment, n: int, centre: Point) -> None:
    """The move taken, and the mean of the suggested ones."""
    moves = np.array(MOVES, dtype=float)
    arrows = [(moves[moment.actions[n]], agent_colour(n), -ASIDE)]
    if moment.suggested is not None and not np.isnan(moment.suggested[n]).any():
        arrows.append((moment.suggested[n] @ moves, SUGGESTION, ASIDE))
    for (down, right), colour, aside in arrows:
        length = float(np.hypot(down, right))
        if length < SHORTEST:
            continue
        reach, (along_x, along_y) = length * REACH * CELL, (right / length, down / length)
        x, y = centre[0] - aside * along_y, centre[1] + aside * along_x
        start = (x + RADIUS * along_x, y + RADIUS * along_y)
        canvas.arrow(start, (start[0] + reach * along_x, start[1] + reach * along_y), colour, 4.5)
