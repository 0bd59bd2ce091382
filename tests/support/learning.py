"""Whether an algorithm learns in an environment at all: parameters move, and stay finite."""

import torch

from ss_core.algorithms.build import build_learner
from ss_core.env import VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig
from ss_core.training.loop import Training


def assert_it_learns(config: LearnerConfig, env: VectorEnv, updates: int) -> None:
    """Own policies move; suggestions do where the algorithm makes some, and only there."""
    learner = build_learner(config, env.spec, seed=0)
    channel = Channel(config.exchange, env.spec.num_agents, 0)
    training = Training(learner, env, channel, seed=0)
    before = build_learner(config, env.spec, seed=0).actors.params
    for _ in range(updates):
        training.advance()
    after = learner.actors.params
    moved = {name for name, w in after.items() if not torch.equal(w, before[name])}
    assert any(name.startswith("own_") for name in moved)
    suggests = config.algorithm == "ss"
    assert any(name.startswith("suggest_") for name in moved) == suggests
    assert all(bool(torch.isfinite(w).all()) for w in after.values())
    assert training.metrics["episode_reward"] < 0.0
