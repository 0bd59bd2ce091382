"""Consensus by averaging: everybody moves its parameters to a weighted mean of its neighbours'."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.exchange.channel import Channel, MessageKind
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.policies.mlp_stack import Params


def metropolis_weights(adjacency: Bool[Tensor, "N N"]) -> Float[Tensor, "N N"]:
    """W_ij = 1 / (1 + max(d_i, d_j)) between neighbours, W_ii = 1 - Σ_j W_ij; d counts neighbours.

    Rows and columns sum to 1, so repeated averaging reaches the mean of a connected graph (Xiao &
    Boyd, 2004). Two agents are neighbours if either sends to the other; the diagonal is ignored.
    """
    itself = torch.eye(len(adjacency), dtype=torch.bool, device=adjacency.device)
    linked = (adjacency | adjacency.T) & ~itself
    degree = linked.sum(dim=1)
    weights = linked / (1.0 + torch.maximum(degree[:, None], degree[None, :]))
    return weights + torch.diag(1.0 - weights.sum(dim=1))


def adjacency_of(links: Neighbourhood) -> Bool[Tensor, "N N"]:
    """Who sends to whom, as a matrix (sender, receiver)."""
    n = len(links.receivers)
    sends = torch.zeros((n, n), dtype=torch.int64, device=links.receivers.device)
    return sends.scatter_add(1, links.receivers, links.linked.long()) > 0


def make_alike(params: Params) -> None:
    """Everybody starts from the parameters of the first agent, in place."""
    with torch.no_grad():
        for w in params.values():
            w.copy_(w[:1].expand_as(w).clone())


def average_parameters(
    params: Params, channel: Channel, kind: MessageKind, links: Neighbourhood | None, update: int
) -> None:
    """One step of consensus, in place: agent i's rows become Σ_j W_ij times agent j's."""
    if links is None:
        return
    mixed = channel.mix(kind, params, metropolis_weights(adjacency_of(links)), update)
    with torch.no_grad():
        for name, w in params.items():
            w.copy_(mixed[name])
