"""Days that are steered while they last: advance a while, look who is where, send some elsewhere.

One SUMO process per day, all at the same hour. A process that dies is replaced and its day played
again from the start with the same seed and the same orders, so that nothing differs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from jaxtyping import Int
from numpy import ndarray

from ss_core.errors import SimulatorError
from trafficsim.sumo.process import SumoDied, SumoProcess
from trafficsim.sumo.simulation import Outcome, Simulator, give_up


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A day so far."""

    outcome: Outcome
    edge_of: Mapping[int, str]  # vehicles on an ordinary edge, by number
    is_over: bool


@dataclass(slots=True)
class _Day:
    """A day's process and the orders it has had."""

    process: SumoProcess | None = None
    orders: list[dict[str, Any]] = field(default_factory=list)
    deaths: int = 0
    last_death: SumoDied = field(default_factory=SumoDied)


class LiveDays:
    """As many days side by side as `begin` is given."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._days: list[_Day] = []

    def begin(
        self, choices: Sequence[Int[ndarray, " vehicle"]], seeds: Sequence[int]
    ) -> list[Snapshot]:
        """Start days with everybody on these routes; nobody has moved yet."""
        while len(self._days) < len(seeds):
            self._days.append(_Day())
        orders = [
            {"do": "begin", "choices": row.tolist(), "seed": int(seed)}
            for row, seed in zip(choices, seeds, strict=True)
        ]
        for day in self._days:
            day.orders, day.deaths = [], 0
        return self._order(orders)

    def advance(
        self, until_s: float, redirect: Sequence[Sequence[tuple[int, int]]]
    ) -> list[Snapshot]:
        """Send vehicles (number, route) of each day elsewhere, then simulate until `until_s`.

        Raises:
            SimulatorError: SUMO refuses an order, or dies again and again on the same day.
        """
        orders = [
            {"do": "advance", "until_s": until_s, "redirect": [list(pair) for pair in pairs]}
            for pairs in redirect
        ]
        return self._order(orders)

    def close(self) -> None:
        """End all processes."""
        for day in self._days:
            if day.process is not None:
                day.process.close()
        self._days.clear()

    def _order(self, orders: list[dict[str, Any]]) -> list[Snapshot]:
        """All days get their order first, so that they work side by side."""
        days = self._days[: len(orders)]
        alive = [_hand_over(day, order) for day, order in zip(days, orders, strict=True)]
        try:
            return [
                self._snapshot(day, order, sent)
                for day, order, sent in zip(days, orders, alive, strict=True)
            ]
        except SimulatorError:
            self.close()  # the other days have answers that nobody will read
            raise

    def _snapshot(self, day: _Day, order: dict[str, Any], sent: bool) -> Snapshot:
        day.orders.append(order)
        answer = _answer(day) if sent else None
        while answer is None:
            answer = self._played_again(day)
        return Snapshot(
            self.outcome(answer),
            dict(answer["on_the_way"]),
            answer["left"] == 0 or answer["time_s"] >= self._simulator.scene.cap_s,
        )

    def outcome(self, answer: dict[str, Any]) -> Outcome:
        """What an answer says."""
        return self._simulator.outcome_of(answer)

    def _played_again(self, day: _Day) -> dict[str, Any] | None:
        """All orders of the day to a new process; None where that one dies, too."""
        if day.process is not None:
            day.process.close()
            day.process = None
            day.deaths += 1
            self._simulator.restarts += 1
        give_up(self._simulator.scene, day.deaths, day.last_death)
        try:
            day.process = self._simulator.started()
            for order in day.orders[:-1]:
                day.process.ask(order)
            return day.process.ask(day.orders[-1])
        except SumoDied as death:
            day.last_death = death
            if day.process is None:
                day.deaths += 1
            return None


def _hand_over(day: _Day, order: dict[str, Any]) -> bool:
    if day.process is None:
        return False
    try:
        day.process.send(order)
    except SumoDied as death:
        day.last_death = death
        return False
    return True


def _answer(day: _Day) -> dict[str, Any] | None:
    assert day.process is not None
    try:
        return day.process.receive()
    except SumoDied as death:
        day.last_death = death
        return None
