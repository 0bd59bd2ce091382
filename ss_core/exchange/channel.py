"""The exchange door: everything that passes from agent to agent passes here, and is counted.

`Channel` decides who sends to whom (`ExchangeConfig.protocol`), re-indexes sender-major tensors to
receiver-major ones, and keeps the ledger. What the ledger counts is what was exchanged.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.exchange.ledger import Ledger
from ss_core.exchange.lies import Lie, copies, draw_liars, sent_instead, stamps
from ss_core.exchange.neighbourhood import (
    Neighbourhood,
    all_to_all,
    from_graph,
    from_graphs,
    random_regular,
)
from ss_core.exchange.noise import epsilon_of, noised
from ss_core.exchange.ring_sum import draw_mask, mask_generator, masked_running_sums
from ss_core.objective.action_families import FINITE, ActionFamily
from ss_core.objective.closed_form import ILLEGAL_LOG_PROB
from ss_core.random_streams import Stream, numpy_generator, torch_generator

MessageKind = Literal[
    "announcement",  # what a decision is about: the public features of its actions
    "own_policy",  # π^jj(· | s): "this is what I would do"
    "suggestion",  # π^ij(· | s): "this is what I suggest you do"
    "reward",  # r_j, a share of it that is given away, or what alternatives would have brought
    "observation",  # to the one critic of the centralised learner, where not all see everything
    "advantage",  # Â_j of a step (value sharing)
    "critic_parameters",  # all of an agent's value network (sharing of value parameters)
    "reward_parameters",  # all of its model of the team's mean reward (likewise)
    "policy_parameters",  # all of an agent's policy and copies of policies (policy sharing)
    "cost_total",  # running sum of trial-day costs, under a mask
    "return_total",  # likewise of returns in a pilot, which decide the settings to train with
    "scale_total",  # likewise of the spreads or sizes of advantages, for one common scale
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeConfig:
    """Who sends to whom, and how often (Appendix A.4 of the paper)."""

    protocol: Literal["all", "random", "graph"] = "all"  # graph: the environment's own neighbours
    num_neighbours: int = 8  # m, for `random`
    every: int = 1  # exchange at every k-th update
    per_update: Literal["every_pass", "once"] = "every_pass"  # once: about π_old, see ss.py
    redraw: bool = True  # draw `random` neighbours anew at each update; False: once for all
    liars: float = 0.0  # share of agents that lie (lies.py)
    lie: Lie = "selfish"  # what they send instead
    noise: float = 0.0  # multiplier z of the noise on what is sent (noise.py); 0: none
    noise_radius: float = 4.0  # C, to which logits are clipped before
    noise_delta: float = 1e-5  # δ for which the run's ε is stated

    def __post_init__(self) -> None:
        if self.num_neighbours < 1:
            raise ValueError(f"num_neighbours={self.num_neighbours}: at least 1")
        if self.every < 1:
            raise ValueError(f"every={self.every}: at least 1")
        if not 0.0 <= self.liars <= 1.0:
            raise ValueError(f"liars={self.liars}: a share between 0 and 1")
        if not 0.0 <= self.noise < 1e6 or not 0.0 < self.noise_radius < 1e6:
            raise ValueError(
                f"noise={self.noise}, noise_radius={self.noise_radius}: the first from 0, the "
                "second above 0"
            )
        if not 0.0 < self.noise_delta < 1.0:
            raise ValueError(f"noise_delta={self.noise_delta}: between 0 and 1")


Listener = Callable[[str, int, Mapping[str, Tensor]], None]  # kind, update, what each agent sent


class Channel:
    """The only path between agents."""

    def __init__(
        self,
        config: ExchangeConfig,
        num_agents: int,
        seed: int,
        family: ActionFamily = FINITE,
    ) -> None:
        self.config = config
        self._family = family  # of the policies that are sent
        self.ledger = Ledger(num_agents)
        self._num_agents = num_agents
        self._seed = seed
        self.liars = draw_liars(config.lie, config.liars, num_agents, seed)
        self.listener: Listener | None = None  # receives a copy of all that is sent; for benchmarks
        self.trial = 0  # of a pilot, counted from 1: noise and masks are drawn anew in each
        self._noise_generator, self._noise_update = torch.Generator(), -1
        self._masks: tuple[int, np.random.Generator] | None = None  # update, random numbers

    def exchanges_at(self, update: int) -> bool:
        """Whether anything is exchanged at this update (every k-th; Appendix A.4, protocol 2)."""
        return self.open and update % self.config.every == 0

    def closed(self) -> "Channel":
        """The same channel with nobody at the other end."""
        return Channel(self.config, 1, self._seed, self._family)

    @property
    def open(self) -> bool:
        """Whether there is anybody at the other end."""
        return self._num_agents > 1

    def neighbourhood(
        self, update: int, graph: Bool[Tensor, "R N N"] | Bool[Tensor, "N N"] | None = None
    ) -> Neighbourhood:
        """Who sends to whom at this update: a function of seed and update, or the world's `graph`.

        A graph that changes from step to step has a leading axis of rows (time * environments).
        """
        if self.config.protocol == "graph" and graph is not None:
            return from_graph(graph) if graph.dim() == 2 else from_graphs(graph)
        if self.config.protocol == "random":
            draw = update if self.config.redraw else 0
            rng = numpy_generator(self._seed, Stream.NEIGHBOURS, draw)
            return random_regular(self._num_agents, self.config.num_neighbours, rng)
        return all_to_all(self._num_agents)

    def announce(
        self,
        kind: MessageKind,
        floats: int,
        links: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> None:
        """Each j sends those who think about it what the environment has laid out for them already.

        Only the count passes here: of what decisions are about (`EnvSpec.announcement_floats`), and
        of observations that a centralised critic looks at.
        """
        self._count(update, kind, links, valid.sum(dim=0), floats, to_receiver=False)

    def share(
        self,
        kind: MessageKind,
        payload: Float[Tensor, "B N *K"],
        links: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> Float[Tensor, "B N M *K"]:
        """Each j shares with those who suggest to it; result[b, i, m] is from j = receivers[i, m].

        `valid[b, i, m]` says at which of j's decisions there is something to share: these count.
        """
        self._show_listener(kind, update, {"": payload})
        floats = int(payload[0, 0].numel()) if payload.numel() else 0
        self._count(update, kind, links, valid.sum(dim=0), floats, to_receiver=False)
        sent = payload[:, links.receivers.reshape(-1)].unflatten(1, tuple(links.receivers.shape))
        return sent.detach()

    def send(
        self,
        kind: MessageKind,
        payload: Float[Tensor, "B N M *K"],
        links: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> tuple[Float[Tensor, "B N K *K"], Bool[Tensor, "B N K"]]:
        """Each i sends slot m to receivers[i, m]; result[b, j, k] is from i = senders[j, k]."""
        self._show_listener(kind, update, {"": payload})
        floats = int(payload[0, 0, 0].numel()) if payload.numel() else 0
        self._count(update, kind, links, valid.sum(dim=0), floats, to_receiver=True)
        received = payload[:, links.senders, links.slots].detach()
        taken = valid[:, links.senders, links.slots] & links.received
        return received, taken if self.liars is None else self._screened(taken, links, update)

    def send_suggestions(
        self,
        suggestions: Float[Tensor, "B N M A"],
        own: Float[Tensor, "B N A"],
        links: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> tuple[Float[Tensor, "B N K A"], Bool[Tensor, "B N K"]]:
        """Send log π^ij; what each j received, and which of it is a valid suggestion.

        In the place of what is none, j has its `own` policy, which asks for nothing.
        """
        sent = self.released(suggestions, suggestions > ILLEGAL_LOG_PROB, valid, update)
        received, arrived = self.send("suggestion", sent, links, valid, update)
        taken = self.refuse_malformed(received, arrived, own > ILLEGAL_LOG_PROB, links, update)
        if taken is arrived:
            return received, arrived
        return torch.where(taken.unsqueeze(-1), received, own.unsqueeze(2)), taken

    def _screened(
        self, taken: Bool[Tensor, "B N K"], links: Neighbourhood, update: int
    ) -> Bool[Tensor, "B N K"]:
        """Only messages of this exchange are taken, and one of each sender about a decision."""
        assert self.liars is not None
        liars = self.liars.to(taken.device)
        stale = (stamps(liars, update) != update)[links.senders]
        surplus = (copies(liars) - 1)[links.senders]
        self._refuse(update, "stale", links, (taken & stale).sum(dim=0))
        self._refuse(update, "flood", links, taken.sum(dim=0) * surplus)
        return taken & ~stale

    def refuse_malformed(
        self,
        received: Float[Tensor, "B N K A"],
        taken: Bool[Tensor, "B N K"],
        legal: Bool[Tensor, "B N A"],
        links: Neighbourhood,
        update: int,
    ) -> Bool[Tensor, "B N K"]:
        """`taken` less what is no distribution over the receiver's legal actions, now counted."""
        bad = taken & ~self._family.well_formed(received, legal.unsqueeze(2).expand_as(received))
        if not bool(bad.any()):
            return taken
        self._refuse(update, "malformed", links, bad.sum(dim=0))
        return taken & ~bad

    def _refuse(
        self, update: int, reason: str, links: Neighbourhood, messages: Int[Tensor, "N K"]
    ) -> None:
        j, k = np.nonzero(links.received.numpy(force=True))
        i = links.senders.numpy(force=True)[j, k]
        self.ledger.refuse(update, reason, i, j, messages.numpy(force=True)[j, k])

    def released(
        self,
        log_probs: Float[Tensor, "B N *slot A"],
        legal: Bool[Tensor, "B N *slot A"],
        sent: Bool[Tensor, "B N *slot"],
        update: int,
    ) -> Float[Tensor, "B N *slot A"]:
        """Distributions as they may leave their agents; where there is noise, each counts."""
        if self.config.noise == 0.0:
            return log_probs
        count = sent.sum(dim=tuple(d for d in range(sent.dim()) if d != 1))
        self.ledger.release(count.numpy(force=True))
        return noised(
            log_probs,
            legal,
            radius=self.config.noise_radius,
            multiplier=self.config.noise,
            generator=self._noise_at(update),
        )

    def _noise_at(self, update: int) -> torch.Generator:
        """Random numbers of an update: the same for a run that is continued."""
        if self._noise_update != update:
            self._noise_generator = torch_generator(
                self._seed, Stream.NOISE, *self._drawn_at(update)
            )
            self._noise_update = update
        return self._noise_generator

    def privacy(self) -> dict[str, float] | None:
        """(ε, δ) of the agent that released most, so far; None without noise."""
        config = self.config
        if config.noise == 0.0:
            return None
        most = int(self.ledger.releases.max())
        return {
            "epsilon": epsilon_of(most, config.noise, config.noise_delta),
            "delta": config.noise_delta,
            "noise_multiplier": config.noise,
            "logit_radius": config.noise_radius,
            "releases": most,
        }

    def as_sent(
        self,
        suggested: Float[Tensor, "B N M A"],
        shared: Float[Tensor, "B N M A"],
        links: Neighbourhood,
        update: int,
    ) -> Float[Tensor, "B N M A"]:
        """What agents send, given what each would suggest if it were honest."""
        if self.liars is None:
            return suggested
        return sent_instead(self.liars.to(shared.device), suggested, shared, links, update)

    def mix(
        self,
        kind: MessageKind,
        rows: Mapping[str, Tensor],
        weights: Float[Tensor, "N N"],
        update: int,
    ) -> dict[str, Tensor]:
        """Each j sends its row to all i that weigh it; row i of the result is Σ_j w_ij row j.

        What arrives is added up at once, so that N copies of everything never exist together.
        """
        self._show_listener(kind, update, rows)
        receiver, sender = np.nonzero(weights.numpy(force=True))
        apart = sender != receiver
        floats = sum(w[0].numel() for w in rows.values())
        messages = np.ones(np.count_nonzero(apart), dtype=np.int64)
        self.ledger.record(
            update,
            kind,
            sender[apart],
            receiver[apart],
            messages=messages,
            floats=messages * floats,
        )
        return {k: torch.tensordot(weights, w.detach(), dims=1) for k, w in rows.items()}

    def total(
        self, kind: MessageKind, values: Float[Tensor, "N D"], update: int
    ) -> Float[Tensor, " D"]:
        """Σᵢ of numbers that agents show nobody, in double precision: a sum around a masked ring.

        Agent i sends its running sum to i + 1, the last one to the first (`ring_sum.py`); an agent
        alone sends nothing. Masks would come off to rounding; here the values are added directly.
        """
        n, width = values.shape
        if n != self._num_agents:
            raise ValueError(f"numbers of {n} agents on a channel of {self._num_agents}")
        if n > 1:
            mask = draw_mask(width, self._masks_at(update))
            self._show_listener(kind, update, {"": masked_running_sums(values, mask)})
            ring, once = np.arange(n), np.ones(n, dtype=np.int64)
            self.ledger.record(
                update, kind, ring, (ring + 1) % n, messages=once, floats=once * width
            )
        return values.detach().double().sum(dim=0)

    def _masks_at(self, update: int) -> np.random.Generator:
        """Goes on within an update, so that no two sums have the same mask."""
        if self._masks is None or self._masks[0] != update:
            self._masks = update, mask_generator(self._seed, *self._drawn_at(update))
        return self._masks[1]

    def _drawn_at(self, update: int) -> tuple[int, ...]:
        """Indices of what hides messages: no trial's is that of another, or of the training."""
        return (update, self.trial) if self.trial else (update,)

    def _show_listener(self, kind: str, update: int, sent: Mapping[str, Tensor]) -> None:
        if self.listener is not None:
            self.listener(kind, update, {name: each.detach() for name, each in sent.items()})

    def _count(
        self,
        update: int,
        kind: str,
        links: Neighbourhood,
        decisions: Int[Tensor, "N M"],
        floats_each: int,
        *,
        to_receiver: bool,
    ) -> None:
        linked = links.linked.numpy(force=True)
        i, m = np.nonzero(linked)
        j = links.receivers.numpy(force=True)[i, m]
        sent = decisions.numpy(force=True)[i, m]
        sender, receiver = (i, j) if to_receiver else (j, i)
        messages = (sent > 0).astype(np.int64)
        self.ledger.record(
            update, kind, sender, receiver, messages=messages, floats=sent * floats_each
        )


def exchange_facts(channel: Channel, names: Sequence[str]) -> dict[str, Any]:
    """What a learner's result says of its exchange: `bytes_by_kind`; `privacy`; `liars`.

    `privacy` is there where there was noise and something was sent, `liars` where there were any.
    """
    facts: dict[str, Any] = {"bytes_by_kind": channel.ledger.bytes_by_kind()}
    privacy, liars = channel.privacy(), channel.liars
    if privacy is not None and privacy["releases"]:
        facts["privacy"] = privacy
    if liars is not None:
        facts["liars"] = {
            "lie": liars.kind,
            "names": [names[i] for i in torch.nonzero(liars.among).flatten().tolist()],
            "num_agents": len(names),
            "messages_refused": channel.ledger.num_messages_refused(),
        }
    return facts
