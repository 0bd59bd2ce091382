"""The inner loop of Algorithm 1: K passes, each an exchange and a step on Eq. 16, for all agents.

Each pass: share own distributions π^jj, form suggestions π^ij, send them, and take one step.
Everything that crosses from agent to agent crosses through the `Channel`. Learners that exchange
nothing run the same passes without peers: what is left of Eq. 16 is PPO's clipped surrogate.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ss_core.exchange.channel import Channel
from ss_core.exchange.neighbourhood import Neighbourhood, nobody
from ss_core.learning.action_advantages import (
    Judgement,
    judge_alternatives,
    judge_samples,
    sampled_advantages,
    scaled_advantages,
)
from ss_core.learning.communication import (
    Conversation,
    Outcome,
    agreement,
    converse,
    exchange,
    last_talk,
    own_view,
    views,
    weighed,
)
from ss_core.learning.credit import estimated_alternatives
from ss_core.learning.learner import Learner, Trained, lr_decay
from ss_core.learning.rollout import Decisions, Rollout, critic_inputs, decisions_of, flatten
from ss_core.learning.sequential import learn_in_turn
from ss_core.objective.advantages import kappa
from ss_core.objective.objective import ObjectiveWeights, objective, objective_terms
from ss_core.policies.optimiser import adam_step


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
    talk = None if where is None else converse(learner, decisions, channel, where, update)
    if talk is not None and config.agent_order == "sequential":
        outcome = learn_in_turn(learner, decisions, judgement, talk, weights)
    else:  # with nobody to listen, the order makes no difference
        outcome = _learn_at_once(learner, decisions, judgement, talk, weights, update)
    metrics = _metrics(learner, outcome, decisions, weights)
    learner.last_talk = None
    if talk is not None and outcome.heard is not None:
        metrics |= agreement(outcome.heard, talk, decisions)
        learner.last_talk = last_talk(outcome.heard, talk, decisions)
    return metrics


def _learn_at_once(
    learner: Learner,
    decisions: Decisions,
    judgement: Judgement,
    talk: Conversation | None,
    weights: ObjectiveWeights,
    update: int,
) -> Outcome:
    """K passes, in each of which all agents speak, then all take a step."""
    config = learner.config
    heard = peers = received = peers_old = outcome = None
    for _ in range(config.num_epochs):
        if talk is None:
            log_probs = learner.actors.own(decisions.observations, decisions.action_mask)
        else:
            heard = exchange(learner, decisions, talk, judgement)
            log_probs = heard.own
            if outcome is None:
                talk = weighed(learner, heard, talk)
            if peers_old is None or config.old_policy == "literal":
                peers_old = heard.shared
            peers, received = views(heard, talk, judgement, peers_old)
        own = own_view(decisions, judgement, log_probs, config.old_policy)
        terms = objective_terms(own, peers, received, weights)
        ascend(learner, objective(terms, learner.kappa, weights) / decisions.num_steps, update)
        outcome = Outcome(own, terms, heard)
    assert outcome is not None
    return outcome


def _weights(learner: Learner, where: Neighbourhood | None) -> ObjectiveWeights:
    weights = learner.config.objective
    if where is None or not learner.config.scale_rho_follow:
        return weights
    factor = (learner.spec.num_agents - 1) / where.degree
    return replace(weights, rho_follow=weights.rho_follow * factor)


def ascend(learner: Learner, gain: Float[Tensor, " N"], update: int) -> None:
    """One step of every agent on its own gain, by its own parameters."""
    params = learner.actors.params
    grads = torch.autograd.grad(-gain.sum(), list(params.values()), allow_unused=True)
    skipped = adam_step(
        params,
        {
            k: torch.zeros_like(w) if g is None else g
            for (k, w), g in zip(params.items(), grads, strict=True)
        },
        learner.actor_adam,
        lr=learner.learning_rates(update),
        max_grad_norm=learner.config.max_grad_norm,
    )
    learner.note_skipped(skipped)


@torch.no_grad()
def _metrics(
    learner: Learner, outcome: Outcome, decisions: Decisions, weights: ObjectiveWeights
) -> dict[str, float]:
    own, terms = outcome.own, outcome.terms
    count = decisions.valid.sum().clamp_min(1)
    log_ratio = ((own.log_probs - own.old_log_probs) * own.weights).sum(dim=-1) * own.valid
    gain = objective(terms, learner.kappa, weights) / decisions.num_steps
    metrics = {
        "objective": gain.mean(),
        "entropy": terms.entropy.sum() / count,
        "approx_kl": -log_ratio.sum() / count,
    }
    if terms.anchor_penalty is not None and terms.follow_penalty is not None:
        metrics["anchor_penalty"] = terms.anchor_penalty.sum() / count
        metrics["follow_penalty"] = terms.follow_penalty.sum() / count
    return {k: float(v) for k, v in metrics.items()}


def regress(
    learner: Learner,
    model: Trained,
    inputs: Float[Tensor, "B N I"],
    targets: Float[Tensor, "B C"],
    update: int,
) -> float:
    """K steps on Eq. 18, E[(V_i(s_t) - Σ γˡ r_i,t+l)²]; returns the last loss."""
    params = model.bank.params
    rate = lr_decay(learner.config, update) * learner.config.critic_lr
    loss = inputs.new_zeros(())
    for _ in range(learner.config.num_epochs):
        loss = (model.bank.values(inputs) - targets).square().mean(dim=0).sum()
        grads = torch.autograd.grad(loss, list(params.values()))
        adam_step(
            params,
            dict(zip(params, grads, strict=True)),
            model.adam,
            lr=dict.fromkeys(params, rate),
            max_grad_norm=learner.config.max_grad_norm,
        )
    return float(loss.detach())


def update_critics(
    learner: Learner, rollout: Rollout, targets: Float[Tensor, "T E N"], update: int
) -> float:
    """The critics learn the returns; a single, centralised one those of the first column."""
    seen, _ = critic_inputs(
        rollout, sees_time=learner.config.critic_sees_time, one_view=learner.one_view
    )
    wanted = targets[..., :1] if learner.critics.centralised else targets
    critics = Trained(learner.critics, learner.critic_adam)
    return regress(learner, critics, flatten(seen), flatten(wanted), update)


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
    scaled = scaled_advantages(learner, advantages, decisions)
    of_peers = scaled if where is None else less_own_action(learner, rollout, scaled, update)
    judgement = judge_samples(scaled, decisions, where, learner.spec.num_actions, of_peers=of_peers)
    metrics = update_actors(learner, decisions, judgement, channel, where, update)
    return metrics | {"critic_loss": update_critics(learner, rollout, targets, update)}


def learn_from_model(
    learner: Learner,
    rollout: Rollout,
    decisions: Decisions,
    channel: Channel,
    where: Neighbourhood | None,
    update: int,
) -> dict[str, float]:
    """Actors on what their private models of credit say of every alternative, then critics."""
    assert learner.credit is not None
    advantages, targets = sampled_advantages(learner, rollout, rollout.rewards)
    table = estimated_alternatives(
        learner.credit,
        learner.spec,
        rollout,
        advantages,
        where or nobody(learner.spec.num_agents).to(advantages.device),
        forget=learner.config.credit_forget,
        ridge=learner.config.credit_ridge,
    )
    judgement = judge_alternatives(table, decisions, where)
    metrics = update_actors(learner, decisions, judgement, channel, where, update)
    return metrics | {"critic_loss": update_critics(learner, rollout, targets, update)}


def less_own_action(
    learner: Learner, rollout: Rollout, advantages: Float[Tensor, "T E N"], update: int
) -> Float[Tensor, "T E N"]:
    """Â_i less what agent i expects of it from its own action: what is left is others' doing.

    The expectation is a private regression that learns after it was asked. A baseline that does not
    depend on a neighbour's action leaves the expected gradient of a suggestion as it is.
    """
    model = learner.models.get("own_model")
    if model is None:
        return advantages
    taken = torch.nn.functional.one_hot(rollout.actions, learner.spec.num_actions)
    seen = flatten(torch.cat([rollout.observations, taken.to(advantages.dtype)], dim=-1))
    with torch.no_grad():
        expected = model.bank.values(seen).unflatten(0, advantages.shape[:2])
    regress(learner, model, seen, flatten(advantages), update)
    return advantages - expected


def learn_alone(
    learner: Learner,
    rollout: Rollout,
    advantages: Float[Tensor, "T E N"],
    targets: Float[Tensor, "T E N"],
    channel: Channel,
    update: int,
) -> dict[str, float]:
    """Every agent by PPO on the advantages it has, however it came to them."""
    decisions = decisions_of(rollout, learner.spec)
    scaled = scaled_advantages(learner, advantages, decisions)
    judgement = judge_samples(scaled, decisions, None, learner.spec.num_actions)
    metrics = update_actors(learner, decisions, judgement, channel, None, update)
    return metrics | {"critic_loss": update_critics(learner, rollout, targets, update)}


def partners(channel: Channel, rollout: Rollout, update: int) -> Neighbourhood | None:
    """Who talks to whom at this update; None in a gap of the exchange (every k-th)."""
    if not channel.exchanges_at(update):
        return None
    met = rollout.neighbours
    where = channel.neighbourhood(update, None if met is None else flatten(met))
    return where.to(rollout.rewards.device)
