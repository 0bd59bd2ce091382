"""What people call the rows of a run, and the roles that give them their colours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ss_core.algorithms.names import ALGORITHM_LABELS
from ss_core.report.charts import Role


@dataclass(frozen=True, slots=True)
class Label:
    """A row's name for people, and its role."""

    title: str
    role: Role


SELFISH, LEARNED = "independent", "learned"  # where learners stand among the rows of a table
Labels = Mapping[str, Label]  # by the row's name in the traces; algorithms bring their own


def label_of(labels: Labels, name: object) -> Label:
    """The label of a row: the world's, the algorithm's, or its name."""
    known = labels.get(str(name))
    if known is not None:
        return known
    title, role = ALGORITHM_LABELS.get(str(name), (str(name), "uncontrolled"))
    return Label(title, role)


def title_of(labels: Labels, name: object) -> str:
    """What people call a row."""
    return label_of(labels, name).title


def role_of(labels: Labels, name: object) -> Role:
    """The role that gives a row its colour."""
    return label_of(labels, name).role


def in_order(rows: Sequence[str], names: Iterable[str]) -> list[str]:
    """The names in the order of a table; learners that `rows` does not name stand at LEARNED."""
    given = list(names)
    others = [name for name in given if name not in rows]
    placed: list[str] = []
    for row in rows:
        placed += others if row == LEARNED else [row] if row in given else []
    return placed
