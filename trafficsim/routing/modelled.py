"""The routing game with alternatives judged on the public link model: a `CounterfactualEnv`.

Each update some of the joint choices that drivers announced are driven in SUMO. From the vehicles
counted on links everybody fits the same public model; on it a driver computes its own time under
each of its routes and under each route of a neighbour. What the model gets wrong about a driver's
own routes it adds from its own trips. SUMO stays the judge: of held-out days, and of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from ss_core.env import Counterfactuals, EnvSpec, Step
from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from trafficsim.routing.env import ANNOUNCED_FLOATS, draw_neighbours, time_unit_s
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.public_model import PublicModel
from trafficsim.sumo.backend import TrafficBackend
from trafficsim.sumo.simulation import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelledConfig:
    """How much is driven, remembered and computed for an update."""

    first_days: int = 16  # driven in SUMO at the first update
    days: int = 4  # and at each later one; without driver noise one is enough
    judged: int = 6  # joint choices that alternatives are computed for
    draws: int = 4  # of driver noise, common to all alternatives of an update
    memory_days: int = 120  # that the model is fitted to and own routes are compared on
    residual_days: float = 8.0  # that say "the model is right about my routes"
    most_vehicle_days: float = 1e6  # simulated for an update; above, fewer draws, then drivers
    most_in_towns: float = 4e5  # where more than `FEW_VEHICLES` drive, of whom a change moves few
    neighbours_in_towns: int = 256  # there, at least
    most_driven: int = 2000  # vehicles in SUMO at the first update, a quarter at each later one

    def __post_init__(self) -> None:
        counts = ("first_days", "days", "judged", "draws", "memory_days", "most_driven")
        for name in (*counts, "neighbours_in_towns"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1")
        for name in ("residual_days", "most_vehicle_days", "most_in_towns"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name}={getattr(self, name)}: above 0")


FITS_AT_FIRST, FIT_EVERY = 3, 3  # updates
MOST_WEIGHT = 4.0  # of what is judged in turn: it stands for the updates until the next time
MOST_PLAYED = 20_000  # vehicles of a town, of joint choices that are not driven


def days_in_sumo(config: ModelledConfig, vehicles: int, *, first: bool) -> int:
    """Days driven at an update: as asked for, or as many as `most_driven` vehicles allow."""
    if first:
        return min(config.first_days, max(2, config.most_driven // vehicles))
    return min(config.days, max(1, config.most_driven // (4 * vehicles)))


class ModelledRoutingEnv:
    """`num_envs` joint choices an update, some of them driven in SUMO, the others on the model.

    Agents, actions and rewards are those of `RoutingEnv`. Observation: the constant 1; every driver
    decides once a day, knowing nothing of it. Neighbours: drivers who share roads, drawn anew at
    each reset.
    """

    def __init__(
        self,
        game: RoutingGame,
        simulator: TrafficBackend,
        num_envs: int,
        *,
        num_neighbours: int,
        config: ModelledConfig,
        seed: int,
    ) -> None:
        self.game = game
        self.public = PublicModel(
            game,
            memory_days=config.memory_days,
            draws=config.draws,
            residual_days=config.residual_days,
            seed=seed,
        )
        self.last_times_s = np.zeros((num_envs, len(game.od)))
        self.last_actions = np.zeros((num_envs, game.num_drivers), dtype=np.int64)
        self.last_outcomes: list[Outcome] = []
        self.updates = 0  # begun
        self._simulator, self._config, self._seed = simulator, config, seed
        self._num_neighbours, self._shares = num_neighbours, game.shares()
        self._seeds: list[int] = []
        self._neighbours = torch.zeros((num_envs, game.num_drivers, game.num_drivers)).bool()
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=game.num_drivers,
            num_actions=game.num_options,
            observation_size=1,
            horizon=1,
            agent_names=tuple(game.scene.vehicle_ids[v] for v in game.drivers),
            announcement_floats=ANNOUNCED_FLOATS + 1,  # and the route
        )

    def reset(self, seed: int) -> Step:
        """Days with SUMO seeds and neighbours drawn from `seed`."""
        copies = range(self.spec.num_envs)
        self._seeds = [drawn_seed(seed, Stream.TRAINING_DAYS, copy) for copy in copies]
        rng = numpy_generator(seed, Stream.ROAD_NEIGHBOURS)
        drawn = draw_neighbours(self._shares, self._num_neighbours, rng)
        self._neighbours = torch.from_numpy(drawn).expand(self.spec.num_envs, -1, -1)
        return Step.first(self._seen(), action_mask=self._legal(), neighbours=self._neighbours)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Drive some of the joint choices, fit the model, and play the others on it."""
        self.last_actions = actions.numpy(force=True)
        driven = self.last_actions[: self._days_to_drive()]
        routes = self.game.routes_of(self.last_actions)
        self.last_outcomes = self._simulator.play(
            list(routes[: len(driven)]), self._seeds[: len(driven)]
        )
        times_s = self.public.remember(driven, self.last_outcomes)
        if self.updates < FITS_AT_FIRST or self.updates % FIT_EVERY == 0:
            self.public.fit(self.updates, renews=self.updates > 0)
        model = self.public.model
        others = routes[len(driven) :]
        noise = model.noise(self._draws_of(others), self._seed, self.updates, 1)
        others_s = model.play(others, noise).times_s
        self.last_times_s = np.concatenate([times_s, others_s])
        self.updates += 1
        rewards = -self.last_times_s[:, self.game.drivers] / time_unit_s(self.game)
        return Step.last(
            self._seen(),
            torch.from_numpy(rewards).float(),
            next_observations=self._seen(),
            action_mask=self._legal(),
            neighbours=self._neighbours,
        )

    def counterfactual_rewards(self, neighbours: Int[Tensor, "N M"]) -> Counterfactuals:
        """Means over the judged joint choices and over draws; the same for every copy."""
        game = self.game
        judged, draws, movers = self._affordable()
        receivers = neighbours.numpy(force=True)
        affected, slot = who_thinks_of(receivers)
        affected, slot = affected[movers], slot[movers]
        vehicles = np.where(affected >= 0, game.drivers[np.maximum(affected, 0)], -1)
        mover, at = np.nonzero(affected >= 0)
        own = np.zeros((game.num_drivers, game.num_options))
        own[movers] = -self.public.residuals_s(self.updates)[movers]
        peers = np.zeros((*receivers.shape, game.num_options))
        rows = game.routes_of(self.last_actions[:judged])
        for row, routes in enumerate(rows):
            noise = self.public.model.noise(draws, self._seed, self.updates, 2, row)
            found = self.public.model.alternatives(
                routes, game.drivers[movers], game.driver_options[movers], vehicles, noise
            )
            own[movers] -= found.own_s / len(rows)
            peers[affected[mover, at], slot[mover, at]] -= found.theirs_s[mover, at] / len(rows)
        weight = min(MOST_WEIGHT, game.num_drivers / len(movers))
        unit_s, copies = time_unit_s(game) / weight, self.spec.num_envs
        own_table = torch.from_numpy(own / unit_s).float().expand(1, copies, -1, -1)
        peer_table = torch.from_numpy(peers / unit_s).float().expand(1, copies, -1, -1, -1)
        return Counterfactuals(own=own_table, peers=peer_table)

    def _affordable(self) -> tuple[int, int, Int[ndarray, " mover"]]:
        """Joint choices, draws of noise, and drivers whose alternatives are judged this time."""
        game, config = self.game, self._config
        n, vehicles = game.num_drivers, len(game.od)
        draws = 1 if self.game.scene.is_deterministic else config.draws
        most = config.most_in_towns if self.public.is_town else config.most_vehicle_days
        judged, each = min(config.judged, self.spec.num_envs), n * game.num_options * vehicles
        while judged * draws > 1 and judged * draws * each > most:
            judged, draws = (judged, draws - 1) if draws > 1 else (judged - 1, draws)
        share = most / (judged * draws * each)
        if share >= 1.0:
            return judged, draws, np.arange(n)
        return judged, draws, self._in_turn(max(1, int(share * n)))

    def _in_turn(self, count: int) -> Int[ndarray, " mover"]:
        """So many drivers, others at each update, until everybody has been judged."""
        order = numpy_generator(self._seed, Stream.MODEL_MOVERS).permutation(self.game.num_drivers)
        return np.sort(np.roll(order, -self.updates * count)[:count])

    def _draws_of(self, routes: Int[ndarray, "day vehicle"]) -> int:
        if not self.public.is_town:
            return self._config.draws
        return max(1, min(self._config.draws, MOST_PLAYED // max(routes.size, 1)))

    def close(self) -> None:
        """Nothing of its own to end: the simulator belongs to whoever made it."""

    def state(self) -> dict[str, Tensor]:
        """The days remembered, the drivers of the model and how many updates have begun."""
        return self.public.state() | {"updates": torch.tensor(self.updates)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a checkpoint."""
        self.public.restore({name: value for name, value in state.items() if name != "updates"})
        self.updates = int(state["updates"])

    def _days_to_drive(self) -> int:
        config = self._config
        days = days_in_sumo(config, len(self.game.od), first=self.updates == 0)
        if self.updates and self.game.scene.is_deterministic:
            days = 1
        return min(days, self.spec.num_envs)

    def _seen(self) -> Float[Tensor, "E N O"]:
        return torch.ones((self.spec.num_envs, self.spec.num_agents, 1))

    def _legal(self) -> Bool[Tensor, "E N A"]:
        return torch.from_numpy(self.game.legal).expand(self.spec.num_envs, -1, -1)


def who_thinks_of(
    receivers: Int[ndarray, "N M"],
) -> tuple[Int[ndarray, "N L"], Int[ndarray, "N L"]]:
    """For each agent j the agents i with j = receivers[i, m], -1 pads, and the slots m."""
    n, slots = receivers.shape
    thinker = np.repeat(np.arange(n), slots)
    about, slot = receivers.reshape(-1), np.tile(np.arange(slots), n)
    order = np.argsort(about, kind="stable")
    counts = np.bincount(about, minlength=n)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    affected = np.full((n, max(int(counts.max(initial=0)), 1)), -1, dtype=np.int64)
    slots_of = np.zeros_like(affected)
    affected[about[order], place] = thinker[order]
    slots_of[about[order], place] = slot[order]
    return affected, slots_of
