"""Drivers and traffic lights on SUMO networks: checking nets, demand, the routing game, signals."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`parallel_env`, imported when it is asked for: SUMO's child processes need none of it."""
    if name == "parallel_env":
        from trafficsim.routing.parallel import parallel_env

        return parallel_env
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
