"""The inner loop of Algorithm 1: K passes, each an exchange and a step on Eq. 16, for all agents.

Each pass: share own distributions π^jj, form suggestions π^ij, send them, and take one step.
Everything that crosses from agent to agent crosses through the `Channel`. Learners that exchange
nothing run the same passes without peers: what is left of Eq. 16 is PPO's clipped surrogate.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.advantages import kappa
from ss_core.candidates import PeerRows, pack_peer_rows
from ss_core.exchange import Channel, Neighbourhood
from ss_core.judgement import (
    Judgement,
    judge_samples,
    sampled_advantages,
    scaled_advantages,
)
from ss_core.learner import Learner, Talk, lr_decay
from ss_core.networks import JointActorBank
from ss_core.optimiser import adam_step
from ss_core.rollout import Decisions, Rollout, critic_inputs, flatten, pairs_at
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
    """One exchange: what everybody computed, and what everybody last told and heard."""

    own: Float[Tensor, "B N A"]  # log π^ii, with its gradient
    suggested: Float[Tensor, "B N M A"]  # log π^ij, with its gradient
    shared: Float[Tensor, "B N M A"]  # log π^jj as j told i
    told: Float[Tensor, "B N M A"]  # log π^ij as i told j
    received: Float[Tensor, "B N K A"]  # log π^ji as j told i


@dataclass(frozen=True, slots=True)
class _Talk:
    """Who talks about which decisions during one update."""

    channel: Channel
    where: Neighbourhood
    valid: Bool[Tensor, "B N M"]
    received_valid: Bool[Tensor, "B N K"]
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
    weights, count = _weights(learner, where), decisions.num_steps
    talk = None if where is None else _announce(learner, decisions, channel, where, update)
    in_turn = config.agent_order == "sequential"
    turns: list[int | None] = list(range(learner.spec.num_agents)) if in_turn else [None]
    heard = peers = received = peers_old = None
    metrics: dict[str, float] = {}
    for number in range(config.num_epochs * len(turns)):
        turn = number % len(turns)
        if talk is None:
            own_log_probs = learner.actors.own(decisions.observations, decisions.action_mask)
        else:
            speaker = turns[turn - 1] if turn else None  # all, then whoever has just learnt
            heard = _exchange(learner, decisions, talk, heard, speaker)
            own_log_probs = heard.own
            if peers_old is None or config.old_policy == "literal":
                peers_old = heard.shared
            peers, received = _views(heard, talk, judgement, peers_old)
        own = _own_view(decisions, judgement, own_log_probs, config.old_policy)
        terms = objective_terms(own, peers, received, weights)
        gain = objective(terms, learner.kappa, weights) / count
        _ascend(learner, gain, update, turns[turn])
        if number == config.num_epochs * len(turns) - 1:
            metrics = _metrics(terms, own, gain, decisions)
    learner.last_talk = None
    if heard is not None and talk is not None:
        metrics |= _agreement(heard, talk, decisions)
        learner.last_talk = Talk(
            decisions.rows, talk.where.receivers, talk.valid, heard.told, heard.shared
        )
    return metrics


def _own_view(
    decisions: Decisions,
    judgement: Judgement,
    log_probs: Float[Tensor, "B N A"],
    old_policy: Literal["behaviour", "literal"],
) -> OwnView:
    """π_old is the policy that acted, or, read literally, the policy before this very step."""
    literal = old_policy == "literal"
    return OwnView(
        log_probs=log_probs,
        old_log_probs=log_probs.detach() if literal else decisions.old_log_probs,
        weights=judgement.own_weights,
        advantages=judgement.own_advantages,
        valid=decisions.valid.to(log_probs.dtype),
    )


def _views(
    heard: Exchanged,
    talk: _Talk,
    judgement: Judgement,
    peers_old: Float[Tensor, "B N M A"],
) -> tuple[PeerView, ReceivedView]:
    assert judgement.peer_weights is not None
    assert judgement.peer_advantages is not None
    peers = PeerView(
        log_probs=heard.suggested,
        shared_log_probs=heard.shared,
        old_log_probs=peers_old,
        weights=judgement.peer_weights,
        advantages=judgement.peer_advantages,
        valid=talk.valid.to(heard.own.dtype),
    )
    valid = talk.received_valid.to(heard.own.dtype)
    return peers, ReceivedView(log_probs=heard.received, valid=valid)


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
    valid = pairs_at(decisions, where)
    if spec.announcement_floats:
        channel.announce(spec.announcement_floats, where, valid, update)
    rows = pack_peer_rows(
        decisions.observations, valid, where.receivers, spec.candidate_size, spec.public_size
    )
    received_valid = valid[:, where.senders, where.slots] & where.received
    return _Talk(channel, where, valid, received_valid, rows, update)


def _exchange(
    learner: Learner,
    decisions: Decisions,
    talk: _Talk,
    before: Exchanged | None,
    speaker: int | None,
) -> Exchanged:
    """Share π^jj, suggest π^ij, receive π^ji: everybody, or one `speaker` after its step.

    Of those who keep silent, what they told `before` stands.
    """
    actors, channel = learner.actors, talk.channel
    observations, mask = decisions.observations, decisions.action_mask
    share_valid = suggest_valid = talk.valid
    if speaker is not None:
        share_valid = talk.valid & (talk.where.receivers == speaker)
        agents = torch.arange(learner.spec.num_agents, device=talk.valid.device)
        suggest_valid = talk.valid & (agents == speaker)[:, None]

    def share(own: Float[Tensor, "B N A"]) -> Float[Tensor, "B N M A"]:
        told = own.detach()
        return channel.share_with_suggesters(
            "own_policy", told, talk.where, share_valid, talk.update
        )

    if isinstance(actors, JointActorBank):
        own, suggested = actors.own_and_suggest(observations, mask, talk.rows)
        shared = share(own)
    else:
        own = actors.own(observations, mask)
        shared = share(own)
        suggested = actors.suggest(observations, shared, mask, talk.rows)
    told = suggested.detach()
    if before is not None and speaker is not None:
        told = before.told.clone()
        told[:, speaker] = suggested[:, speaker].detach()
    received, _ = channel.send_suggestions(
        "suggestion", told, talk.where, suggest_valid, talk.update
    )
    return Exchanged(own, suggested, shared, told, received)


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


def _agreement(heard: Exchanged, talk: _Talk, decisions: Decisions) -> dict[str, float]:
    """Mean of (π^ii(a_i | s) - π^ji(a_i | s))² over the pairs that talked, at the actions taken."""
    pairs = talk.received_valid
    if not bool(pairs.any()):
        return {}
    action = decisions.actions.unsqueeze(-1)
    mine = heard.own.detach().gather(-1, action).exp()
    theirs = heard.received.gather(-1, action.unsqueeze(2).expand(*pairs.shape, 1)).squeeze(-1)
    return {"suggestion_mse": float((mine - theirs.exp())[pairs].square().mean())}


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
    return float(loss.detach())


def learn_from_samples(
    learner: Learner,
    rollout: Rollout,
    decisions: Decisions,
    rewards: Float[Tensor, "T E N"],
    *,
    channel: Channel,
    where: Neighbourhood | None,
    update: int,
) -> dict[str, float]:
    """Actors on Â (Eq. 17) of the actions taken, then critics on the returns (Eq. 18)."""
    advantages, targets = sampled_advantages(learner, rollout, rewards)
    advantages = scaled_advantages(learner, advantages, decisions)
    judgement = judge_samples(advantages, decisions, where, learner.spec.num_actions)
    metrics = update_actors(learner, decisions, judgement, channel, where, update)
    if learner.critics.centralised:
        targets = targets[..., :1]  # the same for everybody
    seen, _ = critic_inputs(rollout, sees_time=learner.config.critic_sees_time)
    loss = update_critics(learner, flatten(seen), flatten(targets), update)
    return metrics | {"critic_loss": loss}
