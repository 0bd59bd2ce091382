"""The one place where dicts of agents exist: `VectorEnv` <-> PettingZoo's `ParallelEnv`.

Agents are ordered as `possible_agents`. Unequal observations and action sets are padded to the
largest; padded actions are masked. Import this module only where a PettingZoo env is really used.
"""

from collections.abc import Callable, Mapping
from typing import Any, SupportsInt

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Bool, Float, Real
from numpy import ndarray
from pettingzoo import ParallelEnv
from torch import Tensor

from ss_core.adapters.action_layout import MASK_KEY
from ss_core.adapters.observation_scale import ObservationScale, RunningMoments
from ss_core.adapters.parallel_copy import Packed, RunningCopy
from ss_core.env import EnvSpec, Step, VectorEnv
from ss_core.errors import ConfigError, InputError


class VectorFromParallel:
    """`num_envs` copies of a PettingZoo `ParallelEnv`, as a `VectorEnv`.

    Agents: `possible_agents`. Observation: Box, Discrete, MultiDiscrete, or a Dict of them (whose
    "action_mask" becomes the mask), flattened and padded with zeros. Action: Discrete,
    MultiDiscrete, MultiBinary or a Box of floats (`action_layout.py`). Termination: when no agent
    is left, or truncation after `horizon` steps. An agent that leaves early sees zeros, earns zero
    and has one legal action until the others have finished; so has, in a game in turns, whoever is
    not on turn. Observations are scaled as `observation_scale` says (`observation_scale.py`).
    """

    def __init__(
        self,
        make_env: Callable[[], ParallelEnv],
        num_envs: int,
        *,
        horizon: int = 1000,
        device: torch.device | str = "cpu",
        observation_scale: ObservationScale = "none",
    ) -> None:
        if num_envs < 1 or horizon < 1:
            raise ConfigError(f"num_envs={num_envs} and horizon={horizon} must both be at least 1")
        self._copies = [
            RunningCopy(make_env(), horizon, observation_scale) for _ in range(num_envs)
        ]
        self._layout = self._copies[0].layout
        for copy in self._copies[1:]:
            if copy.layout != self._layout:
                raise InputError(
                    f"{copy.env}: two copies differ in their agents or spaces; every call of the "
                    "function must return the same environment"
                )
        self._device = device
        scales = self._copies[0].scales
        self._moments = RunningMoments(scales.by_moments) if scales.standardised else None
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=len(self._layout.agents),
            num_actions=self._layout.actions.size,
            action_parts=self._layout.actions.parts,
            action_dimensions=self._layout.actions.dimensions,
            picture=self._layout.picture,
            scaled=scales.words(),
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
        if self._moments is not None:
            self._moments.forget_pending()
        return Step.first(
            self._observations(starts, new=True),
            action_mask=_stacked([copy.action_mask for copy in starts], self._device),
        )

    def step(self, actions: Real[Tensor, "E N *K"]) -> Step:
        """Advance every copy; an ended one restarts with a seed drawn from its own stream."""
        outcomes = [
            copy.step(row) for copy, row in zip(self._copies, actions.tolist(), strict=True)
        ]
        shown = [
            copy.restart() if outcome.terminated or outcome.truncated else outcome
            for copy, outcome in zip(self._copies, outcomes, strict=True)
        ]
        return Step(
            observations=self._observations(shown, new=True),
            rewards=_stacked([copy.rewards for copy in outcomes], self._device),
            terminated=torch.tensor([copy.terminated for copy in outcomes], device=self._device),
            truncated=torch.tensor([copy.truncated for copy in outcomes], device=self._device),
            next_observations=self._observations(outcomes, new=False),
            action_mask=_stacked([copy.action_mask for copy in shown], self._device),
        )

    def adapt(self) -> None:
        """Count what was seen since the last reset among the moments that scale observations."""
        if self._moments is not None:
            self._moments.adapt()

    def state(self) -> dict[str, Tensor]:
        """The moments that scale observations; nothing where they are not scaled by any."""
        return {} if self._moments is None else self._moments.state()

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from the moments in `state`."""
        if self._moments is not None and state:
            self._moments.restore(state)

    def _observations(self, copies: list[Packed], *, new: bool) -> Float[Tensor, "E N O"]:
        rows = np.stack([copy.observations for copy in copies])
        if self._moments is not None:
            observed = np.stack([copy.observed for copy in copies])
            rows = self._moments.scaled(rows, observed, new=new)
        return torch.from_numpy(rows).to(self._device)

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
        if spec.action_parts or spec.action_dimensions:
            raise ConfigError("ParallelFromVector takes worlds with Discrete actions alone")
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


def _stacked(parts: list[ndarray], device: torch.device | str) -> Tensor:
    return torch.from_numpy(np.stack(parts)).to(device)
