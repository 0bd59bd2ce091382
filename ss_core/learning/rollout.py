"""Collecting one episode of every environment copy, and laying decisions side by side.

A rollout is dense in time. Where agents decide seldom (most rows have one legal action),
`gather_decisions` keeps only real decisions: row b of agent n is then n's b-th decision, and rows
of different agents no longer share a time. It serves architectures whose suggestions need nothing
of the sender's own state (`CandidateBank`).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ss_core.env import EnvSpec, VectorEnv
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.policies.actors import ActorBank
from ss_core.policies.mlp_stack import at_neighbours


@dataclass(frozen=True, slots=True)
class Rollout:
    """One episode per environment copy; time-major."""

    observations: Float[Tensor, "T E N O"]
    next_observations: Float[Tensor, "T E N O"] | None  # only where a critic will ask for it
    actions: Int[Tensor, "T E N"]
    log_probs: Float[Tensor, "T E N A"]  # of the acting policy, all actions
    rewards: Float[Tensor, "T E N"]
    terminated: Bool[Tensor, "T E"]
    truncated: Bool[Tensor, "T E"]
    action_mask: Bool[Tensor, "T E N A"] | None
    neighbours: Bool[Tensor, "T E N N"] | None
    cooperative: Bool[Tensor, "T E N"] | None = None  # where an action can be told to be so


@dataclass(frozen=True, slots=True)
class Decisions:
    """What agents decided, one column per agent; `rows` point into the flattened `T*E` axis."""

    rows: Int[Tensor, "B N"]
    valid: Bool[Tensor, "B N"]  # False pads
    observations: Float[Tensor, "B N O"]
    actions: Int[Tensor, "B N"]
    old_log_probs: Float[Tensor, "B N A"]
    action_mask: Bool[Tensor, "B N A"] | None
    num_steps: int  # T*E: what every agent divides its objective by, whatever others decided


def collect_rollout(
    env: VectorEnv,
    actors: ActorBank,
    *,
    seed: int,
    generator: torch.Generator,
    with_successors: bool = True,
) -> Rollout:
    """Play `horizon` steps from a fresh reset with the stochastic policies."""
    step = env.reset(seed)
    records: list[tuple[Tensor | None, ...]] = []
    for _ in range(env.spec.horizon):
        with torch.no_grad():
            log_probs = actors.own(step.observations, step.action_mask)
        actions = sample_actions(log_probs, generator)
        after = env.step(actions)
        records.append(
            (
                step.observations,
                after.next_observations if with_successors else None,
                actions,
                log_probs,
                after.rewards,
                after.terminated,
                after.truncated,
                step.action_mask,
                step.neighbours,
                after.cooperative,
            )
        )
        step = after
    return Rollout(*(_stack(column) for column in zip(*records, strict=True)))  # type: ignore[arg-type]


def _stack(column: tuple[Tensor | None, ...]) -> Tensor | None:
    present = [x for x in column if x is not None]
    return torch.stack(present) if len(present) == len(column) else None


def sample_actions(
    log_probs: Float[Tensor, "E N A"], generator: torch.Generator
) -> Int[Tensor, "E N"]:
    """One action per row by inverting the cumulative distribution."""
    uniform = torch.rand((*log_probs.shape[:-1], 1), generator=generator, device=generator.device)
    cumulative = log_probs.exp().cumsum(dim=-1)
    chosen = (cumulative < uniform * cumulative[..., -1:]).sum(dim=-1)
    return chosen.clamp_max(log_probs.shape[-1] - 1)


def flatten(x: Tensor) -> Tensor:
    """`[T, E, …]` to `[T*E, …]`."""
    return x.flatten(0, 1)


def all_decisions(rollout: Rollout) -> Decisions:
    """Every time step as a decision of every agent: rows are shared, B = T*E."""
    actions = flatten(rollout.actions)
    b, n = actions.shape
    mask = rollout.action_mask
    always = torch.ones_like(actions, dtype=torch.bool)
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


def critic_inputs(
    rollout: Rollout, *, sees_time: bool, one_view: bool = False
) -> tuple[Float[Tensor, "T E N I"], Float[Tensor, "T E N I"]]:
    """What critics look at before and after each step; with `sees_time` also t / horizon.

    With `one_view` all look at the state as the first agent sees it.
    """
    assert rollout.next_observations is not None
    seen, following = rollout.observations, rollout.next_observations
    if one_view:
        seen, following = (x[:, :, :1].expand_as(x) for x in (seen, following))
    if not sees_time:
        return seen, following
    before = _time_in_episode(rollout.terminated | rollout.truncated)
    horizon = len(before)
    return (
        _with_time(seen, before / horizon),
        _with_time(following, (before + 1) / horizon),
    )


def _time_in_episode(ended: Bool[Tensor, "T E"]) -> Int[Tensor, "T E"]:
    """Steps since the copy's last start, at the beginning of each step."""
    times = torch.arange(len(ended), device=ended.device)[:, None].expand(ended.shape)
    starts = torch.where(ended, times + 1, 0).cummax(dim=0).values
    return times - torch.cat([torch.zeros_like(starts[:1]), starts[:-1]])


def _with_time(
    observations: Float[Tensor, "T E N O"], time: Float[Tensor, "T E"]
) -> Float[Tensor, "T E N I"]:
    column = time[:, :, None, None].expand(*observations.shape[:3], 1)
    return torch.cat([observations, column.to(observations.dtype)], dim=-1)


def pairs_at(decisions: Decisions, where: Neighbourhood) -> Bool[Tensor, "B N M"]:
    """Whether agent i and its m-th neighbour j may talk about j's b-th decision."""
    valid = at_neighbours(decisions.valid, where.receivers) & where.linked
    if where.present is None:
        return valid
    return valid & at_peer_rows(where.present, decisions.rows, where.receivers)


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
