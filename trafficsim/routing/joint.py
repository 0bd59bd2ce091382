"""Drivers and traffic lights that learn from the same days, as one `VectorEnv`.

Packs and unpacks only: routes go to SUMO as a file, lights switch through `signal_client`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from ss_core.env import EnvSpec, Step
from ss_core.errors import ConfigError
from ss_core.learning.rollout import collect_rollout
from ss_core.policies.actors import ActorBank
from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from trafficsim.demand.trips import Demand, Trip, demand_file
from trafficsim.nets.read import NetRecords, read_records
from trafficsim.routing.env import (
    ANNOUNCED_FLOATS,
    draw_neighbours,
    plain_observations,
    time_unit_s,
)
from trafficsim.routing.game import RoutingGame
from trafficsim.signals.client import SignalClient
from trafficsim.signals.graph import adjacency, lights_on_the_way
from trafficsim.signals.scene import SignalScene
from trafficsim.sumo.recording import Recording, TripColumns, without_edges
from trafficsim.sumo.simulation import Scene, travel_times_s

NEVER_DROVE = -1.0  # what `SignalClient.measure` says where SUMO says nothing


class JointEnv:
    """`num_envs` days side by side, each in a sumo-rl process of its own.

    Agents: drivers with a choice, then the net's traffic lights. Step 0: drivers pick a route, as
    in `RoutingEnv`; lights have one legal action. Later steps, `step_s` seconds each: lights pick
    a green phase; drivers have one legal action. After the last one the day has ended.

    Observation, zeros behind: 1 for a light, else 0; then a driver's plain observation of
    `RoutingEnv` at an empty road's speeds (nothing is remembered from day to day), or sumo-rl's
    vector of a light, zeros before the day begins. Reward of a driver: with the last step,
    - travel time / `time_unit_s` from planned departure, charges included, unfinished trips up to
    the end of the day; 0 before. Reward of a light: sumo-rl's, step by step; 0 at step 0.

    Neighbours: drivers that share roads, drawn anew for each day, and lights that are adjacent.
    With `across`, also every light and as many of the drivers that may pass it, in both directions;
    else nothing is exchanged between drivers and lights.
    """

    def __init__(
        self, game: RoutingGame, num_envs: int, *, num_neighbours: int, across: bool = False
    ) -> None:
        self.game = game
        self.last_times_s = np.zeros((num_envs, len(game.od)))
        self.last_actions = np.zeros((num_envs, game.num_drivers), dtype=np.int64)
        self.last_recordings: list[Recording] = []
        scene = light_scene(game.scene)
        self._folder = TemporaryDirectory(prefix="ss-joint-")
        self._clients = [SignalClient(scene) for _ in range(num_envs)]
        self._layout = self._clients[0].layout
        self._num_neighbours = num_neighbours
        self._shares = game.shares()
        records = read_records(Path(game.scene.net))
        self._near = adjacency(records, self._layout.agents)
        self._passes = _may_pass(game, records, self._layout.agents) if across else None
        self._seed, self._day = 0, 0
        self._fixed_seeds: list[int] = []
        self._time = 0
        self._drivers_see = plain_observations(game, np.zeros((0, len(game.watched_free_s))))
        self.spec = self._build_spec(num_envs, 1 + scene.horizon)
        self._masks = self._build_masks()
        self._neighbours = torch.zeros((0, 0, 0), dtype=torch.bool)

    def _build_spec(self, num_envs: int, horizon: int) -> EnvSpec:
        game, layout = self.game, self._layout
        drivers = tuple(game.scene.vehicle_ids[v] for v in game.drivers)
        widest = max(self._drivers_see.shape[1], *layout.observation_sizes)
        return EnvSpec(
            num_envs=num_envs,
            num_agents=game.num_drivers + len(layout.agents),
            num_actions=max(game.num_options, *layout.action_counts),
            observation_size=1 + widest,
            horizon=horizon,
            agent_names=drivers + tuple(f"light/{name}" for name in layout.agents),
            announcement_floats=ANNOUNCED_FLOATS,  # lights, too, count as if they sent as much
        )

    def _build_masks(self) -> tuple[Bool[Tensor, "N A"], Bool[Tensor, "N A"]]:
        """Who may do what at step 0, and later."""
        game, n = self.game, self.game.num_drivers
        first = torch.zeros((self.spec.num_agents, self.spec.num_actions), dtype=torch.bool)
        first[:, 0] = True
        later = first.clone()
        first[:n, : game.num_options] = torch.from_numpy(game.legal)
        counts = torch.tensor(self._layout.action_counts)
        later[n:] = torch.arange(self.spec.num_actions) < counts[:, None]
        return first, later

    @property
    def lights(self) -> tuple[str, ...]:
        """Names of the agents that are lights."""
        return self.spec.agent_names[self.game.num_drivers :]

    @property
    def pids(self) -> list[int]:
        """Of the SUMO processes."""
        return [client.pid for client in self._clients]

    def fix_seeds(self, seeds: Sequence[int]) -> None:
        """Days of these SUMO seeds, one for each copy, at every reset; none: drawn ones again."""
        self._fixed_seeds = list(seeds)

    def reset(self, seed: int) -> Step:
        """Days with SUMO seeds and neighbours drawn from `seed`."""
        self._seed, self._day = seed, 0
        return self._begin()

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Start the days on the routes chosen, or play the next seconds of the lights."""
        if self._time == 0:
            rows = self._depart(actions[:, : self.game.num_drivers].numpy(force=True))
            self._time = 1
            return self._going_on(self._seen(rows), self._no_rewards())
        switched = actions[:, self.game.num_drivers :].tolist()
        for client, row in zip(self._clients, switched, strict=True):
            client.announce(row)
        answers = [client.step(row) for client, row in zip(self._clients, switched, strict=True)]
        self._time += 1
        rewards = self._no_rewards()
        earned = [answer["rewards"] for answer in answers]
        rewards[:, self.game.num_drivers :] = torch.tensor(earned, dtype=torch.float32)
        seen = self._seen([answer["observations"] for answer in answers])
        if self._time < self.spec.horizon:
            return self._going_on(seen, rewards)
        rewards[:, : self.game.num_drivers] = self._measure()
        return self._ended(seen, rewards)

    def close(self) -> None:
        """End the SUMO processes."""
        for client in self._clients:
            client.close()
        self._folder.cleanup()

    def _begin(self) -> Step:
        self._time = 0
        seed, day, copies = self._seed, self._day, range(self.spec.num_envs)
        drawn = [drawn_seed(seed, Stream.TRAINING_DAYS, copy, day) for copy in copies]
        rng = numpy_generator(seed, Stream.ROAD_NEIGHBOURS, day)
        self._day += 1
        self._seeds = self._fixed_seeds or drawn
        pairs = np.zeros((self.spec.num_agents, self.spec.num_agents), dtype=bool)
        n = self.game.num_drivers
        pairs[:n, :n] = draw_neighbours(self._shares, self._num_neighbours, rng)
        pairs[n:, n:] = self._near
        if self._passes is not None:
            meeting = _some_of(self._passes, self._num_neighbours, rng)
            pairs[:n, n:], pairs[n:, :n] = meeting, meeting.T
        self._neighbours = torch.from_numpy(pairs).expand(self.spec.num_envs, -1, -1)
        return Step.first(self._seen(None), action_mask=self._legal(), neighbours=self._neighbours)

    def _depart(self, chosen: Int[ndarray, "E N"]) -> list[list[list[float]]]:
        """What lights see once every vehicle has been given its route."""
        self.last_actions = chosen
        rows = []
        for day, routes in enumerate(self.game.routes_of(chosen)):
            path = Path(self._folder.name) / f"day-{day}.rou.xml"
            path.write_text(day_file(self.game.scene, routes), encoding="utf-8")
            client, seed = self._clients[day], self._seeds[day]
            rows.append(client.reset(seed, record=True, routes=str(path)))
        return rows

    def _measure(self) -> Float[Tensor, "E drivers"]:
        scene = self.game.scene
        self.last_recordings = [recorded(scene, client.measure()) for client in self._clients]
        times_s = [travel_times_s(scene, each.outcome) for each in self.last_recordings]
        self.last_times_s = np.stack(times_s)
        rewards = -self.last_times_s[:, self.game.drivers] / time_unit_s(self.game)
        return torch.from_numpy(rewards).float()

    def _no_rewards(self) -> Float[Tensor, "E N"]:
        return torch.zeros((self.spec.num_envs, self.spec.num_agents))

    def _seen(self, rows: list[list[list[float]]] | None) -> Float[Tensor, "E N O"]:
        spec, n = self.spec, self.game.num_drivers
        seen = torch.zeros((spec.num_envs, spec.num_agents, spec.observation_size))
        seen[:, n:, 0] = 1.0
        seen[:, :n, 1 : 1 + self._drivers_see.shape[1]] = torch.from_numpy(self._drivers_see)
        for day, lights in enumerate(rows or []):
            for light, row in enumerate(lights, start=n):
                seen[day, light, 1 : 1 + len(row)] = torch.tensor(row)
        return seen

    def _legal(self) -> Bool[Tensor, "E N A"]:
        return self._masks[min(self._time, 1)].expand(self.spec.num_envs, -1, -1)

    def _going_on(self, seen: Float[Tensor, "E N O"], rewards: Float[Tensor, "E N"]) -> Step:
        """A step within the day."""
        return Step.next(seen, rewards, action_mask=self._legal(), neighbours=self._neighbours)

    def _ended(self, seen: Float[Tensor, "E N O"], rewards: Float[Tensor, "E N"]) -> Step:
        """The last step of the day, and what is seen before the next."""
        start = self._begin()
        return Step.last(
            start.observations,
            rewards,
            next_observations=seen,
            action_mask=start.action_mask,
            neighbours=start.neighbours,
        )


