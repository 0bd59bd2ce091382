"""The reference rows on a fake of SUMO: what is asked of the searches, and how rows compare."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.small_nets import small_game, trips
from trafficsim.references.references import (
    EQUILIBRIUM,
    GIVEN,
    RANDOM_ROW,
    SHORTEST,
    TOLLS,
    choices_of,
    optimum,
    play_of,
    references,
)
from trafficsim.routing.config import RoutingConfig, resolve
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.searches import Profile, largest_gain_s
from trafficsim.sumo.free_flow import FreeFlowBackend
from trafficsim.sumo.simulation import SumoConfig

N = 10


@pytest.fixture
def game(tmp_path: Path) -> RoutingGame:
    return small_game(tmp_path, trips(N))


def config_of(game: RoutingGame, **settings: int) -> RoutingConfig:
    return resolve("tuned", {"net": game.scene.net, "search.on_model": False, **settings})


def silent(_: object) -> None:
    """Nobody looks on."""


def found(game: RoutingGame, **settings: int) -> dict[str, Profile]:
    with FreeFlowBackend(game.scene) as backend:
        return references(game, backend, config_of(game, **settings), silent)


def driven(game: RoutingGame, rows: dict[str, Profile]) -> dict[str, np.ndarray]:
    """Everybody's times under each row."""
    with FreeFlowBackend(game.scene) as backend:
        play = play_of(game, backend, config_of(game))
        return {name: play([profile.actions])[0] for name, profile in rows.items()}


def test_rows_of_the_queue_are_those_known_by_hand(game: RoutingGame) -> None:
    rows = found(game)
    assert rows.keys() == {SHORTEST, RANDOM_ROW, EQUILIBRIUM, TOLLS}
    # all through the neck: 33.3, 36.3, … with 3 s more for each
    times_s = driven(game, rows)
    assert times_s[SHORTEST] == pytest.approx(100 / 3 + 3.0 * np.arange(N))
    # the fourth would need 42.3 s there, and the detour takes 40: three are in front at most
    assert rows[EQUILIBRIUM].times_s.max() <= 40.0 + 1e-9
    assert rows[EQUILIBRIUM].epsilon_s == 0.0
    assert rows[TOLLS].total_s <= rows[EQUILIBRIUM].total_s <= times_s[SHORTEST].sum()


def test_nobody_gains_by_leaving_the_equilibrium(game: RoutingGame) -> None:
    profile = found(game)[EQUILIBRIUM]
    with FreeFlowBackend(game.scene) as backend:
        gain_s, _ = largest_gain_s(
            play_of(game, backend, config_of(game)), choices_of(game), profile
        )
    assert gain_s <= profile.epsilon_s


def test_many_drivers_are_assigned_by_successive_averages_without_tolls(tmp_path: Path) -> None:
    game = small_game(tmp_path, trips(N), sumo=SumoConfig(interval_s=10.0))  # so that queues show
    rows = found(game, **{"search.exact_up_to": 0, "search.msa_iterations": 20})
    assert TOLLS not in rows
    assert rows[EQUILIBRIUM].simulations == 20
    assert rows[EQUILIBRIUM].total_s < driven(game, rows)[SHORTEST].sum()


def test_routes_that_the_demand_names_are_a_row(tmp_path: Path) -> None:
    demand = trips(N)
    named = tuple(replace(each, route=("entry", "detour", "exit")) for each in demand.trips)
    game = small_game(tmp_path, replace(demand, trips=named))
    times_s = driven(game, found(game))
    assert times_s[GIVEN] == pytest.approx([40.0] * N)
    assert times_s[SHORTEST] == pytest.approx(100 / 3 + 3.0 * np.arange(N))


def test_the_optimum_is_no_worse_than_any_row_it_starts_from(game: RoutingGame) -> None:
    rows = found(game)
    starts = [rows[EQUILIBRIUM].actions, rows[TOLLS].actions]
    with FreeFlowBackend(game.scene) as backend:
        best = optimum(game, backend, config_of(game), starts, silent)
    assert best.total_s <= min(times_s.sum() for times_s in driven(game, rows).values())
    # every second one through the neck, where nobody waits, and the last one, who delays nobody
    assert best.total_s == pytest.approx(5 * 100 / 3 + (100 / 3 + 3.0) + 4 * 40.0)
