"""Households on a low-voltage feeder: physics, tariff, the scheduling game and its references."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ss_core.analysis.run import Run

__all__ = ["run"]


def run(**settings: Any) -> "Run":
    """Train households, score them beside exact references, as `ssgrid run` does.

        >>> run = gridsim.run(households=50)
        >>> run = gridsim.run(feeder="my_feeder.json", households=20, neighbours=4, seed=1)

    Args:
        settings: of `ssgrid run` and `--set`, by name: `households`, `case`, `feeder`, `days`,
            `instruments`, `algorithm`, `budget`, `seed`, ...; and the arguments of
            `ss_core.scenario.front_door.run_world`: `preset`, `out`, `resume`, `report` and
            `progress`.

    Raises:
        ConfigError, InputError: unknown settings, values or files; nothing was written.
        CheckFailedError: the audit by pandapower found a difference.
    """
    from ss_core.scenario.front_door import run_world

    return run_world("gridsim.scenario:SCENARIO", "gridsim.report.page:run_summary", **settings)
