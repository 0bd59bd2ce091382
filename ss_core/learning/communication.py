"""One update's talk between agents: who talks about which decisions, what they say and hear.

Each exchange: share own distributions π^jj, form suggestions π^ij, send them. Everything that
crosses from agent to agent crosses through the `Channel`; what is done with it is not decided here.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.exchange.channel import Channel
from ss_core.exchange.lies import heed
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.exchange.trust import remember, weights
from ss_core.learning.action_advantages import Judgement
from ss_core.learning.learner import Learner, Talk
from ss_core.learning.rollout import Decisions, pairs_at
from ss_core.objective.closed_form import ILLEGAL_LOG_PROB, best_suggestions
from ss_core.objective.objective import Objective, OwnView, PeerView, ReceivedView
from ss_core.policies.actors import JointActorBank
from ss_core.policies.feature_actor import PeerRows, pack_peer_rows


@dataclass(frozen=True, slots=True)
class Conversation:
    """Who talks about which decisions during one update."""

    channel: Channel
    where: Neighbourhood
    valid: Bool[Tensor, "B N M"]
    rows: PeerRows
    update: int
    heeded: Float[Tensor, "N K"] | None = None  # weight of each sender with each receiver; None: 1


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One exchange: what everybody computed, and what everybody last told and heard."""

    own: Float[Tensor, "B N A"]  # log π^ii, with its gradient where it was asked for
    suggested: Float[Tensor, "B N M A"]  # log π^ij, likewise
    shared: Float[Tensor, "B N M A"]  # log π^jj as j told i
    told: Float[Tensor, "B N M A"]  # log π^ij as i told j
    received: Float[Tensor, "B N K A"]  # log π^ji as j told i
    taken: Bool[Tensor, "B N K"]  # whether it counts: there is one, and it is well-formed


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last step of an update, for its metrics and the trace."""

    own: OwnView
    terms: Objective
    heard: Exchanged | None


def converse(
    learner: Learner, decisions: Decisions, channel: Channel, where: Neighbourhood, update: int
) -> Conversation:
    """Tell neighbours what the decisions are about (see `EnvSpec.announcement_floats`)."""
    spec = learner.spec
    valid = pairs_at(decisions, where)
    if spec.announcement_floats:
        channel.announce("announcement", spec.announcement_floats, where, valid, update)
    rows = pack_peer_rows(
        decisions.observations, valid, where.receivers, spec.candidate_size, spec.public_size
    )
    return Conversation(channel, where, valid, rows, update)


def exchange(
    learner: Learner, decisions: Decisions, talk: Conversation, judgement: Judgement
) -> Exchanged:
    """Everybody shares π^jj, suggests π^ij and receives π^ji."""
    actors, observations, mask = learner.actors, decisions.observations, decisions.action_mask
    if isinstance(actors, JointActorBank):
        own, suggested = actors.own_and_suggest(observations, mask, talk.rows)
        shared = share(talk, own, talk.valid)
    else:
        own = actors.own(observations, mask)
        shared = share(talk, own, talk.valid)
        suggested = _suggested(learner, decisions, talk, judgement, shared)
    told = talk.channel.as_told(suggested.detach(), shared, talk.where, talk.update)
    return Exchanged(own, suggested, shared, told, *send(talk, told, talk.valid, own))


def _suggested(
    learner: Learner,
    decisions: Decisions,
    talk: Conversation,
    judgement: Judgement,
    shared: Float[Tensor, "B N M A"],
) -> Float[Tensor, "B N M A"]:
    """log π^ij: by the suggestion networks, or the best there is for what i knows."""
    if learner.config.suggestions == "networks":
        actors, mask = learner.actors, decisions.action_mask
        return actors.suggest(decisions.observations, shared, mask, talk.rows)
    assert judgement.peer_advantages is not None
    rho = learner.config.objective.rho
    return best_suggestions(shared, judgement.peer_advantages, learner.kappa, rho)


def share(
    talk: Conversation, own: Float[Tensor, "B N A"], valid: Bool[Tensor, "B N M"]
) -> Float[Tensor, "B N M A"]:
    """Tell own distributions at the `valid` decisions to those who make suggestions for them."""
    told, spoken_of = own.detach(), heard_by_anyone(talk, valid)
    told = talk.channel.released(told, told > ILLEGAL_LOG_PROB, spoken_of, talk.update)
    return talk.channel.share_with_suggesters("own_policy", told, talk.where, valid, talk.update)


def heard_by_anyone(talk: Conversation, valid: Bool[Tensor, "B N M"]) -> Bool[Tensor, "B N"]:
    """At which of j's decisions there is somebody to tell."""
    where = talk.where
    return (valid[:, where.senders, where.slots] & where.received).any(dim=2)


def send(
    talk: Conversation,
    told: Float[Tensor, "B N M A"],
    valid: Bool[Tensor, "B N M"],
    own: Float[Tensor, "B N A"],
) -> tuple[Float[Tensor, "B N K A"], Bool[Tensor, "B N K"]]:
    """Send suggestions about the `valid` decisions; what was received, and which of it is taken.

    What a receiver cannot take is replaced by its own policy, which asks for nothing.
    """
    channel, where, update = talk.channel, talk.where, talk.update
    told = channel.released(told, told > ILLEGAL_LOG_PROB, valid, update)
    received, told_us = channel.send_suggestions("suggestion", told, where, valid, update)
    mine = own.detach()
    taken = channel.refuse_malformed(received, told_us, mine > ILLEGAL_LOG_PROB, where, update)
    if taken is told_us:
        return received, taken
    return torch.where(taken.unsqueeze(-1), received, mine.unsqueeze(2)), taken


def weighed(learner: Learner, heard: Exchanged, talk: Conversation) -> Conversation:
    """The conversation with each receiver's weights of its senders, after their first words."""
    weight = None
    if learner.trust is not None:
        config, where = learner.config, talk.where
        own, fade = heard.own.detach(), config.trust_fade
        remember(learner.trust, own, heard.received, heard.taken, where, fade)
        weight = weights(learner.trust, where, config.trust_tolerance)
    if talk.channel.liars is not None:
        liars = talk.channel.liars.to(heard.own.device)
        heeds = heed(liars, talk.where).to(heard.own.dtype)
        weight = heeds if weight is None else weight * heeds
    return replace(talk, heeded=weight)


def own_view(
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


def views(
    heard: Exchanged,
    talk: Conversation,
    judgement: Judgement,
    peers_old: Float[Tensor, "B N M A"],
) -> tuple[PeerView, ReceivedView]:
    """What everybody thinks of its neighbours' decisions, and what it was told about its own."""
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
    valid = heard.taken.to(heard.own.dtype)
    if talk.heeded is not None:
        valid = valid * talk.heeded
    return peers, ReceivedView(log_probs=heard.received, valid=valid)


def last_talk(heard: Exchanged, talk: Conversation, decisions: Decisions) -> Talk:
    """The exchange for the trace."""
    return Talk(decisions.rows, talk.where, talk.valid, heard.told, heard.shared)


def agreement(heard: Exchanged, talk: Conversation, decisions: Decisions) -> dict[str, float]:
    """Mean of (π^ii(a_i | s) - π^ji(a_i | s))² over the pairs that talked, at the actions taken."""
    pairs = heard.taken
    if not bool(pairs.any()):
        return {}
    action = decisions.actions.unsqueeze(-1)
    mine = heard.own.detach().gather(-1, action).exp()
    theirs = heard.received.gather(-1, action.unsqueeze(2).expand(*pairs.shape, 1)).squeeze(-1)
    return {"suggestion_mse": float((mine - theirs.exp())[pairs].square().mean())}
