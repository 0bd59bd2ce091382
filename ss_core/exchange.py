"""The exchange door: everything that passes from agent to agent passes here, and is counted.

`Channel` decides who talks to whom (`Protocol` config), re-indexes sender-major tensors to
receiver-major ones, and keeps the ledger. What the ledger says was exchanged is what was exchanged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

BYTES_PER_FLOAT = 4

MessageKind = Literal[
    "announcement",  # what a decision is about: the public features of its actions
    "own_policy",  # π^jj(· | s): "this is what I would do"
    "suggestion",  # π^ij(· | s): "this is what I suggest you do"
    "reward",  # r_j, or what alternatives would have brought (centralised learning)
    "observation",  # to the one critic of the centralised learner, where not all see everything
    "advantage",  # Â_j of a step (value sharing)
    "critic_parameters",  # all of an agent's value network (sharing of value parameters)
    "reward_parameters",  # all of its model of the team's mean reward (likewise)
    "policy_parameters",  # all of an agent's policy and copies of policies (policy sharing)
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeConfig:
    """Who talks to whom, and how often (Appendix A.4 of the paper)."""

    protocol: Literal["all", "random", "graph"] = "all"  # graph: the environment's own neighbours
    num_neighbours: int = 8  # m, for `random`
    every: int = 1  # exchange at every k-th update
    redraw: bool = True  # draw `random` neighbours anew at each update; False: once for all

    def __post_init__(self) -> None:
        if self.num_neighbours < 1:
            raise ValueError(f"num_neighbours={self.num_neighbours}: at least 1")
        if self.every < 1:
            raise ValueError(f"every={self.every}: at least 1")


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Sparse lists of who thinks about whom, and their inverse."""

    receivers: Int[Tensor, "N M"]  # j = receivers[i, m]: i makes suggestions for j
    linked: Bool[Tensor, "N M"]  # False pads agents with fewer neighbours
    senders: Int[Tensor, "N K"]  # i = senders[j, k]: j receives from i
    slots: Int[Tensor, "N K"]  # the m at which j stands in i's list
    received: Bool[Tensor, "N K"]  # False pads
    present: Bool[Tensor, "R N M"] | None = None  # at each row (time * environments); None: always

    @property
    def degree(self) -> int:
        """M: slots per sender."""
        return self.receivers.shape[1]

    def to(self, device: torch.device) -> "Neighbourhood":
        """The same lists where the decisions are."""
        return Neighbourhood(
            receivers=self.receivers.to(device),
            linked=self.linked.to(device),
            senders=self.senders.to(device),
            slots=self.slots.to(device),
            received=self.received.to(device),
            present=None if self.present is None else self.present.to(device),
        )

    def at_every_row(self, rows: int) -> Bool[Tensor, "R N M"]:
        """Whether agent i and its m-th neighbour may talk at each of the `rows`."""
        return self.linked.expand(rows, -1, -1) if self.present is None else self.present


def all_to_all(num_agents: int) -> Neighbourhood:
    """Everybody talks to everybody else."""
    others = [[j for j in range(num_agents) if j != i] for i in range(num_agents)]
    receivers = torch.tensor(others, dtype=torch.long).reshape(num_agents, num_agents - 1)
    return invert(receivers, torch.ones_like(receivers, dtype=torch.bool))


def nobody(num_agents: int) -> Neighbourhood:
    """Nobody talks to anybody."""
    none = torch.zeros((num_agents, 0), dtype=torch.long)
    return Neighbourhood(none, none.bool(), none, none, none.bool())


def random_regular(num_agents: int, degree: int, rng: np.random.Generator) -> Neighbourhood:
    """Everybody talks to `degree` random others and is talked to by as many.

    Agents are seated at random around a table; agent i talks to those at `degree` random distances.
    """
    degree = min(degree, num_agents - 1)
    seat = rng.permutation(num_agents)
    distance = 1 + rng.permutation(num_agents - 1)[:degree]
    receivers = np.empty((num_agents, degree), dtype=np.int64)
    places = (np.arange(num_agents)[:, None] + distance) % num_agents
    receivers[seat] = seat[places]
    pairs = torch.from_numpy(np.sort(receivers, axis=1))
    return invert(pairs, torch.ones_like(pairs, dtype=torch.bool))


