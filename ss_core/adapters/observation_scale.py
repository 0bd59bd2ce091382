"""Observations of somebody's own game in the range that networks learn in.

Two ways, entry by entry: `space` maps a bounded entry onto [-1, 1]; `moments` subtracts the mean
seen so far and divides by the standard deviation, agent by agent. `auto` leaves alone what its
space keeps within [-10, 10], maps what is bounded beyond, and standardises what is unbounded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Bool, Float
from numpy import ndarray
from torch import Tensor

ObservationScale = Literal["auto", "none", "space", "moments"]
SMALL = 10.0  # spaces within [-SMALL, SMALL] are left alone, and standardised entries are cut there
LARGEST = 1e6  # a bound beyond is none: some spaces give the largest float there is
LEAST_VARIANCE = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class EntryScales:
    """How each entry of each agent's flattened observation is scaled."""

    shift: Float[ndarray, "N O"]  # scaled = (entry - shift) * factor
    factor: Float[ndarray, "N O"]
    by_moments: Bool[ndarray, "N O"]

    @property
    def mapped(self) -> int:
        """How many entries are mapped by their space, of the agent with most."""
        return int((self.factor != 1.0).sum(axis=1).max(initial=0))

    @property
    def standardised(self) -> int:
        """How many entries are standardised by what was seen, of the agent with most."""
        return int(self.by_moments.sum(axis=1).max(initial=0))

    def words(self) -> str:
        """What is done to observations, in words; empty where nothing is."""
        parts = []
        if self.mapped:
            parts.append(f"{self.mapped} entries mapped from their space onto [-1, 1]")
        if self.standardised:
            parts.append(f"{self.standardised} unbounded entries standardised by running moments")
        return " and ".join(parts)


def entry_scales(
    observation_spaces: Sequence[spaces.Space], size: int, kind: ObservationScale
) -> EntryScales:
    """Scales of all agents, rows padded to `size` entries."""
    shape = (len(observation_spaces), size)
    shift, factor = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    by_moments = np.zeros(shape, np.bool_)
    for n, space in enumerate(observation_spaces):
        flat = spaces.flatten_space(space)
        assert isinstance(flat, spaces.Box)
        low, high = flat.low.astype(np.float64), flat.high.astype(np.float64)
        bounded = (low >= -LARGEST) & (high <= LARGEST) & (high > low)
        beyond = (low < -SMALL) | (high > SMALL)
        mapped = bounded & (beyond if kind == "auto" else kind == "space")
        width = np.where(mapped, high - low, 2.0)
        shift[n, : len(low)] = np.where(mapped, low, -1.0) + width / 2
        factor[n, : len(low)] = 2.0 / width
        unbounded = beyond & ~bounded
        by_moments[n, : len(low)] = unbounded if kind == "auto" else kind == "moments"
    return EntryScales(shift, factor, by_moments)


class RunningMoments:
    """Mean and variance of each entry of each agent, over the training episodes so far.

    They change between episodes alone (`adapt`): within one, all observations have one scale.
    """

    def __init__(self, by_moments: Bool[ndarray, "N O"]) -> None:
        self._by_moments = by_moments
        self._count = np.zeros((len(by_moments), 1))
        self._mean = np.zeros(by_moments.shape)
        self._squares = np.zeros(by_moments.shape)  # sum of squared deviations
        self._seen: list[tuple[ndarray, ndarray]] = []

    def forget_pending(self) -> None:
        """Leave out what was seen since the last `adapt`."""
        self._seen.clear()

    def scaled(
        self, observations: Float[ndarray, "E N O"], observed: Bool[ndarray, "E N"], *, new: bool
    ) -> Float[ndarray, "E N O"]:
        """Standardised where asked for and observed; `new` ones count at the next `adapt`."""
        if new:
            self._seen.append((observations, observed))
        spread = np.where(self._count > 1, self._squares / np.maximum(self._count, 1), 1.0)
        deviation = np.sqrt(np.maximum(spread, LEAST_VARIANCE))
        standard = np.clip((observations - self._mean) / deviation, -SMALL, SMALL)
        return np.where(
            self._by_moments & observed[..., None], standard.astype(np.float32), observations
        )

    def adapt(self) -> None:
        """Take in what was seen since the last reset (Chan, Golub and LeVeque 1983)."""
        if not self._seen:
            return
        rows = np.concatenate([each for each, _ in self._seen]).astype(np.float64)
        there = np.concatenate([observed for _, observed in self._seen])[..., None]
        self._seen.clear()
        count = there.sum(axis=0)
        mean = np.where(there, rows, 0.0).sum(axis=0) / np.maximum(count, 1)
        squares = np.where(there, (rows - mean) ** 2, 0.0).sum(axis=0)
        total, apart = self._count + count, mean - self._mean
        share = count / np.maximum(total, 1)
        self._squares += squares + apart**2 * self._count * share
        self._mean += apart * share
        self._count = total

    def state(self) -> dict[str, Tensor]:
        """Counts, means and sums of squared deviations."""
        parts = {"count": self._count, "mean": self._mean, "squares": self._squares}
        return {name: torch.from_numpy(part.copy()) for name, part in parts.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state`."""
        self.forget_pending()
        self._count, self._mean, self._squares = (
            state[name].numpy().copy() for name in ("count", "mean", "squares")
        )
