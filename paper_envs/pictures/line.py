"""Cooperative Predation as a picture: a lane per predator, the prey a line across all lanes."""

import numpy as np
from PIL import Image

from paper_envs.pictures.canvas import (
    FAINT,
    INK,
    RULE,
    SUGGESTION,
    Canvas,
    Pixels,
    Point,
)
from paper_envs.pictures.frame import LineScene, Moment
from paper_envs.pictures.parts import (
    HEADING,
    MARGIN,
    KeyEntry,
    draw_agent,
    draw_heading,
    draw_key,
    key_height,
)

UNIT = 21.0  # pixels of one unit of length
LANE, NARROW_LANE, MANY = 32.0, 18.0, 16  # pixels; the narrow one where there are many predators
AXIS = 22.0
TOWARDS, AWAY = "#40c057", "#9a3b3b"
NEEDLE = 1.6  # units of length of a suggestion that is certain


def draw_line(moment: Moment, scene: LineScene) -> Image.Image:
    """All predators, what each does and what is suggested to it."""
    count = len(scene.positions)
    lane = LANE if count <= MANY else NARROW_LANE
    left = MARGIN + 1.5 * UNIT
    width = 2 * left + scene.length * UNIT
    top = MARGIN + HEADING
    bottom = top + count * lane
    key = _key(moment)
    canvas = Canvas(width, bottom + AXIS + key_height(key, width) + MARGIN)
    draw_heading(canvas, moment)
    _draw_axis(canvas, scene, left, top, bottom)
    for n in range(count):
        _draw_predator(canvas, moment, scene, n, (left, top + (n + 0.5) * lane), lane)
    draw_key(canvas, key)
    return canvas.finished()


def _key(moment: Moment) -> list[KeyEntry]:
    entries: list[KeyEntry] = [
        (TOWARDS, "goes towards the prey"),
        (AWAY, "goes away from it"),
        (INK, "prey"),
    ]
    if moment.suggestions is not None:
        entries.append((SUGGESTION, "where the others suggest to go"))
    return entries


def _draw_axis(canvas: Canvas, scene: LineScene, left: Pixels, top: Pixels, bottom: Pixels) -> None:
    for mark in range(0, round(scene.length) + 1, 5):
        x = left + mark * UNIT
        canvas.line((x, top), (x, bottom), RULE)
        canvas.text((x, bottom + 10), str(mark), 11, FAINT, "mm")
    x = left + scene.prey * UNIT
    canvas.line((x, top - 4), (x, bottom + 3), INK, 2.5)
    canvas.polygon([(x - 7, top - 10), (x + 7, top - 10), (x, top)], INK)


def _draw_predator(
    canvas: Canvas,
    moment: Moment,
    scene: LineScene,
    n: int,
    lane_start: Point,
    lane: Pixels,
) -> None:
    left, y = lane_start
    canvas.line((left, y), (left + scene.length * UNIT, y), RULE)
    position, direction = float(scene.positions[n]), 2 * int(moment.actions[n]) - 1
    x, radius = left + position * UNIT, 0.3 * lane
    towards = direction * np.sign(scene.prey - position) >= 0
    reach = radius + 1.1 * scene.step_length * UNIT
    canvas.arrow(
        (x + direction * radius, y), (x + direction * reach, y), TOWARDS if towards else AWAY, 3.0
    )
    draw_agent(canvas, (x, y), radius, n)
    if moment.suggested is None or np.isnan(moment.suggested[n]).any():
        return
    pull = float(moment.suggested[n, 1] - moment.suggested[n, 0])  # -1 left … 1 right
    below = y + 0.38 * lane
    canvas.disc((x, below), 1.8, SUGGESTION)
    canvas.arrow((x, below), (x + pull * NEEDLE * UNIT, below), SUGGESTION, 2.0)
