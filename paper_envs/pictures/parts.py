"""Parts that pictures of all tasks share: heading, key, bars of what is suggested."""

import numpy as np
from jaxtyping import Float

from paper_envs.pictures.canvas import (
    FAINT,
    INK,
    PAPER,
    RULE,
    SUGGESTION,
    Canvas,
    Pixels,
    Point,
    agent_colour,
    text_width,
)
from paper_envs.pictures.frame import Moment

MARGIN, HEADING, KEY = 16, 44, 30  # pixels: around, the heading's height, the key's height
BAR_WIDTH, BAR_HEIGHT, BAR_GAP = 28.0, 32.0, 5.0
CARD_HEIGHT = 90.0  # of one agent's bars with their labels


def draw_heading(canvas: Canvas, moment: Moment) -> None:
    """Task, step and return so far."""
    y = MARGIN + 8
    canvas.text((MARGIN, y), moment.task, 15)
    words = (
        f"step {moment.step + 1} of {moment.horizon}"
        f"     return so far, mean of agents  {number(moment.return_per_agent)}"
    )
    canvas.text((canvas.width - MARGIN, y), words, 13, anchor="rm")
    share = moment.step / max(1, moment.horizon - 1)
    width = canvas.width - 2 * MARGIN
    canvas.box((MARGIN, y + 14), (width, 3), RULE, radius=1.5)
    canvas.box((MARGIN, y + 14), (max(3.0, width * share), 3), INK, radius=1.5)


def draw_key(canvas: Canvas, entries: list[tuple[str, str]]) -> None:
    """Colours and their meaning, in one line at the bottom."""
    x, y = float(MARGIN), canvas.height - MARGIN - 2
    for colour, meaning in entries:
        canvas.box((x, y - 4), (14, 8), colour, radius=2)
        canvas.text((x + 19, y), meaning, 11.5, FAINT)
        x += 19 + text_width(meaning, 11.5) + 20


def draw_agent(canvas: Canvas, place: Point, radius: Pixels, index: int) -> None:
    """A disc with the agent's number."""
    canvas.disc(place, radius, agent_colour(index), outline=PAPER, width=1.5)
    canvas.text(place, str(index), 1.15 * radius, PAPER, "mm")


def card_width(moment: Moment) -> float:
    """Of one agent's bars."""
    return len(moment.action_names) * (BAR_WIDTH + BAR_GAP) - BAR_GAP


def draw_card(canvas: Canvas, corner: Point, moment: Moment, agent: int) -> None:
    """An agent's return, and per action its own probability and what others suggest on average."""
    x, y = corner
    draw_agent(canvas, (x + 8, y + 8), 8, agent)
    canvas.text((x + 22, y + 8), f"return {number(float(moment.returns[agent]))}", 12)
    suggested = None if moment.suggested is None else moment.suggested[agent]
    if suggested is not None and np.isnan(suggested).any():
        suggested = None
        canvas.text((x + card_width(moment), y + 8), "nobody near", 11, FAINT, "rm")
    top = y + 22
    for action, name in enumerate(moment.action_names):
        left = x + action * (BAR_WIDTH + BAR_GAP)
        _draw_bar(canvas, (left, top), moment.own[agent], suggested, action, agent)
        taken = action == moment.actions[agent]
        middle = left + BAR_WIDTH / 2
        canvas.text(
            (middle, top + BAR_HEIGHT + 9), name, 10.5, INK if taken else FAINT, anchor="mm"
        )
        if taken:
            canvas.box((left, top + BAR_HEIGHT + 15.5), (BAR_WIDTH, 2), agent_colour(agent))


def _draw_bar(
    canvas: Canvas,
    corner: Point,
    own: Float[np.ndarray, " A"],
    suggested: Float[np.ndarray, " A"] | None,
    action: int,
    agent: int,
) -> None:
    x, y = corner
    half = BAR_WIDTH / 2
    canvas.box((x, y), (BAR_WIDTH, BAR_HEIGHT), "#efede7", radius=2)
    _fill(
        canvas,
        (x, y),
        half if suggested is not None else BAR_WIDTH,
        own[action],
        agent_colour(agent),
    )
    if suggested is not None:
        _fill(canvas, (x + half, y), half, suggested[action], SUGGESTION)


def _fill(canvas: Canvas, corner: Point, width: Pixels, share: float, colour: str) -> None:
    height = BAR_HEIGHT * float(share)
    if height >= 0.4:
        canvas.box((corner[0] + 1, corner[1] + BAR_HEIGHT - height), (width - 2, height), colour)


def number(value: float) -> str:
    """A number with a decimal where it has one."""
    return f"{value:.1f}" if value % 1 else f"{value:.0f}"
