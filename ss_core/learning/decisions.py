"""Decisions laid side by side, and the values that belong to them.

A rollout is dense in time. Where agents decide seldom (most rows have one legal action),
`gather_decisions` keeps only real decisions: row b of agent n is then n's b-th decision, and rows
of different agents no longer share a time. It serves architectures whose suggestions need nothing
of the sender's own state (`FeatureActor`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor

from ss_core.env import EnvSpec
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.rollout import Rollout, flatten
from ss_core.policies.mlp_stack import at_neighbours


@dataclass(frozen=True, slots=True)
class Decisions:
    """What agents decided, one column per agent; `rows` point into the flattened `T*E` axis."""

    rows: Int[Tensor, "B N"]
    valid: Bool[Tensor, "B N"]  # False pads
    observations: Real[Tensor, "B N O"]
    actions: Real[Tensor, "B N *K"]
    old_log_probs: Float[Tensor, "B N A"]
    action_mask: Bool[Tensor, "B N A"] | None
    num_steps: int  # T*E: what every agent divides its objective by, whatever others decided

    def at(self, part: Int[Tensor, " b"] | slice) -> "Decisions":
        """Some of them, a minibatch; their share of the time steps is as large."""
        if isinstance(part, slice):
            return self
        rows = self.rows[part]
        return Decisions(
            rows=rows,
            valid=self.valid[part],
            observations=self.observations[part],
            actions=self.actions[part],
            old_log_probs=self.old_log_probs[part],
            action_mask=None if self.action_mask is None else self.action_mask[part],
            num_steps=max(1, round(self.num_steps * len(rows) / len(self.rows))),
        )


def all_decisions(rollout: Rollout) -> Decisions:
    """Every time step as a decision of every agent: rows are shared, B = T*E."""
    actions = flatten(rollout.actions)
    b, n = actions.shape[:2]
    mask = rollout.action_mask
    always = torch.ones((b, n), dtype=torch.bool, device=actions.device)
    return Decisions(
        rows=torch.arange(b, device=actions.device)[:, None].expand(b, n),
        valid=always if mask is None else flatten(mask).sum(dim=-1) > 1,
        observations=flatten(rollout.observations),
        actions=actions,
        old_log_probs=flatten(rollout.log_probs),
        action_mask=None if mask is None else flatten(mask),
        num_steps=b,
    )


def gather_decisions(rollout: Rollout) -> Decisions:
    """Only rows with more than one legal action, packed per agent and padded to the longest."""
    dense = all_decisions(rollout)
    if rollout.action_mask is None:
        return dense
    real = dense.valid
    longest = max(1, int(real.sum(dim=0).max()))
    order = torch.argsort((~real).to(torch.int8), dim=0, stable=True)[:longest]
    agent = torch.arange(real.shape[1], device=real.device)[None, :]
    assert dense.action_mask is not None
    return Decisions(
        rows=order,
        valid=real[order, agent],
        observations=dense.observations[order, agent],
        actions=dense.actions[order, agent],
        old_log_probs=dense.old_log_probs[order, agent],
        action_mask=dense.action_mask[order, agent],
        num_steps=dense.num_steps,
    )


def decisions_of(rollout: Rollout, spec: EnvSpec) -> Decisions:
    """Packed where actions are described by feature rows, otherwise one per time step."""
    return gather_decisions(rollout) if spec.candidate_size else all_decisions(rollout)


def pairs_at(decisions: Decisions, links: Neighbourhood) -> Bool[Tensor, "B N M"]:
    """Whether agent i and its m-th neighbour j are linked at j's b-th decision."""
    valid = at_neighbours(decisions.valid, links.receivers) & links.linked
    if links.present is None:
        return valid
    return valid & at_peer_rows(links.present, decisions.rows, links.receivers)


def at_rows(x: Tensor, rows: Int[Tensor, "B N"]) -> Tensor:
    """Per-agent values `[T*E, N, …]` at each agent's own rows: `[B, N, …]`."""
    agent = torch.arange(x.shape[1], device=x.device)[None, :]
    return x[rows, agent]


def at_peer_rows(x: Tensor, rows: Int[Tensor, "B N"], receivers: Int[Tensor, "N M"]) -> Tensor:
    """Agent i's values `[T*E, N(, M, …)]` at its neighbours' rows: `[B, N, M(, …)]`.

    With a slot axis in `x` (per-neighbour values) slot m is read, otherwise i's own value.
    """
    n, m = receivers.shape
    peer_rows = rows[:, receivers.reshape(-1)].unflatten(1, (n, m))
    agent = torch.arange(n, device=x.device)[None, :, None]
    if x.dim() == 2:
        return x[peer_rows, agent]
    slot = torch.arange(m, device=x.device)[None, None, :]
    return x[peer_rows, agent, slot]