def from_graph(adjacency: Bool[Tensor, "N N"]) -> Neighbourhood:
    """The lists of a graph of (sender, receiver) pairs; the diagonal is ignored."""
    n = adjacency.shape[0]
    lists = [
        [j for j, told in enumerate(row) if told and j != i]
        for i, row in enumerate(adjacency.tolist())
    ]
    width = max(1, *(len(row) for row in lists)) if n > 1 else 1
    receivers = torch.tensor([row + [i] * (width - len(row)) for i, row in enumerate(lists)])
    linked = torch.tensor([[k < len(row) for k in range(width)] for row in lists])
    return invert(receivers, linked)


def from_graphs(adjacency: Bool[Tensor, "R N N"]) -> Neighbourhood:
    """The lists of all who ever meet, and at which rows each pair does."""
    where = from_graph(adjacency.any(dim=0)).to(adjacency.device)
    agents = torch.arange(adjacency.shape[1], device=adjacency.device)[:, None]
    return replace(where, present=adjacency[:, agents, where.receivers] & where.linked)


def invert(receivers: Int[Tensor, "N M"], linked: Bool[Tensor, "N M"]) -> Neighbourhood:
    """Complete the lists of receivers by the lists of senders."""
    n = receivers.shape[0]
    incoming: list[list[tuple[int, int]]] = [[] for _ in range(n)]
    for i, (row, flags) in enumerate(zip(receivers.tolist(), linked.tolist(), strict=True)):
        for slot, (j, flag) in enumerate(zip(row, flags, strict=True)):
            if flag:
                incoming[j].append((i, slot))
    width = max(1, *(len(row) for row in incoming)) if n > 1 else 1
    padded = [row + [(0, 0)] * (width - len(row)) for row in incoming]
    pairs = torch.tensor(padded, dtype=torch.long).reshape(n, width, 2)
    received = torch.tensor([[k < len(row) for k in range(width)] for row in incoming])
    return Neighbourhood(receivers, linked, pairs[..., 0], pairs[..., 1], received)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What one agent sent another under one kind at one update."""

    update: int
    kind: str
    sender: int
    receiver: int
    num_messages: int
    num_floats: int

    @property
    def num_bytes(self) -> int:
        """Payload size as float32."""
        return self.num_floats * BYTES_PER_FLOAT


@dataclass(slots=True)
class Ledger:
    """Messages and floats by kind, sender, receiver: totals, and the rows since the last flush."""

    num_agents: int
    totals: dict[str, Int[np.ndarray, "2 N N"]] = field(default_factory=dict)  # messages, floats
    _fresh: dict[tuple[int, str], np.ndarray] = field(default_factory=dict)

    def record(self, update: int, kind: str, counts: Int[np.ndarray, "2 N N"]) -> None:
        """Add one exchange; `counts[0]` messages and `counts[1]` floats per (sender, receiver)."""
        shape = (2, self.num_agents, self.num_agents)
        self.totals.setdefault(kind, np.zeros(shape, dtype=np.int64))
        self.totals[kind] += counts
        self._fresh[update, kind] = self._fresh.get((update, kind), 0) + counts

    def take_rows(self) -> list[LedgerRow]:
        """Rows since the last call, one per (update, kind, sender, receiver) that met, in order."""
        rows = [
            LedgerRow(update, kind, int(i), int(j), int(counts[0, i, j]), int(counts[1, i, j]))
            for (update, kind), counts in self._fresh.items()
            for i, j in zip(*np.nonzero(counts[1]), strict=True)
        ]
        self._fresh.clear()
        return rows

    def num_bytes(self) -> int:
        """All bytes so far."""
        return sum(int(t[1].sum()) for t in self.totals.values()) * BYTES_PER_FLOAT

    def bytes_by_kind(self) -> dict[str, int]:
        """Bytes so far per kind of message."""
        return {kind: int(t[1].sum()) * BYTES_PER_FLOAT for kind, t in sorted(self.totals.items())}

    def state(self) -> dict[str, Tensor]:
        """Totals for a checkpoint; fresh rows must have been taken before."""
        return {kind: torch.from_numpy(t.copy()) for kind, t in sorted(self.totals.items())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`."""
        self.totals = {kind: t.numpy().copy() for kind, t in state.items()}
        self._fresh.clear()


