"""What a world must bring so that a run of it trains, is scored, traced, reported and resumed.

A world is a `Scenario`: a record of functions. `run` carries one out; `toy.py` in the tests is
the smallest there is. A new world needs nothing else, and nothing here knows a domain.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from torch import Tensor

from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.processes.child_tasks import Report, Stop
from ss_core.record.checkpoint import Checkpoint
from ss_core.record.run_directory import RunDirectory
from ss_core.record.trace_writer import TraceWriter
from ss_core.report.labels import LEARNED, SELFISH, Labels
from ss_core.scenario.config import RunConfig
from ss_core.scenario.key_figures import Scores, Summary
from ss_core.scenario.recommendation import Recommendation
from ss_core.statistics import Interval
from ss_core.training.loop import Training
from ss_core.training.saved_learner import SavedLearner

Result = dict[str, Any]
Rows = Sequence[Mapping[str, Any]]  # of a table


@dataclass(frozen=True, slots=True)
class Saved:
    """What a sub-task leaves: tensors, and plain facts beside them."""

    tensors: Mapping[str, Tensor]
    state: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one process trains and plays on; what `Scenario.open` opens and closes again."""

    training: Callable[[LearnerConfig], AbstractContextManager[Training]]  # before its first update
    evaluate: Callable[[Training], Mapping[str, float]]  # a point of the learning curve
    play: Callable[[Training], Saved]  # held-out days, with policies as they are
    trial: Callable[[Training], Float[np.ndarray, "N day"]] | None = None
    # private costs of trial days, the same days for all learners; their sum decides what to advise
    saved_learner: Callable[[LearnerConfig], SavedLearner] | None = None  # for `ss watch`
    welfare: Callable[[Training], Float[np.ndarray, " N"]] | None = None
    # of each agent on held-out days, more is better: for benchmarks of short runs
    candidates: Callable[[LearnerConfig], Mapping[str, LearnerConfig]] | None = None
    # settings that a pilot chooses from, by name, the default first; of as many updates


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a reference is computed, and from what."""

    folder: Path  # its own
    inputs: Path  # files that the run keeps
    results: Mapping[str, Checkpoint]  # of the tasks named in `Reference.after`
    processes: int  # how many it may use


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A sub-task that computes reference rows: an equilibrium, an optimum, a fixed program."""

    name: str  # of its folder
    compute: Callable[[Any, Place, Report, Stop], Saved | None]  # None: stopped before its end
    after: tuple[str, ...] = ()  # tasks whose results it needs
    depends_on: Callable[[Any], Any] | None = None
    # the configuration with all that this reference does not depend on set to one value, which is
    # what `compute` gets: runs of a study for which it is the same share the result; None: none do


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Inputs that are checked and kept: ready to train on."""

    sentence: str  # what will be run, for the person who waits
    world: Any = None  # what scores and tables need again: a feeder, a game
    notes: tuple[str, ...] = ()
    task: str = ""  # in the `run` table; empty: the scenario's name
    trivial: Callable[[], Scores] | None = None  # nothing to learn: the rows at once
    meanwhile: Callable[[], object] | None = None  # slow imports, done while sub-tasks work


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of the result's table: a rounded key figure; `scale` 100 makes percent."""

    title: str
    figure: str
    digits: int | None = 1  # None: as it is
    scale: float = 1.0
    value: Literal["mean", "ci_low", "ci_high"] = "mean"
    absent: str = ""  # what stands where a row has no such figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A run when every row is scored: what its tables, notes and traces are made from."""

    scenario: "Scenario"
    run: RunDirectory
    config: Any  # the world's configuration
    prepared: Prepared
    scores: Scores
    summaries: Mapping[str, Mapping[str, Summary]]  # by row
    gaps: Mapping[str, Interval | None]  # by row; empty where a world has no gap
    recommendation: Recommendation | None = None  # None: there were no trial days

    @property
    def algorithm(self) -> str:
        """The learned row that was asked for."""
        return next(iter(self.config.learners))

    @property
    def num_days(self) -> int:
        """Held-out days that every row is scored on."""
        return len(next(iter(next(iter(self.scores.figures.values())).values())))


