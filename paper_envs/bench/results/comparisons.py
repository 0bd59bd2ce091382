"""What runs of a benchmark say together: summaries of a cell, comparisons of cells, curves.

Intervals are 95 % percentile bootstrap intervals over seeds. Each starts from the same generator,
so it does not matter in which order, or beside what else, they are asked for.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import get_args

import numpy as np
from jaxtyping import Float

from paper_envs.bench.results.results import Cell, RunResult
from paper_envs.preset_names import PresetName
from paper_envs.tasks import TASKS
from ss_core.algorithms.names import ALGORITHM_FACTS
from ss_core.errors import InputError
from ss_core.random_streams import Stream, numpy_generator
from ss_core.statistics import (
    Interval,
    Strata,
    bootstrap_interval,
    difference_interval,
    interquartile_mean,
    min_max_normalised,
    probability_of_improvement,
)

LEVEL = 0.95
RESAMPLES = 2000
BOOTSTRAP_SEED = 20241216
LAST_SHARE = 0.05  # of a curve: what stands for the end of training

ALGORITHM_TITLES = {  # as the paper calls them, in the order of tables and figures
    name: facts.short_title or name for name, facts in ALGORITHM_FACTS.items() if facts.in_paper
}

Runs = tuple[RunResult, ...]  # of one cell, by seed
Metric = Callable[[RunResult], float | None]


def title_of(algorithm: str) -> str:
    """What an algorithm is called in tables and figures."""
    return ALGORITHM_TITLES.get(algorithm, algorithm)


def final_return(run: RunResult) -> float:
    """Averaged return of the evaluation after training."""
    return run.final_return


def first_return(run: RunResult) -> float | None:
    """Averaged return at the first point of the learning curve."""
    return next((value for value in run.curve["averaged_return"] if value is not None), None)


def area_under_curve(run: RunResult) -> float | None:
    """Averaged return, averaged over the whole of training as well."""
    values = [value for value in run.curve["averaged_return"] if value is not None]
    return float(np.mean(values)) if values else None


def share_of_cooperators(count: int) -> Metric:
    """Share of the evaluation's steps in which exactly `count` agents cooperate."""

    def share(run: RunResult) -> float | None:
        if run.cooperators is None or count >= len(run.cooperators) or not sum(run.cooperators):
            return None
        return run.cooperators[count] / sum(run.cooperators)

    return share


def at_the_end(column: str) -> Metric:
    """Mean of a column of the curve over the last part of training."""

    def end(run: RunResult) -> float | None:
        values = run.curve.get(column, [])
        last = values[len(values) - max(1, round(LAST_SHARE * len(values))) :] if values else []
        present = [value for value in last if value is not None]
        return float(np.mean(present)) if present else None

    return end


def peak(column: str) -> Metric:
    """Largest value of a column of the curve."""

    def largest(run: RunResult) -> float | None:
        return max((each for each in run.curve.get(column, []) if each is not None), default=None)

    return largest


def by_cell(results: Iterable[RunResult]) -> dict[Cell, Runs]:
    """The runs of each cell, cells and seeds in order.

    Raises:
        InputError: two results of one cell and seed.
    """

    def place(run: RunResult) -> tuple[Cell, int]:
        return run.cell, run.seed

    ordered = sorted(results, key=place)
    for first, second in pairwise(ordered):
        if place(first) == place(second):
            raise InputError(
                f"two results of {first.cell.slug}, seed {first.seed}: remove one of their folders"
            )
    return {cell: tuple(runs) for cell, runs in groupby(ordered, lambda run: run.cell)}


def sample(runs: Runs, metric: Metric = final_return) -> Float[np.ndarray, " run"]:
    """The metric of each run that has it and whose value is finite."""
    values = [metric(run) for run in runs]
    present = [value for value in values if value is not None and np.isfinite(value)]
    return np.asarray(present, dtype=np.float64)


def interval_of(values: Float[np.ndarray, " run"]) -> Interval | None:
    """Interquartile mean and its interval; None without values."""
    if not values.size:
        return None
    return bootstrap_interval(
        values, interquartile_mean, level=LEVEL, resamples=RESAMPLES, rng=_rng()
    )


def difference(
    first: Strata,
    second: Strata,
    *,
    level: float = LEVEL,
) -> Interval:
    """Interquartile mean of `first` less that of `second`, one sample a task, mean over tasks."""
    return difference_interval(
        first, second, interquartile_mean, level=level, resamples=RESAMPLES, rng=_rng()
    )


