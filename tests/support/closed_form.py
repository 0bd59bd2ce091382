"""Days on `TWO_ROUTE` in closed form, where SUMO would be slow or unpredictable. Not collected."""

from collections.abc import Sequence

import numpy as np

from trafficsim.sumo.simulation import Outcome, Scene, Simulator

SERVICE_S = 6.0  # of the neck


class ClosedForm(Simulator):
    """A simulator without SUMO: a queue on route 0, empty roads elsewhere, noise by seed."""

    def __init__(self, scene: Scene, free_flow_s: np.ndarray, noise_s: float = 0.0) -> None:
        super().__init__(scene)
        self.seeds: list[int] = []  # of all days played
        self._free_flow_s = free_flow_s
        self._noise_s = noise_s

    def play(self, choices: Sequence[np.ndarray], seeds: Sequence[int]) -> list[Outcome]:  # type: ignore[override]
        self.seeds += [int(seed) for seed in seeds]
        return [self._day(row, seed) for row, seed in zip(choices, seeds, strict=True)]

    def _day(self, routes: np.ndarray, seed: int) -> Outcome:
        scene = self.scene
        noise_s = self._noise_s * np.random.default_rng(seed).random(len(routes))
        arrival_s = scene.depart_s + self._free_flow_s[routes] + noise_s
        free_s = -np.inf
        for vehicle in np.flatnonzero(routes == 0):
            start_s = max(scene.depart_s[vehicle], free_s)
            arrival_s[vehicle] += start_s - scene.depart_s[vehicle]
            free_s = start_s + SERVICE_S
        queued = float((routes == 0).mean())
        speeds = np.full((2, len(scene.watched)), np.nan)
        speeds[0, scene.watched.index("queue")] = 10.0 - 8.0 * queued
        return Outcome(
            arrival_s=arrival_s,
            teleports=np.zeros(len(routes), dtype=np.int64),
            collisions=0,
            link_speed_m_per_s=speeds,
            end_s=float(arrival_s.max()),
        )
