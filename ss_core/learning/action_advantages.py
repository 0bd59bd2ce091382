"""What each agent thinks of its own and its neighbours' decisions: advantages with their weights.

Two sources, one form. Sampled: Â_i of Eq. 17 at the action that was taken. Counterfactual: the
agent's own return under each alternative action, where the world's public formulas give it.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.env import Counterfactuals
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import (
    Decisions,
    Rollout,
    at_peer_rows,
    at_rows,
    critic_inputs,
    flatten,
)
from ss_core.objective.advantages import discounted_returns, generalized_advantages


@dataclass(frozen=True, slots=True)
class Judgement:
    """Σ_a w(a) f(a) with these weights is the expectation of Eq. 16 over an action."""

    own_weights: Float[Tensor, "B N A"]
    own_advantages: Float[Tensor, "B N A"]
    peer_weights: Float[Tensor, "B N M A"] | None
    peer_advantages: Float[Tensor, "B N M A"] | None
    sizes: Float[Tensor, "B N"]  # |Â_i| as κ measures it


def sampled_advantages(
    learner: Learner, rollout: Rollout, rewards: Float[Tensor, "T E N"]
) -> tuple[Float[Tensor, "T E N"], Float[Tensor, "T E N"]]:
    """Â_i (Eq. 17) and the value targets (Eq. 18) of `rewards` under the learner's critics."""
    config = learner.config
    with torch.no_grad():
        values, following = (  # a single, centralised critic speaks for everybody
            learner.critics.values(flatten(seen)).unflatten(0, rewards.shape[:2]).expand_as(rewards)
            for seen in critic_inputs(
                rollout, sees_time=config.critic_sees_time, one_view=learner.one_view
            )
        )
    ends = (rollout.terminated, rollout.truncated)
    advantages = generalized_advantages(
        rewards, values, following, *ends, gamma=config.gamma, gae_lambda=config.gae_lambda
    )
    return advantages, discounted_returns(rewards, following, *ends, gamma=config.gamma)


def scaled_advantages(
    learner: Learner, advantages: Float[Tensor, "T E N"], decisions: Decisions
) -> Float[Tensor, "T E N"]:
    """`centred`: less the agent's own mean; `per_agent`: also in units of its own largest spread.

    Both use the agent's own advantages only. `centred` keeps one unit of reward the same for all.
    """
    if learner.config.advantage_scale == "none":
        return advantages
    own, valid = at_rows(flatten(advantages), decisions.rows), decisions.valid
    count = valid.sum(dim=0).clamp_min(1)
    mean = (own * valid).sum(dim=0) / count
    if learner.config.advantage_scale == "centred":
        return advantages - mean
    variance = ((own - mean).square() * valid).sum(dim=0) / count
    learner.advantage_std = torch.maximum(learner.advantage_std, variance.sqrt())
    return (advantages - mean) / learner.advantage_std.clamp_min(1e-8)


def judge_samples(
    advantages: Float[Tensor, "T E N"],
    decisions: Decisions,
    where: Neighbourhood | None,
    num_actions: int,
    *,
    of_peers: Float[Tensor, "T E N"] | None = None,
) -> Judgement:
    """Weights are one-hot at the action taken; every action carries Â_i of the decision.

    `of_peers` are the advantages by which an agent judges what its neighbours did, if others.
    """
    flat = flatten(advantages)
    taken = torch.nn.functional.one_hot(decisions.actions, num_actions).to(flat.dtype)
    own = at_rows(flat, decisions.rows)
    peer_weights = peer_advantages = None
    if where is not None:
        peer_weights = taken[:, where.receivers.reshape(-1)].unflatten(1, where.receivers.shape)
        judged = flat if of_peers is None else flatten(of_peers)
        at_peers = at_peer_rows(judged, decisions.rows, where.receivers)
        peer_advantages = at_peers.unsqueeze(-1).expand(peer_weights.shape)
    return Judgement(
        own_weights=taken,
        own_advantages=own.unsqueeze(-1).expand(taken.shape),
        peer_weights=peer_weights,
        peer_advantages=peer_advantages,
        sizes=own.abs(),
    )


def judge_alternatives(
    table: Counterfactuals, decisions: Decisions, where: Neighbourhood | None
) -> Judgement:
    """Weights are π_old; advantages are relative to its expectation."""
    behaviour = decisions.old_log_probs.exp()
    own = _centred(at_rows(flatten(table.own), decisions.rows), behaviour)
    peer_weights = peer_advantages = None
    if where is not None:
        peer_weights = behaviour[:, where.receivers.reshape(-1)].unflatten(1, where.receivers.shape)
        at_peers = at_peer_rows(flatten(table.peers), decisions.rows, where.receivers)
        peer_advantages = _centred(at_peers, peer_weights)
    return Judgement(
        own_weights=behaviour,
        own_advantages=own,
        peer_weights=peer_weights,
        peer_advantages=peer_advantages,
        sizes=(behaviour * own.abs()).sum(dim=-1),
    )


def _centred(
    values: Float[Tensor, "*batch A"], weights: Float[Tensor, "*batch A"]
) -> Float[Tensor, "*batch A"]:
    return values - (weights * values).sum(dim=-1, keepdim=True)
