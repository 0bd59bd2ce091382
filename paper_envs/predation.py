"""Cooperative Predation: approach the prey together, or let the others do it (paper, Section 5.1).

Rules are pure functions; `PredationEnv` packs them. Choices that the paper leaves open are named in
docs/fidelity.md. Axes: `E` environment, `N` predator.
"""

from typing import Literal, cast, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError

LENGTH = 30.0  # the line is [0, LENGTH]
STEP_LENGTH = 1.0  # covered by one action
HORIZON = 30
ACTION_NAMES = ("left", "right")
RADIUS = 0.1  # of neighbours, as a share of LENGTH

Encoding = Literal["sign", "state"]


def approaches(
    positions: Float[Tensor, "E N"], prey: Float[Tensor, " E"], actions: Int[Tensor, "E N"]
) -> Bool[Tensor, "E N"]:
    """Who goes towards the prey: the action's direction against that of the prey, before the move.

    A predator exactly on the prey counts as approaching.
    """
    to_prey = prey[:, None] - positions
    return (2 * actions - 1) * to_prey.sign() >= 0


def payoffs(cooperates: Bool[Tensor, "E N"]) -> Float[Tensor, "E N"]:
    """-1 to all if all approach, 1 - 2N if none does; else -2N to those who do, 0 to the rest."""
    n = cooperates.shape[1]
    mixed = torch.where(cooperates, -2.0 * n, 0.0)
    count = cooperates.sum(dim=1, keepdim=True)
    return torch.where(count == n, -1.0, torch.where(count == 0, 1.0 - 2.0 * n, mixed))


def moved(positions: Float[Tensor, "E N"], actions: Int[Tensor, "E N"]) -> Float[Tensor, "E N"]:
    """Positions after a step to the left (0) or to the right (1), kept on the line."""
    return (positions + STEP_LENGTH * (2 * actions - 1)).clamp(0.0, LENGTH)


def within_radius(positions: Float[Tensor, "E N"]) -> Bool[Tensor, "E N N"]:
    """Who is a neighbour of whom: at most a tenth of the line apart; nobody of itself."""
    apart = (positions[:, :, None] - positions[:, None, :]).abs()
    itself = torch.eye(positions.shape[1], dtype=torch.bool, device=positions.device)
    return (apart <= RADIUS * LENGTH) & ~itself


def observed(
    positions: Float[Tensor, "E N"], prey: Float[Tensor, " E"], encoding: Encoding
) -> Float[Tensor, "E N O"]:
    """What everybody sees: x_i - x_tar of all predators.

    `state` gives these N numbers as the paper has them; `sign` gives them as a share of the line,
    and their signs beside them: which way the prey lies is what matters, and close to it a network
    cannot tell that from the distance alone.
    """
    away = positions - prey[:, None]
    seen = away if encoding == "state" else torch.cat([away / LENGTH, away.sign()], dim=1)
    return seen[:, None, :].repeat(1, positions.shape[1], 1)


class PredationEnv:
    """Cooperative Predation, batched.

    Agents: N predators on a line of length 30 with one prey that stays where it is; all start
    anywhere. Observation: the state of all (`observed`). Action: 0 left, 1 right, by 1. Reward:
    `payoffs`. Neighbours: predators at most 3 apart, at every step anew. Termination: after 30
    steps, a true end. Defecting dominates, and all are best off when all approach: -1 per step.
    """

    def __init__(
        self,
        num_envs: int,
        *,
        num_agents: int = 8,
        device: str = "cpu",
        encoding: str = "sign",
    ) -> None:
        if encoding not in get_args(Encoding):
            raise ConfigError(f"encoding={encoding!r}: choose 'sign' or 'state'")
        self._encoding: Encoding = cast(Encoding, encoding)
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=num_agents,
            num_actions=2,
            observation_size=num_agents * (2 if encoding == "sign" else 1),
            horizon=HORIZON,
            agent_names=tuple(f"predator_{i}" for i in range(num_agents)),
            full_view=True,
        )
        self.prey = torch.zeros(num_envs, device=device)
        self.positions = torch.zeros((num_envs, num_agents), device=device)
        self._generator = torch.Generator(device)
        self._t = 0

    @property
    def action_names(self) -> tuple[str, ...]:
        """What each action does, in a word."""
        return ACTION_NAMES

    def reset(self, seed: int) -> Step:
        """Draw prey and predators anew; the same seed gives the same episodes."""
        self._generator.manual_seed(seed)
        self._restart()
        seen, near = self._seen()
        nobody = torch.zeros_like(self.positions, dtype=torch.bool)
        return Step.first(seen, neighbours=near, cooperative=nobody)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Move every predator."""
        cooperates = approaches(self.positions, self.prey, actions)
        self.positions = moved(self.positions, actions)
        rewards = payoffs(cooperates)
        self._t += 1
        after, near = self._seen()
        if self._t < HORIZON:
            return Step.next(after, rewards, neighbours=near, cooperative=cooperates)
        self._restart()
        seen, near = self._seen()
        return Step.last(
            seen, rewards, next_observations=after, neighbours=near, cooperative=cooperates
        )

    def _restart(self) -> None:
        e, n = self.positions.shape
        drawn = torch.rand((e, n + 1), generator=self._generator, device=self._generator.device)
        self.prey, self.positions = LENGTH * drawn[:, 0], LENGTH * drawn[:, 1:]
        self._t = 0

    def _seen(self) -> tuple[Float[Tensor, "E N O"], Bool[Tensor, "E N N"]]:
        seen = observed(self.positions, self.prey, self._encoding)
        return seen, within_radius(self.positions)
