"""The one place where dicts of agents exist: `VectorEnv` <-> PettingZoo's `ParallelEnv`.

Agents are ordered as `possible_agents`. Unequal observations and action sets are padded to the
largest; padded actions are masked. Import this module only where a PettingZoo env is really used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, SupportsInt

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from pettingzoo import ParallelEnv
from torch import Tensor

from ss_core.env import EnvSpec, Step, VectorEnv
from ss_core.errors import ConfigError

MASK_KEY = "action_mask"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How one `ParallelEnv` is packed into arrays."""

    agents: tuple[Any, ...]
    observation_spaces: tuple[spaces.Space, ...]  # without the mask
    observation_size: int  # of the largest
    action_counts: tuple[int, ...]
    first_actions: tuple[int, ...]  # `Discrete.start`

    @property
    def num_actions(self) -> int:
        """Actions of the agent that has most."""
        return max(self.action_counts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Packed:
    """What one copy shows after `reset` or `step`."""

    observations: Float[ndarray, "N O"]
    rewards: Float[ndarray, " N"]
    action_mask: Bool[ndarray, "N A"]
    terminated: bool
    truncated: bool


class VectorFromParallel:
    """`num_envs` copies of a PettingZoo `ParallelEnv`, as a `VectorEnv`.

    Agents: `possible_agents`. Observation: Box, Discrete, MultiDiscrete, or a Dict of them (whose
    "action_mask" becomes the mask), flattened and padded with zeros. Action: Discrete. Termination:
    when no agent is left, or truncation after `horizon` steps. An agent that leaves early sees
    zeros, earns zero and has one legal action until the others have finished.
    """

    def __init__(
        self, make_env: Callable[[], ParallelEnv], num_envs: int, *, horizon: int = 1000
    ) -> None:
        if num_envs < 1 or horizon < 1:
            raise ConfigError(f"num_envs={num_envs} and horizon={horizon} must both be at least 1")
        self._copies = [_Copy(make_env(), horizon) for _ in range(num_envs)]
        self._layout = self._copies[0].layout
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=len(self._layout.agents),
            num_actions=self._layout.num_actions,
            observation_size=self._layout.observation_size,
            horizon=horizon,
            agent_names=tuple(str(agent) for agent in self._layout.agents),
        )

    def reset(self, seed: int) -> Step:
        """Start new episodes; copy e follows the e-th stream spawned from `seed`."""
        streams = np.random.SeedSequence(seed).spawn(self.spec.num_envs)
        starts = [
            copy.seed_and_restart(np.random.default_rng(stream))
            for copy, stream in zip(self._copies, streams, strict=True)
        ]
        return _stack(starts, starts)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Advance every copy; an ended one restarts with a seed drawn from its own stream."""
        outcomes = [
            copy.step(row) for copy, row in zip(self._copies, actions.tolist(), strict=True)
        ]
        shown = [
            copy.restart() if outcome.terminated or outcome.truncated else outcome
            for copy, outcome in zip(self._copies, outcomes, strict=True)
        ]
        return _stack(outcomes, shown)

    def close(self) -> None:
        """Close every copy."""
        for copy in self._copies:
            copy.env.close()


class ParallelFromVector(ParallelEnv):
    """One copy of a `VectorEnv` as a PettingZoo `ParallelEnv`.

    Agents: `spec.agent_names`. Observation: Box of O floats. Action: Discrete(A); legal actions are
    in `infos[agent]["action_mask"]` (int8, as `Discrete.sample` takes it). Illegal actions are
    passed on: the world decides what they mean. All agents end together.
    """

    def __init__(self, env: VectorEnv, name: str) -> None:
        spec = env.spec
        if spec.num_envs != 1:
            raise ConfigError(f"ParallelFromVector needs num_envs=1; this env has {spec.num_envs}")
        self.metadata = {"name": name, "render_modes": [], "is_parallelizable": True}
        self.render_mode = None
        self.possible_agents = list(spec.agent_names)
        self.agents: list[str] = []
        self._env = env
        self._rng = np.random.default_rng()
        limits = {"low": -np.inf, "high": np.inf, "shape": (spec.observation_size,)}
        self.observation_spaces = {
            agent: spaces.Box(**limits, dtype=np.float32) for agent in self.possible_agents
        }
        self.action_spaces = {
            agent: spaces.Discrete(spec.num_actions) for agent in self.possible_agents
        }

    def observation_space(self, agent: str) -> spaces.Space:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """The same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, ndarray], dict[str, dict[str, ndarray]]]:
        """Start an episode; without `seed`, the next of the stream that the last seed began."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        step = self._env.reset(int(self._rng.integers(2**31)))
        return self._per_agent(step.observations), self._infos(step.action_mask)

    def step(
        self, actions: Mapping[str, SupportsInt]
    ) -> tuple[
        dict[str, ndarray],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, ndarray]],
    ]:
        """Play one joint action; observations are the successor's, also at the end."""
        step = self._env.step(torch.tensor([self._row_of(actions)]))
        terminated, truncated = bool(step.terminated[0]), bool(step.truncated[0])
        ended = terminated or truncated
        rewards = dict(zip(self.possible_agents, step.rewards[0].tolist(), strict=True))
        outcome = (
            self._per_agent(step.next_observations),
            rewards,
            dict.fromkeys(self.possible_agents, terminated),
            dict.fromkeys(self.possible_agents, truncated),
            self._infos(None if ended else step.action_mask),
        )
        if ended:
            self.agents = []
        return outcome

    def _row_of(self, actions: Mapping[str, SupportsInt]) -> list[int]:
        name = self.metadata["name"]
        if not self.agents:
            raise ConfigError(f"{name}.step: the episode is over; call reset first")
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ConfigError(f"{name}.step: no action for {missing}; give one for every agent")
        return [int(actions[agent]) for agent in self.agents]

    def _per_agent(self, observations: Float[Tensor, "1 N O"]) -> dict[str, ndarray]:
        rows = observations[0].to(torch.float32).cpu().numpy()
        return {agent: rows[n].copy() for n, agent in enumerate(self.possible_agents)}

    def _infos(self, mask: Bool[Tensor, "1 N A"] | None) -> dict[str, dict[str, ndarray]]:
        spec = self._env.spec
        legal = np.ones((spec.num_agents, spec.num_actions), dtype=np.int8)
        if mask is not None:
            legal = mask[0].to(torch.int8).cpu().numpy()
        return {agent: {MASK_KEY: legal[n].copy()} for n, agent in enumerate(self.possible_agents)}


