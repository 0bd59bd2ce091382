"""The examiner passes sound environments, and names the rule that a broken one breaks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ss_core.env import Counterfactuals, EnvSpec, Step, VectorEnv
from ss_core.errors import CheckFailedError
from ss_core.testing import check_env
from tests.support.probe_envs import (
    ConstantReward,
    CounterfactualHelpingGame,
    DelayedReward,
    EndlessReward,
    FiniteReward,
    LaterHelp,
    RightAction,
    SignReward,
    mutual_help,
    ring_help,
)

SOUND: tuple[Callable[[], VectorEnv], ...] = (
    *(lambda make=make: make(3) for make in (ConstantReward, SignReward, DelayedReward)),
    *(lambda make=make: make(3) for make in (RightAction, LaterHelp)),
    *(lambda make=make: make(2, horizon=3) for make in (EndlessReward, FiniteReward, mutual_help)),
    lambda: ring_help(4, 2, 3),
    lambda: CounterfactualHelpingGame(ring_help(4, 2, 3)),
)


@pytest.mark.parametrize("make", SOUND)
def test_the_probe_environments_are_sound(make: Callable[[], VectorEnv]) -> None:
    check_env(make())


class Lanes:
    """A sound toy of two copies, two agents and three actions, of which the last is forbidden.

    Each agent adds its action to its place, starts at random, and earns its place; 3 steps.
    """

    def __init__(self) -> None:
        self.spec = EnvSpec(
            num_envs=2,
            num_agents=2,
            num_actions=3,
            observation_size=1,
            horizon=3,
            agent_names=("a", "b"),
        )
        self.generator = torch.Generator()
        self.places = torch.zeros(2, 2, 1)
        self.t = 0

    def reset(self, seed: int) -> Step:
        self.generator.manual_seed(seed)
        self._start()
        return Step.first(self.places.clone(), action_mask=self.mask())

    def step(self, actions: Tensor) -> Step:
        self.places = self.places + actions[..., None]
        after, rewards = self.places.clone(), self.places[..., 0].clone()
        self.t += 1
        if self.t < self.spec.horizon:
            return Step.next(after, rewards, action_mask=self.mask())
        self._start()
        return Step.last(
            self.places.clone(), rewards, next_observations=after, action_mask=self.mask()
        )

    def mask(self) -> Tensor:
        return torch.tensor([True, True, False]).expand(2, 2, 3).clone()

    def _start(self) -> None:
        self.places, self.t = torch.rand(2, 2, 1, generator=self.generator), 0


class Knowing(Lanes):
    """`Lanes` that says what an alternative would bring: as many more per step that remains."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = list[Tensor]()

    def reset(self, seed: int) -> Step:
        self.taken = []
        return super().reset(seed)

    def step(self, actions: Tensor) -> Step:
        self.taken.append(actions.clone())
        return super().step(actions)

    def counterfactual_rewards(self, neighbours: Tensor) -> Counterfactuals:
        taken = torch.stack(self.taken[-3:])
        more = torch.arange(3.0) - taken[..., None]
        own = more * torch.tensor([3.0, 2.0, 1.0])[:, None, None, None]
        return Counterfactuals(own=own, peers=torch.zeros(3, 2, 2, neighbours.shape[1], 3))


class Listing(Lanes):
    """The same with sparse observations: a place is a feature."""

    def __init__(self) -> None:
        super().__init__()
        sparse = {"observation_size": 2, "num_features": 12, "full_view": True}
        self.spec = replace(self.spec, **sparse)

    def reset(self, seed: int) -> Step:
        return self.listed(super().reset(seed))

    def step(self, actions: Tensor) -> Step:
        return self.listed(super().step(actions))

    def listed(self, step: Step) -> Step:
        seen, following = self.rows(step.observations), self.rows(step.next_observations)
        return replace(step, observations=seen, next_observations=following)

    def rows(self, places: Tensor) -> Tensor:
        numbers = (2.0 * places).to(torch.int16)  # starts lie between whole numbers
        return torch.cat([numbers, torch.full_like(numbers, -1)], dim=-1)


def with_field(step: Step, name: str, value: Tensor | None) -> Step:
    """A step whose types are not checked when it is made."""
    changed = replace(step)
    object.__setattr__(changed, name, value)
    return changed


class ReusesABuffer(Lanes):
    def __init__(self) -> None:
        super().__init__()
        self.buffer = torch.zeros(2, 2, 1)

    def step(self, actions: Tensor) -> Step:
        step = super().step(actions)
        self.buffer.copy_(step.observations)
        return with_field(step, "observations", self.buffer)


class WritesToActions(Lanes):
    def step(self, actions: Tensor) -> Step:
        return super().step(actions.add_(1))


class IgnoresTheSeed(Lanes):
    def __init__(self) -> None:
        super().__init__()
        self.resets = 0

    def reset(self, seed: int) -> Step:
        self.resets += 1
        return super().reset(seed + self.resets)


class ForgetsTheClock(Lanes):
    """A reset in the middle of an episode leaves the time as it is."""

    def _start(self) -> None:
        self.places = torch.rand(2, 2, 1, generator=self.generator)
        self.t %= 3


