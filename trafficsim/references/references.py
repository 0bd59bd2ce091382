"""The reference rows of a run: what selfish drivers, a regulator and a planner reach.

Hands the searches of `references` a simulated day to play on; running them as sub-tasks and scoring
what they find is for `tasks`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.random_streams import Stream, numpy_generator
from trafficsim.demand.trips import VehicleType
from trafficsim.references.duaiterate import Assignment, DuaConfig
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.game import RoutingGame, expected_route_times_s
from trafficsim.routing.searches import (
    Choices,
    Profile,
    SearchConfig,
    Tick,
    best_responses,
    even_splits,
    largest_gain_s,
    local_search,
    successive_averages,
)
from trafficsim.sumo.backend import TrafficBackend
from trafficsim.sumo.simulation import Outcome, Scene, Simulator, travel_times_s

DUA = DuaConfig()
EQUILIBRIUM, TOLLS, SHORTEST, RANDOM_ROW, OPTIMUM, GIVEN, CROSS_CHECK = (
    "user_equilibrium",
    "tolls",
    "all_shortest",
    "random",
    "optimum",
    "as_given",
    "duaiterate",
)


def cross_check(
    assigned: Assignment, game: RoutingGame, config: RoutingConfig, simulators: int
) -> Profile:
    """What SUMO's own tool found, on the same quiet day, with the largest gain left there."""
    with Simulator(assigned.scene, simulators) as simulator:
        (outcome,) = simulator.play([assigned.choices], [0])
        times_s = travel_times_s(assigned.scene, outcome)
        found = Profile(assigned.actions, times_s, assigned.method(DUA), simulations=DUA.iterations)
        exact = np.array_equal(game.routes_of(assigned.actions), assigned.choices)
        if not exact or game.num_drivers > config.search.exact_up_to:
            return found
        epsilon_s, _ = largest_gain_s(play_of(game, simulator), choices_of(game), found)
    return replace(found, epsilon_s=epsilon_s)


def references(
    game: RoutingGame, simulator: TrafficBackend, config: RoutingConfig, tick: Tick
) -> dict[str, Profile]:
    """The rows that need no learning, on the net without driver noise."""
    play, choices, search = play_of(game, simulator), choices_of(game), config.search
    given = np.zeros(game.num_drivers, dtype=np.int64)
    shortest = np.where(game.legal, choices.free_flow_s, np.inf).argmin(axis=1)
    (times_s,) = play([shortest])
    found = {SHORTEST: Profile(shortest, times_s, "fastest empty road")}
    if shortest.any():  # the demand names routes
        found[GIVEN] = Profile(given, play([given])[0], "the routes that the demand names")
    rng = numpy_generator(config.seed, Stream.RANDOM_ROUTES)
    drawn = [rng.integers(choices.count) for _ in range(search.random_plays)]
    mean_s = np.mean(play(drawn), axis=0)
    found[RANDOM_ROW] = Profile(drawn[0], mean_s, f"mean of {len(drawn)} draws")
    tick("user equilibrium")
    rng = numpy_generator(config.seed, Stream.EQUILIBRIUM)
    found[EQUILIBRIUM] = equilibrium(game, simulator, shortest, search, rng, tick)
    if game.num_drivers <= search.exact_up_to:
        tick("marginal-cost tolls")
        found[TOLLS] = best_responses(
            play, choices, found[EQUILIBRIUM].actions, cost="total", config=search, tick=tick
        )
    return found


def equilibrium(
    game: RoutingGame,
    simulator: TrafficBackend,
    start: Int[ndarray, " N"],
    search: SearchConfig,
    rng: np.random.Generator,
    tick: Tick,
) -> Profile:
    """By exact best responses where there are few drivers, else by successive averages."""
    choices = choices_of(game)
    if game.num_drivers <= search.exact_up_to:
        play = play_of(game, simulator)
        return best_responses(play, choices, start, cost="own", config=search, tick=tick)
    last: list[Outcome] = []

    def play_and_keep(rows: Sequence[Int[ndarray, " N"]]) -> list[Float[ndarray, " vehicle"]]:
        last[:] = simulator.play([game.routes_of(row) for row in rows], [0] * len(rows))
        return [travel_times_s(simulator.scene, each) for each in last]

    def expected() -> Float[ndarray, "N K"]:
        routes = np.maximum(game.driver_options, 0)
        speeds = last[-1].link_speed_m_per_s
        return expected_route_times_s(game, speeds, game.depart_s, routes)

    iterations = search.msa_iterations
    return successive_averages(
        play_and_keep, expected, choices, start, iterations=iterations, rng=rng, tick=tick
    )


def optimum(
    game: RoutingGame,
    simulator: TrafficBackend,
    config: RoutingConfig,
    starts: Sequence[Int[ndarray, " N"]],
    tick: Tick,
) -> Profile:
    """Local search from even splits and the given starts."""
    play, choices = play_of(game, simulator), choices_of(game)
    rows = [*even_splits(choices), *starts]
    profiles = [Profile(a, t, "") for a, t in zip(rows, play(rows), strict=True)]
    rng = numpy_generator(config.seed, Stream.ROUTE_SEARCH)
    budget = config.search.optimum_simulations
    return local_search(play, choices, profiles, simulations=budget, rng=rng, tick=tick)


def play_of(game: RoutingGame, simulator: TrafficBackend) -> Callable[..., list[ndarray]]:
    """The simulation as `references` wants it; without driver noise the seed does not matter."""

    def play(rows: Sequence[Int[ndarray, " N"]]) -> list[Float[ndarray, " vehicle"]]:
        outcomes = simulator.play([game.routes_of(row) for row in rows], [0] * len(rows))
        return [travel_times_s(simulator.scene, each) for each in outcomes]

    return play


def choices_of(game: RoutingGame) -> Choices:
    """The drivers' alternatives as `references` wants them."""
    routes = np.maximum(game.driver_options, 0)
    return Choices(
        vehicle=game.drivers,
        count=game.option_count[game.drivers],
        free_flow_s=game.free_flow_s[routes],
        order=np.argsort(game.depart_s, kind="stable"),
    )


def quiet_scene(scene: Scene) -> Scene:
    """The same day with drivers without driver imperfection: what references are found on."""
    if scene.is_deterministic:
        return scene
    named = {each.type_id: each for each in scene.types}
    used = sorted(set(scene.type_ids))
    types = tuple(named.get(name, VehicleType(name)).quiet() for name in used)
    return replace(scene, types=types, is_deterministic=True)
