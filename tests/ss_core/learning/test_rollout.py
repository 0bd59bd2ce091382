"""Collecting episodes, and laying decisions side by side."""

import pytest
import torch
from torch import Tensor

from ss_core.exchange.neighbourhood import all_to_all, from_graphs
from ss_core.learning.critics_update import critic_inputs
from ss_core.learning.decisions import (
    all_decisions,
    at_peer_rows,
    at_rows,
    decisions_of,
    gather_decisions,
    pairs_at,
)
from ss_core.learning.rollout import Rollout, collect_rollout, flatten
from ss_core.objective.action_families import sample_actions
from ss_core.policies.actors import build_actors
from tests.support.probe_envs import DelayedReward, mutual_help, ring_help
from tests.support.small_learners import generator, sizes


def test_a_rollout_is_one_episode_of_every_copy() -> None:
    env = DelayedReward(num_envs=3)
    actors = build_actors("independent", env.spec, (4,), generator())
    rollout = collect_rollout(env, actors, seed=0, generator=generator())
    assert rollout.observations[:, :, 0, 0].tolist() == [[0] * 3, [1] * 3]
    assert rollout.rewards[:, :, 0].tolist() == [[0] * 3, [1] * 3]
    assert rollout.terminated.tolist() == [[False] * 3, [True] * 3]
    assert rollout.next_observations is not None
    assert rollout.next_observations.shape == rollout.observations.shape
    assert rollout.action_mask is None
    assert rollout.neighbours is None
    torch.testing.assert_close(rollout.log_probs.exp().sum(dim=-1), torch.ones(2, 3, 1))


def test_a_return_is_of_the_first_episode_where_a_copy_plays_several() -> None:
    rewards = torch.tensor([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0], [4.0, 4.0, 4.0]])  # time, copy
    ends = torch.tensor([[0, 0, 1], [1, 0, 1], [1, 1, 0]], dtype=torch.bool)
    none = torch.zeros_like(ends)
    acted = torch.zeros(3, 3, 2)
    for terminated, truncated in ((ends, none), (none, ends)):
        rollout = Rollout(
            observations=acted.unsqueeze(-1),
            next_observations=None,
            actions=acted.long(),
            log_probs=acted.unsqueeze(-1),
            rewards=torch.stack([rewards, -rewards], dim=2),
            terminated=terminated,
            truncated=truncated,
            action_mask=None,
            neighbours=None,
        )
        assert rollout.in_first_episode.sum(dim=0).tolist() == [2, 3, 1]
        assert rollout.first_returns.tolist() == [[3.0, -3.0], [7.0, -7.0], [1.0, -1.0]]


