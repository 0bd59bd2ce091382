"""The passes of Algorithm 1, and what makes suggestion sharing private: nothing but messages cross.

Privacy is tested on real training steps: one agent's private reward (or what it believes about
alternatives) is changed at one update, and every other agent's parameters and optimiser states are
compared bit by bit.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks.learner import Case, PlainLoop
from gridsim.env import SchedulingEnv, World
from gridsim.households import HouseholdConfig, draw_population
from gridsim.profiles import load_profiles
from gridsim.tariff import TariffConfig, build_tariff
from ss_core.algorithms import ALGORITHMS
from ss_core.env import CounterfactualEnv, Counterfactuals, Step, VectorEnv
from ss_core.exchange import Channel, ExchangeConfig, Neighbourhood, all_to_all
from ss_core.judgement import Judgement, judge_samples
from ss_core.learner import AlgorithmName, Learner, LearnerConfig, learner_tensors
from ss_core.networks import Architecture
from ss_core.rollout import Decisions, Rollout, collect_rollout
from ss_core.suggestions import ObjectiveWeights
from ss_core.update import update_actors
from tests.ss_core.probe_envs import CounterfactualHelpingGame, ring_help
from tests.ss_core.small_learners import (
    BANK_IDS,
    BANKS,
    generator,
    random_decisions,
    sizes,
    small_learner,
)

AGENTS, CHANGED = 4, 1
BASE = LearnerConfig(num_epochs=3, actor_lr=0.02, suggestion_lr=0.05, critic_lr=0.02)
every_bank = pytest.mark.parametrize(("architecture", "features"), BANKS, ids=BANK_IDS)


def judged(
    learner: Learner, config: LearnerConfig
) -> tuple[Decisions, Judgement, Neighbourhood, Channel]:
    spec = learner.spec
    channel = Channel(config.exchange, spec.num_agents, seed=0)
    where = channel.neighbourhood(0)
    decisions = random_decisions(spec, learner.actors)
    advantages = torch.randn((6, 1, spec.num_agents), generator=generator(9))
    return decisions, judge_samples(advantages, decisions, where, spec.num_actions), where, channel


def updated(config: LearnerConfig, features: int = 0) -> tuple[Learner, dict[str, float], Channel]:
    learner = small_learner(config, sizes(AGENTS, features=features))
    decisions, judgement, where, channel = judged(learner, config)
    metrics = update_actors(learner, decisions, judgement, channel, where, 0)
    return learner, metrics, channel


# --- Algorithm 1 ----------------------------------------------------------------------------------


def test_an_update_is_that_of_a_plain_loop_over_all_pairs() -> None:
    case = Case("independent", (12, 7), (4, 5, 3, 9))
    loop = PlainLoop(case)
    for _ in range(3):
        case.update()
        loop.update()
    params = case.learner.actors.params
    for i, row in enumerate(loop.nets):
        for j, net in enumerate(row):
            for layer, linear in enumerate(m for m in net if isinstance(m, torch.nn.Linear)):
                w, b = params[f"w{layer}"][i, j], params[f"b{layer}"][i, j, 0]
                torch.testing.assert_close(w, linear.weight.T, rtol=0, atol=1e-6)
                torch.testing.assert_close(b, linear.bias, rtol=0, atol=1e-6)


@every_bank
def test_read_literally_every_step_starts_from_ratios_of_one(
    architecture: Architecture, features: int
) -> None:
    for order in ("simultaneous", "sequential"):
        config = replace(BASE, architecture=architecture, agent_order=order)
        _, drifted, _ = updated(config, features)
        _, literal, _ = updated(replace(config, old_policy="literal"), features)
        assert literal["approx_kl"] == 0.0
        assert drifted["approx_kl"] != 0.0


def test_first_pass_is_the_same_however_the_old_policy_is_read() -> None:
    once = replace(BASE, num_epochs=1)
    behaviour, _, _ = updated(once)
    literal, _, _ = updated(replace(once, old_policy="literal"))
    for k, w in behaviour.actors.params.items():
        torch.testing.assert_close(w, literal.actors.params[k], rtol=0, atol=1e-6)


def test_in_sequence_each_agent_sees_those_before_it_after_their_step() -> None:
    config = replace(BASE, num_epochs=1, old_policy="literal")
    in_sequence, _, _ = updated(replace(config, agent_order="sequential"))
    at_once, _, _ = updated(config)
    stepped = small_learner(config, sizes(AGENTS))
    decisions, judgement, where, channel = judged(stepped, config)
    for agent in range(AGENTS):
        alone = small_learner(config, sizes(AGENTS))
        adopt(alone, stepped)
        update_actors(alone, decisions, judgement, channel, where, 0)
        adopt(stepped, alone, agent)
        for k, gradient in alone.actor_adam.exp_avg.items():
            got = in_sequence.actor_adam.exp_avg[k][agent]
            torch.testing.assert_close(got, gradient[agent], rtol=1e-4, atol=1e-7)
    gradients = [x.actor_adam.exp_avg["w0"].flatten(1) for x in (in_sequence, at_once)]
    differs = (gradients[0] - gradients[1]).abs().amax(dim=1) > 1e-5
    assert differs.tolist() == [False] + [True] * (AGENTS - 1)


def adopt(learner: Learner, other: Learner, agent: int | None = None) -> None:
    """Take over the parameters of another learner, or one agent's."""
    rows = slice(None) if agent is None else agent
    with torch.no_grad():
        for k, w in learner.actors.params.items():
            w[rows] = other.actors.params[k][rows]


