"""Weights per sender that every receiver learns by itself, from what it receives.

An honest suggestion stays near what the receiver would do anyway, for straying costs its sender
(constraint b of Eq. 12): its distance from the receiver's own policy says how much is at stake for
the sender. Who asks for far more than the others do, again and again, weighs the less:

    w_ji = 1                               where d_ji ≤ τ · ref_j
    w_ji = (τ · ref_j / d_ji)²             beyond

with d_ji the mean total variation between π^ji and π^jj over all j received from i so far (old
updates fade), ref_j the lower quartile of d_ji over the senders that reach j now. A liar that wants
to weigh has to ask for no more than the modest among the others do. Whether its wishes are true
cannot be seen; nor is anything held against a sender because following it costs: in a
dilemma, following honest suggestions does.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.objective.action_families import discrepancy

REFERENCE_QUANTILE = 0.25


@dataclass(slots=True)
class Trust:
    """What each receiver remembers of each sender; (receiver, sender)."""

    asked: Float[Tensor, "N N"]  # faded sum of distances
    received: Float[Tensor, "N N"]  # faded number of suggestions


def no_trust_yet(num_agents: int, device: torch.device | str = "cpu") -> Trust:
    """Nobody has received anything."""
    shape = (num_agents, num_agents)
    return Trust(torch.zeros(shape, device=device), torch.zeros(shape, device=device))


def remember(
    trust: Trust,
    own: Float[Tensor, "B N A"],
    received: Float[Tensor, "B N K A"],
    valid: Bool[Tensor, "B N K"],
    links: Neighbourhood,
    fade: float,
) -> None:
    """Take in one exchange; what a receiver knows of senders that do not reach it now stays."""
    distance = discrepancy(own.unsqueeze(2).expand_as(received), received, "tv")
    count = valid.sum(dim=0).to(distance.dtype)
    asked = torch.where(valid, distance, 0.0).sum(dim=0)
    kept = torch.where(count > 0, 1.0 - fade, 1.0)
    for memory, new in ((trust.asked, asked), (trust.received, count)):
        here = memory.gather(1, links.senders)
        there = torch.where(links.received, kept * here + new, 0.0)
        others = memory.clone()
        others.scatter_(1, links.senders, 0.0)
        memory.copy_(others.scatter_add(1, links.senders, there))


def demands(trust: Trust, links: Neighbourhood) -> Float[Tensor, "N K"]:
    """d_ji of the senders in each slot; NaN where nothing was ever received."""
    asked, received = (m.gather(1, links.senders) for m in (trust.asked, trust.received))
    known = links.received & (received > 0)
    return torch.where(known, asked / received.clamp_min(1e-12), torch.nan)


def weights(trust: Trust, links: Neighbourhood, tolerance: float) -> Float[Tensor, "N K"]:
    """w_ji of the senders in each slot; 1 where nothing was received yet."""
    asked = demands(trust, links)
    reference = asked.nanquantile(REFERENCE_QUANTILE, dim=1, keepdim=True)
    bound = tolerance * reference
    return torch.where(asked > bound, (bound / asked).square(), 1.0)
