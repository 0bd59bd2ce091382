"""The routing game as an environment: contract, who hears from whom, and what stays private."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from ss_core.algorithms import ALGORITHMS
from ss_core.algorithms.build import build_learner
from ss_core.env import StatefulEnv, Step, VectorEnv
from ss_core.exchange.channel import Channel
from ss_core.learning.learner import LearnerConfig, learner_tensors
from ss_core.learning.rollout import Rollout, collect_rollout
from ss_core.policies.actors import ActorBank
from ss_core.testing import check_env
from tests.ss_core.exchange.test_privacy import ReplayingChannel, agents_that_differ
from tests.support.small_nets import NOISY, small_game, trips
from trafficsim.demand.trips import Trip
from trafficsim.routing.config import sampled_learner
from trafficsim.routing.en_route import EnRouteEnv
from trafficsim.routing.env import (
    RoutingEnv,
    departure_bases,
    draw_neighbours,
    mean_free_flow_s,
    remember,
    time_unit_s,
)
from trafficsim.routing.game import RoutingGame
from trafficsim.sumo.free_flow import FreeFlowBackend
from trafficsim.sumo.simulation import Outcome, Simulator, travel_times_s

N, E, CHANGED = 6, 3, 1  # drivers, copies, the driver with a secret
DEMAND = trips(N, kind=NOISY)
WITH_BACKGROUND = replace(
    DEMAND, trips=(*DEMAND.trips, Trip("stuck", 4.0, "queue", "exit", NOISY.type_id))
)


@pytest.fixture
def game(tmp_path: Path) -> RoutingGame:
    return small_game(tmp_path, WITH_BACKGROUND)


@pytest.fixture
def simulator(game: RoutingGame) -> Iterator[FreeFlowBackend]:
    with FreeFlowBackend(game.scene) as simulator:
        yield simulator


def env_of(
    game: RoutingGame, simulator: FreeFlowBackend, *, neighbours: int = 2, described: bool = True
) -> RoutingEnv:
    return RoutingEnv(game, simulator, E, num_neighbours=neighbours, described=described)


def some_actions(seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(2, size=(E, N)))


# contract


@pytest.mark.parametrize("described", [True, False])
def test_it_passes_the_examiner(
    described: bool, game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    check_env(env_of(game, simulator, described=described))


@pytest.mark.sumo
def test_decisions_en_route_pass_the_examiner(game: RoutingGame) -> None:
    with Simulator(game.scene, 2) as simulator:
        env = EnRouteEnv(game, simulator, 2, num_neighbours=2, slice_s=20.0)
        with closing(env):
            check_env(env)


@pytest.mark.parametrize("described", [True, False])
def test_steps_have_the_sizes_of_the_spec(
    described: bool, game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    env = env_of(game, simulator, described=described)
    assert isinstance(env, VectorEnv)
    assert isinstance(env, StatefulEnv)
    spec = env.spec
    assert (spec.num_envs, spec.num_agents, spec.num_actions, spec.horizon) == (E, N, 2, 1)
    assert spec.agent_names == tuple(f"d{number}" for number in range(N))
    for step, ended in ((env.reset(0), False), (env.step(some_actions()), True)):
        assert step.observations.shape == (E, N, spec.observation_size)
        assert step.observations.dtype == torch.float32
        assert torch.isfinite(step.observations).all()
        assert step.terminated.tolist() == [ended] * E
        assert step.truncated.tolist() == [False] * E
        assert step.action_mask is not None
        assert step.action_mask.shape == (E, N, 2)
        assert step.neighbours is not None
        assert step.neighbours.shape == (E, N, N)
    if described:
        assert spec.observation_size == spec.num_actions * spec.candidate_size


def test_rewards_are_times_of_the_drivers_in_units_of_a_quarter_of_the_empty_road(
    game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    env = env_of(game, simulator)
    assert env.time_unit_s == time_unit_s(game) == pytest.approx(100 / 3 / 4)
    first = env.reset(0)
    assert first.rewards.tolist() == [[0.0] * N] * E
    actions = some_actions()
    step = env.step(actions)
    assert env.last_times_s.shape == (E, N + 1)  # background traffic, too
    for copy, outcome in enumerate(env.last_outcomes):
        times_s = travel_times_s(game.scene, outcome)[:N]
        assert step.rewards[copy].tolist() == pytest.approx((-times_s / env.time_unit_s).tolist())
    on_the_way_round = env.last_times_s[:, :N][actions.numpy() == 1]
    assert ((on_the_way_round >= 40.0) & (on_the_way_round <= 44.0)).all()


def test_the_same_seed_gives_the_same_days_and_neighbours(
    game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    env, again = env_of(game, simulator), env_of(game, simulator)
    for seed in (3, 4):
        one, other = env.reset(seed), again.reset(seed)
        assert torch.equal(one.observations, other.observations)
        assert one.neighbours is not None
        assert other.neighbours is not None
        assert torch.equal(one.neighbours, other.neighbours)
        assert torch.equal(env.step(some_actions()).rewards, again.step(some_actions()).rewards)
    first, same, second, _ = np.array(simulator.seeds).reshape(4, E).tolist()
    assert first == same != second
    assert len(set(first)) == E  # copies see different days


def test_held_out_days_keep_their_seeds(game: RoutingGame, simulator: FreeFlowBackend) -> None:
    env = env_of(game, simulator)
    env.fix_seeds([7, 8, 9])
    env.reset(0)
    env.step(some_actions())
    assert simulator.seeds == [7, 8, 9]


def test_what_was_handed_out_is_never_written_again(
    game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    env = env_of(game, simulator)
    steps, copies = [], []
    for seed in range(2):
        for step in (env.reset(seed), env.step(some_actions(seed))):
            steps.append(step)
            copies.append([tensor.clone() for tensor in tensors_of(step)])
    for step, kept in zip(steps, copies, strict=True):
        assert all(map(torch.equal, tensors_of(step), kept))


def tensors_of(step: Step) -> list[Tensor]:
    assert step.neighbours is not None
    return [step.observations, step.next_observations, step.rewards, step.neighbours]


def test_public_speeds_are_remembered_and_restored(
    game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    env, other = env_of(game, simulator), env_of(game, simulator)
    fresh = env.reset(0).observations
    env.step(torch.zeros(E, N, dtype=torch.int64))
    later = env.reset(0).observations
    assert not torch.equal(later, fresh)  # the short road was slow
    other.restore(env.state())
    assert torch.equal(other.reset(0).observations, later)
    env.step(torch.ones(E, N, dtype=torch.int64))
    assert torch.equal(other.reset(0).observations, later)  # a copy of its own


@pytest.mark.parametrize("described", [True, False])
def test_a_driver_sees_only_its_own_alternatives_and_what_is_public(
    described: bool, game: RoutingGame, simulator: FreeFlowBackend, tmp_path: Path
) -> None:
    moved = list(WITH_BACKGROUND.trips)
    moved[2] = replace(moved[2], origin="queue")  # a private change that leaves it no choice
    other = small_game(tmp_path / "other", replace(WITH_BACKGROUND, trips=tuple(moved)))
    seen = env_of(game, simulator, described=False).reset(0).observations[0]
    with FreeFlowBackend(other.scene) as elsewhere:
        unseen = env_of(other, elsewhere, described=False).reset(0).observations[0]
    columns = [0, -2, -1]  # time of departure and expected times; one-hots of pairs differ in width
    kept = [0, 1, 3, 4, 5]
    assert torch.allclose(seen[kept][:, columns], unseen[:, columns])
    env = env_of(game, simulator, described=described)
    before = env.reset(0).observations
    env.step(some_actions())  # rewards are private: nothing of them is in any observation
    env.speeds = np.zeros((0, env.speeds.shape[1]))
    assert torch.equal(env.reset(0).observations, before)


def test_departure_bases_add_up_to_one() -> None:
    bases = departure_bases(np.array([10.0, 60.0, 35.0, 20.0]))
    assert bases.sum(axis=1) == pytest.approx([1.0] * 4)
    assert bases[0].tolist() == [1, 0, 0, 0, 0, 0]
    assert bases[2].tolist() == [0, 0, 0.5, 0.5, 0, 0]
    assert departure_bases(np.array([5.0, 5.0]))[:, 0].tolist() == [1.0, 1.0]


# public speeds


def outcome_with(speeds: list[list[float]]) -> Outcome:
    return Outcome(
        arrival_s=np.zeros(1),
        teleports=np.zeros(1, dtype=np.int64),
        collisions=0,
        link_speed_m_per_s=np.array(speeds, dtype=float).reshape(-1, 2),
        link_vehicles=np.zeros((len(speeds), 2)),
        end_s=0.0,
    )


def test_speeds_forget_slowly_and_keep_what_nobody_measured() -> None:
    nan = float("nan")
    first = remember(np.zeros((0, 2)), [outcome_with([[10.0, nan]]), outcome_with([[20.0, nan]])])
    assert first[0, 0] == 15.0
    assert np.isnan(first[0, 1])
    later = remember(first, [outcome_with([[25.0, 4.0], [6.0, nan]])])
    assert later[0].tolist() == [0.7 * 15.0 + 0.3 * 25.0, 4.0]
    assert later[1, 0] == 6.0
    silent = remember(later, [outcome_with([])])
    assert np.array_equal(silent, later, equal_nan=True)


# neighbours


@given(st.integers(2, 40), st.integers(1, 45), st.integers(0, 99))
def test_where_all_share_with_all_everybody_tells_and_hears_equally_many(
    drivers: int, most: int, seed: int
) -> None:
    shares = ~np.eye(drivers, dtype=bool)
    chosen = draw_neighbours(shares, most, np.random.default_rng(seed))
    expected = min(most, drivers - 1)
    assert (chosen.sum(axis=0) == expected).all()
    assert (chosen.sum(axis=1) == expected).all()
    assert not chosen.diagonal().any()


@given(st.integers(1, 25), st.integers(1, 8), st.floats(0.0, 1.0), st.integers(0, 99))
def test_suggestions_go_only_to_those_one_shares_roads_with(
    drivers: int, most: int, density: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shares = np.triu(rng.random((drivers, drivers)) < density, 1)
    shares |= shares.T
    chosen = draw_neighbours(shares, most, rng)
    assert not (chosen & ~shares).any()
    assert (chosen.sum(axis=1) == np.minimum(most, shares.sum(axis=1))).all()


def test_neighbours_change_from_reset_to_reset(
    game: RoutingGame, simulator: FreeFlowBackend
) -> None:
    env = env_of(game, simulator)
    drawn = {str(env.reset(seed).neighbours) for seed in range(6)}
    assert len(drawn) > 1


# privacy


class Secretive:
    """The same days, but one driver's reward is another."""

    def __init__(self, env: RoutingEnv) -> None:
        self._env = env
        self.spec = env.spec

    def reset(self, seed: int) -> Step:
        return self._env.reset(seed)

    def step(self, actions: Tensor) -> Step:
        step = self._env.step(actions)
        rewards = step.rewards.clone()
        rewards[:, CHANGED] = 0.7 - 1.5 * rewards[:, CHANGED] + actions[:, CHANGED]
        return replace(step, rewards=rewards)


