"""Who appears in a run: rows of its traces, what people call them, and their roles."""

from collections.abc import Mapping

from ss_core.report.charts import Role

Cast = Mapping[str, tuple[str, Role]]  # a row's name in the traces → its name for people, its role


def cast_name(cast: Cast, name: object) -> str:
    """What people call a row."""
    return cast[str(name)][0] if str(name) in cast else str(name)


def cast_role(cast: Cast, name: object) -> Role:
    """The role that gives a row its colour."""
    return cast[str(name)][1] if str(name) in cast else "uncontrolled"
