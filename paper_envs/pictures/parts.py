"""Parts that pictures of all tasks share: heading, key, bars of what is suggested."""

from collections.abc import Callable, Sequence

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
    letters_on,
    text_width,
)
from paper_envs.pictures.frame import Moment

MARGIN, HEADING = 16, 44  # pixels: around, the heading's height
KEY_LINE, KEY_GAP, KEY_MARK = 20.0, 20.0, 19.0  # a line's height, between entries, a mark's room
BAR_WIDTH, BAR_HEIGHT, BAR_GAP = 28.0, 32.0, 5.0
CARD_HEIGHT = 90.0  # of one agent's bars with their labels
SENT_HEIGHT = 20.0  # of the line below them: what the agent suggests to another
SYMBOL = 16.0  # pixels, in keys and cards

Mark = str | Callable[[Canvas, Point, Pixels], None]  # a colour, or what draws a symbol
KeyEntry = tuple[Mark, str]


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


def suggestion_key(moment: Moment) -> list[KeyEntry]:
    """What stands for suggestions in cards; nothing where nobody suggests."""
    if moment.suggestions is None:
        return []
    return [
        (SUGGESTION, "what the others suggest (mean)"),
        (_draw_arrow, "largest change it suggests: to whom, chance now, chance suggested"),
    ]


def key_height(entries: Sequence[KeyEntry], width: Pixels) -> float:
    """Of the key on a picture of that width, with what keeps it off the rest."""
    return KEY_LINE * len(_key_lines(entries, width)) + 10


def draw_key(canvas: Canvas, entries: Sequence[KeyEntry]) -> None:
    """Marks and their meaning, in as few lines as they fit in, at the bottom."""
    lines = _key_lines(entries, canvas.width)
    for row, line in enumerate(lines):
        x, y = float(MARGIN), canvas.height - MARGIN - 2 - KEY_LINE * (len(lines) - 1 - row)
        for mark, meaning in line:
            if isinstance(mark, str):
                canvas.box((x, y - 4), (14, 8), mark, radius=2)
            else:
                mark(canvas, (x + 7, y), SYMBOL)
            canvas.text((x + KEY_MARK, y), meaning, 11.5, FAINT)
            x += _key_width(meaning)


def _key_lines(entries: Sequence[KeyEntry], width: Pixels) -> list[list[KeyEntry]]:
    lines, x = [list[KeyEntry]()], float(MARGIN)
    for entry in entries:
        needed = _key_width(entry[1])
        if lines[-1] and x + needed - KEY_GAP > width - MARGIN:
            lines.append([])
            x = float(MARGIN)
        lines[-1].append(entry)
        x += needed
    return lines


def _key_width(meaning: str) -> float:
    return KEY_MARK + text_width(meaning, 11.5) + KEY_GAP


def draw_agent(canvas: Canvas, place: Point, radius: Pixels, index: int) -> None:
    """A disc with the agent's number."""
    colour = agent_colour(index)
    canvas.disc(place, radius, colour, outline=PAPER, width=1.5)
    canvas.text(place, str(index), 1.15 * radius, letters_on(colour), "mm")


def card_width(moment: Moment) -> float:
    """Of one agent's bars."""
    return len(moment.action_names) * (BAR_WIDTH + BAR_GAP) - BAR_GAP


def card_height(moment: Moment) -> float:
    """Of one agent's bars, with what it suggests and the gap to the next card."""
    return CARD_HEIGHT if moment.suggestions is None else CARD_HEIGHT + SENT_HEIGHT


def draw_card(
    canvas: Canvas,
    corner: Point,
    moment: Moment,
    agent: int,
    *,
    head: Callable[[Canvas, Point], None] | None = None,
) -> None:
    """An agent: its return (or `head`), its policy beside what others suggest, what it suggests."""
    x, y = corner
    draw_agent(canvas, (x + 8, y + 8), 8, agent)
    if head is None:
        canvas.text((x + 22, y + 8), f"return {number(float(moment.returns[agent]))}", 12)
    else:
        head(canvas, (x + 22, y + 8))
    suggested = None if moment.suggested is None else moment.suggested[agent]
    if suggested is not None and np.isnan(suggested).any():
        suggested = None
        canvas.text((x + card_width(moment), y + 8), "nobody near", 11, FAINT, "rm")
    _draw_bars(canvas, (x, y + 22), moment, suggested, agent)
    if moment.suggestions is not None:
        _draw_suggested(canvas, (x, y + BAR_HEIGHT + 52), moment, agent)


def _draw_bars(
    canvas: Canvas,
    corner: Point,
    moment: Moment,
    suggested: Float[np.ndarray, " A"] | None,
    agent: int,
) -> None:
    """A bar or two per action, the chosen one underlined."""
    x, top = corner
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


def _draw_suggested(canvas: Canvas, start: Point, moment: Moment, agent: int) -> None:
    """To whom the agent suggests what: of all, what exceeds the receiver's policy most."""
    x, y = start
    _draw_arrow(canvas, (x + 8, y), SYMBOL)
    change = moment.strongest(agent)
    if change is None:
        canvas.text((x + 22, y), "suggests no change", 11, FAINT)
        return
    draw_agent(canvas, (x + 29, y), 7, change.receiver)
    own = f"{moment.action_names[change.action]} {percent(change.own)}"
    canvas.text((x + 41, y), own, 11)
    end = x + 41 + text_width(own, 11)
    canvas.arrow((end + 5, y), (end + 17, y), INK, 1.2)
    canvas.text((end + 22, y), f"{percent(change.suggested)} %", 11)


def _draw_arrow(canvas: Canvas, centre: Point, size: Pixels) -> None:
    x, y = centre
    canvas.arrow((x - size / 2, y), (x + size / 2, y), SUGGESTION, 2.2)


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


def percent(share: float) -> str:
    """A share as a whole percentage, without its sign."""
    return f"{100 * share:.0f}"
