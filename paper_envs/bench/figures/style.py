"""Drawing primitives of the benchmark's figures: styles, curves, points with intervals, saving.

Matplotlib's object interface only, imported inside functions: nothing global is changed, and equal
data give equal bytes.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from paper_envs.bench.claims.evidence import shown
from paper_envs.bench.results.comparisons import (
    ALGORITHM_TITLES,
    Metric,
    Runs,
    Suite,
    curve_band,
    final_return,
    interval_of,
    sample,
    title_of,
)
from paper_envs.tasks import TASKS
from ss_core.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

BAND = "Lines: interquartile mean over seeds; bands: 95 % bootstrap intervals."
DOTS = "Small dots: seeds; large marks and bars: interquartile mean and 95 % bootstrap interval."
RETURN_AXIS = "averaged return (per agent and step)"
PNG_DPI = 150
PANEL_INCHES = (4.3, 3.1)
SETTINGS: dict[Any, Any] = {  # Matplotlib gives the type of its keys no public name
    "figure.facecolor": "white",
    "font.family": "DejaVu Sans",  # comes with Matplotlib
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.7,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "ss-bench",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one line is told from the others: by colour (Okabe & Ito), dashes and marker."""

    title: str
    colour: str
    dashes: str | tuple[int, tuple[int | float, ...]] = "-"
    marker: str = "o"
    width: float = 1.6


