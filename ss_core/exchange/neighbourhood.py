"""Links: who sends to whom, as sparse lists of receivers and senders, and ways to draw them."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor


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
        """Whether agent i and its m-th neighbour are linked at each of the `rows`."""
        return self.linked.expand(rows, -1, -1) if self.present is None else self.present


def all_to_all(num_agents: int) -> Neighbourhood:
    """Everybody sends to everybody else."""
    others = torch.arange(num_agents - 1)[None, :]
    receivers = others + (others >= torch.arange(num_agents)[:, None])
    return invert(receivers, torch.ones_like(receivers, dtype=torch.bool))


def nobody(num_agents: int) -> Neighbourhood:
    """Nobody sends to anybody."""
    none = torch.zeros((num_agents, 0), dtype=torch.long)
    return Neighbourhood(none, none.bool(), none, none, none.bool())


def random_regular(num_agents: int, degree: int, rng: np.random.Generator) -> Neighbourhood:
    """Everybody sends to `degree` random others and receives from as many.

    Agents are seated at random around a table; agent i sends to those at `degree` random distances.
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
    linked = adjacency.cpu().clone().fill_diagonal_(False)
    sender, receiver = torch.nonzero(linked, as_tuple=True)
    counts = linked.sum(dim=1)
    receivers, filled = _padded(sender, receiver, counts, padding=torch.arange(len(counts)))
    return invert(receivers, filled)


def from_graphs(adjacency: Bool[Tensor, "R N N"]) -> Neighbourhood:
    """The lists of all who ever meet, and at which rows each pair does."""
    links = from_graph(adjacency.any(dim=0)).to(adjacency.device)
    agents = torch.arange(adjacency.shape[1], device=adjacency.device)[:, None]
    return replace(links, present=adjacency[:, agents, links.receivers] & links.linked)


def invert(receivers: Int[Tensor, "N M"], linked: Bool[Tensor, "N M"]) -> Neighbourhood:
    """Complete the lists of receivers by the lists of senders."""
    sender, slot = torch.nonzero(linked, as_tuple=True)
    receiver, order = torch.sort(receivers[sender, slot], stable=True)
    counts, nothing = torch.bincount(receiver, minlength=len(receivers)), receivers.new_zeros(1)
    senders, received = _padded(receiver, sender[order], counts, padding=nothing)
    slots, _ = _padded(receiver, slot[order], counts, padding=nothing)
    return Neighbourhood(receivers, linked, senders, slots, received)


def _padded(
    row: Int[Tensor, " K"],
    value: Int[Tensor, " K"],
    counts: Int[Tensor, " N"],
    *,
    padding: Int[Tensor, " P"],
) -> tuple[Int[Tensor, "N M"], Bool[Tensor, "N M"]]:
    """The values of each row side by side, and which places hold one; `row` ascends."""
    width = max(1, int(counts.max()))
    place = torch.arange(len(row)) - (counts.cumsum(dim=0) - counts)[row]
    lists = padding[:, None].expand(len(counts), width).clone()
    lists[row, place] = value
    return lists, torch.arange(width) < counts[:, None]