def improvement(first: Float[np.ndarray, " run"], second: Float[np.ndarray, " rival"]) -> Interval:
    """Chance that a run of `first` ends higher than one of `second`; a tie counts half."""
    return probability_of_improvement(
        [first], [second], level=LEVEL, resamples=RESAMPLES, rng=_rng()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The span of a task under one preset: worst and best algorithm by interquartile mean.

    `low` and `high` are averaged returns, per agent and step.
    """

    low: float
    high: float

    @property
    def span(self) -> float:
        """Best less worst."""
        return self.high - self.low

    def normalised(self, values: Float[np.ndarray, " run"]) -> Float[np.ndarray, " run"]:
        """0 at the worst algorithm, 1 at the best."""
        return min_max_normalised(values, self.low, self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The cells of one preset, of the paper's tasks or of their small variants: never both."""

    preset: PresetName
    in_paper: bool
    cells: Mapping[Cell, Runs]

    @property
    def title(self) -> str:
        """For headings."""
        return f"{self.preset}, {'tasks of the paper' if self.in_paper else 'small variants'}"

    @property
    def slug(self) -> str:
        """For file names."""
        return self.preset if self.in_paper else f"{self.preset}-small"

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that belong here, run or not."""
        return tuple(name for name, task in TASKS.items() if task.in_paper == self.in_paper)

    def size(self, task: str) -> int | None:
        """Number of agents of the main comparison: the headline one, else the one run most."""
        counts = [cell.num_agents for cell in self.cells if cell.task == task and not cell.variant]
        if not counts or TASKS[task].num_agents in counts:
            return TASKS[task].num_agents if counts else None
        return max(counts, key=lambda count: (counts.count(count), count))

    def runs(
        self, task: str, algorithm: str, *, num_agents: int | None = None, variant: str = ""
    ) -> Runs:
        """Runs of one cell, empty if there are none; `num_agents` None means the headline one."""
        count = TASKS[task].num_agents if num_agents is None else num_agents
        cell = Cell(
            task=task,
            num_agents=count,
            preset=self.preset,
            algorithm=algorithm,
            variant=variant,
        )
        return self.cells.get(cell, ())

    def algorithms(self, task: str, num_agents: int | None = None) -> dict[str, Runs]:
        """Runs of every algorithm without a variant."""
        count = TASKS[task].num_agents if num_agents is None else num_agents
        return {
            cell.algorithm: runs
            for cell, runs in self.cells.items()
            if (cell.task, cell.num_agents, cell.variant) == (task, count, "")
        }

    def variants(self, task: str, num_agents: int | None = None) -> dict[str, Runs]:
        """Runs of every variant of SS."""
        count = TASKS[task].num_agents if num_agents is None else num_agents
        return {
            cell.variant: runs
            for cell, runs in self.cells.items()
            if (cell.task, cell.num_agents, cell.algorithm) == (task, count, "ss") and cell.variant
        }

    def scale(self, task: str, num_agents: int | None = None) -> Scale | None:
        """From the worst algorithm to the best; None where they are level, or there is only one.

        Unfinished runs count only where fewer than two algorithms have finished ones: a claim about
        finished runs must not rest on where others happen to stand.
        """
        everything = self.algorithms(task, num_agents).values()
        finished = [tuple(run for run in runs if run.finished) for runs in everything]
        ends = _ends(finished)
        if len(ends) < 2:
            ends = _ends(everything)
        if len(ends) < 2 or min(ends) == max(ends):
            return None
        return Scale(low=min(ends), high=max(ends))


def _ends(cells: Iterable[Runs]) -> list[float]:
    """Interquartile mean of the final returns of every cell that has any."""
    samples = map(sample, cells)
    return [float(interquartile_mean(values)) for values in samples if values.size]


def suites_of(cells: Mapping[Cell, Runs]) -> list[Suite]:
    """The suites that have any run: presets in order, the paper's tasks before the small ones."""
    presets: tuple[PresetName, ...] = get_args(PresetName)
    suites = [
        Suite(
            preset=preset,
            in_paper=in_paper,
            cells={
                cell: runs
                for cell, runs in cells.items()
                if cell.preset == preset and TASKS[cell.task].in_paper == in_paper
            },
        )
        for preset in presets
        for in_paper in (True, False)
    ]
    return [suite for suite in suites if suite.cells]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveBand:
    """Interquartile mean over seeds of a column of the curve, with its interval at each point."""

    episodes: Float[np.ndarray, " point"]
    estimate: Float[np.ndarray, " point"]
    low: Float[np.ndarray, " point"]
    high: Float[np.ndarray, " point"]


def curve_band(runs: Runs, column: str, resamples: int = 500) -> CurveBand | None:
    """The band of runs with equal points; None if no run has the column.

    A point that any run lacks is left out. Seeds are drawn once for all points. Unfinished runs
    count only where none is finished: they would cut the band short.
    """
    finished = [run for run in runs if run.finished]
    having = [run for run in finished or runs if run.curve.get(column)]
    if not having:
        return None
    points = min(len(run.curve[column]) for run in having)
    values = np.array([run.curve[column][:points] for run in having], dtype=np.float64)
    episodes = np.array(having[0].curve["episode"][:points], dtype=np.float64)
    kept = np.isfinite(values).all(axis=0) & np.isfinite(episodes)
    values, episodes = values[:, kept], episodes[kept]
    if not episodes.size:
        return None
    rows = _rng().integers(len(having), size=(resamples, len(having)))
    drawn = interquartile_mean(np.moveaxis(values[rows], 1, -1))
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return CurveBand(episodes=episodes, estimate=interquartile_mean(values.T), low=low, high=high)


def _rng() -> np.random.Generator:
    return numpy_generator(BOOTSTRAP_SEED, Stream.BOOTSTRAP)
