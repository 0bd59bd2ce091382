"""What makes suggestion sharing private: nothing but messages cross.

Tested on real training steps: one agent's private reward (or what it believes about alternatives)
is changed at one update, and every other agent's parameters and optimiser states are compared bit
by bit.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gridsim.game.env import SchedulingEnv, World
from gridsim.game.in_turn import InTurnEnv
from gridsim.game.tariff import TariffConfig, build_tariff
from gridsim.households.households import HouseholdConfig, draw_population
from gridsim.households.profiles import load_profiles
from ss_core.algorithms import ALGORITHMS
from ss_core.env import CounterfactualEnv, Counterfactuals, Step, VectorEnv
from ss_core.exchange.channel import Channel, ExchangeConfig
from ss_core.exchange.neighbourhood import Neighbourhood
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.objective.objective import ObjectiveWeights
from ss_core.policies.actors import Architecture
from tests.support.probe_envs import CounterfactualHelpingGame, ring_help
from tests.support.small_learners import (
    small_learner,
)

AGENTS, CHANGED = 4, 1
BASE = LearnerConfig(num_epochs=3, actor_lr=0.02, suggestion_lr=0.05, critic_lr=0.02)


class ReplayingChannel(Channel):
    """Keeps every message; given the messages of another run, delivers one agent's from there."""

    def __init__(self, config: ExchangeConfig, num_agents: int) -> None:
        super().__init__(config, num_agents, seed=0)
        self.delivered: list[Tensor] = []
        self.replayed: list[Tensor] | None = None

    def share(
        self,
        kind: str,
        payload: Tensor,
        links: Neighbourhood,
        valid: Tensor,
        update: int,
    ) -> Tensor:
        sent = super().share(kind, payload, links, valid, update)  # type: ignore[arg-type]
        return self._deliver(sent, links.receivers == CHANGED)

    def send(
        self,
        kind: str,
        payload: Tensor,
        links: Neighbourhood,
        valid: Tensor,
        update: int,
    ) -> tuple[Tensor, Tensor]:
        received, arrived = super().send(kind, payload, links, valid, update)  # type: ignore[arg-type]
        return self._deliver(received, links.senders == CHANGED), arrived

    def mix(
        self, kind: str, rows: Mapping[str, Tensor], weights: Tensor, update: int
    ) -> dict[str, Tensor]:
        mixed = super().mix(kind, rows, weights, update)  # type: ignore[arg-type]
        sent = torch.cat([w.detach().flatten(1) for w in rows.values()], dim=1)
        if self.replayed is not None:  # others receive what was sent then, oneself what is now
            earlier = self.replayed[len(self.delivered)][CHANGED]
            parts = earlier.split([w[0].numel() for w in rows.values()])
            for (k, w), part in zip(rows.items(), parts, strict=True):
                as_then = w.detach().clone()
                as_then[CHANGED] = part.view_as(as_then[CHANGED])
                others = torch.tensordot(weights, as_then, dims=1)
                mixed[k] = torch.cat(
                    [others[:CHANGED], mixed[k][CHANGED : CHANGED + 1], others[CHANGED + 1 :]]
                )
        self.delivered.append(sent.clone())
        return mixed

    def total(self, kind: str, values: Tensor, update: int) -> Tensor:
        total = super().total(kind, values, update)  # type: ignore[arg-type]
        if self.replayed is not None:
            total = self.replayed[len(self.delivered)]
        self.delivered.append(total)
        return total

    def _deliver(self, messages: Tensor, of_changed: Tensor) -> Tensor:
        if self.replayed is not None:
            earlier = self.replayed[len(self.delivered)]
            messages = torch.where(of_changed[None, :, :, None], earlier, messages)
        self.delivered.append(messages)
        return messages


class SecretlyDifferent:
    """The same world, but one agent's own rewards and counterfactual values are others."""

    def __init__(self, env: VectorEnv) -> None:
        self._env = env
        self.spec = env.spec

    def reset(self, seed: int) -> Step:
        return self._env.reset(seed)

    def step(self, actions: Tensor) -> Step:
        return self._env.step(actions)

    def counterfactual_rewards(self, neighbours: Tensor) -> Counterfactuals:
        assert isinstance(self._env, CounterfactualEnv)
        table = self._env.counterfactual_rewards(neighbours)
        return Counterfactuals(own=_otherwise(table.own), peers=_otherwise(table.peers))


def _otherwise(x: Tensor) -> Tensor:
    changed = x.clone()
    changed[:, :, CHANGED] = 0.7 - 1.5 * changed[:, :, CHANGED]
    if x.dim() > 3:  # something that depends on the action
        changed[:, :, CHANGED] += torch.linspace(0.0, 1.0, x.shape[-1])
    return changed


def households() -> World:
    config = HouseholdConfig()
    profiles = load_profiles()
    population = draw_population(config, profiles, 6, np.random.default_rng(0))
    return World(profiles, population, config, build_tariff(TariffConfig()), 4)


def in_turn() -> VectorEnv:
    return InTurnEnv(households(), num_envs=2)


