"""How far a benchmark is: counts by task and algorithm, and the share of the work that is done."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from paper_envs.bench.results.results import Cell
from ss_core.processes.pool import Stage


@dataclass(frozen=True, slots=True)
class Row:
    """A run as progress counts it."""

    name: str
    cell: Cell
    weight: float  # expected seconds

    @property
    def group(self) -> tuple[str, str]:
        """Row and column of the table it is counted in."""
        label = f"{self.cell.algorithm}, varied" if self.cell.variant else self.cell.algorithm
        return f"{self.cell.task} {self.cell.num_agents} {self.cell.preset}", label


@dataclass(slots=True)
class Group:
    """The runs of one task and one algorithm."""

    total: int = 0
    done: int = 0
    failed: int = 0
    under_way: int = 0
    last_return: str = ""  # averaged return, as last reported


@dataclass(slots=True)
class RunsProgress:
    """Kept up to date by `note`; shown by a command line."""

    rows: Mapping[str, Row]
    groups: dict[tuple[str, str], Group]
    clock: Callable[[], float] = time.monotonic
    message: str = ""  # the last thing worth a line
    _shares: dict[str, float] = field(default_factory=dict)  # of each run, done
    _before: dict[str, float] = field(default_factory=dict)  # the same, when it was first noted
    _started_s: float = 0.0

    def note(self, name: str, stage: Stage, done: int, total: int, note: str) -> None:
        """Take in what the pool says of a run."""
        row = self.rows[name]
        group = self.groups[row.group]
        if name not in self._shares and stage == "working":
            group.under_way += 1
        self._shares[name] = done / total if total > 0 else 0.0
        self._before.setdefault(name, self._shares[name] if stage == "working" else 0.0)
        if stage == "working":
            group.last_return = note or group.last_return
            self.message = f"{name} {note}".rstrip()
            return
        group.under_way = max(0, group.under_way - 1)
        if stage == "again":
            del self._shares[name]
            self.message = f"{name}: {note}; tried again"
            return
        self._shares[name] = 1.0
        group.done += stage == "done"
        group.failed += stage == "failed"
        self.message = f"{name}: failed: {note}" if stage == "failed" else f"{name}: done"

    @property
    def num_total(self) -> int:
        """All runs."""
        return sum(group.total for group in self.groups.values())

    @property
    def num_done(self) -> int:
        """Runs that need nothing more."""
        return sum(group.done for group in self.groups.values())

    @property
    def num_failed(self) -> int:
        """Runs that were given up."""
        return sum(group.failed for group in self.groups.values())

    @property
    def ended(self) -> bool:
        """Whether nothing is left to run."""
        return self.num_done + self.num_failed == self.num_total

    @property
    def share(self) -> float:
        """Part of the work that is done, by expected time."""
        return self._part_of_work(self._shares)

    def left_s(self) -> float | None:
        """Seconds left at the pace since the start; None where there is none to judge by.

        What a run had done before, and only continues, tells nothing of the pace.
        """
        gained = self.share - self._part_of_work(self._before)
        if gained <= 0 or self.share >= 1:
            return None
        return (self.clock() - self._started_s) * (1 - self.share) / gained

    def _part_of_work(self, shares: Mapping[str, float]) -> float:
        work = sum(row.weight for row in self.rows.values())
        done = sum(row.weight * shares.get(name, 0.0) for name, row in self.rows.items())
        return done / work if work > 0 else 1.0


def start_progress(
    rows: Sequence[Row], finished: Sequence[str], clock: Callable[[], float] = time.monotonic
) -> RunsProgress:
    """Progress of all runs, of which some were finished before."""
    groups: dict[tuple[str, str], Group] = {}
    for row in rows:
        groups.setdefault(row.group, Group()).total += 1
    so_far = RunsProgress({row.name: row for row in rows}, groups, clock)
    for name in finished:
        so_far.note(name, "done", 1, 1, "")
    so_far.message = ""
    so_far._before = dict.fromkeys(finished, 1.0)
    so_far._started_s = clock()
    return so_far
