"""Traffic lights as a PettingZoo `ParallelEnv`; SUMO and sumo-rl run in a child process of its own.

Several copies in one process work, unlike sumo-rl's own environments on libsumo.
"""

from collections.abc import Mapping
from typing import Any, SupportsInt

import numpy as np
from gymnasium import spaces
from numpy import ndarray
from pettingzoo import ParallelEnv

from ss_core.errors import ConfigError, InputError
from trafficsim.nets.catalogue import net_named
from trafficsim.signals.client import SignalClient
from trafficsim.signals.request import checked_scene
from trafficsim.signals.scene import Reward, SignalScene

ParallelStep = tuple[
    dict[str, ndarray],
    dict[str, float],
    dict[str, bool],
    dict[str, bool],
    dict[str, dict[str, Any]],
]


class SignalEnv(ParallelEnv):
    """The traffic lights of a SUMO net.

    Agents: traffic lights, by SUMO's ids. Observation: Box in [0, 1]: current green phase one-hot,
    whether it may end, density and queue of each lane that leads to the light. Action: Discrete,
    the green phase of the next `step_s` seconds, yellow in between. Reward: sumo-rl's,
    by default the fall of the waiting time on those lanes [100 s]. Truncation: all lights after
    `seconds`; nothing terminates.
    """

    def __init__(self, scene: SignalScene) -> None:
        self.metadata = {"name": "traffic_signals_v0", "render_modes": []}
        self.render_mode = None
        self.scene = scene
        self._client = SignalClient(scene)
        layout = self._client.layout
        self.possible_agents = list(layout.agents)
        self.agents: list[str] = []
        self.observation_spaces = {
            agent: spaces.Box(0.0, 1.0, shape=(size,), dtype=np.float32)
            for agent, size in zip(layout.agents, layout.observation_sizes, strict=True)
        }
        self.action_spaces = {
            agent: spaces.Discrete(count)
            for agent, count in zip(layout.agents, layout.action_counts, strict=True)
        }
        self._rng = np.random.default_rng()

    def __str__(self) -> str:
        return f"traffic lights of {self.scene.net}"

    @property
    def pid(self) -> int:
        """Of the SUMO process."""
        return self._client.pid

    def observation_space(self, agent: str) -> spaces.Space:
        """The same object at every call."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space:
        """The same object at every call."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, ndarray], dict[str, dict[str, Any]]]:
        """Start an episode of SUMO's seed `seed`; without one, a random seed."""
        sumo_seed = int(self._rng.integers(2**31)) if seed is None else seed % 2**31
        observations = self._client.reset(sumo_seed)
        self.agents = list(self.possible_agents)
        return self._by_agent(observations), {agent: {} for agent in self.agents}

    def announce(self, actions: list[int]) -> None:
        """Let SUMO begin on the actions that the next `step` will bring."""
        self._client.announce(actions)

    def step(self, actions: Mapping[str, SupportsInt]) -> ParallelStep:
        """Play one joint action."""
        if not self.agents:
            raise ConfigError(f"{self}: the episode is over; call reset first")
        missing = [agent for agent in self.agents if agent not in actions]
        if missing:
            raise ConfigError(f"{self}: no action for {missing}; give one for every light")
        answer = self._client.step([int(actions[agent]) for agent in self.agents])
        names, over = self.agents, bool(answer["over"])
        if over:
            self.agents = []
        return (
            self._by_agent(answer["observations"]),
            dict(zip(names, answer["rewards"], strict=True)),
            dict.fromkeys(names, False),
            dict.fromkeys(names, over),
            {agent: {} for agent in names},
        )

    def close(self) -> None:
        """End the SUMO process."""
        self._client.close()

    def _by_agent(self, rows: list[list[float]]) -> dict[str, ndarray]:
        return {
            agent: np.array(row, dtype=np.float32)
            for agent, row in zip(self.possible_agents, rows, strict=True)
        }


def parallel_env(
    net: str = "",
    routes: str = "",
    *,
    scenario: str = "",
    begin_s: int = 0,
    seconds: int = 600,
    step_s: int = 5,
    reward: Reward = "diff-waiting-time",
) -> SignalEnv:
    """The lights of a net (a file, or a `scenario` inside sumo-rl) under the demand of `routes`.

    Raises:
        ConfigError: values that do not fit.
        InputError: no such net or demand, or no traffic lights in it.
    """
    if scenario:
        net_named(scenario)  # an unknown name is reported as such
    try:
        scene = SignalScene(
            net=net, routes=routes, begin_s=begin_s, seconds=seconds, step_s=step_s, reward=reward
        )
    except ValueError as error:
        raise ConfigError(f"parallel_env: {error}") from error
    if not scenario and not net:
        raise InputError("parallel_env: give net=FILE with routes=FILE, or scenario=NAME")
    checked = checked_scene(scenario, scene)
    if not checked.routes:
        raise InputError(f"{net}: no demand beside it; give routes=FILE")
    return SignalEnv(checked)
