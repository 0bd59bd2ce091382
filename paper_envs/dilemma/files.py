"""Schelling diagrams on disk: a picture, or its numbers."""

from collections.abc import Sequence
from pathlib import Path

from paper_envs.dilemma.figure import drawn
from paper_envs.dilemma.measure import TaskDiagram
from paper_envs.dilemma.words import csv_of, numbers_of
from ss_core.errors import ConfigError
from ss_core.record.atomic import atomic_write

FORMATS = (".png", ".svg", ".csv")


def check_format(path: Path) -> None:
    """Refuse a file that cannot be written, before anything is played.

    Raises:
        ConfigError: an ending that is none of `FORMATS`.
    """
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"--out {path}: end it in .png or .svg for a picture, .csv for numbers")


def write(path: Path, diagrams: Sequence[TaskDiagram]) -> None:
    """What the ending asks for.

    Raises:
        ConfigError: an ending that is none of `FORMATS`.
        ResourceError: the disk refuses.
    """
    check_format(path)
    ending = path.suffix.lower()
    if ending == ".csv":
        data = csv_of(row for one in diagrams for row in csv_rows(one))
    else:
        png, svg = drawn(diagrams)
        data = png if ending == ".png" else svg
    atomic_write(path, data)


def csv_rows(one: TaskDiagram) -> list[dict[str, object]]:
    """Numbers, each row with its task."""
    place = {"env": one.name, "agents": one.num_agents, "episodes": one.episodes}
    return [{**place, **row} for row in numbers_of(one.diagram)]
