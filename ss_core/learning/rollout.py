"""Collecting one episode of every environment copy."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.env import VectorEnv
from ss_core.policies.actors import ActorBank


@dataclass(frozen=True, slots=True)
class Rollout:
    """One episode per environment copy; time-major."""

    observations: Float[Tensor, "T E N O"]
    next_observations: Float[Tensor, "T E N O"] | None  # only where a critic will ask for it
    actions: Int[Tensor, "T E N"]
    log_probs: Float[Tensor, "T E N A"]  # of the acting policy, all actions
    rewards: Float[Tensor, "T E N"]
    terminated: Bool[Tensor, "T E"]
    truncated: Bool[Tensor, "T E"]
    action_mask: Bool[Tensor, "T E N A"] | None
    neighbours: Bool[Tensor, "T E N N"] | None
    cooperative: Bool[Tensor, "T E N"] | None = None  # where an action can be told to be so


def collect_rollout(
    env: VectorEnv,
    actors: ActorBank,
    *,
    seed: int,
    generator: torch.Generator,
    with_successors: bool = True,
) -> Rollout:
    """Play `horizon` steps from a fresh reset with the stochastic policies."""
    step = env.reset(seed)
    records: list[tuple[Tensor | None, ...]] = []
    for _ in range(env.spec.horizon):
        with torch.no_grad():
            log_probs = actors.own(step.observations, step.action_mask)
        actions = sample_actions(log_probs, generator)
        after = env.step(actions)
        records.append(
            (
                step.observations,
                after.next_observations if with_successors else None,
                actions,
                log_probs,
                after.rewards,
                after.terminated,
                after.truncated,
                step.action_mask,
                step.neighbours,
                after.cooperative,
            )
        )
        step = after
    return Rollout(*(_stack(column) for column in zip(*records, strict=True)))  # type: ignore[arg-type]


def _stack(column: tuple[Tensor | None, ...]) -> Tensor | None:
    present = [x for x in column if x is not None]
    return torch.stack(present) if len(present) == len(column) else None


def sample_actions(
    log_probs: Float[Tensor, "E N A"], generator: torch.Generator
) -> Int[Tensor, "E N"]:
    """One action per row by inverting the cumulative distribution."""
    uniform = torch.rand((*log_probs.shape[:-1], 1), generator=generator, device=generator.device)
    cumulative = log_probs.exp().cumsum(dim=-1)
    chosen = (cumulative < uniform * cumulative[..., -1:]).sum(dim=-1)
    return chosen.clamp_max(log_probs.shape[-1] - 1)


def flatten(x: Tensor) -> Tensor:
    """`[T, E, …]` to `[T*E, …]`."""
    return x.flatten(0, 1)
