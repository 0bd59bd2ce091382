"""What an episode of traffic lights is: net, demand, clock and reward, as plain checked data."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

Reward = Literal["diff-waiting-time", "average-speed", "queue", "pressure"]
Program = Literal["agents", "fixed", "actuated"]

RANGES = {
    "begin_s": (0, 10**7),
    "seconds": (10, 10**6),
    "step_s": (2, 3600),
    "yellow_s": (1, 60),
    "min_green_s": (1, 600),
    "teleport_after_s": (1, 10**6),
    "watchdog_s": (1, 10**6),
    "stall_s": (1, 10**6),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalScene:
    """One episode: the lights of `net` meet the traffic of `routes`."""

    net: str = ""  # .net.xml file
    routes: str = ""  # SUMO file of routes, trips or flows
    begin_s: int = 0  # simulation clock at the start
    seconds: int = 600  # of an episode; trips still under way then are cut off
    step_s: int = 5  # between two decisions of a light
    yellow_s: int = 2
    min_green_s: int = 5
    reward: Reward = "diff-waiting-time"  # sumo-rl's, of the lanes that lead to the light
    teleport_after_s: int = 300  # SUMO moves on who stands still longer
    watchdog_s: int = 120  # without an answer of the SUMO process
    stall_s: int = 6  # of ours, in which SUMO does not end a second of its own

    def __post_init__(self) -> None:
        for name, (low, high) in RANGES.items():
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name}={getattr(self, name)}: between {low} and {high}")
        if self.reward not in get_args(Reward):
            raise ValueError(f"reward={self.reward!r}: choose {', '.join(get_args(Reward))}")
        if self.step_s <= self.yellow_s:
            raise ValueError(
                f"step_s={self.step_s}: must be longer than yellow_s={self.yellow_s}, or a light "
                "would never turn green"
            )

    @property
    def horizon(self) -> int:
        """Decisions per episode."""
        return -(-self.seconds // self.step_s)

    def as_request(self, program: Program, *, over_traci: bool = False) -> Mapping[str, Any]:
        """What a SUMO process needs to know; `program` says who switches the lights."""
        return {**asdict(self), "program": program, "over_traci": over_traci}
