"""Schelling diagrams as a picture: a panel per task."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from paper_envs.bench.figures.style import (
    GREY,
    SETTINGS,
    Style,
    canvas,
    legend_below,
    saved,
)
from paper_envs.dilemma.measure import TaskDiagram
from paper_envs.dilemma.schelling import Diagram
from paper_envs.dilemma.words import shown
from ss_core.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COOPERATES = Style(title="one who cooperates", colour="#0072B2", marker="o", width=2.2)
DEFECTS = Style(title="one who defects", colour="#D55E00", dashes=(0, (5, 2)), marker="s")
ALL = Style(title="mean of all, if the one defects", colour=GREY, dashes=(0, (1, 1.5)), marker=".")
MOST_COLUMNS = 3
TITLE = "What it pays to defect (bands: 95 % bootstrap intervals)"
MOST_TICKS = 10


def drawn(diagrams: Sequence[TaskDiagram]) -> tuple[bytes, bytes]:
    """PNG and SVG; the paper's tasks and small variants never share a picture.

    Raises:
        ValueError: they would.
    """
    if len({one.group for one in diagrams}) != 1:
        raise ValueError("a picture is of the paper's tasks or of small variants, never of both")
    from matplotlib import rc_context

    with rc_context(SETTINGS):
        figure, axes = canvas(len(diagrams), TITLE, columns=MOST_COLUMNS)
        for axis, one in zip(axes, diagrams, strict=True):
            _draw(axis, one.diagram)
            axis.set_title(f"{one.title}, {one.num_agents} agents")
        axes[0].set_ylabel("return per episode")
        legend_below(figure, axes, columns=3 if len(axes) > 1 else 1)  # a panel is narrow
        return saved(figure)


def _draw(axis: "Axes", diagram: Diagram) -> None:
    others = [point.others for point in diagram.points]
    for style, intervals in (
        (COOPERATES, [point.cooperates for point in diagram.points]),
        (DEFECTS, [point.defects for point in diagram.points]),
        (ALL, [point.all_agents for point in diagram.points]),
    ):
        _draw_line(axis, others, intervals, style)
    axis.set_xticks(others[:: -(-len(others) // MOST_TICKS)])
    axis.set_xlabel(f"number of others who cooperate\n\n{_answers(diagram)}")
    axis.margins(x=0.06, y=0.08)


def _draw_line(
    axis: "Axes", others: Sequence[int], intervals: Sequence[Interval], style: Style
) -> None:
    low, high = [one.low for one in intervals], [one.high for one in intervals]
    axis.fill_between(others, low, high, color=style.colour, alpha=0.18, linewidth=0)
    axis.plot(
        others,
        [one.estimate for one in intervals],
        color=style.colour,
        linestyle=style.dashes,
        linewidth=style.width,
        marker=style.marker,
        markeredgecolor="white",
        markeredgewidth=0.6,
        label=style.title,
    )


def _answers(diagram: Diagram) -> str:
    """The three tests, a line each."""
    return "\n".join(
        f"{one.name}: {one.verdict}, {shown(one.difference)}" for one in diagram.questions
    )
