"""The routing game with second thoughts: drivers decide at departure, and again where routes part.

Time goes on in slices. A driver that leaves in the next slice has all its alternatives; one on its
way those that have been the same so far, as long as there are several; anybody else has no choice.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from ss_core.env import EnvSpec, Step
from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from trafficsim.routing.env import (
    ANNOUNCED_FLOATS,
    draw_neighbours,
    mean_free_flow_s,
    remember,
    time_unit_s,
)
from trafficsim.routing.game import RoutingGame
from trafficsim.sumo.live_days import LiveDays, Snapshot
from trafficsim.sumo.simulation import Order, Outcome, Simulator, travel_times_s

SLOWEST_M_PER_S = 0.5  # a queue is taken to move at least that fast


class EnRouteEnv:
    """`num_envs` days side by side, each in a SUMO process of its own.

    Agents: drivers with a choice. Step: `slice_s` seconds; the horizon ends when the last driver
    that departs on time could have reached its destination at twice the empty road's time. Action:
    number of an alternative, masked to those that are open now. Observation: time of day, whether
    under way, zone pair as a one-hot, and for each alternative the time still to go at the speeds
    measured today, in units of the mean free-flow time, 0 where it is closed. Reward: - travel time
    / `time_unit_s` with the last step, charges included; 0 before.
    """

    def __init__(
        self,
        game: RoutingGame,
        simulator: Simulator,
        num_envs: int,
        *,
        num_neighbours: int,
        slice_s: float,
        remembers: bool = True,
    ) -> None:
        self.game = game
        self.last_times_s = np.zeros((num_envs, len(game.od)))
        self.last_actions = np.zeros((num_envs, game.num_drivers), dtype=np.int64)
        self.last_outcomes: list[Outcome] = []
        self.first_orders: list[Order] = []  # of the first day so far
        self.speeds: Float[ndarray, "interval watched"] = np.zeros((0, len(game.watched_free_s)))
        self._simulator = simulator
        self._days = LiveDays(simulator)
        self._remembers = remembers
        self._num_neighbours = num_neighbours
        self._slice_s = slice_s
        self._shares = game.shares()
        self._fixed_seeds: list[int] = []
        self._routes = [
            [simulator.scene.routes[r] for r in row if r >= 0]
            for row in game.driver_options.tolist()
        ]
        self._cost_s = _edge_costs(game)
        self._snapshots: list[Snapshot] = []
        self._time = 0
        self._neighbours = torch.zeros((num_envs, game.num_drivers, game.num_drivers)).bool()
        span_s = float(np.ptp(game.depart_s)) + 2.0 * float(game.free_flow_s.max())
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=game.num_drivers,
            num_actions=game.num_options,
            observation_size=2 + len(game.od_pairs) + game.num_options,
            horizon=max(1, int(np.ceil(span_s / slice_s))),
            agent_names=tuple(game.scene.vehicle_ids[v] for v in game.drivers),
            announcement_floats=ANNOUNCED_FLOATS,
        )

    def fix_seeds(self, seeds: Sequence[int]) -> None:
        """Days of these SUMO seeds, one for each copy, at every reset."""
        self._fixed_seeds = list(seeds)

    def reset(self, seed: int) -> Step:
        """Days with SUMO seeds and neighbours drawn from `seed`."""
        copies = range(self.spec.num_envs)
        drawn = [drawn_seed(seed, Stream.TRAINING_DAYS, copy) for copy in copies]
        rng = numpy_generator(seed, Stream.ROAD_NEIGHBOURS)
        chosen = draw_neighbours(self._shares, self._num_neighbours, rng)
        self._neighbours = torch.from_numpy(chosen).expand(self.spec.num_envs, -1, -1)
        self.last_actions = np.zeros_like(self.last_actions)
        self._time = 0
        self.first_orders = []
        routes = self.game.routes_of(self.last_actions)
        self._snapshots = self._days.begin(list(routes), self._fixed_seeds or drawn)
        seen, legal = self._observe()
        return Step.first(seen, action_mask=legal, neighbours=self._neighbours)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Send those who decide on their way, and simulate a slice; the last one to the end."""
        legal, taken = self._legal(), actions.numpy(force=True)
        rows = np.arange(self.game.num_drivers)
        open_now = legal.sum(axis=-1) > 1
        changed = open_now & (taken != self.last_actions)
        orders = []
        for day in range(self.spec.num_envs):
            movers = rows[changed[day]]
            routes = self.game.driver_options[movers, taken[day, movers]]
            vehicles = self.game.drivers[movers]
            orders.append(list(zip(vehicles.tolist(), routes.tolist(), strict=True)))
        self.last_actions = np.where(open_now, taken, self.last_actions)
        self._time += 1
        ended = self._time == self.spec.horizon
        scene = self.game.scene
        until_s = scene.cap_s if ended else scene.begin_s + self._time * self._slice_s
        self.first_orders.append((until_s, orders[0]))
        self._snapshots = self._days.advance(until_s, orders)
        return self._ended() if ended else self._going_on()

    def close(self) -> None:
        """End the SUMO processes."""
        self._days.close()

    def state(self) -> dict[str, Tensor]:
        """The public speeds of earlier days."""
        return {"speeds": torch.from_numpy(self.speeds.copy())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the speeds of a checkpoint."""
        self.speeds = state["speeds"].numpy().copy()

    def _going_on(self) -> Step:
        seen, legal = self._observe()
        nothing = torch.zeros(seen.shape[:2])
        return Step.next(seen, nothing, action_mask=legal, neighbours=self._neighbours)

    def _ended(self) -> Step:
        rewards = self._rewards()
        seen, legal = self._observe()
        return Step.last(
            seen,
            rewards,
            next_observations=seen,
            action_mask=legal,
            neighbours=self._neighbours,
        )

    def _rewards(self) -> Tensor:
        self.last_outcomes = [each.outcome for each in self._snapshots]
        times = [travel_times_s(self.game.scene, each) for each in self.last_outcomes]
        self.last_times_s = np.stack(times)
        if self._remembers:
            self.speeds = remember(self.speeds, self.last_outcomes)
        rewards = -self.last_times_s[:, self.game.drivers] / time_unit_s(self.game)
        return torch.from_numpy(rewards).float()

    def _observe(self) -> tuple[Float[Tensor, "E N O"], Bool[Tensor, "E N K"]]:
        """What is seen of the slice to come, and which alternatives are open in it."""
        game, spec = self.game, self.spec
        ended = self._time == spec.horizon
        shape = (spec.num_envs, spec.num_agents)
        legal = self._legal() if not ended else np.zeros((*shape, spec.num_actions), dtype=bool)
        legal[..., 0] |= ~legal.any(axis=-1)
        several = legal.sum(axis=-1, keepdims=True) > 1
        seen = np.zeros((*shape, spec.observation_size), dtype=np.float32)
        seen[..., 0] = self._time / spec.horizon
        seen[..., 1] = self._depart_slice() < self._time
        seen[..., 2 : 2 + len(game.od_pairs)] = np.eye(len(game.od_pairs))[game.od[game.drivers]]
        if not ended:
            to_go = self._to_go_s() / mean_free_flow_s(game)
            seen[..., 2 + len(game.od_pairs) :] = to_go * (legal & several)
        return torch.from_numpy(seen), torch.from_numpy(legal)

    def _depart_slice(self) -> Int[ndarray, " N"]:
        """The slice in which each driver leaves."""
        since_s = self.game.depart_s - self.game.scene.begin_s
        return (since_s // self._slice_s).astype(np.int64)

    def _legal(self) -> Bool[ndarray, "E N K"]:
        """Alternatives open in the slice to come; none where there is nothing to decide."""
        game = self.game
        legal = np.zeros((self.spec.num_envs, *game.legal.shape), dtype=bool)
        leaves = self._depart_slice() == self._time
        legal[:, leaves] = game.legal[leaves]
        for day, driver, place in self._under_way():
            now = self._routes[driver][self.last_actions[day, driver]]
            for option, route in enumerate(self._routes[driver]):
                legal[day, driver, option] = route[: place + 1] == now[: place + 1]
        return legal

    def _under_way(self) -> list[tuple[int, int, int]]:
        """(day, driver, place on its route) of the drivers that have left, on ordinary edges."""
        agent = {int(vehicle): driver for driver, vehicle in enumerate(self.game.drivers)}
        found = []
        for day, snapshot in enumerate(self._snapshots):
            for vehicle, edge in snapshot.edge_of.items():
                driver = agent.get(vehicle)
                if driver is not None:
                    route = self._routes[driver][self.last_actions[day, driver]]
                    found.append((day, driver, route.index(edge)))
        return found

    def _to_go_s(self) -> Float[ndarray, "E N K"]:
        """Time still to go on every alternative, at the speeds measured last."""
        shape = (self.spec.num_envs, *self.game.legal.shape)
        to_go = np.zeros(shape)
        costs = [self._costs_now(each) for each in self._snapshots]
        places = np.zeros(shape[:2], dtype=np.int64)
        for day, driver, place in self._under_way():
            places[day, driver] = place
        for day, cost_s in enumerate(costs):
            for driver, routes in enumerate(self._routes):
                for option, route in enumerate(routes):
                    rest = route[places[day, driver] :]
                    to_go[day, driver, option] = sum(cost_s.get(edge, 0.0) for edge in rest)
        return to_go

    def _costs_now(self, snapshot: Snapshot) -> dict[str, float]:
        """Seconds per edge: as measured last today, else on earlier days, else empty."""
        measured = snapshot.outcome.link_speed_m_per_s
        row = len(measured) - 1
        speed = measured[row] if row >= 0 else np.full(len(self.game.watched_free_s), np.nan)
        if row + 1 < len(self.speeds):
            speed = np.where(np.isfinite(speed), speed, self.speeds[row + 1])
        slow_s = self.game.watched_length_m / np.maximum(speed, SLOWEST_M_PER_S)
        times_s = np.where(np.isfinite(slow_s), slow_s, self.game.watched_free_s)
        return self._cost_s | dict(zip(self.game.scene.watched, times_s.tolist(), strict=True))


def _edge_costs(game: RoutingGame) -> dict[str, float]:
    """Empty road's time of the edges whose speed is measured."""
    return dict(zip(game.scene.watched, game.watched_free_s.tolist(), strict=True))
