"""The routing game that rows are scored in: a joint choice counts by its mean over noisy days.

Many of these days are cheap on the public model of the links, few are dear in SUMO. Searches move
on the model; SUMO says what was found, how much a single driver still gains, and which of several
joint choices is best. All its days are drawn for references alone: nobody is scored on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.random_streams import Stream, drawn_seed, numpy_generator
from trafficsim.link_model.model import FEW_VEHICLES, Alternatives, LinkModel
from trafficsim.routing.game import RoutingGame
from trafficsim.routing.public_model import PublicModel
from trafficsim.routing.searches import Actions, Choices, Profile, SearchConfig, Times
from trafficsim.sumo.backend import TrafficBackend
from trafficsim.sumo.simulation import travel_times_s

LEAST_DRAWS, MOST_SWEEPS, SWEEPS_HOPED_FOR = 4, 20, 8
FITTED_DAYS = 16  # of random choices, that the model is fitted to before anything is searched
# Of towns, vehicles simulated in SUMO: for a mean, for what drivers gain, for the first fit.
DRIVEN_FOR_A_MEAN, DRIVEN_FOR_GAINS, DRIVEN_FOR_A_FIT = 2_000, 12_000, 4_000


@dataclass(frozen=True, slots=True)
class Gains:
    """What drivers gain by changing alone, in SUMO, each under its best other alternative."""

    driver: Int[ndarray, " tried"]
    action: Int[ndarray, " tried"]
    gain_s: Float[ndarray, " tried"]
    error_s: Float[ndarray, " tried"]  # standard errors; 0 where days do not differ

    @property
    def largest_s(self) -> float:
        """ε; 0 where nobody gains."""
        return max(0.0, float(self.gain_s.max(initial=0.0)))

    @property
    def error_of_largest_s(self) -> float:
        """Standard error of ε."""
        if self.largest_s == 0.0:
            return float(self.error_s.max(initial=0.0))
        return float(self.error_s[self.gain_s.argmax()])


class ScoredGame:
    """Means over days, on the model and in SUMO, and what is known of every driver's routes."""

    def __init__(
        self,
        game: RoutingGame,
        simulator: TrafficBackend,
        choices: Choices,
        config: SearchConfig,
        *,
        seed: int,
        purpose: int,
    ) -> None:
        self.choices = choices
        self.simulations = 0  # days in SUMO
        self.sweeps: int  # of best responses that a search on the model has days for
        self.swaps: int  # days of the model for a plan's last improvements
        self.starts: int  # that a plan is improved from
        self.drivers_a_sweep = game.num_drivers  # whose changes are tried
        self._game, self._simulator, self._config = game, simulator, config
        self._seed, self._purpose = seed, purpose
        self.is_town = len(game.od) > FEW_VEHICLES
        self._fits = self._days_used = self._asked = 0
        self._own_s = np.zeros((game.num_drivers, game.num_options))  # beyond the model's time
        self._measured_s = np.full_like(self._own_s, np.nan)  # where changes were driven
        changes = max(1, int((choices.count - 1).sum()))
        draws = max(LEAST_DRAWS, config.model_days // (SWEEPS_HOPED_FOR * changes))
        if self.is_town:
            affordable = config.model_vehicles // (SWEEPS_HOPED_FOR * len(game.od))
            draws = min(LEAST_DRAWS, max(1, affordable // changes))
            share = min(1.0, affordable / (draws * changes))
            self.drivers_a_sweep = max(1, int(share * game.num_drivers))
        self._noise = LinkModel.of(game.scene).noise(min(draws, config.draws), seed, purpose)
        self._public = PublicModel(
            game,
            memory_days=config.memory_days,
            draws=max(2, len(self._noise) // 4),
            residual_days=config.residual_days,
            seed=seed,
        )
        days = changes * len(self._noise)
        self.sweeps = min(MOST_SWEEPS, max(2, config.model_days // days))
        self.swaps = max(2, config.model_days // (4 * len(self._noise)))
        self.starts = 4 if self.sweeps > SWEEPS_HOPED_FOR else 2

    @property
    def days(self) -> int:
        """In SUMO, for a mean."""
        if self._game.scene.is_deterministic:
            return 1
        return self._at_most(self._config.days, DRIVEN_FOR_A_MEAN)

    @property
    def tries_everybody(self) -> bool:
        """Whether `gains` are those of all drivers, under all their alternatives."""
        few = self._game.num_drivers <= self._config.exact_up_to
        return self._game.scene.is_deterministic and few and not self.is_town

    def _at_most(self, days: int, vehicles: int) -> int:
        """So many days, and of towns no more than so many vehicles, but two days."""
        return min(days, max(2, vehicles // len(self._game.od))) if self.is_town else days

    def changes_s(
        self, actions: Actions, cost: Literal["own", "total"]
    ) -> tuple[Int[ndarray, " some"], Float[ndarray, "some K"]]:
        """Drivers whose turn it is, and what each alternative would cost them, or all, on top."""
        game, count = self._game, self.drivers_a_sweep
        rng = numpy_generator(self._seed, Stream.MODEL_MOVERS, self._purpose)
        order = rng.permutation(game.num_drivers)
        drivers = np.sort(np.roll(order, -self._asked * count)[:count])
        self._asked += 1
        found = self._alternatives(actions, drivers)
        beyond_s = self._beyond_s()[drivers]
        beyond_s -= beyond_s[np.arange(len(drivers)), actions[drivers], None]
        more_s = (found.own_s if cost == "own" else found.total_s) + beyond_s
        return drivers, np.where(game.legal[drivers], more_s, np.inf)

    def model_play(self, rows: Sequence[Actions]) -> list[Times]:
        """Means on the model, with what drivers know of their own routes."""
        actions = np.stack(rows)
        played = self._public.model.play(self._game.routes_of(actions), self._noise)
        beyond_s = np.take_along_axis(self._beyond_s()[None], actions[..., None], axis=2)[..., 0]
        times_s = played.times_s
        times_s[:, self._game.drivers] += beyond_s
        return list(times_s)

    def fit_to_random_choices(self) -> None:
        """Begin: drive days on which everybody picks at random, and fit the model to them."""
        rng = numpy_generator(self._seed, Stream.RANDOM_ROUTES, self._purpose)
        days = self._at_most(FITTED_DAYS, DRIVEN_FOR_A_FIT)
        drawn = rng.integers(self.choices.count, size=(days, len(self.choices.count)))
        outcomes = self._simulator.play(list(self._game.routes_of(drawn)), self._new_days(days))
        self.simulations += days
        self._public.remember(drawn, outcomes)
        self._fit()

    def measured(self, rows: Sequence[Actions], days: int = 0) -> Float[ndarray, "row vehicle"]:
        """Means in SUMO over the same new days for all rows; the model learns from them."""
        times_s = self._drive(rows, days or self.days, remember=len(rows))
        self._fit()
        return times_s.mean(axis=1)

    def gains(self, profile: Profile, index: int) -> Gains:
        """Of drivers drawn, or of all where days do not differ and there are few."""
        rng = numpy_generator(self._seed, Stream.DEVIATING_DRIVERS, self._purpose, index)
        n, now_s = self._game.num_drivers, profile.times_s[self.choices.vehicle]
        drivers = rng.permutation(n)
        rows = self._at_most(self._config.deviations * self.days, DRIVEN_FOR_GAINS) // self.days
        drivers = np.sort(drivers if self.tries_everybody else drivers[: max(1, rows)])
        promised_s = self._alternatives_s(profile.actions, drivers)
        promised_s[np.arange(len(drivers)), profile.actions[drivers]] = np.inf
        if self._game.scene.is_deterministic:  # nobody is faster than on an empty road
            hopeless = self.choices.free_flow_s[drivers] >= now_s[drivers, None]
            promised_s[hopeless] = np.inf
        if self.tries_everybody:
            row, action = np.nonzero(np.isfinite(promised_s))
        else:
            row = np.flatnonzero(np.isfinite(promised_s).any(axis=1))
            action = promised_s[row].argmin(axis=1)
        driver = drivers[row]
        changed = np.tile(profile.actions, (len(driver), 1))
        changed[np.arange(len(driver)), driver] = action
        times_s = self._drive([profile.actions, *changed], self.days, remember=1)
        vehicle = self.choices.vehicle[driver]
        each_s = times_s[0][:, vehicle].T - times_s[1 + np.arange(len(driver)), :, vehicle]
        error_s = each_s.std(axis=1, ddof=1) / np.sqrt(self.days) if self.days > 1 else 0.0
        found = Gains(driver, action, each_s.mean(axis=1), error_s * np.ones(len(driver)))
        self._learn(profile, found)
        return found

    def _learn(self, profile: Profile, found: Gains) -> None:
        """Correct the model's promises by what changes brought, as far as days can tell."""
        self._measured_s[:] = np.nan
        promised_s = self._alternatives_s(profile.actions, found.driver)
        row = np.arange(len(found.driver))
        now_s = promised_s[row, profile.actions[found.driver]]
        wrong_s = now_s - promised_s[row, found.action] - found.gain_s
        shrink = self.days / (self.days + self._config.residual_days) if self.days > 1 else 1.0
        base = self._own_s[found.driver, found.action]
        self._measured_s[found.driver, found.action] = base + shrink * wrong_s

    def _beyond_s(self) -> Float[ndarray, "N K"]:
        return np.where(np.isfinite(self._measured_s), self._measured_s, self._own_s)

    def _alternatives_s(
        self, actions: Actions, drivers: Int[ndarray, " some"]
    ) -> Float[ndarray, "some K"]:
        """Own times on the model under each alternative, everybody else as they are."""
        game, found = self._game, self._alternatives(actions, drivers)
        times_s = found.times_s[game.drivers[drivers], None] + found.own_s
        return np.where(game.legal[drivers], times_s + self._beyond_s()[drivers], np.inf)

    def _alternatives(self, actions: Actions, drivers: Int[ndarray, " some"]) -> Alternatives:
        game = self._game
        return self._public.model.alternatives(
            game.routes_of(actions),
            game.drivers[drivers],
            game.driver_options[drivers],
            np.full((len(drivers), 1), -1),
            self._noise,
        )

    def _drive(
        self, rows: Sequence[Actions], days: int, *, remember: int
    ) -> Float[ndarray, "row day vehicle"]:
        """In SUMO, on the same new days for all rows; the first so many tell of the model."""
        seeds = self._new_days(days)
        actions = np.repeat(np.stack(rows), days, axis=0)
        routes = self._game.routes_of(actions)
        outcomes = self._simulator.play(list(routes), seeds * len(rows))
        self.simulations += len(outcomes)
        self._public.remember(actions[: remember * days], outcomes[: remember * days])
        times_s = np.stack([travel_times_s(self._game.scene, each) for each in outcomes])
        return times_s.reshape(len(rows), days, -1)

    def _new_days(self, count: int) -> list[int]:
        """SUMO seeds that were not used before."""
        days = range(self._days_used, self._days_used + count)
        self._days_used += count
        stream = Stream.REFERENCE_DAYS
        return [drawn_seed(self._seed, stream, self._purpose, day) for day in days]

    def _fit(self) -> None:
        self._public.fit(self._fits, renews=self._fits > 0)
        self._fits += 1
        self._own_s = self._public.residuals_s(self._fits)
