"""Every algorithm on actions of several choices and of real numbers: it learns or is refused."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from pettingzoo import ParallelEnv

from paper_envs.training.config import user_learner
from ss_core.adapters.pettingzoo import VectorFromParallel
from ss_core.algorithms.build import build_learner
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.config import replace_paths
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.rollout import collect_rollout
from ss_core.training.loop import Training
from tests.support.own_games import Contributions, Pledges

ALGORITHMS = [
    name for name, facts in ALGORITHM_FACTS.items() if "cooperative" not in str(facts.needs)
]
GAMES = [Contributions, Pledges]


def world(game: type[ParallelEnv], num_envs: int) -> VectorFromParallel:
    return VectorFromParallel(game, num_envs, horizon=4)


def settings(algorithm: str = "ss", **changes: Any) -> LearnerConfig:
    small = {"hidden": (16,), "critic_hidden": (16,), "num_updates": 40}
    return replace(user_learner("tuned", algorithm), **small, **changes)


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_takes_its_steps(algorithm: str, game: type[ParallelEnv]) -> None:
    training = Training.begin(settings(algorithm, num_envs=2), world(game, 2), seed=0)
    before = {name: w.detach().clone() for name, w in training.learner.actors.params.items()}
    training.advance()
    training.advance()
    after = training.learner.actors.params
    assert all(bool(w.isfinite().all()) for w in after.values())
    assert any(bool((w != before[name]).any()) for name, w in after.items())
    assert torch.tensor([*training.metrics.values()]).isfinite().all()


@pytest.mark.parametrize("architecture", ["independent", "multihead", "tilted", "shared"])
@pytest.mark.parametrize("changes", [{}, {"agent_order": "sequential"}, {"old_policy": "literal"}])
@pytest.mark.parametrize("game", GAMES)
def test_suggestions_of_every_architecture_and_order(
    game: type[ParallelEnv], architecture: Any, changes: dict[str, Any]
) -> None:
    config = settings(num_envs=2, architecture=architecture, **changes)
    training = Training.begin(config, world(game, 2), seed=0)
    training.advance()
    sent = training.learner.last_round
    assert sent is not None
    legal = torch.ones(sent.suggestions.shape, dtype=torch.bool)
    assert bool(training.learner.family.well_formed(sent.suggestions, legal).all())
    training.advance()
    assert torch.tensor([*training.metrics.values()]).isfinite().all()


@pytest.mark.parametrize("regime", ["gradient", "norm"])
@pytest.mark.parametrize("game", GAMES)
def test_suggestions_make_selfish_agents_give(game: type[ParallelEnv], regime: Any) -> None:
    from paper_envs.training.pilot import regimes_to_try

    config = regimes_to_try(settings())[regime]
    training = Training.begin(config, world(game, 16), seed=0)
    for _ in range(40):
        training.advance()
    played = collect_rollout(
        training.env,
        training.learner.actors,
        seed=1,
        generator=torch.Generator().manual_seed(1),
    )
    assert float(played.rewards.mean()) > 0.7  # half where all give at random, 1 at best


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("trust", True),
        ("exchange.noise", 1.0),
        ("exchange.liars", 0.5),
        ("credit", "model"),
    ],
)
def test_what_needs_the_probability_of_every_action_is_refused(path: str, value: Any) -> None:
    config = replace_paths(settings(), {path: value})
    spec = world(Contributions, 1).spec
    with pytest.raises(ConfigError, match=rf"learner\.{path.split('.')[0]}.*; use learner\.{path}"):
        build_learner(config, spec, 0)
