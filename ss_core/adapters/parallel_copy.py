"""One running copy of a PettingZoo `ParallelEnv`, packed into arrays, and checked as it plays.

What other people's code returns is not trusted: a wrong type, an unknown agent, a missing or a
non-finite number is one error that names environment, step and agent.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from jaxtyping import Bool, Float
from numpy import ndarray
from pettingzoo import ParallelEnv
from pettingzoo.utils.conversions import turn_based_aec_to_parallel_wrapper

from ss_core.adapters.action_layout import MASK_KEY, ActionLayout, action_layout
from ss_core.adapters.observation_scale import ObservationScale, entry_scales
from ss_core.env import Picture
from ss_core.errors import ConfigError, InputError, SuggestionSharingError
from ss_core.random_streams import Stream, numpy_generator

SMALLEST_PICTURE = 8  # pixels of each side
RESET_PARTS = ("observations", "infos")
STEP_PARTS = ("observations", "rewards", "terminations", "truncations", "infos")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How one `ParallelEnv` is packed into arrays."""

    agents: tuple[Any, ...]
    observation_spaces: tuple[spaces.Space, ...]  # without the mask
    observation_size: int  # of the largest
    actions: ActionLayout
    picture: Picture | None  # what everybody's observation is, if a picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """What one copy shows after `reset` or `step`."""

    observations: Float[ndarray, "N O"]
    observed: Bool[ndarray, " N"]  # whose rows are observations, not zeros
    rewards: Float[ndarray, " N"]
    action_mask: Bool[ndarray, "N A"]
    terminated: bool
    truncated: bool


class RunningCopy:
    """One `ParallelEnv`, its stream of episode seeds, and who is still playing."""

    def __init__(
        self, env: ParallelEnv, horizon: int, observation_scale: ObservationScale = "none"
    ) -> None:
        self.env = env
        self.layout = layout_of(env)
        seen, size = self.layout.observation_spaces, self.layout.observation_size
        self.scales = entry_scales(seen, size, observation_scale)
        self._horizon = horizon
        self._rng = numpy_generator(0, Stream.TRIED_EPISODES)
        self._playing: set[Any] = set()
        self._t = 0

    def seed_and_restart(self, rng: np.random.Generator) -> Packed:
        """Begin a new stream of episodes."""
        self._rng = rng
        return self.restart()

    def restart(self) -> Packed:
        """Begin the next episode of the stream."""
        seed, self._t = int(self._rng.integers(2**31)), 0
        observations, infos = self._ask("reset", RESET_PARTS, lambda: self.env.reset(seed=seed))
        self._playing = self._present()
        if not self._playing:
            raise ConfigError(f"{self.env}: reset leaves no agents; check its `agents`")
        return self._pack(observations, None, infos)

    def step(self, actions: list[Any]) -> Packed:
        """Pass on the actions of those who still play."""
        played, self._t = self._playing, self._t + 1
        chosen = _named_actions(self.layout, actions, played)
        observations, rewards, terminations, truncations, infos = self._ask(
            "step", STEP_PARTS, lambda: self.env.step(chosen)
        )
        cut = {agent for agent in played if truncations.get(agent, False)}
        left = cut | {agent for agent in played if terminations.get(agent, False)}
        self._playing = self._present() - left
        over = not self._playing
        truncated = bool(cut) if over else self._t >= self._horizon
        earned = _rewards(self._place, self.layout, rewards, played)
        return self._pack(
            observations, earned, infos, terminated=over and not truncated, truncated=truncated
        )

    @property
    def _place(self) -> str:
        return f"{self.env}, {f'step {self._t}' if self._t else 'reset'}"

    def _ask(self, method: str, parts: tuple[str, ...], call: Callable[[], Any]) -> tuple[Any, ...]:
        """What the environment answers: one dict per part, or an error in words."""
        try:
            answer: Any = call()
        except SuggestionSharingError:
            raise
        except Exception as error:  # other people's code may raise anything
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise InputError(
                f"{self._place}: the environment's {method} raised {reason}; --debug shows where"
            ) from error
        if not isinstance(answer, tuple) or len(answer) != len(parts):
            size = f"{len(answer)} values" if isinstance(answer, tuple) else type(answer).__name__
            raise InputError(
                f"{self._place}: {method} returned {size}, not the {len(parts)} dicts "
                f"{', '.join(parts)} of a ParallelEnv"
            )
        for name, part in zip(parts, answer, strict=True):
            if not isinstance(part, Mapping):
                raise InputError(
                    f"{self._place}: {name} are a {type(part).__name__}, not a dict by agent"
                )
        return answer

    def _present(self) -> set[Any]:
        present = set(self.env.agents)
        _refuse_unknown(self._place, self.layout, present, "is in `agents`")
        return present

    def _deciding(self) -> set[Any]:
        """Those whose action counts next: of a game in turns, whose turn it is."""
        if isinstance(self.env, turn_based_aec_to_parallel_wrapper):
            return self._playing & {self.env.aec_env.agent_selection}
        return self._playing

    def _pack(
        self,
        observations: Mapping[Any, Any],
        rewards: Float[ndarray, " N"] | None,
        infos: Mapping[Any, Mapping[str, Any]],
        *,
        terminated: bool = False,
        truncated: bool = False,
    ) -> Packed:
        """Stack the dicts into arrays, padded; those who left get zeros and action 0."""
        layout, place = self.layout, self._place
        _refuse_unknown(place, layout, set(observations), "is observed")
        num_agents = len(layout.agents)
        packed = np.zeros((num_agents, layout.observation_size), dtype=np.float32)
        mask = np.zeros((num_agents, layout.actions.size), dtype=np.bool_)
        mask[:, 0] = True
        deciding = self._deciding()
        observed = np.array([agent in observations for agent in layout.agents])
        for n, agent in enumerate(layout.agents):
            if agent in observations:
                flat = _flatten(place, agent, layout.observation_spaces[n], observations[agent])
                shift, factor = self.scales.shift[n], self.scales.factor[n]
                packed[n, : len(flat)] = (flat - shift[: len(flat)]) * factor[: len(flat)]
            elif agent in self._playing:
                raise InputError(
                    f"{place}: no observation of agent {agent!r}, which still plays; observe every "
                    "agent in `agents`"
                )
            if agent in deciding:
                info = infos.get(agent, {})
                mask[n] = layout.actions.masked(n, agent, observations[agent], info)
        return Packed(
            observations=packed,
            observed=observed,
            rewards=np.zeros(num_agents, dtype=np.float32) if rewards is None else rewards,
            action_mask=mask,
            terminated=terminated,
            truncated=truncated,
        )