def _nothing(*_: Any) -> tuple[str, ...]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A world, as a record of functions; `config` is always the world's own configuration.

    Raises:
        ConfigError: the record breaks a rule of this contract; the message names the rule.
    """

    name: str  # names runs and `ss config show NAME`
    target: str  # where this record stands, as module:NAME: child processes load it from there
    config: type  # of configurations: derives from `RunConfig`
    resolve: Callable[[str, Mapping[str, Any]], Any]  # preset, overrides → config
    open: Callable[[Any, Path, int], AbstractContextManager[Setting]]  # config, inputs, processes
    score: Callable[[Any, Prepared, Mapping[str, Checkpoint]], Scores]
    rows: Sequence[str]  # in the order of the table; SELFISH and LEARNED stand for learned rows
    labels: Labels  # of rows that no algorithm learns
    columns: Sequence[Column]
    baseline: str  # the row that others are compared with
    check: Callable[[Any], Any] = _nothing  # refuse bad input in seconds; nothing is written yet
    identity: Callable[[Any, Any], tuple[str, str]] | None = None  # config, checked → task, size
    prepare: Callable[[Any, Any, Path, Callable[[str], None]], Prepared] | None = None
    # config, checked, folder for inputs, a way to say how it goes
    references: Callable[[Any], Sequence[Reference]] = lambda _: ()
    title: Callable[[Evaluation], str] | None = None  # of the table
    best: str | None = None  # the other end of the gap; None: there is no gap
    uncoordinated: Sequence[str] = ()  # rows that coordination must beat on trial days
    cost_unit: str = ""  # of the costs of trial days
    knows: Callable[[Any], Mapping[str, str]] = lambda _: {}  # by row, what it knows: a column
    implied: Mapping[str, Callable[[Any], Collection[str]]] = field(
        default_factory=dict
    )  # flag → settings that what it names brings
    withdrawn: tuple[str, ...] = ()  # settings of earlier versions that mean nothing now
    agent: str = "agent"  # what a person calls one
    scope: str = "held-out days"
    units: Mapping[str, str] = field(default_factory=dict)  # by the ending of a figure's name
    shorthands: Mapping[str, str] = field(default_factory=dict)  # flag → setting
    about: Callable[[Any], Sequence[str]] = _nothing  # notes of a dry run
    check_stored: Callable[[Any, Mapping[str, Any]], Any] = _nothing  # of a run to continue
    notes: Callable[[Evaluation], Sequence[str]] = _nothing
    tables: Callable[[Evaluation], Mapping[str, Rows]] | None = None  # further ones, by title
    facts: Callable[[Evaluation], Mapping[str, Any]] | None = None  # more of result.json
    record: Callable[[TraceWriter, Evaluation], None] | None = None  # the world's own tables
    earned: str = "reward per agent"  # what progress says beside the update
    calibration_updates: int = 3  # timed to find out what a budget of seconds affords
    paired_intervals: bool = False  # the same draws of days for every row

    def __post_init__(self) -> None:
        for holds, rule in (
            (":" in self.target, f"target={self.target!r} names module:NAME"),
            (RunConfig in self.config.__mro__, "config derives from RunConfig"),
            (self.baseline in self.rows, f"baseline={self.baseline!r} is one of its rows"),
            (
                self.best is None or self.best in self.rows,
                f"best={self.best!r} is one of its rows, or None",
            ),
            (
                {*self.uncoordinated} <= {*self.rows},
                f"uncoordinated={self.uncoordinated!r} are rows of its own",
            ),
            (
                self.labels.keys() >= {*self.rows} - {SELFISH, LEARNED},
                "labels name every row that no algorithm learns",
            ),
        ):
            if not holds:
                raise ConfigError(f"scenario {self.name!r} breaks the contract: {rule}")


def load_scenario(target: str) -> Scenario:
    """The scenario that `module:NAME` names.

    Raises:
        ConfigError: there is none.
    """
    module, _, name = target.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"scenario {target}: cannot be loaded ({error})") from error
    if not isinstance(found, Scenario):
        raise ConfigError(f"scenario {target}: is {type(found).__name__}, not a Scenario")
    return found