GREY = "#6b6b6b"
LINES = (  # of the algorithms in their order, then of those that others added
    ("#0072B2", "-", "o", 2.6),
    (GREY, (0, (1, 1)), "s", 1.6),
    ("#000000", (0, (5, 2)), "D", 1.6),
    ("#E69F00", (0, (4, 1, 1, 1)), "^", 1.6),
    ("#56B4E9", (0, (6, 1.5)), "v", 1.6),
    ("#009E73", (0, (3, 1)), "P", 1.6),
    ("#D55E00", (0, (2, 1, 1, 1, 1, 1)), "X", 1.6),
    ("#CC79A7", (0, (5, 1, 1, 1)), "*", 1.6),
    ("#F0E442", (0, (8, 2)), "h", 1.6),
)
ALGORITHMS: dict[str, Style] = {
    name: Style(title=title_of(name), colour=colour, dashes=dashes, marker=marker, width=width)
    for name, (colour, dashes, marker, width) in zip(ALGORITHM_TITLES, cycle(LINES), strict=False)
}
VARIANTS: dict[str, Style] = {
    "": Style(title="SS", colour="#0072B2", width=2.6),
    "rho0": Style(title="SS, ρ = ρ′ = 0", colour="#D55E00", dashes=(0, (5, 2)), marker="X"),
    "m6": Style(title="6 random neighbours", colour="#009E73", dashes=(0, (5, 1)), marker="^"),
    "m4": Style(title="4 random neighbours", colour="#E69F00", dashes=(0, (3, 1)), marker="v"),
    "m2": Style(title="2 random neighbours", colour="#CC79A7", dashes=(0, (2, 1)), marker="P"),
    "every2": Style(title="every 2nd update", colour="#D55E00", dashes=(0, (1, 1)), marker="X"),
    "radius": Style(title="neighbours in sight", colour="#000000", dashes="-.", marker="s"),
    "complete": Style(title="all neighbours", colour="#000000", dashes="-.", marker="D"),
}
FIG_8_VARIANTS = ("m6", "m4", "m2", "every2", "radius", "complete")
COMPONENTS: dict[str, str] = {  # one part of tuned SS taken away, or set back to the paper's
    "anchor-only": "no pull on policies (ρ′ = 0)",
    "follow-only": "no pull on suggestions (ρ = 0)",
    "equal-rho": "equal weights (ρ′ = ρ)",
    "product": "product of all ratios",
    "l2-follow": "squared distance for policies",
    "no-indicators": "no indicators",
    "mean-kappa": "κ of each batch alone",
    "no-baseline": "suggestions judged by Âᵢ itself",
    "slow-suggestions": "suggestions learned as slowly as policies",
    "lambda-0.98": "GAE λ = 0.98",
    "timeless-critic": "critic without time",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Runs of one cell and how they are drawn."""

    style: Style
    runs: Runs


def algorithm_style(name: str) -> Style:
    """The style of an algorithm; an unknown one is grey under its own name."""
    return ALGORITHMS.get(name, Style(title=name, colour=GREY, dashes=":"))


def variant_style(name: str) -> Style:
    """The style of a variant of SS."""
    title = COMPONENTS.get(name, name)
    return VARIANTS.get(name, Style(title=title, colour=GREY, dashes=":", marker="s"))


def algorithm_series(algorithms: Mapping[str, Runs]) -> list[Series]:
    """Series of the algorithms in their usual order, unknown ones last."""
    order = list(ALGORITHMS)

    def place(name: str) -> tuple[int, str]:
        return (order.index(name) if name in order else len(order), name)

    return [
        Series(style=algorithm_style(name), runs=algorithms[name])
        for name in sorted(algorithms, key=place)
    ]


def canvas(num_panels: int, title: str, *, columns: int = 2) -> "tuple[Canvas, list[Axes]]":
    """A figure with so many panels, and its panels."""
    from matplotlib.figure import Figure as Canvas

    wide = min(columns, num_panels)
    rows = -(-num_panels // wide)
    width = max(PANEL_INCHES[0] * wide, 6.4)
    figure = Canvas(figsize=(width, PANEL_INCHES[1] * rows + 1.0), layout="constrained")
    figure.suptitle(title, fontsize=12.5, fontweight="bold")
    grid = figure.subplots(rows, wide, squeeze=False).flatten()
    for empty in grid[num_panels:]:
        empty.remove()
    return figure, list(grid[:num_panels])


def draw_curves(axis: "Axes", series: Sequence[Series], column: str) -> None:
    """Interquartile mean over seeds against training episodes, with the band of its interval."""
    for one in series:
        band = curve_band(one.runs, column)
        if band is None:
            continue
        axis.fill_between(
            band.episodes, band.low, band.high, color=one.style.colour, alpha=0.16, linewidth=0
        )
        axis.plot(
            band.episodes,
            band.estimate,
            color=one.style.colour,
            linestyle=one.style.dashes,
            linewidth=one.style.width,
            marker=one.style.marker if band.episodes.size == 1 else None,  # no line to see
            label=one.style.title,
            zorder=2 if one.style.width > 2 else 3,  # the wide line beneath, or it hides others
        )
    axis.set_xlabel("training episodes")
    axis.margins(x=0.01)


def draw_points(
    axis: "Axes",
    samples: Sequence[tuple[Style, Float[np.ndarray, " _"]]],
) -> None:
    """One row per sample, first on top: seeds as small dots, then the mean and its interval."""
    for row, (style, values) in enumerate(samples):
        interval = interval_of(values)
        if interval is None:
            continue
        axis.scatter(values, np.full(values.size, row + 0.24), s=9, color=style.colour, alpha=0.45)
        draw_interval(axis, row, interval, style)
    axis.set_yticks(range(len(samples)), [style.title for style, _ in samples])
    axis.set_ylim(len(samples) - 0.4, -0.6)
    axis.locator_params(axis="x", nbins=5)
    axis.grid(visible=False, axis="y")


def draw_interval(axis: "Axes", row: int, interval: Interval, style: Style) -> None:
    """An estimate and its interval, lying."""
    axis.plot(
        [interval.low, interval.high], [row, row], color=style.colour, linewidth=2.2, zorder=2
    )
    axis.plot(
        interval.estimate,
        row,
        marker=style.marker,
        markersize=8,
        color=style.colour,
        markeredgecolor="white",
        markeredgewidth=0.6,
        zorder=3,
    )


def legend_below(figure: "Canvas", axes: Sequence["Axes"], *, columns: int = 4) -> None:
    """One legend for all panels, below them."""
    entries: dict[str, Artist] = {}
    for axis in axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        figure.legend(
            list(entries.values()),
            list(entries),
            loc="outside lower center",
            ncols=columns,
            columnspacing=1.4,
        )


def saved(figure: "Canvas") -> tuple[bytes, bytes]:
    """PNG and SVG of a figure; neither holds a date or a version."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once is enough
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=PNG_DPI, metadata={"Software": None})
    figure.savefig(
        svg, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    return png.getvalue(), svg.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A drawn figure with its words."""

    name: str  # of its files, without ending
    suite: str  # title of the suite
    title: str
    caption: str
    alt: str  # what it shows, for those who do not see it
    png: bytes
    svg: bytes


def finished(
    drawn: "Canvas", suite: Suite, name: str, *, title: str, caption: str, alt: str
) -> Figure:
    """The figure with its words, drawn as PNG and SVG."""
    png, svg = saved(drawn)
    caption = f"{caption} {unfinished_words(suite)}".rstrip()
    return Figure(
        name=f"{name}-{suite.slug}",
        suite=suite.title,
        title=title,
        caption=caption,
        alt=alt,
        png=png,
        svg=svg,
    )


def unfinished_words(suite: Suite) -> str:
    """How many runs were measured before their end, and where they count; empty if none were."""
    runs = [run for each in suite.cells.values() for run in each]
    count = sum(not run.finished for run in runs)
    if not count:
        return ""
    return (
        f"{count} of the {len(runs)} runs of this preset are not finished: marks, bars and numbers "
        "count them as far as they came, curves only where no run of a condition is finished."
    )


def place_name(task: str, num_agents: int) -> str:
    """Title of a panel."""
    return f"{TASKS[task].title}, {num_agents} agents"


def in_words(series: Iterable[Series], metric: Metric = final_return) -> str:
    """Estimates and intervals of all series, for a text alternative."""
    ends = []
    for one in series:
        interval = interval_of(sample(one.runs, metric))
        if interval is not None:
            ends.append(f"{one.style.title} {shown(interval)}")
    return ", ".join(ends) or "not measured"
