"""The sub-tasks of a run, each in a folder and a process of its own: learning, references, optimum.

Called by `ss_core.workers` with plain arguments. Each commits its own work and, run again, goes on
where it was; a finished one returns at once. SUMO runs in children of these.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.checkpoint import Checkpoint, load_latest, prune_checkpoints, save_checkpoint
from ss_core.config import from_dict
from ss_core.exchange import Channel
from ss_core.learner import LearnerConfig, build_learner
from ss_core.traces import TraceWriter
from ss_core.train import Training, affordable_updates, train
from ss_core.workers import Report, Stop
from trafficsim.config import ScenarioConfig
from trafficsim.demand import VehicleType
from trafficsim.driving import build_env, drive, drive_recorded, first_choices
from trafficsim.duaiterate import Assignment, DuaConfig, assign
from trafficsim.game import RoutingGame, expected_route_times_s
from trafficsim.inputs import load_game
from trafficsim.joint import JointEnv
from trafficsim.recording import as_arrays
from trafficsim.references import (
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
from trafficsim.simulation import Outcome, Scene, Simulator, travel_times_s

HELD_OUT, PLAYS, SEARCH, RANDOM, CURVE = 2, 3, 4, 5, 6  # streams of random numbers below a seed
CALIBRATION_UPDATES = 3
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


def held_out_seeds(config: ScenarioConfig) -> list[int]:
    """SUMO's seeds of the days that every row is scored on."""
    rng = np.random.default_rng([config.seed, HELD_OUT])
    return rng.integers(2**31 - 1, size=config.days).tolist()


