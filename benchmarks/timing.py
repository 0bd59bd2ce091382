"""Time of pieces of work that take turns, so that all of them meet the same noise."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of one piece of work, repeat by repeat."""

    cpu_s: Float[np.ndarray, " repeat"]  # of this process
    wall_s: Float[np.ndarray, " repeat"]

    @property
    def cpu_ms(self) -> str:
        """Processor time: least / median."""
        return _least_and_median(self.cpu_s)

    @property
    def wall_ms(self) -> str:
        """Time passed: least / median."""
        return _least_and_median(self.wall_s)

    def over(self, other: "Spent") -> str:
        """How many times as much processor time as another one: by the least, by the median."""
        by_least = self.cpu_s.min() / other.cpu_s.min()
        by_median = np.median(self.cpu_s) / np.median(other.cpu_s)
        return f"{by_least:.1f} / {by_median:.1f}"


def _least_and_median(seconds: Float[np.ndarray, " repeat"]) -> str:
    return f"{1e3 * seconds.min():.1f} / {1e3 * np.median(seconds):.1f}"


def seconds_of(work: Callable[[], object]) -> tuple[float, float]:
    """Processor and wall time of one call."""
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    work()
    return time.process_time() - cpu_s, time.perf_counter() - wall_s


def spent_in(rounds: Sequence[Sequence[tuple[float, float]]], warm_ups: int = 1) -> list[Spent]:
    """Per piece of work what its rounds took; the first ones only warm up."""
    table = np.array(rounds)[warm_ups:]
    return [Spent(*table[:, piece].T) for piece in range(table.shape[1])]


def in_turn(work: Sequence[Callable[[], object]], repeats: int) -> list[Spent]:
    """Every piece of work once per round, in the order given."""
    return spent_in([[seconds_of(piece) for piece in work] for _ in range(repeats + 1)])


def least_cpu_s(work: Sequence[Callable[[], object]], repeats: int) -> Float[np.ndarray, " piece"]:
    """Least processor time of every piece."""
    return np.array([spent.cpu_s.min() for spent in in_turn(work, repeats)])