def _may_pass(
    game: RoutingGame, records: NetRecords, lights: tuple[str, ...]
) -> Bool[ndarray, "drivers L"]:
    """Which lights are on a route that a driver may take."""
    on_route = lights_on_the_way(records, lights, list(game.scene.routes))
    passed = on_route[np.maximum(game.driver_options, 0)]
    return np.any(passed & game.legal[..., None], axis=1)


def _some_of(
    pairs: Bool[ndarray, "drivers L"], most: int, rng: np.random.Generator
) -> Bool[ndarray, "drivers L"]:
    """At most so many drivers of each light."""
    order = np.where(pairs, rng.random(pairs.shape), np.inf)
    return pairs & (order.argsort(axis=0).argsort(axis=0) < most)


def light_scene(scene: Scene) -> SignalScene:
    """The lights' side of a day: the same clock, from its begin to its end at the latest.

    Raises:
        ConfigError: a day that lights cannot be simulated on.
    """
    config = scene.sumo
    if scene.background:
        raise ConfigError(
            "signals: beside lights that learn, only vehicles that decide are simulated; take the "
            "others out of the demand, or leave signals out"
        )
    try:
        return SignalScene(
            net=scene.net,
            begin_s=int(scene.begin_s),
            seconds=int(np.ceil(scene.cap_s - scene.begin_s)),
            teleport_after_s=round(config.time_to_teleport_s),
            watchdog_s=round(config.watchdog_s),
            stall_s=round(config.stall_s),
        )
    except ValueError as error:
        raise ConfigError(f"signals: {error}; shorten the demand or sumo.longest_s") from error


