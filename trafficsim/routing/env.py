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
from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from trafficsim.routing.game import RoutingGame, expected_route_times_s
from trafficsim.sumo.backend import TrafficBackend
from trafficsim.sumo.simulation import Outcome, travel_times_s

NUM_BASES = 6  # functions of the time of departure
ANNOUNCED_FLOATS = (
    2  # zone pair and time of departure, so that neighbours know what one chooses among
)
MOST_MOMENTS = 5e7  # numbers that drivers' private models of credit hold in all (credit.py)
FORGET = 0.3  # weight of the newest days in the public speeds


def departure_bases(depart_s: Float[ndarray, " N"]) -> Float[ndarray, "N basis"]:
    """Triangular functions of the time of departure; they add up to 1."""
    span_s = max(float(np.ptp(depart_s)), 1e-9)
    place = (depart_s - depart_s.min()) / span_s * (NUM_BASES - 1)
    return np.maximum(1.0 - np.abs(place[:, None] - np.arange(NUM_BASES)), 0.0)


class RoutingEnv:
    """`num_envs` days side by side.

    Agents: drivers with a choice. Action: the number of one of their alternatives; those they do
    not have are masked. Reward: - travel time / `time_unit_s`, from planned departure, charges for
    teleports and unfinished trips included. A day is one step, after which the episode has ended.

    Observation, `described`: a row of features per alternative, first what neighbours may know:
    contested links used × time of departure, coarsely, and who and which it is, finely; then what
    only the driver looks at: the time the alternative would have taken lately (in units of the mean
    free-flow time, beyond its fastest) and which one it is. Plain: time of departure in [0, 1],
    zone pair as a one-hot, and those lately expected times.
    """

    def __init__(
        self,
        game: RoutingGame,
        simulator: TrafficBackend,
        num_envs: int,
        *,
        num_neighbours: int,
        described: bool = True,
        remembers: bool = True,
    ) -> None:
        self.game = game
        self.last_times_s = np.zeros((num_envs, len(game.od)))  # of all vehicles, last days
        self.last_actions = np.zeros((num_envs, game.num_drivers), dtype=np.int64)
        self.last_outcomes: list[Outcome] = []
        self.speeds: Float[ndarray, "interval watched"] = np.zeros((0, len(game.watched_free_s)))
        self._simulator = simulator
        self._num_neighbours = num_neighbours
        self._remembers = remembers
        self._shares = game.shares()
        self._seeds: list[int] = []
        self._fixed_seeds: list[int] = []
        self._fixed = _public_features(game) if described else None
        self._neighbours = torch.zeros((num_envs, game.num_drivers, game.num_drivers)).bool()
        self.spec = self._build_spec(num_envs)

    def _build_spec(self, num_envs: int) -> EnvSpec:
        game, fixed = self.game, self._fixed
        own = 1 + game.num_options
        public = 0 if fixed is None else fixed.shape[-1]
        plain = 1 + len(game.od_pairs) + game.num_options
        return EnvSpec(
            num_envs=num_envs,
            num_agents=game.num_drivers,
            num_actions=game.num_options,
            observation_size=plain if fixed is None else game.num_options * (public + own),
            horizon=1,
            agent_names=tuple(game.scene.vehicle_ids[v] for v in game.drivers),
            candidate_size=0 if fixed is None else public + own,
            public_size=public,
            own_size=0 if fixed is None else own,
            announcement_floats=ANNOUNCED_FLOATS,
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
        copies = range(self.spec.num_envs)
        drawn_seeds = [drawn_seed(seed, Stream.TRAINING_DAYS, copy) for copy in copies]
        self._seeds = self._fixed_seeds or drawn_seeds
        rng = numpy_generator(seed, Stream.ROAD_NEIGHBOURS)
        drawn = draw_neighbours(self._shares, self._num_neighbours, rng)
        self._neighbours = torch.from_numpy(drawn).expand(self.spec.num_envs, -1, -1)
        return Step.first(self._seen(), action_mask=self._legal(), neighbours=self._neighbours)

    def step(self, actions: Int[Tensor, "E N"]) -> Step:
        """Simulate the days with these choices."""
        self.last_actions = actions.numpy(force=True)
        choices = self.game.routes_of(self.last_actions)
        outcomes = self._simulator.play(list(choices), self._seeds)
        self.last_outcomes = outcomes
        self.last_times_s = np.stack([travel_times_s(self.game.scene, each) for each in outcomes])
        if self._remembers:
            self.speeds = remember(self.speeds, outcomes)
        rewards = -self.last_times_s[:, self.game.drivers] / self.time_unit_s
        seen = self._seen()
        return Step.last(
            seen,
            torch.from_numpy(rewards).float(),
            next_observations=seen,
            action_mask=self._legal(),
            neighbours=self._neighbours,
        )

    def close(self) -> None:
        """Nothing of its own to end: the simulator belongs to whoever made it."""

    def state(self) -> dict[str, Tensor]:
        """The public speeds."""
        return {"speeds": torch.from_numpy(self.speeds.copy())}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from the speeds of a checkpoint."""
        self.speeds = state["speeds"].numpy().copy()

    def _seen(self) -> Float[Tensor, "E N O"]:
        game, fixed = self.game, self._fixed
        seen = plain_observations(game, self.speeds) if fixed is None else self._described(fixed)
        return torch.from_numpy(seen).expand(self.spec.num_envs, -1, -1)

    def _legal(self) -> Bool[Tensor, "E N A"]:
        return torch.from_numpy(self.game.legal).expand(self.spec.num_envs, -1, -1)

    def _described(self, fixed: Float[ndarray, "N K feature"]) -> Float[ndarray, "N O"]:
        game, spec = self.game, self.spec
        rows = np.zeros((game.num_drivers, spec.num_actions, spec.candidate_size), np.float32)
        rows[..., : spec.public_size] = fixed
        rows[..., spec.public_size] = _expected(game, self.speeds)
        rows[..., spec.public_size + 1 :] = np.eye(spec.num_actions)
        rows *= game.legal[..., None]
        return rows.reshape(game.num_drivers, -1)


def plain_observations(
    game: RoutingGame, speeds: Float[ndarray, "interval watched"]
) -> Float[ndarray, "N O"]:
    """Departure in [0, 1], zone pair as a one-hot, times expected at these speeds."""
    depart_s = game.depart_s
    place = (depart_s - depart_s.min()) / max(float(np.ptp(depart_s)), 1e-9)
    pair = np.eye(len(game.od_pairs))[game.od[game.drivers]]
    expected = _expected(game, speeds)
    return np.concatenate([place[:, None], pair, expected], axis=1).astype(np.float32)


def _expected(
    game: RoutingGame, speeds: Float[ndarray, "interval watched"]
) -> Float[ndarray, "N K"]:
    routes = np.maximum(game.driver_options, 0)
    times_s = expected_route_times_s(game, speeds, game.depart_s, routes)
    return _above_fastest(times_s, game) / mean_free_flow_s(game)


def mean_free_flow_s(game: RoutingGame) -> float:
    """Mean over drivers of their fastest alternative on an empty road."""
    return float(game.fastest_s[game.drivers].mean())


def time_unit_s(game: RoutingGame) -> float:
    """What a reward of -1 stands for; public, as the net and the zone pairs are."""
    return mean_free_flow_s(game) / 4.0


def _public_features(game: RoutingGame) -> Float[ndarray, "N K feature"]:
    """Contested links × time of departure, coarsely; each driver × alternative, finely.

    What a choice does to others is alike for drivers that leave at about the same time (coarse),
    and yet depends on who is just ahead (fine); a regression takes from each what it can. Where
    there are many drivers, neighbours in the order of departure share a fine feature.
    """
    n, k = game.num_drivers, game.num_options
    used = game.usage[np.maximum(game.driver_options, 0)].astype(np.float32)
    links = np.einsum("nkl,nb->nklb", used, departure_bases(game.depart_s)).reshape(n, k, -1)
    room = max(0.0, np.sqrt(MOST_MOMENTS / n) - links.shape[-1])
    groups = int(min(n, room // k))
    rank = np.argsort(np.argsort(game.depart_s, kind="stable"), kind="stable")
    group = np.eye(groups, dtype=np.float32)[rank * groups // n] if groups else np.zeros((n, 0))
    fine = np.einsum("ng,ka->nkga", group, np.eye(k)).reshape(n, k, -1)
    return np.concatenate([links, fine], axis=-1).astype(np.float32)


def _above_fastest(times_s: Float[ndarray, "N K"], game: RoutingGame) -> Float[ndarray, "N K"]:
    least_s = np.where(game.legal, times_s, np.inf).min(axis=1, keepdims=True)
    return np.where(game.legal, times_s - least_s, 0.0)


def remember(
    speeds: Float[ndarray, "interval watched"], outcomes: list[Outcome]
) -> Float[ndarray, "longest watched"]:
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
    so that where all share with all, everybody also receives from exactly as many.
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