def learned(
    game: RoutingGame,
    config: LearnerConfig,
    *,
    changed: bool,
    replayed: list[Tensor] | None = None,
    first: int = 0,
) -> tuple[dict[str, Tensor], list[Tensor]]:
    """Everything that drivers know after some updates, and all messages."""
    with FreeFlowBackend(game.scene) as simulator:
        env: VectorEnv = env_of(game, simulator)
        learner = build_learner(config, env.spec, 0, "cpu")
        channel = ReplayingChannel(config.exchange, N)
        channel.replayed = replayed
        player = Secretive(env_of(game, simulator)) if changed else env
        rollout = played(player, learner.actors)
        for update in (first, first + 1):
            ALGORITHMS[config.algorithm].learn(learner, rollout, env, channel, update)
    named = learner_tensors(learner)
    return {k: w.clone() for k, w in named.items() if k != "generator"}, channel.delivered


def played(env: VectorEnv, actors: ActorBank) -> Rollout:
    generator = torch.Generator().manual_seed(5)
    return collect_rollout(env, actors, seed=0, generator=generator)


SECRET = replace(sampled_learner(), num_updates=5)
SAMPLED = replace(SECRET, credit="samples", suggestions="networks", suggestion_lr=0.1)


@pytest.mark.parametrize("config", [SECRET, SAMPLED], ids=["credit model", "samples"])
def test_without_an_exchange_a_private_reward_stays_private(
    config: LearnerConfig, game: RoutingGame
) -> None:
    seldom = replace(config, exchange=replace(config.exchange, every=100))
    for alone in (replace(config, algorithm="independent"), seldom):
        before, messages = learned(game, alone, changed=False, first=1)
        after, _ = learned(game, alone, changed=True, first=1)
        assert messages == []
        assert agents_that_differ(before, after) == {CHANGED}


