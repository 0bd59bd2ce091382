"""One exchange per update: what is sent once, what it learns, and what it cannot go with."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ss_core.learning.learner import LearnerConfig, learner_tensors, restore_learner
from ss_core.learning.presets import REGIMES
from ss_core.objective.closed_form import best_suggestions
from ss_core.random_streams import Stream, torch_generator
from ss_core.training.loop import Training
from tests.support.probe_envs import mutual_help

OBJECTIVE = replace(REGIMES["gradient"], rho=0.5, rho_follow=0.5)
EVERY_PASS = LearnerConfig(
    architecture="shared",
    hidden=(8,),
    critic_hidden=(8,),
    zero_logits=True,
    num_envs=32,
    num_updates=60,
    num_epochs=3,
    actor_lr=0.02,
    suggestion_lr=0.05,
    critic_lr=0.02,
    advantage_scale="unit",
    kappa="one",
    objective=OBJECTIVE,
)
ONCE = replace(EVERY_PASS, exchange=replace(EVERY_PASS.exchange, per_update="once"))


def trained(config: LearnerConfig, updates: int) -> Training:
    training = Training.begin(config, mutual_help(num_envs=config.num_envs), seed=0)
    for _ in range(updates):
        training.advance()
    return training


def helping(training: Training) -> float:
    """How likely agents are to help."""
    step = training.env.reset(0)
    return float(training.learner.actors.own(step.observations, None)[..., 1].exp().mean().detach())


def test_a_third_is_sent_where_three_passes_share_one_exchange() -> None:
    often, once = (
        trained(config, 2).channel.ledger.bytes_by_kind() for config in (EVERY_PASS, ONCE)
    )
    assert set(often) == set(once) == {"own_policy", "suggestion"}
    for kind, sent in once.items():
        assert often[kind] == 3 * sent > 0


@pytest.mark.parametrize(
    "changes",
    [{}, {"num_minibatches": 4}, {"architecture": "tilted"}, {"suggestions": "best"}],
    ids=["plain", "minibatches", "tilted", "closed form"],
)
def test_agents_help_whom_helping_brings_nothing(changes: dict[str, Any]) -> None:
    config = replace(ONCE, **changes)
    assert helping(trained(config, 60)) > 0.8
    assert helping(trained(replace(config, algorithm="independent"), 60)) < 0.1


def test_minibatches_with_an_exchange_at_every_step_learn_as_well() -> None:
    assert helping(trained(replace(EVERY_PASS, num_minibatches=4), 60)) > 0.9


def test_suggestions_and_policies_step_apart() -> None:
    learner = trained(replace(ONCE, num_minibatches=4), 1).learner
    assert learner.suggestion_adam is not None
    assert int(learner.suggestion_adam.steps.max()) == int(learner.actor_adam.steps.max()) == 12
    assert all(name.startswith("suggest_") for name in learner.suggestion_adam.exp_avg)
    assert all(name.startswith("own_") for name in learner.actor_adam.exp_avg)


def test_a_learner_is_restored_with_both_optimisers() -> None:
    first, second = trained(ONCE, 3), trained(ONCE, 1)
    restore_learner(
        second.learner, {k: t.clone() for k, t in learner_tensors(first.learner).items()}
    )
    second.update = 3
    first.advance()
    second.advance()
    for name, tensor in learner_tensors(first.learner).items():
        assert torch.equal(tensor, learner_tensors(second.learner)[name]), name


def test_closed_form_from_samples_pulls_by_the_policy_gradient_of_others() -> None:
    """2ρκ (π^ji - π^ii), through the softmax, is Â_j times the gradient of log π at the sample."""
    draw = torch_generator(0, Stream.TRAINING_ACTIONS)
    rho, actions = 1e4, 4  # large: inside the simplex
    logits = torch.randn((6, 1, 1, actions), generator=draw, dtype=torch.float64)
    policy = logits.log_softmax(dim=-1)
    taken = torch.randint(0, actions, (6, 1, 1), generator=draw)
    advantage = torch.randn((6, 1, 1, 1), generator=draw, dtype=torch.float64)
    one_hot = torch.nn.functional.one_hot(taken, actions).double()
    gains = one_hot / policy.exp() * advantage
    one = torch.ones(1, dtype=torch.float64)
    suggestion = best_suggestions(policy, gains, one, rho).exp()
    free = logits.clone().requires_grad_()
    probability = free.softmax(dim=-1)
    penalty = rho * (probability - suggestion).square().sum()
    pull = -torch.autograd.grad(penalty, free)[0]
    gain = (free.log_softmax(dim=-1) * one_hot * advantage).sum()
    torch.testing.assert_close(pull, torch.autograd.grad(gain, free)[0], rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"architecture": "independent"}, "needs architecture 'shared' or 'tilted'"),
        ({"objective": REGIMES["paper"]}, "surrogate='additive'"),
        ({"agent_order": "sequential"}, "agent_order='simultaneous'"),
        ({"old_policy": "literal"}, "old_policy='behaviour'"),
    ],
)
def test_what_it_cannot_go_with_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(ONCE, **changes)