class NeverEnds(Lanes):
    def step(self, actions: Tensor) -> Step:
        self.t = 0
        return super().step(actions)


class EndsTwice(Lanes):
    def step(self, actions: Tensor) -> Step:
        step = super().step(actions)
        return replace(step, truncated=step.terminated.clone())


class EarnsAtTheStart(Lanes):
    def reset(self, seed: int) -> Step:
        return replace(super().reset(seed), rewards=torch.ones(2, 2))


class ShowsAnotherSuccessor(Lanes):
    def step(self, actions: Tensor) -> Step:
        step = super().step(actions)
        return replace(step, next_observations=step.next_observations + 1)


class EarnsNoNumber(Lanes):
    def step(self, actions: Tensor) -> Step:
        return replace(super().step(actions), rewards=torch.full((2, 2), torch.nan))


class LeavesNoChoice(Lanes):
    def mask(self) -> Tensor:
        return super().mask() & torch.tensor([True, False])[:, None]


class ForgetsTheMask(Lanes):
    def step(self, actions: Tensor) -> Step:
        return replace(super().step(actions), action_mask=None)


class SeesMoreThanItSays(Lanes):
    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, observation_size=2)


class ChangesItsSpec(Lanes):
    def step(self, actions: Tensor) -> Step:
        step = super().step(actions)
        self.spec = replace(self.spec, agent_names=("b", "a"))
        return step


class CountsInDoubles(Lanes):
    def step(self, actions: Tensor) -> Step:
        step = super().step(actions)
        return replace(step, rewards=step.rewards.double())


class MasksWithNumbers(Lanes):
    def reset(self, seed: int) -> Step:
        return with_field(super().reset(seed), "action_mask", self.mask().to(torch.int8))


class HasNamesakes(Lanes):
    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, agent_names=("a", "a"))


class MiscountsFeatures(Lanes):
    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, candidate_size=2)


class ListsUnknownFeatures(Listing):
    def rows(self, places: Tensor) -> Tensor:
        return super().rows(places + 50.0).clamp_min(-1)


class ListsBehindTheFront(Listing):
    def rows(self, places: Tensor) -> Tensor:
        return super().rows(places).flip(-1)


class ListsWhatOneSees(Listing):
    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, full_view=False)


class HasNobody(Lanes):
    def __init__(self) -> None:
        super().__init__()
        self.spec = replace(self.spec, num_agents=0, agent_names=())


class ValuesTheActionTaken(Knowing):
    def counterfactual_rewards(self, neighbours: Tensor) -> Counterfactuals:
        known = super().counterfactual_rewards(neighbours)
        return replace(known, own=known.own + 1.0)


class MisjudgesItself(Knowing):
    def counterfactual_rewards(self, neighbours: Tensor) -> Counterfactuals:
        known = super().counterfactual_rewards(neighbours)
        return replace(known, own=2.0 * known.own)


class MisjudgesOthers(Knowing):
    def counterfactual_rewards(self, neighbours: Tensor) -> Counterfactuals:
        known = super().counterfactual_rewards(neighbours)
        return replace(known, peers=known.own[:, :, :, None])


BROKEN = {
    ReusesABuffer: "fresh tensors: observations of step 1",
    WritesToActions: "actions are read only: step 1",
    IgnoresTheSeed: "same seed, same episodes: ",
    ForgetsTheClock: "same seed, same episodes: ",
    NeverEnds: "horizon: step 3, copy 0, step 3, copy 1: no end after 3 steps",
    EndsTwice: "terminated or truncated: step 3",
    EarnsAtTheStart: "a fresh start: rewards",
    ShowsAnotherSuccessor: "successors: step 1",
    EarnsNoNumber: "finite numbers: step 1, rewards",
    LeavesNoChoice: "a legal action everywhere: reset, copy 0, b",
    ForgetsTheMask: "the same fields at every step: action_mask",
    SeesMoreThanItSays: r"shapes: reset, observations of shape \(2, 2, 1\)",
    ChangesItsSpec: "constant spec: spec",
    CountsInDoubles: "dtypes: step 1, rewards of torch.float64",
    MasksWithNumbers: "dtypes: reset, action_mask of torch.int8",
    HasNamesakes: "agent names: 1 names: for 2",
    MiscountsFeatures: "feature rows: observation_size=1: num_actions × candidate_size is 6",
    ListsUnknownFeatures: "features: reset, observations: 10",
    ListsBehindTheFront: "features: reset, observations: -1 before a feature",
    ListsWhatOneSees: "sparse rows: full_view=False",
    HasNobody: "sizes: num_agents=0",
    ValuesTheActionTaken: "alternatives: own: the action taken changes nothing",
    MisjudgesItself: "alternatives: .*a replay brings",
    MisjudgesOthers: "alternatives: .*",
}


@pytest.mark.parametrize("make", [Lanes, Knowing, Listing])
def test_the_toys_are_sound_before_they_are_broken(make: type[Lanes]) -> None:
    check_env(make(), seed=3)


@pytest.mark.parametrize("make", BROKEN, ids=lambda make: make.__name__)
def test_a_broken_environment_is_told_which_rule_it_breaks(make: type[Lanes]) -> None:
    with pytest.raises(CheckFailedError, match=f"^{BROKEN[make]}"):
        check_env(make())
