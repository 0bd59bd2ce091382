"""Suggestions anchored by relative entropy, and the step of who receives them, in closed form.

With KL(q ‖ π^jj) in place of the squared distance of Eq. 16, agent i's part about its neighbour j

    max_q  E_q[Â_i] - κ_i ρ KL(q ‖ π^jj)      has the maximiser      π^ij ∝ π^jj exp(Â_i / κ_i ρ),

which stays inside the simplex (docs/theory.md). The factor π^ij / π^jj is all that i adds; so a
receiver takes its neighbours at their word by multiplying their factors,

    max_p  E_p[Â_j / κ_j ρ + (ρ'/ρ) Σ_i log(π^ij / π^jj)] - KL(p ‖ π^jj_old).

With one κ for all and ρ' = ρ that is a step of mirror descent on the sum of all returns.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.objective.action_families import probabilities
from ss_core.objective.closed_form import ILLEGAL_LOG_PROB, LEAST_PROB, NOT_ALLOWED
from ss_core.objective.objective import ObjectiveWeights, ReceivedView

LEAST_KAPPA = 1e-8
MOST_PULL = 50.0  # of a sender's log(π^ij / π^jj), in nats: what is absurd stays finite
LOWEST_LOG_PROB = -12.0  # a step leaves every legal action so much: it may come back


def geometric_suggestions(
    shared: Float[Tensor, "B N M A"],
    advantages: Float[Tensor, "B N M A"],
    kappas: Float[Tensor, " N"],
    rho: float,
) -> Float[Tensor, "B N M A"]:
    """log π^ij for what j shared (log π^jj) and what i makes of j's alternatives."""
    legal = shared > ILLEGAL_LOG_PROB
    tilt = advantages / (rho * kappas.clamp_min(LEAST_KAPPA))[:, None, None]
    suggested = _normalised(shared + tilt, legal)
    return suggested.clamp_min(torch.tensor(LEAST_PROB).log().item()).masked_fill(
        ~legal, NOT_ALLOWED
    )


def pull_of(
    advantages: Float[Tensor, "B N A"],
    shared: Float[Tensor, "B N A"],
    received: ReceivedView | None,
    kappas: Float[Tensor, " N"],
    weights: ObjectiveWeights,
    follow_scale: float = 1.0,
) -> Float[Tensor, "B N A"]:
    """What moves agent j's logits: its own Â_j / κ_j ρ, and the factors it received.

    `shared` is log π^jj as j shared it, which suggestions were made from.
    """
    legal = shared > ILLEGAL_LOG_PROB
    pull = advantages / (weights.rho * kappas.clamp_min(LEAST_KAPPA)).unsqueeze(-1)
    if received is not None:
        factor = (received.suggestions - shared.unsqueeze(2)).clamp(-MOST_PULL, MOST_PULL)
        counted = received.valid if received.weight is None else received.valid * received.weight
        share = weights.rho_follow / weights.rho * follow_scale
        pull = pull + share * (factor * counted.unsqueeze(-1)).sum(dim=2)
    return pull.masked_fill(~legal, 0.0)


def mirror_step(
    old_log_probs: Float[Tensor, "*batch A"], pull: Float[Tensor, "*batch A"], ent_coef: float = 0.0
) -> Float[Tensor, "*batch A"]:
    """log of the maximiser of E_p[pull] - KL(p ‖ π_old) + c H(p), c = `ent_coef`."""
    legal = old_log_probs > ILLEGAL_LOG_PROB
    found = _normalised((old_log_probs + pull) / (1.0 + ent_coef), legal)
    kept = found.clamp_min(LOWEST_LOG_PROB)
    return _normalised(kept, legal).masked_fill(~legal, NOT_ALLOWED)


def mirror_gain(
    log_probs: Float[Tensor, "B N A"],
    old_log_probs: Float[Tensor, "B N A"],
    pull: Float[Tensor, "B N A"],
    ent_coef: float = 0.0,
) -> Float[Tensor, "B N"]:
    """E_π[pull] - KL(π ‖ π_old) + c H(π), whose maximiser `mirror_step` is."""
    legal = old_log_probs > ILLEGAL_LOG_PROB
    chance = probabilities(log_probs)
    worth = pull + old_log_probs - (1.0 + ent_coef) * log_probs
    return (chance * worth.masked_fill(~legal, 0.0)).sum(dim=-1)


def _normalised(
    logits: Float[Tensor, "*batch A"], legal: Bool[Tensor, "*batch A"]
) -> Float[Tensor, "*batch A"]:
    return torch.log_softmax(logits.masked_fill(~legal, NOT_ALLOWED), dim=-1)
