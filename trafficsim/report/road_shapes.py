"""Shapes of edges as a picture needs them: few points, directions side by side, no road hidden.

Pure geometry; what the picture says is in `report_network`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

LARGEST_NET = 2000  # edges in a picture
SMALL_NET = 500  # up to so many edges it is drawn whole
FINENESS = 1000  # parts of a picture's width that can be told apart
MARGIN = 0.1  # of the part with traffic, around it
FAR_TOO_SHORT = 1.5  # length over drawn length
ON_TOP_M = 2.0  # two ways that near are drawn on top of each other
BOW = 0.25  # height of the largest bow over its chord

Course = Float[ndarray, "_ 2"]  # points of a way, any number


@dataclass(frozen=True, slots=True)
class Road:
    """An edge of the net."""

    name: str
    shape: str  # as SUMO writes it: x,y x,y …; heights may follow
    length_m: float


def road_courses(roads: Sequence[Road], traffic: Mapping[str, float]) -> dict[str, Course]:
    """What to draw of each road, m from the corner of the picture.

    `traffic` says how much there is on the roads that have any. A picture of many roads is cut to
    the part with traffic; of too many the emptiest are left out.
    """
    known = {road.name: (road, points_of(road.shape)) for road in roads}
    known = {name: (road, points) for name, (road, points) in known.items() if len(points) > 1}
    every = [points for _, points in known.values()]
    used = [points for name, (_, points) in known.items() if traffic.get(name, 0.0) > 0]
    low, high = _box(used if used and len(known) > SMALL_NET else every)
    shown = [
        (road, points)
        for road, points in known.values()
        if traffic.get(road.name, 0.0) > 0 or _meets(points, low, high)
    ]
    shown.sort(key=lambda one: -traffic.get(one[0].name, 0.0))
    shown = shown[:LARGEST_NET]
    if not shown:
        return {}
    corner, far = _box([points for _, points in shown], margin=0.0)
    step_m = max(float((far - corner).max()), 1.0) / FINENESS
    every = [points for _, points in shown]
    courses = {}
    for road, points in shown:
        way = bowed(points, road.length_m) if hides(points, road.length_m, every) else points
        courses[road.name] = beside(simplified(way - corner, step_m / 2), 2.0 * step_m)
    return courses


def points_of(shape: str) -> Course:
    """Coordinates of a shape; none where it cannot be read."""
    try:
        points = [[float(word) for word in one.split(",")[:2]] for one in shape.split()]
        found = np.array(points, dtype=float).reshape(-1, 2)
    except ValueError:
        return np.zeros((0, 2))
    return found if np.isfinite(found).all() else np.zeros((0, 2))


def _box(
    courses: Sequence[Course], margin: float = MARGIN
) -> tuple[Float[ndarray, " 2"], Float[ndarray, " 2"]]:
    if not courses:
        return np.zeros(2), np.zeros(2)
    every = np.concatenate(courses)
    low, high = every.min(axis=0), every.max(axis=0)
    around = margin * max(1.0, float((high - low).max()))
    return low - around, high + around


def _meets(points: Course, low: Float[ndarray, " 2"], high: Float[ndarray, " 2"]) -> bool:
    return bool(((points >= low) & (points <= high)).all(axis=1).any())


def hides(points: Course, length_m: float, others: Sequence[Course]) -> bool:
    """Whether a straight road, drawn much shorter than it is, lies on top of a shorter one.

    Nets made by hand have ways round as straight lines on top of the way that they lead round.
    """
    start, along = points[0], points[-1] - points[0]
    drawn_m = float(np.linalg.norm(along))
    if len(points) > 2 or drawn_m == 0.0 or length_m < FAR_TOO_SHORT * drawn_m:
        return False
    ends = np.array([(other[0], other[-1]) for other in others]) - start
    way = ends @ along / drawn_m
    off = np.abs(along[0] * ends[..., 1] - along[1] * ends[..., 0]) / drawn_m
    on_top = (off < ON_TOP_M) & (way > -ON_TOP_M) & (way < drawn_m + ON_TOP_M)
    shorter = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) < drawn_m - 2.0 * ON_TOP_M
    return bool((on_top.all(axis=1) & shorter).any())


def bowed(points: Course, length_m: float) -> Course:
    """A straight road with a bow to its right, the larger the longer it is than its drawing."""
    chord = points[-1] - points[0]
    way = np.linspace(0.0, 1.0, 9)[:, None]
    right = np.array([chord[1], -chord[0]])
    height = 4.0 * way * (1.0 - way) * BOW * (1.0 - float(np.linalg.norm(chord)) / length_m)
    return points[0] + way * chord + height * right


def simplified(points: Course, tolerance_m: float) -> Course:
    """Fewer points, none of those left out farther off (Douglas and Peucker, 1973)."""
    keep, spans = {0, len(points) - 1}, [(0, len(points) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        off = _distances(points[first + 1 : last], points[first], points[last])
        farthest = first + 1 + int(off.argmax())
        if off.max() > tolerance_m:
            keep.add(farthest)
            spans += [(first, farthest), (farthest, last)]
    return points[sorted(keep)]


def _distances(
    points: Course, start: Float[ndarray, " 2"], end: Float[ndarray, " 2"]
) -> Float[ndarray, " point"]:
    along, away = end - start, points - start
    length = float(np.linalg.norm(along))
    if length == 0.0:
        return np.linalg.norm(away, axis=1)
    return np.abs(along[0] * away[:, 1] - along[1] * away[:, 0]) / length


def beside(points: Course, distance_m: float) -> Course:
    """The same way, moved to its right, so that both directions of a road can be seen."""
    along = np.asarray(np.gradient(points, axis=0))
    length = np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return points + distance_m * np.stack([along[:, 1], -along[:, 0]], axis=1) / length