class _Copy:
    """One `ParallelEnv`, its stream of episode seeds, and who is still playing."""

    def __init__(self, env: ParallelEnv, horizon: int) -> None:
        self.env = env
        self.layout = _layout_of(env)
        self._horizon = horizon
        self._rng = np.random.default_rng(0)
        self._playing: set[Any] = set()
        self._t = 0

    def seed_and_restart(self, rng: np.random.Generator) -> _Packed:
        """Begin a new stream of episodes."""
        self._rng = rng
        return self.restart()

    def restart(self) -> _Packed:
        """Begin the next episode of the stream."""
        observations, infos = self.env.reset(seed=int(self._rng.integers(2**31)))
        self._playing, self._t = set(self.env.agents), 0
        if not self._playing:
            raise ConfigError(f"{self.env}: reset leaves no agents; check its `agents`")
        return _pack(self.layout, observations, {}, infos, self._playing)

    def step(self, actions: list[int]) -> _Packed:
        """Pass on the actions of those who still play."""
        played, self._t = self._playing, self._t + 1
        chosen = _named_actions(self.layout, actions, played)
        observations, rewards, terminations, truncations, infos = self.env.step(chosen)
        cut = {agent for agent in played if truncations.get(agent, False)}
        left = cut | {agent for agent in played if terminations.get(agent, False)}
        self._playing = set(self.env.agents) - left
        over = not self._playing
        truncated = bool(cut) if over else self._t >= self._horizon
        return _pack(
            self.layout,
            observations,
            rewards,
            infos,
            self._playing,
            terminated=over and not truncated,
            truncated=truncated,
        )


def _layout_of(env: ParallelEnv) -> _Layout:
    """Read the spaces of every possible agent."""
    agents = tuple(env.possible_agents)
    actions = [_discrete(env, agent) for agent in agents]
    observed = tuple(_without_mask(env.observation_space(agent)) for agent in agents)
    for agent, space in zip(agents, observed, strict=True):
        if not space.is_np_flattenable:
            raise ConfigError(
                f"{env}: observation space of {agent!r} is {space}; "
                "use Box, Discrete, MultiDiscrete or a Dict of them"
            )
    return _Layout(
        agents=agents,
        observation_spaces=observed,
        observation_size=max(spaces.flatdim(space) for space in observed),
        action_counts=tuple(int(space.n) for space in actions),
        first_actions=tuple(int(space.start) for space in actions),
    )


