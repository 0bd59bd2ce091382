"""Whom to heed: weights per sender that every receiver learns by itself, from what it hears.

An honest suggestion stays near what the receiver would do anyway, for straying costs its sender
(constraint b of Eq. 12): its distance from the receiver's own policy says how much is at stake for
the sender. Who asks for far more than the others do, again and again, is heeded the less:

    w_ji = 1                               where d_ji ≤ τ · ref_j
    w_ji = (τ · ref_j / d_ji)²             beyond

with d_ji the mean total variation between π^ji and π^jj over all j heard from i so far (old updates
fade), ref_j the lower quartile of d_ji over the senders that j hears now. A liar that wants to be
heeded has to ask for no more than the modest among the others do. Whether its wishes are true
cannot be seen; nor is anything held against a sender because heeding it costs: in a dilemma,
heeding honest suggestions does.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.objective.objective import discrepancy

REFERENCE_QUANTILE = 0.25


@dataclass(slots=True)
class Trust:
    """What each receiver remembers of each sender; (receiver, sender)."""

    asked: Float[Tensor, "N N"]  # faded sum of distances
    heard: Float[Tensor, "N N"]  # faded number of suggestions


def no_trust_yet(num_agents: int, device: torch.device | str = "cpu") -> Trust:
    """Nobody has heard anything."""
    shape = (num_agents, num_agents)
    return Trust(torch.zeros(shape, device=device), torch.zeros(shape, device=device))


def remember(
    trust: Trust,
    own: Float[Tensor, "B N A"],
    received: Float[Tensor, "B N K A"],
    valid: Bool[Tensor, "B N K"],
    where: Neighbourhood,
    fade: float,
) -> None:
    """Take in one exchange; what a receiver knows of senders it does not hear now stays."""
    distance = discrepancy(own.unsqueeze(2).expand_as(received), received, "tv")
    count = valid.sum(dim=0).to(distance.dtype)
    asked = torch.where(valid, distance, 0.0).sum(dim=0)
    kept = torch.where(count > 0, 1.0 - fade, 1.0)
    for memory, new in ((trust.asked, asked), (trust.heard, count)):
        here = memory.gather(1, where.senders)
        there = torch.where(where.received, kept * here + new, 0.0)
        unheard = memory.clone()
        unheard.scatter_(1, where.senders, 0.0)
        memory.copy_(unheard.scatter_add(1, where.senders, there))


def demands(trust: Trust, where: Neighbourhood) -> Float[Tensor, "N K"]:
    """d_ji of the senders in each slot; NaN where nothing was ever heard."""
    asked, heard = (m.gather(1, where.senders) for m in (trust.asked, trust.heard))
    known = where.received & (heard > 0)
    return torch.where(known, asked / heard.clamp_min(1e-12), torch.nan)


def weights(trust: Trust, where: Neighbourhood, tolerance: float) -> Float[Tensor, "N K"]:
    """w_ji of the senders in each slot; 1 where nothing was heard yet."""
    asked = demands(trust, where)
    reference = asked.nanquantile(REFERENCE_QUANTILE, dim=1, keepdim=True)
    bound = tolerance * reference
    return torch.where(asked > bound, (bound / asked).square(), 1.0)
