"""One update's communication: which decisions it is about, what is sent, what is received.

Each agent shares its own distributions π^jj, forms suggestions π^ij from what was shared with it,
and sends them. All that crosses from agent to agent crosses through the `Channel`; what is done
with it is not decided here.
"""

from dataclasses import dataclass, replace
from typing import Self

from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.exchange.channel import Channel
from ss_core.exchange.lies import weight_with
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.exchange.trust import remember, weights
from ss_core.learning.action_advantages import ActionAdvantages
from ss_core.learning.decisions import Decisions, pairs_at
from ss_core.learning.learner import LastRound, Learner
from ss_core.learning.minibatches import ALL
from ss_core.objective.action_families import ActionFamily
from ss_core.objective.closed_form import ILLEGAL_LOG_PROB, best_suggestions
from ss_core.objective.mirror import geometric_suggestions
from ss_core.objective.objective import ReceivedView
from ss_core.policies.actors import JointActorBank
from ss_core.policies.feature_actor import PeerRows, pack_peer_rows


@dataclass(frozen=True, slots=True)
class CommunicationRound:
    """What stays the same for a whole update: links, decisions, and how much senders weigh."""

    channel: Channel
    links: Neighbourhood
    valid: Bool[Tensor, "B N M"]  # at which of j's decisions i and j are linked
    peers: PeerRows  # the decisions as those see them who make suggestions
    update: int
    follow_scale: float = 1.0  # of ρ': how many agents a neighbour stands for
    weight: Float[Tensor, "N K"] | None = None  # of each sender with each receiver; None: 1

    def at(self, learner: Learner, part: Int[Tensor, " b"] | slice, some: Decisions) -> Self:
        """The round of a minibatch: of `some` of the decisions."""
        if isinstance(part, slice):
            return self
        valid, spec = self.valid[part], learner.spec
        peers = pack_peer_rows(
            some.observations, valid, self.links.receivers, spec.candidate_size, spec.public_size
        )
        return replace(self, valid=valid, peers=peers)


@dataclass(frozen=True, slots=True)
class Messages:
    """What all agents computed, sent and received in one exchange."""

    own: Float[Tensor, "B N A"]  # log π^ii, with its gradient where it was asked for
    policies: Float[Tensor, "B N M A"]  # log π^jj as j shared it with i
    suggestions: Float[Tensor, "B N M A"]  # log π^ij as i formed it, with its gradient likewise
    sent: Float[Tensor, "B N M A"]  # log π^ij as i sent it: of a liar, a lie
    received: Float[Tensor, "B N K A"]  # log π^ji as j received it
    valid: Bool[Tensor, "B N K"]  # which of those are suggestions: sent, and well-formed

    def view(
        self, weight: Float[Tensor, "N K"] | None, part: Int[Tensor, " b"] | slice = ALL
    ) -> ReceivedView:
        """What was received, or a part of it, as the objective takes it."""
        valid = self.valid[part].to(self.own.dtype)
        return ReceivedView(suggestions=self.received[part], valid=valid, weight=weight)


def open_round(
    learner: Learner, decisions: Decisions, channel: Channel, links: Neighbourhood, update: int
) -> CommunicationRound:
    """Announce to neighbours what the decisions are about (see `EnvSpec.announcement_floats`)."""
    spec = learner.spec
    valid = pairs_at(decisions, links)
    if spec.announcement_floats:
        channel.announce("announcement", spec.announcement_floats, links, valid, update)
    peers = pack_peer_rows(
        decisions.observations, valid, links.receivers, spec.candidate_size, spec.public_size
    )
    scale = (spec.num_agents - 1) / links.degree if learner.config.scale_rho_follow else 1.0
    return CommunicationRound(channel, links, valid, peers, update, scale)


def own_policies(
    learner: Learner, decisions: Decisions, opened: CommunicationRound
) -> tuple[Float[Tensor, "B N A"], Float[Tensor, "B N M A"] | None]:
    """log π^ii, and log π^ij of banks that compute both at once."""
    actors, observations, mask = learner.actors, decisions.observations, decisions.action_mask
    if isinstance(actors, JointActorBank):
        return actors.own_and_suggest(observations, mask, opened.peers)
    return actors.own(observations, mask), None


def share(
    opened: CommunicationRound, own: Float[Tensor, "B N A"], valid: Bool[Tensor, "B N M"]
) -> Float[Tensor, "B N M A"]:
    """Share own distributions at the `valid` decisions with those who make suggestions for them."""
    channel, links, policies = opened.channel, opened.links, own.detach()
    shown = (valid[:, links.senders, links.slots] & links.received).any(dim=2)
    policies = channel.released(policies, policies > ILLEGAL_LOG_PROB, shown, opened.update)
    return channel.share("own_policy", policies, links, valid, opened.update)


def suggest(
    learner: Learner,
    decisions: Decisions,
    advantages: ActionAdvantages,
    opened: CommunicationRound,
    policies: Float[Tensor, "B N M A"],
) -> Float[Tensor, "B N M A"]:
    """log π^ij: by the suggestion networks, or the best there is for what i knows."""
    if learner.config.suggestions == "networks":
        actors, mask = learner.actors, decisions.action_mask
        return actors.suggest(decisions.observations, policies, mask, opened.peers)
    weights = learner.config.objective
    best = geometric_suggestions if weights.anchor == "kl" else best_suggestions
    return best(policies, advantages.peer_gains(policies), learner.kappa, weights.rho)


def send(
    opened: CommunicationRound,
    own: Float[Tensor, "B N A"],
    policies: Float[Tensor, "B N M A"],
    suggestions: Float[Tensor, "B N M A"],
) -> Messages:
    """Send suggestions to those they are for."""
    channel, links, update = opened.channel, opened.links, opened.update
    sent = channel.as_sent(suggestions.detach(), policies, links, update)
    received = channel.send_suggestions(sent, own.detach(), links, opened.valid, update)
    return Messages(own, policies, suggestions, sent, *received)


def weigh(learner: Learner, messages: Messages, opened: CommunicationRound) -> CommunicationRound:
    """The round with each receiver's weights of its senders, after the first suggestions."""
    weight = None
    if learner.trust is not None:
        config, links = learner.config, opened.links
        own, fade = messages.own.detach(), config.trust_fade
        remember(learner.trust, own, messages.received, messages.valid, links, fade)
        weight = weights(learner.trust, links, config.trust_tolerance)
    if opened.channel.liars is not None:
        liars = opened.channel.liars.to(messages.own.device)
        listens = weight_with(liars, opened.links).to(messages.own.dtype)
        weight = listens if weight is None else weight * listens
    return replace(opened, weight=weight)


def agreement(messages: Messages, decisions: Decisions, family: ActionFamily) -> dict[str, float]:
    """Mean of (π^ii(a_i | s) - π^ji(a_i | s))² over linked pairs, at the actions taken."""
    pairs = messages.valid
    if not bool(pairs.any()):
        return {}
    actions = decisions.actions
    mine = family.at_taken(messages.own.detach(), actions).exp().unsqueeze(-1)
    taken = actions.unsqueeze(2).expand(*pairs.shape, *actions.shape[2:])
    theirs = family.at_taken(messages.received, taken).exp()
    return {"suggestion_mse": float((mine - theirs)[pairs].square().mean())}


def last_round(opened: CommunicationRound, messages: Messages, decisions: Decisions) -> LastRound:
    """What was sent last, for the trace."""
    return LastRound(
        rows=decisions.rows,
        links=opened.links,
        valid=opened.valid,
        suggestions=messages.sent,
        policies=messages.policies,
    )
