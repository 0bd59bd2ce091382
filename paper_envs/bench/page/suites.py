"""The paper's tasks and their small variants, apart: they never stand in one table."""

from typing import Any

from paper_envs.tasks import TASKS

Frame = Any
TITLES = {True: "tasks of the paper", False: "small variants of them"}


def by_suite(rows: Frame) -> list[tuple[str, Frame]]:
    """Rows on tasks of the paper, then those on others, each with its title; none without rows."""
    of_paper = rows["task"].map(lambda name: name in TASKS and TASKS[name].in_paper).astype(bool)
    parts = [(TITLES[wanted], rows[of_paper == wanted]) for wanted in (True, False)]
    return [(title, part) for title, part in parts if len(part)]
