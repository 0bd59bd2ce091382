"""What the presets give full-size Cleanup and Harvest, and that suggestions there fit the world."""

from dataclasses import replace

import pytest

from paper_envs.presets import env_options, learner_config
from paper_envs.tasks import make_env
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.policies.actors import Architecture
from ss_core.training.loop import Training

FULL_SIZE = ("cleanup", "harvest")


def tuned(task: str, algorithm: str = "ss") -> LearnerConfig:
    return learner_config(task, 4, "tuned", algorithm, num_updates=2)


@pytest.mark.parametrize("task", FULL_SIZE)
def test_full_size_tasks_are_seen_sparsely_under_tuned_and_as_published_under_paper(
    task: str,
) -> None:
    sparse = make_env(task, 1, options=env_options(task, "tuned")).spec
    published = make_env(task, 1, options=env_options(task, "paper")).spec
    assert sparse.num_features > 1000 > sparse.observation_size
    assert published.num_features == 0


@pytest.mark.parametrize("task", [*FULL_SIZE, "cleanup-small"])
def test_nothing_about_scales_crosses_and_suggestions_are_sent_once(task: str) -> None:
    config = tuned(task)
    assert (config.advantage_scale, config.kappa) == ("unit", "one")
    assert config.exchange.per_update == "once"
    spec = make_env(task, 1, options=env_options(task, "tuned")).spec
    critics = build_learner(config, spec, 0).critics
    assert not critics.params["w2"].any()  # they expect nothing at first
    weights = config.objective
    assert weights.rho_follow == weights.rho * (2.0 if task == "harvest" else 1.0)


@pytest.mark.parametrize("task", FULL_SIZE)
@pytest.mark.parametrize("algorithm", ALGORITHM_FACTS)
def test_every_algorithm_learns_from_sparse_rows(task: str, algorithm: str) -> None:
    config = replace(tuned(task, algorithm), num_envs=2)
    env = make_env(task, 2, num_agents=3, options=env_options(task, "tuned"))
    training = Training.begin(config, env, seed=0)
    before = {k: w.detach().clone() for k, w in training.learner.actors.params.items()}
    training.advance()
    training.advance()
    after = training.learner.actors.params
    assert any(not after[k].equal(w) for k, w in before.items())
    assert all(bool(w.isfinite().all()) for w in after.values())
    assert ("suggestion" in training.channel.ledger.bytes_by_kind()) == (algorithm == "ss")


@pytest.mark.parametrize("architecture", ["shared", "tilted", "multihead", "independent"])
def test_agents_in_turn_learn_from_sparse_rows_or_the_remedy_is_named(
    architecture: Architecture,
) -> None:
    config = tuned("cleanup")
    config = replace(
        config,
        num_envs=1,
        num_minibatches=1,
        architecture=architecture,
        agent_order="sequential",
        exchange=replace(config.exchange, per_update="every_pass"),
    )
    env = make_env("cleanup", 1, num_agents=2, options=env_options("cleanup", "tuned"))
    if architecture != "shared":
        training = Training.begin(config, env, seed=0)
        training.advance()
        assert training.metrics["suggestion_mse"] >= 0.0
        return
    with pytest.raises(ConfigError, match="use architecture='tilted', or agent_order='simult"):
        build_learner(config, env.spec, 0)
