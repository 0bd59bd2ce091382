"""The three ways a `Step` begins, continues and ends an episode."""

import torch

from ss_core.env import Step

SEEN = torch.tensor([[[1.0], [2.0]], [[3.0], [4.0]]])  # two copies, two agents
EARNED = torch.tensor([[0.5, -0.5], [1.0, 2.0]])


def flags(step: Step) -> tuple[list[bool], list[bool]]:
    return step.terminated.tolist(), step.truncated.tolist()


def test_the_first_step_has_earned_nothing_and_ended_nowhere() -> None:
    step = Step.first(SEEN)
    assert step.rewards.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert flags(step) == ([False, False], [False, False])
    assert step.next_observations is SEEN


def test_within_an_episode_the_successor_is_what_is_seen() -> None:
    step = Step.next(SEEN, EARNED, cooperative=EARNED > 0)
    assert flags(step) == ([False, False], [False, False])
    assert step.next_observations is step.observations is SEEN
    assert step.cooperative is not None
    assert step.cooperative.tolist() == [[True, False], [True, True]]


def test_a_true_end_and_a_time_limit_differ_and_never_hold_together() -> None:
    successors = SEEN + 1
    end = Step.last(SEEN, EARNED, next_observations=successors)
    limit = Step.last(SEEN, EARNED, next_observations=successors, truncated=True)
    assert flags(end) == ([True, True], [False, False])
    assert flags(limit) == ([False, False], [True, True])
    assert end.next_observations is limit.next_observations is successors
