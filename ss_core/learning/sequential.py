"""Algorithm 1 in its literal order: within a pass one agent after the other, each received at once.

Only the agent that steps needs gradients. What the others sent stands; after its step its own rows
are evaluated anew and sent, unless everybody is about to send.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.learning.action_advantages import ActionAdvantages
from ss_core.learning.communication import (
    CommunicationRound,
    Messages,
    agreement,
    last_round,
    own_policies,
    send,
    share,
    suggest,
    weigh,
)
from ss_core.learning.decisions import Decisions
from ss_core.learning.learner import Learner
from ss_core.learning.update import step_metrics
from ss_core.objective.objective import objective
from ss_core.policies.actors import ActorBank, JointActorBank, one_agent
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.optimiser import AdamState, ascend


@dataclass(frozen=True, slots=True)
class AgentSlice:
    """One agent's part of everything that stays the same for a whole update."""

    here: slice  # of the axis of agents
    bank: ActorBank  # of this agent alone, in the memory of everybody's
    adam: AdamState  # likewise
    decisions: Decisions
    mask: Bool[Tensor, "B N A"] | None  # everybody's
    peers: PeerRows
    advantages: ActionAdvantages
    weight: Float[Tensor, "1 K"] | None  # of each sender with this agent
    shares: Bool[Tensor, "B N M"]  # where others make suggestions for it
    suggests: Bool[Tensor, "B N M"]  # where it makes suggestions for others


