"""How the actions of somebody's own game are packed: one family of distributions for all agents.

Discrete actions are one choice among a few. MultiDiscrete and MultiBinary are several choices at
once; where some agents have fewer, what they lack is masked. Box actions are real numbers, squashed
into the bounds; agents with fewer numbers have some that do nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float
from numpy import ndarray

from ss_core.errors import ConfigError

MASK_KEY = "action_mask"
CHOICES = (spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionLayout:
    """The action spaces of all agents, and what they have in common."""

    spaces: tuple[spaces.Space, ...]
    options: tuple[tuple[int, ...], ...]  # of each agent: of each of its choices; empty for Box
    parts: tuple[int, ...]  # of several choices at once: the most options of each
    dimensions: int  # > 0: real numbers, of the agent that has most

    @property
    def size(self) -> int:
        """Numbers that describe a policy at one state (`EnvSpec.num_actions`)."""
        if self.dimensions:
            return 2 * self.dimensions
        return sum(self.parts) or max(count for (count,) in self.options)

    def legal(self, n: int) -> Bool[ndarray, " A"]:
        """The mask of agent n where everything in its space is allowed."""
        if self.dimensions:
            return np.ones(self.size, dtype=np.bool_)
        return self._placed(n, [np.ones(count, dtype=np.bool_) for count in self.options[n]])

    def masked(
        self, n: int, agent: object, observation: Any, info: Mapping[str, Any]
    ) -> Bool[ndarray, " A"]:
        """The agent's own mask, from its info or its observation; all actions if it has none.

        Raises:
            ConfigError: a mask that does not fit the space.
        """
        given = info.get(MASK_KEY)
        if given is None and isinstance(observation, Mapping):
            given = observation.get(MASK_KEY)
        if given is None:
            return self.legal(n)
        if self.dimensions:
            raise ConfigError(
                f"action mask of {agent!r}: its actions are real numbers, which no mask fits; "
                "leave it out"
            )
        counts = self.options[n]
        try:
            parts = [np.asarray(part, dtype=np.bool_) for part in _parts_of(given, counts)]
        except (TypeError, ValueError):
            parts = []
        if [part.shape for part in parts] != [(count,) for count in counts] or not all(
            part.any() for part in parts
        ):
            wanted = " and ".join(map(str, counts))
            shown = np.asarray(given, dtype=object).tolist()
            raise ConfigError(
                f"action mask of {agent!r} is {shown}; it needs {wanted} entries, one true"
            )
        return self._placed(n, parts)

    def _placed(self, n: int, parts: Sequence[Bool[ndarray, " _"]]) -> Bool[ndarray, " A"]:
        """Masks of the choices of one agent in the row of all; what it lacks has one option."""
        row, at = np.zeros(self.size, dtype=np.bool_), 0
        if not self.parts:
            row[: len(parts[0])] = parts[0]
            return row
        for place, count in enumerate(self.parts):
            mask = parts[place] if place < len(parts) else np.ones(1, dtype=np.bool_)
            row[at : at + len(mask)] = mask
            at += count
        return row

    def native(self, n: int, agent: object, action: Any) -> Any:
        """An action as the environment takes it.

        Raises:
            ConfigError: an option that the agent does not have.
        """
        space = self.spaces[n]
        if isinstance(space, spaces.Box):
            return squashed(space, np.asarray(action, dtype=np.float64))
        counts = self.options[n]
        chosen = [action] if not self.parts else list(action[: len(counts)])
        for option, count in zip(chosen, counts, strict=True):
            if not 0 <= option < count:
                raise ConfigError(
                    f"action {option} of {agent!r} is not in 0..{count - 1}; choose by the action "
                    "mask"
                )
        if isinstance(space, spaces.Discrete):
            return int(space.start) + int(chosen[0])
        array = np.asarray(chosen, dtype=space.dtype).reshape(space.shape)
        return array + space.start if isinstance(space, spaces.MultiDiscrete) else array

    def drawn(self, mask: Bool[ndarray, "N A"], rng: np.random.Generator) -> list[Any]:
        """A random legal action of everybody."""
        if self.dimensions:
            return rng.standard_normal((len(mask), self.dimensions)).tolist()
        if not self.parts:
            return [int(rng.choice(np.flatnonzero(row))) for row in mask]
        ends = np.cumsum(self.parts)[:-1]
        return [[_one_of(part, rng) for part in np.split(row, ends)] for row in mask]


def action_layout(env: object, named: Mapping[Any, spaces.Space]) -> ActionLayout:
    """What agents have in common.

    Raises:
        ConfigError: a space that is not supported, or spaces that do not go together.
    """
    for agent, space in named.items():
        whole = isinstance(space, spaces.Box) and not np.issubdtype(space.dtype, np.floating)
        if whole or not isinstance(space, (*CHOICES, spaces.Box)):
            raise ConfigError(
                f"{env}: action space of {agent!r} is {space}; use Discrete, MultiDiscrete, "
                "MultiBinary, or a Box of floats"
            )
    found = tuple(named.values())
    boxes = [isinstance(space, spaces.Box) for space in found]
    if any(boxes) and not all(boxes):
        first, other = (next(a for a, s in named.items() if isinstance(s, spaces.Box) == box)
                        for box in (True, False))  # fmt: skip
        raise ConfigError(
            f"{env}: {first!r} acts by real numbers ({named[first]}) and {other!r} by choices "
            f"({named[other]}); give all agents one kind, as by choosing among a few values"
        )
    if all(boxes):
        dimensions = max(int(np.prod(space.shape or (1,))) for space in found)
        return ActionLayout(spaces=found, options=(), parts=(), dimensions=dimensions)
    options = tuple(_options(space) for space in found)
    single = all(isinstance(space, spaces.Discrete) for space in found)
    most = max(len(each) for each in options)
    parts = tuple(max(each[k] for each in options if k < len(each)) for k in range(most))
    return ActionLayout(spaces=found, options=options, parts=() if single else parts, dimensions=0)


def squashed(space: spaces.Box, action: Float[ndarray, " K"]) -> ndarray:
    """Real numbers in the bounds of a Box: by tanh between two, by softplus from one, or as is."""
    count = int(np.prod(space.shape or (1,)))
    u, low, high = action[:count], space.low.ravel(), space.high.ravel()
    below, above = np.isfinite(low), np.isfinite(high)
    least, most = np.where(below, low, 0.0), np.where(above, high, 0.0)
    softplus = np.logaddexp(0.0, u)
    value = np.where(
        below & above,
        least + (most - least) * (np.tanh(u) + 1.0) / 2.0,
        np.where(below, least + softplus, np.where(above, most - softplus, u)),
    )
    value = np.clip(value, low, high).astype(space.dtype).reshape(space.shape)
    return np.clip(value, space.low, space.high)


def _options(space: spaces.Space) -> tuple[int, ...]:
    if isinstance(space, spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, spaces.MultiDiscrete):
        return tuple(int(count) for count in space.nvec.ravel())
    assert isinstance(space, spaces.MultiBinary)
    return (2,) * int(np.prod(space.shape))


def _parts_of(given: Any, counts: tuple[int, ...]) -> list[Any]:
    """A mask by choice: gymnasium's tuple of masks, or all of them one after the other."""
    if len(counts) == 1:
        return [given[0] if isinstance(given, tuple) else given]
    if isinstance(given, (tuple, list)) and len(given) == len(counts) and np.ndim(given[0]) == 1:
        return list(given)
    flat = np.asarray(given).ravel()
    if len(flat) != sum(counts):
        raise ValueError("another number of entries")
    return np.split(flat, np.cumsum(counts)[:-1])


def _one_of(legal: Bool[ndarray, " K"], rng: np.random.Generator) -> int:
    """A legal option; the first where none is, as of those who do not decide."""
    return int(rng.choice(np.flatnonzero(legal))) if legal.any() else 0
