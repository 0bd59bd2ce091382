"""Which points of its axes a study visits: every combination, in pairs, or a Latin hypercube."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, numpy_generator

Design = Literal["grid", "paired", "latin-hypercube"]
DESIGNS: tuple[Design, ...] = ("grid", "paired", "latin-hypercube")
Point = Mapping[str, Any]  # value of each axis
MOST_STEPS = 10_000
DIGITS = 6  # of a number between two ends
RANGE_KEYS = {"from", "to", "steps", "log"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A setting and the values it takes: a list, or a range between two numbers."""

    key: str
    values: tuple[Any, ...] = ()
    low: float | None = None  # of a range; None: a list
    high: float | None = None
    log: bool = False  # steps of a range multiply
    whole: bool = False  # its ends are integers

    @property
    def is_range(self) -> bool:
        """Whether a Latin hypercube may draw between the ends."""
        return self.low is not None

    def at(self, share: float) -> Any:
        """The value at a share of the way, from 0 to 1."""
        if self.low is None or self.high is None:
            return self.values[min(len(self.values) - 1, int(share * len(self.values)))]
        if self.log:
            number = self.low * (self.high / self.low) ** share
        else:
            number = self.low + (self.high - self.low) * share
        return round(number) if self.whole else _shortened(number)


def axis_of(key: str, given: object) -> Axis:
    """An axis from what stands in a file: a list, or a table with `from`, `to`, `steps`, `log`.

    Raises:
        ConfigError: it is neither, empty, or names a value twice.
    """
    where = f"[axes] {key}"
    if isinstance(given, Mapping):
        return _range(key, given)
    if not isinstance(given, list):
        raise ConfigError(
            f"{where} = {given!r}: an axis has several values; write a list, as in [0.0, 0.5], or "
            "a range, as in { from = 0.0, to = 1.0, steps = 5 }"
        )
    if not given:
        raise ConfigError(f"{where} = []: an axis without values makes an empty grid; name some")
    shown = [repr(one) for one in given]
    twice = next((one for one in shown if shown.count(one) > 1), None)
    if twice is not None:
        raise ConfigError(f"{where}: {twice} stands there twice; leave one of them out")
    return Axis(key=key, values=tuple(given))


def _range(key: str, given: Mapping[str, Any]) -> Axis:
    where = f"[axes] {key}"
    ends = [given.get(name) for name in ("from", "to")]
    low, high = (_finite(end) for end in ends)
    steps, log = given.get("steps", 2), given.get("log", False)
    if set(given) - RANGE_KEYS or low is None or high is None or not low < high:
        raise ConfigError(
            f"{where}: a range is {{ from = NUMBER, to = NUMBER, steps = COUNT }} with from below "
            "to; `log = true` makes its steps multiply"
        )
    if type(steps) is not int or not 2 <= steps <= MOST_STEPS:
        raise ConfigError(f"{where}: steps = {steps!r}: an integer from 2 to {MOST_STEPS}")
    if not isinstance(log, bool) or (log and low <= 0):
        raise ConfigError(f"{where}: log = {log!r}: true needs from above 0, else false")
    empty = Axis(
        key=key, low=low, high=high, log=log, whole=all(isinstance(end, int) for end in ends)
    )
    values = tuple(dict.fromkeys(empty.at(step / (steps - 1)) for step in range(steps)))
    return Axis(key=key, values=values, low=low, high=high, log=log, whole=empty.whole)


def _finite(end: object) -> float | None:
    if isinstance(end, bool) or not isinstance(end, int | float) or not math.isfinite(end):
        return None
    return float(end)


def _shortened(number: float) -> float:
    return float(f"{number:.{DIGITS}g}")


def count_points(axes: Sequence[Axis], design: Design, samples: int) -> int:
    """How many points there are, none of them made.

    Raises:
        ConfigError: axes of a paired design differ in length.
    """
    lengths = [len(axis.values) for axis in axes]
    if design == "grid":
        return math.prod(lengths)
    if design == "latin-hypercube":
        return samples
    if len(set(lengths)) > 1:
        listed = ", ".join(f"{axis.key} has {len(axis.values)}" for axis in axes)
        raise ConfigError(
            f"[study] design = 'paired' takes the first values of all axes, then the second ones: "
            f"{listed}; give them equally many, or choose design = 'grid'"
        )
    return lengths[0]


def points_of(axes: Sequence[Axis], design: Design, samples: int, seed: int) -> list[Point]:
    """The points, in order; the last axis changes fastest."""
    names = [axis.key for axis in axes]
    if design == "latin-hypercube":
        return _latin_hypercube(axes, samples, seed)
    lists = [axis.values for axis in axes]
    rows = itertools.product(*lists) if design == "grid" else zip(*lists, strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _latin_hypercube(axes: Sequence[Axis], samples: int, seed: int) -> list[Point]:
    """Every axis is cut into as many parts as there are samples, and each part is met once."""
    rng = numpy_generator(seed, Stream.STUDY_DESIGN)
    places = [(rng.permutation(samples) + rng.random(samples)) / samples for _ in axes]
    return [
        {axis.key: axis.at(float(place[at])) for axis, place in zip(axes, places, strict=True)}
        for at in range(samples)
    ]


def column_names(axes: Sequence[Axis], taken: Sequence[str]) -> dict[str, str]:
    """A short name for each axis: the end of its key, or all of it where that is not its own."""
    ends = [axis.key.rpartition(".")[2] for axis in axes]
    names = {}
    for axis, end in zip(axes, ends, strict=True):
        whole = axis.key.replace(".", "_")
        name = end if ends.count(end) == 1 and end not in taken else whole
        names[axis.key] = f"axis_{name}" if name in taken else name
    return names


def seeds_in(given: object, default: int, most: int) -> tuple[int, ...]:
    """Seeds as a count, or one by one.

    Raises:
        ConfigError: neither.
    """
    if given is None:
        return tuple(range(default))
    if type(given) is int and 1 <= given <= most:
        return tuple(range(given))
    if isinstance(given, list) and given and all(type(one) is int and one >= 0 for one in given):
        if len(set(given)) < len(given):
            raise ConfigError(f"[study] seeds = {given}: one stands there twice; leave it out")
        return tuple(given)
    raise ConfigError(
        f"[study] seeds = {given!r}: how many (1 to {most}), or a list of integers from 0 on"
    )
