"""References searched on the link model: what they measure, learn and never look at."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, QUIET, small_game, trips
from trafficsim.demand.trips import VehicleType
from trafficsim.references.model_search import likeness, optimum_on_model
from trafficsim.references.references import (
    EQUILIBRIUM,
    OPTIMUM,
    PLANNER,
    RANDOM_ROW,
    SHORTEST,
    TOLLS,
    choices_of,
    optimum,
    play_of,
    references,
)
from trafficsim.references.scored_game import FITTED_DAYS, ScoredGame
from trafficsim.results.notes import model_and_sumo
from trafficsim.routing.config import RoutingConfig, resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.policies_on_the_road import curve_seeds, held_out_seeds, trial_seeds
from trafficsim.routing.searches import Profile, SearchConfig, largest_gain_s
from trafficsim.sumo.free_flow import FreeFlowBackend
from trafficsim.sumo.simulation import SumoConfig, travel_times_s

N = 8
SEARCH = SearchConfig(days=6, draws=4, deviations=5)


def game_of(folder: Path, kind: VehicleType = QUIET) -> RoutingGame:
    return small_game(folder, trips(N, kind=kind), sumo=SumoConfig(interval_s=10.0))


def config_of(game: RoutingGame) -> RoutingConfig:
    small = {"search.days": 6, "search.draws": 4, "search.deviations": 5}
    return resolve("tuned", {"net": game.scene.net, **small})


def silent(_: object) -> None:
    """Nobody looks on."""


def scored_of(game: RoutingGame, backend: FreeFlowBackend) -> ScoredGame:
    scored = ScoredGame(game, backend, choices_of(game), SEARCH, seed=0, purpose=0)
    scored.fit_to_random_choices()
    return scored


def test_rows_of_the_model_are_checked_where_they_are_driven(tmp_path: Path) -> None:
    game = game_of(tmp_path)
    with FreeFlowBackend(game.scene) as backend:
        config = config_of(game)
        rows = references(game, backend, config, silent)
        gain_s, _ = largest_gain_s(
            play_of(game, backend, config), choices_of(game), rows[EQUILIBRIUM]
        )
    assert rows.keys() == {SHORTEST, RANDOM_ROW, PLANNER, EQUILIBRIUM, TOLLS}
    assert gain_s <= config.search.tolerance_s
    assert rows[EQUILIBRIUM].epsilon_s == pytest.approx(gain_s)
    assert rows[EQUILIBRIUM].tried == 0  # everybody
    assert rows[PLANNER].simulations == 0


@pytest.mark.parametrize("kind", [QUIET, NOISY])
def test_the_optimum_is_no_worse_than_any_start_on_its_own_days(
    tmp_path: Path, kind: VehicleType
) -> None:
    game = game_of(tmp_path, kind)
    starts = [np.zeros(N, dtype=np.int64), np.ones(N, dtype=np.int64), np.arange(N) % 2]
    with FreeFlowBackend(game.scene) as backend:
        scored = scored_of(game, backend)
        best = optimum_on_model(scored, starts, SEARCH, np.random.default_rng(0), silent)
        times_s = scored.measured([best.actions, *starts], 40).sum(axis=1)
    assert times_s[0] <= times_s[1:].min() + 1.0


def test_references_never_see_a_day_that_anybody_is_scored_or_compared_on(tmp_path: Path) -> None:
    game = game_of(tmp_path, NOISY)
    config = config_of(game)
    with FreeFlowBackend(game.scene) as backend:
        found = references(game, backend, config, silent)
        starts = [profile.actions for profile in found.values()]
        found[OPTIMUM] = optimum(game, backend, config, starts, silent)
        seen = {*backend.seeds}
    others = {*held_out_seeds(config), *trial_seeds(config), *curve_seeds(config)}
    assert len(seen) > FITTED_DAYS
    assert not seen & others
    assert not {*held_out_seeds(config)} & {*trial_seeds(config), *curve_seeds(config)}
    assert not {*trial_seeds(config)} & {*curve_seeds(config)}


def test_gains_are_paired_over_the_same_days(tmp_path: Path) -> None:
    game = game_of(tmp_path, NOISY)
    actions = np.zeros(N, dtype=np.int64)
    with FreeFlowBackend(game.scene) as backend:
        scored = scored_of(game, backend)
        profile = Profile(actions, scored.measured([actions])[0], "")
        backend.seeds.clear()
        gains = scored.gains(profile, 0)
        seeds = sorted({*backend.seeds})
        assert len(seeds) == SEARCH.days
        driver, action = int(gains.driver[0]), int(gains.action[0])
        changed = actions.copy()
        changed[driver] = action
        before_s, after_s = (
            [
                travel_times_s(game.scene, each)[game.drivers[driver]]
                for each in backend.play([game.routes_of(row)] * len(seeds), seeds)
            ]
            for row in (actions, changed)
        )
    difference_s = np.array(before_s) - np.array(after_s)
    assert len(gains.driver) == SEARCH.deviations
    assert gains.gain_s[0] == pytest.approx(difference_s.mean())
    error_s = difference_s.std(ddof=1) / np.sqrt(len(seeds))
    assert gains.error_s[0] == pytest.approx(error_s)


def test_the_model_is_corrected_by_changes_that_were_driven(tmp_path: Path) -> None:
    game = game_of(tmp_path)
    actions = np.zeros(N, dtype=np.int64)
    with FreeFlowBackend(game.scene) as backend:
        scored = scored_of(game, backend)
        profile = Profile(actions, scored.measured([actions])[0], "")
        gains = scored.gains(profile, 0)
        for driver, action, gain_s in zip(gains.driver, gains.action, gains.gain_s, strict=True):
            changed = actions.copy()
            changed[driver] = action
            before, after = scored.model_play([actions, changed])
            vehicle = game.drivers[driver]
            assert before[vehicle] - after[vehicle] == pytest.approx(gain_s, abs=1e-6)
    assert len(gains.driver) > 0


def test_the_model_is_compared_with_sumo(tmp_path: Path) -> None:
    times_s = np.array([10.0, 20.0, 30.0])
    assert likeness(times_s, times_s + 2.0) == pytest.approx((1.0, 2.0))
    assert likeness(times_s, times_s[::-1])[0] == pytest.approx(-1.0)
    assert likeness(times_s, np.full(3, 5.0))[0] == 0.0
    game = game_of(tmp_path)
    with FreeFlowBackend(game.scene) as backend:
        rows = references(game, backend, config_of(game), silent)
    model = rows[EQUILIBRIUM].model
    assert model is not None
    config = config_of(game)
    (said,) = model_and_sumo({"model": model}, config)
    assert f"r = {model[0]:.2f}" in said
    (warned,) = model_and_sumo({"model": (0.2, 40.0)}, config)
    assert warned.endswith("learn from days driven with --preset sampled")
    sampled = resolve("sampled", {"net": game.scene.net})
    assert "--preset" not in model_and_sumo({"model": (0.2, 40.0)}, sampled)[0]
    assert model_and_sumo({}, config) == []


def test_large_games_have_fewer_draws_and_sweeps_on_the_model(tmp_path: Path) -> None:
    game = game_of(tmp_path, NOISY)
    with FreeFlowBackend(game.scene) as backend:
        games = [
            ScoredGame(game, backend, choices_of(game), config, seed=0, purpose=0)
            for config in (SEARCH, SearchConfig(draws=16, model_days=200))
        ]
    assert [each.starts for each in games] == [4, 2]
    assert games[0].sweeps > games[1].sweeps >= 2
    assert games[1].swaps < games[0].swaps