def sequential_passes(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> dict[str, float]:
    """K passes in which agents step one after the other; metrics of the last, for all agents."""
    config, num_agents = learner.config, learner.spec.num_agents
    with torch.no_grad():
        messages = exchange(learner, decisions, advantages, opened)
    opened = weigh(learner, messages, opened)
    old_policies = messages.policies
    slices = _slices(learner, decisions, advantages, opened)
    last = config.num_epochs * num_agents - 1
    for number in range(last + 1):
        agent = number % num_agents
        with torch.no_grad():
            if agent:
                messages = _resend(slices[agent - 1], opened, messages)
            elif number:
                messages = exchange(learner, decisions, advantages, opened)
            if number == last:
                messages = _with_suggestions_of_now(learner, decisions, opened, messages)
        if config.old_policy == "literal":
            old_policies = messages.policies
        _step(learner, slices[agent], opened, messages, old_policies)
    own = advantages.own_view(decisions, messages.own, config.old_policy)
    peers = advantages.peer_view(
        messages.suggestions, messages.policies, old_policies, opened.valid
    )
    step = objective(
        own,
        peers,
        messages.view(opened.weight),
        config.objective,
        learner.kappa,
        num_steps=decisions.num_steps,
        follow_scale=opened.follow_scale,
        family=learner.family,
    )
    learner.last_round = last_round(opened, messages, decisions)
    return step_metrics(own, step, decisions) | agreement(messages, decisions, learner.family)


def exchange(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> Messages:
    """Everybody shares π^jj, and sends and receives suggestions."""
    own, suggestions = own_policies(learner, decisions, opened)
    policies = share(opened, own, opened.valid)
    if suggestions is None:
        suggestions = suggest(learner, decisions, advantages, opened, policies)
    return send(opened, own, policies, suggestions)


def _slices(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
) -> list[AgentSlice]:
    slices = []
    for agent in range(learner.spec.num_agents):
        here = slice(agent, agent + 1)
        suggests = torch.zeros_like(opened.valid)
        suggests[:, here] = opened.valid[:, here]
        public, packed = opened.peers.public, opened.peers.packed
        slices.append(
            AgentSlice(
                here=here,
                bank=one_agent(learner.actors, agent),
                adam=learner.actor_adam.of_agent(agent),
                decisions=_decisions_of(decisions, here),
                mask=decisions.action_mask,
                peers=PeerRows(
                    opened.peers.receivers[here],
                    None if public is None else public[here],
                    None if packed is None else packed[here],
                ),
                advantages=advantages.of_agent(here),
                weight=None if opened.weight is None else opened.weight[here],
                shares=opened.valid & (opened.links.receivers == agent),
                suggests=suggests,
            )
        )
    return slices


def _decisions_of(decisions: Decisions, here: slice) -> Decisions:
    mask = decisions.action_mask
    return replace(
        decisions,
        rows=decisions.rows[:, here],
        valid=decisions.valid[:, here],
        observations=decisions.observations[:, here],
        actions=decisions.actions[:, here],
        old_log_probs=decisions.old_log_probs[:, here],
        action_mask=None if mask is None else mask[:, here],
    )


def _step(
    learner: Learner,
    one: AgentSlice,
    opened: CommunicationRound,
    messages: Messages,
    old_policies: Float[Tensor, "B N M A"],
) -> None:
    """One step of one agent on Eq. 16."""
    config, here = learner.config, one.here
    log_probs, suggestions = _evaluate(one, messages.policies)
    policies, old = messages.policies[:, here], old_policies[:, here]
    mine = Messages(
        own=log_probs,
        policies=policies,
        suggestions=suggestions,
        sent=messages.sent[:, here],
        received=messages.received[:, here],
        valid=messages.valid[:, here],
    )
    step = objective(
        one.advantages.own_view(one.decisions, log_probs, config.old_policy),
        one.advantages.peer_view(suggestions, policies, old, opened.valid[:, here]),
        mine.view(one.weight),
        config.objective,
        learner.kappa[here],
        num_steps=one.decisions.num_steps,
        follow_scale=opened.follow_scale,
        family=learner.family,
    )
    rates, most = learner.learning_rates(opened.update), config.max_grad_norm
    skipped = ascend(one.bank.params, step.gain, one.adam, lr=rates, max_grad_norm=most)
    if skipped is not None:
        everybody = skipped.new_zeros(learner.spec.num_agents)
        everybody[here] = skipped
        learner.note_skipped(everybody)


def _resend(one: AgentSlice, opened: CommunicationRound, before: Messages) -> Messages:
    """One agent shares and suggests after its step; what the others sent `before` stands."""
    here, channel, links = one.here, opened.channel, opened.links
    own, suggestions, sent = before.own.clone(), before.suggestions.clone(), before.sent.clone()
    own[:, here], suggestions[:, here] = _evaluate(one, before.policies)
    policies = share(opened, own, one.shares)
    sent[:, here] = channel.as_sent(suggestions, policies, links, opened.update)[:, here]
    received, valid = channel.send_suggestions(sent, own, links, one.suggests, opened.update)
    anew = links.senders == here.start
    received = torch.where(anew[None, :, :, None], received, before.received)
    valid = torch.where(anew, valid, before.valid)
    return Messages(own, policies, suggestions, sent, received, valid)


def _evaluate(
    one: AgentSlice, policies: Float[Tensor, "B N M A"]
) -> tuple[Float[Tensor, "B 1 A"], Float[Tensor, "B 1 M A"]]:
    """An agent's π^ii, and its π^ij for the `policies` that were shared with it."""
    bank, observations = one.bank, one.decisions.observations
    if isinstance(bank, JointActorBank):
        return bank.own_and_suggest(observations, one.mask, one.peers)
    own = bank.own(observations, one.decisions.action_mask)
    # such banks need no mask of the receiver's: what is illegal has no chance in what it shared
    return own, bank.suggest(observations, policies[:, one.here], None, one.peers)


def _with_suggestions_of_now(
    learner: Learner, decisions: Decisions, opened: CommunicationRound, messages: Messages
) -> Messages:
    """What everybody would suggest now: some suggestions follow what was shared since."""
    if isinstance(learner.actors, JointActorBank):
        return messages
    suggestions = learner.actors.suggest(
        decisions.observations, messages.policies, decisions.action_mask, opened.peers
    )
    return replace(messages, suggestions=suggestions)