def per_job() -> VectorEnv:
    return SchedulingEnv(households(), num_envs=2)


WORLDS: dict[str, tuple[Callable[[], VectorEnv], Architecture, bool]] = {
    "ring, independent": (lambda: ring_help(AGENTS, 8, 2), "independent", False),
    "ring, multihead": (lambda: ring_help(AGENTS, 8, 2), "multihead", False),
    "ring, shared": (lambda: ring_help(AGENTS, 8, 2), "shared", False),
    "ring, what if": (lambda: CounterfactualHelpingGame(ring_help(AGENTS, 8, 2)), "shared", True),
    "households": (in_turn, "shared", True),
    "households, sampled": (in_turn, "shared", False),
    "households, per job": (per_job, "shared", True),
    "households, per job, sampled": (per_job, "shared", False),
}
REGIMES = {
    "paper": (ObjectiveWeights(), "mean"),
    "gradient": (
        ObjectiveWeights(rho=1.0, rho_follow=1.0, surrogate="additive", indicators=False),
        "one",
    ),
}
every_world = pytest.mark.parametrize("world", WORLDS)


class Experiment:
    """One update from the same start, with and without a secret change of one agent's rewards."""

    def __init__(
        self,
        world: str,
        algorithm: str = "ss",
        *,
        regime: str = "paper",
        epochs: int = 3,
        every: int = 1,
        update: int = 0,
        once: bool = False,
        **settings: Any,
    ) -> None:
        make, architecture, counterfactuals = WORLDS[world]
        objective, kind = REGIMES[regime]
        self.env, self.update = make(), update
        self.config = replace(
            BASE,
            algorithm=algorithm,
            architecture=architecture,
            num_epochs=epochs,
            counterfactuals=counterfactuals,
            objective=objective,
            kappa=kind,
            exchange=ExchangeConfig(
                protocol="graph", every=every, per_update="once" if once else "every_pass"
            ),
        )
        self.config = replace(self.config, **settings)
        player = small_learner(self.config, self.env.spec)
        self.rollout = collect_rollout(
            self.env, player.actors, seed=0, generator=player.generator, with_successors=True
        )

    def learn(
        self, *, changed: bool, replayed: list[Tensor] | None = None
    ) -> tuple[dict[str, Tensor], list[Tensor]]:
        """All tensors after the update, and all messages of it."""
        learner = small_learner(self.config, self.env.spec)
        channel = ReplayingChannel(self.config.exchange, self.env.spec.num_agents)
        channel.replayed = replayed
        rollout, env = self.rollout, self.env
        if changed:
            rollout, env = _with_rewards(rollout), SecretlyDifferent(env)
        ALGORITHMS[self.config.algorithm].learn(learner, rollout, env, channel, self.update)
        tensors = {k: w.clone() for k, w in learner_tensors(learner).items() if k != "generator"}
        return tensors, channel.delivered


def _with_rewards(rollout: Rollout) -> Rollout:
    return replace(rollout, rewards=_otherwise(rollout.rewards))


def agents_that_differ(one: dict[str, Tensor], other: dict[str, Tensor]) -> set[int]:
    """Agents of whom anything differs: parameters, Adam's moments, κ."""
    differing = set()
    for name, tensor in one.items():
        differing |= {i for i, row in enumerate(tensor) if not torch.equal(row, other[name][i])}
    return differing


@every_world
@pytest.mark.parametrize("regime", REGIMES)
def test_without_an_exchange_a_private_reward_stays_private(world: str, regime: str) -> None:
    for experiment in (
        Experiment(world, "independent", regime=regime),
        Experiment(world, regime=regime, every=2, update=1),
    ):
        before, messages = experiment.learn(changed=False)
        after, _ = experiment.learn(changed=True)
        assert messages == []
        assert agents_that_differ(before, after) == {CHANGED}


@every_world
@pytest.mark.parametrize("regime", REGIMES)
def test_messages_of_the_first_pass_know_nothing_of_the_reward(world: str, regime: str) -> None:
    experiment = Experiment(world, regime=regime, epochs=1)
    before, messages = experiment.learn(changed=False)
    after, changed_messages = experiment.learn(changed=True)
    assert len(messages) == 2
    assert all(map(torch.equal, messages, changed_messages))
    assert agents_that_differ(before, after) == {CHANGED}


@every_world
@pytest.mark.parametrize("regime", REGIMES)
def test_a_private_reward_reaches_others_through_messages_alone(world: str, regime: str) -> None:
    experiment = Experiment(world, regime=regime)
    before, messages = experiment.learn(changed=False)
    leaked, changed_messages = experiment.learn(changed=True)
    sealed, _ = experiment.learn(changed=True, replayed=messages)
    assert not all(map(torch.equal, messages, changed_messages))
    assert agents_that_differ(before, leaked) > {CHANGED}  # later passes do carry something
    assert agents_that_differ(before, sealed) == {CHANGED}


