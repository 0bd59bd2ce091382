"""A fake of SUMO for tests: point queues on a free-flowing net, in this process and at once.

Its numbers are no results: vehicles have no length on the road, so queues never spill back; no
lights, no right of way, no teleports. It has what tests of the game's rules rest on: nobody is
faster than the empty road, company costs time, and a seed is a day.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from trafficsim.nets.read import read_records
from trafficsim.nets.road_graph import build_road_graph
from trafficsim.sumo.simulation import Outcome, Scene

REACTION_S, VEHICLE_M = 1.0, 7.5  # SUMO's default driver: tau; length and least gap
SPREAD = 0.1  # share by which a noisy driver may be slower on the empty road

Visit = tuple[int, float, float]  # of an edge: its number, entered and left at, in s


class FreeFlowBackend:
    """Days by point queues (Vickrey, 1969); implements `TrafficBackend`.

    An edge lets a vehicle out every (1 s + 7.5 m / limit) / lanes, which is how SUMO's default
    driver follows another; who comes sooner waits. Each driver of a scene with driver noise is up
    to a tenth slower, drawn by the day's seed.
    """

    def __init__(self, scene: Scene) -> None:
        graph = build_road_graph(read_records(Path(scene.net)))
        self._scene = scene
        self._edge_s = graph.free_flow_s
        self._headway_s = (REACTION_S + VEHICLE_M / graph.speed_m_per_s) / graph.lane_count
        self._length_m = graph.length_m
        self._routes = [[graph.position[edge] for edge in route] for route in scene.routes]
        self._watched = [graph.position[edge] for edge in scene.watched]
        self.seeds: list[int] = []  # of all days played

    @property
    def scene(self) -> Scene:
        """Everything about a day but the choices."""
        return self._scene

    def play(
        self, choices: Sequence[Int[ndarray, " vehicle"]], seeds: Sequence[int]
    ) -> list[Outcome]:
        """Days one after the other; without driver noise the seed does not matter."""
        days = list(zip(choices, seeds, strict=True))
        self.seeds += [int(seed) for seed in seeds]
        return [self._day(row, int(seed)) for row, seed in days]

    def close(self) -> None:
        """Nothing was started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _day(self, routes: Int[ndarray, " vehicle"], seed: int) -> Outcome:
        scene = self._scene
        slowness = np.ones(len(routes))
        if not scene.is_deterministic:
            slowness += SPREAD * np.random.default_rng(seed).random(len(routes))
        arrival_s, visits = self._queues([self._routes[r] for r in routes.tolist()], slowness)
        end_s = min(float(arrival_s.max()), scene.cap_s)
        return Outcome(
            arrival_s=np.where(arrival_s <= scene.cap_s, arrival_s, np.nan),
            teleports=np.zeros(len(routes), dtype=np.int64),
            collisions=0,
            link_speed_m_per_s=self._speeds(visits, end_s),
            link_vehicles=self._counts(visits, end_s),
            end_s=end_s,
        )

    def _queues(
        self, routes: Sequence[Sequence[int]], slowness: Float[ndarray, " vehicle"]
    ) -> tuple[Float[ndarray, " vehicle"], list[Visit]]:
        """When everybody arrives, and all visits of edges; who is sooner at an edge goes first."""
        arrival_s = np.zeros(len(routes))
        free_s = np.full(len(self._edge_s), -np.inf)  # when an edge lets out the next one
        coming = [(at, vehicle, 0) for vehicle, at in enumerate(self._scene.depart_s.tolist())]
        heapify(coming)
        visits: list[Visit] = []
        while coming:
            enters_s, vehicle, place = heappop(coming)
            route = routes[vehicle]
            if place == len(route):
                arrival_s[vehicle] = enters_s
                continue
            edge = route[place]
            starts_s = max(enters_s, free_s[edge])
            free_s[edge] = starts_s + self._headway_s[edge]
            leaves_s = float(starts_s + self._edge_s[edge] * slowness[vehicle])
            visits.append((edge, enters_s, leaves_s))
            heappush(coming, (leaves_s, vehicle, place + 1))
        return arrival_s, visits

    def _speeds(self, visits: Sequence[Visit], end_s: float) -> Float[ndarray, "interval watched"]:
        """Mean over vehicles that leave a watched edge in a whole interval; NaN: nobody did."""
        begin_s, interval_s = self._scene.begin_s, self._scene.sumo.interval_s
        column = {edge: at for at, edge in enumerate(self._watched)}
        shape = (int((end_s - begin_s) // interval_s), len(self._watched))
        total, count = np.zeros(shape), np.zeros(shape)
        for edge, entered_s, left_s in visits:
            row = int((left_s - begin_s) // interval_s)
            if edge in column and row < len(total):
                total[row, column[edge]] += self._length_m[edge] / (left_s - entered_s)
                count[row, column[edge]] += 1
        return np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)

    def _counts(self, visits: Sequence[Visit], end_s: float) -> Float[ndarray, "interval watched"]:
        """Mean number of vehicles on a watched edge in a whole interval."""
        begin_s, interval_s = self._scene.begin_s, self._scene.sumo.interval_s
        column = {edge: at for at, edge in enumerate(self._watched)}
        rows = int((end_s - begin_s) // interval_s)
        starts_s = begin_s + interval_s * np.arange(rows)
        stays_s = np.zeros((rows, len(self._watched)))
        for edge, entered_s, left_s in visits:
            if edge in column:
                within_s = np.minimum(left_s, starts_s + interval_s) - np.maximum(
                    entered_s, starts_s
                )
                stays_s[:, column[edge]] += np.maximum(within_s, 0.0)
        return stays_s / interval_s