def day_file(scene: Scene, routes: Int[ndarray, " vehicle"]) -> str:
    """A SUMO route file with every vehicle on its route."""
    rows = zip(scene.vehicle_ids, scene.depart_s.tolist(), scene.type_ids, routes, strict=True)
    trips = []
    for (name, depart_s, type_id, number), entry in zip(rows, scene.entries(), strict=True):
        edges, own = scene.routes[number], tuple(entry.items())
        trips.append(Trip(name, depart_s, edges[0], edges[-1], type_id, edges, attributes=own))
    return demand_file(Demand(tuple(trips), scene.types, "routes chosen for one day"))


def recorded(scene: Scene, measured: Mapping[str, Any]) -> Recording:
    """What a `SignalClient` measured, in the scene's order of vehicles."""
    at = {name: row for row, name in enumerate(measured["ids"])}
    rows = np.array([at.get(name, -1) for name in scene.vehicle_ids])
    listed = {name: np.array(values, dtype=float) for name, values in measured["trips"].items()}
    trips = {name: np.append(values, NEVER_DROVE)[rows] for name, values in listed.items()}
    drove = trips["depart"] >= 0.0
    arrived = drove & (trips["arrival"] >= 0.0) & (trips["arrival"] < scene.cap_s)
    teleports = np.append(np.array(measured["teleported"], dtype=np.int64), 0)[rows]
    columns: TripColumns = {
        name: np.where(drove, trips[name], np.nan)
        for name in ("departDelay", "timeLoss", "waitingTime", "routeLength")
    }
    return without_edges(
        columns,
        arrival_s=np.where(arrived, trips["arrival"], np.nan),
        teleports=teleports,
        collisions=int(measured["collisions"]),
        end_s=float(measured["end_s"]),
    )


@dataclass(frozen=True, slots=True)
class DrivenDays:
    """Days with drivers and lights of the same training."""

    actions: Int[ndarray, "day N"]  # of drivers
    times_s: Float[ndarray, "day vehicle"]
    recordings: list[Recording]  # of every day


def drive_jointly(
    env: JointEnv, actors: ActorBank, seeds: Sequence[int], generator: torch.Generator
) -> DrivenDays:
    """Days of these SUMO seeds with the stochastic policies, as many at a time as `env` has."""
    actions, times, recordings = [], [], list[Recording]()
    for at in range(0, len(seeds), env.spec.num_envs):
        some = list(seeds[at : at + env.spec.num_envs])
        env.fix_seeds(some + some[-1:] * (env.spec.num_envs - len(some)))
        collect_rollout(env, actors, seed=0, generator=generator, with_successors=False)
        actions.append(env.last_actions[: len(some)])
        times.append(env.last_times_s[: len(some)])
        recordings += env.last_recordings[: len(some)]
    env.fix_seeds([])
    return DrivenDays(np.concatenate(actions), np.concatenate(times), recordings)