def layout_of(env: ParallelEnv) -> Layout:
    """Read the spaces of every possible agent.

    Raises:
        ConfigError: a space that is not supported.
        InputError: the environment does not say who its agents are.
    """
    agents: tuple[Any, ...] = tuple(getattr(env, "possible_agents", ()))
    if not agents:
        raise InputError(f"{env}: has no `possible_agents`; list every agent that may ever play")
    actions = action_layout(env, {agent: env.action_space(agent) for agent in agents})
    observed = tuple(_without_mask(env.observation_space(agent)) for agent in agents)
    for agent, space in zip(agents, observed, strict=True):
        if not space.is_np_flattenable:
            raise ConfigError(
                f"{env}: observation space of {agent!r} is {space}; "
                "use Box, Discrete, MultiDiscrete or a Dict of them"
            )
    return Layout(
        agents=agents,
        observation_spaces=observed,
        observation_size=max(spaces.flatdim(space) for space in observed),
        actions=actions,
        picture=_picture(observed),
    )


def _without_mask(space: spaces.Space) -> spaces.Space:
    if isinstance(space, spaces.Dict) and MASK_KEY in space.spaces:
        return spaces.Dict({key: part for key, part in space.spaces.items() if key != MASK_KEY})
    return space


def _picture(observed: tuple[spaces.Space, ...]) -> Picture | None:
    """The picture that everybody sees; None where observations are something else."""
    found = {_picture_in(space) for space in observed}
    return found.pop() if len(found) == 1 else None


def _picture_in(space: spaces.Space) -> Picture | None:
    """Of a Box with two sides of some pixels, and few channels first or last; one if of bytes."""
    if isinstance(space, spaces.Dict) and len(space.spaces) == 1:
        return _picture_in(next(iter(space.spaces.values())))
    if not isinstance(space, spaces.Box):
        return None
    if len(space.shape) == 2 and space.dtype == np.uint8:
        channels, last, sides = 1, True, space.shape
    elif len(space.shape) == 3:
        last = space.shape[-1] <= space.shape[0]
        channels, sides = (
            (space.shape[-1], space.shape[:2]) if last else (space.shape[0], space.shape[1:])
        )
    else:
        return None
    if min(sides) < max(SMALLEST_PICTURE, channels):
        return None
    return Picture(channels=channels, rows=sides[0], columns=sides[1], channels_last=last)


def _named_actions(layout: Layout, actions: list[Any], playing: set[Any]) -> dict[Any, Any]:
    """Actions of those who play, by name and as their spaces have them."""
    return {
        agent: layout.actions.native(n, agent, actions[n])
        for n, agent in enumerate(layout.agents)
        if agent in playing
    }


def _refuse_unknown(place: str, layout: Layout, named: set[Any], what: str) -> None:
    unknown = sorted(map(repr, named - set(layout.agents)))
    if unknown:
        raise InputError(
            f"{place}: agent {unknown[0]} {what} but is not among the possible agents "
            f"({', '.join(map(repr, layout.agents))}); add it to `possible_agents`"
        )


def _rewards(
    place: str, layout: Layout, rewards: Mapping[Any, Any], played: set[Any]
) -> Float[ndarray, " N"]:
    """Finite numbers of all who acted, zeros of those who had left before."""
    _refuse_unknown(place, layout, set(rewards), "is rewarded")
    earned = np.zeros(len(layout.agents), dtype=np.float32)
    for n, agent in enumerate(layout.agents):
        if agent in played and agent not in rewards:
            raise InputError(f"{place}: no reward of agent {agent!r}, which acted")
        value = rewards.get(agent, 0.0)
        try:
            with np.errstate(over="ignore"):
                earned[n] = value
        except (TypeError, ValueError) as error:
            raise InputError(f"{place}: reward of {agent!r} is {value!r}, not a number") from error
        if not np.isfinite(earned[n]):
            raise InputError(f"{place}: reward of {agent!r} is {value!r}; it must be finite")
    return earned


def _flatten(
    place: str, agent: object, space: spaces.Space, observation: Any
) -> Float[ndarray, " O"]:
    try:
        if isinstance(space, spaces.Dict):
            observation = {key: observation[key] for key in space.spaces}
        with np.errstate(over="ignore"):
            flat = np.asarray(spaces.flatten(space, observation), dtype=np.float32)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(
            f"{place}: observation of {agent!r} does not fit its space {space} "
            f"({type(error).__name__}: {error})"
        ) from error
    if flat.size != spaces.flatdim(space):
        raise InputError(
            f"{place}: observation of {agent!r} has {flat.size} numbers, its space {space} "
            f"has {spaces.flatdim(space)}"
        )
    if not np.isfinite(flat).all():
        at = int(np.flatnonzero(~np.isfinite(flat))[0])
        raise InputError(
            f"{place}: observation of {agent!r} is {flat[at]} at position {at}; it must be finite"
        )
    return flat
