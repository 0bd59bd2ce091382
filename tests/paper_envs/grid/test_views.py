"""Where all see the whole state, parameters that are shared mean the same to everybody."""

import pytest
import torch

from paper_envs.presets import learner_config
from paper_envs.tasks import make_env
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.ps import joint_log_probs
from ss_core.exchange.channel import Channel
from ss_core.learning.critics_update import critic_inputs
from ss_core.learning.decisions import all_decisions
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.learning.rollout import Rollout, collect_rollout, flatten
from ss_core.policies.critics import CriticBank
from ss_core.training.loop import Training
from tests.support.probe_envs import mutual_help

TASKS = ("navigation", "cleanup-small", "predation")


def played(task: str, algorithm: str) -> tuple[Learner, Rollout]:
    env = make_env(task, 2, num_agents=3)
    config = learner_config(task, 3, "tuned", algorithm, num_updates=1)
    learner = build_learner(config, env.spec, 0)
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():  # alike for all agents, and not uniform
        for w in (*learner.actors.params.values(), *learner.critics.params.values()):
            w += 0.5 * torch.randn(w[:1].shape, generator=draw)
    return learner, collect_rollout(env, learner.actors, seed=3, generator=learner.generator)


@pytest.mark.parametrize("task", TASKS)
def test_copies_of_a_policy_say_the_same_whoever_holds_them(task: str) -> None:
    learner, rollout = played(task, "ps")
    steps = all_decisions(rollout)
    with torch.no_grad():
        joint = joint_log_probs(learner, steps)
        own = learner.actors.own(steps.observations, None)
    for holder, others in enumerate([(0, 1, 2), (1, 0, 2), (2, 0, 1)]):
        for slot, j in enumerate(others):
            torch.testing.assert_close(joint[:, holder, slot], own[:, j])
    assert own.exp().std().item() > 0.01


@pytest.mark.parametrize("task", TASKS)
def test_critics_of_equal_parameters_value_a_state_alike(task: str) -> None:
    learner, rollout = played(task, "vps")
    critics = learner.critics
    assert isinstance(critics, CriticBank)
    for seen in critic_inputs(rollout, sees_time=True, one_view=learner.one_view):
        values = critics.values(flatten(seen))
        torch.testing.assert_close(values, values[:, :1].expand_as(values))


def test_observations_are_counted_where_a_central_critic_needs_them() -> None:
    config = LearnerConfig(algorithm="centralised", num_envs=5)
    for env, kinds in (
        (mutual_help(5), {"observation", "reward"}),
        (make_env("predation", 5, num_agents=2), {"reward"}),
    ):
        channel = Channel(config.exchange, 2, 0)
        Training(build_learner(config, env.spec, 0), env, channel, 0).advance()
        assert set(channel.ledger.bytes_by_kind()) == kinds
    assert channel.ledger.bytes_by_kind()["reward"] == 2 * 5 * 30 * 4
