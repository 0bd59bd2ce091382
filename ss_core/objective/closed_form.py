"""The suggestion that Eq. 16 asks for, in closed form, where all advantages are known.

With the additive surrogate and the squared anchor, agent i's part about its neighbour j is

    max_q  Σ_a q(a) Â_i(a) - κ_i ρ ‖q - π^jj‖₂²   over distributions q of j's legal actions,

whose maximiser is the Euclidean projection of π^jj + Â_i / (2 κ_i ρ) on them. No suggestion network
has to learn it, and a suggestion never lags behind the policy it is about.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ILLEGAL_LOG_PROB = -1e8  # below it an action is masked, not merely unlikely
NOT_ALLOWED = 10 * ILLEGAL_LOG_PROB  # log-probability of a masked action in messages
LEAST_PROB = 1e-30


def project_on_simplex(
    points: Float[Tensor, "*batch A"], legal: Bool[Tensor, "*batch A"]
) -> Float[Tensor, "*batch A"]:
    """The nearest distribution over legal actions (Held, Wolfe and Crowder, 1974)."""
    masked = points.masked_fill(~legal, -1e30)
    ordered = masked.sort(dim=-1, descending=True).values
    count = torch.arange(1, points.shape[-1] + 1, device=points.device, dtype=points.dtype)
    excess = (ordered.clamp_min(-1e15).cumsum(dim=-1) - 1.0) / count
    kept = (ordered > excess).sum(dim=-1, keepdim=True).clamp_min(1)
    threshold = excess.gather(-1, kept - 1)
    return (masked - threshold).clamp_min(0.0)


def best_suggestions(
    shared: Float[Tensor, "B N M A"],
    advantages: Float[Tensor, "B N M A"],
    kappas: Float[Tensor, " N"],
    rho: float,
) -> Float[Tensor, "B N M A"]:
    """log π^ij for what j shared (log π^jj) and what i makes of j's alternatives."""
    legal = shared > ILLEGAL_LOG_PROB
    pull = advantages / (2.0 * rho * kappas.clamp_min(1e-8))[:, None, None]
    suggested = project_on_simplex(shared.exp() + pull, legal)
    return suggested.clamp_min(LEAST_PROB).log().masked_fill(~legal, NOT_ALLOWED)
