"""Copies of the traffic lights of a net, stepped together: a `VectorEnv` that knows who is near.

Each copy simulates in a process of its own; all of them work at the same time.
"""

from dataclasses import replace
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from ss_core.adapters.pettingzoo import VectorFromParallel
from ss_core.env import EnvSpec, Step
from trafficsim.nets.read import read_records
from trafficsim.signals.env import SignalEnv
from trafficsim.signals.graph import adjacency
from trafficsim.signals.scene import SignalScene


class SignalVectorEnv:
    """`num_envs` copies of `SignalEnv`; neighbours are the lights next along the roads."""

    def __init__(
        self, scene: SignalScene, num_envs: int, *, device: torch.device | str = "cpu"
    ) -> None:
        self._envs: list[SignalEnv] = []

        def make() -> SignalEnv:
            self._envs.append(SignalEnv(scene))
            return self._envs[-1]

        self._copies = VectorFromParallel(make, num_envs, horizon=scene.horizon, device=device)
        near = adjacency(read_records(Path(scene.net)), self.spec.agent_names)
        self._near = torch.from_numpy(near).to(device).expand(num_envs, -1, -1)

    @property
    def spec(self) -> EnvSpec:
        """The sizes."""
        return self._copies.spec

    def reset(self, seed: int) -> Step:
        """Start new episodes."""
        return replace(self._copies.reset(seed), neighbours=self._near.clone())

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Advance every copy; all simulations are under way before the first is waited for."""
        for env, row in zip(self._envs, actions.tolist(), strict=True):
            env.announce(row)
        return replace(self._copies.step(actions), neighbours=self._near.clone())

    def close(self) -> None:
        """End all SUMO processes."""
        self._copies.close()
