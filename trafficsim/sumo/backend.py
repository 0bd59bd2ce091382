"""The door between the routing game and whatever simulates its days."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from jaxtyping import Int
from numpy import ndarray

from trafficsim.sumo.simulation import Outcome, Scene


class TrafficBackend(Protocol):
    """Plays days of one scene; a context manager that ends what it started.

    The same choices and seed give the same outcome, whatever was played before and beside it.
    """

    @property
    def scene(self) -> Scene:
        """Everything about a day but the choices."""
        ...

    def play(
        self, choices: Sequence[Int[ndarray, " vehicle"]], seeds: Sequence[int]
    ) -> list[Outcome]:
        """Outcomes in the order asked for; `choices[d]` are route numbers of day d.

        Raises:
            ValueError: not as many seeds as days.
        """
        ...

    def close(self) -> None:
        """End what was started; no day can be played afterwards."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