@pytest.mark.parametrize("world", [world for world in WORLDS if WORLDS[world][1] == "shared"])
@pytest.mark.parametrize("parts", [1, 2])
def test_one_exchange_carries_a_private_reward_in_its_suggestions_alone(
    world: str, parts: int
) -> None:
    experiment = Experiment(world, regime="gradient", once=True, num_minibatches=parts)
    before, messages = experiment.learn(changed=False)
    leaked, changed_messages = experiment.learn(changed=True)
    sealed, _ = experiment.learn(changed=True, replayed=messages)
    policies, suggestions = (
        torch.equal(*pair) for pair in zip(messages, changed_messages, strict=True)
    )
    assert (policies, suggestions) == (True, False)
    assert agents_that_differ(before, leaked) > {CHANGED}
    assert agents_that_differ(before, sealed) == {CHANGED}


@pytest.mark.parametrize("world", ["ring, multihead", "ring, shared", "households, sampled"])
def test_minibatches_send_what_they_know_and_know_nothing_else(world: str) -> None:
    experiment = Experiment(world, regime="gradient", num_minibatches=2)
    before, messages = experiment.learn(changed=False)
    leaked, _ = experiment.learn(changed=True)
    sealed, _ = experiment.learn(changed=True, replayed=messages)
    steps = 2 * experiment.config.num_epochs
    assert len(messages) == 1 + 2 * steps  # π_old, then policies and suggestions of each step
    assert agents_that_differ(before, leaked) > {CHANGED}
    assert agents_that_differ(before, sealed) == {CHANGED}


def test_a_common_scale_crosses_as_a_sum_alone() -> None:
    common: dict[str, Any] = {"advantage_scale": "common", "kappa": "common"}
    experiment = Experiment("ring, shared", regime="gradient", epochs=1, **common)
    before, messages = experiment.learn(changed=False)
    leaked, _ = experiment.learn(changed=True)
    sealed, _ = experiment.learn(changed=True, replayed=messages)
    assert [message.dim() for message in messages] == [1, 1, 4, 4]  # spread, κ, then as ever
    assert agents_that_differ(before, leaked) > {CHANGED}  # after a single pass
    assert agents_that_differ(before, sealed) == {CHANGED}


MIRROR = replace(REGIMES["gradient"][0], anchor="kl")


@pytest.mark.parametrize("architecture", ["table", "shared"])
@pytest.mark.parametrize("world", ["ring, what if", "ring, shared"])
def test_mirror_steps_show_a_reward_through_one_suggestion_alone(
    world: str, architecture: Architecture
) -> None:
    settings: dict[str, Any] = {"objective": MIRROR, "suggestions": "best", "once": True}
    experiment = Experiment(world, regime="gradient", architecture=architecture, **settings)
    before, messages = experiment.learn(changed=False)
    leaked, changed_messages = experiment.learn(changed=True)
    sealed, _ = experiment.learn(changed=True, replayed=messages)
    assert len(messages) == 2  # policies that acted, then suggestions
    assert torch.equal(messages[0], changed_messages[0])
    assert agents_that_differ(before, leaked) > {CHANGED}
    assert agents_that_differ(before, sealed) == {CHANGED}


def test_mirror_steps_alone_keep_a_reward_private() -> None:
    settings: dict[str, Any] = {"objective": MIRROR, "suggestions": "best", "once": True}
    experiment = Experiment(
        "ring, what if", regime="gradient", architecture="table", every=2, update=1, **settings
    )
    before, messages = experiment.learn(changed=False)
    after, _ = experiment.learn(changed=True)
    assert messages == []
    assert agents_that_differ(before, after) == {CHANGED}


@pytest.mark.parametrize("algorithm", ["vs", "vps", "ps", "reward_transfer", "svo"])
def test_other_algorithms_tell_of_the_reward_at_once_and_through_messages_alone(
    algorithm: str,
) -> None:
    experiment = Experiment("ring, independent", algorithm, epochs=1)
    before, messages = experiment.learn(changed=False)
    leaked, changed_messages = experiment.learn(changed=True)
    sealed, _ = experiment.learn(changed=True, replayed=messages)
    assert len(messages) == 1
    assert not torch.equal(messages[0], changed_messages[0])
    assert agents_that_differ(before, leaked) > {CHANGED}  # after a single pass
    assert agents_that_differ(before, sealed) == {CHANGED}


@pytest.mark.parametrize("algorithm", ["vs", "vps", "ps", "imr", "reward_transfer", "svo"])
def test_without_an_exchange_the_reward_stays_private_in_other_algorithms(
    algorithm: str,
) -> None:
    experiment = Experiment("ring, independent", algorithm, every=2, update=1)
    before, messages = experiment.learn(changed=False)
    after, _ = experiment.learn(changed=True)
    assert messages == []
    assert agents_that_differ(before, after) == {CHANGED}


@pytest.mark.parametrize(
    "world", ["ring, independent", "ring, what if", "households", "households, per job"]
)
def test_centralised_learning_is_told_every_reward(world: str) -> None:
    experiment = Experiment(world, "centralised", epochs=1)
    before, _ = experiment.learn(changed=False)
    after, _ = experiment.learn(changed=True)
    assert agents_that_differ(before, after) == set(range(experiment.env.spec.num_agents))
