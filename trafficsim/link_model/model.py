"""The link model of a scene: days played on it, and what single changes would do."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ss_core.random_streams import Stream, numpy_generator
from trafficsim.link_model.changes import change_one
from trafficsim.link_model.day import play_days
from trafficsim.link_model.roads import roads_of
from trafficsim.link_model.tables import Clock, Drivers, Roads, Vehicles, World
from trafficsim.link_model.vehicles import vehicles_of
from trafficsim.nets.read import read_records
from trafficsim.sumo.simulation import Scene

FEW_VEHICLES = 150  # their day is short, and a change touches all of it: it is driven in whole
PICTURES = 48  # of a day, that changed ones begin and end at


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Common draws: how drivers differ on so many days of the model, standard normal."""

    speed: Float[ndarray, "draw vehicle"]
    headway: Float[ndarray, "draw vehicle"]

    def __getitem__(self, which: slice) -> "Noise":
        return Noise(speed=self.speed[which], headway=self.headway[which])

    def __len__(self) -> int:
        return len(self.speed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDays:
    """Days of the model, averaged over draws."""

    times_s: Float[ndarray, "day vehicle"]  # from planned departure, charges included
    seconds: Float[ndarray, "day interval edge"]  # vehicle-seconds on each edge
    teleports: Float[ndarray, " day"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternatives:
    """What single changes of route would do, as differences to the day as it is; 0 if illegal."""

    times_s: Float[ndarray, " vehicle"]  # of the day as it is
    own_s: Float[ndarray, "mover K"]
    total_s: Float[ndarray, "mover K"]  # everybody's, the mover's own included
    theirs_s: Float[ndarray, "mover affected K"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkModel:
    """A network that everybody may know, and how drivers drive on it."""

    roads: Roads
    edge_ids: tuple[str, ...]  # edges that routes use
    vehicles: Vehicles
    clock: Clock
    intervals: int
    is_deterministic: bool  # no driver noise: one draw, of zeros
    unknown: tuple[str, ...]  # junctions and lights that are driven as if they were others
    drivers: Drivers = field(default_factory=Drivers)

    @classmethod
    def of(cls, scene: Scene) -> Self:
        """The model of a scene, uncalibrated."""
        roads, edge_ids, unknown = roads_of(read_records(Path(scene.net)), scene.routes)
        clock = Clock(
            begin_s=scene.begin_s,
            cap_s=scene.cap_s,
            teleport_s=scene.sumo.time_to_teleport_s,
            interval_s=scene.sumo.interval_s,
        )
        return cls(
            roads=roads,
            edge_ids=edge_ids,
            vehicles=vehicles_of(scene),
            clock=clock,
            intervals=int(np.ceil((clock.cap_s - clock.begin_s) / clock.interval_s)),
            is_deterministic=scene.is_deterministic,
            unknown=unknown,
        )

    @property
    def _world(self) -> World:
        return World(self.roads, self.vehicles, self.drivers, self.clock)

    def with_drivers(self, drivers: Drivers) -> Self:
        """The same network with other drivers."""
        return replace(self, drivers=drivers)

    def noise(self, draws: int, seed: int, *index: int) -> Noise:
        """So many draws; a single one of zeros where drivers do not differ."""
        many = len(self.vehicles.depart_s)
        if self.is_deterministic:
            return Noise(speed=np.zeros((1, many)), headway=np.zeros((1, many)))
        rng = numpy_generator(seed, Stream.MODEL_NOISE, *index)
        speed, headway = rng.standard_normal((2, draws, many))
        return Noise(speed=speed, headway=headway)

    def play(
        self, routes: Int[ndarray, "day vehicle"] | Sequence[Int[ndarray, " vehicle"]], noise: Noise
    ) -> ModelDays:
        """Days with these route numbers, each the mean over all draws."""
        rows = np.ascontiguousarray(routes, dtype=np.int64)
        shape = (len(rows), self.intervals, len(self.edge_ids))
        times_s, seconds = np.zeros(rows.shape), np.zeros(shape)
        teleports = np.zeros(len(rows))
        play_days(
            rows,
            self._world,
            noise.speed,
            noise.headway,
            times_s,
            seconds,
            teleports,
        )
        return ModelDays(times_s=times_s, seconds=seconds, teleports=teleports)

    def alternatives(
        self,
        routes: Int[ndarray, " vehicle"],
        movers: Int[ndarray, " mover"],
        options: Int[ndarray, "mover K"],
        affected: Int[ndarray, "mover affected"],
        noise: Noise,
    ) -> Alternatives:
        """Each mover on each of its routes (-1 pads), everybody else as they are.

        `affected` are vehicles (-1 pads) whose own change is wanted, for each mover.
        """
        shape = (*affected.shape, options.shape[1])
        found = Alternatives(
            times_s=np.zeros(len(routes)),
            own_s=np.zeros(options.shape),
            total_s=np.zeros(options.shape),
            theirs_s=np.zeros(shape),
        )
        change_one(
            np.ascontiguousarray(routes, dtype=np.int64),
            np.ascontiguousarray(movers, dtype=np.int64),
            np.ascontiguousarray(options, dtype=np.int64),
            np.ascontiguousarray(affected, dtype=np.int64),
            self._world,
            noise.speed,
            noise.headway,
            PICTURES if len(routes) > FEW_VEHICLES else 0,
            found.times_s,
            found.own_s,
            found.total_s,
            found.theirs_s,
        )
        return found
