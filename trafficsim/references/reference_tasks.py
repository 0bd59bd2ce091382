"""References as sub-tasks of a run: found on days of their own, scored on the held-out days."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from numpy import ndarray

from ss_core.processes.child_tasks import Report, Stop
from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from ss_core.record.checkpoint import Checkpoint
from ss_core.scenario.protocol import Place, Saved
from trafficsim.references.duaiterate import Assignment, assign
from trafficsim.references.references import (
    CROSS_CHECK,
    DUA,
    OPTIMUM,
    RANDOM_ROW,
    cross_check,
    optimum,
    references,
)
from trafficsim.routing.config import RoutingConfig
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.inputs import load_game
from trafficsim.routing.policies_on_the_road import held_out_seeds, incidents_of
from trafficsim.routing.searches import Profile, Tick
from trafficsim.sumo.simulation import Simulator, travel_times_s


def refer(config: RoutingConfig, place: Place, report: Report, stop: Stop) -> Saved:
    """Equilibrium, tolls and simple rows; the optimum comes after the learners."""
    del stop
    game = load_game(config, place.inputs)
    with Simulator(game.scene, place.processes) as simulator:
        tick = _ticker(report)
        found = references(game, simulator, config, tick)
    assigned: Assignment | None = None
    if config.cross_check:
        tick("duaIterate")
        seed = drawn_seed(config.seed, Stream.DUAITERATE)
        assigned = assign(game, game.scene, place.folder / CROSS_CHECK, seed, DUA)
        found[CROSS_CHECK] = cross_check(assigned, game, config, place.processes)
    return _scored_profiles(found, config, game, place.processes, assigned)


def optimise(config: RoutingConfig, place: Place, report: Report, stop: Stop) -> Saved:
    """The least total time found, from references and what was learned."""
    del stop
    game = load_game(config, place.inputs)
    starts = [actions for each in place.results.values() for actions in profile_actions(each)]
    with Simulator(game.scene, place.processes) as simulator:
        best = optimum(game, simulator, config, starts, _ticker(report))
    return _scored_profiles({OPTIMUM: best}, config, game, place.processes)


def _ticker(report: Report) -> Tick:
    """Steps of unknown number as a progress that slows down towards the end."""
    done = 0

    def tick(note: str) -> None:
        nonlocal done
        done += 1
        report(round(1000 * done / (done + 10)), 1000, note)

    return tick


def _scored_profiles(
    found: Mapping[str, Profile],
    config: RoutingConfig,
    game: RoutingGame,
    simulators: int,
    assigned: Assignment | None = None,
) -> Saved:
    """The profiles on the held-out days, as everybody drives there.

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
                f"{name}/times_s": torch.from_numpy(times_s),
                f"{name}/incidents": torch.from_numpy(incidents_of(outcomes, len(seeds))),
            }
            state[name] = {
                "method": profile.method,
                "epsilon_s": None if np.isnan(profile.epsilon_s) else profile.epsilon_s,
                "epsilon_error_s": profile.epsilon_error_s,
                "tried": profile.tried,
                "simulations": profile.simulations,
                "model": profile.model,
            }
    return Saved(tensors, {"profiles": state})


def _scored(
    name: str,
    profile: Profile,
    config: RoutingConfig,
    game: RoutingGame,
    seeds: Sequence[int],
) -> list[Int[ndarray, " N"]]:
    """Choices for each day; one day stands for all where nothing differs between days."""
    if name == RANDOM_ROW:
        rng = numpy_generator(config.seed, Stream.RANDOM_ROUTES)
        return [rng.integers(game.option_count[game.drivers]) for _ in seeds]
    return [profile.actions] * (1 if game.scene.is_deterministic else len(seeds))


def profile_actions(result: Checkpoint) -> list[Int[ndarray, " N"]]:
    """Joint choices worth starting the search for the optimum from; no held-out day chooses."""
    if "actions" in result.tensors:  # a learner's: what is most likely, and one of its draws
        likely = result.tensors["probabilities"].argmax(dim=1).numpy()
        return [likely, result.tensors["actions"][0].numpy()]
    names = [name for name in result.tensors if name.endswith("/actions")]
    return [result.tensors[name][0].numpy() for name in names]
