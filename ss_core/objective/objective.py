"""The suggestion-sharing objective: Eq. 13 (ratios), 14–15 (indicators), 16 (dual clipping).

Pure functions of tensors, for all agents at once. Everything received from others (π^jj, π^ji) and
every advantage is a constant here: no gradient crosses from agent to agent.

Axes: `B` decision (time × environment), `N` agent, `M` neighbour slot, `A` action. A pair tensor
`[B, N, M, A]` belongs to agent i = n (the one that optimises); slot m is its neighbour j.
Expectations over actions are written Σ_a w(a) f(a): with w the one-hot of the action taken this is
the sample of Eq. 16, with w = π_old it is the exact expectation where every alternative is known.
Where actions are not a few, A is 1, the action taken, and `P` numbers describe a policy.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from ss_core.objective.action_families import FINITE, ActionFamily, Discrepancy

Surrogate = Literal["product", "additive"]
Anchor = Literal["l2", "tv", "kl"]  # kl: relative entropy, in closed form (mirror.py)

MAX_LOG_RATIO = 20.0  # keeps a ratio that no weight asks for from becoming infinite


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnView:
    """Agent i's own decisions."""

    log_probs: Float[Tensor, "B N A"]  # log π^ii(· | s; θ^ii)
    old_log_probs: Float[Tensor, "B N A"]  # log π^ii_old
    weights: Float[Tensor, "B N A"]  # w(a)
    advantages: Float[Tensor, "B N A"]  # Â_i of each action (equal for all actions when sampled)
    valid: Float[Tensor, "B N"]  # 1 where a decision was taken
    policies: Float[Tensor, "B N P"] | None = None  # π^ii; None: `log_probs` says it all
    actions: Real[Tensor, "B N K"] | None = None  # taken, where `policies` is there


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerView:
    """Agent i's suggestions for its neighbours j, at j's decisions."""

    suggestions: Float[Tensor, "B N M A"]  # log π^ij(· | s; θ^ij)
    policies: Float[Tensor, "B N M A"]  # log π^jj as j shared it last
    old_policies: Float[Tensor, "B N M A"]  # log π^jj_old, the policy that acted
    weights: Float[Tensor, "B N M A"]  # w(a_j)
    advantages: Float[Tensor, "B N M A"]  # Â_i of each action of j
    valid: Float[Tensor, "B N M"]  # 1 where j took a decision and is linked to i
    suggested: Float[Tensor, "B N M P"] | None = None  # π^ij; None: `suggestions` says it all
    shared: Float[Tensor, "B N M P"] | None = None  # π^jj likewise


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedView:
    """Suggestions π^ji that agent i received, at i's own decisions."""

    suggestions: Float[Tensor, "B N M P"]  # π^ji
    valid: Float[Tensor, "B N M"]  # 1 where there is one
    weight: Float[Tensor, "N M"] | None = None  # of each sender with i; None: 1


def policy_ratio(
    log_probs: Float[Tensor, "*batch A"], old_log_probs: Float[Tensor, "*batch A"]
) -> Float[Tensor, "*batch A"]:
    """ξ(a) = π(a | s) / π_old(a | s) of Eq. 13, for every action; at most e^20."""
    return torch.exp((log_probs - old_log_probs).clamp_max(MAX_LOG_RATIO))


def neighbour_ratio(peers: PeerView) -> Float[Tensor, "B N"]:
    """ξ_{N_i} = Π_{j ∈ N_i} π^ij(a_j | s) / π^jj_old(a_j | s), Eq. 13; computed in log space."""
    log_ratio = (peers.weights * (peers.suggestions - peers.old_policies)).sum(dim=-1)
    return torch.exp((log_ratio * peers.valid).sum(dim=-1).clamp_max(MAX_LOG_RATIO))


def clipped_surrogate(
    own: OwnView, clip_eps: float, xi_neighbours: Float[Tensor, "B N"] | None = None
) -> Float[Tensor, "B N"]:
    """E[min(ξ_i ξ_{N_i} Â_i, clip(ξ_i, 1 ± ε) ξ_{N_i} Â_i)], first line of Eq. 16."""
    xi = policy_ratio(own.log_probs, own.old_log_probs)
    advantages = own.advantages
    if xi_neighbours is not None:
        advantages = advantages * xi_neighbours.unsqueeze(-1)
    clipped = xi.clamp(1.0 - clip_eps, 1.0 + clip_eps)
    return (own.weights * torch.minimum(xi * advantages, clipped * advantages)).sum(dim=-1)


def suggestion_surrogate(
    peers: PeerView, clip_eps: float, family: ActionFamily = FINITE
) -> Float[Tensor, "B N M"]:
    """E[ξ_ij Â_i] per neighbour: the first-order part of ξ_{N_i} at the current joint policy.

    Where actions are not a few, ξ_ij is clipped as ξ_i is: the ratio of densities has no bound.
    """
    xi = policy_ratio(peers.suggestions, peers.old_policies)
    gains = xi * peers.advantages
    if not family.finite:
        clipped = xi.clamp(1.0 - clip_eps, 1.0 + clip_eps)
        gains = torch.minimum(gains, clipped * peers.advantages)
    return (peers.weights * gains).sum(dim=-1)