class Channel:
    """The only path between agents."""

    def __init__(self, config: ExchangeConfig, num_agents: int, seed: int) -> None:
        self.config = config
        self.ledger = Ledger(num_agents)
        self._num_agents = num_agents
        self._seed = seed

    def exchanges_at(self, update: int) -> bool:
        """Whether anything is exchanged at this update (every k-th; Appendix A.4, protocol 2)."""
        return self._num_agents > 1 and update % self.config.every == 0

    def closed(self) -> "Channel":
        """The same channel with nobody at the other end."""
        return Channel(self.config, 1, self._seed)

    def neighbourhood(
        self, update: int, graph: Bool[Tensor, "R N N"] | Bool[Tensor, "N N"] | None = None
    ) -> Neighbourhood:
        """Who talks to whom at this update: a function of seed and update, or the world's `graph`.

        A graph that changes from step to step has a leading axis of rows (time * environments).
        """
        if self.config.protocol == "graph" and graph is not None:
            return from_graph(graph) if graph.dim() == 2 else from_graphs(graph)
        if self.config.protocol == "random":
            draw = update if self.config.redraw else 0
            rng = np.random.default_rng([self._seed, draw])
            return random_regular(self._num_agents, self.config.num_neighbours, rng)
        return all_to_all(self._num_agents)

    def announce(
        self,
        kind: MessageKind,
        floats: int,
        where: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> None:
        """Each j tells those who think about it what the environment has laid out for them already.

        Only the count passes here: of what decisions are about (`EnvSpec.announcement_floats`), and
        of observations that a centralised critic looks at.
        """
        self._count(update, kind, where, valid.sum(dim=0), floats, to_receiver=False)

    def share_with_suggesters(
        self,
        kind: MessageKind,
        payload: Float[Tensor, "B N *K"],
        where: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> Float[Tensor, "B N M *K"]:
        """Each j tells those who suggest to it; result[b, i, m] is from j = receivers[i, m].

        `valid[b, i, m]` says at which of j's decisions there is something to tell: these count.
        """
        floats = int(payload[0, 0].numel()) if payload.numel() else 0
        self._count(update, kind, where, valid.sum(dim=0), floats, to_receiver=False)
        told = payload[:, where.receivers.reshape(-1)].unflatten(1, tuple(where.receivers.shape))
        return told.detach()

    def send_suggestions(
        self,
        kind: MessageKind,
        payload: Float[Tensor, "B N M *K"],
        where: Neighbourhood,
        valid: Bool[Tensor, "B N M"],
        update: int,
    ) -> tuple[Float[Tensor, "B N K *K"], Bool[Tensor, "B N K"]]:
        """Each i sends slot m to receivers[i, m]; result[b, j, k] is from i = senders[j, k]."""
        floats = int(payload[0, 0, 0].numel()) if payload.numel() else 0
        self._count(update, kind, where, valid.sum(dim=0), floats, to_receiver=True)
        received = payload[:, where.senders, where.slots].detach()
        return received, valid[:, where.senders, where.slots] & where.received

    def mix(
        self,
        kind: MessageKind,
        rows: Mapping[str, Tensor],
        weights: Float[Tensor, "N N"],
        update: int,
    ) -> dict[str, Tensor]:
        """Each j tells its row to all i that weigh it; row i of the result is Σ_j w_ij row j.

        What is told is added up on arrival, so that N copies of everything never exist together.
        """
        told = (weights != 0.0).numpy(force=True).T & ~np.eye(self._num_agents, dtype=np.bool_)
        floats = sum(w[0].numel() for w in rows.values())
        self.ledger.record(update, kind, np.stack([told, told * floats]).astype(np.int64))
        return {k: torch.tensordot(weights, w.detach(), dims=1) for k, w in rows.items()}

    def _count(
        self,
        update: int,
        kind: str,
        where: Neighbourhood,
        decisions: Int[Tensor, "N M"],
        floats_each: int,
        *,
        to_receiver: bool,
    ) -> None:
        counts = np.zeros((2, self._num_agents, self._num_agents), dtype=np.int64)
        linked = where.linked.numpy(force=True)
        i, m = np.nonzero(linked)
        j = where.receivers.numpy(force=True)[i, m]
        told = decisions.numpy(force=True)[i, m]
        sender, receiver = (i, j) if to_receiver else (j, i)
        counts[0, sender, receiver] = told > 0
        counts[1, sender, receiver] = told * floats_each
        self.ledger.record(update, kind, counts)
