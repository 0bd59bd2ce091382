"""The public model of the roads that drivers share: fitted to counts of links, all may compute it.

What the model gets wrong about a driver's own routes the driver adds from its own trips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray
from torch import Tensor

from trafficsim.link_model.calibration import (
    CalibrationConfig,
    PublicDays,
    calibrate,
    counted,
    padded,
)
from trafficsim.link_model.model import FEW_VEHICLES, LinkModel
from trafficsim.link_model.tables import Drivers
from trafficsim.routing.game import RoutingGame
from trafficsim.sumo.simulation import Outcome, travel_times_s

FIRST_FIT = CalibrationConfig(rounds=12, guesses=16, elite=4, draws=4)
LEAST_FITTED, MOST_FITTED = 16, 1.5e6  # days of memory, and vehicles simulated for a fit
LATER_FIT = CalibrationConfig(rounds=2, guesses=16, elite=4, draws=4)
# Of towns: one draw a day, which has many vehicles in it.
MOST_LEGS, MOST_LEGS_LATER = 8e6, 1.5e6  # edges driven along for a fit
MOST_COMPARED = 30_000  # vehicles simulated to compare own trips with the model


@dataclass(slots=True)
class Memory:
    """Days driven: announced routes, public counts, and everybody's own times, each its own."""

    actions: Int[ndarray, "day N"]
    counts: Float[ndarray, "day interval link"]
    times_s: Float[ndarray, "day vehicle"]

    def add(
        self,
        actions: Int[ndarray, "day N"],
        counts: Float[ndarray, "day interval link"],
        times_s: Float[ndarray, "day vehicle"],
        most: int,
    ) -> None:
        """Newer days behind; the oldest go."""
        counts = counts.astype(np.float32).astype(np.float64)  # as a checkpoint keeps them
        longest = max(self.counts.shape[1], counts.shape[1])
        both = [padded(each, longest) for each in (self.counts, counts)]
        self.actions = np.concatenate([self.actions, actions])[-most:]
        self.counts = np.concatenate(both)[-most:]
        self.times_s = np.concatenate([self.times_s, times_s])[-most:]


class PublicModel:
    """The link model of a game and the days it is fitted to."""

    def __init__(
        self, game: RoutingGame, *, memory_days: int, draws: int, residual_days: float, seed: int
    ) -> None:
        self.game = game
        self.model = LinkModel.of(game.scene)
        self.memory = Memory(
            np.zeros((0, game.num_drivers), dtype=np.int64),
            np.zeros((0, 0, len(game.scene.watched))),
            np.zeros((0, len(game.od))),
        )
        self.is_town = len(game.od) > FEW_VEHICLES
        self._memory_days, self._draws, self._seed = memory_days, draws, seed
        self._residual_days = residual_days

    def remember(
        self, actions: Int[ndarray, "day N"], outcomes: Sequence[Outcome]
    ) -> Float[ndarray, "day vehicle"]:
        """Add days driven; returns everybody's times on them."""
        times_s = np.stack([travel_times_s(self.game.scene, each) for each in outcomes])
        self.memory.add(actions, counted(outcomes), times_s, self._memory_days)
        return times_s

    def fit(self, update: int, *, renews: bool) -> float:
        """Fit the model's drivers to the days remembered; `renews` looks near the last fit only.

        Returns the root mean square error of vehicles on a link.
        """
        config = LATER_FIT if renews else FIRST_FIT
        each = config.rounds * config.guesses * len(self.game.od)
        if self.is_town:
            config = replace(config, draws=1)
            legs = each * np.mean([len(route) for route in self.game.scene.routes])
            newest = slice(-max(1, int((MOST_LEGS_LATER if renews else MOST_LEGS) // legs)), None)
        else:
            newest = slice(-max(LEAST_FITTED, int(MOST_FITTED // (each * config.draws))), None)
        days = PublicDays(
            routes=self.game.routes_of(self.memory.actions[newest]),
            vehicles=self.memory.counts[newest],
            links=self.game.scene.watched,
        )
        fit = calibrate(self.model, days, config, seed=self._seed, update=update, renews=renews)
        self.model = self.model.with_drivers(fit.drivers)
        return fit.error_vehicles

    def residuals_s(self, update: int) -> Float[ndarray, "N K"]:
        """What a driver's own trips took beyond the model's time, by alternative, shrunk to 0."""
        game, memory = self.game, self.memory
        draws = 2 * self._draws
        if self.is_town:
            draws = max(1, min(draws, MOST_COMPARED // max(memory.times_s.size, 1)))
        noise = self.model.noise(draws, self._seed, update, 3)
        modelled_s = self.model.play(game.routes_of(memory.actions), noise).times_s
        beyond_s = (memory.times_s - modelled_s)[:, game.drivers]
        beyond_s -= beyond_s.mean(axis=1, keepdims=True)  # the day's level is no route's doing
        taken = np.eye(game.num_options)[memory.actions]
        days = taken.sum(axis=0)
        total_s = (taken * beyond_s[..., None]).sum(axis=0)
        level_s = beyond_s.mean(axis=0)[:, None]
        return (total_s - days * level_s) / (days + self._residual_days)

    def state(self) -> dict[str, Tensor]:
        """The days remembered and the drivers of the model."""
        return {
            "actions": torch.from_numpy(self.memory.actions.copy()),
            "counts": torch.from_numpy(self.memory.counts).float(),
            "times_s": torch.from_numpy(self.memory.times_s.copy()),
            "drivers": torch.tensor(self.model.drivers, dtype=torch.float64),
        }

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a checkpoint."""
        arrays = {name: value.numpy().copy() for name, value in state.items()}
        counts = arrays["counts"].astype(np.float64)
        self.memory = Memory(arrays["actions"], counts, arrays["times_s"])
        self.model = self.model.with_drivers(Drivers(*arrays["drivers"].tolist()))
