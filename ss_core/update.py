"""The inner loop of Algorithm 1: K passes of exchange and one step on Eq. 16, for all agents at once.

Each pass: share own distributions π^jj, form suggestions π^ij, send them, and take one step.
Everything that crosses from agent to agent crosses through the `Channel`. Learners that exchange
nothing run the same passes without peers: what is left of Eq. 16 is PPO's clipped surrogate.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.advantages import kappa
from ss_core.exchange import Channel, Neighbourhood
from ss_core.judgement import Judgement
from ss_core.learner import Learner, lr_decay
from ss_core.networks import PeerRows, pack_peer_rows
from ss_core.optimiser import adam_step
from ss_core.rollout import Decisions
from ss_core.suggestions import (
    Objective,
    ObjectiveWeights,
    OwnView,
    PeerView,
    ReceivedView,
    objective,
    objective_terms,
)


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What one pass of the exchange brought."""

    peers: PeerView
    received: ReceivedView


@dataclass(frozen=True, slots=True)
class _Talk:
    """Who talks about which decisions during one update."""

    channel: Channel
    where: Neighbourhood
    valid: Bool[Tensor, "B N M"]
    rows: PeerRows
    update: int


def update_actors(
    learner: Learner,
    decisions: Decisions,
    judgement: Judgement,
    channel: Channel,
    where: Neighbourhood | None,
    update: int,
) -> dict[str, float]:
    """K passes of Algorithm 1; `where` is None when nothing is exchanged at this update."""
    config = learner.config
    learner.kappa = kappa(judgement.sizes, decisions.valid, config.kappa, learner.kappa)
    weights = _weights(learner, where)
    talk = None if where is None else _announce(learner, decisions, channel, where, update)
    in_turn = config.agent_order == "sequential"
    old, peers_old, metrics = decisions.old_log_probs, None, {}
    for _ in range(config.num_epochs):
        for agent in range(learner.spec.num_agents) if in_turn else (None,):
            own_log_probs = learner.actors.own(decisions.observations, decisions.action_mask)
            own = OwnView(
                log_probs=own_log_probs,
                old_log_probs=old,
                weights=judgement.own_weights,
                advantages=judgement.own_advantages,
                valid=decisions.valid.to(own_log_probs.dtype),
            )
            peers = received = None
            if talk is not None:
                heard = _exchange(learner, decisions, judgement, talk, own_log_probs, peers_old)
                peers, received = heard.peers, heard.received
                peers_old = peers.old_log_probs
            terms = objective_terms(own, peers, received, weights)
            gain = objective(terms, learner.kappa, weights) / decisions.mean_count
            _ascend(learner, gain, update, agent)
            metrics = _metrics(terms, own, gain, decisions)
            if config.old_policy == "literal":
                old, peers_old = own_log_probs.detach(), None
    return metrics


def _weights(learner: Learner, where: Neighbourhood | None) -> ObjectiveWeights:
    weights = learner.config.objective
    if where is None or not learner.config.scale_rho_follow:
        return weights
    factor = (learner.spec.num_agents - 1) / where.degree
    return replace(weights, rho_follow=weights.rho_follow * factor)


def _announce(
    learner: Learner, decisions: Decisions, channel: Channel, where: Neighbourhood, update: int
) -> _Talk:
    """Tell neighbours what the decisions are about (see `EnvSpec.announcement_floats`)."""
    spec = learner.spec
    valid = decisions.valid[:, where.receivers.reshape(-1)].unflatten(1, where.receivers.shape)
    valid = valid & where.linked
    if spec.announcement_floats:
        channel.announce(spec.announcement_floats, where, valid, update)
    rows = pack_peer_rows(
        decisions.observations, valid, where.receivers, spec.candidate_size, spec.public_size
    )
    return _Talk(channel, where, valid, rows, update)


def _exchange(
    learner: Learner,
    decisions: Decisions,
    judgement: Judgement,
    talk: _Talk,
    own_log_probs: Float[Tensor, "B N A"],
    peers_old: Float[Tensor, "B N M A"] | None,
) -> Exchanged:
    """Share π^jj, suggest π^ij, receive π^ji."""
    assert judgement.peer_weights is not None
    assert judgement.peer_advantages is not None
    own = own_log_probs.detach()
    shared = talk.channel.share_with_suggesters(
        "own_policy", own, talk.where, talk.valid, talk.update
    )
    suggested = learner.actors.suggest(
        decisions.observations, shared, decisions.action_mask, talk.rows
    )
    received, received_valid = talk.channel.send_suggestions(
        "suggestion", suggested, talk.where, talk.valid, talk.update
    )
    peers = PeerView(
        log_probs=suggested,
        shared_log_probs=shared,
        old_log_probs=shared if peers_old is None else peers_old,
        weights=judgement.peer_weights,
        advantages=judgement.peer_advantages,
        valid=talk.valid.to(own.dtype),
    )
    return Exchanged(peers, ReceivedView(log_probs=received, valid=received_valid.to(own.dtype)))


def _ascend(learner: Learner, gain: Float[Tensor, " N"], update: int, agent: int | None) -> None:
    params = learner.actors.params
    target = gain.sum() if agent is None else gain[agent]
    grads = torch.autograd.grad(-target, list(params.values()), allow_unused=True)
    filled = {
        k: torch.zeros_like(w) if g is None else g
        for (k, w), g in zip(params.items(), grads, strict=True)
    }
    adam_step(
        params,
        filled,
        learner.actor_adam,
        lr=learner.learning_rates(update),
        agent=agent,
        max_grad_norm=learner.config.max_grad_norm,
    )


def _metrics(
    terms: Objective, own: OwnView, gain: Float[Tensor, " N"], decisions: Decisions
) -> dict[str, float]:
    with torch.no_grad():
        count = decisions.valid.sum().clamp_min(1)
        log_ratio = ((own.log_probs - own.old_log_probs) * own.weights).sum(dim=-1) * own.valid
        metrics = {
            "objective": gain.mean(),
            "entropy": terms.entropy.sum() / count,
            "approx_kl": -log_ratio.sum() / count,
        }
        if terms.anchor_penalty is not None and terms.follow_penalty is not None:
            metrics["anchor_penalty"] = terms.anchor_penalty.sum() / count
            metrics["follow_penalty"] = terms.follow_penalty.sum() / count
    return {k: float(v) for k, v in metrics.items()}


def update_critics(
    learner: Learner,
    observations: Float[Tensor, "B N O"],
    targets: Float[Tensor, "B C"],
    update: int,
) -> float:
    """K steps on Eq. 18, E[(V_i(s_t) - Σ γˡ r_i,t+l)²]; returns the last loss."""
    params = learner.critics.params
    rate = lr_decay(learner.config, update) * learner.config.critic_lr
    loss = torch.zeros(())
    for _ in range(learner.config.num_epochs):
        loss = (learner.critics.values(observations) - targets).square().mean(dim=0).sum()
        grads = torch.autograd.grad(loss, list(params.values()))
        adam_step(
            params,
            dict(zip(params, grads, strict=True)),
            learner.critic_adam,
            lr=dict.fromkeys(params, rate),
            max_grad_norm=learner.config.max_grad_norm,
        )
    return float(loss)