def test_the_same_generator_plays_the_same_episode() -> None:
    env = mutual_help(num_envs=16, horizon=3)
    actors = build_actors("shared", env.spec, (4,), generator())
    first, again, other = (
        collect_rollout(env, actors, seed=0, generator=generator(s)).actions for s in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_successors_are_left_out_and_neighbours_kept_on_request() -> None:
    env = ring_help(3, num_envs=2)
    actors = build_actors("shared", env.spec, (4,), generator())
    rollout = collect_rollout(env, actors, seed=0, generator=generator(), with_successors=False)
    assert rollout.next_observations is None
    assert rollout.neighbours is not None
    assert rollout.neighbours.shape == (1, 2, 3, 3)


def test_actions_are_drawn_with_their_probabilities_and_never_illegal() -> None:
    chances = torch.tensor([0.0, 0.2, 0.0, 0.5, 0.3, 0.0])
    log_probs = chances.log().clamp_min(-1e9).expand(20_000, 1, 6)
    drawn = torch.bincount(sample_actions(log_probs, generator()).flatten(), minlength=6)
    assert drawn[chances == 0].tolist() == [0, 0, 0]
    assert (drawn / 20_000).tolist() == pytest.approx(chances.tolist(), abs=0.015)


def test_who_cooperated_is_kept_where_the_world_tells() -> None:
    for env, told in ((mutual_help(num_envs=4, horizon=3), True), (DelayedReward(4), False)):
        actors = build_actors("independent", env.spec, (4,), generator())
        rollout = collect_rollout(env, actors, seed=0, generator=generator())
        if told:
            assert rollout.cooperative is not None
            assert torch.equal(rollout.cooperative, rollout.actions == 1)
        else:
            assert rollout.cooperative is None


def test_critics_are_shown_the_time_since_their_copys_last_start() -> None:
    ended = torch.tensor([[0, 0], [0, 1], [0, 0], [1, 0]]) > 0  # copy 1 restarts after step 1
    rollout = Rollout(
        observations=torch.full((4, 2, 3, 1), 7.0),
        next_observations=torch.full((4, 2, 3, 1), 8.0),
        actions=torch.zeros((4, 2, 3), dtype=torch.long),
        log_probs=torch.zeros(4, 2, 3, 1),
        rewards=torch.zeros(4, 2, 3),
        terminated=ended,
        truncated=torch.zeros_like(ended),
        action_mask=None,
        neighbours=None,
    )
    before, after = critic_inputs(rollout, sees_time=True)
    assert before.shape == after.shape == (4, 2, 3, 2)
    assert before[..., 0].unique().tolist() == [7.0]
    assert after[..., 0].unique().tolist() == [8.0]
    for agent in range(3):
        assert before[:, 0, agent, 1].tolist() == [0.0, 0.25, 0.5, 0.75]
        assert before[:, 1, agent, 1].tolist() == [0.0, 0.25, 0.0, 0.25]
    assert torch.equal(after[..., 1], before[..., 1] + 0.25)
    plain, _ = critic_inputs(rollout, sees_time=False)
    assert torch.equal(plain, rollout.observations)


def test_pairs_talk_about_a_decision_when_they_meet_at_its_step() -> None:
    decisions = gather_decisions(sparse_rollout())  # 0 decides at steps 0 and 2, 1 at step 1
    meets = torch.zeros((3, 2, 2), dtype=torch.bool)
    meets[0, 1, 0] = True  # at step 0 agent 1 may suggest to agent 0
    meets[1, 0, 1] = True  # at step 1 agent 0 may suggest to agent 1
    valid = pairs_at(decisions, from_graphs(meets))
    assert valid.squeeze(-1).tolist() == [[True, True], [False, False]]
    always = pairs_at(decisions, all_to_all(2))
    assert always.squeeze(-1).tolist() == [[True, True], [False, True]]


def sparse_rollout() -> Rollout:
    """Three steps, one copy, two agents: agent 0 decides at steps 0 and 2, agent 1 at step 1."""
    mask = torch.ones((3, 1, 2, 2), dtype=torch.bool)
    mask[1, 0, 0, 1] = mask[0, 0, 1, 1] = mask[2, 0, 1, 1] = False
    return Rollout(
        observations=torch.arange(6.0).reshape(3, 1, 2, 1),  # 2 t + agent
        next_observations=None,
        actions=torch.tensor([[[1, 0]], [[0, 1]], [[1, 0]]]),
        log_probs=torch.full((3, 1, 2, 2), 0.5).log(),
        rewards=torch.zeros(3, 1, 2),
        terminated=torch.zeros((3, 1), dtype=torch.bool),
        truncated=torch.zeros((3, 1), dtype=torch.bool),
        action_mask=mask,
        neighbours=None,
    )


def test_dense_decisions_keep_every_step_and_mark_the_real_ones() -> None:
    decisions = all_decisions(sparse_rollout())
    assert decisions.rows.tolist() == [[0, 0], [1, 1], [2, 2]]
    assert decisions.valid.tolist() == [[True, False], [False, True], [True, False]]
    assert decisions.num_steps == 3


def test_gathered_decisions_are_the_real_ones_of_each_agent() -> None:
    decisions = gather_decisions(sparse_rollout())
    assert decisions.valid.tolist() == [[True, True], [True, False]]
    assert decisions.rows[decisions.valid].tolist() == [0, 1, 2]
    assert decisions.observations.squeeze(-1)[decisions.valid].tolist() == [0.0, 3.0, 4.0]
    assert decisions.actions[decisions.valid].tolist() == [1, 1, 1]


def test_decisions_are_gathered_only_where_actions_have_features() -> None:
    rollout = sparse_rollout()
    assert len(decisions_of(rollout, sizes(2, 2)).rows) == 3
    assert len(decisions_of(rollout, sizes(2, 2, features=1)).rows) == 2


def test_values_at_rows_and_at_peers_rows_are_looked_up_one_by_one() -> None:
    draw = generator()
    values: Tensor = torch.randn((5, 3), generator=draw)
    by_slot: Tensor = torch.randn((5, 3, 2, 4), generator=draw)
    rows = torch.randint(0, 5, (6, 3), generator=draw)
    receivers = all_to_all(3).receivers
    own, at_peers = at_rows(values, rows), at_peer_rows(values, rows, receivers)
    alternatives = at_peer_rows(by_slot, rows, receivers)
    for b in range(6):
        for i in range(3):
            assert own[b, i] == values[rows[b, i], i]
            for m, j in enumerate(receivers[i].tolist()):
                assert at_peers[b, i, m] == values[rows[b, j], i]
                assert torch.equal(alternatives[b, i, m], by_slot[rows[b, j], i, m])


def test_flattening_is_time_major() -> None:
    assert flatten(torch.arange(6).reshape(2, 3)).tolist() == list(range(6))
