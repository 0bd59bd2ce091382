"""Drivers and traffic lights on SUMO networks: checking nets, demand, the routing game, signals."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ss_core.analysis.run import Run
    from trafficsim.routing.parallel import parallel_env

__all__ = ["parallel_env", "run"]


def run(**settings: Any) -> "Run":
    """Train drivers, score them beside equilibrium and optimum, as `sstraffic run` does.

        >>> run = trafficsim.run(net="data/nets/grid.net.xml")
        >>> run = trafficsim.run(net="my.net.xml", trips="my.trips.xml", share=0.3)

    Args:
        settings: of `sstraffic run` and `--set`, by name: `net`, `trips`, `drivers`, `share`,
            `days`, `algorithm`, `budget`, `seed`, ...; and the arguments of
            `ss_core.scenario.front_door.run_world`: `preset`, `out`, `resume`, `report` and
            `progress`.

    Raises:
        ConfigError, InputError: unknown settings, values or files; nothing was written.
        SimulatorError: SUMO refuses its input, or dies again and again.
    """
    from ss_core.scenario.front_door import run_world

    return run_world(
        "trafficsim.scenario:SCENARIO", "trafficsim.report.page:run_summary", **settings
    )


def __getattr__(name: str) -> Any:
    """`parallel_env`, imported when it is asked for: SUMO's child processes need none of it."""
    if name == "parallel_env":
        from trafficsim.routing.parallel import parallel_env

        return parallel_env
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
