"""Advantages and returns (Eq. 17, 18) and the scale κ of an agent's advantages (Eq. 12)."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

KappaKind = Literal["mean", "max", "ema", "one", "common"]


def generalized_advantages(
    rewards: Float[Tensor, "T E N"],
    values: Float[Tensor, "T E N"],
    next_values: Float[Tensor, "T E N"],
    terminated: Bool[Tensor, "T E"],
    truncated: Bool[Tensor, "T E"],
    *,
    gamma: float,
    gae_lambda: float,
) -> Float[Tensor, "T E N"]:
    """Generalised advantage estimation, Eq. 17 (Schulman et al., 2016).

        δₜ = rₜ + γ (1 - terminatedₜ) V(sₜ₊₁) - V(sₜ)
        Aₜ = δₜ + γ λ (1 - terminatedₜ - truncatedₜ) Aₜ₊₁

    `next_values[t]` is the value of the successor *before* any auto-reset, so a time limit
    bootstraps and a true end of episode does not.
    """
    alive = (~terminated).unsqueeze(-1).to(rewards.dtype)
    deltas = rewards + gamma * alive * next_values - values
    continues = (~(terminated | truncated)).unsqueeze(-1).to(rewards.dtype)
    advantages = torch.empty_like(deltas)
    accumulated = torch.zeros_like(deltas[0])
    for t in reversed(range(len(deltas))):
        accumulated = deltas[t] + gamma * gae_lambda * continues[t] * accumulated
        advantages[t] = accumulated
    return advantages


def discounted_returns(
    rewards: Float[Tensor, "T E N"],
    next_values: Float[Tensor, "T E N"],
    terminated: Bool[Tensor, "T E"],
    truncated: Bool[Tensor, "T E"],
    *,
    gamma: float,
) -> Float[Tensor, "T E N"]:
    """Monte-Carlo returns Σ γˡ rₜ₊ₗ, the regression target of Eq. 18.

    Where an episode is cut by a time limit or by the end of the rollout, the value of the successor
    stands for what would have come.
    """
    returns = torch.empty_like(rewards)
    following = next_values[-1]
    for t in reversed(range(len(rewards))):
        cut = truncated[t].unsqueeze(-1)
        ended = terminated[t].unsqueeze(-1)
        following = torch.where(cut, next_values[t], following)
        following = torch.where(ended, torch.zeros_like(following), following)
        returns[t] = rewards[t] + gamma * following
        following = returns[t]
    return returns


def kappa(
    advantages: Float[Tensor, "B N"],
    valid: Bool[Tensor, "B N"],
    kind: KappaKind,
    previous: Float[Tensor, " N"],
    *,
    decay: float = 0.99,
) -> Float[Tensor, " N"]:
    """κ̂_i, the scale of an agent's advantages in the penalties of Eq. 16.

    `mean` is the paper's mean |Â_i| (Section 4.4), `max` the literal κ_i of Eq. 12, `ema` a slowly
    decaying running maximum of the mean, `one` leaves ρ in the unit of the advantages. `common` is
    the mean as far as an agent knows it alone: what agents make of it together is in `ss.py`.
    """
    if kind == "one":
        return torch.ones_like(previous)
    size = advantages.abs() * valid
    if kind == "max":
        return size.amax(dim=0)
    mean = size.sum(dim=0) / valid.sum(dim=0).clamp_min(1)
    return torch.maximum(decay * previous, mean) if kind == "ema" else mean