@pytest.mark.parametrize(
    ("order", "times"),
    # each pass opens with everybody; in sequence all but the last speak again after their step
    [("simultaneous", [3, 3, 3, 3]), ("sequential", [6, 6, 6, 3])],
)
def test_ledger_counts_every_distribution_that_was_told(order: str, times: list[int]) -> None:
    _, _, channel = updated(replace(BASE, agent_order=order))
    floats = 6 * 3  # decisions × actions
    for kind in ("own_policy", "suggestion"):
        told = channel.ledger.totals[kind][1]
        expected = np.outer(times, np.ones(AGENTS)) * floats * (1 - np.eye(AGENTS))
        assert told.tolist() == expected.tolist()


def test_nothing_is_told_where_nobody_listens() -> None:
    learner = small_learner(BASE, sizes(AGENTS))
    decisions, judgement, _, channel = judged(learner, BASE)
    update_actors(learner, decisions, judgement, channel, None, 0)
    assert channel.ledger.num_bytes() == 0


@every_bank
def test_with_nobody_listening_suggestion_networks_rest(
    architecture: Architecture, features: int
) -> None:
    config = replace(BASE, architecture=architecture)
    learner = small_learner(config, sizes(AGENTS, features=features))
    before = small_learner(config, sizes(AGENTS, features=features)).actors.params
    decisions, judgement, _, channel = judged(learner, config)
    update_actors(learner, decisions, judgement, channel, None, 0)
    off_diagonal = ~torch.eye(AGENTS, dtype=torch.bool)
    for k, w in learner.actors.params.items():
        if k.startswith("suggest_"):
            assert torch.equal(w, before[k])
        elif architecture == "independent":
            assert torch.equal(w[off_diagonal], before[k][off_diagonal])


def test_scaled_following_stands_for_all_others() -> None:
    exchange = ExchangeConfig(protocol="random", num_neighbours=1)
    plain = ObjectiveWeights(rho_follow=0.1)
    thrice = ObjectiveWeights(rho_follow=0.3)  # one neighbour stands for three
    scaled, _, _ = updated(replace(BASE, exchange=exchange, scale_rho_follow=True, objective=plain))
    by_hand, _, _ = updated(replace(BASE, exchange=exchange, objective=thrice))
    for k, w in scaled.actors.params.items():
        torch.testing.assert_close(w, by_hand.actors.params[k], rtol=0, atol=1e-6)


def test_masked_decisions_are_learnt_from_without_a_trace_of_nan() -> None:
    for architecture, features in BANKS:
        config = replace(BASE, architecture=architecture)
        learner = small_learner(config, sizes(AGENTS, features=features))
        decisions = random_decisions(learner.spec, learner.actors, masked=True)
        where = all_to_all(AGENTS)
        advantages = torch.randn((6, 1, AGENTS), generator=generator(9))
        judgement = judge_samples(advantages, decisions, where, learner.spec.num_actions)
        update_actors(learner, decisions, judgement, Channel(config.exchange, AGENTS, 0), where, 0)
        assert all(torch.isfinite(w).all() for w in learner.actors.params.values())


# --- Privacy --------------------------------------------------------------------------------------


class ReplayingChannel(Channel):
    """Keeps every message; given the messages of another run, delivers one agent's from there."""

    def __init__(self, config: ExchangeConfig, num_agents: int) -> None:
        super().__init__(config, num_agents, seed=0)
        self.delivered: list[Tensor] = []
        self.replayed: list[Tensor] | None = None

    def share_with_suggesters(
        self,
        kind: str,
        payload: Tensor,
        where: Neighbourhood,
        valid: Tensor,
        update: int,
    ) -> Tensor:
        told = super().share_with_suggesters(kind, payload, where, valid, update)  # type: ignore[arg-type]
        return self._deliver(told, where.receivers == CHANGED)

    def send_suggestions(
        self,
        kind: str,
        payload: Tensor,
        where: Neighbourhood,
        valid: Tensor,
        update: int,
    ) -> tuple[Tensor, Tensor]:
        received, arrived = super().send_suggestions(kind, payload, where, valid, update)  # type: ignore[arg-type]
        return self._deliver(received, where.senders == CHANGED), arrived

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


def households() -> VectorEnv:
    config = HouseholdConfig()
    profiles = load_profiles()
    population = draw_population(config, profiles, 6, np.random.default_rng(0))
    world = World(profiles, population, config, build_tariff(TariffConfig()), 4)
    return SchedulingEnv(world, num_envs=2)


WORLDS: dict[str, tuple[Callable[[], VectorEnv], Architecture, bool]] = {
    "ring, independent": (lambda: ring_help(AGENTS, 8, 2), "independent", False),
    "ring, multihead": (lambda: ring_help(AGENTS, 8, 2), "multihead", False),
    "ring, shared": (lambda: ring_help(AGENTS, 8, 2), "shared", False),
    "ring, what if": (lambda: CounterfactualHelpingGame(ring_help(AGENTS, 8, 2)), "shared", True),
    "households": (households, "shared", True),
    "households, sampled": (households, "shared", False),
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
        algorithm: AlgorithmName = "ss",
        *,
        regime: str = "paper",
        epochs: int = 3,
        every: int = 1,
        update: int = 0,
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
            exchange=ExchangeConfig(protocol="graph", every=every),
        )
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
        ALGORITHMS[self.config.algorithm](learner, rollout, env, channel, self.update)
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


@pytest.mark.parametrize("world", ["ring, independent", "ring, what if", "households"])
def test_centralised_learning_is_told_every_reward(world: str) -> None:
    experiment = Experiment(world, "centralised", epochs=1)
    before, _ = experiment.learn(changed=False)
    after, _ = experiment.learn(changed=True)
    assert agents_that_differ(before, after) == set(range(experiment.env.spec.num_agents))
