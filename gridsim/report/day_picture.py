"""The hardest day of a run as two pictures for documents, on light and on dark pages."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gridsim.report.page import SELFISH, demand_of, hardest_day, limit_kw
from gridsim.results.labels import LABELS
from ss_core.analysis.run_data import Frame, RunData
from ss_core.errors import InputError
from ss_core.report.labels import title_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCH = (9.0, 3.8)
WORDS = {SELFISH: "each for itself (Nash)", "ss": "with suggestions (SS)"}
SETTINGS: Any = {
    "font.size": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.hashsalt": "suggestion-sharing",  # the same bytes for the same run
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours that are read on one kind of page."""

    text: str
    grid: str
    before: str
    after: str
    limit: str


THEMES = {
    "light": Theme(
        text="#1f2328", grid="#d1d9e0", before="#bc4c00", after="#0969da", limit="#59636e"
    ),
    "dark": Theme(
        text="#f0f6fc", grid="#3d444d", before="#f0883e", after="#58a6ff", limit="#9198a1"
    ),
}


def day_pictures(data: RunData) -> dict[str, bytes]:
    """SVG by file name: demand of the feeder before and after, and what its transformer carries.

    Raises:
        InputError: the run has no traces, or no row of selfish households.
        CorruptError: a table cannot be read.
    """
    demand = demand_of(data)
    day = hardest_day(demand)
    if day is None:
        raise InputError(f"{data.folder}: no traces of selfish households; run with --trace agent")
    rows = {
        name: demand[(demand["algorithm"] == name) & (demand["day"] == day)].sort_values("step")
        for name in (SELFISH, data.algorithm)
    }
    return {f"hardest-day-{name}.svg": _drawn(data, rows, theme) for name, theme in THEMES.items()}


def _drawn(data: RunData, rows: Mapping[str, Frame], theme: Theme) -> bytes:
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(SETTINGS):
        figure = Figure(figsize=SIZE_INCH, layout="constrained")
        axes = figure.subplots()
        for (name, one), colour in zip(rows.items(), (theme.before, theme.after), strict=True):
            peak_kw = one["p_total_kw"].max()
            axes.step(
                one["hour"], one["p_total_kw"], where="post", color=colour, linewidth=2.0,
                label=f"{WORDS.get(name, title_of(LABELS, name))}: peak {peak_kw:.0f} kW",
            )  # fmt: skip
        _draw_limit(axes, data, theme)
        _dress(axes, data, theme)
        figure.legend(
            loc="outside lower center", ncols=3, frameon=False, labelcolor=theme.text, fontsize=10.5
        )
        written = io.BytesIO()
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    return written.getvalue()


def _draw_limit(axes: "Axes", data: RunData, theme: Theme) -> None:
    limit = limit_kw(data)
    if limit is not None:
        kw, words = limit
        for line in axes.lines:
            hours, demand_kw = (np.asarray(values) for values in line.get_data())
            top, colour = np.maximum(demand_kw, kw), line.get_color()
            axes.fill_between(hours, kw, top, step="post", color=colour, alpha=0.25, linewidth=0)
        axes.axhline(kw, color=theme.limit, linestyle=(0, (5, 3)), linewidth=1.4, label=words)


def _dress(axes: "Axes", data: RunData, theme: Theme) -> None:
    """Axes, title and legend in the colours of the theme."""
    first, last = axes.dataLim.x0, axes.dataLim.x1
    ticks = range(int(first), int(first) + 25, 4)
    axes.set_xticks(list(ticks), [f"{hour % 24}:00" for hour in ticks])
    axes.set_xlim(first, max(last, first + 24))
    axes.set_ylim(bottom=min(0.0, axes.dataLim.y0))
    axes.set_ylabel("demand of the feeder, kW", color=theme.text)
    title = f"The hardest held-out day of {data.config['households']} households"
    axes.set_title(title, loc="left", color=theme.text, fontsize=12, fontweight="bold")
    axes.tick_params(colors=theme.text)
    axes.grid(axis="y", color=theme.grid, linewidth=0.8)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_color(theme.grid)
