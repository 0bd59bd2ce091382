"""Stored results to compare a new run of the benchmark with: `ss.bench.reference/1`, as JSON.

Training is the same to the last bit on one machine, but not on all: another processor rounds
differently, and after many updates its runs are like runs with other seeds. So a cell agrees when
its interquartile mean lies where a run with new seeds would lie.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from paper_envs.bench.results.comparisons import (
    Runs,
    Suite,
    by_cell,
    interval_of,
    sample,
    suites_of,
)
from paper_envs.bench.results.results import Cell, RunResult
from ss_core.errors import CorruptError, InputError
from ss_core.record.atomic import atomic_write, json_bytes

REFERENCE_SCHEMA = "ss.bench.reference/1"
NEW_RUNS = 5
LEVEL = 0.95  # of all cells together
WIDENING = 1.1  # deviation of an interquartile mean of normal values over that of their mean
FLOOR = 0.01  # of a task's span: no interval is narrower to each side


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is stored of one cell."""

    cell: Cell
    num_updates: int
    num_envs: int
    num_runs: int
    iqm: float  # interquartile mean of the final averaged returns
    low: float  # its 95 % bootstrap interval
    high: float
    prediction_low: float  # where the interquartile mean of a new run with 5 seeds lies
    prediction_high: float
    deviation: float  # standard deviation over seeds
    quantile: float  # of Student's t, for 95 % of all cells together
    floor: float  # least half width

    def half_width(self, num_runs: int) -> float:
        """Of the prediction interval of a new run with so many seeds."""
        spread = self.quantile * self.deviation * np.sqrt(_share(self.num_runs) + _share(num_runs))
        return float(max(spread, self.floor))


def write_reference(
    results: Sequence[RunResult], path: Path, *, profile: str, command: str
) -> None:
    """Store results as a reference.

        iqm ± max(t · s · √(w²/n + w²/5), floor)

    s is the larger of the cell's deviation and of that pooled over all cells of its task, size and
    preset; t has the degrees of freedom of the pool, for all cells together (Bonferroni).
    w makes up for an interquartile mean varying more than a mean: 1.04 to 1.09 times for 4 to 20
    normal values (100,000 simulated samples each), taken as 1.1; 1 below four, where nothing is
    cut off.

    Raises:
        InputError: nothing to store, or a cell with fewer than two seeds.
        ResourceError: the disk refused.
    """
    entries = _entries(by_cell(results))
    document = {
        "schema": REFERENCE_SCHEMA,
        "profile": profile,
        "command": command,
        "commit": _commit(),
        "level": LEVEL,
        "cells": [asdict(entry) for entry in entries],
    }
    atomic_write(path, json_bytes(document))


def check_against(results: Sequence[RunResult], reference: Path) -> list[str]:
    """One line per cell that is outside its stored interval, or that only one side has.

    Raises:
        InputError: there is no such reference.
        CorruptError: the file is none.
    """
    stored = {entry.cell: entry for entry in read_reference(reference)}
    cells = by_cell(results)
    lines = [f"{cell.slug}: not in the reference" for cell in cells if cell not in stored]
    for cell, entry in stored.items():
        line = _difference(entry, cells.get(cell, ()))
        if line:
            lines.append(f"{cell.slug}: {line}")
    return lines


def read_reference(path: Path) -> list[Entry]:
    """The entries of a stored reference."""
    if not path.is_file():
        raise InputError(f"{path}: no such reference; name another with --reference")
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if document["schema"] != REFERENCE_SCHEMA:
            raise ValueError(f"not of schema {REFERENCE_SCHEMA}")
        return [Entry(**{**each, "cell": Cell(**each["cell"])}) for each in document["cells"]]
    except (ValueError, KeyError, TypeError) as error:
        raise CorruptError(f"{path}: not a benchmark reference ({error})") from error


def _share(num_runs: int) -> float:
    """Variance of an interquartile mean of so many runs, as a share of the variance of one."""
    return (WIDENING if num_runs >= 4 else 1.0) ** 2 / num_runs


def _entries(cells: Mapping[Cell, Runs]) -> list[Entry]:
    if not cells:
        raise InputError("no results to make a reference of: run the benchmark first")
    return [
        _entry(suite, cell, runs, len(cells))
        for suite in suites_of(cells)
        for cell, runs in suite.cells.items()
    ]


def _entry(suite: Suite, cell: Cell, runs: Runs, num_cells: int) -> Entry:
    from scipy.stats import t as student

    values, interval = sample(runs), interval_of(sample(runs))
    if values.size < 2 or interval is None:
        raise InputError(f"{cell.slug}: {values.size} seed, a reference needs two of each cell")
    pooled, freedom = _pooled(suite, cell)
    scale = suite.scale(cell.task, cell.num_agents)
    entry = Entry(
        cell=cell,
        num_updates=runs[0].num_updates,
        num_envs=runs[0].num_envs,
        num_runs=int(values.size),
        iqm=interval.estimate,
        low=interval.low,
        high=interval.high,
        prediction_low=0.0,
        prediction_high=0.0,
        deviation=max(float(values.std(ddof=1)), pooled),
        quantile=float(student.ppf(1 - (1 - LEVEL) / num_cells / 2, freedom)),
        floor=FLOOR * (abs(interval.estimate) if scale is None else scale.span),
    )
    half = entry.half_width(NEW_RUNS)
    return replace(entry, prediction_low=entry.iqm - half, prediction_high=entry.iqm + half)


def _pooled(suite: Suite, cell: Cell) -> tuple[float, int]:
    """Deviation within the cells of a task, size and preset; its degrees of freedom."""
    samples = [
        sample(runs)
        for other, runs in suite.cells.items()
        if (other.task, other.num_agents) == (cell.task, cell.num_agents)
    ]
    freedom = sum(values.size - 1 for values in samples)
    squares = sum(float(((values - values.mean()) ** 2).sum()) for values in samples)
    return float(np.sqrt(squares / freedom)), freedom


def _difference(entry: Entry, runs: Runs) -> str:
    """What is wrong with the runs of a cell; empty when they agree with the reference."""
    interval = interval_of(sample(runs))
    if interval is None:
        return "in the reference, but without a result here"
    unfinished = sum(not run.finished for run in runs)
    if unfinished:
        return f"{unfinished} of {len(runs)} runs are not finished"
    trained = runs[0].num_updates, runs[0].num_envs
    if trained != (entry.num_updates, entry.num_envs):
        return (
            f"{trained[0]} updates of {trained[1]} episodes, the reference has "
            f"{entry.num_updates} of {entry.num_envs}"
        )
    half = entry.half_width(len(runs))
    if abs(interval.estimate - entry.iqm) <= half:
        return ""
    return (
        f"{interval.estimate:.4g} with {len(runs)} seeds, expected {entry.iqm - half:.4g} to "
        f"{entry.iqm + half:.4g}"
    )


def _commit() -> str | None:
    """Commit of the checkout this module lies in, marked if it has changes; else None."""
    git = shutil.which("git")
    if git is None:
        return None
    place = str(Path(__file__).parent)
    command = [git, "-C", place, "describe", "--always", "--dirty", "--abbrev=12"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
