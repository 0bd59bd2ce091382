"""Algorithm 1 in its literal order: within a pass one agent after the other, each heard at once.

Only the agent whose turn it is needs gradients. What the others told stands; after its step its own
rows are evaluated anew and told, unless everybody is about to speak.
"""

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.learning.action_advantages import Judgement
from ss_core.learning.communication import (
    Conversation,
    Exchanged,
    Outcome,
    exchange,
    own_view,
    send,
    share,
    views,
    weighed,
)
from ss_core.learning.learner import Learner
from ss_core.learning.rollout import Decisions
from ss_core.objective.objective import (
    ObjectiveWeights,
    OwnView,
    PeerView,
    ReceivedView,
    objective,
    objective_terms,
)
from ss_core.policies.actors import ActorBank, JointActorBank, one_agent
from ss_core.policies.feature_actor import PeerRows
from ss_core.policies.optimiser import AdamState, adam_step

View = TypeVar("View", OwnView, PeerView, ReceivedView)


@dataclass(frozen=True, slots=True)
class _Seat:
    """One agent's part of everything that stays the same for a whole update."""

    here: slice  # of the axis of agents
    bank: ActorBank  # of this agent alone, in the memory of everybody's
    adam: AdamState  # likewise
    observations: Float[Tensor, "B 1 O"]
    masks: tuple[Bool[Tensor, "B 1 A"] | None, Bool[Tensor, "B N A"] | None]  # own, everybody's
    rows: PeerRows
    views: tuple[OwnView, PeerView, ReceivedView]  # with distributions to be replaced
    shares: Bool[Tensor, "B N M"]  # where it is heard as a neighbour
    suggests: Bool[Tensor, "B N M"]


def learn_in_turn(
    learner: Learner,
    decisions: Decisions,
    judgement: Judgement,
    talk: Conversation,
    weights: ObjectiveWeights,
) -> Outcome:
    """K passes in which agents take turns."""
    config, num_agents = learner.config, learner.spec.num_agents
    with torch.no_grad():
        heard = exchange(learner, decisions, talk, judgement)
    talk = weighed(learner, heard, talk)
    peers_old = heard.shared
    seats = _take_seats(learner, decisions, judgement, talk, heard)
    last = config.num_epochs * num_agents - 1
    for number in range(last + 1):
        agent = number % num_agents
        with torch.no_grad():
            if agent:
                heard = _speak(seats[agent - 1], talk, heard)
            elif number:
                heard = exchange(learner, decisions, talk, judgement)
            if number == last:
                heard = _with_suggestions_of_now(learner, decisions, talk, heard)
        if config.old_policy == "literal":
            peers_old = heard.shared
        _step(learner, seats[agent], heard, peers_old, weights, talk.update, decisions.num_steps)
    own = own_view(decisions, judgement, heard.own, config.old_policy)
    terms = objective_terms(own, *views(heard, talk, judgement, peers_old), weights)
    return Outcome(own, terms, heard)


def _take_seats(
    learner: Learner,
    decisions: Decisions,
    judgement: Judgement,
    talk: Conversation,
    heard: Exchanged,
) -> list[_Seat]:
    own = own_view(decisions, judgement, heard.own, learner.config.old_policy)
    peers, received = views(heard, talk, judgement, heard.shared)
    seats = []
    for agent in range(learner.spec.num_agents):
        here = slice(agent, agent + 1)
        suggests = torch.zeros_like(talk.valid)
        suggests[:, here] = talk.valid[:, here]
        mask, public, packed = decisions.action_mask, talk.rows.public, talk.rows.packed
        seats.append(
            _Seat(
                here=here,
                bank=one_agent(learner.actors, agent),
                adam=learner.actor_adam.of_agent(agent),
                observations=decisions.observations[:, here],
                masks=(None if mask is None else mask[:, here], mask),
                rows=PeerRows(
                    talk.rows.receivers[here],
                    None if public is None else public[here],
                    None if packed is None else packed[here],
                ),
                views=(_of(own, here), _of(peers, here), _of(received, here)),
                shares=talk.valid & (talk.where.receivers == agent),
                suggests=suggests,
            )
        )
    return seats


