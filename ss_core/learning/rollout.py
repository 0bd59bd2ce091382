"""Collecting one episode of every environment copy."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Real
from torch import Tensor

from ss_core.env import VectorEnv
from ss_core.objective.action_families import family_of
from ss_core.policies.actors import ActorBank


@dataclass(frozen=True, slots=True)
class Rollout:
    """`horizon` steps of every copy, time-major; a copy that ends earlier begins a new episode."""

    observations: Real[Tensor, "T E N O"]
    next_observations: Real[Tensor, "T E N O"] | None  # only where a critic will ask for it
    actions: Real[Tensor, "T E N *K"]
    log_probs: Float[Tensor, "T E N A"]  # of the acting policy, all actions
    rewards: Float[Tensor, "T E N"]
    terminated: Bool[Tensor, "T E"]
    truncated: Bool[Tensor, "T E"]
    action_mask: Bool[Tensor, "T E N A"] | None
    neighbours: Bool[Tensor, "T E N N"] | None
    cooperative: Bool[Tensor, "T E N"] | None = None  # where an action can be told to be so

    @property
    def in_first_episode(self) -> Bool[Tensor, "T E"]:
        """The steps of each copy's first episode, the one that ended it included."""
        ends = (self.terminated | self.truncated).int()
        return (ends.cumsum(dim=0) - ends) == 0

    @property
    def first_returns(self) -> Float[Tensor, "E N"]:
        """Return of each copy's first episode, agent by agent, in double precision."""
        return (self.rewards.double() * self.in_first_episode.unsqueeze(-1)).sum(dim=0)


def collect_rollout(
    env: VectorEnv,
    actors: ActorBank,
    *,
    seed: int,
    generator: torch.Generator,
    with_successors: bool = True,
) -> Rollout:
    """Play `horizon` steps from a fresh reset with the stochastic policies."""
    family = family_of(env.spec)
    step, buffers = env.reset(seed), _Buffers(env.spec.horizon)
    for t in range(env.spec.horizon):
        with torch.no_grad():
            log_probs = actors.own(step.observations, step.action_mask)
        actions = family.sample(log_probs, generator)
        after = env.step(actions)
        buffers.put(
            t,
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
            ),
        )
        step = after
    return Rollout(*buffers.columns)  # type: ignore[arg-type]


class _Buffers:
    """Columns of a rollout, filled in place: nothing is kept twice."""

    def __init__(self, horizon: int) -> None:
        self.columns: list[Tensor | None] = []
        self._horizon = horizon

    def put(self, t: int, record: tuple[Tensor | None, ...]) -> None:
        """Row `t` of every column; a column that lacks one is dropped."""
        if t == 0:
            self.columns = [
                None if x is None else x.new_empty((self._horizon, *x.shape)) for x in record
            ]
        for column, (buffer, x) in enumerate(zip(self.columns, record, strict=True)):
            if buffer is None or x is None:
                self.columns[column] = None
            else:
                buffer[t] = x


def play_episode(
    env: VectorEnv, actors: ActorBank, *, seed: int, generator: torch.Generator
) -> Float[Tensor, "T E N"]:
    """Play like `collect_rollout` and keep the log-probabilities of the actions taken alone."""
    family = family_of(env.spec)
    step, taken = env.reset(seed), []
    for _ in range(env.spec.horizon):
        with torch.no_grad():
            log_probs = actors.own(step.observations, step.action_mask)
        actions = family.sample(log_probs, generator)
        taken.append(family.at_taken(log_probs, actions))
        step = env.step(actions)
    return torch.stack(taken)


def flatten(x: Tensor) -> Tensor:
    """`[T, E, …]` to `[T*E, …]`."""
    return x.flatten(0, 1)
