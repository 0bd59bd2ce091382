"""Differential privacy of what agents send: Gaussian noise on clipped logits, and its accountant.

Of every distribution that an agent sends (its own policy, a suggestion) the logits over the actions
that are allowed are centred, scaled down to a ball of radius C, and Gaussian noise of standard
deviation z · 2C is added to each: two agents with the same decisions but other private data differ
by at most 2C in what goes in, so each release is a Gaussian mechanism of noise multiplier z. What
comes out is again a distribution, and whatever is computed from it reveals no more.

k releases compose to a Gaussian mechanism of multiplier z / √k, μ = √k / z, which is (ε, δ)-private
exactly for

    δ(ε) = Φ(-ε/μ + μ/2) - e^ε Φ(-ε/μ - μ/2)        (Balle and Wang, 2018; Dong, Roth and Su, 2022)

Not covered: announcements, actions that neighbours see, and how many decisions there are.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.objective.closed_form import NOT_ALLOWED

LEAST_LOG_PROB = -60.0  # more would only be lost to rounding


def clipped_logits(
    log_probs: Float[Tensor, "*batch A"], legal: Bool[Tensor, "*batch A"], radius: float
) -> Float[Tensor, "*batch A"]:
    """Logits with mean 0 over legal actions and norm at most `radius`; 0 where illegal."""
    count = legal.sum(dim=-1, keepdim=True).clamp_min(1)
    kept = torch.where(legal, log_probs.clamp_min(LEAST_LOG_PROB), 0.0)
    centred = torch.where(legal, kept - kept.sum(dim=-1, keepdim=True) / count, 0.0)
    norm = centred.square().sum(dim=-1, keepdim=True).sqrt()
    return centred * (radius / norm.clamp_min(1e-12)).clamp_max(1.0)


def noised(
    log_probs: Float[Tensor, "*batch A"],
    legal: Bool[Tensor, "*batch A"],
    *,
    radius: float,
    multiplier: float,
    generator: torch.Generator,
) -> Float[Tensor, "*batch A"]:
    """One release of each distribution."""
    logits = clipped_logits(log_probs, legal, radius)
    noise = torch.randn(logits.shape, generator=generator, device=generator.device)
    released = logits + 2.0 * radius * multiplier * noise.to(logits)
    return torch.log_softmax(released.masked_fill(~legal, NOT_ALLOWED), dim=-1)


def delta_of(epsilon: float, mu: float) -> float:
    """δ(ε) of a μ-Gaussian mechanism."""
    from scipy.special import log_ndtr  # slow to import, and seldom needed

    first = math.exp(log_ndtr(-epsilon / mu + mu / 2))
    second = math.exp(min(0.0, epsilon + log_ndtr(-epsilon / mu - mu / 2)))
    return max(0.0, first - second)


def epsilon_of(releases: int, multiplier: float, delta: float) -> float:
    """ε of so many releases at `multiplier`; infinite without noise.

    Raises:
        ValueError: a δ that is no probability, or a negative number of releases.
    """
    if not 0.0 < delta < 1.0 or releases < 0:
        raise ValueError(f"delta={delta}, releases={releases}: δ between 0 and 1, releases from 0")
    if releases == 0:
        return 0.0
    if multiplier <= 0.0:
        return math.inf
    mu = math.sqrt(releases) / multiplier
    if delta_of(0.0, mu) <= delta:
        return 0.0
    high = mu * mu / 2 + mu * math.sqrt(2 * math.log(1 / delta)) + 1.0  # by the tail bound
    from scipy.optimize import brentq  # likewise

    found = brentq(lambda epsilon: delta_of(epsilon, mu) - delta, 0.0, high, xtol=1e-9)
    return float(found)  # type: ignore[arg-type]
