"""Steps of an update: random parts that together are everything, once in each pass."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from ss_core.algorithms.build import build_learner
from ss_core.learning.decisions import all_decisions
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.minibatches import ALL, Purpose, minibatches
from ss_core.learning.rollout import collect_rollout
from ss_core.training.loop import Training
from tests.support.probe_envs import mutual_help

CONFIG = LearnerConfig(architecture="shared", hidden=(4,), critic_hidden=(4,), num_envs=10)


def parts(
    config: LearnerConfig, rows: int, update: int = 0, purpose: Purpose = "policies"
) -> list[Tensor]:
    learner = build_learner(config, mutual_help().spec, 0)
    return [torch.arange(rows)[part] for part in minibatches(learner, rows, update, purpose)]


def test_each_pass_is_a_partition_of_its_own() -> None:
    found = parts(replace(CONFIG, num_epochs=2, num_minibatches=3), 10)
    assert [len(part) for part in found] == [4, 3, 3] * 2
    passes = [torch.cat(found[:3]), torch.cat(found[3:])]
    assert all(sorted(each.tolist()) == list(range(10)) for each in passes)
    assert not torch.equal(*passes)


def test_parts_depend_on_seed_update_and_purpose_alone() -> None:
    config = replace(CONFIG, num_epochs=1, num_minibatches=2)
    first = parts(config, 32)[0]
    assert torch.equal(first, parts(config, 32)[0])
    assert not torch.equal(first, parts(config, 32, update=1)[0])
    assert not torch.equal(first, parts(config, 32, purpose="suggestions")[0])


def test_one_minibatch_is_everything_in_order_and_few_rows_give_few_parts() -> None:
    learner = build_learner(replace(CONFIG, num_epochs=2), mutual_help().spec, 0)
    assert list(minibatches(learner, 5, 0, "policies")) == [ALL, ALL]
    assert len(parts(replace(CONFIG, num_epochs=1, num_minibatches=8), 3)) == 3


def test_a_part_of_decisions_has_its_share_of_time_steps() -> None:
    env = mutual_help(num_envs=10)
    learner = build_learner(CONFIG, env.spec, 0)
    rollout = collect_rollout(env, learner.actors, seed=0, generator=learner.generator)
    decisions = all_decisions(rollout)
    part = torch.tensor([7, 2, 5])
    some = decisions.at(part)
    assert some.num_steps == 3
    assert torch.equal(some.actions, decisions.actions[part])
    assert decisions.at(ALL) is decisions


@pytest.mark.parametrize("algorithm", ["ss", "independent", "vs", "ps", "vps", "centralised"])
def test_every_algorithm_takes_minibatches(algorithm: str) -> None:
    architecture = "multihead" if algorithm == "ps" else "shared"
    config = replace(
        CONFIG, algorithm=algorithm, architecture=architecture, num_minibatches=4, num_updates=2
    )
    training = Training.begin(config, mutual_help(num_envs=10), seed=0)
    training.advance()
    training.advance()
    assert int(training.learner.actor_adam.steps.max()) == 2 * config.num_epochs * 4
    assert int(training.learner.critic_adam.steps.max()) == 2 * config.num_epochs * 4


def test_agents_in_turn_take_everything_at_once() -> None:
    with pytest.raises(ValueError, match=r"num_minibatches=2.*use agent_order='simultaneous'"):
        replace(CONFIG, agent_order="sequential", num_minibatches=2)
