"""Agents that lie: what they send instead of what they would suggest.

Fault models of the `Channel`, to measure what lies cost and what trust saves. Liars are chosen
by the run's seed; they learn like everybody else, follow nobody, and lie in suggestions only.
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.objective.closed_form import ILLEGAL_LOG_PROB, LEAST_PROB, NOT_ALLOWED
from ss_core.random_streams import Stream, numpy_generator, torch_generator

Lie = Literal[
    "silent",
    "selfish",
    "contrary",
    "random",
    "constant",
    "collude",
    "malformed",
    "stale",
    "flood",
]

LIES: dict[Lie, str] = {
    "silent": "nothing: takes no part in the exchange; the reference for what lies cost",
    "selfish": "you defer, I do as I like: what is best for me, as if nothing else mattered",
    "contrary": "whatever I would like least",
    "random": "anything, anew every time",
    "constant": "always the first of your alternatives",
    "collude": "what is best for our group, the same from every one of us; we follow each other",
    "malformed": "NaN, infinities, what does not add up to 1, actions that are not allowed",
    "stale": "what belongs to an exchange long past",
    "flood": "the truth, a thousand times over",
}
FLOOD = 1000  # copies of a message
_MANGLED = (torch.nan, torch.inf, 0.5, -torch.inf)  # for every log-probability, by turns


@dataclass(frozen=True, slots=True)
class Liars:
    """Who lies, and how."""

    kind: Lie
    among: Bool[Tensor, " N"]
    seed: int

    def to(self, device: torch.device) -> "Liars":
        """The same liars where the decisions are."""
        return Liars(self.kind, self.among.to(device), self.seed)


def draw_liars(kind: Lie, share: float, num_agents: int, seed: int) -> Liars | None:
    """The given share of all agents, at least one where it is above zero; None where it is zero."""
    count = max(1, round(share * num_agents)) if share > 0.0 else 0
    if not count:
        return None
    order = numpy_generator(seed, Stream.LIARS).permutation(num_agents)
    among = torch.zeros(num_agents, dtype=torch.bool)
    among[torch.from_numpy(order[:count])] = True
    return Liars(kind, among, seed)


def sent_instead(
    liars: Liars,
    suggested: Float[Tensor, "B N M A"],
    shared: Float[Tensor, "B N M A"],
    links: Neighbourhood,
    update: int,
) -> Float[Tensor, "B N M A"]:
    """log π^ij as it goes out: of liars a lie, of all others what they suggest.

    `shared` is log π^jj as the receivers shared it; what is illegal there is never suggested.
    """
    if liars.kind in ("stale", "flood"):
        return suggested
    legal = shared > ILLEGAL_LOG_PROB
    lies = liars.among[None, :, None]
    if liars.kind == "collude":
        lies = lies & ~liars.among[links.receivers][None]
    if liars.kind == "silent":
        sent = shared
    elif liars.kind == "malformed":
        sent = _mangled(shared)
    else:
        sent = _certain(_chosen(liars, suggested, shared, legal, links, update), legal)
    return torch.where(lies.unsqueeze(-1), sent, suggested)


def weight_with(liars: Liars, links: Neighbourhood) -> Bool[Tensor, "N K"]:
    """Whether the sender in slot k weighs with j: none does with liars, but colluding ones do."""
    weighs = ~liars.among[:, None].expand(links.senders.shape)
    if liars.kind == "collude":
        weighs = weighs | liars.among[links.senders]
    return weighs


def stamps(liars: Liars, update: int) -> Int[Tensor, " N"]:
    """The exchange that each agent's messages are stamped with."""
    stale = liars.among & (liars.kind == "stale")
    return torch.where(stale, update - 1, update)


def copies(liars: Liars) -> Int[Tensor, " N"]:
    """How often each agent sends every message."""
    return torch.where(liars.among & (liars.kind == "flood"), FLOOD, 1)


def _mangled(shared: Float[Tensor, "B N M A"]) -> Float[Tensor, "B N M A"]:
    sent = shared.clone()
    for first, value in enumerate(_MANGLED):
        sent[first :: len(_MANGLED)] = value
    return sent


def _chosen(
    liars: Liars,
    suggested: Float[Tensor, "B N M A"],
    shared: Float[Tensor, "B N M A"],
    legal: Bool[Tensor, "B N M A"],
    links: Neighbourhood,
    update: int,
) -> Tensor:
    """The one action that a liar names, for every message."""
    wish = suggested.exp() - shared.exp()  # where the honest suggestion would move the receiver
    match liars.kind:
        case "selfish":
            score = wish
        case "contrary":
            score = -wish
        case "constant":
            score = -torch.arange(wish.shape[-1], device=wish.device).expand(wish.shape).float()
        case "random":
            generator = torch_generator(liars.seed, Stream.LIES, update)
            score = torch.rand(wish.shape, generator=generator).to(wish.device)
        case _:
            score = _groups_wish(liars, wish, links)
    return score.masked_fill(~legal, -torch.inf).argmax(dim=-1)


def _groups_wish(
    liars: Liars, wish: Float[Tensor, "B N M A"], links: Neighbourhood
) -> Float[Tensor, "B N M A"]:
    """What all liars that send to a receiver wish of it together."""
    counts = (links.received & liars.among[links.senders])[None, ..., None]
    together = (wish[:, links.senders, links.slots] * counts).sum(dim=2)
    return together[:, links.receivers]


def _certain(action: Tensor, legal: Bool[Tensor, "*batch A"]) -> Float[Tensor, "*batch A"]:
    """log of a distribution that gives one action all there is."""
    chosen = torch.nn.functional.one_hot(action, legal.shape[-1]).bool()
    sent = torch.where(chosen, 0.0, math.log(LEAST_PROB))
    return sent.masked_fill(~legal, NOT_ALLOWED)
