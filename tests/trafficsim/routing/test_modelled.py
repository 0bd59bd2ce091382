"""Routes judged on the link model: what is driven, computed, kept private, and learned by it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ss_core.errors import ConfigError
from ss_core.random_streams import Stream, drawn_seed
from ss_core.training.loop import Training
from tests.support.small_nets import NOISY, QUIET, small_game, trips
from trafficsim.link_model.calibration import Fit
from trafficsim.link_model.model import FEW_VEHICLES, LinkModel
from trafficsim.routing.config import modelled_learner, resolve
from trafficsim.routing.env import time_unit_s
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.modelled import (
    ModelledConfig,
    ModelledRoutingEnv,
    days_in_sumo,
    who_thinks_of,
)
from trafficsim.routing.policies_on_the_road import (
    curve_seeds,
    held_out_seeds,
    num_neighbours,
    scaled_to_game,
    trial_seeds,
)
from trafficsim.sumo.free_flow import FreeFlowBackend
from trafficsim.sumo.simulation import Outcome, Scene, Simulator, travel_times_s

N = 6
SMALL = ModelledConfig(first_days=3, days=2, judged=2, draws=2, memory_days=4)


@pytest.fixture
def game(tmp_path: Path) -> RoutingGame:
    return small_game(tmp_path, trips(N, kind=NOISY))


@pytest.fixture
def quiet(tmp_path: Path) -> RoutingGame:
    return small_game(tmp_path, trips(N, kind=QUIET))


def env_of(
    game: RoutingGame, backend: Any = None, config: ModelledConfig = SMALL, copies: int = 4
) -> ModelledRoutingEnv:
    simulator = FreeFlowBackend(game.scene) if backend is None else backend
    return ModelledRoutingEnv(game, simulator, copies, num_neighbours=2, config=config, seed=0)


def choices(seed: int, copies: int = 4) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(2, size=(copies, N)))


def test_some_joint_choices_are_driven_and_the_others_modelled(game: RoutingGame) -> None:
    backend = FreeFlowBackend(game.scene)
    env = env_of(game, backend)
    for update, driven in enumerate((3, 2, 2)):
        before = len(backend.seeds)
        env.reset(update)
        step = env.step(choices(update))
        assert len(backend.seeds) - before == driven == len(env.last_outcomes)
        assert bool(step.terminated.all())
        measured = np.stack([travel_times_s(game.scene, each) for each in env.last_outcomes])
        assert np.array_equal(env.last_times_s[:driven], measured)
        assert np.isfinite(env.last_times_s).all()
        expected = -env.last_times_s[:, game.drivers] / time_unit_s(game)
        assert step.rewards.numpy() == pytest.approx(expected, rel=1e-5)
    assert env.public.memory.actions.shape == (4, N)  # the newest


def test_without_driver_noise_one_day_is_enough(quiet: RoutingGame) -> None:
    env = env_of(quiet)
    for update, driven in enumerate((3, 1)):
        env.reset(update)
        env.step(choices(update))
        assert len(env.last_outcomes) == driven


def test_who_thinks_of_whom() -> None:
    receivers = np.array([[1, 2], [2, 0], [0, 1], [0, 2]])
    affected, slot = who_thinks_of(receivers)
    found = {
        (int(i), int(m), j)
        for j in range(4)
        for i, m in zip(affected[j], slot[j], strict=True)
        if i >= 0
    }
    assert found == {(i, m, int(receivers[i, m])) for i in range(4) for m in range(2)}
    assert who_thinks_of(np.zeros((3, 0), dtype=np.int64))[0].tolist() == [[-1]] * 3


def test_alternatives_are_what_the_model_says_of_changed_days(quiet: RoutingGame) -> None:
    env = env_of(quiet, config=replace(SMALL, judged=1, residual_days=1e12))
    env.reset(0)
    env.step(choices(0))
    neighbours = torch.tensor([[1, 2], [2, 3], [3, 4], [4, 5], [5, 0], [0, 1]])
    table = env.counterfactual_rewards(neighbours)
    assert table.own.shape == (1, 4, N, 2)
    assert table.peers.shape == (1, 4, N, 2, 2)
    actions, noise = env.last_actions[0], env.public.model.noise(1, 0)
    before = env.public.model.play(quiet.routes_of(actions)[None], noise).times_s[0]
    unit_s = time_unit_s(quiet)
    for j in range(N):
        changed = actions.copy()
        changed[j] = 1 - actions[j]
        after = env.public.model.play(quiet.routes_of(changed)[None], noise).times_s[0]
        gain = (before - after) / unit_s
        assert float(table.own[0, 0, j, changed[j]]) == pytest.approx(gain[j], abs=1e-5)
        assert float(table.own[0, 0, j, actions[j]]) == pytest.approx(0.0, abs=1e-9)
        for i, m in torch.nonzero(neighbours == j).tolist():
            assert float(table.peers[0, 0, i, m, changed[j]]) == pytest.approx(gain[i], abs=1e-5)
    assert torch.equal(table.own[0, 0], table.own[0, 3])


class Delayed(FreeFlowBackend):
    """On the second day some vehicles arrive later than on the road; counts on links stay."""

    def __init__(self, scene: Scene, late: tuple[int, ...] = (2,)) -> None:
        super().__init__(scene)
        self._late_s = np.where(np.isin(np.arange(N), late), 40.0, 0.0)

    def play(self, choices: Any, seeds: Any) -> list[Outcome]:
        days = super().play(choices, seeds)
        return [
            replace(day, arrival_s=day.arrival_s + self._late_s * (at == 1))
            for at, day in enumerate(days)
        ]


def test_a_drivers_own_times_stay_with_it(game: RoutingGame) -> None:
    tables = []
    for backend in (FreeFlowBackend(game.scene), Delayed(game.scene)):
        env = env_of(game, backend)
        env.reset(0)
        env.step(torch.tensor([[0, 1, 0, 1, 0, 1], [1, 0, 1, 0, 1, 0]] * 2))
        neighbours = torch.tensor([[1], [2], [3], [4], [5], [0]])
        tables.append((env.counterfactual_rewards(neighbours), env.public.model.drivers))
    (plain, model), (late, same_model) = tables
    assert model == same_model  # fitted to counts alone
    assert torch.equal(plain.peers, late.peers)
    apart = (plain.own - late.own)[0, 0].abs().amax(dim=-1)
    assert int(apart.argmax()) == 2
    assert float(apart[2]) > 0.1


def test_residuals_are_shrunk_and_sum_to_nothing_over_days(game: RoutingGame) -> None:
    def residuals(days: float) -> np.ndarray:
        env = env_of(game, Delayed(game.scene), replace(SMALL, residual_days=days))
        env.reset(0)
        env.step(choices(3))
        return env.public.residuals_s(env.updates)

    much, little = residuals(0.01), residuals(100.0)
    assert np.abs(little).max() < 0.1 * np.abs(much).max()
    assert np.abs(much).max() > 1.0


def test_a_day_that_is_slow_for_all_is_no_routes_doing(game: RoutingGame) -> None:
    residuals = []
    for backend in (FreeFlowBackend(game.scene), Delayed(game.scene, tuple(range(N)))):
        env = env_of(game, backend)
        env.reset(0)
        env.step(choices(3))
        residuals.append(env.public.residuals_s(env.updates))
    assert residuals[0] == pytest.approx(residuals[1])


def test_the_model_is_fitted_at_the_first_updates_and_at_every_third(
    game: RoutingGame, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = []

    def fit(model: LinkModel, *_: Any, update: int, renews: bool, **__: Any) -> Fit:
        fitted.append((update, renews))
        return Fit(model.drivers, 0.0)

    monkeypatch.setattr("trafficsim.routing.public_model.calibrate", fit)
    env = env_of(game)
    for update in range(8):
        env.reset(update)
        env.step(choices(update))
    assert fitted == [(0, False), (1, True), (2, True), (3, True), (6, True)]


def test_an_environment_goes_on_from_its_state(game: RoutingGame) -> None:
    first = env_of(game)
    for update in range(3):
        first.reset(update)
        first.step(choices(update))
    again = env_of(game)
    again.restore({name: value.clone() for name, value in first.state().items()})
    neighbours = torch.tensor([[1], [2], [3], [4], [5], [0]])
    for env in (first, again):
        env.reset(3)
        env.step(choices(3))
    assert np.array_equal(first.last_times_s, again.last_times_s)
    assert first.public.model.drivers == again.public.model.drivers
    assert torch.equal(
        first.counterfactual_rewards(neighbours).own, again.counterfactual_rewards(neighbours).own
    )


def test_what_costs_too_much_is_computed_for_fewer_draws_then_for_fewer_drivers(
    game: RoutingGame,
) -> None:
    config = ModelledConfig(first_days=1, judged=3, draws=3)
    each = N * 2 * N  # vehicles simulated for all alternatives of a joint choice and a draw
    for days, expected in ((9, (9, N)), (6, (6, N)), (4, (3, N)), (2, (2, N)), (0.5, (1, 3))):
        env = env_of(game, config=replace(config, most_vehicle_days=float(days * each)))
        env.reset(0)
        env.step(choices(1))
        judged, draws, movers = env._affordable()
        assert (judged * draws, len(movers)) == expected
        table = env.counterfactual_rewards(torch.tensor([[1], [2], [3], [4], [5], [0]]))
        unmoved = np.setdiff1d(np.arange(N), movers)
        assert not table.own[0, 0, unmoved].any()


def test_where_few_can_be_judged_everybody_is_in_turn(game: RoutingGame) -> None:
    config = replace(SMALL, judged=1, draws=1, most_vehicle_days=N * 2 * N / 3)
    env, seen = env_of(game, config=config), list[int]()
    for update in range(3):
        env.reset(update)
        env.step(choices(update))
        seen += env._affordable()[2].tolist()
    assert sorted(seen) == list(range(N))


def test_who_is_judged_in_turn_is_judged_for_all_turns(game: RoutingGame) -> None:
    whole, part = (
        env_of(game, config=replace(SMALL, judged=1, draws=1, most_vehicle_days=N * 2 * N / turns))
        for turns in (1, 3)
    )
    neighbours = torch.tensor([[1], [2], [3], [4], [5], [0]])
    tables = []
    for env in (whole, part):
        env.reset(0)
        env.step(choices(0))
        tables.append(env.counterfactual_rewards(neighbours))
    movers = part._affordable()[2]
    assert torch.allclose(tables[1].own[0, 0, movers], 3.0 * tables[0].own[0, 0, movers])
    assert tables[0].own[0, 0, movers].any()


def test_in_a_town_everybody_hears_from_all_who_share_its_roads(tmp_path: Path) -> None:
    many = small_game(tmp_path, trips(FEW_VEHICLES + 10, kind=NOISY))
    config = resolve("tuned", {"net": many.scene.net})
    assert num_neighbours(config, many) == config.modelled.neighbours_in_towns
    scaled = scaled_to_game(config.learner, config, many).objective
    assert scaled.rho_follow == pytest.approx(config.learner.objective.rho_follow)
    fewer = resolve("tuned", {"net": many.scene.net, "modelled.neighbours_in_towns": 32})
    sharers = many.shares().sum(axis=1).mean()
    scaled = scaled_to_game(fewer.learner, fewer, many).objective
    assert scaled.rho_follow == pytest.approx(fewer.learner.objective.rho_follow * sharers / 32)


def test_elsewhere_a_driver_suggests_to_as_many_as_was_asked_for(game: RoutingGame) -> None:
    config = resolve("tuned", {"net": game.scene.net, "neighbours": 3})
    assert num_neighbours(config, game) == 3


def test_of_many_vehicles_fewer_days_are_driven() -> None:
    config = ModelledConfig()
    days = [
        (days_in_sumo(config, many, first=True), days_in_sumo(config, many, first=False))
        for many in (60, 100, 222, 1000, 4271)
    ]
    assert days == [(16, 4), (16, 4), (9, 2), (2, 1), (2, 1)]


def learned_mean_s(game: RoutingGame, algorithm: str, simulator: Any) -> float:
    config = resolve("tuned", {"net": game.scene.net, "algorithm": algorithm, "neighbours": 5})
    learner = scaled_to_game(replace(config.learner, num_updates=15), config, game)
    env = ModelledRoutingEnv(game, simulator, 8, num_neighbours=5, config=config.modelled, seed=1)
    training = Training.begin(replace(learner, num_envs=8), env, 1)
    while training.update < 15:
        training.advance()
    step = env.reset(99)
    with torch.no_grad():
        own = training.learner.actors.own(step.observations, step.action_mask)[0]
    routes = game.routes_of(own.argmax(dim=-1).numpy())
    days = simulator.play([routes] * 4, [1, 2, 3, 4])
    return float(np.mean([travel_times_s(game.scene, day) for day in days]))


@pytest.mark.sumo
def test_drivers_who_suggest_are_faster_in_sumo_than_those_who_do_not(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(40, headway_s=2.0, kind=QUIET))
    with Simulator(game.scene) as simulator:
        together = learned_mean_s(game, "ss", simulator)
        alone = learned_mean_s(game, "independent", simulator)
    assert together < alone - 1.0


# settings


def test_no_day_of_training_trial_or_scoring_is_one_of_another_kind() -> None:
    config = resolve("tuned", {"net": "x", "seed": 3})
    kinds = [trial_seeds(config), held_out_seeds(config), curve_seeds(config)]
    kinds += [
        [drawn_seed(seed, Stream.TRAINING_DAYS, copy) for copy in range(16)]
        for seed in (drawn_seed(3, Stream.TRAINING_EPISODES, update) for update in range(46))
    ]
    days = [day for kind in kinds for day in kind]
    assert len(set(days)) == len(days) == 16 + 16 + 8 + 46 * 16


def test_the_tuned_preset_judges_on_the_model_what_the_model_knows() -> None:
    config = resolve("tuned", {"net": "x"})
    assert config.link_model
    assert config.learner == modelled_learner()
    assert resolve("tuned", {"net": "x", "algorithm": "independent"}).link_model
    for other in (
        {"en_route": True},
        {"signals": True},
        {"meso": True},
        {"algorithm": "vs"},
        {"algorithm": "ps"},
        {"regime": "norm"},
    ):
        fallen_back = resolve("tuned", {"net": "x", **other})
        assert not fallen_back.link_model
        assert fallen_back == resolve("sampled", {"net": "x", **other})


@pytest.mark.parametrize("other", [{"sumo.meso": True}, {"en_route": True}, {"signals": True}])
def test_the_model_is_refused_where_it_does_not_fit(other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="link_model: the model knows drivers who decide"):
        resolve("sampled", {"net": "x", "link_model": True, **other})


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"judged": -1}, {"residual_days": 0.0}, {"most_vehicle_days": -1.0}]
)
def test_amounts_are_above_nothing(wrong: dict[str, Any]) -> None:
    (name,) = wrong
    with pytest.raises(ValueError, match=name):
        ModelledConfig(**wrong)