def _of(view: View, here: slice) -> View:
    """One agent's part of a view; the axis of agents stays."""
    return replace(view, **{f.name: getattr(view, f.name)[:, here] for f in fields(view)})


def _step(
    learner: Learner,
    seat: _Seat,
    heard: Exchanged,
    peers_old: Float[Tensor, "B N M A"],
    weights: ObjectiveWeights,
    update: int,
    count: int,
) -> None:
    """One step of one agent on Eq. 16."""
    here, (own, peers, received) = seat.here, seat.views
    log_probs, suggested = _evaluate(seat, heard.shared)
    if learner.config.old_policy == "literal":
        own = replace(own, old_log_probs=log_probs.detach())
    terms = objective_terms(
        replace(own, log_probs=log_probs),
        replace(
            peers,
            log_probs=suggested,
            shared_log_probs=heard.shared[:, here],
            old_log_probs=peers_old[:, here],
        ),
        replace(received, log_probs=heard.received[:, here]),
        weights,
    )
    gain = objective(terms, learner.kappa[here], weights) / count
    rows = seat.bank.params
    grads = torch.autograd.grad(-gain.sum(), list(rows.values()), allow_unused=True)
    skipped = adam_step(
        rows,
        {
            k: torch.zeros_like(w) if g is None else g
            for (k, w), g in zip(rows.items(), grads, strict=True)
        },
        seat.adam,
        lr=learner.learning_rates(update),
        max_grad_norm=learner.config.max_grad_norm,
    )
    if skipped is not None:
        everybody = skipped.new_zeros(learner.spec.num_agents)
        everybody[here] = skipped
        learner.note_skipped(everybody)


def _speak(seat: _Seat, talk: Conversation, before: Exchanged) -> Exchanged:
    """One agent shares and suggests after its step; what the others told `before` stands."""
    own, suggested, told = before.own.clone(), before.suggested.clone(), before.told.clone()
    own[:, seat.here], suggested[:, seat.here] = _evaluate(seat, before.shared)
    shared = share(talk, own, seat.shares)
    said = talk.channel.as_told(suggested, shared, talk.where, talk.update)
    told[:, seat.here] = said[:, seat.here]
    said, counts = send(talk, told, seat.suggests, own)
    speaks = talk.where.senders == seat.here.start
    received = torch.where(speaks[None, :, :, None], said, before.received)
    taken = torch.where(speaks, counts, before.taken)
    return Exchanged(own, suggested, shared, told, received, taken)


def _evaluate(
    seat: _Seat, shared: Float[Tensor, "B N M A"]
) -> tuple[Float[Tensor, "B 1 A"], Float[Tensor, "B 1 M A"]]:
    """An agent's π^ii, and its π^ij for what was `shared` with it."""
    bank, (mask, everybodys) = seat.bank, seat.masks
    if isinstance(bank, JointActorBank):
        return bank.own_and_suggest(seat.observations, everybodys, seat.rows)
    own = bank.own(seat.observations, mask)
    # such banks need no mask of the receiver's: what is illegal has no chance in what it shared
    return own, bank.suggest(seat.observations, shared[:, seat.here], None, seat.rows)


def _with_suggestions_of_now(
    learner: Learner, decisions: Decisions, talk: Conversation, heard: Exchanged
) -> Exchanged:
    """What everybody would suggest now: some suggestions follow what the neighbour told since."""
    if isinstance(learner.actors, JointActorBank):
        return heard
    suggested = learner.actors.suggest(
        decisions.observations, heard.shared, decisions.action_mask, talk.rows
    )
    return replace(heard, suggested=suggested)