def learn(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Train one learner, then drive the held-out days with it; result in `result/`."""
    torch.set_num_threads(1)
    config = from_dict(ScenarioConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        prune_checkpoints(folder, keep=1)
        return True
    game = load_game(config, Path(arguments["inputs"]))
    learner = scaled_to_game(
        replace(config.learner, algorithm=arguments["algorithm"]), config, game
    )
    with Simulator(game.scene, arguments["simulators"]) as simulator:
        updates = _num_updates(config, learner, game, simulator, folder)
        learner = replace(learner, num_updates=updates)
        constants = {
            "run_id": arguments["run_id"],
            "algorithm": learner.algorithm,
            "seed": config.seed,
        }
        writer = TraceWriter(folder, level=config.trace, constants=constants)
        with at_work(config, learner, game, simulator) as training:
            finished = train(
                training,
                folder,
                writer,
                evaluate=lambda now: _scores(now, config, simulator),
                evaluate_every=max(1, updates // config.evaluations),
                commit_every=config.commit_every,
                progress=report,
                stop_requested=stop,
            )
            if finished:
                _save_learned(training, game, simulator, config, folder)
                prune_checkpoints(folder, keep=1)  # models of credit are large
    return finished


def _scores(training: Training, config: ScenarioConfig, simulator: Simulator) -> dict[str, float]:
    """A point of the learning curve, always on the same days."""
    seeds = np.random.default_rng([config.seed, CURVE]).integers(2**31 - 1, size=99_999)
    _, times_s, _ = drive(training, config, simulator, seeds[: config.evaluation_days].tolist(), 0)
    return {"mean_travel_time_s": float(times_s.mean())}


def scaled_to_game(
    learner: LearnerConfig, config: ScenarioConfig, game: RoutingGame
) -> LearnerConfig:
    """ρ' times (drivers that share a road with one) / (neighbours it hears from).

    m neighbours stand for all whom one's choice touches; others have no part in the game.
    """
    if not learner.scale_rho_follow:
        return learner
    sharers = float(game.shares().sum(axis=1).mean())
    heard = max(1.0, min(float(config.neighbours), sharers))
    weights = replace(learner.objective, rho_follow=learner.objective.rho_follow * sharers / heard)
    return replace(learner, objective=weights, scale_rho_follow=False)


@contextmanager
def at_work(
    config: ScenarioConfig, learner: LearnerConfig, game: RoutingGame, simulator: Simulator
) -> Iterator[Training]:
    """A learner before its first update; what its environment started ends with the block."""
    env = build_env(config, learner, game, simulator, learner.num_envs)
    try:
        built = build_learner(learner, env.spec, config.seed, config.device)
        channel = Channel(learner.exchange, env.spec.num_agents, config.seed)
        yield Training(built, env, channel, config.seed)
    finally:
        env.close()


def _num_updates(
    config: ScenarioConfig,
    learner: LearnerConfig,
    game: RoutingGame,
    simulator: Simulator,
    folder: Path,
) -> int:
    """The configured number, or what a budget of seconds affords."""
    if config.budget_seconds is None:
        return learner.num_updates
    trial = at_work(config, learner, game, simulator)
    return affordable_updates(folder, config.budget_seconds, trial, CALIBRATION_UPDATES)


def incidents_of(outcomes: Sequence[Outcome], days: int) -> Int[ndarray, " 3"]:
    """Teleports, vehicles in collisions and unfinished trips, summed over all days.

    One outcome stands for all days where nothing differs between them.
    """
    rows = [
        (int(each.teleports.sum()), each.collisions, int((~each.finished).sum()))
        for each in outcomes
    ]
    return np.sum(rows, axis=0) * (days // len(outcomes))


def _save_learned(
    training: Training,
    game: RoutingGame,
    simulator: Simulator,
    config: ScenarioConfig,
    folder: Path,
) -> None:
    seeds = held_out_seeds(config)
    days = drive_recorded(training, config, simulator, seeds, PLAYS)
    actions, times_s, outcomes, first_day = days
    own = first_choices(training, actions)
    tensors = {
        "actions": torch.from_numpy(actions),
        "times_s": torch.from_numpy(times_s),
        "probabilities": own.double(),
        "incidents": torch.from_numpy(incidents_of(outcomes, config.days)),
    }
    state: dict[str, Any] = {
        "num_updates": training.update,
        "bytes_by_kind": training.channel.ledger.bytes_by_kind(),
    }
    if isinstance(training.env, JointEnv) and first_day is not None:
        known = as_arrays(first_day).items()
        tensors |= {f"first_day/{name}": torch.from_numpy(values) for name, values in known}
        state["lights"] = list(training.env.lights)
    save_checkpoint(folder / "result", training.update, tensors, state)


def refer(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """Equilibrium, tolls and simple rows; the optimum comes after the learners."""
    config = from_dict(ScenarioConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    game = load_game(config, Path(arguments["inputs"]))
    quiet = quiet_scene(game.scene)
    with Simulator(quiet, arguments["simulators"]) as simulator:
        tick = _ticker(report, 4)
        found = references(game, simulator, config, tick)
    assigned: Assignment | None = None
    if config.cross_check:
        tick("duaIterate")
        assigned = assign(game, quiet, folder / CROSS_CHECK, config.seed, DUA)
        found[CROSS_CHECK] = cross_check(assigned, game, config, arguments["simulators"])
    _save_profiles(found, config, game, arguments["simulators"], folder, assigned)
    return True


def cross_check(
    assigned: Assignment, game: RoutingGame, config: ScenarioConfig, simulators: int
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
    game: RoutingGame, simulator: Simulator, config: ScenarioConfig, tick: Tick
) -> dict[str, Profile]:
    """The rows that need no learning, on the net without driver noise."""
    play, choices, search = play_of(game, simulator), choices_of(game), config.search
    given = np.zeros(game.num_drivers, dtype=np.int64)
    shortest = np.where(game.legal, choices.free_flow_s, np.inf).argmin(axis=1)
    (times_s,) = play([shortest])
    found = {SHORTEST: Profile(shortest, times_s, "fastest empty road")}
    if shortest.any():  # the demand names routes
        found[GIVEN] = Profile(given, play([given])[0], "the routes that the demand names")
    rng = np.random.default_rng([config.seed, RANDOM])
    drawn = [rng.integers(choices.count) for _ in range(search.random_plays)]
    mean_s = np.mean(play(drawn), axis=0)
    found[RANDOM_ROW] = Profile(drawn[0], mean_s, f"mean of {len(drawn)} draws")
    tick("user equilibrium")
    found[EQUILIBRIUM] = equilibrium(game, simulator, shortest, search, rng, tick)
    if game.num_drivers <= search.exact_up_to:
        tick("marginal-cost tolls")
        found[TOLLS] = best_responses(
            play, choices, found[EQUILIBRIUM].actions, cost="total", config=search, tick=tick
        )
    return found


def equilibrium(
    game: RoutingGame,
    simulator: Simulator,
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


def optimise(arguments: Mapping[str, Any], report: Report, stop: Stop) -> bool:
    """The least total time found, from references and what was learnt; result in `result/`."""
    config = from_dict(ScenarioConfig, arguments["config"], where="run")
    folder = Path(arguments["folder"])
    if load_latest(folder / "result") is not None:
        return True
    game = load_game(config, Path(arguments["inputs"]))
    known = [profile_actions(result_of(Path(path))) for path in arguments["starts"]]
    starts = [actions for rows in known for actions in rows]
    with Simulator(quiet_scene(game.scene), arguments["simulators"]) as simulator:
        best = optimum(game, simulator, config, starts, _ticker(report, 1))
    _save_profiles({OPTIMUM: best}, config, game, arguments["simulators"], folder)
    return True


def optimum(
    game: RoutingGame,
    simulator: Simulator,
    config: ScenarioConfig,
    starts: Sequence[Int[ndarray, " N"]],
    tick: Tick,
) -> Profile:
    """Local search from even splits and the given starts."""
    play, choices = play_of(game, simulator), choices_of(game)
    rows = [*even_splits(choices), *starts]
    profiles = [Profile(a, t, "") for a, t in zip(rows, play(rows), strict=True)]
    rng = np.random.default_rng([config.seed, SEARCH])
    budget = config.search.optimum_simulations
    return local_search(play, choices, profiles, simulations=budget, rng=rng, tick=tick)


def play_of(game: RoutingGame, simulator: Simulator) -> Callable[..., list[ndarray]]:
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
    """The same day with drivers that neither dawdle nor differ: what references are found on."""
    if scene.is_deterministic:
        return scene
    named = {each.type_id: each for each in scene.types}
    used = sorted(set(scene.type_ids))
    types = tuple(named.get(name, VehicleType(name)).quiet() for name in used)
    return replace(scene, types=types, is_deterministic=True)


def _ticker(report: Report, total: int) -> Tick:
    """Steps of unknown number as a progress that slows down towards the end."""
    done = 0

    def tick(note: str) -> None:
        nonlocal done
        done += 1
        report(round(1000 * done / (done + 10)), 1000, note)

    assert total
    return tick


def _save_profiles(
    found: Mapping[str, Profile],
    config: ScenarioConfig,
    game: RoutingGame,
    simulators: int,
    folder: Path,
    assigned: Assignment | None = None,
) -> None:
    """Score the profiles on the held-out days, as everybody drives there, and commit.

    Routes of `assigned` that are none of the game's are driven all the same.
    """
    seeds = held_out_seeds(config)
    tensors: dict[str, torch.Tensor] = {}
    state: dict[str, Any] = {}
    scene = game.scene
    if assigned is not None:
        scene = replace(scene, routes=assigned.scene.routes)
    with Simulator(scene, simulators) as simulator:
        for name, profile in found.items():
            rows = _scored(name, profile, config, game, seeds)
            days = [game.routes_of(row) for row in rows]
            if name == CROSS_CHECK and assigned is not None:
                days = [assigned.choices] * len(rows)
            outcomes = simulator.play(days, seeds[: len(rows)])
            times_s = np.stack([travel_times_s(game.scene, each) for each in outcomes])
            times_s = np.broadcast_to(times_s, (len(seeds), times_s.shape[1])).copy()
            tensors |= {
                f"{name}/actions": torch.from_numpy(np.stack(rows)),
                f"{name}/quiet_s": torch.from_numpy(profile.times_s.copy()),
                f"{name}/times_s": torch.from_numpy(times_s),
                f"{name}/incidents": torch.from_numpy(incidents_of(outcomes, len(seeds))),
            }
            state[name] = {
                "method": profile.method,
                "epsilon_s": None if np.isnan(profile.epsilon_s) else profile.epsilon_s,
                "simulations": profile.simulations,
            }
    save_checkpoint(folder / "result", 0, tensors, {"profiles": state})


def _scored(
    name: str,
    profile: Profile,
    config: ScenarioConfig,
    game: RoutingGame,
    seeds: Sequence[int],
) -> list[Int[ndarray, " N"]]:
    """Choices for each day; one day stands for all where nothing differs between days."""
    if name == RANDOM_ROW:
        rng = np.random.default_rng([config.seed, RANDOM])
        return [rng.integers(game.option_count[game.drivers]) for _ in seeds]
    return [profile.actions] * (1 if game.scene.is_deterministic else len(seeds))


def result_of(folder: Path) -> Checkpoint:
    """What a finished task left."""
    result = load_latest(folder / "result")
    assert result is not None, f"{folder}: the task has not reached its end"
    return result


def profile_actions(result: Checkpoint) -> list[Int[ndarray, " N"]]:
    """Joint choices worth starting the search for the optimum from."""
    if "actions" in result.tensors:  # a learner's: what is most likely, and its best day
        times_s = result.tensors["times_s"].sum(dim=1)
        likely = result.tensors["probabilities"].argmax(dim=1).numpy()
        return [likely, result.tensors["actions"][int(times_s.argmin())].numpy()]
    names = [name for name in result.tensors if name.endswith("/actions")]
    return [result.tensors[name][0].numpy() for name in names]
