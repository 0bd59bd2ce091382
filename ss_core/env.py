"""The world door: what a batched multi-agent environment looks like to the learner.

Rules, references and physics live in the worlds; here are only the protocol and its data.
Axes: `E` environment, `N` agent, `M` neighbour slot, `A` action, `O` observation, `F` feature.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int, Real
from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture at the front of each observation, flattened."""

    channels: int
    rows: int
    columns: int
    channels_last: bool  # flattened from (rows, columns, channels), else (channels, rows, columns)

    @property
    def size(self) -> int:
        """Entries of an observation."""
        return self.channels * self.rows * self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvSpec:
    """Sizes of a `VectorEnv` that hold for its whole life."""

    num_envs: int
    num_agents: int
    num_actions: int  # A; numbers that describe a policy where an action is not one of a few
    observation_size: int  # O; (A * candidate_size) where candidate_size is set
    horizon: int  # steps per episode
    agent_names: tuple[str, ...]
    candidate_size: int = 0  # F > 0: observations are (A, F) feature rows, one per candidate action
    public_size: int = 0  # how many of the F features (the first ones) neighbours may know
    own_size: int = 0  # the last so many features are what own policies look at; 0: all F
    announcement_floats: int = 0  # floats an agent tells so that neighbours can derive its `public`
    full_view: bool = False  # each observation tells the whole state: anyone knows what others see
    num_features: int = 0  # > 0: sparse observations, and so a `full_view`: int16 numbers of active
    # features among so many, at the front of a row that -1 fills up
    action_parts: tuple[int, ...] = ()  # an action is so many choices at once: options of each
    action_dimensions: int = 0  # > 0: an action is so many real numbers, before squashing
    scaled: str = ""  # what was done to observations to bring them into range, in words
    picture: Picture | None = None  # what the first entries of each observation show

    @property
    def input_size(self) -> int:
        """Inputs of a first layer."""
        return self.num_features or self.observation_size

    @property
    def active_size(self) -> int:
        """Of sparse observations: how many features are active at most; else 0."""
        return self.observation_size if self.num_features else 0

    def with_inputs(self, more: int) -> "EnvSpec":
        """A spec for networks that see `more` inputs beside an observation."""
        if self.num_features:
            return replace(self, num_features=self.num_features + more)
        return replace(self, observation_size=self.observation_size + more)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What every agent sees after `reset` or `step`; all tensors are fresh, never written again.

    `Step.first` opens an episode, `Step.next` goes on, `Step.last` ends it in all copies at once;
    where copies end at different times, the two flags per copy are given to `Step` itself.
    """

    observations: Real[Tensor, "E N O"]
    rewards: Float[Tensor, "E N"]  # of the step just taken; zeros after reset
    terminated: Bool[Tensor, " E"]  # a true end: nothing of value follows
    truncated: Bool[Tensor, " E"]  # a time limit: the value of `next_observations` still counts
    next_observations: Real[Tensor, "E N O"]  # successor of this step, before any auto-reset
    action_mask: Bool[Tensor, "E N A"] | None = None  # True = legal
    neighbours: Bool[Tensor, "E N N"] | None = None  # (sender, receiver): who may talk to whom now
    cooperative: Bool[Tensor, "E N"] | None = None  # who acted so in the step just taken, if known

    @classmethod
    def first(
        cls,
        observations: Real[Tensor, "E N O"],
        *,
        action_mask: Bool[Tensor, "E N A"] | None = None,
        neighbours: Bool[Tensor, "E N N"] | None = None,
        cooperative: Bool[Tensor, "E N"] | None = None,
    ) -> "Step":
        """After `reset`: nothing was earned and nothing has ended."""
        return cls.next(
            observations,
            torch.zeros(observations.shape[:2], device=observations.device),
            action_mask=action_mask,
            neighbours=neighbours,
            cooperative=cooperative,
        )

    @classmethod
    def next(
        cls,
        observations: Real[Tensor, "E N O"],
        rewards: Float[Tensor, "E N"],
        *,
        action_mask: Bool[Tensor, "E N A"] | None = None,
        neighbours: Bool[Tensor, "E N N"] | None = None,
        cooperative: Bool[Tensor, "E N"] | None = None,
    ) -> "Step":
        """Within an episode: what is seen now is the successor."""
        going_on = _flags(rewards, False)
        return cls(
            observations=observations,
            rewards=rewards,
            terminated=going_on,
            truncated=going_on.clone(),
            next_observations=observations,
            action_mask=action_mask,
            neighbours=neighbours,
            cooperative=cooperative,
        )

    @classmethod
    def last(
        cls,
        observations: Real[Tensor, "E N O"],
        rewards: Float[Tensor, "E N"],
        *,
        next_observations: Real[Tensor, "E N O"],
        truncated: bool = False,
        action_mask: Bool[Tensor, "E N A"] | None = None,
        neighbours: Bool[Tensor, "E N N"] | None = None,
        cooperative: Bool[Tensor, "E N"] | None = None,
    ) -> "Step":
        """The end in every copy: `next_observations` is its last state, `observations` a new start.

        A true end, after which nothing of value follows; or, if `truncated`, a time limit.
        """
        return cls(
            observations=observations,
            rewards=rewards,
            terminated=_flags(rewards, not truncated),
            truncated=_flags(rewards, truncated),
            next_observations=next_observations,
            action_mask=action_mask,
            neighbours=neighbours,
            cooperative=cooperative,
        )


def _flags(rewards: Float[Tensor, "E N"], value: bool) -> Bool[Tensor, " E"]:
    return torch.full((len(rewards),), value, device=rewards.device)


@runtime_checkable
class VectorEnv(Protocol):
    """`num_envs` copies of one environment, stepped together; an ended copy restarts by itself."""

    @property
    def spec(self) -> EnvSpec:
        """The sizes."""
        ...

    def reset(self, seed: int) -> Step:
        """Start new episodes; the same seed gives the same episodes."""
        ...

    def step(self, actions: Real[Tensor, "E N *K"]) -> Step:
        """Advance every copy by one joint action; K numbers where one does not say it."""
        ...


@runtime_checkable
class StatefulEnv(Protocol):
    """A `VectorEnv` that remembers something public from episode to episode."""

    def state(self) -> dict[str, Tensor]:
        """What it remembers."""
        ...

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`."""
        ...


@runtime_checkable
class AdaptiveEnv(Protocol):
    """A `VectorEnv` that shows things by what it has seen, and changes between episodes alone."""

    def adapt(self) -> None:
        """Take in what was seen since the last `reset`; asked for after training episodes only."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactuals:
    """An agent's own return under each alternative action, everything else as it happened.

    Values are returns of the whole episode relative to what happened (0 at the action taken),
    computed by the agent itself from public formulas. `peers[t, e, i, m, a]` is what agent i's
    return would have been had its m-th neighbour taken action a instead.
    """

    own: Float[Tensor, "T E N A"]
    peers: Float[Tensor, "T E N M A"]


@runtime_checkable
class CounterfactualEnv(Protocol):
    """A `VectorEnv` whose rewards follow public formulas, so that agents can judge alternatives."""

    def counterfactual_rewards(self, neighbours: Int[Tensor, "N M"]) -> Counterfactuals:
        """Alternatives of the episode just ended; `neighbours[i, m]` is whom i thinks about."""
        ...
