"""Apples, waste and the marks of who ate, who cleaned and who left an apple hanging."""

import math

from paper_envs.pictures.canvas import PAPER, Canvas, Pixels, Point

WASTE, APPLE, STALK, CLEANED = "#4a3820", "#e5383b", "#2b7a3d", "#0b4f8a"


def draw_apple(canvas: Canvas, centre: Point, size: Pixels) -> None:
    """A red disc with a stalk, on a square of that size."""
    x, y = centre
    canvas.line((x, y - 0.12 * size), (x + 0.1 * size, y - 0.34 * size), STALK, 0.07 * size)
    canvas.disc((x, y + 0.04 * size), 0.24 * size, APPLE)


def draw_spared(canvas: Canvas, centre: Point, size: Pixels) -> None:
    """The outline of an apple: it was left hanging."""
    x, y = centre
    canvas.line((x, y - 0.16 * size), (x + 0.1 * size, y - 0.34 * size), STALK, 0.07 * size)
    canvas.disc((x, y + 0.04 * size), 0.24 * size, PAPER, outline=APPLE, width=0.08 * size)


def draw_waste(canvas: Canvas, centre: Point, size: Pixels) -> None:
    """Three brown discs."""
    x, y = centre
    for dx, dy, radius in ((-0.12, 0.06, 0.2), (0.14, 0.1, 0.17), (0.03, -0.14, 0.17)):
        canvas.disc((x + dx * size, y + dy * size), radius * size, WASTE)


def draw_cleaned(canvas: Canvas, centre: Point, size: Pixels) -> None:
    """A star of four points: waste was removed."""
    x, y = centre
    points = []
    for k in range(8):
        reach, angle = (0.42 if k % 2 == 0 else 0.15) * size, k * math.pi / 4
        points.append((x + reach * math.sin(angle), y - reach * math.cos(angle)))
    canvas.polygon(points, CLEANED)
