"""References where many drive: changes of many at once, and what may be driven for them."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import NOISY, QUIET, small_game, trips
from trafficsim.demand.trips import VehicleType
from trafficsim.link_model.model import FEW_VEHICLES
from trafficsim.references.references import (
    EQUILIBRIUM,
    OPTIMUM,
    PLANNER,
    SHORTEST,
    TOLLS,
    choices_of,
    optimum,
    references,
)
from trafficsim.references.scored_game import ScoredGame
from trafficsim.references.town_search import planned_on_model, settled_on_model
from trafficsim.routing.config import resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.searches import SearchConfig
from trafficsim.sumo.free_flow import FreeFlowBackend
from trafficsim.sumo.simulation import SumoConfig

MANY = FEW_VEHICLES + 10


def town(folder: Path, kind: VehicleType = NOISY) -> RoutingGame:
    return small_game(folder, trips(MANY, kind=kind), sumo=SumoConfig(interval_s=30.0))


def scored_of(
    game: RoutingGame, backend: FreeFlowBackend, model_vehicles: int = 2_000_000
) -> ScoredGame:
    config = SearchConfig(days=2, draws=2, model_vehicles=model_vehicles)
    scored = ScoredGame(game, backend, choices_of(game), config, seed=0, purpose=0)
    scored.fit_to_random_choices()
    return scored


def test_changes_of_many_at_once_settle_and_plan(tmp_path: Path) -> None:
    game = town(tmp_path)
    start = np.zeros(MANY, dtype=np.int64)  # all through the neck
    with FreeFlowBackend(game.scene) as backend:
        scored = scored_of(game, backend)
        rng = np.random.default_rng(0)
        settled = settled_on_model(scored, start, 0.5, rng)
        planned = planned_on_model(scored, settled, 0.5, rng)
        before_s, after_s, planned_s = scored.model_play([start, settled, planned])
        _, more_s = scored.changes_s(settled, "own")
    assert after_s.mean() < 0.8 * before_s.mean()
    assert planned_s.sum() <= after_s.sum()
    gains_s = -more_s.min(axis=1)
    assert np.median(gains_s) < 5.0
    assert (settled > 0).any()


def test_where_that_is_too_much_drivers_are_tried_in_turn(tmp_path: Path) -> None:
    game = town(tmp_path)
    with FreeFlowBackend(game.scene) as backend:
        scored = scored_of(game, backend, model_vehicles=8 * MANY * MANY // 4)
        start, seen = np.zeros(MANY, dtype=np.int64), list[int]()
        for _ in range(4):
            drivers, more_s = scored.changes_s(start, "own")
            assert more_s.shape == (len(drivers), 2)
            assert not more_s[:, 0].any()  # the route they are on
            seen += drivers.tolist()
    assert scored.drivers_a_sweep == MANY // 4
    assert len(set(seen)) == len(seen) == 4 * (MANY // 4)


@pytest.mark.parametrize("kind", [QUIET, NOISY])
def test_what_is_driven_for_a_towns_references_is_bounded(
    tmp_path: Path, kind: VehicleType
) -> None:
    game = town(tmp_path, kind)
    small = {"search.days": 4, "search.deviations": 3, "search.model_vehicles": 200_000}
    config = resolve("tuned", {"net": game.scene.net, **small})
    with FreeFlowBackend(game.scene) as backend:
        rows = references(game, backend, config, lambda _: None)
        starts = [profile.actions for profile in rows.values()]
        rows[OPTIMUM] = optimum(game, backend, config, starts, lambda _: None)
        driven = len(backend.seeds)
    assert rows.keys() >= {SHORTEST, PLANNER, EQUILIBRIUM, TOLLS, OPTIMUM}
    assert rows[EQUILIBRIUM].tried == 3
    assert rows[OPTIMUM].total_s <= rows[EQUILIBRIUM].total_s + 1.0
    assert driven <= 2 * 16 + 4 + 4 * 4 + 4 + 2 * 6 * 2 + 2 * 4