def diverging(
    log_probs: Float[Tensor, "*batch A"],
    reference_log_probs: Float[Tensor, "*batch A"],
    weights: Float[Tensor, "*batch A"],
    advantages: Float[Tensor, "*batch A"],
) -> Bool[Tensor, "*batch"]:
    """1_X of Eq. 14–15: (π(a)/π_ref(a)) Â ≥ Â, where the advantage drives the two apart."""
    ratio = policy_ratio(log_probs.detach(), reference_log_probs)
    return (weights * (ratio * advantages - advantages)).sum(dim=-1) >= 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveWeights:
    """The knobs of Eq. 16 that do not depend on data."""

    clip_eps: float = 0.2  # ε
    rho: float = 0.1  # ρ: suggestion π^ij towards the peer's policy π^jj (constraint b)
    rho_follow: float = 0.1  # ρ': own policy π^ii towards received suggestions π^ji (constraint c)
    surrogate: Surrogate = "product"
    anchor: Anchor = "l2"  # distance of π^ij to π^jj
    follow: Discrepancy = "l2"  # distance of π^ii to π^ji
    indicators: bool = True  # 1_X of Eq. 14; False: penalties always on
    ent_coef: float = 0.0  # entropy bonus on own policies

    def __post_init__(self) -> None:
        for name in ("clip_eps", "rho", "rho_follow"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise ValueError(f"{name}={value}: finite and not negative")
        if not math.isfinite(self.ent_coef):
            raise ValueError(f"ent_coef={self.ent_coef}: must be finite")


@dataclass(frozen=True, slots=True)
class Objective:
    """Eq. 16 and its parts, per decision (and neighbour)."""

    gain: Float[Tensor, " N"]  # all of it, per time step: maximise each by its own parameters
    surrogate: Float[Tensor, "B N"]
    suggestion: Float[Tensor, "B N M"] | None
    anchor_penalty: Float[Tensor, "B N M"] | None  # without κ
    follow_penalty: Float[Tensor, "B N M"] | None  # without κ
    entropy: Float[Tensor, "B N"]


def objective(
    own: OwnView,
    peers: PeerView | None,
    received: ReceivedView | None,
    weights: ObjectiveWeights,
    kappas: Float[Tensor, " N"],
    *,
    num_steps: int,
    follow_scale: float = 1.0,
    family: ActionFamily = FINITE,
) -> Objective:
    """Eq. 16; `peers` and `received` are None in a gap of the exchange (A.4).

    `num_steps` is what sums over decisions are divided by; `follow_scale` multiplies ρ', where few
    neighbours stand for all; `family` is what policies are of.
    """
    xi_neighbours = suggestion = anchored = followed = None
    if peers is not None and weights.surrogate == "product":
        xi_neighbours = neighbour_ratio(peers)
    elif peers is not None:
        suggestion = suggestion_surrogate(peers, weights.clip_eps, family) * peers.valid
    surrogate = clipped_surrogate(own, weights.clip_eps, xi_neighbours) * own.valid
    if peers is not None:
        anchored = anchor_penalty(peers, weights, family)
    if received is not None:
        followed = follow_penalty(own, received, weights, follow_scale, family)
    policies = own.log_probs if own.policies is None else own.policies
    entropy = family.entropy(policies) * own.valid
    total = surrogate.sum(dim=0) + weights.ent_coef * entropy.sum(dim=0)
    if suggestion is not None:
        total = total + suggestion.sum(dim=(0, 2))
    for penalty in (anchored, followed):
        if penalty is not None:
            total = total - kappas * penalty.sum(dim=(0, 2))
    return Objective(total / num_steps, surrogate, suggestion, anchored, followed, entropy)


def anchor_penalty(
    peers: PeerView, weights: ObjectiveWeights, family: ActionFamily = FINITE
) -> Float[Tensor, "B N M"]:
    """ρ 1_{X^ij} d(π^ij, π^jj)."""
    active = peers.valid
    if weights.indicators:
        active = active * diverging(
            peers.suggestions, peers.policies, peers.weights, peers.advantages
        )
    assert weights.anchor != "kl"  # such suggestions come in closed form
    suggested = peers.suggestions if peers.suggested is None else peers.suggested
    shared = peers.policies if peers.shared is None else peers.shared
    distance = family.distance(suggested, shared, weights.anchor)
    return weights.rho * active * distance


def follow_penalty(
    own: OwnView,
    received: ReceivedView,
    weights: ObjectiveWeights,
    scale: float = 1.0,
    family: ActionFamily = FINITE,
) -> Float[Tensor, "B N M"]:
    """ρ' 1_{X^ii} d(π^ii, π^ji), by the weight of the sender j."""
    received_policies = received.suggestions
    policies = own.log_probs if own.policies is None else own.policies
    mine = policies.unsqueeze(2).expand_as(received_policies)
    active = received.valid
    if received.weight is not None:
        active = active * received.weight
    if weights.indicators:
        theirs = _at_own_actions(family, received_policies, own)
        mine_at, weights_at, advantages_at = (
            x.unsqueeze(2).expand_as(theirs) for x in (own.log_probs, own.weights, own.advantages)
        )
        active = active * diverging(mine_at, theirs, weights_at, advantages_at)
    distance = family.distance(mine, received_policies, weights.follow)
    return weights.rho_follow * scale * active * distance


def _at_own_actions(
    family: ActionFamily, suggestions: Float[Tensor, "B N M P"], own: OwnView
) -> Float[Tensor, "B N M A"]:
    """log π^ji of the actions that expectations of agent i run over."""
    if own.actions is None:
        return suggestions
    taken = own.actions.unsqueeze(2).expand(*suggestions.shape[:3], -1)
    return family.at_actions(suggestions, taken)
