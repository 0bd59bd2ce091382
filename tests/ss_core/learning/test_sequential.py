"""Agents in turn: the numbers are those of evaluating everybody's networks at every turn."""

from dataclasses import replace
from typing import Literal

import pytest
import torch

from ss_core.algorithms.ss import improve
from ss_core.exchange.channel import Channel
from ss_core.learning.action_advantages import from_samples
from ss_core.learning.communication import agreement, open_round, share
from ss_core.learning.decisions import Decisions
from ss_core.learning.learner import Learner, LearnerConfig
from ss_core.learning.rollout import flatten
from ss_core.learning.sequential import exchange
from ss_core.objective.advantages import kappa
from ss_core.objective.objective import ObjectiveWeights, objective
from ss_core.policies.actors import Architecture
from tests.support.small_learners import (
    BANK_IDS,
    BANKS,
    generator,
    random_decisions,
    sizes,
    small_learner,
)

AGENTS, EPOCHS = 3, 2
CONFIG = LearnerConfig(
    num_epochs=EPOCHS,
    actor_lr=0.02,
    suggestion_lr=0.05,
    agent_order="sequential",
    objective=ObjectiveWeights(ent_coef=0.01),
)


def setup(
    config: LearnerConfig, features: int, *, masked: bool
) -> tuple[Learner, Decisions, Channel, torch.Tensor]:
    learner = small_learner(config, sizes(AGENTS, features=features))
    channel = Channel(config.exchange, AGENTS, seed=0)
    decisions = random_decisions(learner.spec, learner.actors, masked=masked)
    return learner, decisions, channel, torch.randn((6, 1, AGENTS), generator=generator(9))


def learn_plainly(
    learner: Learner, decisions: Decisions, channel: Channel, advantages: torch.Tensor
) -> dict[str, float]:
    """The update with all networks evaluated, and all gradients taken, at every turn."""
    config, links = learner.config, channel.neighbourhood(0)
    learner.kappa = kappa(flatten(advantages), decisions.valid, config.kappa, learner.kappa)
    known = from_samples(advantages, decisions, links, learner.family)
    opened = open_round(learner, decisions, channel, links, 0)
    params = learner.actors.params
    optimisers = [_Adam(params, agent, learner.learning_rates(0)) for agent in range(AGENTS)]
    messages = old = None
    metrics: dict[str, float] = {}
    for _ in range(EPOCHS):
        for agent in range(AGENTS):
            before, messages = messages, exchange(learner, decisions, known, opened)
            own = messages.own
            if agent and before is not None:  # only what the last one sent is new
                sent = before.sent.clone()
                sent[:, agent - 1] = messages.sent[:, agent - 1]
                detached = own.detach()
                received, valid = channel.send_suggestions(sent, detached, links, opened.valid, 0)
                messages = replace(messages, sent=sent, received=received, valid=valid)
            if old is None or config.old_policy == "literal":
                old = share(opened, own, opened.valid)
            gain = objective(
                known.own_view(decisions, own, config.old_policy),
                known.peer_view(messages.suggestions, messages.policies, old, opened.valid),
                messages.view(None),
                config.objective,
                learner.kappa,
                num_steps=decisions.num_steps,
            ).gain
            agreed = agreement(messages, decisions, learner.family)
            metrics = {"objective": float(gain.detach().mean())} | agreed
            grads = torch.autograd.grad(-gain[agent], list(params.values()), allow_unused=True)
            optimisers[agent].step(dict(zip(params, grads, strict=True)))
    return metrics


class _Adam:
    """torch's Adam on the rows of one agent."""

    def __init__(
        self, params: dict[str, torch.Tensor], agent: int, rates: dict[str, float]
    ) -> None:
        self.params, self.agent = params, agent
        self.rows = {k: w.detach()[agent].clone() for k, w in params.items()}
        groups = [{"params": [row], "lr": rates[k]} for k, row in self.rows.items()]
        self.adam = torch.optim.Adam(groups)

    def step(self, grads: dict[str, torch.Tensor | None]) -> None:
        for k, row in self.rows.items():
            grad = grads[k]
            row.grad = torch.zeros_like(row) if grad is None else grad[self.agent]
        self.adam.step()
        with torch.no_grad():
            for k, row in self.rows.items():
                self.params[k][self.agent] = row


@pytest.mark.parametrize(("architecture", "features"), BANKS, ids=BANK_IDS)
@pytest.mark.parametrize("old_policy", ["literal", "behaviour"])
@pytest.mark.parametrize("masked", [False, True], ids=["free", "masked"])
def test_in_turn_is_what_evaluating_everybody_at_every_turn_gives(
    architecture: Architecture,
    features: int,
    old_policy: Literal["literal", "behaviour"],
    masked: bool,
) -> None:
    config = replace(CONFIG, architecture=architecture, old_policy=old_policy)
    plain, decisions, channel, advantages = setup(config, features, masked=masked)
    wanted = learn_plainly(plain, decisions, channel, advantages)
    learner, decisions, channel, advantages = setup(config, features, masked=masked)
    known = from_samples(advantages, decisions, channel.neighbourhood(0), learner.family)
    metrics = improve(learner, decisions, known, channel, channel.neighbourhood(0), update=0)
    assert {k: metrics[k] for k in wanted} == pytest.approx(wanted, abs=1e-5)
    for k, w in learner.actors.params.items():
        # an equal shift of all logits changes nothing: its gradient is rounding noise to Adam
        if not (features and k.endswith("_b1")):
            torch.testing.assert_close(w, plain.actors.params[k], rtol=0, atol=1e-6)


def test_with_nobody_to_listen_the_order_makes_no_difference() -> None:
    results = []
    for order in ("sequential", "simultaneous"):
        config = replace(CONFIG, agent_order=order)
        learner, decisions, channel, advantages = setup(config, 0, masked=False)
        known = from_samples(advantages, decisions, None, learner.family)
        improve(learner, decisions, known, channel, None, update=0)
        results.append(learner.actors.params)
    assert all(torch.equal(w, results[1][k]) for k, w in results[0].items())
