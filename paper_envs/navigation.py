"""Cooperative Navigation: every agent to its own landmark on a 5×5 board, without collisions.

The task of Zhang et al. (2018) on the paper's board (Section 5.1). Rules are pure functions;
`NavigationEnv` packs them. Choices that the paper leaves open are named in docs/fidelity.md.
Axes: `E` environment, `N` agent; the last axis of a place is (row, column).
"""

from typing import Literal, cast, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError

SIZE = 5
HORIZON = 100
COLLISION_PENALTY = 1.0
Encoding = Literal["places", "relative"]

MOVES = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1))  # as named below
MOVE_NAMES = ("stay", "up", "down", "left", "right")


def moved(places: Int[Tensor, "E N 2"], actions: Int[Tensor, "E N"]) -> Int[Tensor, "E N 2"]:
    """All move at once; nobody leaves the board, and two may stand on one cell."""
    moves = torch.tensor(MOVES, device=places.device)
    return (places + moves[actions]).clamp(0, SIZE - 1)


def collides(places: Int[Tensor, "E N 2"]) -> Bool[Tensor, "E N"]:
    """Who shares its cell with another."""
    cell = places[..., 0] * SIZE + places[..., 1]
    return (cell[:, :, None] == cell[:, None, :]).sum(dim=2) > 1


def payoffs(places: Int[Tensor, "E N 2"], landmarks: Int[Tensor, "E N 2"]) -> Float[Tensor, "E N"]:
    """Minus the steps to one's own landmark, minus 1 for whoever shares a cell."""
    steps = (places - landmarks).abs().sum(dim=2).to(torch.float32)
    return -steps - COLLISION_PENALTY * collides(places).to(torch.float32)


def observed(
    places: Int[Tensor, "E N 2"], landmarks: Int[Tensor, "E N 2"], encoding: Encoding
) -> Float[Tensor, "E N O"]:
    """Everybody sees all agents' and all landmarks' places.

    `places` gives them within [0, 1], and who one is oneself. `relative` gives the way to one's own
    landmark and its direction, the others as seen from oneself (i + 1, i + 2, … round the table)
    with their ways to go, and one's own place: the same knowledge, easier to act upon.
    """
    e, n, _ = places.shape
    if encoding == "relative":
        return _relative(places, landmarks)
    board = torch.cat([places, landmarks], dim=1).flatten(1).to(torch.float32) / (SIZE - 1)
    own_index = torch.eye(n, device=places.device).expand(e, n, n)
    return torch.cat([board[:, None].expand(e, n, -1), own_index], dim=2)


def _relative(
    places: Int[Tensor, "E N 2"], landmarks: Int[Tensor, "E N 2"]
) -> Float[Tensor, "E N O"]:
    n = places.shape[1]
    agents = torch.arange(n, device=places.device)
    others = (agents[:, None] + agents[None, 1:]) % n
    ways = landmarks - places
    apart = places[:, others] - places[:, :, None]
    theirs = torch.cat([apart, ways[:, others]], dim=3).flatten(2)
    numbers = torch.cat([ways, theirs, places], dim=2).to(torch.float32) / (SIZE - 1)
    return torch.cat([numbers, ways.sign().to(torch.float32)], dim=2)


class NavigationEnv:
    """Cooperative Navigation, batched.

    Agents: N on a 5×5 board, each with a landmark of its own; starts and landmarks are drawn anew
    for every episode, no two agents on one cell, no two landmarks either. Observation: all places
    (`observed`). Action: stay, up, down, left, right. Reward: `payoffs`. Neighbours: a chain, agent
    i with i - 1 and i + 1. Termination: after 100 steps, a true end.
    """

    def __init__(
        self,
        num_envs: int,
        *,
        num_agents: int = 3,
        device: str = "cpu",
        encoding: str = "relative",
    ) -> None:
        if encoding not in get_args(Encoding):
            raise ConfigError(f"encoding={encoding!r}: choose 'places' or 'relative'")
        self._encoding: Encoding = cast(Encoding, encoding)
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=num_agents,
            num_actions=len(MOVES),
            observation_size=5 * num_agents if encoding == "places" else 4 * num_agents + 2,
            horizon=HORIZON,
            agent_names=tuple(f"agent_{i}" for i in range(num_agents)),
            full_view=True,
        )
        shape = (num_envs, num_agents, 2)
        self.places = torch.zeros(shape, dtype=torch.long, device=device)
        self.landmarks = torch.zeros(shape, dtype=torch.long, device=device)
        agents = torch.arange(num_agents, device=device)
        self._chain = (agents[:, None] - agents[None, :]).abs() == 1
        self._generator = torch.Generator(device)
        self._t = 0

    @property
    def action_names(self) -> tuple[str, ...]:
        """What each action does, in a word."""
        return MOVE_NAMES

    def reset(self, seed: int) -> Step:
        """Draw places and landmarks anew; the same seed gives the same episodes."""
        self._generator.manual_seed(seed)
        self._restart()
        return Step.first(self._seen(), neighbours=self._near())

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Move every agent."""
        self.places = moved(self.places, actions)
        rewards = payoffs(self.places, self.landmarks)
        self._t += 1
        after = self._seen()
        if self._t < HORIZON:
            return Step.next(after, rewards, neighbours=self._near())
        self._restart()
        return Step.last(self._seen(), rewards, next_observations=after, neighbours=self._near())

    def _restart(self) -> None:
        self.places, self.landmarks = self._draw(), self._draw()
        self._t = 0

    def _draw(self) -> Int[Tensor, "E N 2"]:
        """Distinct random cells."""
        shape = (self.spec.num_envs, SIZE * SIZE)
        drawn = torch.rand(shape, generator=self._generator, device=self._generator.device)
        cells = drawn.argsort(dim=1)[:, : self.spec.num_agents]
        return torch.stack([cells // SIZE, cells % SIZE], dim=2)

    def _seen(self) -> Float[Tensor, "E N O"]:
        return observed(self.places, self.landmarks, self._encoding)

    def _near(self) -> Bool[Tensor, "E N N"]:
        return self._chain.expand(self.spec.num_envs, -1, -1).clone()
