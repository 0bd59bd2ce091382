"""The sub-tasks of a run, each in a folder and a process of its own: learning, references, optimum.

Called by `ss_core.processes.child_tasks` with plain arguments. Each commits its own work and, run
again, goes on where it was; a finished one returns at once. SUMO runs in children of these.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray

from ss_core.config import from_dict
from ss_core.exchange.channel import Channel, exchange_facts
from ss_core.learning.learner import LearnerConfig, build_learner
from ss_core.processes.child_tasks import Report, Stop
from ss_core.record.checkpoint import (
    Checkpoint,
    load_latest,
    prune_checkpoints,
    result_of,
    save_checkpoint,
)
from ss_core.record.trace_writer import TraceWriter
from ss_core.training.loop import Training, affordable_updates, train
from trafficsim.routing.config import ScenarioConfig
from trafficsim.routing.duaiterate import Assignment, assign
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import load_game
from trafficsim.routing.joint import JointEnv
from trafficsim.routing.policies_on_the_road import build_env, drive, drive_recorded, first_choices
from trafficsim.routing.references import (
    CROSS_CHECK,
    DUA,
    OPTIMUM,
    RANDOM,
    RANDOM_ROW,
    cross_check,
    optimum,
    quiet_scene,
    references,
)
from trafficsim.routing.searches import (
    Profile,
    Tick,
)
from trafficsim.sumo.recording import as_arrays
from trafficsim.sumo.simulation import Outcome, Simulator, travel_times_s

HELD_OUT, PLAYS, CURVE = 2, 3, 6  # streams of random numbers below a seed
CALIBRATION_UPDATES = 3


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
    return np.array(rows).sum(axis=0) * (days // len(outcomes))


def _save_learned(
    training: Training,
    game: RoutingGame,
    simulator: Simulator,
    config: ScenarioConfig,
    folder: Path,
) -> None:
    seeds = held_out_seeds(config)
    days = drive_recorded(training, config, simulator, seeds, PLAYS)
    own = first_choices(training, days.actions)
    tensors = {
        "actions": torch.from_numpy(days.actions),
        "times_s": torch.from_numpy(days.times_s),
        "probabilities": own.double(),
        "incidents": torch.from_numpy(incidents_of(days.outcomes, config.days)),
    }
    state: dict[str, Any] = {
        "num_updates": training.update,
        **exchange_facts(training.channel, training.learner.spec.agent_names),
        "first_orders": [[until_s, [*map(list, sent)]] for until_s, sent in days.first_orders],
    }
    if isinstance(training.env, JointEnv) and days.first_day is not None:
        known = as_arrays(days.first_day).items()
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
        tick = _ticker(report)
        found = references(game, simulator, config, tick)
    assigned: Assignment | None = None
    if config.cross_check:
        tick("duaIterate")
        assigned = assign(game, quiet, folder / CROSS_CHECK, config.seed, DUA)
        found[CROSS_CHECK] = cross_check(assigned, game, config, arguments["simulators"])
    _save_profiles(found, config, game, arguments["simulators"], folder, assigned)
    return True


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
        best = optimum(game, simulator, config, starts, _ticker(report))
    _save_profiles({OPTIMUM: best}, config, game, arguments["simulators"], folder)
    return True


def _ticker(report: Report) -> Tick:
    """Steps of unknown number as a progress that slows down towards the end."""
    done = 0

    def tick(note: str) -> None:
        nonlocal done
        done += 1
        report(round(1000 * done / (done + 10)), 1000, note)

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


def profile_actions(result: Checkpoint) -> list[Int[ndarray, " N"]]:
    """Joint choices worth starting the search for the optimum from."""
    if "actions" in result.tensors:  # a learner's: what is most likely, and its best day
        times_s = result.tensors["times_s"].sum(dim=1)
        likely = result.tensors["probabilities"].argmax(dim=1).numpy()
        return [likely, result.tensors["actions"][int(times_s.argmin())].numpy()]
    names = [name for name in result.tensors if name.endswith("/actions")]
    return [result.tensors[name][0].numpy() for name in names]
