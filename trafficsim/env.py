"""The routing game as a `VectorEnv`: one day is one step, every driver picks a route at departure.

Packs and unpacks only; the rules are SUMO's. Drivers see their own alternatives and what everybody
may know: when they leave, which contested links a route uses, how long it would have taken lately.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from torch import Tensor

from ss_core.env import EnvSpec, Step
from trafficsim.game import RoutingGame, expected_route_times_s
from trafficsim.simulation import Outcome, Simulator, travel_times_s

NUM_BASES = 6  # functions of the time of departure
TOLD = 2  # floats: zone pair and time of departure, so that neighbours know what one chooses among
FORGET = 0.3  # weight of the newest days in the public speeds


def departure_bases(depart_s: Float[ndarray, " N"]) -> Float[ndarray, "N basis"]:
    """Triangular functions of the time of departure; they add up to 1."""
    span_s = max(float(np.ptp(depart_s)), 1e-9)
    place = (depart_s - depart_s.min()) / span_s * (NUM_BASES - 1)
    return np.maximum(1.0 - np.abs(place[:, None] - np.arange(NUM_BASES)), 0.0)


class RoutingEnv:
    """`num_envs` days side by side.

    Agents: drivers with a choice. Action: the number of one of their alternatives; those they do
    not have are masked. Observation: a row of features per alternative, the public ones first:
    contested links used × time of departure, free-flow and lately expected time (in units of the
    mean free-flow time, less the fastest alternative's); then which alternative it is. Reward:
    - travel time / `time_unit_s`, from planned departure, charges for teleports and unfinished
    trips included. A day is one step, after which the episode has ended.
    """

    def __init__(
        self,
        game: RoutingGame,
        simulator: Simulator,
        num_envs: int,
        *,
        num_neighbours: int,
        remembers: bool = True,
    ) -> None:
        self.game = game
        self.last_times_s = np.zeros((num_envs, len(game.od)))  # of all vehicles, last days
        self.last_outcomes: list[Outcome] = []
        self.speeds: Float[ndarray, "interval watched"] = np.zeros((0, len(game.watched_free_s)))
        self._simulator = simulator
        self._num_neighbours = num_neighbours
        self._remembers = remembers
        self._shares = game.shares()
        self._seeds: list[int] = []
        self._fixed_seeds: list[int] = []
        self._fixed = _fixed_features(game)
        self._neighbours = torch.zeros((num_envs, game.num_drivers, game.num_drivers)).bool()
        public = self._fixed.shape[-1] + 1
        self.spec = EnvSpec(
            num_envs=num_envs,
            num_agents=game.num_drivers,
            num_actions=game.num_options,
            observation_size=game.num_options * (public + game.num_options),
            horizon=1,
            agent_names=tuple(game.scene.vehicle_ids[v] for v in game.drivers),
            candidate_size=public + game.num_options,
            public_size=public,
            announcement_floats=TOLD,
        )

    @property
    def time_unit_s(self) -> float:
        """A reward of -1: a quarter of the drivers' mean free-flow time."""
        return time_unit_s(self.game)

    def fix_seeds(self, seeds: Sequence[int]) -> None:
        """Days of these SUMO seeds, one for each copy, at every reset."""
        self._fixed_seeds = list(seeds)

    def reset(self, seed: int) -> Step:
        """Days with SUMO seeds and neighbours drawn from `seed`."""
        rng = np.random.default_rng(seed)
        drawn_seeds = rng.integers(2**31 - 1, size=self.spec.num_envs).tolist()
        self._seeds = self._fixed_seeds or drawn_seeds
        drawn = draw_neighbours(self._shares, self._num_neighbours, rng)
        self._neighbours = torch.from_numpy(drawn).expand(self.spec.num_envs, -1, -1)
        return self._observe(rewards=None)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Simulate the days with these choices."""
        choices = self.game.routes_of(actions.numpy(force=True))
        outcomes = self._simulator.play(list(choices), self._seeds)
        self.last_outcomes = outcomes
        self.last_times_s = np.stack([travel_times_s(self.game.scene, each) for each in outcomes])
        if self._remembers:
            self.speeds = remember(self.speeds, outcomes)
        rewards = -self.last_times_s[:, self.game.drivers] / self.time_unit_s
        return self._observe(rewards=torch.from_numpy(rewards).float())

    def state(self) -> dict[str, Tensor]:
        """The public speeds."""
        return {"speeds": torch.from_numpy(self.speeds.copy())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the speeds of a checkpoint."""
        self.speeds = state["speeds"].numpy().copy()

    def _observe(self, rewards: Tensor | None) -> Step:
        game, spec = self.game, self.spec
        rows = np.zeros((game.num_drivers, spec.num_actions, spec.candidate_size), np.float32)
        rows[..., : self._fixed.shape[-1]] = self._fixed
        rows[..., self._fixed.shape[-1]] = self._expected()
        rows[..., spec.public_size :] = np.eye(spec.num_actions)
        rows *= game.legal[..., None]
        observations = torch.from_numpy(rows).flatten(1).expand(spec.num_envs, -1, -1)
        ended = torch.full((spec.num_envs,), rewards is not None)
        shape = (spec.num_envs, spec.num_agents)
        return Step(
            observations=observations,
            rewards=torch.zeros(shape) if rewards is None else rewards,
            terminated=ended,
            truncated=torch.zeros_like(ended),
            next_observations=observations,
            action_mask=torch.from_numpy(game.legal).expand(spec.num_envs, -1, -1),
            neighbours=self._neighbours,
        )

    def _expected(self) -> Float[ndarray, "N K"]:
        game = self.game
        routes = np.maximum(game.driver_options, 0)
        times_s = expected_route_times_s(game, self.speeds, game.depart_s, routes)
        return _above_fastest(times_s, game) / mean_free_flow_s(game)


def mean_free_flow_s(game: RoutingGame) -> float:
    """Mean over drivers of their fastest alternative on an empty road."""
    return float(game.free_flow_s[game.options[game.drivers, 0]].mean())


def time_unit_s(game: RoutingGame) -> float:
    """What a reward of -1 stands for; public, as the net and the zone pairs are."""
    return mean_free_flow_s(game) / 4.0


def _fixed_features(game: RoutingGame) -> Float[ndarray, "N K feature"]:
    """Contested links × time of departure, and the free-flow time."""
    routes = np.maximum(game.driver_options, 0)
    used = game.usage[routes].astype(np.float32)
    bases = departure_bases(game.depart_s)
    links = np.einsum("nkl,nb->nklb", used, bases).reshape(*routes.shape, -1)
    free = _above_fastest(game.free_flow_s[routes], game) / mean_free_flow_s(game)
    return np.concatenate([links, free[..., None]], axis=-1).astype(np.float32)


def _above_fastest(times_s: Float[ndarray, "N K"], game: RoutingGame) -> Float[ndarray, "N K"]:
    least_s = np.where(game.legal, times_s, np.inf).min(axis=1, keepdims=True)
    return np.where(game.legal, times_s - least_s, 0.0)


def remember(
    speeds: Float[ndarray, "interval watched"], outcomes: list[Outcome]
) -> Float[ndarray, "interval watched"]:
    """The public speeds after more days: newer days count more, empty links keep what they had."""
    longest = max(len(speeds), *(len(each.link_speed_m_per_s) for each in outcomes))
    rows = [_padded(each.link_speed_m_per_s, longest) for each in outcomes]
    known = np.isfinite(rows)
    count = known.sum(axis=0)
    total = np.where(known, rows, 0.0).sum(axis=0)
    new = np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
    old = _padded(speeds, longest)
    mixed = (1.0 - FORGET) * old + FORGET * new
    return np.where(np.isfinite(mixed), mixed, np.where(np.isfinite(new), new, old))


def _padded(
    speeds: Float[ndarray, "interval watched"], rows: int
) -> Float[ndarray, "rows watched"]:
    missing = np.full((rows - len(speeds), speeds.shape[1]), np.nan)
    return np.concatenate([speeds, missing])


def draw_neighbours(
    shares: Bool[ndarray, "N N"], most: int, rng: np.random.Generator
) -> Bool[ndarray, "N N"]:
    """(sender, receiver) pairs: everybody suggests to `most` of those it shares roads with.

    Agents sit at random around a table; each takes the sharers at the same `most` random distances,
    so that where all share with all, everybody also hears from exactly as many.
    """
    n = len(shares)
    seat = rng.permutation(n)
    distances = 1 + rng.permutation(max(n - 1, 0))
    chosen = np.zeros((n, n), dtype=bool)
    left = np.full(n, most)
    sender = seat
    for distance in distances:
        receiver = np.roll(seat, -distance)
        takes = shares[sender, receiver] & (left[sender] > 0)
        chosen[sender[takes], receiver[takes]] = True
        left[sender[takes]] -= 1
        if not left.any():
            break
    return chosen
