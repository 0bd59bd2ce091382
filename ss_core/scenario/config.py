"""`RunConfig`: the settings that runs of every world have, and how requests change a configuration.

A world's configuration derives from it and adds its own fields and checks.
"""

import datetime
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, TypeVar, cast

from ss_core.algorithms.names import ALGORITHM_FACTS, AlgorithmFacts, name_problem
from ss_core.algorithms.registry import algorithm_named
from ss_core.config import replace_paths
from ss_core.errors import ConfigError
from ss_core.learning.learner import LearnerConfig
from ss_core.learning.presets import REGIMES, Regime, in_regime
from ss_core.record.calendar import date_problem
from ss_core.record.schema import TraceLevel

Check = tuple[bool, str]  # whether a value fits, and what to say if not
Config = TypeVar("Config", bound="RunConfig")

SELFISH = "independent"
DEVICE = re.compile(r"cpu|cuda(:\d+)?")
MAX_COUNT = 10**6
COMMON_SHORTHANDS = {  # flags of every run, and the settings they stand for
    "algorithm": "learner.algorithm",
    "liars": "learner.exchange.liars",
    "lie": "learner.exchange.lie",
    "trust": "learner.trust",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Settings of a run in any world; the contents of input files apart, they decide its outcome.

    Raises:
        ValueError: a value does not fit; raised as a `ConfigError` by `ss_core.config`.
    """

    seed: int = 0
    compare_selfish: bool = True  # also train independent learners, for the table's selfish row
    compare: tuple[str, ...] = ()  # algorithms to train beside, for further rows
    evaluations: int = 10  # points of the learning curve on held-out days
    commit_every: int = 10  # updates from checkpoint to checkpoint
    trace: TraceLevel = "agent"
    date: str | None = None  # of day 0, as 2025-01-15: traces get calendar times; None: no calendar
    device: str = "cpu"
    budget_seconds: float | None = None  # of training; None: `learner.num_updates`
    learner: LearnerConfig = field(default_factory=LearnerConfig)

    def __post_init__(self) -> None:
        for fits, message in (*self.checks(), *self._common_checks()):
            if not fits:
                raise ValueError(message)

    def checks(self) -> Iterator[Check]:
        """Checks of a world's own fields."""
        yield from ()

    def _common_checks(self) -> Iterator[Check]:
        yield self.seed >= 0, f"seed={self.seed}: 0 or more"
        yield from count_checks(self, "evaluations", "commit_every")
        seconds = self.budget_seconds
        yield seconds is None or 0 < seconds < math.inf, f"budget_seconds={seconds}: above 0"
        for name in self.compare:
            yield name in ALGORITHM_FACTS, f"compare: {name_problem(name) or 'not by module'}"
        known = DEVICE.fullmatch(self.device) is not None
        yield known, f"device={self.device!r}: cpu, cuda or cuda:N"
        problem = "" if self.date is None else date_problem(self.date)
        yield not problem, problem

    @property
    def day_0(self) -> datetime.date | None:
        """The calendar's day 0 of each data set."""
        return None if self.date is None else datetime.date.fromisoformat(self.date)

    @property
    def learners(self) -> dict[str, str]:
        """Learned rows and their algorithms: the one asked for, and those to compare it with.

        Raises:
            ConfigError, InputError: the algorithm asked for is somebody's own and cannot be loaded.
        """
        asked = {algorithm_named(self.learner.algorithm).name: self.learner.algorithm}
        rival = {SELFISH: SELFISH} if self.compare_selfish else {}
        return asked | rival | {name: name for name in self.compare if name not in asked}


def facts_of(algorithm: object) -> AlgorithmFacts | None:
    """What is known of an algorithm by its name; None of somebody's own before it is loaded."""
    return ALGORITHM_FACTS.get(str(algorithm))


def cooperation_check(config: RunConfig, agent: str) -> Iterator[Check]:
    """For worlds in which no action is marked as cooperative: refuse algorithms that need it."""
    name = config.learner.algorithm
    facts = facts_of(name)
    fits = facts is None or "cooperative_actions" not in facts.needs
    yield fits, f"algorithm={name!r}: no {agent} tells which of its actions are cooperative"


def on_cpu_check(config: RunConfig, agent: str) -> Iterator[Check]:
    """For worlds whose days are simulated on the CPU: learning there is refused another device."""
    fits = not config.device.startswith("cuda")
    yield fits, f"device={config.device!r}: every {agent} learns where its days are simulated: cpu"


def needs_copies(algorithm: object) -> bool:
    """Whether an algorithm shares copies of others' policies, which not every architecture has."""
    facts = facts_of(algorithm)
    return facts is not None and "own_copies" in facts.needs


def count_checks(config: object, *names: str) -> Iterator[Check]:
    """Checks that fields hold whole numbers of things, at least one of each."""
    for name in names:
        value = getattr(config, name)
        yield value >= 1, f"{name}={value}: at least 1"
        yield value <= MAX_COUNT, f"{name}={value}: at most {MAX_COUNT}"


def with_regime(config: Config, regime: object) -> Config:
    """The configuration with its learner under the objective of a regime; None changes nothing.

    Raises:
        ConfigError: no regime of that name.
    """
    if regime is None:
        return config
    if regime not in REGIMES:
        *others, last = REGIMES
        raise ConfigError(f"regime={regime!r}: choose {', '.join(others)} or {last}")
    return replace(config, learner=in_regime(config.learner, cast(Regime, regime)))


def override(config: Config, overrides: Mapping[str, Any], shorthands: Mapping[str, str]) -> Config:
    """The configuration with every override in place; a budget becomes updates or seconds.

    Raises:
        ConfigError: unknown keys, or values that do not fit; all listed.
    """
    values = dict(overrides)
    budget, num_envs = values.pop("budget", None), values.get("learner.num_envs")
    values |= budget_overrides(budget, num_envs, config.learner.num_envs)
    _refuse_misspelt(values, config, shorthands)
    return replace_paths(
        config, {shorthands.get(key, key): v for key, v in values.items()}, where="settings"
    )


def _refuse_misspelt(
    values: Mapping[str, Any], config: RunConfig, shorthands: Mapping[str, str]
) -> None:
    """Refuse a name that is nearly one of the flags, which are no fields of a configuration.

    Raises:
        ConfigError: there is such a name; other unknown ones are `ss_core.config`'s to refuse.
    """
    names = {each.name for each in fields(config)}
    for key in values.keys() - names - shorthands.keys():
        close = get_close_matches(key, [*names, *shorthands, "budget"], n=1)
        if "." not in key and close and close[0] not in names:
            raise ConfigError(f"{key}: no such setting; did you mean {close[0]!r}?")


def budget_overrides(
    budget: Mapping[str, int | float] | None, num_envs: Any, default_num_envs: int
) -> dict[str, Any]:
    """Settings that a budget of seconds, updates or episodes stands for.

    `num_envs` is what somebody set; a value that is none is refused later, not here.

    Raises:
        ConfigError: it is none of these.
    """
    match budget:
        case None:
            return {}
        case {"updates": amount}:
            return {"learner.num_updates": int(amount)}
        case {"episodes": amount}:
            given = isinstance(num_envs, int) and num_envs > 0
            each = num_envs if given else default_num_envs
            return {"learner.num_updates": max(1, round(amount / each))}
        case {"seconds": amount}:
            return {"budget_seconds": float(amount)}
    raise ConfigError(f"budget={budget!r}: give seconds, updates or episodes")
