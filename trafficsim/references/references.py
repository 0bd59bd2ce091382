"""The reference rows of a run: what selfish drivers, a regulator and a planner reach.

They live in the game that rows are scored in: drivers as they are, means over days. Searched on the
link model where it knows the scene, else in SUMO alone; `reference_tasks` runs and scores them.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from trafficsim.references.duaiterate import Assignment, DuaConfig
from trafficsim.references.model_search import (
    equilibrium_on_model,
    optimum_on_model,
    planner,
    tolls_on_model,
)
from trafficsim.references.scored_game import ScoredGame
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.game import RoutingGame, expected_route_times_s
from trafficsim.routing.searches import (
    Choices,
    Profile,
    Tick,
    best_responses,
    even_splits,
    largest_gain_s,
    local_search,
    successive_averages,
)
from trafficsim.sumo.backend import TrafficBackend
from trafficsim.sumo.simulation import Outcome, Simulator, travel_times_s

DUA = DuaConfig()
NOT_DRIVEN = np.zeros(0)  # times of a row that no search drove
MOST_DAYS = 4  # for a mean, where every single change is driven in SUMO
EQUILIBRIUM, PLANNER, TOLLS, SHORTEST, RANDOM_ROW, OPTIMUM, GIVEN, CROSS_CHECK = (
    "user_equilibrium",
    "planner",
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
    """What SUMO's own tool found; with the largest gain left there, where days do not differ."""
    with Simulator(assigned.scene, simulators) as simulator:
        (outcome,) = simulator.play([assigned.choices], [0])
        times_s = travel_times_s(assigned.scene, outcome)
        found = Profile(assigned.actions, times_s, assigned.method(DUA), simulations=DUA.iterations)
        exact = np.array_equal(game.routes_of(assigned.actions), assigned.choices)
        few = game.num_drivers <= config.search.exact_up_to
        if not (exact and few and game.scene.is_deterministic):
            return found
        play = play_of(game, simulator, config)
        epsilon_s, _ = largest_gain_s(play, choices_of(game), found)
    return replace(found, epsilon_s=epsilon_s)


def references(
    game: RoutingGame, simulator: TrafficBackend, config: RoutingConfig, tick: Tick
) -> dict[str, Profile]:
    """The rows that need no learning."""
    choices, search = choices_of(game), config.search
    given = np.zeros(game.num_drivers, dtype=np.int64)
    shortest = np.where(game.legal, choices.free_flow_s, np.inf).argmin(axis=1)
    found = {SHORTEST: Profile(shortest, NOT_DRIVEN, "fastest empty road")}
    if shortest.any():  # the demand names routes
        found[GIVEN] = Profile(given, NOT_DRIVEN, "the routes that the demand names")
    rng = numpy_generator(config.seed, Stream.RANDOM_ROUTES)
    found[RANDOM_ROW] = Profile(rng.integers(choices.count), NOT_DRIVEN, "a draw for each day")
    tick("user equilibrium")
    if _on_model(game, config):
        play = play_of(game, simulator, config)
        scored = ScoredGame(game, simulator, choices, search, seed=config.seed, purpose=0)
        scored.fit_to_random_choices()
        rng = numpy_generator(config.seed, Stream.ROUTE_SEARCH, 1)
        found[PLANNER] = planner(scored, [shortest], search, rng)
        start = given if scored.is_town and GIVEN in found else shortest
        found[EQUILIBRIUM] = equilibrium_on_model(scored, play, start, search, rng, tick)
        found[TOLLS] = tolls_on_model(scored, found[EQUILIBRIUM].actions, search, rng, tick)
        return found
    rng = numpy_generator(config.seed, Stream.EQUILIBRIUM)
    found[EQUILIBRIUM] = equilibrium(game, simulator, shortest, config, rng, tick)
    if game.num_drivers <= search.exact_up_to:
        tick("marginal-cost tolls")
        play = play_of(game, simulator, config)
        found[TOLLS] = best_responses(
            play, choices, found[EQUILIBRIUM].actions, cost="total", config=search, tick=tick
        )
    return found


def _on_model(game: RoutingGame, config: RoutingConfig) -> bool:
    """Whether the link model knows the scene, and drivers are few enough to try all changes."""
    known = config.search.on_model and not config.sumo.meso
    return known and game.num_drivers <= config.search.most_on_model


def equilibrium(
    game: RoutingGame,
    simulator: TrafficBackend,
    start: Int[ndarray, " N"],
    config: RoutingConfig,
    rng: np.random.Generator,
    tick: Tick,
) -> Profile:
    """By best responses in SUMO where there are few drivers, else by successive averages."""
    choices, search = choices_of(game), config.search
    if game.num_drivers <= search.exact_up_to:
        play = play_of(game, simulator, config)
        return best_responses(play, choices, start, cost="own", config=search, tick=tick)
    last: list[Outcome] = []

    def play_and_keep(rows: Sequence[Int[ndarray, " N"]]) -> list[Float[ndarray, " vehicle"]]:
        seed = drawn_seed(config.seed, Stream.REFERENCE_DAYS, 2, len(last))
        last.extend(simulator.play([game.routes_of(row) for row in rows], [seed] * len(rows)))
        return [travel_times_s(simulator.scene, each) for each in last[-len(rows) :]]

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
    """The least total time found, from even splits and the given starts.

    Where days do not differ, single changes are tried in SUMO in the end.
    """
    choices, search = choices_of(game), config.search
    rng = numpy_generator(config.seed, Stream.ROUTE_SEARCH)
    play = play_of(game, simulator, config)
    if _on_model(game, config):
        scored = ScoredGame(game, simulator, choices, search, seed=config.seed, purpose=1)
        scored.fit_to_random_choices()
        best = optimum_on_model(scored, starts, search, rng, tick)
        if scored.is_town or not game.scene.is_deterministic:
            return best
        profiles = [best]
    else:
        rows = [*even_splits(choices), *starts]
        profiles = [Profile(a, t, "") for a, t in zip(rows, play(rows), strict=True)]
    budget = search.optimum_simulations
    return local_search(play, choices, profiles, simulations=budget, rng=rng, tick=tick)


def play_of(
    game: RoutingGame, simulator: TrafficBackend, config: RoutingConfig
) -> Callable[..., list[ndarray]]:
    """SUMO as the searches want it: means over a few days, the same for whatever is compared."""
    days = 1 if game.scene.is_deterministic else min(MOST_DAYS, config.search.days)
    seeds = [drawn_seed(config.seed, Stream.REFERENCE_DAYS, 3, day) for day in range(days)]

    def play(rows: Sequence[Int[ndarray, " N"]]) -> list[Float[ndarray, " vehicle"]]:
        routes = [game.routes_of(row) for row in rows for _ in seeds]
        outcomes = simulator.play(routes, seeds * len(rows))
        times_s = np.stack([travel_times_s(simulator.scene, each) for each in outcomes])
        return list(times_s.reshape(len(rows), days, -1).mean(axis=1))

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