@pytest.mark.parametrize("config", [SECRET, SAMPLED], ids=["credit model", "samples"])
def test_a_private_reward_reaches_others_through_messages_alone(
    config: LearnerConfig, game: RoutingGame
) -> None:
    before, messages = learned(game, config, changed=False)
    leaked, changed_messages = learned(game, config, changed=True)
    sealed, _ = learned(game, config, changed=True, replayed=messages)
    assert messages
    assert not all(map(torch.equal, messages, changed_messages))
    assert agents_that_differ(before, leaked) > {CHANGED}
    assert agents_that_differ(before, sealed) == {CHANGED}


def test_the_ledger_counts_what_drivers_tell(game: RoutingGame, simulator: FreeFlowBackend) -> None:
    env = env_of(game, simulator)
    learner = build_learner(SECRET, env.spec, 0, "cpu")
    channel = Channel(SECRET.exchange, N, 0)
    rollout = played(env, learner.actors)
    ALGORITHMS["ss"].learn(learner, rollout, env, channel, 0)
    sent = channel.ledger.bytes_by_kind()
    assert {"announcement", "own_policy", "suggestion"} <= sent.keys()
    assert all(count > 0 for count in sent.values())


def test_the_mean_free_flow_time_is_that_of_the_fastest_alternatives(game: RoutingGame) -> None:
    assert mean_free_flow_s(game) == pytest.approx(100 / 3)
