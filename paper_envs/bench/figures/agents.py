"""Final returns against the number of agents, by task: SS and who learns alone."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from paper_envs.bench.figures.style import (
    RETURN_AXIS,
    Figure,
    Series,
    Style,
    algorithm_style,
    canvas,
    finished,
    in_words,
    legend_below,
    variant_style,
)
from paper_envs.bench.results.comparisons import Suite, interval_of, sample
from paper_envs.tasks import TASKS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ALGORITHMS = ("ss", "independent")
FEW = "m4"  # four neighbours drawn at random, where SS was not run with all
LEAST_SIZES = 2


def numbers_of_agents(suite: Suite) -> Figure | None:
    """Ours: how returns change with the number of agents."""
    found = {task: _series(suite, task) for task in suite.tasks if suite.in_paper}
    drawn = {task: lines for task, lines in found.items() if lines}
    if not drawn:
        return None
    title = f"Final averaged return by number of agents (preset {suite.preset})"
    figure, axes = canvas(len(drawn), title)
    words = []
    for axis, (task, lines) in zip(axes, drawn.items(), strict=True):
        for name, by_size in lines.items():
            _draw(axis, algorithm_style(name), by_size)
        sizes = sorted({size for by_size in lines.values() for size in by_size})
        axis.set_xscale("log", base=2)
        axis.set_xticks(sizes, [str(size) for size in sizes])
        axis.minorticks_off()
        axis.set_title(TASKS[task].title)
        axis.set_xlabel("agents")
        axis.set_ylabel(RETURN_AXIS)
        words += [
            f"{TASKS[task].title}, {size} agents: {in_words([one])}"
            for by_size in lines.values()
            for size, one in by_size.items()
        ]
    legend_below(figure, axes)
    caption = (
        "Interquartile mean over seeds and 95 % bootstrap interval. Groups of different sizes may "
        "train on different numbers of episodes: see how far every condition came."
    )
    few = sorted(_sizes_of_few(drawn.values()))
    if few:
        listed = " or ".join(map(str, few))
        caption = f"{caption} With {listed} agents, SS has {variant_style(FEW).title} an agent."
    alt = f"Line charts of final averaged return. {'; '.join(words)}."
    return finished(figure, suite, "fig-agents", title=title, caption=caption, alt=alt)


def _series(suite: Suite, task: str) -> dict[str, dict[int, Series]]:
    """By algorithm and number of agents; only algorithms that were run with several numbers."""
    sizes = sorted({cell.num_agents for cell in suite.cells if cell.task == task})
    lines: dict[str, dict[int, Series]] = {}
    for name in ALGORITHMS:
        runs = {size: suite.runs(task, name, num_agents=size) for size in sizes}
        if name == "ss":
            few = {size: suite.runs(task, name, num_agents=size, variant=FEW) for size in sizes}
            runs = {size: runs[size] or few[size] for size in sizes}
        present = {
            size: Series(style=algorithm_style(name), runs=each)
            for size, each in runs.items()
            if sample(each).size
        }
        if len(present) >= LEAST_SIZES:
            lines[name] = present
    return lines


def _sizes_of_few(drawn: Iterable[dict[str, dict[int, Series]]]) -> set[int]:
    """Numbers of agents at which SS stands for itself with fewer neighbours."""
    return {
        size
        for lines in drawn
        for size, one in lines.get("ss", {}).items()
        if any(run.cell.variant for run in one.runs)
    }


def _draw(axis: "Axes", style: Style, by_size: dict[int, Series]) -> None:
    intervals = [(size, interval_of(sample(one.runs))) for size, one in by_size.items()]
    known = [(size, found) for size, found in intervals if found is not None]
    axis.plot(
        [size for size, _ in known],
        [found.estimate for _, found in known],
        color=style.colour,
        linestyle=style.dashes,
        linewidth=style.width,
        marker=style.marker,
        label=style.title,
    )
    for size, found in known:
        axis.plot([size, size], [found.low, found.high], color=style.colour, linewidth=1.4)
