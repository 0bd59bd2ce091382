"""Figures as plain plotly data: lines with bands, bars with intervals, points, matrices.

Nothing is drawn here: the page's script draws, and gives paper, grid and text the colours of the
reader's light or dark page. Colours of series are chosen to be told apart on both.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

Figure = dict[str, Any]
Numbers = Sequence[float] | np.ndarray
Role = Literal["ours", "equilibrium", "selfish", "best", "planner", "uncontrolled", "limit"]

COLOURS: dict[Role, str] = {
    "ours": "#2f80d0",
    "equilibrium": "#d9722b",
    "selfish": "#a566cf",
    "best": "#2f9e62",
    "planner": "#a08a2c",
    "uncontrolled": "#8a9099",
    "limit": "#d64545",
}
DASHES: dict[Role, str] = {
    "ours": "solid",
    "equilibrium": "dash",
    "selfish": "dashdot",
    "best": "dot",
    "planner": "longdash",
    "uncontrolled": "longdashdot",
    "limit": "dash",
}
SIGNIFICANT_DIGITS = 5
LABEL_WIDTH = 20  # letters
LONGEST_TEXT = 60  # of a name in a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One line of a chart."""

    name: str
    role: Role
    x: Numbers | Sequence[str]
    y: Numbers
    low: Numbers | None = None  # of a band
    high: Numbers | None = None
    steps: bool = False  # a value holds until the next


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar, with its interval where there is one."""

    label: str
    role: Role
    value: float
    low: float | None = None
    high: float | None = None


def line_chart(
    series: Sequence[Series],
    *,
    x_title: str,
    y_title: str,
    limit: tuple[float, str] | None = None,
    x_axis: Mapping[str, Any] | None = None,
    y_axis: Mapping[str, Any] | None = None,
) -> Figure:
    """Lines over a common axis; `limit` is a horizontal mark with its name."""
    traces = [trace for one in series for trace in _line_traces(one)]
    layout: Figure = {
        "xaxis": {"title": {"text": plain(x_title)}, **(x_axis or {})},
        "yaxis": {"title": {"text": plain(y_title)}, **(y_axis or {})},
    }
    if limit is not None:
        level, name = limit
        layout["shapes"] = [_limit_line(level)]
        layout["annotations"] = [_limit_name(level, name)]
    return {"data": traces, "layout": layout}


def _line_traces(one: Series) -> list[Figure]:
    x, line = _axis(one.x), {"color": COLOURS[one.role], "width": 2, "dash": DASHES[one.role]}
    shape = {"shape": "hv"} if one.steps else {}
    traces: list[Figure] = []
    if one.low is not None and one.high is not None:
        edge = {
            "type": "scatter",
            "mode": "lines",
            "x": x,
            "hoverinfo": "skip",
            "showlegend": False,
        }
        soft = {"width": 0, **shape}
        fill = {"fill": "tonexty", "fillcolor": _faded(COLOURS[one.role])}
        traces += [
            {**edge, "y": numbers(one.low), "line": soft},
            {**edge, "y": numbers(one.high), "line": soft, **fill},
        ]
    main = {
        "type": "scatter",
        "mode": "lines",
        "name": plain(one.name),
        "x": x,
        "y": numbers(one.y),
    }
    return [*traces, {**main, "line": {**line, **shape}}]


def _limit_line(level: float) -> Figure:
    line = {"color": COLOURS["limit"], "width": 1.5, "dash": "dash"}
    return {
        "type": "line",
        "xref": "paper",
        "x0": 0,
        "x1": 1,
        "y0": level,
        "y1": level,
        "line": line,
    }


def _limit_name(level: float, name: str) -> Figure:
    place = {"xref": "paper", "x": 0, "xanchor": "left", "y": level, "yanchor": "bottom"}
    return {**place, "text": plain(name), "showarrow": False, "font": {"color": COLOURS["limit"]}}


def bar_chart(bars: Sequence[Bar], *, value_title: str, zero_line: bool = True) -> Figure:
    """Horizontal bars, the first on top."""
    up = [_reach(one.high, one.value) for one in bars]
    down = [_reach(one.value, one.low) for one in bars]
    trace = {
        "type": "bar",
        "orientation": "h",
        "y": [_in_lines(one.label) for one in bars],
        "x": numbers([one.value for one in bars]),
        "marker": {"color": [COLOURS[one.role] for one in bars]},
        **(
            {"error_x": {"type": "data", "array": numbers(up), "arrayminus": numbers(down)}}
            if any(up) or any(down)
            else {}
        ),
        "showlegend": False,
        "hovertemplate": "%{y}: %{x}<extra></extra>",
    }
    layout: Figure = {
        "xaxis": {"title": {"text": plain(value_title)}, "zeroline": zero_line},
        "yaxis": {"autorange": "reversed", "automargin": True},
    }
    return {"data": [trace], "layout": layout}


def _reach(high: float | None, low: float | None) -> float:
    if high is None or low is None or not math.isfinite(high - low):
        return 0.0
    return max(0.0, high - low)


def grouped_bars(
    labels: Sequence[str],
    groups: Mapping[str, tuple[Role, Numbers]],
    *,
    value_title: str,
    intervals: Mapping[str, tuple[Numbers, Numbers]] | None = None,
) -> Figure:
    """Upright bars side by side: for each label one of each group, with its ends if there are."""
    traces = [
        {"type": "bar", "name": plain(name), "x": [plain(one) for one in labels],
         "y": numbers(values), "marker": {"color": COLOURS[role]},
         **(_whiskers(values, *intervals[name]) if intervals else {})}
        for name, (role, values) in groups.items()
    ]  # fmt: skip
    return {"data": traces, "layout": {"yaxis": {"title": {"text": plain(value_title)}}}}


def _whiskers(values: Numbers, low: Numbers, high: Numbers) -> Figure:
    up = [_reach(end, value) for end, value in zip(high, values, strict=True)]
    down = [_reach(value, end) for end, value in zip(low, values, strict=True)]
    return {"error_y": {"type": "data", "array": numbers(up), "arrayminus": numbers(down)}}


def stacked_areas(
    x: Numbers,
    layers: Mapping[str, Numbers],
    *,
    x_title: str,
    y_title: str,
) -> Figure:
    """Shares on top of one another."""
    traces = [
        {"type": "scatter", "mode": "lines", "name": plain(name), "x": _axis(x), "y": numbers(y),
         "stackgroup": "all", "line": {"width": 0.5, "color": colour}, "fillcolor": colour}
        for (name, y), colour in zip(layers.items(), _many_colours(len(layers)), strict=True)
    ]  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": plain(x_title)}},
        "yaxis": {"title": {"text": plain(y_title)}},
    }
    return {"data": traces, "layout": layout}


def point_chart(
    points: Mapping[str, tuple[Role, Numbers, Numbers]],
    *,
    x_title: str,
    y_title: str,
    diagonal: bool = False,
    names: Sequence[str] = (),
) -> Figure:
    """Clouds of points; `diagonal` marks where both axes are equal."""
    traces: list[Figure] = [
        {"type": "scatter", "mode": "markers", "name": plain(name), "x": numbers(x),
         "y": numbers(y), "text": [plain(one) for one in names],
         "marker": {"color": COLOURS[role], "size": 7, "opacity": 0.75}}
        for name, (role, x, y) in points.items()
    ]  # fmt: skip
    layout: Figure = {
        "xaxis": {"title": {"text": plain(x_title)}},
        "yaxis": {"title": {"text": plain(y_title)}},
    }
    everything = np.concatenate(
        [np.r_[np.asarray(x), np.asarray(y)] for _, x, y in points.values()]
    )
    if diagonal and len(everything):
        ends = [float(np.nanmin(everything)), float(np.nanmax(everything))]
        line = {"color": COLOURS["uncontrolled"], "width": 1, "dash": "dot"}
        traces.append(
            {"type": "scatter", "mode": "lines", "x": ends, "y": ends, "line": line,
             "hoverinfo": "skip", "showlegend": False}
        )  # fmt: skip
    return {"data": traces, "layout": layout}


def matrix_chart(
    values: Float[np.ndarray, "row column"],
    *,
    row_title: str,
    column_title: str,
    unit: str,
) -> Figure:
    """Who to whom: a square of colour per pair."""
    trace = {
        "type": "heatmap",
        "z": [numbers(row) for row in values],
        "colorscale": "Viridis",
        "colorbar": {"title": {"text": plain(unit)}, "thickness": 12},
        "hovertemplate": f"%{{y}} → %{{x}}: %{{z}} {plain(unit)}<extra></extra>",
    }
    layout = {
        "xaxis": {
            "title": {"text": plain(column_title)},
            "constrain": "domain",
            "automargin": False,
        },
        "yaxis": {
            "title": {"text": plain(row_title)},
            "autorange": "reversed",
            "scaleanchor": "x",
            "automargin": False,
        },
    }
    return {"data": [trace], "layout": layout}


def numbers(values: Numbers) -> list[float | None]:
    """Values as JSON has them: rounded, null where there is none."""
    return [
        float(f"{value:.{SIGNIFICANT_DIGITS}g}") if math.isfinite(value) else None
        for value in np.asarray(values, dtype=float)
    ]


def _axis(values: Numbers | Sequence[str]) -> list[Any]:
    if len(values) and isinstance(values[0], str):
        return [plain(str(one)) for one in values]
    return numbers(np.asarray(values, dtype=float))


def _in_lines(text: str) -> str:
    """A label of a few short lines, for narrow screens."""
    return "<br>".join(plain(line) for line in textwrap.wrap(text[:LONGEST_TEXT], LABEL_WIDTH))


def plain(text: str) -> str:
    """Text that plotly, which knows a few tags, takes as text; of a length that can be drawn."""
    if len(text) > LONGEST_TEXT:
        text = text[:LONGEST_TEXT] + "…"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _faded(colour: str) -> str:
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.18)"


def _many_colours(count: int) -> list[str]:
    """As many colours as needed, the well known ones first."""
    known = ["#2f80d0", "#d9722b", "#2f9e62", "#a566cf", "#a08a2c", "#d64545", "#3aa6a6", "#8a9099"]
    return [known[number % len(known)] for number in range(count)]