def _discrete(env: ParallelEnv, agent: object) -> spaces.Discrete:
    space = env.action_space(agent)
    if not isinstance(space, spaces.Discrete):
        raise ConfigError(
            f"{env}: action space of {agent!r} is {space}; only Discrete is supported"
        )
    return space


def _without_mask(space: spaces.Space) -> spaces.Space:
    if isinstance(space, spaces.Dict) and MASK_KEY in space.spaces:
        return spaces.Dict({key: part for key, part in space.spaces.items() if key != MASK_KEY})
    return space


def _named_actions(layout: _Layout, actions: list[int], playing: set[Any]) -> dict[Any, int]:
    """Actions of those who play, by name and counted from `Discrete.start`."""
    chosen = {}
    for n, agent in enumerate(layout.agents):
        if agent in playing:
            if not 0 <= actions[n] < layout.action_counts[n]:
                raise ConfigError(
                    f"action {actions[n]} of {agent!r} is not in 0..{layout.action_counts[n] - 1}; "
                    "choose by the action mask"
                )
            chosen[agent] = layout.first_actions[n] + actions[n]
    return chosen


def _pack(
    layout: _Layout,
    observations: Mapping[Any, Any],
    rewards: Mapping[Any, float],
    infos: Mapping[Any, Mapping[str, Any]],
    playing: set[Any],
    *,
    terminated: bool = False,
    truncated: bool = False,
) -> _Packed:
    """Stack the dicts of one copy into arrays, padded; those who left get zeros and action 0."""
    num_agents = len(layout.agents)
    packed = np.zeros((num_agents, layout.observation_size), dtype=np.float32)
    mask = np.zeros((num_agents, layout.num_actions), dtype=np.bool_)
    mask[:, 0] = True
    for n, agent in enumerate(layout.agents):
        if agent in observations:
            flat = _flatten(layout.observation_spaces[n], observations[agent])
            packed[n, : len(flat)] = flat
        if agent in playing:
            count = layout.action_counts[n]
            mask[n, :count] = _legal(agent, count, observations[agent], infos.get(agent, {}))
    earned = [float(rewards.get(agent, 0.0)) for agent in layout.agents]
    return _Packed(
        observations=packed,
        rewards=np.array(earned, dtype=np.float32),
        action_mask=mask,
        terminated=terminated,
        truncated=truncated,
    )


def _flatten(space: spaces.Space, observation: Any) -> Float[ndarray, " O"]:
    if isinstance(space, spaces.Dict):
        observation = {key: observation[key] for key in space.spaces}
    return np.asarray(spaces.flatten(space, observation), dtype=np.float32)


def _legal(
    agent: object, count: int, observation: Any, info: Mapping[str, Any]
) -> Bool[ndarray, " A"]:
    """The agent's own mask, from its info or its observation; all actions if it has none."""
    if MASK_KEY in info:
        mask = np.asarray(info[MASK_KEY], dtype=np.bool_)
    elif isinstance(observation, Mapping) and MASK_KEY in observation:
        mask = np.asarray(observation[MASK_KEY], dtype=np.bool_)
    else:
        return np.ones(count, dtype=np.bool_)
    if mask.shape != (count,) or not mask.any():
        raise ConfigError(
            f"action mask of {agent!r} is {mask.tolist()}; it needs {count} entries, one true"
        )
    return mask


def _stack(outcomes: list[_Packed], shown: list[_Packed]) -> Step:
    """`outcomes`: what the step brought; `shown`: what is seen now, after any restart."""
    return Step(
        observations=torch.from_numpy(np.stack([copy.observations for copy in shown])),
        rewards=torch.from_numpy(np.stack([copy.rewards for copy in outcomes])),
        terminated=torch.tensor([copy.terminated for copy in outcomes]),
        truncated=torch.tensor([copy.truncated for copy in outcomes]),
        next_observations=torch.from_numpy(np.stack([copy.observations for copy in outcomes])),
        action_mask=torch.from_numpy(np.stack([copy.action_mask for copy in shown])),
    )
