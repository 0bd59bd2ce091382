"""Networks as plain plotly data: polylines coloured by class, equal scales, no map tiles."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ss_core.report.charts import COLOURS, Figure, Numbers, numbers, plain

HEAT = [
    "#7b8a99",
    "#b59a2e",
    "#e08a2e",
    "#dd5546",
    "#b02a6b",
]  # of a network's classes, low to high


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Part of a network to draw: a polyline, and how it fares."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    value: float  # decides the colour class
    width: float = 2.0  # px


def network_chart(
    stretches: Sequence[Stretch],
    *,
    bounds: Sequence[float],
    unit: str,
    title: str = "",
    points: tuple[Sequence[float], Sequence[float], Sequence[str]] | None = None,
    point_values: Sequence[float] = (),
    point_bounds: Sequence[float] = (),
) -> Figure:
    """A network on plain axes of equal scale: one colour per class of `bounds` (rising, inner).

    Stretches of one class and width are one trace, so that thousands cost little. `points` are
    x, y and hover texts of nodes, coloured by `point_values` within `point_bounds`.
    """
    classes = np.searchsorted(np.asarray(bounds, float), [one.value for one in stretches], "right")
    traces: list[Figure] = []
    for number in range(len(bounds) + 1):
        chosen = [one for one, at in zip(stretches, classes, strict=True) if at == number]
        traces += _class_traces(
            chosen, HEAT[min(number, len(HEAT) - 1)], _range(bounds, number, plain(unit))
        )
    if points is not None:
        traces.append(_point_trace(points, point_values, point_bounds))
    axis = {"visible": False, "showgrid": False, "zeroline": False}
    layout: Figure = {"xaxis": axis, "yaxis": {**axis, "scaleanchor": "x"}, "hovermode": "closest"}
    if title:
        layout["title"] = {"text": plain(title), "x": 0, "xanchor": "left"}
    return {"data": traces, "layout": layout}


def _class_traces(chosen: Sequence[Stretch], colour: str, name: str) -> list[Figure]:
    by_width: dict[float, list[Stretch]] = {}
    for one in chosen:
        by_width.setdefault(round(one.width, 0), []).append(one)
    traces: list[Figure] = []
    for width, group in sorted(by_width.items(), reverse=True):  # the legend shows the widest
        x: list[float | None] = []
        y: list[float | None] = []
        text: list[str] = []
        for one in group:
            x += [*numbers(one.x), None]
            y += [*numbers(one.y), None]
            text += [plain(one.name)] * len(one.x) + [""]
        traces.append(
            {"type": "scatter", "mode": "lines", "x": x, "y": y, "text": text, "hoverinfo": "text",
             "line": {"color": colour, "width": width}, "name": name, "legendgroup": name,
             "showlegend": not traces}
        )  # fmt: skip
    return traces


def _point_trace(
    points: tuple[Sequence[float], Sequence[float], Sequence[str]],
    values: Sequence[float],
    bounds: Sequence[float],
) -> Figure:
    x, y, text = points
    at = np.searchsorted(np.asarray(bounds, float), values, "right")
    colours = [HEAT[min(int(number), len(HEAT) - 1)] for number in at] or COLOURS["uncontrolled"]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": numbers(x),
        "y": numbers(y),
        "text": [plain(one) for one in text],
        "hoverinfo": "text",
        "marker": {"size": 7, "color": colours},
        "showlegend": False,
    }


def _range(bounds: Sequence[float], number: int, unit: str) -> str:
    if not len(bounds):
        return unit
    if number == 0:
        return f"below {bounds[0]:g} {unit}"
    if number == len(bounds):
        return f"{bounds[-1]:g} {unit} and more"
    return f"{bounds[number - 1]:g} to {bounds[number]:g} {unit}"


def class_bounds(values: Numbers, count: int = 4) -> list[float]:
    """Round inner bounds of up to `count` + 1 classes of positive values, finer where few are."""
    known = np.asarray(values, dtype=float)
    known = known[np.isfinite(known) & (known > 0)]
    if not len(known):
        return [1.0]
    found = np.quantile(known, np.linspace(0.3, 0.97, count))
    return sorted({float(f"{bound:.1g}") for bound in found})
